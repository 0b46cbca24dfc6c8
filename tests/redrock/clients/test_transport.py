import socket

import pytest

from redrock.clients.transport import SocketTransport, WouldBlock


@pytest.fixture
def ends() -> tuple[SocketTransport, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return SocketTransport(ours), theirs


def test_what_can_be_received_now(ends: tuple[SocketTransport, socket.socket]) -> None:
    ours, theirs = ends
    with pytest.raises(WouldBlock):
        ours.recv(10)
    theirs.sendall(b"abcdef")
    assert ours.recv(4) == b"abcd"
    assert ours.recv(4) == b"ef"
    with pytest.raises(WouldBlock):
        ours.recv(4)
    theirs.close()
    assert ours.recv(4) == b""
    ours.close()


def test_what_can_be_sent_now(ends: tuple[SocketTransport, socket.socket]) -> None:
    ours, theirs = ends
    sent = 0
    while count := ours.send(b"x" * 65536):
        sent += count
    assert sent > 0
    theirs.settimeout(10)
    left = sent
    while left:
        left -= len(theirs.recv(left))
    assert ours.send(b"more") == 4
    theirs.close()
    with pytest.raises(OSError):
        ours.send(b"to nobody")
    ours.close()


def test_closing_twice_and_the_number_afterwards(ends: tuple[SocketTransport, socket.socket]) -> None:
    """The registry still asks for the number of a connection that is closed."""
    ours, theirs = ends
    number = ours.fileno()
    assert number == ours.sock.fileno()
    ours.close()
    ours.close()
    assert ours.fileno() == number
    assert theirs.recv(1) == b""
    theirs.close()
