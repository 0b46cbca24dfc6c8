"""maxmemory: the eight policies, time limits, what is exempt; maxpsmem."""

from __future__ import annotations

import pytest

from redrock import errors
from redrock.keyspace.eviction import EVICT_FAIL, EVICT_OK, EVICT_RUNNING, BufferMemory, Eviction, time_limit_us
from redrock.util.clock import ManualClock

SIZE = 200


def fill(world, count: int, last_use=None, expires: bool = False, dbid: int = 0) -> list[bytes]:
    database = world.keyspace.databases[dbid]
    keys = [b"k%05d" % i for i in range(count)]
    for i, key in enumerate(keys):
        value = world.put(key, b"v" * SIZE, dbid)
        if last_use is not None:
            value.last_use = last_use(i)
        if expires:
            database.set_expire(key, 1_000_000 + i)
    return keys


def make(world, policy: str, share: float = 0.5, tenacity: int = 100, samples: int = 5, clock=None) -> Eviction:
    eviction = Eviction(world.keyspace, BufferMemory(), clock or world.clock)
    world.keyspace.lfu = "lfu" in policy
    eviction.configure(int(world.keyspace.used_bytes() * share), policy.encode(), samples, tenacity)
    return eviction


def left(world, keys: list[bytes]) -> list[int]:
    return [i for i, key in enumerate(keys) if world.db.table.contains(key)]


def test_nothing_happens_without_a_limit_or_below_it(cold_world) -> None:
    fill(cold_world, 100)
    eviction = make(cold_world, "allkeys-lru", 2)
    assert eviction.perform() == EVICT_OK
    eviction.configure(0, b"allkeys-lru", 5, 10)
    assert eviction.make_room() is None
    assert not eviction.has_limit()
    assert cold_world.listener.evicted == []


def test_noeviction_refuses(cold_world) -> None:
    fill(cold_world, 100)
    eviction = make(cold_world, "noeviction")
    assert eviction.make_room() == errors.OOM
    assert cold_world.db.table.length() == 100


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru"])
def test_lru_takes_what_has_been_idle_longest(cold_world, policy: str) -> None:
    keys = fill(cold_world, 1000, lambda i: 900 if i % 2 else 100, expires=True)
    eviction = make(cold_world, policy, 0.7)
    assert eviction.perform() == EVICT_OK
    assert cold_world.keyspace.used_bytes() <= eviction.limit_bytes
    gone = set(range(1000)) - set(left(cold_world, keys))
    assert len(gone) > 200
    assert sum(i % 2 for i in gone) < len(gone) * 0.05
    assert cold_world.keyspace.evicted_keys == len(gone) == len(cold_world.listener.evicted)


@pytest.mark.parametrize("policy", ["allkeys-lfu", "volatile-lfu"])
def test_lfu_takes_what_is_used_least(cold_world, policy: str) -> None:
    clock = cold_world.keyspace.lfu_clock
    keys = fill(cold_world, 1000, lambda i: clock.of_counter(200 if i % 2 else 2), expires=True)
    eviction = make(cold_world, policy, 0.7)
    assert eviction.perform() == EVICT_OK
    gone = set(range(1000)) - set(left(cold_world, keys))
    assert sum(i % 2 for i in gone) < len(gone) * 0.05


def test_ttl_takes_what_expires_first(cold_world) -> None:
    keys = fill(cold_world, 1000, expires=True)
    eviction = make(cold_world, "volatile-ttl", 0.7)
    assert eviction.perform() == EVICT_OK
    gone = sorted(set(range(1000)) - set(left(cold_world, keys)))
    assert len(gone) > 200
    assert sum(gone) / len(gone) < 300


@pytest.mark.parametrize("policy", ["allkeys-random", "volatile-random"])
def test_random_takes_from_every_database(cold_world, policy: str) -> None:
    fill(cold_world, 300, expires=True)
    fill(cold_world, 300, expires=True, dbid=2)
    eviction = make(cold_world, policy, 0.5)
    assert eviction.perform() == EVICT_OK
    assert {dbid for dbid, _ in cold_world.listener.evicted} == {0, 2}


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"])
def test_volatile_policies_spare_keys_without_expire(cold_world, policy: str) -> None:
    fill(cold_world, 200)
    cold_world.db.set_expire(b"k00007", 1_000_000)
    eviction = make(cold_world, policy)
    assert eviction.perform() == EVICT_FAIL
    assert cold_world.listener.evicted == [(0, b"k00007")]
    assert eviction.make_room() == errors.OOM


def test_cold_keys_go_before_hot_ones(cold_world) -> None:
    world = cold_world
    keys = fill(world, 400, lambda i: 900)
    world.spill(*keys[:200])
    eviction = make(world, "allkeys-lru", 0.95)
    assert eviction.perform() == EVICT_OK
    world.settle()
    gone = set(range(400)) - set(left(world, keys))
    assert len(gone) > 20
    # Not each sample holds a cold key; nearly each does together with the pool.
    assert sum(i >= 200 for i in gone) <= len(gone) * 0.1
    world.check()


def test_a_call_stops_when_its_time_is_over_and_slices_go_on(cold_world) -> None:
    class Ticking(ManualClock):
        def monotonic_ns(self) -> int:
            self.advance_ms(1)
            return super().monotonic_ns()

    fill(cold_world, 500)
    eviction = make(cold_world, "allkeys-lru", 0.3, tenacity=10, clock=Ticking())
    assert eviction.perform() == EVICT_RUNNING
    assert len(cold_world.listener.evicted) == 16
    # Commands pass meanwhile.
    assert eviction.make_room() is None
    for _ in range(1000):
        if not eviction.run_slice():
            break
    assert cold_world.keyspace.used_bytes() <= eviction.limit_bytes
    assert not eviction.running


@pytest.mark.parametrize(
    ("tenacity", "limit_us"), [(0, 0), (1, 50), (10, 500), (11, 574), (50, 133931), (99, 126_000_000)]
)
def test_the_time_limit_of_a_tenacity(tenacity: int, limit_us: int) -> None:
    assert time_limit_us(tenacity) == pytest.approx(limit_us, rel=0.01)
    assert time_limit_us(100) > 1 << 60


@pytest.mark.parametrize("state", ["loading", "expiry_paused", "follower"])
def test_there_are_times_without_eviction(cold_world, state: str) -> None:
    fill(cold_world, 100)
    eviction = make(cold_world, "noeviction")
    setattr(cold_world.keyspace, state, True)
    assert eviction.make_room() is None
    eviction.exempt_as_follower = False
    assert (eviction.make_room() is None) == (state != "follower")


class Buffers(BufferMemory):
    def __init__(self, all_bytes: int, uncounted: int) -> None:
        self.all_bytes = all_bytes
        self.uncounted = uncounted

    def buffer_bytes(self) -> int:
        return self.all_bytes

    def uncounted_bytes(self) -> int:
        return self.uncounted


def test_buffers_count_but_not_what_eviction_makes_grow(cold_world) -> None:
    fill(cold_world, 100)
    used = cold_world.keyspace.used_bytes()
    for buffers, room in ((Buffers(5000, 0), False), (Buffers(5000, 5000), True), (Buffers(5000, 4000), False)):
        eviction = Eviction(cold_world.keyspace, buffers, cold_world.clock)
        eviction.configure(used + 100, b"noeviction", 5, 10)
        assert (eviction.make_room() is None) == room


def test_process_memory_has_its_own_limit_and_text(cold_world) -> None:
    eviction = Eviction(cold_world.keyspace, BufferMemory(), cold_world.clock)
    eviction.process_limit_bytes = 1000
    eviction.process_bytes = 1000
    assert eviction.has_limit()
    assert eviction.make_room() is None
    eviction.process_bytes = 1001
    assert eviction.make_room() == b"OOM command not allowed when process memory is more than 'maxpsmem'."


def test_another_policy_forgets_the_candidates(cold_world) -> None:
    keys = fill(cold_world, 100, expires=True)
    eviction = make(cold_world, "volatile-ttl", 0.99)
    eviction.perform()
    eviction.configure(eviction.limit_bytes // 2, b"allkeys-lru", 5, 100)
    assert eviction.perform() == EVICT_OK
    assert len(left(cold_world, keys)) < 60
