"""Redis's quoting of arguments on a text line: inline commands and the config file in, MONITOR and SLOWLOG out.

Source: Redis 7.0.15, sds.c, sdssplitargs and sdscatrepr. ``split_args(quote(x)) == [x]`` for all bytes without NUL
trouble: a NUL ends the line there (C strings), which `split_args` repeats, while `quote` writes it as ``\\x00``.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

_SPACE: Final = 32
_DOUBLE_QUOTE: Final = 34
_SINGLE_QUOTE: Final = 39
_BACKSLASH: Final = 92
_LOWER_X: Final = 120

# What \c stands for inside double quotes; any other character stands for itself.
_UNESCAPED: Final = {ord("n"): 10, ord("r"): 13, ord("t"): 9, ord("b"): 8, ord("a"): 7}


def _quoted_byte(byte: int) -> bytes:
    named = {10: b"\\n", 13: b"\\r", 9: b"\\t", 7: b"\\a", 8: b"\\b", _DOUBLE_QUOTE: b'\\"', _BACKSLASH: b"\\\\"}
    if byte in named:
        return named[byte]
    return bytes((byte,)) if _SPACE <= byte < 127 else b"\\x%02x" % byte


_QUOTED: Final = tuple([_quoted_byte(byte) for byte in range(256)])


def quote(text: bytes) -> bytes:
    """``text`` in double quotes, everything unprintable escaped. O(n)."""
    out = BytesWriter()
    out.append(_DOUBLE_QUOTE)
    for byte in text:
        out.write(_QUOTED[byte])
    out.append(_DOUBLE_QUOTE)
    return out.getvalue()


def _is_space(byte: int) -> bool:
    """C's isspace: the space and \\t \\n \\v \\f \\r."""
    return byte == _SPACE or 9 <= byte <= 13


def _hex_digit(byte: int) -> int:
    """The digit's value, or -1."""
    if 48 <= byte <= 57:
        return byte - 48
    if 97 <= byte <= 102:
        return byte - 87
    if 65 <= byte <= 70:
        return byte - 55
    return -1


def split_args(line: bytes) -> list[bytes] | None:
    """The arguments of a line, or None if its quotes are unbalanced. O(n).

    A quote may open in the middle of a word (``a"b c"`` is one argument), but a closing quote ends the argument and
    must be followed by white space or the end. \\v and \\f separate arguments only where one could begin.
    """
    nul = line.find(b"\0")
    if nul >= 0:
        line = line[:nul]
    arguments: list[bytes] = []
    position: i64 = 0
    end: i64 = len(line)
    while True:
        while position < end and _is_space(line[position]):
            position += 1
        if position == end:
            return arguments
        word = BytesWriter()
        while position < end:
            byte = line[position]
            if byte == _SPACE or byte == 10 or byte == 13 or byte == 9:
                break
            position += 1
            if byte in (_DOUBLE_QUOTE, _SINGLE_QUOTE):
                position = _read_quoted(line, position, byte, word)
                if position < 0 or (position < end and not _is_space(line[position])):
                    return None
                break
            word.append(byte)
        arguments.append(word.getvalue())


def _read_quoted(line: bytes, position: i64, quote_byte: int, word: BytesWriter) -> i64:
    """Append to ``word`` what stands up to the closing quote; the position behind that, or -1 if there is none."""
    end: i64 = len(line)
    double = quote_byte == _DOUBLE_QUOTE
    while position < end:
        byte = line[position]
        if byte == quote_byte:
            return position + 1
        if byte == _BACKSLASH and position + 1 < end:
            following = line[position + 1]
            if not double:
                # Between single quotes only \' is an escape.
                if following == _SINGLE_QUOTE:
                    byte = following
                    position += 1
            elif following == _LOWER_X and position + 3 < end:
                high = _hex_digit(line[position + 2])
                low = _hex_digit(line[position + 3])
                if high >= 0 and low >= 0:
                    byte = high * 16 + low
                    position += 3
                else:
                    byte = following
                    position += 1
            else:
                byte = _UNESCAPED.get(following, following)
                position += 1
        word.append(byte)
        position += 1
    return -1
