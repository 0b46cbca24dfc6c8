"""The link to the leader: connect, shake hands, receive the dataset if need be, then its stream; again and again.

Source: Redis 7.0.15, replication.c, connectWithMaster, syncWithMaster, readSyncBulkPayload, replicationCron,
replicationHandleMasterDisconnection.

When to try again, as Redis does: at once after a link that was up is lost, or a transfer failed; else after a second.
What survives of the leader then is in `Role.cached`. Nothing is awaited between looking at the role and changing the
dataset: a command may have changed the role during any await, and this task is cancelled a moment later.

Who closes what: the connection and the temporary file are closed, and the file removed, by whoever opened them here.
Errors of the network, of the protocol and of the disk end an attempt, never the task.
"""

import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from persistence.files import Disk, WriteFile, reason, unlink_if_there, write_whole
from persistence.loader import LoadObserver
from persistence.service import Persistence
from redrock.errors import CorruptionError, FatalError, ProtocolError
from redrock.util.clock import Clock
from replication.follower.apply import LeaderCommands, StreamApplier
from replication.follower.full_load import FullLoad
from replication.leader.followers import Waker
from replication.protocol.handshake import (
    Continue,
    FollowerHandshake,
    FullResync,
    HandshakeSettings,
    KeepAlive,
    Note,
    TryLater,
    Unsupported,
)
from replication.protocol.stream import ack_command
from replication.protocol.transfer import Payload, TransferEnd, TransferKeepAlive, TransferReceiver, TransferStart
from replication.role import LeaderAddress, LinkState
from replication.service import Replication

logger: Final = logging.getLogger("redrock.replication")

RECEIVE_BYTES: Final = 256 * 1024
# Redis fsyncs the received file now and then, so that the fsync at the end is short.
FSYNC_BYTES: Final = 8 * 1024 * 1024
_LOAD_SLICE_NS: Final = 5_000_000
_RETRY_SECONDS: Final = 1.0
_BRAKE_SECONDS: Final = 0.005

Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
RunBlocking = Callable[[Callable[[], None]], Awaitable[None]]


class LinkLost(Exception):
    """This attempt is over. ``at_once``: try again without waiting."""

    def __init__(self, text: str, at_once: bool) -> None:
        super().__init__(text)
        self.at_once: Final = at_once


class _Event(Waker):
    """A wake-up that can be waited for."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def wake(self) -> None:
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event = trio.Event()


class Link:
    """The follower role's task. ``connect`` opens a connection; tests and the simulation bring their own.

    ``run_blocking`` calls a function that waits for the disk: in a thread, but where there is no real disk.
    """

    def __init__(
        self,
        replication: Replication,
        commands: LeaderCommands,
        persistence: Persistence,
        observer: LoadObserver,
        clock: Clock,
        connect: Connect | None = None,
        run_blocking: RunBlocking = trio.to_thread.run_sync,
    ) -> None:
        self._run_blocking: Final = run_blocking
        self._replication: Final = replication
        self._commands: Final = commands
        self._persistence: Final = persistence
        self._observer: Final = observer
        self._clock: Final = clock
        self._connect: Final = self._connect_tcp if connect is None else connect
        self._settings: Final = replication.settings
        self._role: Final = replication.role
        self._sending: Final = trio.Lock()
        self._generation: Final = replication.role.generation

    async def run(self) -> None:
        """Until cancelled, which the supervisor does when the role changes."""
        leader = self._role.leader
        if leader is None or self._role.generation != self._generation:
            return  # the role has changed again before this task had its first turn
        while True:
            at_once = False
            try:
                await self._attempt(leader)
            except LinkLost as lost:
                if str(lost):
                    logger.warning("%s", lost)
                at_once = lost.at_once
            await self._stay_current()
            self._down()
            if at_once:
                logger.info("Reconnecting to MASTER %s:%d", leader.host, leader.port)
                # A leader that closes each link at once must not be able to make this a busy loop.
                await trio.sleep(0.01)
            else:
                await trio.sleep(_RETRY_SECONDS)
                await self._stay_current()
                logger.info("Connecting to MASTER %s:%d", leader.host, leader.port)

    async def _stay_current(self) -> None:
        """To be called after awaiting something: a link whose role is over must not touch anything any more."""
        if self._role.generation != self._generation:
            await trio.sleep_forever()

    def _down(self) -> None:
        was_up = self._role.link_up
        if was_up:
            logger.info("Connection with master lost.")
            logger.info("Caching the disconnected master state.")
            self._commands.reset()
        self._role.link_is_down(self._clock.now_ms())
        if was_up:
            self._replication.host.link_changed()

    async def _attempt(self, leader: LeaderAddress) -> None:
        self._role.link = LinkState.CONNECTING
        logger.info("MASTER <-> REPLICA sync started")
        try:
            with trio.fail_after(self._settings.repl_timeout):
                stream = await self._connect(leader.host, leader.port)
        except trio.TooSlowError:
            raise LinkLost("Timeout connecting to the MASTER...", False) from None
        except OSError as error:
            raise LinkLost(f"Error condition on socket for SYNC: {_os_reason(error)}", False) from None
        try:
            await self._stay_current()
            await self._talk(stream)
        finally:
            # Not a graceful close, which could wait for a peer that does not answer.
            await trio.aclose_forcefully(stream)

    async def _connect_tcp(self, host: str, port: int) -> trio.abc.Stream:
        source = self._settings.bind_source_addr
        return await trio.open_tcp_stream(host, port, local_address=source or None)

    # --- Sending and receiving

    async def _send(self, stream: trio.abc.Stream, data: bytes) -> None:
        if not data:
            return
        try:
            async with self._sending:
                await stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LinkLost(f"Sending command to master in replication handshake: {error}", False) from error

    async def _receive(self, stream: trio.abc.Stream, timeout_text: str, at_once: bool) -> bytes:
        """What the leader sends next; empty at its end. LinkLost after `repl-timeout` seconds of silence."""
        try:
            with trio.fail_after(self._settings.repl_timeout):
                data = bytes(await stream.receive_some(RECEIVE_BYTES))
        except trio.TooSlowError:
            raise LinkLost(timeout_text, at_once) from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            cause = error.__cause__
            logger.debug("Reading from master: %s", cause or error)
            data = b""
        await self._stay_current()
        self._replication.stats.total_net_repl_input_bytes += len(data)
        return data

    # --- Handshake

    def _handshake_settings(self) -> HandshakeSettings:
        settings = self._settings
        cached = self._role.cached
        return HandshakeSettings(
            settings.replica_announce_port or settings.port,
            settings.replica_announce_ip.encode(),
            settings.masteruser,
            settings.masterauth,
            None if cached is None else cached.request(),
        )

    async def _talk(self, stream: trio.abc.Stream) -> None:
        """A connection from its beginning to its end, which is always a LinkLost."""
        self._role.link = LinkState.HANDSHAKE
        logger.info("Non blocking connect for SYNC fired the event.")
        handshake = FollowerHandshake(self._handshake_settings())
        handshake.start()
        while True:
            await self._send(stream, handshake.take_output())
            event = handshake.next_event()
            if event is None:
                data = await self._receive(stream, "Timeout connecting to the MASTER...", True)
                try:
                    if data:
                        handshake.feed(data)
                    else:
                        handshake.end_of_input()
                except ProtocolError as error:
                    raise LinkLost(_text(error.text), False) from error
            elif isinstance(event, Note):
                logger.log(logging.WARNING if event.warning else logging.INFO, "%s", event.text)
            elif isinstance(event, TryLater):
                raise LinkLost(event.reason, False)
            elif isinstance(event, Continue):
                self._replication.partial_sync_begins(event.replid)
                logger.info("MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.")
                await self._stream(stream, handshake.take_rest(), acks=True, ack_now=False)
                return
            elif isinstance(event, FullResync | Unsupported):
                await self._send(stream, handshake.take_output())
                replid = event.replid if isinstance(event, FullResync) else None
                offset = event.offset if isinstance(event, FullResync) else 0
                rest, marked = await self._transfer(stream, handshake.take_rest(), replid, offset)
                await self._stream(stream, rest, acks=replid is not None, ack_now=marked)
                return
            else:
                assert isinstance(event, KeepAlive)

    # --- Transfer

    async def _transfer(
        self, stream: trio.abc.Stream, rest: bytes, replid: bytes | None, offset: int
    ) -> tuple[bytes, bool]:
        """Receive and load the leader's dataset. What was received behind it, and whether it ended with a mark."""
        role = self._role
        role.link = LinkState.TRANSFER
        role.transfer_total = -1
        role.transfer_read = 0
        role.transfer_last_io_ms = self._clock.now_ms()
        receiver = TransferReceiver()
        receiver.feed(rest)
        aside = self._loads_aside()
        load = FullLoad(
            self._replication,
            self._persistence,
            self._replication.keyspace,
            self._settings,
            self._observer,
            self._clock,
            aside,
        )
        try:
            if aside or self._loads_from_socket():
                same_history = replid == self._replication.identity.replid
                await self._load_from_socket(stream, receiver, load, same_history)
            else:
                await self._load_from_file(stream, receiver, load)
        except (ProtocolError, CorruptionError, FatalError, OSError) as error:
            text = _text(error.text) if isinstance(error, ProtocolError) else str(error)
            raise LinkLost(text, True) from error
        self._replication.full_sync_done(replid, offset, load.stream_dbid())
        self._replication.host.link_changed()
        logger.info("MASTER <-> REPLICA sync: Finished with success")
        load.restart_log()
        return receiver.take_rest(), receiver.marked

    def _loads_from_socket(self) -> bool:
        """repl-diskless-load on-empty-db."""
        return self._settings.repl_diskless_load == "on-empty-db" and self._replication.keyspace.key_count() == 0

    def _loads_aside(self) -> bool:
        """repl-diskless-load swapdb.

        Differs from Redis: with the cold tier on, it receives to disk as `disabled` does. The old data stays until the
        new data is here, too, but not both in memory, which is what there is too little of then.
        """
        return self._settings.repl_diskless_load == "swapdb" and not self._settings.maxrockmem

    async def _next_payload(self, stream: trio.abc.Stream, receiver: TransferReceiver, target: str) -> bytes | None:
        """The next piece of the RDB; None at its end."""
        role = self._role
        while True:
            event = receiver.next_event()
            if event is None:
                data = await self._receive(
                    stream,
                    "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' "
                    "parameter in redis.conf to a larger value.",
                    True,
                )
                if not data:
                    raise LinkLost("I/O error trying to sync with MASTER: connection lost", True)
                role.transfer_last_io_ms = self._clock.now_ms()
                receiver.feed(data)
            elif isinstance(event, TransferStart):
                role.transfer_total = event.length or 0
                if event.length is None:
                    logger.info("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF %s", target)
                else:
                    logger.info("MASTER <-> REPLICA sync: receiving %d bytes from master %s", event.length, target)
            elif isinstance(event, Payload):
                role.transfer_read += len(event.data)
                return event.data
            elif isinstance(event, TransferEnd):
                return None
            else:
                assert isinstance(event, TransferKeepAlive)

    async def _load_from_file(self, stream: trio.abc.Stream, receiver: TransferReceiver, load: FullLoad) -> None:
        disk = self._persistence.disk
        path = f"temp-{int(time.time())}.{os.getpid()}.rdb"
        try:
            file = disk.create(path)
        except OSError as error:
            text = f"Opening the temp file needed for MASTER <-> REPLICA synchronization: {reason(error)}"
            raise LinkLost(text, False) from error
        try:
            try:
                await self._receive_file(stream, receiver, file)
            finally:
                file.close()
            await self._load_file(stream, disk, path, load)
        finally:
            unlink_if_there(disk, path)

    async def _receive_file(self, stream: trio.abc.Stream, receiver: TransferReceiver, file: WriteFile) -> None:
        unsynced = 0
        while True:
            data = await self._next_payload(stream, receiver, "to disk")
            if data is None:
                break
            try:
                write_whole(file, data)
            except OSError as error:
                text = "Write error or short write writing to the DB dump file needed for MASTER <-> REPLICA"
                raise LinkLost(f"{text} synchronization: {reason(error)}", True) from error
            unsynced += len(data)
            if unsynced >= FSYNC_BYTES:
                await self._run_blocking(file.fsync)
                unsynced = 0
        await self._run_blocking(file.fsync)

    async def _load_file(self, stream: trio.abc.Stream, disk: Disk, path: str, load: FullLoad) -> None:
        dbfilename = self._settings.dbfilename
        load.begin()
        succeeded = False
        try:
            try:
                disk.rename(path, dbfilename)
                disk.fsync_directory_of(dbfilename)
                load.open_file(dbfilename)
            except OSError as error:
                text = f"Failed trying to rename the temp DB into {dbfilename} in MASTER <-> REPLICA synchronization"
                raise LinkLost(f"{text}: {reason(error)}", True) from error
            newline_at = 0.0
            while True:
                try:
                    done = load.file_step(_LOAD_SLICE_NS)
                except FatalError as error:
                    text = "Failed trying to load the MASTER synchronization DB from disk"
                    raise LinkLost(f"{text}: {error}", True) from error
                if done:
                    break
                newline_at = await self._sign_of_life(stream, newline_at)
            succeeded = True
        finally:
            load.finish(succeeded)
            if self._settings.rdb_del_sync_files and not self._settings.appendonly and not self._settings.save:
                logger.info("Removing the RDB file obtained from the master. This replica has persistence disabled")
                unlink_if_there(disk, dbfilename)

    async def _sign_of_life(self, stream: trio.abc.Stream, last: float) -> float:
        """Let others run; once a second send a newline, or the leader would think that we are dead."""
        now = trio.current_time()
        if now - last < 1:
            await trio.lowlevel.checkpoint()
        else:
            await self._send(stream, b"\n")
            last = now
        while self._observer.must_wait():  # noqa: ASYNC110 - the spiller tells nobody when it has room
            # The cold tier cannot take values as fast as they are loaded.
            await trio.sleep(_BRAKE_SECONDS)
        await self._stay_current()
        return last

    async def _load_from_socket(
        self, stream: trio.abc.Stream, receiver: TransferReceiver, load: FullLoad, same_history: bool
    ) -> None:
        data = await self._next_payload(stream, receiver, "to parser")
        load.begin()
        load.open_stream(self._role.transfer_total, same_history)
        succeeded = False
        newline_at = 0.0
        try:
            while data is not None:
                load.stream_feed(data)
                while not load.stream_step(_LOAD_SLICE_NS):
                    newline_at = await self._sign_of_life(stream, newline_at)
                newline_at = await self._sign_of_life(stream, newline_at)
                data = await self._next_payload(stream, receiver, "to parser")
            load.stream_end()
            succeeded = True
        finally:
            load.finish(succeeded)

    # --- Stream

    async def _stream(self, stream: trio.abc.Stream, rest: bytes, *, acks: bool, ack_now: bool) -> None:
        """Apply what the leader sends, until it stops. Always ends with LinkLost."""
        replication, role = self._replication, self._role
        replication.host.link_changed()
        self._commands.reset()
        self._commands.select(max(0, role.selected_dbid))
        if role.leader is not None:
            self._commands.connected(f"{role.leader.host}:{role.leader.port}".encode())
        applier = StreamApplier(role.applied_offset, self._commands, replication.feed, role, self._clock)
        values_here = _Event()
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._wait_for_cut)
                if acks:
                    nursery.start_soon(self._acknowledge, stream, ack_now)
                data = rest
                while True:
                    if data:
                        role.last_io_ms = self._clock.now_ms()
                        try:
                            applier.feed(data)
                        except ProtocolError as error:
                            # Where we are in the stream is not known any more: only a full sync helps.
                            self._desynchronized(error)
                        if applier.want_values(values_here):
                            await values_here.wait()
                            await self._stay_current()
                        while not applier.apply_slice():
                            await trio.lowlevel.checkpoint()
                            await self._stay_current()
                    data = await self._receive(stream, "MASTER timeout: no data nor PING received...", True)
                    if not data:
                        raise LinkLost("", True)
        except* LinkLost as group:
            raise _first(group) from None

    def _desynchronized(self, error: ProtocolError) -> None:
        logger.warning("Protocol error (%s) in the stream of the master", _text(error.text))
        self._role.link_up = False
        self._role.cached = None
        raise LinkLost("Discarding the master's state: the next synchronization is a full one", True)

    async def _acknowledge(self, stream: trio.abc.Stream, now: bool) -> None:
        """ACK once a second, and whenever the leader asks."""
        wanted = _Event()
        self._replication.link_waker = wanted
        if now:
            wanted.wake()
        try:
            while True:
                with trio.move_on_after(1):
                    await wanted.wait()
                await self._send(stream, ack_command(self._role.applied_offset))
        finally:
            self._replication.link_waker = None

    async def _wait_for_cut(self) -> None:
        """CLIENT KILL may name the leader."""
        cut = _Event()
        self._replication.link_cutter = cut
        try:
            await cut.wait()
            raise LinkLost("The connection to the master was closed by a command", True)
        finally:
            self._replication.link_cutter = None


def _first(group: ExceptionGroup[LinkLost]) -> LinkLost:
    """One of those that came together; any will do."""
    for error in group.exceptions:
        return error if isinstance(error, LinkLost) else _first(error)
    raise AssertionError("an exception group is never empty")


def _os_reason(error: OSError) -> str:
    """Trio wraps the errors of several addresses into one."""
    cause: BaseException | None = error
    while isinstance(cause, OSError) and not cause.errno and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")
