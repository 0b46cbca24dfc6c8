import pytest

from redrock.monitoring.stats import Rate, Statistics


def test_a_rate_is_the_average_of_the_last_samples() -> None:
    rate = Rate()
    rate.sample(1000, 100)  # the first one only says where to begin
    assert rate.per_second() == 0
    for i in range(1, 17):
        rate.sample(1000 + i * 50, 100 + i * 100)
    assert rate.per_second() == pytest.approx(500)
    rate.sample(1800, 1800)
    assert rate.per_second() == pytest.approx(500 * 15 / 16)
    for i in range(15):
        rate.sample(1800, 1900 + i * 100)
    assert rate.per_second() == 0


def test_a_rate_while_the_clock_stands_still() -> None:
    rate = Rate()
    rate.sample(10, 100)
    rate.sample(20, 100)
    rate.sample(30, 90)
    assert rate.per_second() == 0


def test_errors_are_counted_by_their_first_word() -> None:
    stats = Statistics()
    for text in (b"ERR syntax error", b"ERR no such key", b"WRONGTYPE Operation", b"LOADING"):
        stats.count_error(text)
    assert stats.error_counts == {b"ERR": 2, b"WRONGTYPE": 1, b"LOADING": 1}
    assert stats.total_error_replies == 4


def test_reset() -> None:
    """CONFIG RESETSTAT: all counters, but not what is a fact of the present."""
    stats = Statistics()
    stats.started_at_ms = 5
    stats.peak_bytes = 6
    stats.total_commands_processed = 7
    stats.sync_full = 1
    stats.expired_stale_perc = 0.5
    stats.count_error(b"ERR x")
    stats.commands_rate.sample(0, 1)
    stats.commands_rate.sample(10, 101)
    stats.reset()
    assert stats.started_at_ms == 5
    assert stats.peak_bytes == 6
    assert stats.total_commands_processed == 0
    assert stats.sync_full == 0
    assert stats.expired_stale_perc == 0
    assert stats.error_counts == {}
    assert stats.total_error_replies == 0
    assert stats.commands_rate.per_second() == 0
