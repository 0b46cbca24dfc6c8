"""Replacing the dataset by the leader's: what has to happen before, during and after.

Source: Redis 7.0.15, replication.c, readSyncBulkPayload from the end of the transfer on.
Order: the AOF is stopped and a child that saves is killed, so that neither writes what is about to go; followers and
the backlog go; the old data goes; the RDB is loaded, in slices, while clients are told LOADING; then the AOF begins
anew. If the load fails the dataset is empty, and the sync is tried again.

With `aside` (`repl-diskless-load swapdb`) the new data is loaded into databases of its own and takes the place of the
old data at the end, in one step; if the load fails, the old data is still there. Clients are told LOADING all the same,
unless the leader's history is the one that we have been following: then they read the old data meanwhile.
"""

import logging
import time
from typing import Final

from persistence.loader import LoadObserver, RdbFileLoad, RdbLoader
from persistence.rdb.reader import RdbReader
from persistence.service import Persistence
from persistence.status import CHILD_RDB
from redrock.config.values import SettingValues
from redrock.errors import CorruptionError
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.util.clock import Clock
from replication.service import Replication

logger: Final = logging.getLogger("redrock.replication")

_EVENTS_PER_LOOK: Final = 64


class FullLoad:
    """One full sync's load. ``observer`` is told of keys as they come, and may spill. ``aside``: see the module."""

    def __init__(
        self,
        replication: Replication,
        persistence: Persistence,
        keyspace: Keyspace,
        settings: SettingValues,
        observer: LoadObserver,
        clock: Clock,
        aside: bool = False,
    ) -> None:
        self._replication: Final = replication
        self._persistence: Final = persistence
        self._keyspace: Final = keyspace
        self._settings: Final = settings
        self._clock: Final = clock
        self._status: Final = persistence.status
        self._aside: list[Database] | None = None
        if aside:
            self._aside = [Database(keyspace, place, keyspace.next_store_id()) for place in range(settings.databases)]
        # A follower keeps expired keys: its leader removes them.
        self.loader: Final = RdbLoader(keyspace, settings, self._status, clock.now_ms(), True, observer)
        self._file: RdbFileLoad | None = None
        self._reader: RdbReader | None = None

    def begin(self) -> None:
        """Let go of everything that belongs to the old dataset."""
        persistence = self._persistence
        persistence.stop_log()
        if self._status.child_kind == CHILD_RDB:
            logger.info(
                "Replica is about to load the RDB file received from the master, but there is a pending RDB child "
                "running. Killing process %d and removing its temp file to avoid any race",
                self._status.child_pid,
            )
            persistence.kill_rdb_child()
        if self._aside is None:
            self._replication.dataset_will_be_replaced()
            logger.info("MASTER <-> REPLICA sync: Flushing old data")
            self._empty()
            self._keyspace.loading = True
        logger.info("MASTER <-> REPLICA sync: Loading DB in memory")

    def _empty(self) -> None:
        for database in self._keyspace.databases:
            database.clear()
        self._replication.host.dataset_flushed()

    # --- from a file

    def open_file(self, path: str) -> None:
        """Load from this file. Raises OSError."""
        self._file = RdbFileLoad(self._persistence.disk, path, self.loader, self._status, self._settings.rdbchecksum)
        self._replication.host.loading_changed()

    def file_step(self, slice_ns: int) -> bool:
        """Go on; True at the end. Raises FatalError, which means here only that this sync has failed."""
        assert self._file is not None
        # The loader looks at the machine's clock itself.
        return self._file.step(time.monotonic_ns() + slice_ns)

    # --- from the socket

    def open_stream(self, length: int | None, same_history: bool = False) -> None:
        """Load from the transfer's payload as it comes. ``same_history``: the old data is older, but not another's."""
        self._reader = RdbReader(self._settings.rdbchecksum)
        load = self._status.load
        load.begin(int(time.time()), length or 0)
        load.async_loading = same_history and self._aside is not None
        self._status.rdb_last_load_keys_expired = 0
        self._status.rdb_last_load_keys_loaded = 0
        self._replication.host.loading_changed()

    def stream_feed(self, data: bytes) -> None:
        """The next piece of payload."""
        assert self._reader is not None
        self._reader.feed(data)

    def stream_step(self, slice_ns: int) -> bool:
        """Load what has been fed; False: there is more to do. Raises FatalError or CorruptionError."""
        if self._aside is None:
            return self._read_on(slice_ns)
        keyspace = self._keyspace
        present, keyspace.databases = keyspace.databases, self._aside
        keyspace.loading = True
        try:
            return self._read_on(slice_ns)
        finally:
            keyspace.databases = present
            keyspace.loading = False

    def _read_on(self, slice_ns: int) -> bool:
        reader = self._reader
        assert reader is not None
        deadline_ns = self._clock.monotonic_ns() + slice_ns
        while True:
            for _ in range(_EVENTS_PER_LOOK):
                event = reader.next_event()
                if event is None:
                    self._status.load.loaded_bytes = reader.position()
                    return True
                self.loader.handle(event)
            if self._clock.monotonic_ns() >= deadline_ns:
                return False

    def stream_end(self) -> None:
        """The payload is over: raises CorruptionError if the RDB is not."""
        assert self._reader is not None
        self._reader.end_of_input()
        if not self.loader.finished:
            raise CorruptionError("the RDB has no end", "transfer")

    # --- the end

    def finish(self, succeeded: bool) -> None:
        """To be called in any case once `begin` has been."""
        if self._file is not None:
            self._file.close()
        if self._aside is not None:
            self._end_aside(succeeded, self._aside)
        elif not succeeded:
            self._empty()
        self._keyspace.loading = False
        self._status.load.end()
        self._replication.host.loading_changed()

    def _end_aside(self, succeeded: bool, aside: list[Database]) -> None:
        """Put the new data into the place of the old, or throw it away. O(databases): tables change hands whole."""
        if not succeeded:
            logger.info("MASTER <-> REPLICA sync: Discarding temporary DB in background")
            for database in aside:
                database.clear()
            return
        self._replication.dataset_will_be_replaced()
        logger.info("MASTER <-> REPLICA sync: Swapping active DB with loaded DB")
        self._empty()
        for database, loaded in zip(self._keyspace.databases, aside, strict=True):
            database.table = loaded.table
            database.expires = loaded.expires
            database.data_bytes = loaded.data_bytes
        logger.info("MASTER <-> REPLICA sync: Discarding old DB in background")

    def stream_dbid(self) -> int:
        """The database that the leader's stream has selected; -1 if the RDB does not say."""
        info = self.loader.replication_info()
        return -1 if info is None else info.stream_db

    def restart_log(self) -> None:
        """The dataset is whole: the AOF begins anew with a rewrite."""
        if self._settings.appendonly:
            self._persistence.restart_log()
