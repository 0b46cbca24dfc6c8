import time

import pytest

from redrock.util.clock import ManualClock, SystemClock


def test_system_clock_tells_unix_time_in_its_units() -> None:
    clock = SystemClock()
    before = time.time()
    ms, us = clock.now_ms(), clock.now_us()
    after = time.time()
    assert int(before * 1000) - 1 <= ms <= after * 1000 + 1
    assert int(before * 1e6) - 1 <= us <= after * 1e6 + 1


def test_system_monotonic_clock_counts_nanoseconds() -> None:
    clock = SystemClock()
    start = clock.monotonic_ns()
    time.sleep(0.002)
    assert clock.monotonic_ns() - start >= 2_000_000


def test_manual_clock_moves_only_when_told() -> None:
    clock = ManualClock(now_ms=1000)
    assert (clock.now_ms(), clock.now_us(), clock.monotonic_ns()) == (1000, 1_000_000, 0)
    clock.advance_ms(5)
    clock.advance_us(250)
    assert (clock.now_ms(), clock.now_us(), clock.monotonic_ns()) == (1005, 1_005_250, 5_250_000)


def test_wall_clock_can_be_set_back_and_the_monotonic_one_does_not_notice() -> None:
    clock = ManualClock(now_ms=1000)
    clock.advance_ms(7)
    clock.set_ms(10)
    assert (clock.now_ms(), clock.monotonic_ns()) == (10, 7_000_000)
    with pytest.raises(AssertionError):
        clock.advance_ms(-1)
    with pytest.raises(AssertionError):
        clock.advance_us(-1)
