"""The sender: sleeps, waits for room, and lets go of a socket before it is closed."""

import socket

import pytest
import trio
import trio.testing

from redrock.clients.transport import SocketTransport
from replication.tasks.sender import Sender


@pytest.fixture
def connected():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    yield ours, theirs
    ours.close()
    theirs.close()


def test_a_snapshot_larger_than_the_socket(world, connected):
    ours, theirs = connected
    follower = world.online_follower()
    follower.client.transport = SocketTransport(ours)
    data = bytes(range(256)) * 20_000

    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Sender(world.replication, follower).run)
            await trio.testing.wait_all_tasks_blocked()
            world.replication.feed.append(data)
            world.replication.end_of_pass()
            assert follower.blocked
            received = b""
            while len(received) < len(data):
                await trio.lowlevel.wait_readable(theirs)
                received += theirs.recv(1 << 20)
            assert received == data
            await trio.testing.wait_all_tasks_blocked()
            assert not follower.blocked
            world.replication.feed.append(b"more")
            world.replication.end_of_pass()
            assert theirs.recv(100) == b"more"
            world.replication.close_follower(follower)

    trio.run(main)


@pytest.mark.parametrize("full", [True, False])
def test_a_follower_that_goes_takes_its_sender_along(world, connected, full):
    ours, _theirs = connected
    follower = world.online_follower()
    follower.client.transport = SocketTransport(ours)

    async def main():
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Sender(world.replication, follower).run)
                await trio.testing.wait_all_tasks_blocked()
                if full:
                    world.replication.feed.append(bytes(10_000_000))
                    world.replication.end_of_pass()
                await trio.testing.wait_all_tasks_blocked()
                # The host closes the descriptor at once: nobody may wait for it any more.
                world.replication.close_follower(follower)
                assert ours.fileno() == -1

    trio.run(main)


def test_a_broken_connection_ends_it(world, connected):
    ours, theirs = connected
    follower = world.online_follower()
    follower.client.transport = SocketTransport(ours)
    theirs.close()

    async def main():
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Sender(world.replication, follower).run)
                await trio.testing.wait_all_tasks_blocked()
                world.replication.feed.append(b"x")
                world.replication.end_of_pass()

    trio.run(main)
    assert follower.gone
