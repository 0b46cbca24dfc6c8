"""LRU and LFU words: arithmetic of evict.c, and the mark of a spill under way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.keyspace import last_use
from redrock.keyspace.last_use import LfuClock
from redrock.util.random import RandomSource


class Draws(RandomSource):
    """Answers what it is told to, and remembers out of how many."""

    def __init__(self, answers: list[int]) -> None:
        super().__init__(1)
        self.answers = answers
        self.asked: list[int] = []

    def below(self, n: int) -> int:
        self.asked.append(n)
        return self.answers.pop(0)


@given(st.integers(0, (1 << 24) - 1))
def test_the_mark_of_a_spill_can_be_taken_back(word: int) -> None:
    marked = last_use.in_transit(word)
    assert marked < 0
    assert last_use.in_transit(marked) == marked
    assert last_use.settled(marked) == word
    assert last_use.settled(word) == word


@pytest.mark.parametrize(
    ("word", "clock", "idle"),
    [
        (100, 100, 0),
        (100, 107, 7000),
        (~100, 107, 7000),
        # The clock has wrapped: as Redis, one second is lost on the way.
        (last_use.LRU_CLOCK_MAX - 3, 2, 5000),
    ],
)
def test_idle_time(word: int, clock: int, idle: int) -> None:
    assert last_use.idle_ms(word, clock) == idle


def test_the_lru_clock_counts_seconds_and_wraps() -> None:
    assert last_use.lru_clock_at(1999) == 1
    assert last_use.lru_clock_at((1 << 24) * 1000) == 0


@given(st.integers(0, last_use.LRU_CLOCK_MAX - 1), st.integers(0, last_use.LRU_CLOCK_MAX))
def test_a_restored_idle_time_is_read_back(idle_seconds: int, clock: int) -> None:
    word = last_use.lru_word_of_idle(idle_seconds, clock)
    assert 0 <= word <= last_use.LRU_CLOCK_MAX
    assert last_use.idle_ms(word, clock) == idle_seconds * 1000


def test_new_values_start_with_five_uses() -> None:
    clock = LfuClock(RandomSource(1))
    clock.tick(7 * 60000 + 59999)
    assert clock.fresh() == (7 << 8) | 5
    assert clock.counter(clock.fresh()) == 5


def test_the_counter_loses_one_per_period() -> None:
    clock = LfuClock(RandomSource(1))
    clock.tick(60000 * 100)
    word = clock.of_counter(50)
    for minutes, left in ((0, 50), (1, 49), (30, 20), (50, 0), (60, 0)):
        clock.tick(60000 * (100 + minutes))
        assert clock.counter(word) == left
        assert clock.counter(last_use.in_transit(word)) == left
    clock.decay_minutes = 10
    assert clock.counter(word) == 44
    clock.decay_minutes = 0
    assert clock.counter(word) == 50


def test_the_minutes_wrap() -> None:
    clock = LfuClock(RandomSource(1))
    clock.tick(65530 * 60000)
    word = clock.of_counter(20)
    clock.tick(65541 * 60000)
    # 5 - 65530 + 65535: the minute lost at the wrap is Redis'.
    assert clock.counter(word) == 10


def test_a_use_below_the_start_always_counts() -> None:
    draws = Draws([])
    clock = LfuClock(draws)
    assert [clock.grown(i) for i in range(6)] == [1, 2, 3, 4, 5, 6]
    assert draws.asked == []


def test_a_use_above_the_start_counts_with_one_chance_in_many() -> None:
    draws = Draws([0, 1, 0])
    clock = LfuClock(draws)
    assert clock.grown(6) == 7
    assert clock.grown(10) == 10
    assert clock.grown(254) == 255
    assert draws.asked == [11, 51, 2491]
    assert clock.grown(255) == 255


def test_touching_dates_the_word_and_settles_it() -> None:
    clock = LfuClock(Draws([0]))
    clock.tick(60000)
    word = last_use.in_transit(clock.of_counter(9))
    clock.tick(3 * 60000)
    # 9, two minutes later 7, one use more 8.
    assert clock.touched(word) == (3 << 8) | 8


def test_a_thousand_uses_reach_about_what_redis_documents() -> None:
    """redis.conf: with factor 10, 1000 hits make a counter of 18; 100 000 make 142."""
    clock = LfuClock(RandomSource(7))
    counter = 0
    for _ in range(1000):
        counter = clock.grown(counter)
    assert 14 <= counter <= 23
