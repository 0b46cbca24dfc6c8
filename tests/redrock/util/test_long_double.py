"""Known sums; tests/differential/test_numbers.py compares thousands with a real redis-server."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.util.long_double import LongDouble, add_long_double, parse_long_double


def value_of(number: LongDouble) -> Fraction:
    return number.mantissa * Fraction(2) ** number.exponent


@pytest.mark.parametrize(
    ("a", "b", "total"),
    [
        (b"3.0", b"1.1", b"4.1"),
        (b"5.0e3", b"200", b"5200"),
        (b"10.5", b"-10.5", b"0"),
        (b"-1e-20", b"0", b"0"),
        (b"0.1", b"0.2", b"0.3"),
        (b"1e20", b"1", b"100000000000000000000"),
        (b"18446744073709551615", b"1", b"18446744073709551616"),
        (b"18446744073709551617", b"0", b"18446744073709551616"),
        (b"18446744073709551619", b"0", b"18446744073709551620"),
        (b"0x10", b"0x.8", b"16.5"),
        (b"-0", b"-0", b"0"),
        (b"1e-17", b"0", b"0.00000000000000001"),
        # The nearest long double is a little less than the 5 says, so this is no tie.
        (b"0.000000000000000005", b"0", b"0"),
        (b"0.000000000000000015", b"0", b"0.00000000000000002"),
        (b"17179869184", b"17179869184", b"34359738368"),
    ],
)
def test_sums(a: bytes, b: bytes, total: bytes) -> None:
    assert add_long_double(a, b) == total
    assert add_long_double(b, a) == total


def test_the_biggest_number_prints_all_its_digits() -> None:
    biggest = parse_long_double(b"0x1.fffffffffffffffep16383")
    assert biggest is not None
    assert value_of(biggest) == (2**64 - 1) * 2**16320
    text = biggest.format()
    assert (text[:20], len(text)) == (b"11897314953572317650", 4933)
    with pytest.raises(OverflowError):
        add_long_double(text, text)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" 1",
        b"1 ",
        b"nan",
        b"abc",
        b"1e",
        b".",
        b"+",
        b"1_0",
        b"0x",
        b"0x.p1",
        b"1e4933",
        b"1e-4970",
        b"0x1p16384",
        b"0x1p-16446",
        b"1e99999999999999999999",
        b"1e-99999999999999999999",
        b"0" * 5120,
        b"--1",
        b"1.2.3",
        b"1e5.0",
        b"infx",
        b"1\0",
    ],
)
def test_refused(text: bytes) -> None:
    assert parse_long_double(text) is None
    with pytest.raises(ValueError):
        add_long_double(b"1", text)


@pytest.mark.parametrize(
    "text", [b"0e99999999999", b"0x0p99999999999", b"-0.0", b"0" * 5119, b"1e-4950", b"0x1p-16445"]
)
def test_accepted(text: bytes) -> None:
    number = parse_long_double(text)
    assert number is not None
    assert number.is_finite()


def test_infinities() -> None:
    positive, negative = parse_long_double(b"Infinity"), parse_long_double(b"-inf")
    one = parse_long_double(b"1")
    assert positive is not None
    assert negative is not None
    assert one is not None
    assert (positive.format(), negative.format()) == (b"inf", b"-inf")
    assert positive.plus(one).format() == one.plus(positive).format() == positive.plus(positive).format() == b"inf"
    assert positive.plus(negative).format() == b"nan"
    assert not positive.plus(negative).is_finite()
    with pytest.raises(OverflowError):
        add_long_double(b"inf", b"1")


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30))
def test_parsing_takes_the_nearest_number(decimal) -> None:
    exact = Fraction(decimal)
    number = parse_long_double(str(decimal).encode())
    if number is None:
        assert abs(exact) < Fraction(2) ** -16445
        return
    assert abs(number.mantissa) < 2**64
    # Half a unit of the 64-bit mantissa's last place, at most; or of the last denormal.
    assert abs(value_of(number) - exact) <= max(abs(exact) / 2**64, Fraction(2) ** -16446)


@given(st.integers(-(2**64), 2**64), st.integers(-(2**64), 2**64))
def test_sums_that_fit_are_exact(a: int, b: int) -> None:
    if abs(a + b) <= 2**64:
        assert add_long_double(b"%d" % a, b"%d" % b) == b"%d" % (a + b)
