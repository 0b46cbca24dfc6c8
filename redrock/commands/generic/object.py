"""OBJECT: what is known of a value beside its content. Nothing here loads a cold value or counts as a use.

Source: Redis 7.0.15, object.c, objectCommand.
Differs from Redis: of a cold value no last use is kept. It is shown as the longest idle there can be, or as never used,
since that is how it compares with the others.
"""

from typing import Final

from redrock import errors
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.commands.help import help_reply
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import ColdMarker, Value
from redrock.errors import ReplyError
from redrock.keyspace.last_use import LRU_CLOCK_MAX, idle_ms
from redrock.resp.reply import Reply

_SHARED_INTEGERS: Final = 10000
_SHARED_REFCOUNT: Final = 2**31 - 1
# With these, every value needs a last-use word of its own, so that Redis shares none.
_POLICIES_WITHOUT_SHARING: Final = frozenset(("volatile-lru", "volatile-lfu", "allkeys-lru", "allkeys-lfu"))

_HELP: Final = (
    b"ENCODING <key>",
    b"    Name the internal representation of the value at <key>.",
    b"FREQ <key>",
    b"    Tell how often <key> is used: a counter from 0 to 255 that grows with the logarithm of the number of",
    b"    uses and fades with time. Needs an LFU maxmemory policy.",
    b"IDLETIME <key>",
    b"    Tell for about how many seconds <key> has not been used. Needs a maxmemory policy other than LFU.",
    b"REFCOUNT <key>",
    b"    Tell how many references to the value at <key> there are.",
)


def _find(ctx: Context, key: bytes) -> Value | None:
    """Counts a hit or a miss; a miss causes no event."""
    value = ctx.db.peek(key)
    if value is None:
        ctx.keyspace.misses += 1
    else:
        ctx.keyspace.hits += 1
    return value


def object_encoding(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT ENCODING key"""
    value = _find(ctx, argv[2])
    return None if value is None else value.encoding()


def object_freq(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT FREQ key"""
    value = _find(ctx, argv[2])
    if value is None:
        return None
    keyspace = ctx.keyspace
    if not keyspace.lfu:
        raise ReplyError(errors.FREQ_WITHOUT_LFU)
    return 0 if isinstance(value, ColdMarker) else int(keyspace.lfu_clock.counter(value.last_use))


def object_idletime(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT IDLETIME key"""
    value = _find(ctx, argv[2])
    if value is None:
        return None
    keyspace = ctx.keyspace
    if keyspace.lfu:
        raise ReplyError(errors.IDLETIME_UNDER_LFU)
    if isinstance(value, ColdMarker):
        return LRU_CLOCK_MAX
    return idle_ms(value.last_use, keyspace.lru_clock) // 1000


def object_refcount(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT REFCOUNT key"""
    value = _find(ctx, argv[2])
    if value is None:
        return None
    settings = ctx.settings
    if not isinstance(value, StringValue) or (
        settings.maxmemory and settings.maxmemory_policy in _POLICIES_WITHOUT_SHARING
    ):
        return 1
    # Nothing is shared here, but small integers look as they do in Redis.
    if value.encoding() == b"int" and 0 <= int(value.as_bytes()) < _SHARED_INTEGERS:
        return _SHARED_REFCOUNT
    return 1


def object_help(ctx: Context, argv: list[bytes]) -> Reply:
    """OBJECT HELP"""
    return help_reply(argv, _HELP)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"object|encoding": object_encoding,
    b"object|freq": object_freq,
    b"object|help": object_help,
    b"object|idletime": object_idletime,
    b"object|refcount": object_refcount,
}
