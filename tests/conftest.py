"""What all tests share: hypothesis without deadlines, and real servers as child processes.

Servers of ours run the plain source, or what REDROCK_PYTHONPATH names (`make test` names the compiled build). Each has
a free port, a folder of its own and ends with its test, its children too; if the test fails, its log is in the report.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Protocol

import hypothesis
import pytest
import redis

from redrock.resp.encoder import encode_command
from redrock.resp.reply import Reply
from redrock.resp.reply_parser import NeedMore, ReplyParser

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS_MAX = 60

# The machine may be slow and shared: time is no part of what a property says.
# Explaining a failure means tracing every line, which on a slow machine takes longer than a test may.
PHASES = [phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain]
hypothesis.settings.register_profile("redrock", deadline=None, print_blob=True, phases=PHASES)
hypothesis.settings.load_profile("redrock")

_STARTED = pytest.StashKey[list["ServerProcess"]]()


def packages_path() -> str:
    """Where servers of ours import redrock from."""
    return str(ROOT / os.environ.get("REDROCK_PYTHONPATH", ""))


def pytest_report_header() -> str:
    import redrock.errors

    kind = "plain source" if redrock.errors.__file__.endswith(".py") else "compiled"
    return f"redrock: {kind} in the tests, servers from {os.environ.get('REDROCK_PYTHONPATH', 'the plain source')}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


class ServerProcess:
    """A server as a child process: redrock-server, or redis-server as the other side of a test.

    ``options`` are words of the command line. A port and a unix socket are added unless they are among them.
    """

    def __init__(self, kind: str, folder: Path, options: tuple[str, ...], *, wait: bool = True) -> None:
        self.kind = kind
        self.folder = folder
        self.options = list(options)
        self.log_path = folder / "log"
        self.socket_path = str(folder / "server.sock")
        if "--port" in options:
            self.port = int(options[options.index("--port") + 1])
        else:
            self.port = free_port()
            self.options += ["--port", str(self.port)]
        if "--unixsocket" in options:
            self.socket_path = options[options.index("--unixsocket") + 1]
        else:
            self.options += ["--unixsocket", self.socket_path]
        for name, value in (("--dir", str(folder)), ("--save", ""), ("--enable-debug-command", "yes")):
            if name not in options:
                self.options += [name, value]
        self._parser = ReplyParser()
        self._connection: socket.socket | None = None
        self._clients: list[redis.Redis] = []
        self.start()
        if wait:
            self.wait_ready()

    # --- Life

    def start(self) -> None:
        """Start the process; also again, after `stop` or `kill`, with the same folder and port."""
        environment = dict(os.environ)
        if self.kind == "redrock":
            environment["PYTHONPATH"] = packages_path()
            program = [sys.executable, "-P", "-m", "redrock.cli.server"]
        else:
            found = shutil.which("redis-server")
            assert found, "this test needs redis-server 7.0.15 on PATH"
            program = [found]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*program, *self.options],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def wait_ready(self) -> None:
        """Wait until it answers and has loaded its dataset."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            assert self.process.poll() is None, f"{self.kind} ended with {self.process.returncode}:\n{self.log}"
            try:
                with self.connect(5) as connection:
                    connection.sendall(b"PING\r\n")
                    answer = connection.recv(100)
                if answer and not answer.startswith(b"-LOADING"):
                    return
            except OSError:
                pass
            assert time.monotonic() < deadline, f"{self.kind} does not answer:\n{self.log}"
            time.sleep(0.03)

    def wait_ended(self, seconds: float = 20) -> int:
        """Wait until the process has ended; its exit code."""
        return self.process.wait(seconds)

    def stop(self) -> int:
        """End it by SIGTERM; the exit code."""
        self.forget_connections()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.wait_ended()

    def kill(self) -> None:
        """End it, and what it started, without notice."""
        self.forget_connections()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def forget_connections(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for client in self._clients:
            client.close()
        self._clients.clear()

    # --- Talking to it

    def connect(self, timeout: float = 20) -> socket.socket:
        """A raw connection: TCP, or the unix socket if there is no port."""
        if self.port:
            return socket.create_connection(("127.0.0.1", self.port), timeout)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            connection.connect(self.socket_path)
        except OSError:
            connection.close()
            raise
        return connection

    def exchange(self, commands: list[list[bytes]]) -> list[Reply]:
        """Send all commands over one lasting connection and return all replies, errors as values."""
        if self._connection is None:
            self._connection = self.connect()
            self._parser = ReplyParser()
        self._connection.sendall(b"".join([encode_command(argv) for argv in commands]))
        replies: list[Reply] = []
        while len(replies) < len(commands):
            reply = self._parser.next_reply()
            if isinstance(reply, NeedMore):
                data = self._connection.recv(1 << 16)
                assert data, f"{self.kind} closed the connection"
                self._parser.feed(data)
            else:
                replies.append(reply)
        return replies

    def command(self, *argv: bytes | str | int) -> Reply:
        """One command over the lasting connection."""
        words = [word if isinstance(word, bytes) else str(word).encode() for word in argv]
        return self.exchange([words])[0]

    def client(self, protocol: int = 3, **options: str | int | bool) -> redis.Redis:
        """A redis-py client, closed with the server."""
        client = redis.Redis(host="127.0.0.1", port=self.port, protocol=protocol, **options)  # type: ignore[arg-type]
        self._clients.append(client)
        return client

    def info(self, section: str = "everything") -> dict[str, str]:
        """The fields of INFO, as text."""
        answer = self.command("INFO", section)
        assert isinstance(answer, bytes), answer
        lines = [line for line in answer.decode(errors="replace").split("\r\n") if ":" in line]
        return dict(line.split(":", 1) for line in lines)

    def wait_until(self, condition: Callable[[], bool], seconds: float = 20) -> None:
        """Wait for what is to become true; fail with the log if it does not."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert self.process.poll() is None, f"{self.kind} ended with {self.process.returncode}:\n{self.log}"
            assert time.monotonic() < deadline, f"waited {seconds} s in vain for {condition}"
            time.sleep(0.02)


class StartServer(Protocol):
    """What the fixtures `start_redrock` and `start_redis` give."""

    def __call__(self, *options: str, wait: bool = True) -> ServerProcess:
        """Start one with these options; ``wait``: until it serves."""


def _starter(node: pytest.Item | pytest.Collector, folder: Path, kind: str) -> Iterator[StartServer]:
    started: list[ServerProcess] = []
    node.stash.setdefault(_STARTED, [])

    def start(*options: str, wait: bool = True) -> ServerProcess:
        own = folder / f"{kind}-{len(started)}"
        own.mkdir(parents=True)
        server = ServerProcess(kind, own, options, wait=False)
        started.append(server)
        node.stash[_STARTED].append(server)
        if wait:
            server.wait_ready()
        return server

    try:
        yield start
    finally:
        for server in started:
            server.kill()


@pytest.fixture
def start_redrock(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartServer]:
    """Start servers of ours: `start_redrock("--maxclients", "3")`; they end with the test."""
    yield from _starter(request.node, tmp_path, "redrock")


@pytest.fixture
def start_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StartServer]:
    """Start real redis-servers in the same way."""
    yield from _starter(request.node, tmp_path, "redis")


@pytest.fixture(scope="module")
def module_redrock(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server of ours, with default settings, for a whole test file."""
    for start in _starter(request.node, tmp_path_factory.mktemp("server"), "redrock"):
        yield start()


@pytest.fixture
def redrock_server(module_redrock: ServerProcess) -> ServerProcess:
    """The file's common server, empty."""
    module_redrock.command("FLUSHALL")
    return module_redrock


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the logs of the servers that a failed test used."""
    report = yield
    node: pytest.Item | pytest.Collector | None = item if report.failed else None
    while node is not None:
        for server in node.stash.get(_STARTED, []):
            title = f"log of {server.kind} {server.folder.name} (port {server.port}, pid {server.pid})"
            report.sections.append((title, server.log[-6000:]))
        node = node.parent
    return report
