"""How long keys have to live. A duration reaches followers and the AOF as a point in time.

Source: Redis 7.0.15, expire.c. Whether the value is cold makes no difference here.
"""

from typing import Final

from redrock import errors
from redrock.commands.arguments import integer
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.commands.generic.keys import find_for_write
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC
from redrock.resp.reply import Reply
from redrock.util.numbers import INT64_MAX

_NX: Final = 1 << 0
_XX: Final = 1 << 1
_GT: Final = 1 << 2
_LT: Final = 1 << 3
_CONDITIONS: Final = {b"NX": _NX, b"XX": _XX, b"GT": _GT, b"LT": _LT}

# LLONG_MAX / 1000, and LLONG_MIN / 1000 as C rounds it, towards zero.
_SECONDS_MAX: Final = INT64_MAX // 1000
_SECONDS_MIN: Final = -_SECONDS_MAX


def expire(ctx: Context, argv: list[bytes]) -> Reply:
    """EXPIRE key seconds [NX | XX | GT | LT]"""
    return _expire(ctx, argv, ctx.now_ms, True, b"expire")


def pexpire(ctx: Context, argv: list[bytes]) -> Reply:
    """PEXPIRE key milliseconds [NX | XX | GT | LT]"""
    return _expire(ctx, argv, ctx.now_ms, False, b"pexpire")


def expireat(ctx: Context, argv: list[bytes]) -> Reply:
    """EXPIREAT key unix-time-seconds [NX | XX | GT | LT]"""
    return _expire(ctx, argv, 0, True, b"expireat")


def pexpireat(ctx: Context, argv: list[bytes]) -> Reply:
    """PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]"""
    return _expire(ctx, argv, 0, False, b"pexpireat")


def _expire(ctx: Context, argv: list[bytes], base_ms: int, seconds: bool, name: bytes) -> int:
    """1 if the key has got that expire (or is gone at once, as the time is over), 0 if not."""
    conditions = _parse_conditions(argv) if len(argv) > 3 else 0
    at_ms = integer(argv[2])
    if seconds:
        if at_ms > _SECONDS_MAX or at_ms < _SECONDS_MIN:
            raise ReplyError(errors.invalid_expire_time(name))
        at_ms *= 1000
    at_ms += base_ms
    if at_ms > INT64_MAX:
        raise ReplyError(errors.invalid_expire_time(name))
    db = ctx.db
    key = argv[1]
    if find_for_write(db, key) is None:
        return 0
    if conditions and not _is_met(conditions, db.expire_at(key), at_ms):
        return 0
    keyspace = ctx.keyspace
    if at_ms <= keyspace.now_ms and not keyspace.loading and not keyspace.follower:
        db.remove(key)
        ctx.propagate_as([b"UNLINK" if ctx.settings.lazyfree_lazy_expire else b"DEL", key])
        ctx.touch(key, NOTIFY_GENERIC, b"del")
        return 1
    db.set_expire(key, at_ms)
    if seconds or base_ms:
        ctx.propagate_as([b"PEXPIREAT", key, b"%d" % at_ms, *argv[3:]])
    ctx.touch(key, NOTIFY_GENERIC, b"expire")
    return 1


def _parse_conditions(argv: list[bytes]) -> int:
    conditions = 0
    for i in range(3, len(argv)):
        condition = _CONDITIONS.get(argv[i].upper())
        if condition is None:
            raise ReplyError(errors.expire_option(argv[i]))
        conditions |= condition
    if conditions & _NX and conditions != _NX:
        raise ReplyError(errors.EXPIRE_NX_AND_OTHERS)
    if conditions & _GT and conditions & _LT:
        raise ReplyError(errors.EXPIRE_GT_AND_LT)
    return conditions


def _is_met(conditions: int, present_ms: int, at_ms: int) -> bool:
    """``present_ms`` -1: the key does not expire, which counts as infinitely late."""
    if present_ms == -1:
        return not conditions & (_XX | _GT)
    if conditions & _NX:
        return False
    if conditions & _GT and at_ms <= present_ms:
        return False
    return not (conditions & _LT and at_ms >= present_ms)


def ttl(ctx: Context, argv: list[bytes]) -> Reply:
    """TTL key"""
    return _in_seconds(_time_left(ctx, argv[1], ctx.now_ms))


def pttl(ctx: Context, argv: list[bytes]) -> Reply:
    """PTTL key"""
    return _time_left(ctx, argv[1], ctx.now_ms)


def expiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """EXPIRETIME key"""
    return _in_seconds(_time_left(ctx, argv[1], 0))


def pexpiretime(ctx: Context, argv: list[bytes]) -> Reply:
    """PEXPIRETIME key"""
    return _time_left(ctx, argv[1], 0)


def _time_left(ctx: Context, key: bytes, since_ms: int) -> int:
    """Milliseconds from ``since_ms`` to the expire; -2: no such key, -1: it does not expire."""
    db = ctx.db
    if db.peek_read(key) is None:
        return -2
    at_ms = db.expire_at(key)
    return -1 if at_ms == -1 else max(at_ms - since_ms, 0)


def _in_seconds(time_ms: int) -> int:
    """Rounded to the nearest; the two negative answers stay."""
    return time_ms if time_ms < 0 else (time_ms + 500) // 1000


def persist(ctx: Context, argv: list[bytes]) -> Reply:
    """PERSIST key"""
    db = ctx.db
    key = argv[1]
    if find_for_write(db, key) is None or not db.persist(key):
        return 0
    ctx.touch(key, NOTIFY_GENERIC, b"persist")
    return 1


HANDLERS: Final[dict[bytes, Handler]] = {
    b"expire": expire,
    b"expireat": expireat,
    b"expiretime": expiretime,
    b"persist": persist,
    b"pexpire": pexpire,
    b"pexpireat": pexpireat,
    b"pexpiretime": pexpiretime,
    b"pttl": pttl,
    b"ttl": ttl,
}
