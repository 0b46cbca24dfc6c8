"""The pipe of a streamed snapshot: the slowest follower sets the pace, and without followers it is not read."""

import contextlib
import os

import pytest
import trio
import trio.testing

from replication.leader.followers import FollowerState
from replication.tasks.pipe import UNSENT_BYTES_MAX, PipeReader


class Ends:
    """Stands for PersistenceSnapshots."""

    def __init__(self):
        self.read = 0

    def pipe_read(self):
        self.read += 1


@pytest.fixture
def streaming(world):
    """Two followers that share a snapshot, and the pipe it comes out of."""
    world.settings.repl_diskless_sync_delay = 1
    followers = [world.follower(b"capa", b"eof") for _ in range(2)]
    world.tick()
    for follower in followers:
        world.replication.pump(follower)
        follower.client.transport.take()
    read_fd, write_fd = os.pipe()
    os.set_blocking(read_fd, False)
    return followers, read_fd, write_fd


def test_all_of_it_reaches_all(world, streaming, transport_of):
    followers, read_fd, write_fd = streaming
    ends = Ends()

    async def main():
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(PipeReader(world.replication, ends, read_fd).run)
                os.write(write_fd, b"part one, ")
                await trio.testing.wait_all_tasks_blocked(0.01)
                os.write(write_fd, b"part two")
                os.close(write_fd)
                await trio.testing.wait_all_tasks_blocked(0.01)
                assert ends.read == 0, "not all of it has been sent"
                for follower in followers:
                    world.replication.pump(follower)

    trio.run(main)
    assert [transport_of(follower).take() for follower in followers] == [b"part one, part two"] * 2
    assert ends.read == 1
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(read_fd)


def test_the_slowest_sets_the_pace(world, streaming, transport_of):
    followers, read_fd, write_fd = streaming
    os.set_blocking(write_fd, False)
    slow = followers[1]
    transport_of(slow).room = 0
    ends = Ends()

    async def main():
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(PipeReader(world.replication, ends, read_fd).run)
                for _ in range(100):
                    with contextlib.suppress(BlockingIOError):
                        os.write(write_fd, bytes(65536))
                    world.replication.pump(followers[0])
                    world.replication.pump(slow)
                    await trio.testing.wait_all_tasks_blocked()
                unsent = slow.chunk_bytes()
                assert UNSENT_BYTES_MAX < unsent <= UNSENT_BYTES_MAX + 256 * 1024
                transport_of(slow).room = 1 << 30
                world.replication.pump(slow)
                os.close(write_fd)
                while not ends.read:
                    await trio.testing.wait_all_tasks_blocked()
                    for follower in followers:
                        world.replication.pump(follower)

    trio.run(main)
    assert transport_of(slow).take() == transport_of(followers[0]).take()


def test_without_followers_the_child_is_left_alone(world, streaming):
    followers, read_fd, write_fd = streaming
    ends = Ends()

    async def main():
        with trio.fail_after(5):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(PipeReader(world.replication, ends, read_fd).run)
                await trio.testing.wait_all_tasks_blocked(0.01)
                for follower in followers:
                    world.replication.close_follower(follower)
                os.write(write_fd, b"nobody")

    trio.run(main)
    assert ends.read == 1
    assert world.snapshots.cancelled == 1
    with pytest.raises(BrokenPipeError):
        os.write(write_fd, b"x")
    os.close(write_fd)
    assert all(follower.state is FollowerState.WAIT_BGSAVE_END for follower in followers)
