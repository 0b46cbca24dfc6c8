"""`notify-keyspace-events`: the letters of the classes of keyspace events, and the bits of `interfaces` they stand for.

Source: Redis 7.0.15, notify.c.
"""

from typing import Final

from redrock.interfaces import (
    NOTIFY_EVICTED,
    NOTIFY_EXPIRED,
    NOTIFY_GENERIC,
    NOTIFY_HASH,
    NOTIFY_KEY_MISS,
    NOTIFY_KEYEVENT,
    NOTIFY_KEYSPACE,
    NOTIFY_LIST,
    NOTIFY_MODULE,
    NOTIFY_NEW,
    NOTIFY_SET,
    NOTIFY_STREAM,
    NOTIFY_STRING,
    NOTIFY_ZSET,
)

# What `A` stands for: every class of event but the two that clients rarely want, misses (m) and new keys (n).
NOTIFY_ALL: Final = (
    NOTIFY_GENERIC
    | NOTIFY_STRING
    | NOTIFY_LIST
    | NOTIFY_SET
    | NOTIFY_HASH
    | NOTIFY_ZSET
    | NOTIFY_EXPIRED
    | NOTIFY_EVICTED
    | NOTIFY_STREAM
    | NOTIFY_MODULE
)

# In the order in which Redis prints them. `A` replaces the first group, and then `n` is not printed either.
_CLASSES_IN_A_OR_NEW: Final = (
    (b"g", NOTIFY_GENERIC),
    (b"$", NOTIFY_STRING),
    (b"l", NOTIFY_LIST),
    (b"s", NOTIFY_SET),
    (b"h", NOTIFY_HASH),
    (b"z", NOTIFY_ZSET),
    (b"x", NOTIFY_EXPIRED),
    (b"e", NOTIFY_EVICTED),
    (b"t", NOTIFY_STREAM),
    (b"d", NOTIFY_MODULE),
    (b"n", NOTIFY_NEW),
)
_OTHER_CLASSES: Final = (
    (b"K", NOTIFY_KEYSPACE),
    (b"E", NOTIFY_KEYEVENT),
    (b"m", NOTIFY_KEY_MISS),
)
_BITS: Final = dict((*_CLASSES_IN_A_OR_NEW, *_OTHER_CLASSES, (b"A", NOTIFY_ALL)))


def parse_notify_events(letters: bytes) -> int | None:
    """The bits that the letters name, or None if one of them names no class."""
    flags = 0
    for position in range(len(letters)):
        bits = _BITS.get(letters[position : position + 1])
        if bits is None:
            return None
        flags |= bits
    return flags


def format_notify_events(flags: int) -> bytes:
    """The letters as CONFIG GET prints them."""
    if flags & NOTIFY_ALL == NOTIFY_ALL:
        text = b"A"
    else:
        text = b"".join(letter for letter, bits in _CLASSES_IN_A_OR_NEW if flags & bits)
    return text + b"".join(letter for letter, bits in _OTHER_CLASSES if flags & bits)
