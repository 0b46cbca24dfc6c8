"""Readiness, by epoll and by the portable form: the same answers."""

import select
import socket
from collections.abc import Iterator

import pytest

from redrock.server.poller import BROKEN, READABLE, WRITABLE, EpollPoller, Poller, SelectorPoller, make_poller

KINDS = [SelectorPoller, *([EpollPoller] if hasattr(select, "epoll") else [])]


@pytest.fixture(params=KINDS)
def poller(request: pytest.FixtureRequest) -> Iterator[Poller]:
    made: Poller = request.param()
    yield made
    made.close()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def test_what_is_ready(poller: Poller, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    fd = ours.fileno()
    poller.register(fd, READABLE)
    seen = [poller.poll()]
    theirs.sendall(b"x")
    seen += [poller.poll(), poller.poll()]  # level-triggered: as long as it is true
    poller.modify(fd, READABLE | WRITABLE)
    seen.append(poller.poll())
    ours.recv(10)
    seen.append(poller.poll())
    poller.modify(fd, READABLE)
    seen.append(poller.poll())
    poller.unregister(fd)
    theirs.sendall(b"x")
    seen.append(poller.poll())
    assert seen == [[], [(fd, READABLE)], [(fd, READABLE)], [(fd, READABLE | WRITABLE)], [(fd, WRITABLE)], [], []]


def test_one_that_is_watched_for_nothing(poller: Poller, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    fd = ours.fileno()
    theirs.sendall(b"x")
    poller.register(fd, READABLE)
    poller.modify(fd, 0)
    poller.modify(fd, 0)
    assert poller.poll() == []
    poller.modify(fd, READABLE)
    assert poller.poll() == [(fd, READABLE)]
    poller.modify(fd, 0)
    poller.unregister(fd)
    poller.register(fd, READABLE)
    assert poller.poll() == [(fd, READABLE)]
    poller.unregister(fd)


def test_a_peer_that_has_gone_is_readable(poller: Poller, ends: tuple[socket.socket, socket.socket]) -> None:
    """Reading tells the rest."""
    ours, theirs = ends
    poller.register(ours.fileno(), READABLE)
    theirs.close()
    ((fd, mask),) = poller.poll()
    assert fd == ours.fileno()
    assert mask & (READABLE | BROKEN)
    poller.unregister(fd)


def test_a_poller_can_itself_be_waited_for(poller: Poller, ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    poller.register(ours.fileno(), READABLE)
    assert select.select([poller.fileno()], [], [], 0)[0] == []
    theirs.sendall(b"x")
    assert select.select([poller.fileno()], [], [], 10)[0] == [poller.fileno()]
    poller.unregister(ours.fileno())


def test_what_this_system_uses() -> None:
    poller = make_poller()
    assert isinstance(poller, EpollPoller) == hasattr(select, "epoll")
    poller.close()
