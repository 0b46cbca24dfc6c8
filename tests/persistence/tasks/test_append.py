"""Group commit, and the fsyncs in the background, over real threads and a disk in memory."""

import threading

import pytest
import trio

from persistence.tasks.append import AppendTask, ReplyGate
from redrock.errors import FatalError
from redrock.resp.encoder import encode_command

pytestmark = pytest.mark.trio

INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof"


class Gate(ReplyGate):
    def __init__(self):
        self.holding, self.offset, self.released = False, 0, 0
        self.health_changes = 0

    def health_changed(self):
        self.health_changes += 1

    def hold(self, on):
        self.holding = on

    def appended(self, offset):
        self.offset = offset

    def release(self, offset):
        assert offset > self.released
        self.released = offset


@pytest.fixture
def world(make_world, memory_disk):
    world = make_world(memory_disk, appendonly=True)
    world.persistence.open_log()
    world.gate = Gate()
    world.task = AppendTask(world.log, world.gate)
    return world


def write(world, number=1):
    """A pass in which a client has written."""
    world.log.append(encode_command([b"SET", b"k%d" % number, b"v"]))
    world.task.end_of_pass()
    return world.gate.offset


async def wait_until(condition):
    with trio.fail_after(10):
        while not condition():  # noqa: ASYNC110 - what is waited for knows of no event
            await trio.sleep(0.002)


async def test_always_releases_after_the_fsync(world, memory_disk, nursery):
    world.settings.appendfsync = "always"
    await nursery.start(world.task.run)
    offset = write(world)
    assert world.gate.holding
    assert world.gate.released == 0
    await wait_until(lambda: world.gate.released == offset)
    assert memory_disk.crash().contents(INCREMENT) == memory_disk.contents(INCREMENT)


async def test_one_fsync_for_all_passes_that_came_meanwhile(world, memory_disk, nursery):
    world.settings.appendfsync = "always"
    go_on = threading.Event()
    check = memory_disk.check

    def slow_check(operation, path):
        check(operation, path)
        if operation == "fsync" and path == INCREMENT:
            assert go_on.wait(10)

    memory_disk.check = slow_check
    await nursery.start(world.task.run)
    first = write(world)
    await wait_until(lambda: world.log.fsync_running)
    for number in range(20):
        last = write(world, number)
    assert world.gate.released == 0
    go_on.set()
    await wait_until(lambda: world.gate.released == last)
    fsyncs = [path for operation, path in memory_disk.operations if operation == "fsync" and path == INCREMENT]
    assert len(fsyncs) == 2
    assert first < last


async def test_everysec_holds_nothing_and_fsyncs_in_the_background(world, memory_disk, nursery):
    await nursery.start(world.task.run)
    write(world)
    assert not world.gate.holding
    await wait_until(lambda: memory_disk.crash().contents(INCREMENT) != b"")
    # Within the same second nothing more, then again, without another pass.
    write(world, 2)
    await trio.sleep(0.15)
    assert memory_disk.crash().contents(INCREMENT) != memory_disk.contents(INCREMENT)
    world.clock.advance_ms(1000)
    await wait_until(lambda: memory_disk.crash().contents(INCREMENT) == memory_disk.contents(INCREMENT))


async def test_no_fsync_under_policy_no(world, memory_disk, nursery):
    world.settings.appendfsync = "no"
    await nursery.start(world.task.run)
    write(world)
    await trio.sleep(0.25)
    assert memory_disk.contents(INCREMENT) != b""
    assert memory_disk.crash().contents(INCREMENT) == b""


async def test_leaving_always_releases_who_waits(world, memory_disk, nursery):
    world.settings.appendfsync = "always"
    offset = write(world)
    assert world.gate.holding
    world.settings.appendfsync = "everysec"
    world.task.end_of_pass()
    assert not world.gate.holding
    # What was held before is let go, too.
    assert world.gate.released == offset


async def test_switching_the_log_off_releases_who_waits(world):
    world.settings.appendfsync = "always"
    offset = write(world)
    world.log.stop()
    world.task.end_of_pass()
    assert not world.gate.holding
    assert world.gate.released == offset


async def test_a_failing_fsync_under_always_ends_the_task(world, memory_disk):
    world.settings.appendfsync = "always"
    memory_disk.fail("fsync", INCREMENT)
    write(world)
    with pytest.raises(FatalError), trio.fail_after(10):
        await world.task.run()
    assert world.gate.released == 0


async def test_a_failing_write_under_always_ends_the_pass(world, memory_disk):
    world.settings.appendfsync = "always"
    memory_disk.fail("write", INCREMENT)
    with pytest.raises(FatalError):
        write(world)


async def test_a_write_error_heals_without_another_pass(world, memory_disk, nursery):
    memory_disk.fail("write", INCREMENT)
    write(world)
    assert not world.status.aof_last_write_ok
    assert world.gate.health_changes == 1
    await nursery.start(world.task.run)
    await wait_until(lambda: world.status.aof_last_write_ok)
    await wait_until(lambda: world.gate.health_changes == 2)
    assert memory_disk.contents(INCREMENT) != b""


async def test_garbage_is_deleted(world, memory_disk, nursery):
    await nursery.start(world.task.run)
    memory_disk.put("appendonlydir/old", b"x")
    world.log.garbage.append("appendonlydir/old")
    world.task.end_of_pass()
    await wait_until(lambda: not memory_disk.exists("appendonlydir/old"))


async def test_retired_files_are_fsynced_and_closed(world, memory_disk, nursery):
    write(world)
    file = world.log.file
    assert world.log.begin_rewrite()
    world.task.end_of_pass()
    await nursery.start(world.task.run)
    await wait_until(lambda: file.closed)
    assert memory_disk.crash().contents(INCREMENT) == memory_disk.contents(INCREMENT) != b""
