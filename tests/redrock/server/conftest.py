"""A server in one process: real dispatcher, execution and serving; connections in memory, a clock that is set by hand.

What stands around (cold values, memory, disk, followers) is played by small fakes that say what they are told to.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from redrock.clients.blocking import BlockedClients
from redrock.clients.client import IS_SCRIPT, Client
from redrock.clients.registry import ClientRegistry
from redrock.clients.transaction import Transactions
from redrock.clients.transport import Transport, WouldBlock
from redrock.commands.context import Context
from redrock.commands.table import build_table
from redrock.config.settings import Settings
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import ColdMarker, Value
from redrock.interfaces import ColdLoader, ColdRows, DiskHealth, FollowerHealth, MemoryGate, StreamSink
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import Observers
from redrock.monitoring.monitor import Monitors
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.resp.encoder import encode_command
from redrock.resp.request_parser import RequestParser
from redrock.server.control import Control, KeyspaceEvents
from redrock.server.dispatcher import Dispatcher
from redrock.server.execution import Execution
from redrock.server.pause import Pause
from redrock.server.poller import READABLE, WRITABLE, Poller
from redrock.server.propagation import Propagation
from redrock.server.serving import Serving
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource


class MemoryTransport(Transport):
    """``room`` is what its kernel would still take; ``has_ended``: the peer sends no more."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.incoming: list[bytes] = []
        self.has_ended = False
        self.is_broken = False
        self.is_closed = False
        self.room = 1 << 40
        self.taken = b""
        self.sends = 0

    def fileno(self) -> int:
        return self._fd

    def recv(self, bytes_max: int) -> bytes:
        if self.is_broken:
            raise ConnectionResetError("reset by peer")
        if not self.incoming:
            if self.has_ended:
                return b""
            raise WouldBlock
        data = self.incoming.pop(0)
        if len(data) > bytes_max:
            self.incoming.insert(0, data[bytes_max:])
        return data[:bytes_max]

    def send(self, data: bytes) -> int:
        if self.is_broken:
            raise BrokenPipeError("broken pipe")
        assert not self.is_closed
        self.sends += 1
        sent = min(len(data), self.room)
        self.room -= sent
        self.taken += data[:sent]
        return sent

    def close(self) -> None:
        self.is_closed = True


class MemoryPoller(Poller):
    """Ready is what has bytes to read, or room for those that want to write."""

    def __init__(self) -> None:
        self.interests: dict[int, int] = {}
        self.transports: dict[int, MemoryTransport] = {}

    def register(self, fd: int, mask: int) -> None:
        assert fd not in self.interests
        self.interests[fd] = mask

    def modify(self, fd: int, mask: int) -> None:
        assert fd in self.interests
        self.interests[fd] = mask

    def unregister(self, fd: int) -> None:
        del self.interests[fd]

    def poll(self) -> list[tuple[int, int]]:
        ready = []
        for fd, mask in self.interests.items():
            transport = self.transports[fd]
            readable = transport.incoming or transport.has_ended or transport.is_broken
            now = (READABLE if readable and mask & READABLE else 0) | (
                WRITABLE if transport.room and mask & WRITABLE else 0
            )
            if now:
                ready.append((fd, now))
        return ready


class Rows(ColdRows):
    """The cold tier's rows, read inline only."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, bytes], Value] = {}

    def forget(self, store_id: int, type_code: int, key: bytes) -> None:
        del self.rows[store_id, key]

    def load_inline(self, store_id: int, type_code: int, key: bytes) -> Value:
        return self.rows.pop((store_id, key))


class Loader(ColdLoader):
    def __init__(self) -> None:
        self.parked: list[tuple[int, int, list[bytes]]] = []
        self.prefetched: list[tuple[int, list[bytes]]] = []
        self.forgotten: list[int] = []

    def park(self, client_id: int, dbid: int, keys: list[bytes]) -> None:
        self.parked.append((client_id, dbid, keys))

    def prefetch(self, dbid: int, keys: list[bytes]) -> None:
        self.prefetched.append((dbid, keys))

    def forget_client(self, client_id: int) -> None:
        self.forgotten.append(client_id)


class Memory(MemoryGate):
    def __init__(self) -> None:
        self.refusal: bytes | None = None
        self.asked = 0

    def make_room(self) -> bytes | None:
        self.asked += 1
        return self.refusal


class Disk(DiskHealth):
    def __init__(self) -> None:
        self.refusal: bytes | None = None

    def write_refusal(self) -> bytes | None:
        return self.refusal


class Followers(FollowerHealth):
    def __init__(self) -> None:
        self.good = 0
        self.is_up = True

    def good_replica_count(self) -> int:
        return self.good

    def link_is_up(self) -> bool:
        return self.is_up


class Stream(StreamSink):
    """What is propagated; database 0 counts as selected."""

    def __init__(self) -> None:
        super().__init__()
        self.active = True
        self.selected_dbid = 0
        self.data = b""

    def append(self, data: bytes) -> None:
        self.data += data

    def take(self) -> list[list[bytes]]:
        """The commands since the last time."""
        parser = RequestParser()
        parser.feed(self.data)
        self.data = b""
        taken = []
        while (argv := parser.next_request()) is not None:
            taken.append(argv)
        return taken


class LonelyControl(Control):
    """There is no persistence here to be told of FLUSHALL."""

    def dataset_flushed(self) -> None:
        pass


class Connection:
    """The peer's side of a connection."""

    def __init__(self, world: ServerWorld, client: Client, transport: MemoryTransport) -> None:
        self._world = world
        self.client = client
        self.transport = transport

    def send(self, *requests: bytes | list[bytes]) -> None:
        """Bytes as they are, or commands; all in one piece."""
        self.transport.incoming.append(
            b"".join([one if isinstance(one, bytes) else encode_command(one) for one in requests])
        )

    def received(self) -> bytes:
        """What has come since the last time."""
        taken = self.transport.taken
        self.transport.taken = b""
        return taken

    def ask(self, *words: bytes | str) -> bytes:
        """One command, as many passes as there is work for, and the bytes of the answer."""
        self.send([word if isinstance(word, bytes) else word.encode() for word in words])
        self._world.run()
        return self.received()


class ServerWorld:
    """See the module. `run` makes passes while there is something to do, `run_pass` makes one."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.events = KeyspaceEvents()
        self.rows = Rows()
        self.keyspace = Keyspace(4, RandomSource(1), self.events, self.rows)
        self.keyspace.now_ms = self.clock.now_ms()
        self.settings = Settings(lambda path: None)
        self.observers = Observers()
        self.clients = ClientRegistry()
        self.table = build_table()
        self.stats = Statistics()
        self.slowlog = Slowlog(128, -1)
        self.transactions = Transactions(self.keyspace, self.observers)
        self.blocked = BlockedClients()
        self.shutdowns: list[tuple[bool, bool, bool, bool]] = []
        self.control = LonelyControl(
            lambda: None, lambda save, nosave, now, force: self.shutdowns.append((save, nosave, now, force))
        )
        internal = Client(0, None, self.keyspace.databases[0], 0)
        internal.gate = IS_SCRIPT
        self.ctx = Context(
            self.keyspace,
            internal,
            self.settings,
            self.table,
            self.clients,
            self.observers,
            self.stats,
            self.slowlog,
            self.transactions,
            self.control,
        )
        self.events.attach(self.ctx)
        self.stream = Stream()
        propagation = Propagation()
        propagation.attach([self.stream])
        to_send: list[Client] = []
        self.monitors = Monitors(to_send)
        self.execution = Execution(self.ctx, propagation, self.monitors)
        self.dispatcher = Dispatcher(self.execution, self.table, self.settings, self.blocked)
        self.loader = Loader()
        self.memory = Memory()
        self.disk = Disk()
        self.followers = Followers()
        self.dispatcher.attach(self.loader, self.memory, self.disk, self.followers)
        self.poller = MemoryPoller()
        self.serving = Serving(
            self.dispatcher, self.clients, self.blocked, self.poller, self.clock, self.settings, to_send
        )
        self.serving.settings_changed()
        self.control.execution = self.execution
        self.control.serving = self.serving
        self.control.pause = Pause(self.dispatcher, self.serving, self.keyspace)

    def connect(self) -> Connection:
        client_id = self.clients.next_id()
        transport = MemoryTransport(100 + client_id)
        client = Client(client_id, transport, self.keyspace.databases[0], self.clock.now_ms())
        client.address = b"127.0.0.1:%d" % (50000 + client_id)
        self.poller.transports[transport.fileno()] = transport
        self.serving.add(client)
        return Connection(self, client, transport)

    def run_pass(self) -> None:
        self.serving.serve(self.poller.poll())

    def run(self) -> None:
        """Passes until there is nothing to do."""
        for _ in range(10_000):
            events = self.poller.poll()
            if not events and not self.serving.has_work():
                return
            self.serving.serve(events)
        raise AssertionError("the passes never end")

    def bind(self, name: bytes, handler: Callable[[Context, list[bytes]], object]) -> None:
        """Let another function stand behind a command of this world's table."""
        command = self.table.by_name(name)
        assert command is not None
        command.handler = handler  # type: ignore[assignment]

    def put(self, key: bytes, data: bytes = b"v", dbid: int = 0) -> None:
        self.keyspace.databases[dbid].put(key, StringValue(data))

    def make_cold(self, key: bytes, data: bytes = b"v", dbid: int = 0) -> None:
        """A key whose value is in the cold tier."""
        self.dispatcher.cold_tier = True
        database = self.keyspace.databases[dbid]
        self.put(key, data, dbid)
        value = database.table.get(key)
        assert isinstance(value, Value)
        self.rows.rows[database.store_id, key] = value
        database.swap_out(key, value, ColdMarker(value.type_code(), value.encoding()))

    def load(self, key: bytes, dbid: int = 0) -> None:
        """What the loader does in the end: the value is in memory again."""
        database = self.keyspace.databases[dbid]
        database.swap_in(key, self.rows.rows.pop((database.store_id, key)))


@pytest.fixture
def world() -> ServerWorld:
    return ServerWorld()


@pytest.fixture(scope="session")
def make_world() -> type[ServerWorld]:
    """For tests that need a fresh one per example."""
    return ServerWorld
