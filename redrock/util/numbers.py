"""Numbers as Redis reads and prints them: strict integers, C's floats, memory sizes.

Source: Redis 7.0.15, util.c: string2ll, string2ull, string2d, d2string, memtoull; networking.c: addReplyDouble.
Parsers return None for what is not a number: that is an expected outcome, and exceptions are slow.
Long doubles are in `long_double`.
"""

import math
from typing import Final

from mypy_extensions import i64

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
UINT64_MAX: Final = 2**64 - 1

_ZERO: Final = 48
_NINE: Final = 57
_MINUS: Final = 45
# "-9223372036854775808" has 20 bytes.
_INTEGER_BYTES_MAX: Final = 20


def parse_integer(text: bytes) -> int | None:
    """A signed 64-bit integer in the one form that printing it gives back: no spaces, plus, leading zeros or ``-0``."""
    length: i64 = len(text)
    if length == 0 or length > _INTEGER_BYTES_MAX:
        return None
    position: i64 = 0
    negative = text[0] == _MINUS
    if negative:
        position = 1
        if length == 1:
            return None
    first: i64 = text[position]
    if first < _ZERO or first > _NINE:
        return None
    if first == _ZERO:
        return 0 if length == 1 else None
    if length - position > 18:
        return _parse_long(text, position)
    # Up to 18 digits fit 64 bits without a check.
    value: i64 = first - _ZERO
    position += 1
    while position < length:
        digit: i64 = text[position]
        if digit < _ZERO or digit > _NINE:
            return None
        value = value * 10 + (digit - _ZERO)
        position += 1
    return -value if negative else value


def _parse_long(text: bytes, position: i64) -> int | None:
    """19 or 20 digits: the range has to be checked."""
    if not text[position:].isdigit():
        return None
    value = int(text)
    return value if INT64_MIN <= value <= INT64_MAX else None


def parse_unsigned(text: bytes) -> int | None:
    """An unsigned 64-bit integer as string2ull reads it: what strtoull takes, so ``+1``, ``007``, ``-1`` (2**64 - 1).

    A negative number in canonical form is refused, since it is a valid signed integer; ``-01`` is not, and wraps.
    """
    value = parse_integer(text)
    if value is not None:
        return value if value >= 0 else None
    digits = text.lstrip(b" \t\n\v\f\r")
    negative = digits[:1] == b"-"
    if digits[:1] in (b"-", b"+"):
        digits = digits[1:]
    # 4300 digits are more than int() takes by default; past 20 significant ones the number is out of range anyway.
    significant = digits.lstrip(b"0")
    if not digits.isdigit() or len(significant) > 20:
        return None
    number = int(significant) if significant else 0
    if number > UINT64_MAX:
        return None
    return (-number) & UINT64_MAX if negative else number


def parse_float(text: bytes) -> float | None:
    """A double as strtod reads the whole of ``text``: decimal, hexadecimal (``0x1.8p3``), ``inf``, ``infinity``.

    Refused: surrounding spaces, nan, and what overflows or is rounded to zero (``1e999``, ``1e-999``).
    """
    length: i64 = len(text)
    if length == 0:
        return None
    position: i64 = 0
    nonzero = False
    exponent = False
    while position < length:
        byte = text[position]
        if _ZERO <= byte <= _NINE:
            if byte != _ZERO and not exponent:
                nonzero = True
        elif byte == 101 or byte == 69:
            exponent = True
        elif byte != 46 and byte != _MINUS and byte != 43:
            return _parse_special_float(text)
        position += 1
    # With nothing but these characters, float() and strtod agree on what is a number.
    try:
        value = float(text)
    except ValueError:
        return None
    if (nonzero and value == 0.0) or math.isinf(value):
        return None
    return value


def _parse_special_float(text: bytes) -> float | None:
    lower = text.lower()
    negative = lower[:1] == b"-"
    if lower[:1] in (b"-", b"+"):
        lower = lower[1:]
    if lower in (b"inf", b"infinity"):
        return -math.inf if negative else math.inf
    # fromhex also takes spaces, underscores no; and digits without the prefix.
    if not lower.startswith(b"0x") or lower.strip(b"0123456789abcdefxp.+-") or lower.strip() != lower:
        return None
    try:
        value = float.fromhex(lower.decode("ascii"))
    except (ValueError, OverflowError):
        return None
    if value == 0.0 and lower[2:].partition(b"p")[0].strip(b"0."):
        return None
    return -value if negative else value


def format_float(value: float) -> bytes:
    """As a double stands in a reply: 17 significant digits, exponent form from 1e+17 on, ``inf``, ``-inf``, ``nan``."""
    if value != value:
        # printf shows the sign of a NaN; 0/0 on x86 has it set.
        return b"-nan" if math.copysign(1.0, value) < 0 else b"nan"
    return ("%.17g" % value).encode()  # noqa: UP031


def format_score(value: float) -> bytes:
    """As d2string prints: like `format_float`, but whole numbers up to 2**62 in full (``1e17`` as 18 digits)."""
    if value != value:
        return b"nan"
    if value == 0.0:
        return b"-0" if math.copysign(1.0, value) < 0 else b"0"
    # double2ll's bounds: LLONG_MAX/2 on both sides, which as a double is 2**62.
    if -4611686018427387904.0 <= value <= 4611686018427387904.0:
        whole = int(value)
        if whole == value:
            return str(whole).encode()
    return ("%.17g" % value).encode()  # noqa: UP031


_UNITS: Final = {
    b"": 1,
    b"b": 1,
    b"k": 1000,
    b"kb": 1024,
    b"m": 1000**2,
    b"mb": 1024**2,
    b"g": 1000**3,
    b"gb": 1024**3,
}


def parse_memory(text: bytes) -> int | None:
    """Bytes of a memory size (``100``, ``10mb``, ``1GB``); ``k`` is 1000, ``kb`` 1024.

    As memtoull does, no digits at all count as 0, and the result wraps at 2**64.
    """
    nul = text.find(b"\0")
    if nul >= 0:
        text = text[:nul]
    unit = text.lstrip(b"0123456789")
    digits = text[: len(text) - len(unit)]
    factor = _UNITS.get(unit.lower())
    if factor is None or len(digits) >= 128:
        return None
    value = int(digits) if digits else 0
    return (min(value, UINT64_MAX) * factor) & UINT64_MAX


def parse_percent(text: bytes) -> int | None:
    """The number in front of a ``%`` sign, at least 0; None if ``text`` is not of that form."""
    if len(text) < 2 or text[-1] != 37:
        return None
    value = parse_integer(text[:-1])
    return value if value is not None and value >= 0 else None
