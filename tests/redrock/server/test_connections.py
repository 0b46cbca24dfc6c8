"""New connections, over real sockets on the loopback interface."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from redrock.clients.client import NEEDS_AUTH
from redrock.server.connections import Connections, address_text, is_loopback, set_keepalive

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld


class Line:
    """A TCP connection whose one end has just been accepted."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.theirs = socket.create_connection(listener.getsockname())
            self.ours, self.peer = listener.accept()
        self.ours.setblocking(False)
        self.theirs.settimeout(10)


@pytest.fixture
def line() -> Iterator[Line]:
    line = Line()
    yield line
    line.ours.close()
    line.theirs.close()


@pytest.fixture
def connections(world: ServerWorld) -> Connections:
    return Connections(world.ctx, world.serving)


def test_a_client_is_made(world: ServerWorld, connections: Connections, line: Line) -> None:
    world.settings.tcp_keepalive = 60
    connections.welcome_tcp(line.ours, line.peer)
    (client,) = world.clients.all()
    assert client.address == b"127.0.0.1:%d" % line.theirs.getsockname()[1]
    assert client.local_address == b"127.0.0.1:%d" % line.ours.getsockname()[1]
    assert client.is_local
    assert not client.is_unix_socket
    assert client.gate == 0
    assert client.parser.authenticated
    assert list(world.poller.interests) == [line.ours.fileno()]
    assert world.stats.total_connections_received == 1
    assert line.ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert line.ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    # It is served like any other.
    line.theirs.sendall(b"PING\r\n")
    world.serving.serve([(line.ours.fileno(), 1)])
    assert line.theirs.recv(100) == b"+PONG\r\n"


def test_with_a_password_it_has_to_authenticate(world: ServerWorld, connections: Connections, line: Line) -> None:
    world.settings.requirepass = b"secret"
    connections.welcome_tcp(line.ours, line.peer)
    (client,) = world.clients.all()
    assert client.has(NEEDS_AUTH)
    assert not client.parser.authenticated


def test_too_many_clients(world: ServerWorld, connections: Connections, line: Line) -> None:
    world.settings.maxclients = 1
    world.connect()
    connections.welcome_tcp(line.ours, line.peer)
    assert line.theirs.recv(100) == b"-ERR max number of clients reached\r\n"
    assert line.theirs.recv(100) == b""
    assert world.clients.count() == 1
    assert world.stats.rejected_connections == 1


def test_a_peer_that_is_gone_already(world: ServerWorld, connections: Connections, line: Line) -> None:
    """Reset before it was welcomed: it has no address any more."""
    line.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line.theirs.close()
    connections.welcome_tcp(line.ours, line.peer)
    for client in world.clients.all():
        world.serving.serve([(client.transport.fileno() if client.transport else -1, 1)])
    assert world.clients.count() == 0


class Foreign(socket.socket):
    """Seems to be connected to another machine."""

    def getpeername(self) -> tuple[str, int]:
        return "192.0.2.7", 4242


@pytest.mark.parametrize(
    ("protected_mode", "password", "served"),
    [(True, b"", False), (True, b"secret", True), (False, b"", True)],
)
def test_protected_mode(
    world: ServerWorld, connections: Connections, line: Line, protected_mode: bool, password: bytes, served: bool
) -> None:
    world.settings.protected_mode = protected_mode
    world.settings.requirepass = password
    foreign = Foreign(fileno=line.ours.detach())
    foreign.setblocking(False)
    connections.welcome_tcp(foreign, line.peer)
    (client,) = world.clients.all()
    assert client.address == b"192.0.2.7:4242"
    assert not client.is_local
    world.serving.serve([])
    assert world.clients.count() == served
    if not served:
        answer = b""
        while data := line.theirs.recv(4096):
            answer += data
        assert answer.startswith(b"-DENIED Redis is running in protected mode because")
        assert answer.endswith(b"start accepting connections from the outside.\r\n")
    world.serving.close(client)
    world.serving.serve([])


def test_unix_clients(world: ServerWorld, connections: Connections) -> None:
    world.settings.unixsocket = "redis.sock"
    world.settings.protected_mode = True
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    connections.welcome_unix(ours, "")
    (client,) = world.clients.all()
    assert client.is_unix_socket
    assert client.is_local
    assert client.address == b"redis.sock:0"
    theirs.close()
    ours.close()


@pytest.mark.parametrize(
    ("address", "text", "loopback"),
    [
        (("127.0.0.1", 6379), b"127.0.0.1:6379", True),
        (("127.9.9.9", 1), b"127.9.9.9:1", True),
        (("::1", 6379, 0, 0), b"[::1]:6379", True),
        (("192.0.2.1", 6379), b"192.0.2.1:6379", False),
        (("fe80::1", 6379, 0, 2), b"[fe80::1]:6379", False),
    ],
)
def test_addresses(address: tuple[str, int], text: bytes, loopback: bool) -> None:
    assert address_text(address) == text
    assert is_loopback(text) == loopback


def test_keepalive(line: Line) -> None:
    set_keepalive(line.ours, 90)
    assert line.ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if hasattr(socket, "TCP_KEEPIDLE"):
        assert line.ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 90
        assert line.ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 30
        assert line.ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3
