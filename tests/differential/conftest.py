"""The oracle: a real redis-server 7.0.15, reached over raw sockets so that its bytes can be compared."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redrock.resp.encoder import encode_command
from redrock.resp.reply import Reply
from redrock.resp.reply_parser import NeedMore, ReplyParser


class Oracle:
    """A running redis-server. ``exchange`` is the quick way, over one lasting connection; others are opened by hand."""

    def __init__(self, folder: Path, *options: str) -> None:
        program = shutil.which("redis-server")
        assert program is not None, "the differential tests need redis-server 7.0.15 on PATH"
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


@pytest.fixture(scope="session")
def start_oracle() -> Iterator[Callable[..., Oracle]]:
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
def oracle(start_oracle: Callable[..., Oracle]) -> Oracle:
    """One redis-server for the whole session, with DEBUG allowed."""
    return start_oracle("--enable-debug-command", "yes")
