"""Tables of the quirks; tests/differential/test_numbers.py asks a real redis-server about random texts."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.util.numbers import (
    format_float,
    format_score,
    parse_float,
    parse_integer,
    parse_memory,
    parse_percent,
    parse_unsigned,
)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_come_back(number: int) -> None:
    assert parse_integer(b"%d" % number) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"-1", -1),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"9223372036854775808", None),
        (b"-9223372036854775809", None),
        (b"99999999999999999999", None),
        (b"1" * 21, None),
        (b"", None),
        (b"-", None),
        (b"-0", None),
        (b"+1", None),
        (b"01", None),
        (b"-01", None),
        (b" 1", None),
        (b"1 ", None),
        (b"1\n", None),
        (b"1_0", None),
        (b"1.0", None),
        (b"123456789012345678x", None),
        (b"1234567890123456-89", None),
        (b"--1", None),
        ("١".encode(), None),
    ],
)
def test_parse_integer(text: bytes, number: int | None) -> None:
    assert parse_integer(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"18446744073709551615", 2**64 - 1),
        (b"18446744073709551616", None),
        (b"-1", None),
        (b"-01", 2**64 - 1),
        (b"+7", 7),
        (b" \t007", 7),
        (b"0" * 5000 + b"12", 12),
        (b"000", 0),
        (b"7 ", None),
        (b"", None),
        (b"+", None),
        (b"+-1", None),
        (b"1_0", None),
    ],
)
def test_parse_unsigned(text: bytes, number: int | None) -> None:
    assert parse_unsigned(text) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"3", 3.0),
        (b"-.5", -0.5),
        (b"+5.", 5.0),
        (b"1e3", 1000.0),
        (b"1E-2", 0.01),
        (b"inf", math.inf),
        (b"-INFINITY", -math.inf),
        (b"+Inf", math.inf),
        (b"0x10", 16.0),
        (b"-0X1.8P1", -3.0),
        (b"5e-324", 5e-324),
        (b"0e-999", 0.0),
        (b"0x0p-9999", 0.0),
        (b"1e-999", None),
        (b"0x1p-1100", None),
        (b"1e999", None),
        (b"0x1p2000", None),
        (b"nan", None),
        (b"-nan", None),
        (b"", None),
        (b" 1", None),
        (b"1 ", None),
        (b"1_000", None),
        (b"1e", None),
        (b".", None),
        (b"e5", None),
        (b"1.2.3", None),
        (b"--1", None),
        (b"0x", None),
        (b"0x 1", None),
        (b"0x1p", None),
        (b"infi", None),
        (b"1\0", None),
    ],
)
def test_parse_float(text: bytes, number: float | None) -> None:
    assert parse_float(text) == number


@given(st.floats(allow_nan=False))
def test_floats_come_back(number: float) -> None:
    for text in (format_float(number), format_score(number)):
        assert struct.pack("d", parse_float(text)) == struct.pack("d", number)


@pytest.mark.parametrize(
    ("number", "reply", "score"),
    [
        (3.0, b"3", b"3"),
        (-0.0, b"-0", b"-0"),
        (0.1, b"0.10000000000000001", b"0.10000000000000001"),
        (1e16, b"10000000000000000", b"10000000000000000"),
        (1e17, b"1e+17", b"100000000000000000"),
        (2.0**62, b"4.6116860184273879e+18", b"4611686018427387904"),
        (-(2.0**62), b"-4.6116860184273879e+18", b"-4611686018427387904"),
        (2.0**62 + 1024, b"4.6116860184273889e+18", b"4.6116860184273889e+18"),
        (1e-7, b"9.9999999999999995e-08", b"9.9999999999999995e-08"),
        (math.inf, b"inf", b"inf"),
        (-math.inf, b"-inf", b"-inf"),
        (math.copysign(math.nan, 1), b"nan", b"nan"),
        (math.copysign(math.nan, -1), b"-nan", b"nan"),
    ],
)
def test_format(number: float, reply: bytes, score: bytes) -> None:
    assert (format_float(number), format_score(number)) == (reply, score)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (b"100", 100),
        (b"100b", 100),
        (b"1k", 1000),
        (b"1kb", 1024),
        (b"10mB", 10 * 1024**2),
        (b"3m", 3_000_000),
        (b"2G", 2_000_000_000),
        (b"1Gb", 1024**3),
        (b"", 0),
        (b"gb", 0),
        (b"007", 7),
        (b"99999999999999999999", 2**64 - 1),
        (b"18446744073709551615k", (2**64 - 1) * 1000 % 2**64),
        (b"-1", None),
        (b"+1", None),
        (b"1 kb", None),
        (b"1tb", None),
        (b"1.5gb", None),
        (b"1" * 128, None),
    ],
)
def test_parse_memory(text: bytes, size: int | None) -> None:
    assert parse_memory(text) == size


@pytest.mark.parametrize(
    ("text", "percent"),
    [(b"5%", 5), (b"0%", 0), (b"100%", 100), (b"%", None), (b"-5%", None), (b"5", None), (b"05%", None)],
)
def test_parse_percent(text: bytes, percent: int | None) -> None:
    assert parse_percent(text) == percent
