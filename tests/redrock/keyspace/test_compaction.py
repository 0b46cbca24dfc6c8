"""Memory compaction: the dataset is what it was, keys stay shared, and it begins and ends by itself.

How much memory it gives back depends on Python's allocator and on all else in the process: that is measured by
`make bench`, not here.
"""

from __future__ import annotations

import pytest

from redrock.datatypes.hash import HashValue
from redrock.datatypes.value import ColdMarker
from redrock.keyspace import compaction
from redrock.keyspace.compaction import MemoryCompaction
from redrock.keyspace.last_use import in_transit


def fill(world, count: int) -> dict[bytes, bytes]:
    data = {}
    for i in range(count):
        key = b"key:%d" % i
        data[key] = b"%d" % i + b"v" * (i % 300)
        world.put(key, data[key])
        if i % 3 == 0:
            world.db.set_expire(key, 10**12 + i)
    return data


def run(memory: MemoryCompaction, slices: int = 200_000) -> None:
    for _ in range(slices):
        if not memory.run_slice():
            return
    raise AssertionError("it does not come to an end")


def check(world, data: dict[bytes, bytes]) -> None:
    assert {key: value.as_bytes() for key, value in world.db.table.items()} == data
    world.db.table.check_invariants()
    world.db.expires.check_invariants()
    assert world.db.data_bytes == sum(
        [compaction_key_bytes(key) + value.accounted for key, value in world.db.table.items()]
    ) + 32 * len(world.db.expires)


def compaction_key_bytes(key: bytes) -> int:
    from redrock.keyspace.database import key_bytes

    return key_bytes(key)


@pytest.mark.skipif(compaction.anonymous_bytes() == 0, reason="the system does not tell resident memory")
def test_everything_stays_what_it_was(cold_world) -> None:
    world = cold_world
    data = fill(world, 2000)
    expires = dict(world.db.expires.items())
    memory = MemoryCompaction(world.keyspace, world.tier, world.clock)
    memory.start()
    assert memory.is_running()
    run(memory)
    assert not memory.is_running()
    check(world, data)
    assert dict(world.db.expires.items()) == expires


@pytest.mark.skipif(compaction.anonymous_bytes() == 0, reason="the system does not tell resident memory")
def test_keys_are_new_objects_and_both_tables_share_them(cold_world) -> None:
    world = cold_world
    fill(world, 500)
    before = [(id(key), key) for key in world.db.table.keys()]  # noqa: SIM118
    kept = [key for _, key in before]
    memory = MemoryCompaction(world.keyspace, world.tier, world.clock)
    memory.start()
    run(memory)
    now = {key: id(key) for key in world.db.table.keys()}  # noqa: SIM118
    assert all(now[key] != old for old, key in before)
    assert all(now[key] == id(key) for key in world.db.expires.keys())  # noqa: SIM118
    assert len(kept) == 500


@pytest.mark.skipif(compaction.anonymous_bytes() == 0, reason="the system does not tell resident memory")
def test_commands_between_slices_lose_nothing(cold_world) -> None:
    world = cold_world
    world.clock.advance_ms(1)
    data = fill(world, 1500)
    memory = MemoryCompaction(world.keyspace, world.tier, world.clock)
    memory.start()
    steps = 0
    while memory.is_running():
        # One step at a time instead of a slice: the clock stands still, so a slice would do it all.
        for name in ("_fill_pools", "_fill_holes", "_move", "_release"):
            states = {"_fill_pools": 1, "_fill_holes": 2, "_move": 3, "_release": 4}
            if memory._state == states[name]:
                getattr(memory, name)()
                break
        steps += 1
        if steps % 7 == 0:
            key = b"key:%d" % (steps % 2000)
            if steps % 2:
                world.put(key, b"changed")
                data[key] = b"changed"
            else:
                world.db.remove(key)
                data.pop(key, None)
    check(world, data)


@pytest.mark.skipif(compaction.anonymous_bytes() == 0, reason="the system does not tell resident memory")
def test_values_of_every_kind(cold_world) -> None:
    world = cold_world
    world.put(b"cold", b"v" * 200)
    world.spill(b"cold")
    leaving = world.put(b"leaving", b"v" * 100)
    leaving.last_use = in_transit(leaving.last_use)
    big = world.put(b"big", b"v" * 5000)
    world.db.put(b"hash", HashValue.from_flat([b"f", b"v", b"g", b"w"], 128, 64))
    small = world.put(b"small", b"12")
    small.last_use = 7
    memory = MemoryCompaction(world.keyspace, world.tier, world.clock)
    memory.start()
    run(memory)
    table = world.db.table
    assert isinstance(table.get(b"cold"), ColdMarker)
    assert table.get(b"leaving") is leaving
    assert table.get(b"big") is big
    assert table.get(b"hash").get(b"g") == b"w"
    moved = table.get(b"small")
    assert moved is not small
    assert (moved.as_bytes(), moved.last_use, moved.encoding()) == (b"12", 7, b"int")
    assert small.accounted == -1


def test_it_begins_when_memory_has_shrunk_and_is_at_rest(cold_world) -> None:
    world = cold_world
    memory = MemoryCompaction(world.keyspace, world.tier, world.clock)
    keys = [b"k%d" % i for i in range(compaction._KEYS_MIN)]
    for key in keys:
        world.put(key, b"")
    for key in keys[:60]:
        world.put(key, b"v" * (4 << 20))
    memory.run_slice()
    for key in keys[:60]:
        world.db.remove(key)
        world.put(key, b"")
    memory.run_slice()
    assert memory.begun == 0
    world.clock.advance_ms(200)
    memory.run_slice()
    assert memory.begun == 0
    world.clock.advance_ms(200)
    memory.run_slice()
    assert memory.begun == 1
    world.clock.advance_ms(1000)
    memory.run_slice()
    assert memory.begun == 1
