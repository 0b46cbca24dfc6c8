"""Starts the cold store as a process and speaks to it over a socket pair.

The process is started fresh, not forked, so that nothing of the server's memory is in it. It is ended by closing the
socket; a forked child of the server (for a snapshot) must therefore close its copy: `StoreProcess.close_in_child`.
"""

import contextlib
import os
import select
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import redrock
from redrock.cold import wire
from redrock.cold.link import StoreLauncher, StoreLink, StoreLost, StoreStartError

# Enough for one big batch each way; what does not fit waits in the tier's own bounded queue.
_SOCKET_BUFFER_BYTES: Final = 1 << 20
_RECEIVE_BYTES: Final = 256 * 1024
_START_SECONDS_MAX: Final = 30.0
_STOP_SECONDS_MAX: Final = 5.0


class SocketLink(StoreLink):
    """A link over a connected stream socket."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end: Final = end

    def send(self, data: bytes) -> int:
        try:
            return self._end.send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise StoreLost(f"the cold store is gone: {error}") from error

    def send_waiting(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            sent = self.send(data[position : position + _SOCKET_BUFFER_BYTES])
            position += sent
            if not sent:
                _wait(self._end, select.POLLOUT)

    def send_socket(self, data: bytes, end: socket.socket) -> None:
        while True:
            try:
                sent = socket.send_fds(self._end, [data], [end.fileno()])
            except BlockingIOError:
                _wait(self._end, select.POLLOUT)
                continue
            except OSError as error:
                raise StoreLost(f"the cold store is gone: {error}") from error
            # The descriptor goes with the first byte; the rest is ordinary.
            self.send_waiting(data[sent:])
            return

    def receive(self) -> bytes:
        try:
            data = self._end.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise StoreLost(f"the cold store is gone: {error}") from error
        if not data:
            raise StoreLost("the cold store has ended")
        return data

    def receive_waiting(self) -> bytes:
        while True:
            data = self.receive()
            if data:
                return data
            _wait(self._end, select.POLLIN)

    def fileno(self) -> int:
        return self._end.fileno()

    def close(self) -> None:
        self._end.close()


class StoreProcess(StoreLauncher):
    """The store process of one server, once it has been launched."""

    def __init__(self, path: str) -> None:
        self.path: Final = path
        self._process: subprocess.Popen[bytes] | None = None
        self._end: socket.socket | None = None

    @property
    def pid(self) -> int:
        """0 while there is none."""
        return 0 if self._process is None else self._process.pid

    def launch(self) -> StoreLink:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                end.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER_BYTES)
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "redrock.cold.store", str(theirs.fileno()), self.path],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=_environment(),
                )
            ours.settimeout(_START_SECONDS_MAX)
            _read_greeting(ours)
        except OSError as error:
            ours.close()
            self.stop()
            raise StoreStartError(f"the cold store cannot be started: {error}") from error
        except StoreStartError:
            ours.close()
            self.stop()
            raise
        self._end = ours
        return SocketLink(ours)

    def close_in_child(self) -> None:
        """In a forked child: let go of the socket, so that the store can see its server end."""
        if self._end is not None:
            self._end.close()

    def stop(self) -> None:
        """Let the store end, and wait for it; after a while, kill it."""
        if self._end is not None:
            self._end.close()
        process = self._process
        if process is None:
            return
        try:
            process.wait(_STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._process = None


def _environment() -> dict[str, str]:
    """The child finds the same redrock package; glibc gives LevelDB's threads no heaps of their own."""
    root = str(Path(redrock.__file__).resolve().parent.parent)
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(paths), MALLOC_ARENA_MAX="1")


def _read_greeting(end: socket.socket) -> None:
    reader = wire.FrameReader()
    while True:
        data = end.recv(4096)
        if not data:
            raise StoreStartError("the cold store ended while it was starting")
        for kind, _, payload in reader.feed(data):
            if kind == wire.DONE:
                return
            raise StoreStartError(payload.decode(errors="replace"))


def _wait(end: socket.socket, events: int) -> None:
    poll = select.poll()
    poll.register(end, events)
    # Interrupted by a signal: it is simply tried again.
    with contextlib.suppress(InterruptedError):
        poll.poll()
