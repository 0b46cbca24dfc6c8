"""Numbers as configuration files write them, where `util.numbers` has no word for it.

Source: Redis 7.0.15, config.c (rewriteConfigFormatMemory), and strtoll of the C library.
"""

import re
from typing import Final

INT_MAX: Final = (1 << 31) - 1
INT_MIN: Final = -(1 << 31)
UINT_MAX: Final = (1 << 32) - 1
LLONG_MAX: Final = (1 << 63) - 1
LLONG_MIN: Final = -(1 << 63)
ULLONG_MAX: Final = (1 << 64) - 1

_UNITS: Final = ((1024**3, b"gb"), (1024**2, b"mb"), (1024, b"kb"))
_LENIENT: Final = {
    8: re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-7]+)"),
    10: re.compile(rb"[ \t\n\v\f\r]*([+-]?[0-9]+)"),
}


def format_memory(size: int) -> bytes:
    """A size in bytes as CONFIG REWRITE writes it: in the biggest unit that divides it."""
    if size != 0:
        for unit, suffix in _UNITS:
            if size % unit == 0:
                return b"%d%b" % (size // unit, suffix)
    return b"%d" % size


def parse_lenient_integer(text: bytes, base: int = 10) -> int | None:
    """An integer as strtoll reads it: blanks and a plus sign may precede it, nothing follows it, an empty text is 0.

    Saturates at the ends of a signed 64-bit integer. ``base`` is 8 or 10.
    """
    if text == b"":
        return 0
    match = _LENIENT[base].fullmatch(text)
    if match is None:
        return None
    return max(LLONG_MIN, min(LLONG_MAX, int(match[1], base)))
