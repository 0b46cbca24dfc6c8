"""Loading at start: which file, other tasks running meanwhile, and the log open afterwards."""

import pytest
import trio

from persistence.loader import LoadObserver
from persistence.status import LOG_OFF, LOG_ON
from persistence.tasks.load import LoadTask
from redrock.errors import FatalError
from redrock.resp.encoder import encode_command

pytestmark = pytest.mark.trio


def loader_of(world):
    return LoadTask(world.persistence, world.keyspace, world.settings, world.clock, world.executor, LoadObserver())


@pytest.fixture
def saved(make_world, memory_disk):
    """A disk with an RDB; what is in it."""
    world = make_world(memory_disk).fill()
    assert world.persistence.save()
    return world.contents()


async def test_rdb(make_world, memory_disk, saved, caplog):
    caplog.set_level("INFO")
    world = make_world(memory_disk)
    loaded = await loader_of(world).load()
    assert world.contents() == saved
    assert (loaded.replication, loaded.functions) == (None, [])
    assert caplog.messages[-1].startswith("DB loaded from disk: 0.")
    assert not world.keyspace.loading
    assert not world.status.load.loading
    assert world.status.aof_state == LOG_OFF


async def test_nothing_there(make_world, memory_disk):
    world = make_world(memory_disk)
    await loader_of(world).load()
    assert world.contents() == {}
    assert not memory_disk.entries


async def test_a_new_log_ignores_the_rdb(make_world, memory_disk, saved):
    """As Redis 7.0: appendonly yes and no log is an empty dataset, whatever the RDB holds."""
    world = make_world(memory_disk, appendonly=True)
    await loader_of(world).load()
    assert world.contents() == {}
    assert world.status.aof_state == LOG_ON
    assert memory_disk.exists("appendonlydir/appendonly.aof.1.base.rdb")


async def test_log_written_then_loaded(make_world, memory_disk, caplog):
    caplog.set_level("INFO")
    first = make_world(memory_disk, appendonly=True)
    await loader_of(first).load()
    first.log.append(encode_command([b"SET", b"k", b"v"]))
    first.log.finish()
    again = make_world(memory_disk, appendonly=True)
    await loader_of(again).load()
    assert again.contents() == {(0, b"k"): (b"v", None)}
    assert any(message.startswith("DB loaded from append only file: 0.") for message in caplog.messages)
    assert caplog.messages[-1] == "Opening AOF incr file appendonly.aof.1.incr.aof on server start"


async def test_a_follower_keeps_expired_keys(make_world, memory_disk):
    world = make_world(memory_disk)
    world.set(b"old", b"v", expire_at_ms=world.clock.now_ms() - 1)
    assert world.persistence.save()
    leader = make_world(memory_disk)
    await loader_of(leader).load()
    assert leader.contents() == {}
    follower = make_world(memory_disk)
    follower.keyspace.follower = True
    await loader_of(follower).load()
    assert list(follower.contents()) == [(0, b"old")]


async def test_other_tasks_run_meanwhile(make_world, memory_disk, nursery):
    world = make_world(memory_disk)
    for i in range(20_000):
        world.set(b"key:%d" % i, b"v" * 50)
    assert world.persistence.save()
    again = make_world(memory_disk)
    seen = []

    async def client():
        while True:
            seen.append(again.status.load.loading)
            await trio.lowlevel.checkpoint()

    nursery.start_soon(client)
    await loader_of(again).load()
    nursery.cancel_scope.cancel()
    assert sum(seen) > 3
    assert again.keyspace.key_count() == 20_000


async def test_history_of_before_is_removed(make_world, memory_disk):
    memory_disk.make_directory("appendonlydir")
    memory_disk.put("appendonlydir/appendonly.aof.2.base.aof", encode_command([b"SET", b"k", b"v"]))
    memory_disk.put("appendonlydir/appendonly.aof.1.base.aof", b"old")
    memory_disk.put(
        "appendonlydir/appendonly.aof.manifest",
        b"file appendonly.aof.2.base.aof seq 2 type b\nfile appendonly.aof.1.base.aof seq 1 type h\n",
    )
    world = make_world(memory_disk, appendonly=True)
    await loader_of(world).load()
    world.log.remove_garbage()
    assert not memory_disk.exists("appendonlydir/appendonly.aof.1.base.aof")
    assert world.contents() == {(0, b"k"): (b"v", None)}
    assert b"type h" not in memory_disk.contents("appendonlydir/appendonly.aof.manifest")


@pytest.mark.parametrize("appendonly", [True, False])
async def test_what_cannot_be_loaded_is_fatal(make_world, memory_disk, appendonly):
    memory_disk.put("dump.rdb", b"REDIS0010 nonsense")
    memory_disk.put("appendonly.aof", b"nonsense")
    world = make_world(memory_disk, appendonly=appendonly)
    with pytest.raises(FatalError):
        await loader_of(world).load()
    assert not world.keyspace.loading


async def test_an_rdb_that_cannot_be_opened(make_world, memory_disk, saved, caplog):
    memory_disk.fail("open_read", "dump.rdb", 13)
    with pytest.raises(FatalError):
        await loader_of(make_world(memory_disk)).load()
    assert caplog.messages == ["Fatal error loading the DB: Permission denied. Exiting."]
