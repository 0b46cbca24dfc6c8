"""Arithmetic of x87 long doubles, which INCRBYFLOAT and HINCRBYFLOAT use, in integers.

Source: Redis 7.0.15, util.c, string2ld and ld2string; on x86-64 a long double has a mantissa of 64 bits and a binary
exponent from -16445 (the last bit of the smallest denormal) to 16383. Every result is rounded once, to nearest, ties
to even: that is what strtold, the addition and printf do, so the digits are the same to the last one.

Differs from Redis: none on x86-64. On machines whose long double is something else, Redis itself gives other digits.
"""

from typing import Final, final

_MANTISSA_BITS: Final = 64
# The value of the last bit that a denormal can have: 2**-16445.
_EXPONENT_MIN: Final = -16445
# Values from 2**16384 on are infinite.
_EXPONENT_LIMIT: Final = 16384
# MAX_LONG_DOUBLE_CHARS: longer texts are refused, the final NUL of C included.
_TEXT_BYTES_MAX: Final = 5 * 1024 - 1
# Beyond these powers of ten (of two, for hexadecimal) the outcome is certain, and powers would only cost memory.
_DECIMAL_LIMIT: Final = 5000
_BINARY_LIMIT: Final = 40000
_FRACTION_DIGITS: Final = 17
_FRACTION_SCALE: Final = 10**_FRACTION_DIGITS
# int() and str() refuse more than 4300 digits, by default.
_PIECE_DIGITS: Final = 4000
_PIECE: Final = 10**_PIECE_DIGITS

_FINITE: Final = 0
_POSITIVE_INFINITY: Final = 1
_NEGATIVE_INFINITY: Final = -1
_NAN: Final = 2


@final
class LongDouble:
    """``mantissa * 2**exponent``, or an infinity or NaN. Zero has no sign: nothing that is printed shows it."""

    __slots__ = ("exponent", "kind", "mantissa")

    def __init__(self, mantissa: int, exponent: int, kind: int = _FINITE) -> None:
        self.mantissa: Final = mantissa
        self.exponent: Final = exponent
        self.kind: Final = kind

    def is_finite(self) -> bool:
        """Neither infinite nor NaN."""
        return self.kind == _FINITE

    def plus(self, other: "LongDouble") -> "LongDouble":
        """The sum, rounded; it can be infinite, and NaN for infinities of different sign."""
        if self.kind != _FINITE or other.kind != _FINITE:
            if self.kind == _FINITE or self.kind == other.kind:
                return other
            return self if other.kind == _FINITE else LongDouble(0, 0, _NAN)
        shift = self.exponent - other.exponent
        if shift >= 0:
            return _rounded((self.mantissa << shift) + other.mantissa, other.exponent)
        return _rounded(self.mantissa + (other.mantissa << -shift), self.exponent)

    def format(self) -> bytes:
        """Up to 17 digits behind the point, no exponent, no trailing zeros: LD_STR_HUMAN."""
        if self.kind != _FINITE:
            return {_POSITIVE_INFINITY: b"inf", _NEGATIVE_INFINITY: b"-inf"}.get(self.kind, b"nan")
        magnitude = abs(self.mantissa)
        fraction = ""
        if self.exponent >= 0:
            whole = _to_digits(magnitude << self.exponent)
        else:
            digits = _to_digits(_shift_right_rounded(magnitude * _FRACTION_SCALE, -self.exponent))
            digits = digits.rjust(_FRACTION_DIGITS + 1, "0")
            whole = digits[:-_FRACTION_DIGITS]
            fraction = digits[-_FRACTION_DIGITS:].rstrip("0")
        text = f"{whole}.{fraction}" if fraction else whole
        # What is rounded to zero loses its sign.
        return (f"-{text}" if self.mantissa < 0 and text != "0" else text).encode()


def parse_long_double(text: bytes) -> LongDouble | None:
    """What strtold reads from the whole of ``text``; None if that is no number.

    Decimal, hexadecimal (``0x1.8p3``) and ``inf`` are numbers; nan, surrounding spaces, what overflows and what is
    rounded to zero are refused.
    """
    if not text or len(text) > _TEXT_BYTES_MAX:
        return None
    negative = text[0] == 45
    body = text[1:] if negative or text[0] == 43 else text
    if body.isdigit():
        return _from_decimal(body, 0, negative)
    body = body.lower()
    if body in (b"inf", b"infinity"):
        return LongDouble(0, 0, _NEGATIVE_INFINITY if negative else _POSITIVE_INFINITY)
    hexadecimal = body.startswith(b"0x")
    if hexadecimal:
        body = body[2:]
    mantissa, mark, exponent_text = body.partition(b"p" if hexadecimal else b"e")
    exponent = 0
    if mark:
        parsed = _parse_exponent(exponent_text)
        if parsed is None:
            return None
        exponent = parsed
    whole, _, fraction = mantissa.partition(b".")
    digits = whole + fraction
    if hexadecimal:
        if not digits or digits.strip(b"0123456789abcdef"):
            return None
        return _from_hexadecimal(digits, exponent - 4 * len(fraction), negative)
    return _from_decimal(digits, exponent - len(fraction), negative) if digits.isdigit() else None


def add_long_double(a: bytes, b: bytes) -> bytes:
    """The sum of two numbers as text. ValueError: one is not a number; OverflowError: the sum is infinite or NaN."""
    first = parse_long_double(a)
    second = parse_long_double(b)
    if first is None or second is None:
        raise ValueError("not a long double")
    total = first.plus(second)
    if not total.is_finite():
        raise OverflowError("the sum is not finite")
    return total.format()


def _parse_exponent(text: bytes) -> int | None:
    negative = text[:1] == b"-"
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    if not digits.isdigit():
        return None
    significant = digits.lstrip(b"0")
    # 7 digits are beyond both limits, whatever the mantissa, which has fewer than 5120 digits.
    exponent = 10_000_000 if len(significant) > 7 else int(significant or b"0")
    return -exponent if negative else exponent


def _from_decimal(digits: bytes, exponent: int, negative: bool) -> LongDouble | None:
    significant = digits.lstrip(b"0")
    if not significant:
        return LongDouble(0, 0)
    magnitude = len(significant) + exponent
    if magnitude > _DECIMAL_LIMIT or magnitude < -_DECIMAL_LIMIT:
        return None
    numerator = _from_digits(significant)
    if exponent >= 0:
        return _in_range(numerator * 10**exponent, 0, negative)
    denominator = 10**-exponent
    # Two bits more than the mantissa, and one that tells whether anything is left: enough to round as the exact value.
    shift = max(0, _MANTISSA_BITS + 2 + denominator.bit_length() - numerator.bit_length())
    quotient, rest = divmod(numerator << shift, denominator)
    return _in_range((quotient << 1) | (1 if rest else 0), -shift - 1, negative)


def _from_hexadecimal(digits: bytes, exponent: int, negative: bool) -> LongDouble | None:
    significant = digits.lstrip(b"0")
    if not significant:
        return LongDouble(0, 0)
    magnitude = 4 * len(significant) + exponent
    if magnitude > _BINARY_LIMIT or magnitude < -_BINARY_LIMIT:
        return None
    return _in_range(int(significant, 16), exponent, negative)


def _in_range(mantissa: int, exponent: int, negative: bool) -> LongDouble | None:
    """Rounded; None if a mantissa that is not zero has become zero or infinite, which strtold calls ERANGE."""
    number = _rounded(-mantissa if negative else mantissa, exponent)
    return number if number.kind == _FINITE and number.mantissa != 0 else None


def _rounded(mantissa: int, exponent: int) -> LongDouble:
    """The nearest long double to ``mantissa * 2**exponent``."""
    if mantissa == 0:
        return LongDouble(0, 0)
    magnitude = abs(mantissa)
    shift = magnitude.bit_length() - _MANTISSA_BITS
    if exponent + shift < _EXPONENT_MIN:
        shift = _EXPONENT_MIN - exponent
    if shift > 0:
        magnitude = _shift_right_rounded(magnitude, shift)
        exponent += shift
    if magnitude == 0:
        return LongDouble(0, 0)
    if magnitude.bit_length() + exponent > _EXPONENT_LIMIT:
        return LongDouble(0, 0, _NEGATIVE_INFINITY if mantissa < 0 else _POSITIVE_INFINITY)
    return LongDouble(-magnitude if mantissa < 0 else magnitude, exponent)


def _shift_right_rounded(number: int, shift: int) -> int:
    """``number / 2**shift``, to nearest, ties to even; ``number`` is not negative."""
    quotient = number >> shift
    rest = number - (quotient << shift)
    half = 1 << (shift - 1)
    if rest > half or (rest == half and quotient & 1):
        quotient += 1
    return quotient


def _from_digits(digits: bytes) -> int:
    if len(digits) <= _PIECE_DIGITS:
        return int(digits)
    return int(digits[:-_PIECE_DIGITS]) * _PIECE + int(digits[-_PIECE_DIGITS:])


def _to_digits(number: int) -> str:
    if number < _PIECE:
        return str(number)
    high, low = divmod(number, _PIECE)
    return str(high) + str(low).rjust(_PIECE_DIGITS, "0")
