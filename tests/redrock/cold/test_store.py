"""The store process with a real LevelDB: all it can be asked for, and a disk that is full."""

import os
import resource
import signal
import sys
import time

import pytest

from redrock.cold.link import StoreLost
from redrock.cold.snapshot_reader import SnapshotError, SnapshotReader
from redrock.cold.tier import CompactionListener

BIG = b"v" * 500


def fill(real, count: int) -> list[bytes]:
    keys = [b"k%05d" % i for i in range(count)]
    for key in keys:
        real.world.put(key, BIG + key)
        real.until(real.tier.can_spill)
        assert real.world.spilling.spill_key(real.world.db, key) == b"spilling"
    real.settle()
    return keys


def test_values_go_and_come_back(real_world) -> None:
    world = real_world.world
    keys = fill(real_world, 2000)
    assert world.keyspace.cold_count() == 2000
    for key in keys[::3]:
        world.load(key)
    real_world.settle()
    assert all(world.get(key) == BIG + key for key in keys[::3])
    assert world.db.lookup_read(keys[1]).as_bytes() == BIG + keys[1]


def test_renamed_and_dropped_rows(real_world) -> None:
    world = real_world.world
    keys = fill(real_world, 300)
    world.db.move(keys[0], world.keyspace.databases[1], b"new")
    world.load(b"new", dbid=1)
    world.db.clear()
    real_world.settle()
    assert world.get(b"new", dbid=1) == BIG + keys[0]
    world.spilling.spill_key(world.keyspace.databases[1], b"new")
    real_world.settle()

    def dropped() -> bool:
        real_world.tier.request_figures()
        real_world.tier.flush()
        return real_world.tier.store_dropped_rows == 299 and real_world.tier.store_drops_pending == 0

    real_world.until(dropped)
    assert world.keyspace.databases[1].lookup_read(b"new").as_bytes() == BIG + keys[0]


def test_a_snapshot_is_read_while_the_rows_change(real_world) -> None:
    world = real_world.world
    keys = fill(real_world, 1500)
    store_id = world.db.store_id
    with SnapshotReader(real_world.tier.open_snapshot()) as reader:
        for key in keys[:700]:
            world.db.remove(key)
        world.put(b"later", BIG)
        world.spilling.spill_key(world.db, b"later")
        real_world.tier.flush()
        rows = list(reader.rows(store_id))
        assert [key for _, key, _ in rows] == keys
        code = rows[0][0]
        records = reader.records(store_id, [(code, keys[3]), (code, keys[1])])
        assert [keys[3] in records[0], keys[1] in records[1]] == [True, True]
        with pytest.raises(SnapshotError, match="missing"):
            reader.records(store_id, [(code, b"later")])
        assert list(reader.rows(store_id + 1)) == []
    real_world.settle()


class _Compaction(CompactionListener):
    def __init__(self) -> None:
        self.ended: list[bytes | None] = []

    def compacted(self, failure: bytes | None) -> None:
        self.ended.append(failure)


def test_compaction_gives_disk_space_back(real_world) -> None:
    world = real_world.world
    keys = [b"k%d" % i for i in range(400)]
    for key in keys:
        world.put(key, os.urandom(60000))
        real_world.until(real_world.tier.can_spill)
        world.spilling.spill_key(world.db, key)
    real_world.settle()
    for key in keys:
        world.db.remove(key)
    listener = _Compaction()
    real_world.tier.compact(listener)
    real_world.until(lambda: bool(listener.ended))
    assert listener.ended == [None]

    def small() -> bool:
        real_world.tier.request_figures()
        # What is written and deleted within one write buffer (8 MB) may stay in one table.
        return 0 < real_world.tier.store_disk_bytes < 12_000_000

    real_world.until(small)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of another process are Linux's")
def test_a_full_disk_loses_nothing_and_ends_by_itself(real_world) -> None:
    """Files of the store must not grow over a limit for a while: to LevelDB that is a disk that is full."""
    world, tier = real_world.world, real_world.tier
    keys = fill(real_world, 200)
    pid = real_world.process.pid
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (64 * 1024, hard))
    hot = [b"h%d" % i for i in range(500)]
    for key in hot:
        world.put(key, os.urandom(1000))
        if tier.can_spill():
            world.spilling.spill_key(world.db, key)
    real_world.settle()
    assert tier.failure
    # Cold values can be read, renamed and deleted; hot ones have stayed.
    assert world.db.lookup_read(keys[0]).as_bytes() == BIG + keys[0]
    world.db.move(keys[1], world.db, b"renamed")
    world.db.remove(keys[2])
    world.load(b"renamed")
    real_world.settle()
    assert world.get(b"renamed") == BIG + keys[1]
    tier.retry()
    time.sleep(0.05)
    real_world.settle()
    assert tier.failure
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))

    def mended() -> bool:
        tier.retry()
        tier.flush()
        return not tier.failure

    real_world.until(mended)
    for key in hot:
        if not world.is_cold(key):
            world.spilling.spill_key(world.db, key)
    real_world.settle()
    assert all(world.is_cold(key) for key in hot)
    for key in keys[3:]:
        assert world.db.lookup_read(key).as_bytes() == BIG + key


def test_a_killed_store_is_the_end(real_world) -> None:
    world = real_world.world
    fill(real_world, 10)
    os.kill(real_world.process.pid, signal.SIGKILL)
    world.parking.park(1, 0, [b"k00003"])
    with pytest.raises(StoreLost):
        real_world.until(lambda: False)
    assert real_world.tier.lost
    assert world.resumer.resumed[0][1].startswith(b"ERR the cold value")
