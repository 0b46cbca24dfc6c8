"""A node of the simulated cluster: a real `Server` on a network, a disk, a cold store and a clock of the simulation.

What is not the real thing: sockets (in-memory connections), the poller and the executor task (which must not look at
the machine's clock), children that save (what a real process does takes no simulated time: so the snapshot is made at
once, in this process, and handed out in pieces over simulated time), the cold store, the disk.
Left out: signals, listeners, the append-only log's thread.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable

import trio

from persistence.files import Disk, ReadFile, WriteFile
from persistence.snapshot.targets import Dataset, save_rdb_file
from redrock.cold.tier import SnapshotRefused
from redrock.config.file import ConfigReader
from redrock.config.settings import Settings
from redrock.datatypes.value import ColdMarker, Value
from redrock.keyspace.digest import KeyTriple, dataset_digest
from redrock.resp.encoder import encode_command
from redrock.resp.reply import ErrorReply, Reply
from redrock.resp.reply_parser import NeedMore, ReplyParser
from redrock.server.adapters import LoadBrake
from redrock.server.log import RedisFormatter
from redrock.server.poller import Poller
from redrock.server.server import Server
from redrock.server.tasks.executor import Executor
from redrock.util.clock import Clock
from redrock.util.random import RandomSource
from replication.leader.full_sync import Running
from replication.leader.snapshots import PersistenceSnapshots
from replication.tasks.link import Link
from replication.tasks.supervisor import ReplicationSupervisor
from tests.simulation.memory_store import MemoryStore
from tests.simulation.network import MemoryPoller, MemoryStream, MemoryTransport, Network

EPOCH_MS = 1_700_000_000_000


class TrioClock(Clock):
    """Trio's mocked time. ``offset_ms``: clocks of different machines do not agree."""

    def __init__(self, offset_ms: int) -> None:
        self._offset_ms = offset_ms

    def now_ms(self) -> int:
        return EPOCH_MS + self._offset_ms + int(trio.current_time() * 1000)

    def now_us(self) -> int:
        return self.now_ms() * 1000

    def monotonic_ns(self) -> int:
        return int(trio.current_time() * 1_000_000_000)


# --- The disk


class _WriteFile(WriteFile):
    def __init__(self, data: bytearray) -> None:
        self._data = data

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def fsync(self) -> None:
        pass

    def truncate(self, size: int) -> None:
        del self._data[size:]

    def close(self) -> None:
        pass


class _ReadFile(ReadFile):
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def read(self, count: int) -> bytes:
        piece = self._data[self._position : self._position + count]
        self._position += len(piece)
        return piece

    def size(self) -> int:
        return len(self._data)

    def close(self) -> None:
        pass


class MemoryDisk(Disk):
    """Files in memory. (What a failing disk does to files has its own tests, in tests/persistence.)"""

    def __init__(self) -> None:
        self.files: dict[str, bytearray] = {}

    def _file(self, path: str) -> bytearray:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self.files[path]

    def open_append(self, path: str) -> WriteFile:
        return _WriteFile(self.files.setdefault(path, bytearray()))

    def create(self, path: str) -> WriteFile:
        self.files[path] = bytearray()
        return _WriteFile(self.files[path])

    def open_read(self, path: str) -> ReadFile:
        return _ReadFile(bytes(self._file(path)))

    def rename(self, source: str, target: str) -> None:
        self.files[target] = self._file(source)
        del self.files[source]

    def unlink(self, path: str) -> None:
        self._file(path)
        del self.files[path]

    def truncate(self, path: str, size: int) -> None:
        del self._file(path)[size:]

    def file_size(self, path: str) -> int:
        return len(self._file(path))

    def exists(self, path: str) -> bool:
        return path in self.files

    def is_directory(self, path: str) -> bool:
        return False

    def make_directory(self, path: str) -> None:
        pass

    def fsync_directory_of(self, path: str) -> None:
        pass

    def describe_directory(self) -> str:
        return "/memory"


# --- The parts of a server that touch the machine


class SimulatedExecutor(Executor):
    """Passes as long as there is something to do, with other tasks in between; it does not look at the time."""

    def __init__(self, server: Server, poller: MemoryPoller) -> None:
        super().__init__(server.serving, poller)
        self._server = server
        self._memory_poller = poller
        self._work = trio.Event()
        poller.wake = self.wake

    def wake(self) -> None:
        self._work.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        serving = self._server.serving
        while True:
            await self._work.wait()
            self._work = trio.Event()
            while True:
                serving.serve(self._memory_poller.poll())
                if serving.passed_over:
                    await trio.sleep(0.001)
                else:
                    await trio.lowlevel.checkpoint()
                if not self._memory_poller.poll() and not serving.has_work():
                    break


class SimulatedSnapshots(PersistenceSnapshots):
    """Snapshots of an instant, made at that instant; that they are done, or have failed, is known a little later."""

    def __init__(self, server: SimulatedServer) -> None:
        super().__init__(server.persistence, server.settings)
        self._server = server
        self._running = Running.NOTHING
        self._generation = 0

    def running(self) -> Running:
        return self._running

    def take_pipe(self) -> int:
        return -1

    def _take(self) -> bytes | None:
        """The dataset as an RDB; None if that failed."""
        server = self._server
        facts = server.snapshot_facts
        try:
            cold = facts.open_cold_snapshot()
        except SnapshotRefused:
            return None  # the cold store cannot write just now
        dataset = Dataset(
            server.keyspace,
            server.settings,
            cold,
            facts.replication_info(),
            facts.used_memory(),
        )
        disk = MemoryDisk()
        try:
            ok = save_rdb_file(disk, dataset, "snapshot", None)
        finally:
            dataset.close()
        return bytes(disk.files["snapshot"]) if ok else None

    def start_to_disk(self) -> bool:
        data = self._take()
        if data is None:
            return False
        self._running = Running.RDB_TO_DISK
        self._generation += 1
        self._server.start_task(self._end_disk, data, self._generation)
        return True

    async def _end_disk(self, data: bytes, generation: int) -> None:
        await trio.sleep(self._server.source.random() * 0.5)
        if generation != self._generation:
            return  # cancelled
        self._running = Running.NOTHING
        succeeded = self._server.source.random() < 0.9
        if succeeded:
            self._server.persistence.disk.create(self._server.settings.dbfilename).write(data)
        replication = self._server.replication
        replication.host.begin_pass()
        replication.full_sync.disk_ended(succeeded)
        replication.host.end_pass()

    def start_to_followers(self, prefix: bytes, suffix: bytes) -> bool:
        data = self._take()
        if data is None:
            return False
        self._running = Running.RDB_TO_FOLLOWERS
        self._generation += 1
        self._server.start_task(self._stream, prefix + data + suffix, self._generation)
        return True

    async def _stream(self, data: bytes, generation: int) -> None:
        source = self._server.source
        replication = self._server.replication
        full_sync = replication.full_sync
        succeeded = source.random() < 0.9
        rest = data if succeeded else data[: source.randrange(len(data))]
        while rest and generation == self._generation:
            count = source.randrange(1, 8000)
            full_sync.chunk(rest[:count])
            rest = rest[count:]
            await trio.sleep(source.random() * 0.01)
            while full_sync.unsent_chunk_bytes() and generation == self._generation:  # noqa: ASYNC110
                await trio.sleep(0.002)
        if generation == self._generation:
            self._running = Running.NOTHING
            replication.host.begin_pass()
            full_sync.pipe_ended(succeeded, replication.keyspace.now_ms)
            replication.host.end_pass()

    def cancel(self) -> None:
        was, self._running = self._running, Running.NOTHING
        self._generation += 1
        if was is not Running.NOTHING:
            # As when the killed child has ended: not from within the call that wanted it.
            self._server.start_task(self._cancelled, was)

    async def _cancelled(self, was: Running) -> None:
        await trio.lowlevel.checkpoint()
        replication = self._server.replication
        replication.host.begin_pass()
        if was is Running.RDB_TO_DISK:
            replication.full_sync.disk_ended(False)
        else:
            replication.full_sync.pipe_ended(False, replication.keyspace.now_ms)
        replication.host.end_pass()


class SimulatedServer(Server):
    """``nursery`` is that of the node's life: it ends with the node."""

    def __init__(self, node: Node, settings: Settings, nursery: trio.Nursery) -> None:
        self.node = node
        self.source = node.source
        self.nursery = nursery
        self.memory_poller = MemoryPoller()
        self.store = MemoryStore(node.source, 0.004)
        random_source = RandomSource(node.source.getrandbits(32))
        super().__init__(settings, node.clock, random_source, node.disk, self.store, RedisFormatter())

    def start_task(self, function: Callable[..., object], *arguments: object) -> None:
        self.nursery.start_soon(function, *arguments)  # type: ignore[arg-type]

    def _make_poller(self) -> Poller:
        return self.memory_poller

    def _make_executor(self) -> Executor:
        return SimulatedExecutor(self, self.memory_poller)

    def _make_snapshots(self) -> PersistenceSnapshots:
        return SimulatedSnapshots(self)

    def _make_supervisor(self, snapshots: PersistenceSnapshots) -> ReplicationSupervisor:
        return ReplicationSupervisor(self.replication, snapshots, self._make_link, self.memory_poller.wait_writable)

    def _make_link(self) -> Link:
        return Link(
            self.replication,
            self.leader_client,
            self.persistence,
            LoadBrake(self.spilling),
            self.clock,
            self._connect,
            _at_once,
        )

    async def _connect(self, host: str, port: int) -> trio.abc.Stream:
        return await self.node.network.connect(self.node.name, host)

    def _welcome(self, transport: MemoryTransport, remote: bytes, local: bytes) -> None:
        self.memory_poller.know(transport)
        client = self.connections.welcome(transport, remote, local)
        if client is not None:
            client.is_local = True

    async def live(self) -> None:
        """As `Server.run`, without what touches the machine; until cancelled."""
        nursery = self.nursery
        if self.settings.maxrockmem:
            self.tier.open()
        nursery.start_soon(self.store.run)
        await nursery.start(self.executor.run)
        self.node.network.listen(self.node.name, self._welcome)
        await nursery.start(self.cron.run)
        await nursery.start(self.loader.run)
        await nursery.start(self.spiller.run)
        await self._load()
        await nursery.start(self.supervisor.run)
        self.replication.start()
        await trio.sleep_forever()


async def _at_once(function: Callable[[], None]) -> None:
    await trio.lowlevel.checkpoint()
    function()


# --- The node


class Node:
    """A name on the network, a disk and a clock that outlast the servers that run there, one after another."""

    def __init__(self, name: str, network: Network, source: random.Random, settings: dict[str, str]) -> None:
        self.name = name
        self.network = network
        self.source = source
        self.disk = MemoryDisk()
        self.clock = TrioClock(source.randrange(-2000, 2000))
        self.settings = settings
        self.replicaof = ""
        self.server: SimulatedServer | None = None
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    @property
    def running(self) -> SimulatedServer:
        assert self.server is not None, f"{self.name} is down"
        return self.server

    def _settings(self) -> Settings:
        settings = Settings(lambda path: None)
        lines = [
            "port 6379",
            'save ""',
            "protected-mode no",
            *[f"{name} {text}" for name, text in self.settings.items()],
        ]
        if self.replicaof:
            lines.append(f"replicaof {self.replicaof} 6379")
        ConfigReader(settings).load("", b"", "\n".join(lines).encode())
        return settings

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """A life: from a start to a crash."""
        self._scope = trio.CancelScope()
        self._ended = trio.Event()
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self.server = SimulatedServer(self, self._settings(), nursery)
                    task_status.started()
                    await self.server.live()
        finally:
            self.network.stop_listening(self.name)
            if self.server is not None:
                self.server.store.close()
            self.server = None
            self._ended.set()

    async def crash(self) -> None:
        """End at once. The disk stays as it is."""
        self._scope.cancel()
        await self._ended.wait()

    def save(self) -> None:
        """What an orderly shutdown writes last."""
        assert self.running.persistence.save()

    def is_loading(self) -> bool:
        return self.server is None or self.running.persistence.status.load.loading or self.running.keyspace.loading

    # --- Facts

    def offset(self) -> tuple[bytes, int]:
        """Replication id and offset: of what has been applied."""
        identity = self.running.replication.identity
        return identity.replid, identity.master_repl_offset

    def is_online_follower_of(self, leader: Node) -> bool:
        role = self.running.replication.role
        return role.is_follower and role.link_up and role.leader is not None and role.leader.host == leader.name

    def digest(self) -> bytes:
        server = self.running
        databases = [database for database in server.keyspace.databases if database.table.length()]
        return dataset_digest([(database.dbid, self._triples(database.dbid)) for database in databases])

    def _triples(self, dbid: int) -> list[KeyTriple]:
        server = self.running
        database = server.keyspace.databases[dbid]
        triples: list[KeyTriple] = []
        for index in range(database.table.bucket_count()):
            for key, item in database.table.bucket_items(index):
                if isinstance(item, ColdMarker):
                    item = server.tier.read_inline(database.store_id, item.type_code(), key)
                assert isinstance(item, Value)
                triples.append((key, item, database.expire_at(key)))
        return triples

    def expiries(self) -> list[tuple[int, bytes, int]]:
        """When each key expires: the digest only tells whether."""
        found: list[tuple[int, bytes, int]] = []
        for database in self.running.keyspace.databases:
            for index in range(database.expires.bucket_count()):
                found += [(database.dbid, key, at) for key, at in database.expires.bucket_items(index)]  # type: ignore
        return sorted(found)

    def contents(self) -> dict[tuple[int, bytes], object]:
        """For the report of a failure."""
        found: dict[tuple[int, bytes], object] = {}
        for database in self.running.keyspace.databases:
            for key, value, at in self._triples(database.dbid):
                content = dict(value.items()) if hasattr(value, "items") else value.as_bytes()  # type: ignore
                found[database.dbid, key] = (content, at)
        return found


class Session:
    """A client's connection to a node."""

    def __init__(self, stream: MemoryStream) -> None:
        self._stream = stream
        self._parser = ReplyParser()

    async def send(self, commands: list[list[bytes]]) -> None:
        await self._stream.send_all(b"".join([encode_command(argv) for argv in commands]))

    async def reply(self) -> Reply:
        """Raises trio.BrokenResourceError if the connection ends first."""
        while isinstance(reply := self._parser.next_reply(), NeedMore):
            data = await self._stream.receive_some()
            if not data:
                raise trio.BrokenResourceError
            self._parser.feed(data)
        return reply

    async def command(self, *argv: bytes) -> Reply:
        await self.send([list(argv)])
        return await self.reply()

    async def must(self, *argv: bytes) -> Reply:
        """A command that is not to be refused."""
        reply = await self.command(*argv)
        assert not isinstance(reply, ErrorReply), (argv, reply)
        return reply

    async def close(self) -> None:
        await self._stream.aclose()
