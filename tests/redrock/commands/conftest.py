"""A live redis-server to ask, a way to read raw replies, and a `runner` of commands without a server around them."""

import io
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from redrock.clients.client import Client
from redrock.clients.registry import ClientRegistry
from redrock.clients.transaction import Transactions
from redrock.commands.context import Context
from redrock.commands.table import build_table
from redrock.config.settings import Settings
from redrock.datatypes.string import RawString
from redrock.datatypes.value import ColdMarker, Value
from redrock.interfaces import NOTIFY_GENERIC, NOTIFY_KEY_MISS, NOTIFY_KEYEVENT, NOTIFY_NEW, ColdRows, StreamSink
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import EventPublisher, Observers
from redrock.monitoring.monitor import Monitors
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.resp.encoder import encode_command
from redrock.resp.reply import ErrorReply, Reply
from redrock.resp.request_parser import RequestParser
from redrock.server.control import Control, KeyspaceEvents
from redrock.server.execution import Execution
from redrock.server.propagation import Propagation
from redrock.util.random import RandomSource

# A reply with its type byte, so that a set is not taken for an array: (b"*", [...]), (b"$", b"..."), (b":", 1), ...
TypedReply = tuple[bytes, object]


class RawConnection:
    """Replies as they are on the wire, only split into their parts."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(10)
        self._socket.connect(path)
        self._file = self._socket.makefile("rb")

    def ask(self, *argv: bytes) -> TypedReply:
        self.send(*argv)
        return self.receive()

    def send(self, *argv: bytes) -> None:
        self._socket.sendall(encode_command(list(argv)))

    def receive(self) -> TypedReply:
        return read_reply(self._file)

    def close(self) -> None:
        self._file.close()
        self._socket.close()


def read_reply(file: BinaryIO) -> TypedReply:
    line = file.readline()
    assert line.endswith(b"\r\n"), line
    kind, rest = line[:1], line[1:-2]
    if kind in b"+-_#,(":
        return kind, rest
    if kind == b":":
        return kind, int(rest)
    length = int(rest)
    if length < 0:
        return kind, None
    if kind in b"$=":
        return kind, file.read(length + 2)[:-2]
    count = length * 2 if kind == b"%" else length
    return kind, [read_reply(file) for _ in range(count)]


def is_listening(path: Path) -> bool:
    """The socket is there for a moment before anybody listens on it."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The unix socket of a redis-server 7.0.15 that this session shares."""
    folder = tmp_path_factory.mktemp("redis")
    path = folder / "socket"
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 10
        while not is_listening(path) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield str(path)
    finally:
        server.terminate()
        server.wait()


@pytest.fixture
def redis_resp2(redis_socket: str) -> Iterator[RawConnection]:
    connection = RawConnection(redis_socket)
    yield connection
    connection.close()


@pytest.fixture
def redis_resp3(redis_socket: str) -> Iterator[RawConnection]:
    connection = RawConnection(redis_socket)
    connection.ask(b"HELLO", b"3")
    yield connection
    connection.close()


@pytest.fixture
def typed_reply() -> Callable[[bytes], TypedReply]:
    """Reads one whole reply from bytes, and nothing may follow it."""

    def read(data: bytes) -> TypedReply:
        file = io.BytesIO(data)
        reply = read_reply(file)
        assert file.read() == b""
        return reply

    return read


class Stream(StreamSink):
    """Keeps what is propagated; database 0 counts as selected, so that there is no SELECT for it."""

    def __init__(self) -> None:
        super().__init__()
        self.active = True
        self.selected_dbid = 0
        self.data = b""

    def append(self, data: bytes) -> None:
        self.data += data


class Events(EventPublisher):
    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes]] = []

    def publish_event(self, channel: bytes, message: bytes) -> None:
        self.seen.append((channel.removeprefix(b"__keyevent@"), message))


class ColdStore(ColdRows):
    """The rows that the cold tier would have."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, bytes], Value] = {}
        self.loads = 0

    def forget(self, store_id: int, type_code: int, key: bytes) -> None:
        del self.rows[store_id, key]

    def move_row(self, type_code: int, from_store: int, from_key: bytes, to_store: int, to_key: bytes) -> None:
        self.rows[to_store, to_key] = self.rows.pop((from_store, from_key))

    def drop_store(self, store_id: int) -> None:
        self.rows = {name: value for name, value in self.rows.items() if name[0] != store_id}

    def load_inline(self, store_id: int, type_code: int, key: bytes) -> Value:
        self.loads += 1
        return self.rows.pop((store_id, key))


class FlushCounter(Control):
    """There is no persistence here to be told of FLUSHALL."""

    def __init__(self, on_settings_changed: Callable[[], None]) -> None:
        super().__init__(on_settings_changed, lambda save, nosave, now, force: None)
        self.flushes = 0

    def dataset_flushed(self) -> None:
        self.flushes += 1


class CommandRunner:
    """Commands with all that surrounds them but a server: replies, the dataset, what is propagated, events.

    Time stands still at `now_ms` until somebody sets it. `check` looks at the accounting of every database.
    """

    def __init__(self) -> None:
        self._events = KeyspaceEvents()
        self.cold = ColdStore()
        self.keyspace = Keyspace(16, RandomSource(1), self._events, self.cold)
        self.keyspace.new_events = True
        self.now_ms = 1_700_000_000_000
        self.settings = Settings(lambda path: None)
        self.observers = Observers()
        self.publisher = Events()
        self.observers.set_publisher(self.publisher)
        self.observers.set_event_classes(NOTIFY_KEYEVENT | (NOTIFY_NEW * 2 - NOTIFY_GENERIC) & ~NOTIFY_KEY_MISS)
        self.clients = ClientRegistry()
        self.client = self.new_client()
        self.control = FlushCounter(self._settings_changed)
        self.ctx = Context(
            self.keyspace,
            self.client,
            self.settings,
            build_table(),
            self.clients,
            self.observers,
            Statistics(),
            Slowlog(128, -1),
            Transactions(self.keyspace, self.observers),
            self.control,
        )
        self._events.attach(self.ctx)
        self._sink = Stream()
        propagation = Propagation()
        propagation.attach([self._sink])
        self.execution = Execution(self.ctx, propagation, Monitors([]))
        self.control.execution = self.execution

    @property
    def now_ms(self) -> int:
        return self.keyspace.now_ms

    @now_ms.setter
    def now_ms(self, now_ms: int) -> None:
        self.keyspace.now_ms = now_ms
        self.keyspace.lru_clock = now_ms // 1000 & 0xFFFFFF
        self.keyspace.lfu_clock.tick(now_ms)

    @property
    def db(self) -> Database:
        """Of the client."""
        return self.client.database

    def new_client(self) -> Client:
        client = Client(self.clients.next_id(), None, self.keyspace.databases[0], self.now_ms)
        self.clients.add(client)
        return client

    def _settings_changed(self) -> None:
        self._events.lazy_expire = self.settings.lazyfree_lazy_expire

    def run(self, *argv: bytes | str | int, client: Client | None = None) -> Reply:
        """The reply; an error comes back as its text."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in argv]
        command = self.ctx.table.find(words)
        assert command is not None, words
        assert command.accepts(len(words)), words
        reply = self.execution.call(client or self.client, command, words)
        self.check()
        return reply.text if isinstance(reply, ErrorReply) else reply

    def propagated(self) -> list[list[bytes]]:
        """What followers and the AOF have been told since the last time."""
        parser = RequestParser()
        parser.feed(self._sink.data)
        self._sink.data = b""
        told: list[list[bytes]] = []
        while (argv := parser.next_request()) is not None:
            told.append(argv)
        return told

    def events(self) -> list[tuple[bytes, bytes]]:
        """Keyspace events since the last time: ``(b"0__:set", b"key")``."""
        seen = self.publisher.seen
        self.publisher.seen = []
        return seen

    def make_cold(self, key: bytes, database: Database | None = None) -> None:
        """Put the value of the key into the cold tier."""
        database = database or self.db
        value = database.table.get(key)
        assert isinstance(value, Value)
        self.cold.rows[database.store_id, key] = value
        database.swap_out(key, value, ColdMarker(value.type_code(), value.encoding()))

    def check(self) -> None:
        assert not self.keyspace.written
        for database in self.keyspace.databases:
            total = 0
            cold = 0
            for key, value in database.table.items():
                assert isinstance(value, Value)
                total += (33 + len(key) + 15) & ~15
                if isinstance(value, ColdMarker):
                    cold += 1
                    assert (database.store_id, key) in self.cold.rows
                else:
                    # A string changed in place takes another form when it is read: accounted with its next change.
                    assert value.accounted == value.memory_bytes() or isinstance(value, RawString)
                    total += value.accounted
            for key in database.expires.keys():  # noqa: SIM118
                assert database.table.contains(key)
                total += 32
            assert database.data_bytes == total
            assert database.cold_count == cold


@pytest.fixture
def runner() -> CommandRunner:
    """Runs commands on a keyspace of their own: `runner.run("SET", "k", "v")`."""
    return CommandRunner()
