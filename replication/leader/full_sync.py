"""Full syncs: which followers share a snapshot, and when the next one begins.

Source: Redis 7.0.15, replication.c, syncCommand (its three cases), startBgsaveForReplication,
replicationSetupSlaveForFullResync, updateSlavesWaitingBgsave, shouldStartChildReplication.

A snapshot for followers goes to the dump file, or through a pipe to their sockets (`repl-diskless-sync`). Followers
that wait when it begins share it: each gets the offset at which it was taken, and holds a place in the backlog behind
that. A snapshot to disk may be joined later, by taking the place of one that waits for it; a streamed one may not,
since its beginning is gone. There is at most one snapshot at a time, whatever for.

Times are milliseconds since the epoch, offsets bytes of the stream.
"""

import logging
from enum import Enum, unique
from typing import Final

from persistence.files import ReadFile
from redrock.config.values import SettingValues
from replication.feed import Feed
from replication.leader.followers import Follower, Followers, FollowerState, Waker
from replication.protocol.psync import full_resync_line
from replication.protocol.transfer import EOF_MARK_BYTES, marked_header

logger: Final = logging.getLogger("redrock.replication")


@unique
class Running(Enum):
    """What child works for this server now."""

    NOTHING = "nothing"
    RDB_TO_DISK = "RDB to disk"
    RDB_TO_FOLLOWERS = "RDB to followers"
    OTHER = "something else"


class Snapshots:
    """Who makes snapshots: the persistence part, as the replication part sees it.

    When one that was started here has ended, `FullSync.disk_ended` or `pipe_ended` is to be called.
    """

    def running(self) -> Running:
        raise NotImplementedError

    def start_to_disk(self) -> bool:
        """Begin a BGSAVE of this instant into the dump file; False, logged, if that is not possible."""
        raise NotImplementedError

    def start_to_followers(self, prefix: bytes, suffix: bytes) -> bool:
        """Begin a snapshot of this instant into a pipe, ``prefix`` before and ``suffix`` behind it.

        What comes out of the pipe goes to `FullSync.chunk`.
        """
        raise NotImplementedError

    def open_dump(self) -> ReadFile:
        """The dump file that has just been written. Raises OSError."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Nobody wants the snapshot any more: end it."""
        raise NotImplementedError

    def remove_dump(self) -> None:
        """Nobody but followers has wanted the dump file, and they have it."""
        raise NotImplementedError

    def has_save_points(self) -> bool:
        """Does anybody but the followers want snapshots on disk?"""
        raise NotImplementedError


class FollowerCloser:
    """Closes connections of followers."""

    def close_follower(self, follower: Follower) -> None:
        """As soon as possible; the follower is dropped."""
        raise NotImplementedError

    def refuse_follower(self, follower: Follower, error: bytes) -> None:
        """Answer with the error, then close."""
        raise NotImplementedError


class FullSync:
    """The waiting room of followers that need everything."""

    def __init__(
        self, settings: SettingValues, followers: Followers, feed: Feed, snapshots: Snapshots, closer: FollowerCloser
    ) -> None:
        self._settings: Final = settings
        self._followers: Final = followers
        self._feed: Final = feed
        self._snapshots: Final = snapshots
        self._closer: Final = closer
        self._streaming_to: list[Follower] = []  # who gets the chunks of the present pipe
        self._dump_is_theirs = False  # the dump file was written for followers, and may be theirs alone
        self.pipe_waker: Waker | None = None  # the reader of the pipe waits for the sockets

    # --- beginning

    def enter(self, follower: Follower, now_ms: int) -> None:
        """A follower needs a full sync; it is registered, in the state WAIT_BGSAVE_START."""
        running = self._snapshots.running()
        if running is Running.RDB_TO_DISK:
            self._join_disk(follower)
        elif running is Running.RDB_TO_FOLLOWERS:
            logger.info("Current BGSAVE has socket target. Waiting for next BGSAVE for SYNC")
        elif self._may_stream(follower) and self._settings.repl_diskless_sync_delay:
            # More followers may come in a moment, and a streamed snapshot cannot be joined later.
            logger.info("Delay next BGSAVE for diskless SYNC")
        elif running is Running.OTHER:
            logger.info("No BGSAVE in progress, but another BG operation is active. BGSAVE for replication delayed")
        else:
            self._start([follower], now_ms)

    def tick(self, now_ms: int) -> None:
        """Once a second: begin a snapshot if somebody waits and it is time."""
        self._remove_dump()
        if self._snapshots.running() is not Running.NOTHING:
            return
        waiting = self._followers.in_state(FollowerState.WAIT_BGSAVE_START)
        if not waiting:
            return
        # Those that want the same as the first one; the others get the next snapshot.
        batch = [other for other in waiting if other.options.requirements == waiting[0].options.requirements]
        settings = self._settings
        enough = 0 < settings.repl_diskless_sync_max_replicas <= len(batch)
        waited_seconds = max(now_ms // 1000 - follower.since_ms // 1000 for follower in batch)
        if not settings.repl_diskless_sync or enough or waited_seconds >= settings.repl_diskless_sync_delay:
            self._start(batch, now_ms)

    def _remove_dump(self) -> None:
        """rdb-del-sync-files: a server without persistence leaves no RDB behind when its followers have it."""
        if not self._settings.rdb_del_sync_files:
            self._dump_is_theirs = False
        if not self._dump_is_theirs or self._settings.appendonly or self._snapshots.has_save_points():
            return
        for state in (FollowerState.WAIT_BGSAVE_START, FollowerState.WAIT_BGSAVE_END, FollowerState.SEND_BULK):
            if self._followers.in_state(state):
                return
        self._dump_is_theirs = False
        logger.info("Removing the RDB file used to feed replicas in a persistence-less instance")
        self._snapshots.remove_dump()

    def _may_stream(self, follower: Follower) -> bool:
        return self._settings.repl_diskless_sync and follower.options.capa_eof

    def _join_disk(self, follower: Follower) -> None:
        for other in self._followers.in_state(FollowerState.WAIT_BGSAVE_END):
            # One that wants the snapshot alone holds no place in the stream that could be shared.
            if other.options.rdb_only and not follower.options.rdb_only:
                continue
            same = other.options.requirements == follower.options.requirements
            if same and follower.options.has_capa_of(other.options):
                self._prepare(follower, other.initial_offset)
                logger.info("Waiting for end of BGSAVE for SYNC")
                return
            break
        logger.info("Can't attach the replica to the current BGSAVE. Waiting for next BGSAVE for SYNC")

    def _start(self, batch: list[Follower], now_ms: int) -> None:
        # A filtered snapshot must not replace the dump file: it can only be streamed.
        wants_stream = self._settings.repl_diskless_sync or batch[0].options.filtered
        to_sockets = wants_stream and all(follower.options.capa_eof for follower in batch)
        logger.info("Starting BGSAVE for SYNC with target: %s", "replicas sockets" if to_sockets else "disk")
        if to_sockets:
            mark = self._feed.identity.fresh_id()
            assert len(mark) == EOF_MARK_BYTES
            started = self._snapshots.start_to_followers(marked_header(mark), mark)
        else:
            started = self._snapshots.start_to_disk()
            self._dump_is_theirs = started and self._settings.rdb_del_sync_files
        if not started:
            logger.warning("BGSAVE for replication failed")
            for follower in self._followers.in_state(FollowerState.WAIT_BGSAVE_START):
                self._closer.refuse_follower(follower, b"ERR BGSAVE failed, replication can't continue")
            return
        offset = self._feed.identity.master_repl_offset
        for follower in batch:
            follower.last_progress_ms = now_ms
            self._prepare(follower, offset)
        self._streaming_to = list(batch) if to_sockets else []

    def _prepare(self, follower: Follower, offset: int) -> None:
        """Tell the follower at which offset its snapshot was taken, and keep the stream from there for it."""
        feed = self._feed
        follower.initial_offset = offset
        follower.state = FollowerState.WAIT_BGSAVE_END
        # Its stream must begin with a SELECT.
        feed.selected_dbid = -1
        backlog = feed.backlog
        assert backlog is not None
        if not follower.options.rdb_only:
            follower.start_stream(backlog.hold(offset + 1))
        if not follower.legacy:
            follower.send_line(full_resync_line(feed.identity.replid, offset))

    # --- a snapshot on disk

    def disk_ended(self, succeeded: bool) -> None:
        """A BGSAVE has ended, whoever had started it."""
        for follower in self._followers.in_state(FollowerState.WAIT_BGSAVE_END):
            if not succeeded:
                logger.warning("SYNC failed. BGSAVE child returned an error")
                self._closer.close_follower(follower)
                continue
            try:
                file = self._snapshots.open_dump()
            except OSError as error:
                logger.warning("SYNC failed. Can't open/stat DB after BGSAVE: %s", error.strerror)
                self._closer.close_follower(follower)
                continue
            follower.send_rdb(file)
            follower.wake()

    def rdb_sent(self, follower: Follower, now_ms: int) -> None:
        """The last byte of the dump file has gone out: the stream follows at once."""
        self._put_online(follower, now_ms)

    # --- a streamed snapshot

    def chunk(self, data: bytes) -> None:
        """The next bytes out of the pipe, for all that share it."""
        for follower in self._streaming_to:
            if not follower.gone:
                follower.send_chunk(data)
                follower.wake()

    def unsent_chunk_bytes(self) -> int:
        """How far the slowest of them is behind. The reader of the pipe waits while this is much."""
        return max((follower.chunk_bytes() for follower in self._streaming_to if not follower.gone), default=0)

    def chunks_sent(self) -> None:
        """A follower has taken some of its chunks, or is gone: there may be room for more."""
        if self.pipe_waker is not None:
            self.pipe_waker.wake()

    def streaming_count(self) -> int:
        """How many followers share the present pipe."""
        return sum(not follower.gone for follower in self._streaming_to)

    def anybody_streams(self) -> bool:
        """Is there still somebody to get the snapshot?"""
        return any(not follower.gone for follower in self._streaming_to)

    def pipe_ended(self, succeeded: bool, now_ms: int) -> None:
        """The child is done and all that it wrote has been sent."""
        sharing, self._streaming_to = self._streaming_to, []
        for follower in sharing:
            if follower.gone:
                continue
            if not succeeded:
                logger.warning("SYNC failed. BGSAVE child returned an error")
                self._closer.close_follower(follower)
                continue
            logger.info(
                "Streamed RDB transfer with replica %s succeeded (socket). Waiting for REPLCONF ACK from slave to "
                "enable streaming",
                follower.name,
            )
            # Nothing may follow the end mark until the follower has seen it, which makes its search for it cheap: its
            # first ACK says so. (redis-cli --slave, which comes by SYNC, sends one for this purpose.)
            follower.start_on_ack = True
            self._put_online(follower, now_ms)
        self.chunks_sent()

    # --- the end

    def _put_online(self, follower: Follower, now_ms: int) -> None:
        if follower.options.rdb_only:
            follower.state = FollowerState.RDB_TRANSMITTED
            logger.info(
                "RDB transfer completed, rdb only replica (%s) should be disconnected asap",
                follower.name,
            )
            self._closer.close_follower(follower)
            return
        follower.state = FollowerState.ONLINE
        follower.ack_ms = now_ms  # it cannot have sent one yet
        logger.info("Synchronization with replica %s succeeded", follower.name)
        follower.wake()

    def follower_gone(self, follower: Follower) -> None:
        """Its connection is closed. A snapshot that nobody wants any more is ended."""
        if follower in self._streaming_to:
            self.chunks_sent()
            if not self.anybody_streams():
                logger.warning("Diskless rdb transfer, last replica dropped, killing fork child.")
                self._streaming_to = []
                self._snapshots.cancel()
        elif (
            follower.state is FollowerState.WAIT_BGSAVE_END
            and self._snapshots.running() is Running.RDB_TO_DISK
            and not self._followers.in_state(FollowerState.WAIT_BGSAVE_END)
            and not self._snapshots.has_save_points()
        ):
            self._snapshots.cancel()
