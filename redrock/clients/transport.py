"""What the executor needs of a connection. The simulation puts in-memory pipes here; the server, sockets.

A transport never blocks: `recv` and `send` do what they can now. It knows nothing of clients, commands or tasks.
"""

import socket
from typing import Final

from mypy_extensions import mypyc_attr


class WouldBlock(Exception):
    """Nothing can be received or sent now; the poller will say when."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Transport:
    """One connection, as bytes."""

    def fileno(self) -> int:
        """The descriptor to poll; any number that is unique among open transports where there is none."""
        raise NotImplementedError

    def recv(self, bytes_max: int) -> bytes:
        """Up to ``bytes_max`` bytes; empty at the end of input. Raises WouldBlock; OSError if the connection broke."""
        raise NotImplementedError

    def send(self, data: bytes) -> int:
        """Send what fits now; how many bytes went, 0 if none. Raises OSError if the connection broke."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the connection. Twice is allowed."""
        raise NotImplementedError


class SocketTransport(Transport):
    """A connected, non-blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock: Final = sock
        self._fd: Final = sock.fileno()

    def fileno(self) -> int:
        return self._fd

    def recv(self, bytes_max: int) -> bytes:
        try:
            return self.sock.recv(bytes_max)
        except BlockingIOError:
            raise WouldBlock from None

    def send(self, data: bytes) -> int:
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def close(self) -> None:
        self.sock.close()
