"""Which values are spilled and when: limits, choice, sweeps, throttling."""

from __future__ import annotations

import pytest

from redrock.keyspace.cold_values import LoadWaiters
from redrock.keyspace.spilling import IDLE, STORE_BUSY, Spilling, SweepListener
from redrock.util.random import RandomSource

SIZE = 1000


def fill(world, count: int, last_use=None, size: int = SIZE, dbid: int = 0) -> list[bytes]:
    keys = [b"k%05d" % i for i in range(count)]
    for i, key in enumerate(keys):
        value = world.put(key, b"v" * size, dbid)
        if last_use is not None:
            value.last_use = last_use(i)
    return keys


def run(world, slices: int = 1000) -> int:
    """Slices and answers until nothing is left to do; how many slices that took."""
    for count in range(slices):
        state = world.spilling.run_slice()
        world.settle()
        if state == IDLE:
            return count
    raise AssertionError("spilling does not come to an end")


def limit(world, share: float, min_hot: int = 0) -> int:
    """Set maxrockmem to a share of what is used now."""
    bytes_ = int(world.keyspace.used_bytes() * share)
    world.spilling.configure(bytes_, 64, min_hot)
    return bytes_


def test_nothing_happens_without_a_limit_or_below_it(cold_world) -> None:
    fill(cold_world, 100)
    assert cold_world.spilling.run_slice() == IDLE
    limit(cold_world, 2)
    assert cold_world.spilling.run_slice() == IDLE
    assert cold_world.keyspace.cold_count() == 0


def test_memory_comes_below_the_limit_and_not_much_lower(cold_world) -> None:
    fill(cold_world, 2000)
    bound = limit(cold_world, 0.5)
    run(cold_world)
    assert bound * 0.9 < cold_world.keyspace.used_bytes() <= bound
    cold_world.check()


def test_the_coldest_go_first_by_lru(cold_world) -> None:
    world = cold_world
    keys = fill(world, 2000, lambda i: 900 if i % 2 else 100)
    limit(world, 0.6)
    run(world)
    cold = [i for i, key in enumerate(keys) if world.is_cold(key)]
    recent = sum(i % 2 for i in cold)
    assert len(cold) > 500
    assert recent < len(cold) * 0.05


def test_the_least_used_go_first_by_lfu(cold_world) -> None:
    world = cold_world
    world.keyspace.lfu = True
    clock = world.keyspace.lfu_clock
    keys = fill(world, 2000, lambda i: clock.of_counter(200 if i % 2 else 3))
    limit(world, 0.6)
    run(world)
    cold = [i for i, key in enumerate(keys) if world.is_cold(key)]
    assert len(cold) > 500
    assert sum(i % 2 for i in cold) < len(cold) * 0.05


def test_databases_share_the_burden_by_their_hot_keys(cold_world) -> None:
    world = cold_world
    fill(world, 1500, dbid=0)
    fill(world, 500, dbid=2)
    limit(world, 0.5)
    run(world)
    first, third = world.keyspace.databases[0].cold_count, world.keyspace.databases[2].cold_count
    assert 0.1 < third / (first + third) < 0.4


def test_small_values_stay(cold_world) -> None:
    world = cold_world
    fill(world, 500, size=40)
    limit(world, 0.5)
    run(world)
    assert world.keyspace.cold_count() == 0
    # There is no use in trying again and again.
    world.spilling.end_of_pass()
    assert world.spilling.run_slice() == IDLE
    # But there is, with more data.
    fill(world, 1000)
    run(world)
    assert world.keyspace.cold_count() > 0


def test_the_last_hot_values_stay_unless_they_are_big(cold_world) -> None:
    world = cold_world
    fill(world, 300, size=200)
    # Less than the keys alone take: 20 values may have half of it, 400 bytes each.
    bound = limit(world, 0.15, min_hot=20)
    run(world)
    assert 300 - world.keyspace.cold_count() == 20
    for i in range(10):
        world.put(b"big%d" % i, b"v" * (bound // 2 // 20))
    run(world)
    assert all(world.is_cold(b"big%d" % i) for i in range(10))
    assert 310 - world.keyspace.cold_count() >= 10


def test_no_more_is_on_its_way_than_the_store_can_take(cold_world) -> None:
    world = cold_world
    fill(world, 300, size=60_000)
    limit(world, 0.1)
    assert world.spilling.run_slice() == STORE_BUSY
    assert world.tier.in_flight_bytes < 5 << 20
    assert world.keyspace.cold_count() == 0
    run(world)
    assert world.keyspace.cold_count() > 200


def test_a_slice_is_short(cold_world) -> None:
    """The clock moves a millisecond at each look: a slice looks only a few times."""
    world = cold_world

    class Ticking(type(world.clock)):  # type: ignore[misc]
        def monotonic_ns(self) -> int:
            self.advance_ms(1)
            return int(super().monotonic_ns())

    fill(world, 2000)
    world.spilling = Spilling(world.keyspace, world.tier, world.values, Ticking())
    limit(world, 0.1)
    world.spilling.run_slice()
    assert 0 < world.tier.spills_in_flight() < 200


def test_values_that_a_client_waited_for_are_left_alone(cold_world) -> None:
    world = cold_world

    class Awaited(LoadWaiters):
        def load_ended(self, store_id: int, key: bytes, failure: bytes | None) -> None:
            pass

        def is_awaited(self, store_id: int, key: bytes) -> bool:
            return key.endswith(b"7")

    keys = fill(world, 500)
    world.values.waiters = Awaited()
    world.spilling.start_sweep(-1, None)
    run(world)
    assert {key for key in keys if not world.is_cold(key)} == {key for key in keys if key.endswith(b"7")}
    assert world.spilling.spill_key(world.db, b"k00007") == b"in use"


def test_writers_are_throttled_only_while_the_tier_can_help(cold_world) -> None:
    world = cold_world
    fill(world, 400, size=60_000)
    limit(world, 0.3)
    assert not world.spilling.must_throttle()
    world.spilling.run_slice()
    assert world.spilling.must_throttle()
    world.store.failure = "disk full"
    world.settle()
    assert not world.spilling.must_throttle()
    world.store.failure = ""
    world.tier.retry()
    world.settle()
    run(world)
    assert not world.spilling.must_throttle()


def test_a_pass_that_grows_over_the_limit_wakes_the_spiller(cold_world) -> None:
    world = cold_world
    woken = []

    class Waker(type(world.spilling.waker)):  # type: ignore[misc]
        def wake(self) -> None:
            woken.append(True)

    world.spilling.waker = Waker()
    fill(world, 100)
    limit(world, 2)
    world.spilling.end_of_pass()
    assert not woken
    limit(world, 0.5)
    world.spilling.end_of_pass()
    assert woken


# --- Wishes


class Swept(SweepListener):
    def __init__(self) -> None:
        self.ends: list[tuple[int, int]] = []

    def swept(self, spilled: int, freed_bytes: int) -> None:
        self.ends.append((spilled, freed_bytes))


def test_a_sweep_takes_everything_that_can_be_spilled(cold_world) -> None:
    world = cold_world
    fill(world, 500)
    fill(world, 300, dbid=3)
    world.put(b"small", b"x")
    world.spill(b"k00000")
    listener = Swept()
    world.spilling.start_sweep(-1, listener)
    run(world)
    assert world.keyspace.cold_count() == 800
    assert listener.ends[0][0] == 799
    assert not world.is_cold(b"small")
    world.check()


def test_a_sweep_ends_when_its_last_row_is_written(cold_world) -> None:
    world = cold_world
    fill(world, 10)
    listener = Swept()
    world.spilling.start_sweep(-1, listener)
    while world.spilling.run_slice() != STORE_BUSY:
        pass
    assert listener.ends == []
    world.settle()
    world.spilling.run_slice()
    assert [end[0] for end in listener.ends] == [10]


def test_a_sweep_for_some_memory_takes_the_coldest_of_it(cold_world) -> None:
    world = cold_world
    keys = fill(world, 1000, lambda i: 900 if i % 2 else 100)
    listener = Swept()
    before = world.keyspace.used_bytes()
    world.spilling.start_sweep(200_000, listener)
    run(world)
    freed = before - world.keyspace.used_bytes()
    assert 200_000 <= freed < 300_000
    assert listener.ends[0][1] == freed
    assert sum(i % 2 for i, key in enumerate(keys) if world.is_cold(key)) < 20


def test_a_cancelled_sweep_stops(cold_world) -> None:
    world = cold_world
    fill(world, 1000)
    listener = Swept()
    sweep = world.spilling.start_sweep(-1, listener)
    sweep.cancelled = True
    run(world)
    assert world.keyspace.cold_count() == 0
    assert listener.ends == []


def test_a_sweep_that_cannot_write_ends(cold_world) -> None:
    world = cold_world
    fill(world, 100)
    world.store.failure = "disk full"
    listener = Swept()
    world.spilling.start_sweep(-1, listener)
    for _ in range(5):
        world.spilling.run_slice()
        world.settle()
    assert len(listener.ends) == 1
    assert world.keyspace.cold_count() == 0


@pytest.mark.parametrize(
    ("key", "fate"),
    [
        (b"missing", b"no such key"),
        (b"cold", b"cold already"),
        (b"small", b"too small"),
        (b"big", b"spilling"),
    ],
)
def test_what_is_said_of_one_key(cold_world, key: bytes, fate: bytes) -> None:
    world = cold_world
    for name in (b"cold", b"big"):
        world.put(name, b"v" * SIZE)
    world.put(b"small", b"x" * 40)
    world.spill(b"cold")
    assert world.spilling.spill_key(world.db, key) == fate


def test_growing_keyspace_stays_under_its_limit(cold_world) -> None:
    """Writes and slices in turns, with a store that answers: memory never gets far over the limit."""
    world = cold_world
    bound = 400_000
    world.spilling.configure(bound, 64, 10)
    random = RandomSource(5)
    for i in range(3000):
        world.put(b"k%d" % random.below(2000), b"v" * random.below(2000))
        if i % 20 == 0:
            world.spilling.end_of_pass()
            world.spilling.run_slice()
            world.settle()
            # Keys and slots count, and stay.
            assert world.keyspace.used_bytes() < bound + 200_000
    run(world)
    world.check()
