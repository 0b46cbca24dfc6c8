"""Glob patterns as KEYS, SCAN, PSUBSCRIBE and CONFIG GET match them.

Source: Redis 7.0.15, util.c, stringmatchlen. ``*`` any bytes, ``?`` one byte, ``[a-z]`` ``[^abc]`` classes, ``\\``
takes the next byte as it is. Redis's quirks, kept:
- no pattern but the empty one matches the empty text, not even ``*``;
- an unclosed class ends with the pattern; ``[]`` matches nothing, ``[^]`` any byte; a reversed range is turned round;
- bytes are signed in ranges, so that 0x80-0xff stand before 0x00;
- inside a class, an escaped byte is compared with its case even under ``nocase``;
- a backslash at the end stands for itself.

Every element but ``*`` takes exactly one byte, so it is enough to go back to the last ``*``: O(pattern * text) at
worst.
"""

from typing import Final

from mypy_extensions import i64

_STAR: Final = 42
_QUESTION: Final = 63
_OPEN: Final = 91
_CLOSE: Final = 93
_CARET: Final = 94
_MINUS: Final = 45
_BACKSLASH: Final = 92


def match(pattern: bytes, text: bytes, nocase: bool = False) -> bool:
    """Whether all of ``text`` matches ``pattern``; ``nocase``: ASCII letters match in either case."""
    p: i64 = 0
    t: i64 = 0
    pattern_end: i64 = len(pattern)
    text_end: i64 = len(text)
    # Where to go on if what follows the last star does not match: behind the star, one byte further in the text.
    star: i64 = -1
    star_text: i64 = 0
    while t < text_end:
        if p < pattern_end:
            kind = pattern[p]
            if kind == _STAR:
                while p < pattern_end and pattern[p] == _STAR:
                    p += 1
                if p == pattern_end:
                    return True
                star = p
                star_text = t
                continue
            if kind == _QUESTION:
                p += 1
                t += 1
                continue
            if kind == _OPEN:
                found = _class_contains(pattern, p + 1, text[t], nocase)
                if found:
                    p = _class_end(pattern, p + 1)
                    t += 1
                    continue
            else:
                if kind == _BACKSLASH and p + 1 < pattern_end:
                    p += 1
                    kind = pattern[p]
                byte = text[t]
                if kind == byte or (nocase and _lower(kind) == _lower(byte)):
                    p += 1
                    t += 1
                    continue
        if star < 0:
            return False
        p = star
        star_text += 1
        t = star_text
    if text_end > 0:
        while p < pattern_end and pattern[p] == _STAR:
            p += 1
    return p == pattern_end


def _lower(byte: i64) -> i64:
    return byte + 32 if 65 <= byte <= 90 else byte


def _signed(byte: i64) -> i64:
    return byte - 256 if byte >= 128 else byte


def _class_contains(pattern: bytes, p: i64, byte: i64, nocase: bool) -> bool:
    """Whether the class whose first byte behind ``[`` is at ``p`` takes ``byte``."""
    end: i64 = len(pattern)
    negated = p < end and pattern[p] == _CARET
    if negated:
        p += 1
    found = False
    while p < end:
        first: i64 = pattern[p]
        if first == _BACKSLASH and p + 1 < end:
            if pattern[p + 1] == byte:
                found = True
            p += 2
        elif first == _CLOSE:
            break
        elif p + 2 < end and pattern[p + 1] == _MINUS:
            low = _signed(first)
            high = _signed(pattern[p + 2])
            wanted = _signed(byte)
            if low > high:
                low, high = high, low
            if nocase:
                low = _lower(low)
                high = _lower(high)
                wanted = _lower(wanted)
            if low <= wanted <= high:
                found = True
            p += 3
        else:
            if first == byte or (nocase and _lower(first) == _lower(byte)):
                found = True
            p += 1
    return found != negated


def _class_end(pattern: bytes, p: i64) -> i64:
    """The position behind the class, by the same steps as `_class_contains`: ``]`` may stand in a range or escaped."""
    end: i64 = len(pattern)
    if p < end and pattern[p] == _CARET:
        p += 1
    while p < end:
        first = pattern[p]
        if first == _BACKSLASH and p + 1 < end:
            p += 2
        elif first == _CLOSE:
            return p + 1
        elif p + 2 < end and pattern[p + 1] == _MINUS:
            p += 3
        else:
            p += 1
    return end
