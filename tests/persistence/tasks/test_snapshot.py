"""The task that follows the child: reports, ends, and a next child begun by whoever is told of an end."""

import os
import signal

import pytest
import trio

from persistence.service import SnapshotListener
from persistence.status import CHILD_NONE
from persistence.tasks.snapshot import SnapshotTask

pytestmark = pytest.mark.trio


@pytest.fixture
def world(make_world):
    world = make_world().fill()
    world.settings.save = ()
    world.task = SnapshotTask(world.persistence)
    return world


async def wait_until(condition):
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await trio.sleep(0.002)


async def test_bgsave(world, tmp_path, nursery):
    await nursery.start(world.task.run)
    assert world.persistence.start_bgsave()
    await wait_until(lambda: world.persistence.child is None)
    assert (tmp_path / "dump.rdb").exists()
    assert world.status.rdb_last_cow_size > 0
    assert world.status.child_kind == CHILD_NONE


async def test_a_child_begun_before_the_task(world, tmp_path, nursery):
    assert world.persistence.start_bgsave()
    await nursery.start(world.task.run)
    await wait_until(lambda: (tmp_path / "dump.rdb").exists() and world.persistence.child is None)


async def test_several_in_a_row(world, nursery):
    await nursery.start(world.task.run)
    for start in (world.persistence.start_bgsave, world.persistence.start_rewrite, world.persistence.start_bgsave):
        assert start()
        await wait_until(lambda: world.persistence.child is None)
    assert (world.status.rdb_saves, world.status.aof_rewrites, world.status.total_forks) == (2, 1, 3)


async def test_a_listener_may_begin_the_next(world, nursery):
    class Again(SnapshotListener):
        ends = 0

        def rdb_child_ended(self, ok, to_pipe):
            self.ends += 1
            if self.ends < 3:
                assert world.persistence.start_bgsave()

    listener = Again()
    world.persistence.listeners.append(listener)
    await nursery.start(world.task.run)
    assert world.persistence.start_bgsave()
    await wait_until(lambda: listener.ends == 3)
    assert world.persistence.child is None


async def test_a_killed_child_is_reaped(world, nursery):
    await nursery.start(world.task.run)
    world.settings.rdb_key_save_delay = 10_000_000
    assert world.persistence.start_bgsave()
    pid = world.persistence.child.pid
    await trio.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    await wait_until(lambda: world.persistence.child is None)
    assert not world.status.rdb_last_bgsave_ok
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # noqa: ASYNC222 - does not wait


async def test_a_child_ended_by_somebody_else(world, nursery):
    """CONFIG SET appendonly no kills the rewrite at once; the task must not stumble over it, nor over the next."""
    await nursery.start(world.task.run)
    world.settings.appendonly = True
    world.settings.rdb_key_save_delay = 10_000_000
    world.persistence.appendonly_changed()
    await trio.sleep(0.02)
    world.settings.appendonly = False
    world.persistence.appendonly_changed()
    assert world.persistence.child is None
    world.settings.rdb_key_save_delay = 0
    assert world.persistence.start_bgsave()
    await wait_until(lambda: world.persistence.child is None)
    assert world.status.rdb_last_bgsave_ok


async def test_cancelled_with_a_child(world):
    world.settings.rdb_key_save_delay = 10_000_000
    async with trio.open_nursery() as nursery:
        await nursery.start(world.task.run)
        assert world.persistence.start_bgsave()
        await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    assert world.persistence.child.wait() == -signal.SIGUSR1


async def test_progress_arrives(world, nursery):
    for i in range(3000):
        world.set(b"key:%d" % i, b"v")
    world.settings.rdb_key_save_delay = 500
    await nursery.start(world.task.run)
    assert world.persistence.start_bgsave()
    await wait_until(lambda: world.status.current_save_keys_processed >= 1024)
    assert 0 < world.status.fork_percent() < 100
    world.persistence.kill_rdb_child()
    await wait_until(lambda: world.persistence.child is None)
    assert world.status.rdb_last_bgsave_ok
