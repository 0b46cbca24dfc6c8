"""The active expire cycle: what is due goes, within its share of time, and only where this server may."""

import pytest

from redrock.datatypes.string import StringValue
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.expiry import ActiveExpiry
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.stats import Statistics
from redrock.util.random import RandomSource

NOW = 1_000_000


class Listener(KeyspaceListener):
    def __init__(self) -> None:
        self.expired: list[tuple[int, bytes]] = []

    def key_expired(self, dbid: int, key: bytes) -> None:
        self.expired.append((dbid, key))


class World:
    def __init__(self) -> None:
        self.listener = Listener()
        self.keyspace = Keyspace(4, RandomSource(1), self.listener, ColdRows())
        self.keyspace.now_ms = NOW
        self.stats = Statistics()
        self.expiry = ActiveExpiry(self.keyspace, self.stats)

    def put(self, dbid: int, key: bytes, expire_at_ms: int) -> None:
        database = self.keyspace.databases[dbid]
        database.put(key, StringValue(b"v"))
        database.set_expire(key, expire_at_ms)


@pytest.fixture
def world() -> World:
    return World()


def test_what_is_due_goes_and_nothing_else(world: World) -> None:
    for dbid in (0, 2):
        world.put(dbid, b"past", NOW - 1)
        world.put(dbid, b"now", NOW)
        world.put(dbid, b"future", NOW + 1)
        world.keyspace.databases[dbid].put(b"for ever", StringValue(b"v"))
    world.expiry.cycle(10, 1)
    assert sorted(world.listener.expired) == [(0, b"past"), (2, b"past")]
    assert world.keyspace.expired_keys == 2
    for dbid in (0, 2):
        database = world.keyspace.databases[dbid]
        assert sorted(database.table.keys()) == [b"for ever", b"future", b"now"]
        database.check_invariants()


def test_many_due_keys_go_in_one_cycle(world: World) -> None:
    """While more than a tenth of what it looks at is due, a cycle goes on."""
    for i in range(3000):
        world.put(1, b"%d" % i, NOW - 1)
    world.expiry.cycle(1, 10)  # its share is 430 ms
    assert world.keyspace.databases[1].table.length() == 0
    assert len(world.listener.expired) == 3000
    assert world.stats.expired_time_cap_reached_count == 0


def test_it_stops_when_its_time_is_over_and_goes_on_with_the_next_database(world: World) -> None:
    for dbid in (0, 1):
        for i in range(3000):
            world.put(dbid, b"%d" % i, NOW - 1)
    hz = 1_000_000_000  # no time at all
    world.expiry.cycle(hz, 1)
    assert world.stats.expired_time_cap_reached_count == 1
    first = len(world.listener.expired)
    assert 20 <= first < 100
    assert {dbid for dbid, _ in world.listener.expired} == {0}
    world.expiry.cycle(hz, 1)
    assert {dbid for dbid, _ in world.listener.expired[first:]} == {1}


def test_few_due_keys_among_many_are_left_for_later(world: World) -> None:
    for i in range(2000):
        world.put(0, b"%d" % i, NOW - 1 if i % 100 == 0 else NOW + 60_000)
    world.expiry.cycle(10, 1)
    assert len(world.listener.expired) < 20
    for _ in range(300):
        world.expiry.cycle(10, 1)
    assert len(world.listener.expired) == 20
    database = world.keyspace.databases[0]
    assert database.average_ttl_ms == pytest.approx(60_000, rel=0.05)
    assert world.stats.expire_cycle_cpu_milliseconds > 0
    assert 0 <= world.stats.expired_stale_perc < 0.1


@pytest.mark.parametrize("reason", ["follower", "loading", "expiry_paused", "disabled"])
def test_when_nothing_may_expire(world: World, reason: str) -> None:
    world.put(0, b"k", NOW - 1)
    if reason == "disabled":
        world.expiry.enabled = False
    else:
        setattr(world.keyspace, reason, True)
    world.expiry.cycle(10, 1)
    assert world.listener.expired == []
    assert world.keyspace.databases[0].table.length() == 1
