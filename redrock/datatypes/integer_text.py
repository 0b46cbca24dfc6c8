"""Is a string the text of an integer? Asked by every encoding that stores such strings as numbers.

Source: Redis 7.0.15, util.c, string2ll. The text must be what printing the number gives: no plus sign, no leading
zero, no "-0", no blanks, and the number must fit 64 bits with a sign.
"""

from typing import Final

from mypy_extensions import i64

INTEGER_TEXT_MAX: Final = 20
"""Bytes of the longest one, -9223372036854775808."""


def is_integer_text(text: bytes) -> bool:
    """True if ``int(text)`` is a 64-bit integer and printing it gives ``text`` again. O(1)."""
    length: i64 = len(text)
    if length == 0 or length > 20:
        return False
    first: i64 = text[0]
    position: i64 = 1
    if first == 0x2D:
        if length == 1:
            return False
        first = text[1]
        position = 2
    elif first == 0x30:
        return length == 1
    if first < 0x31 or first > 0x39:
        return False
    while position < length:
        digit: i64 = text[position]
        if digit < 0x30 or digit > 0x39:
            return False
        position += 1
    if length < 19:
        return True
    value = int(text)
    return -0x8000000000000000 <= value <= 0x7FFFFFFFFFFFFFFF
