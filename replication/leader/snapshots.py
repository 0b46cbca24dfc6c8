"""Snapshots for followers, made by the persistence part.

Translates between `full_sync.Snapshots` and `persistence.service`. A snapshot through a pipe has ended when two things
are true, in whatever order they become so: the child has ended, and all that it wrote has been taken by the sockets.
"""

from typing import TYPE_CHECKING, Final

from persistence.files import ReadFile, unlink_if_there
from persistence.service import Persistence
from persistence.status import CHILD_NONE, CHILD_RDB
from redrock.config.values import SettingValues
from replication.leader.full_sync import Running, Snapshots

if TYPE_CHECKING:
    from replication.service import Replication


class PersistenceSnapshots(Snapshots):
    """``pipe_fd`` is the pipe that wants a reader, -1 if there is none. See `tasks.pipe`."""

    def __init__(self, persistence: Persistence, settings: SettingValues) -> None:
        self._persistence: Final = persistence
        self._settings: Final = settings
        self._replication: Replication | None = None
        self.pipe_fd = -1
        self._pipe_read = True
        self._child_ok: bool | None = None

    def attach(self, replication: "Replication") -> None:
        """Who is to be told of ends."""
        self._replication = replication

    # --- Snapshots

    def running(self) -> Running:
        status = self._persistence.status
        if not self._pipe_read:
            return Running.RDB_TO_FOLLOWERS  # its last bytes are still on their way
        if status.child_kind == CHILD_NONE:
            return Running.NOTHING
        if status.child_kind != CHILD_RDB:
            return Running.OTHER
        return Running.RDB_TO_FOLLOWERS if status.child_is_for_followers else Running.RDB_TO_DISK

    def start_to_disk(self) -> bool:
        return self._persistence.start_bgsave()

    def start_to_followers(self, prefix: bytes, suffix: bytes) -> bool:
        assert self._pipe_read
        fd = self._persistence.start_pipe_snapshot(prefix, suffix)
        if fd < 0:
            return False
        self.pipe_fd = fd
        self._pipe_read = False
        self._child_ok = None
        assert self._replication is not None
        self._replication.wake_supervisor()
        return True

    def open_dump(self) -> ReadFile:
        return self._persistence.disk.open_read(self._settings.dbfilename)

    def remove_dump(self) -> None:
        unlink_if_there(self._persistence.disk, self._settings.dbfilename)

    def cancel(self) -> None:
        self._persistence.kill_rdb_child()

    def has_save_points(self) -> bool:
        return bool(self._settings.save)

    # --- Ends

    def child_ended(self, ok: bool, to_pipe: bool) -> None:
        """A child that made an RDB is gone."""
        assert self._replication is not None
        if to_pipe and ok:
            self._child_ok = ok
            self._pipe_may_have_ended()
        elif to_pipe:
            # There is no point in waiting until the sockets have taken half a snapshot.
            self._replication.full_sync.pipe_ended(False, self._replication.keyspace.now_ms)
        else:
            self._replication.full_sync.disk_ended(ok)

    def take_pipe(self) -> int:
        """The descriptor of a pipe that has no reader yet, for its reader to close; -1 if there is none."""
        fd, self.pipe_fd = self.pipe_fd, -1
        return fd

    def pipe_read(self) -> None:
        """The pipe is at its end, and what came out of it has been sent (or nobody wants it any more)."""
        self._pipe_read = True
        self._pipe_may_have_ended()

    def _pipe_may_have_ended(self) -> None:
        assert self._replication is not None
        if self._pipe_read and self._child_ok is not None:
            ok, self._child_ok = self._child_ok, None
            self._replication.full_sync.pipe_ended(ok, self._replication.keyspace.now_ms)
