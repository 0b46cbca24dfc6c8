"""The oracle: a real redis-server 7.0.15, reached over raw sockets so that its bytes can be compared.

Beside it, `pair`: the oracle and a server of ours, to be sent the same; and `aof_of`: how redis-server propagates.
"""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import pytest

from redrock.resp.encoder import encode_command
from redrock.resp.reply import Reply
from redrock.resp.reply_parser import NeedMore, ReplyParser
from redrock.resp.request_parser import RequestParser


class Oracle:
    """A running redis-server. ``exchange`` is the quick way, over one lasting connection; others are opened by hand."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "the differential tests need redis-server 7.0.15 on PATH"
        self.folder = folder
        self.path = str(folder / "redis.sock")
        self._process = subprocess.Popen(
            [program, "--port", "0", "--unixsocket", self.path, "--save", "", "--dir", str(folder), *options],
            stdout=subprocess.DEVNULL,
        )
        self._connection: socket.socket | None = None

    def connect(self) -> socket.socket:
        deadline = time.monotonic() + 10
        while True:
            connection = socket.socket(socket.AF_UNIX)
            connection.settimeout(10)
            try:
                connection.connect(self.path)
            except OSError:
                connection.close()
                assert time.monotonic() < deadline, "redis-server does not start"
                time.sleep(0.02)
            else:
                return connection

    def exchange(self, commands: list[list[bytes]]) -> list[Reply]:
        """Send all commands, return all their replies."""
        if self._connection is None:
            self._connection = self.connect()
        self._connection.sendall(b"".join([encode_command(argv) for argv in commands]))
        parser = ReplyParser()
        replies: list[Reply] = []
        while len(replies) < len(commands):
            reply = parser.next_reply()
            if isinstance(reply, NeedMore):
                data = self._connection.recv(1 << 16)
                assert data, "redis-server closed the connection"
                parser.feed(data)
            else:
                replies.append(reply)
        return replies

    def answer_to(self, data: bytes) -> bytes:
        """Everything that a new connection gets that sends ``data`` and then ends its side."""
        answer = b""
        with self.connect() as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It has closed already, with its reasons in what it sent before.
            try:
                while piece := connection.recv(1 << 16):
                    answer += piece
            except ConnectionResetError:
                pass  # It closed without reading all that we sent.
        return answer

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._process.terminate()
        self._process.wait(10)


class StartOracle(Protocol):
    """What the fixture of that name is."""

    def __call__(self, *options: str) -> Oracle: ...


@pytest.fixture(scope="session")
def start_oracle() -> Iterator[StartOracle]:
    """Start a redis-server with options of its own; it is stopped at the end of the session."""
    oracles: list[Oracle] = []
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:

        def start(*options: str) -> Oracle:
            own = Path(folder) / str(len(oracles))
            own.mkdir()
            oracles.append(Oracle(own, *options))
            return oracles[-1]

        yield start
        for oracle in oracles:
            oracle.close()


@pytest.fixture(scope="session")
def oracle(start_oracle: StartOracle) -> Oracle:
    """One redis-server for the whole session, with DEBUG allowed."""
    return start_oracle("--enable-debug-command", "yes")


def read_raw(file: BinaryIO) -> bytes:
    """One whole reply, byte for byte."""
    line = file.readline()
    assert line.endswith(b"\r\n"), f"the server closed the connection after {line!r}"
    kind = line[:1]
    if kind in b"+-:_#,(":
        return line
    length = int(line[1:])
    if length < 0:
        return line
    if kind in b"$=":
        return line + file.read(length + 2)
    count = length * 2 if kind == b"%" else length
    return line + b"".join([read_raw(file) for _ in range(count)])


class RawClient:
    """A connection on which a whole pipeline is sent before its replies are read, each as its bytes."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._file = connection.makefile("rb")

    def exchange(self, commands: Sequence[Sequence[bytes]]) -> list[bytes]:
        replies: list[bytes] = []
        for start in range(0, len(commands), 50):
            batch = commands[start : start + 50]
            self._connection.sendall(b"".join([encode_command(list(argv)) for argv in batch]))
            replies += [read_raw(self._file) for _ in batch]
        return replies

    def close(self) -> None:
        self._file.close()
        self._connection.close()


class Connectable(Protocol):
    """What is needed here of a server of ours (tests/conftest.py)."""

    def connect(self) -> socket.socket:
        """A new connection."""


class Pair:
    """redis-server and redrock-server, to be sent the same commands on connections of their own."""

    def __init__(self, oracle: RawClient, redrock: RawClient) -> None:
        self.oracle = oracle
        self.redrock = redrock

    def reset(self) -> None:
        """Nothing in either, RESP2, database 0; keys that expire are there until somebody meets them."""
        for client in (self.oracle, self.redrock):
            # Save points, which tests of CONFIG may have left, would reset the count of changes now and then.
            client.exchange([(b"RESET",), (b"CONFIG", b"SET", b"save", b"")])
            client.exchange([(b"FLUSHALL",), (b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")])

    def close(self) -> None:
        self.both([(b"RESET",), (b"DEBUG", b"SET-ACTIVE-EXPIRE", b"1")])
        self.oracle.close()
        self.redrock.close()

    def both(self, commands: Sequence[Sequence[bytes]]) -> list[tuple[bytes, bytes]]:
        """What redis-server and what redrock-server answers to each command."""
        return list(zip(self.oracle.exchange(commands), self.redrock.exchange(commands), strict=True))

    def differences(self, commands: Sequence[Sequence[bytes]]) -> list[str]:
        """The commands that are answered differently, with both answers."""
        return [
            f"{b' '.join(argv)[:300]!r}: redis {expected[:300]!r}, redrock {got[:300]!r}"
            for argv, (expected, got) in zip(commands, self.both(commands), strict=True)
            if expected != got
        ]


@pytest.fixture(scope="module")
def module_pair(oracle: Oracle, module_redrock: Connectable) -> Iterator[Pair]:
    pair = Pair(RawClient(oracle.connect()), RawClient(module_redrock.connect()))
    yield pair
    pair.close()


@pytest.fixture
def pair(module_pair: Pair) -> Pair:
    """Both servers, empty: `assert pair.differences(commands) == []`."""
    module_pair.reset()
    return module_pair


class Logged(Connectable, Protocol):
    """A server that writes an AOF: an Oracle, or one of ours."""

    folder: Path

    def exchange(self, commands: list[list[bytes]]) -> list[Reply]: ...


class StartRedrock(Protocol):
    """The fixture of that name in tests/conftest.py."""

    def __call__(self, *options: str) -> Logged: ...


class AofOf:
    """What a server writes to its AOF for commands on an empty dataset: `aof_of([[b"SET", b"k", b"v"]])`.

    The SELECT of database 0 in front is left out.
    """

    OPTIONS = ("--appendonly", "yes", "--appendfsync", "always")

    def __init__(self, server: Logged) -> None:
        self._server = server

    def __call__(self, commands: Sequence[Sequence[bytes]]) -> list[list[bytes]]:
        self._server.exchange([[b"RESET"], [b"FLUSHALL"]])
        (log,) = self._server.folder.glob("appendonlydir/*.incr.aof")
        start = log.stat().st_size
        self._server.exchange([list(argv) for argv in commands])
        parser = RequestParser()
        parser.feed(log.read_bytes()[start:])
        written: list[list[bytes]] = []
        while (argv := parser.next_request()) is not None:
            written.append(argv)
        return written


@pytest.fixture(scope="session")
def aof_of(start_oracle: StartOracle) -> AofOf:
    """What redis-server writes to its AOF: see AofOf."""
    server = start_oracle(*AofOf.OPTIONS, "--enable-debug-command", "yes")
    server.exchange([[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"]])
    return AofOf(server)


@pytest.fixture
def redrock_aof_of(start_redrock: StartRedrock) -> AofOf:
    """What a server of ours writes to its AOF: see AofOf."""
    server = start_redrock(*AofOf.OPTIONS)
    server.exchange([[b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0"]])
    return AofOf(server)


@pytest.fixture
def cold_pair(oracle: Oracle, start_redrock: StartRedrock) -> Iterator[Pair]:
    """As `pair`, but that ours has a cold tier, into which ROCKALL puts every value."""
    server = start_redrock("--maxrockmem", "1gb", "--rock-min-value-size", "0")
    pair = Pair(RawClient(oracle.connect()), RawClient(server.connect()))
    yield pair
    pair.close()
