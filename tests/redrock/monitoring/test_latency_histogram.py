"""Spans and percentiles of durations. Values as redis-server 7.0.15 shows them for these durations."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.monitoring.latency_histogram import LatencyHistogram


def filled(*durations_us: int) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for duration_us in durations_us:
        histogram.record(duration_us)
    return histogram


@pytest.mark.parametrize(
    ("duration_us", "shown"),
    [
        (0, 0.001),
        (1, 1.003),
        (2, 2.007),
        (4, 4.015),
        (9, 9.023),
        (11, 11.007),
        (29, 29.055),
        (63, 63.231),
        (64, 64.255),
        (1022, 1023.999),
        (999_999, 1_002_438.655),
        (5_000_000, 1_002_438.655),
    ],
)
def test_a_span_ends_where_that_of_redis_ends(duration_us: int, shown: float) -> None:
    assert filled(duration_us).percentile_us(50.0) == shown


def test_percentiles() -> None:
    histogram = filled(12, 16)
    assert [histogram.percentile_us(percentile) for percentile in (0.0, 50.0, 99.0, 100.0)] == [
        12.031,
        12.031,
        16.063,
        16.063,
    ]
    assert filled(*range(1, 101)).percentile_us(99.0) == 99.327
    assert histogram.count() == 2


@given(st.lists(st.integers(0, 2_000_000), min_size=1), st.floats(0, 100))
def test_a_percentile_lies_in_the_span_of_its_duration(durations_us: list[int], percentile: float) -> None:
    histogram = filled(*durations_us)
    rank = max(1, int(percentile / 100 * len(durations_us) + 0.5))
    exact = min(sorted(durations_us)[rank - 1], 1_000_000)
    assert exact <= histogram.percentile_us(percentile) <= max(exact * (1 + 1 / 128), exact + 0.3)
    assert sum(count for _, count in histogram.spans()) == len(durations_us)
