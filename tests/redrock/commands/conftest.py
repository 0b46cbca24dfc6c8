"""A live redis-server to ask how it would answer, and a way to read raw replies of both protocol versions."""

import io
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from redrock.resp.encoder import encode_command

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
        self._socket.sendall(encode_command(list(argv)))
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
        while not Path(path).exists() and time.monotonic() < deadline:
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
