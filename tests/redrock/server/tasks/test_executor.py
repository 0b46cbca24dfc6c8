"""The executor task, on Trio with a real poller and sockets, and a Serving that only takes notes."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
import trio

from redrock.server.poller import READABLE, Poller, make_poller
from redrock.server.tasks.executor import Executor


class Passes:
    """Stands in for Serving. ``receive`` is called with each event's descriptor."""

    def __init__(self) -> None:
        self.events: list[list[tuple[int, int]]] = []
        self.work = 0
        self.passed_over = False
        self.sockets: dict[int, socket.socket] = {}

    def has_work(self) -> bool:
        return self.work > 0

    def serve(self, events: list[tuple[int, int]]) -> None:
        self.events.append(events)
        self.work = max(0, self.work - 1)
        for fd, _ in events:
            self.sockets[fd].recv(100)


class Rig:
    def __init__(self) -> None:
        self.passes: Final = Passes()
        self.poller: Final[Poller] = make_poller()
        self.ours, self.theirs = socket.socketpair()
        self.fd = self.ours.fileno()
        self.passes.sockets[self.fd] = self.ours
        self.poller.register(self.fd, READABLE)
        self.executor = Executor(self.passes, self.poller)  # type: ignore[arg-type]

    async def wait_passes(self, count: int) -> None:
        for _ in range(5000):
            if len(self.passes.events) >= count:
                return
            await trio.sleep(0.001)
        raise AssertionError("the passes do not come")

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.poller.close()


@pytest.fixture
def rig() -> Rig:
    return Rig()


def run_beside(rig: Rig, steps: Callable[[Rig], Awaitable[None]]) -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(rig.executor.run)
            await steps(rig)
            nursery.cancel_scope.cancel()

    try:
        trio.run(main)
    finally:
        rig.close()


def test_it_sleeps_until_a_socket_is_ready(rig: Rig) -> None:
    async def steps(rig: Rig) -> None:
        await trio.sleep(0.02)
        assert rig.passes.events == []
        rig.theirs.sendall(b"x")
        await rig.wait_passes(1)
        assert rig.passes.events == [[(rig.fd, READABLE)]]
        await trio.sleep(0.02)
        assert len(rig.passes.events) == 1

    run_beside(rig, steps)


def test_it_is_woken_while_asleep(rig: Rig) -> None:
    async def steps(rig: Rig) -> None:
        await trio.sleep(0.01)
        rig.executor.wake()
        rig.executor.wake()
        await rig.wait_passes(1)
        await trio.sleep(0.02)
        assert rig.passes.events == [[]]

    run_beside(rig, steps)


def test_a_wake_up_while_it_is_not_asleep_is_not_lost(rig: Rig) -> None:
    """It may be between two passes, having yielded to the task that wakes it."""
    rig.executor.wake()

    async def steps(rig: Rig) -> None:
        await rig.wait_passes(1)

    run_beside(rig, steps)


def test_work_that_is_left_over_needs_no_socket(rig: Rig) -> None:
    rig.passes.work = 3

    async def steps(rig: Rig) -> None:
        await rig.wait_passes(3)
        await trio.sleep(0.01)
        assert rig.passes.events == [[], [], []]

    run_beside(rig, steps)


def test_a_flood_starves_nobody(rig: Rig) -> None:
    """While there is always work, other tasks get their turns."""
    rig.passes.work = 1 << 40

    async def steps(rig: Rig) -> None:
        with trio.fail_after(10):
            for _ in range(20):
                await trio.lowlevel.checkpoint()
        assert len(rig.passes.events) > 20

    run_beside(rig, steps)


def test_those_that_were_passed_over_do_not_make_it_spin(rig: Rig) -> None:
    rig.passes.passed_over = True
    rig.passes.work = 1 << 40

    async def steps(rig: Rig) -> None:
        await trio.sleep(0.05)
        assert 0 < len(rig.passes.events) <= 60

    run_beside(rig, steps)
