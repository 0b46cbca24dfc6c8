"""Numbers of configuration files, beside what C makes of them."""

import pytest

from redrock.config.numbers import LLONG_MAX, LLONG_MIN, format_memory, parse_lenient_integer


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, b"0"),
        (1, b"1"),
        (1023, b"1023"),
        (1024, b"1kb"),
        (1025, b"1025"),
        (1 << 20, b"1mb"),
        (1536 << 10, b"1536kb"),
        (64 << 20, b"64mb"),
        (1 << 30, b"1gb"),
        (5 << 30, b"5gb"),
        (1000**3, b"1000000000"),
        (-1, b"-1"),
    ],
)
def test_memory_in_the_biggest_unit_that_divides_it(size: int, text: bytes) -> None:
    assert format_memory(size) == text


@pytest.mark.parametrize(
    ("text", "base", "number"),
    [
        (b"", 10, 0),
        (b"12", 10, 12),
        (b"+12", 10, 12),
        (b" \t-12", 10, -12),
        (b"012", 10, 12),
        (b"12 ", 10, None),
        (b"12x", 10, None),
        (b" ", 10, None),
        (b"-", 10, None),
        (b"1_0", 10, None),
        (b"99999999999999999999", 10, LLONG_MAX),
        (b"-99999999999999999999", 10, LLONG_MIN),
        (b"755", 8, 0o755),
        (b"0755", 8, 0o755),
        (b"758", 8, None),
        (b"-1", 8, -1),
    ],
)
def test_integers_as_strtoll_reads_them(text: bytes, base: int, number: int | None) -> None:
    assert parse_lenient_integer(text, base) == number
