"""The owner of the tasks: senders for newcomers, one link per role; the old one ends before the new one starts."""

import os

import pytest
import trio
import trio.testing

from replication.tasks.supervisor import ReplicationSupervisor


class FakeLink:
    """Notes when it runs."""

    log = []

    def __init__(self, world):
        self.leader = world.replication.role.leader

    async def run(self):
        self.log.append(("start", self.leader.port))
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await trio.sleep(0.5)
            self.log.append(("end", self.leader.port))


class Pipes:
    def __init__(self):
        self.fd = -1
        self.read = 0

    def take_pipe(self):
        fd, self.fd = self.fd, -1
        return fd

    def pipe_read(self):
        self.read += 1


@pytest.fixture
def supervised(world):
    FakeLink.log = []
    pipes = Pipes()
    supervisor = ReplicationSupervisor(world.replication, pipes, lambda: FakeLink(world))

    def run(script):
        async def main():
            async with trio.open_nursery() as nursery:
                await nursery.start(supervisor.run)
                await script()
                nursery.cancel_scope.cancel()

        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))

    return run, pipes


def test_one_link_per_role(world, supervised):
    run, _ = supervised

    async def script():
        replication = world.replication
        await trio.sleep(0.1)
        assert FakeLink.log == []
        replication.follow("a", 1)
        await trio.sleep(0.1)
        replication.follow("b", 2)
        await trio.sleep(1)
        assert FakeLink.log == [("start", 1), ("end", 1), ("start", 2)]
        replication.lead()
        await trio.sleep(1)
        assert FakeLink.log[3:] == [("end", 2)]

    run(script)


def test_roles_that_change_while_the_last_link_ends(world, supervised):
    run, _ = supervised

    async def script():
        replication = world.replication
        replication.follow("a", 1)
        await trio.sleep(0.1)
        for port in (2, 3, 4):
            replication.follow("b", port)
            await trio.sleep(0.01)
        await trio.sleep(5)
        assert FakeLink.log[-1] == ("start", 4)
        starts = [port for what, port in FakeLink.log if what == "start"]
        ends = [port for what, port in FakeLink.log if what == "end"]
        assert ends == starts[:-1]

    run(script)


def test_newcomers_get_a_sender(world, supervised, transport_of):
    run, _ = supervised

    async def script():
        client = world.client()
        world.run(client, b"PSYNC", b"?", b"-1")
        follower = world.replication.followers.of_client(client)
        assert follower.waker is None
        await trio.sleep(0.01)
        assert follower.waker is not None
        assert transport_of(follower).take().startswith(b"+FULLRESYNC")

    run(script)


def test_a_pipe_gets_a_reader(world, supervised):
    run, pipes = supervised
    pipes.fd, write_fd = os.pipe()

    async def script():
        os.close(write_fd)
        world.replication.wake_supervisor()
        await trio.sleep(0.01)
        assert pipes.read == 1

    run(script)


def test_it_keeps_alive(world, supervised):
    run, _ = supervised
    ticks = []
    world.replication.tick = lambda: ticks.append(trio.current_time())

    async def script():
        await trio.sleep(3.5)

    run(script)
    assert len(ticks) == 3
