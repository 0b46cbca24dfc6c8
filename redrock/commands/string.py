"""Strings, but for LCS. Source: Redis 7.0.15, t_string.c.

A plain SET is the most frequent write of all: it gets by with one access to the table unless its key has an expire.
Followers are told points in time instead of durations, and sums instead of floating-point increments.
"""

from typing import Final

from redrock import errors
from redrock.clients.client import IS_LEADER_LINK
from redrock.commands.arguments import EXAT, GET, KEEPTTL, NX, PERSIST, PXAT, XX, StringOptions, expire_at_ms, integer
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.datatypes.string import FloatString, StringValue, append, get_range, set_range
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC, NOTIFY_STRING
from redrock.resp.reply import OK, Reply
from redrock.util.long_double import parse_long_double
from redrock.util.numbers import INT64_MAX, INT64_MIN, parse_integer

_SET: Final = b"SET"


def _read(ctx: Context, key: bytes) -> StringValue | None:
    """The string about to be read; None if there is no such key."""
    value = ctx.db.lookup_read(key)
    if value is None:
        return None
    if not isinstance(value, StringValue):
        raise ReplyError(errors.WRONGTYPE)
    return value


def _write(ctx: Context, key: bytes) -> StringValue | None:
    """The string about to be changed; None if there is no such key."""
    value = ctx.db.lookup_write(key)
    if value is None:
        return None
    if not isinstance(value, StringValue):
        raise ReplyError(errors.WRONGTYPE)
    return value


def _is_present(ctx: Context, key: bytes) -> bool:
    """Whether there is such a key, of whatever type. It counts as used, but its value is not needed."""
    db = ctx.db
    value = db.peek_write(key)
    if value is None:
        return False
    db.touch_last_use(key, value)
    return True


def _replace(ctx: Context, key: bytes, data: bytes) -> None:
    """SET without options."""
    db = ctx.db
    if ctx.keyspace.lfu:
        _is_present(ctx, key)
    if db.expires.length() and db.expires.contains(key):
        # If its time is over, followers learn of that first.
        db.peek_write(key)
        db.put(key, StringValue(data))
        db.persist(key)
    else:
        db.put(key, StringValue(data))
    ctx.touch(key, NOTIFY_STRING, b"set")


def _check_length(ctx: Context, length: int, more: int) -> None:
    """Refuse to make a string longer than `proto-max-bulk-len`; what the leader did is not to be judged."""
    if length + more > ctx.settings.proto_max_bulk_len and not ctx.client.gate & IS_LEADER_LINK:
        if not ctx.keyspace.loading:
            raise ReplyError(errors.STRING_TOO_LONG)


# --- Reading


def get(ctx: Context, argv: list[bytes]) -> Reply:
    """GET key"""
    value = ctx.db.lookup_read(argv[1])
    if value is None:
        return None
    if not isinstance(value, StringValue):
        raise ReplyError(errors.WRONGTYPE)
    return value.as_bytes()


def mget(ctx: Context, argv: list[bytes]) -> Reply:
    """MGET key [key ...]"""
    db = ctx.db
    found: list[Reply] = []
    for i in range(1, len(argv)):
        value = db.lookup_read(argv[i])
        found.append(value.as_bytes() if isinstance(value, StringValue) else None)
    return found


def strlen(ctx: Context, argv: list[bytes]) -> Reply:
    """STRLEN key"""
    value = _read(ctx, argv[1])
    return 0 if value is None else value.length()


def getrange(ctx: Context, argv: list[bytes]) -> Reply:
    """GETRANGE key start end, and SUBSTR, its old name"""
    start = integer(argv[2])
    end = integer(argv[3])
    value = _read(ctx, argv[1])
    return b"" if value is None else get_range(value, start, end)


# --- SET and its relatives


def set_(ctx: Context, argv: list[bytes]) -> Reply:
    """SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]"""
    if len(argv) == 3:
        _replace(ctx, argv[1], argv[2])
        return OK
    options = StringOptions(argv, 3, True)
    at_ms = options.expire_at_ms(ctx.now_ms, b"set")
    return _set(ctx, argv, argv[1], argv[2], options.flags, at_ms)


def setex(ctx: Context, argv: list[bytes]) -> Reply:
    """SETEX key seconds value"""
    at_ms = expire_at_ms(argv[2], True, ctx.now_ms, b"setex")
    return _set(ctx, argv, argv[1], argv[3], 0, at_ms)


def psetex(ctx: Context, argv: list[bytes]) -> Reply:
    """PSETEX key milliseconds value"""
    at_ms = expire_at_ms(argv[2], False, ctx.now_ms, b"psetex")
    return _set(ctx, argv, argv[1], argv[3], 0, at_ms)


def setnx(ctx: Context, argv: list[bytes]) -> Reply:
    """SETNX key value"""
    return 0 if _set(ctx, argv, argv[1], argv[2], NX, -1) is None else 1


def _set(ctx: Context, argv: list[bytes], key: bytes, data: bytes, flags: int, at_ms: int) -> Reply:
    """SET with options. ``at_ms``: when the key is to expire; -1: not given."""
    db = ctx.db
    reply: Reply = OK
    refusal: Reply = None
    if flags & GET:
        old = _read(ctx, key)
        reply = refusal = None if old is None else old.as_bytes()
    present = _is_present(ctx, key)
    if (flags & NX and present) or (flags & XX and not present):
        return refusal
    db.put(key, StringValue(data))
    if not flags & KEEPTTL:
        db.persist(key)
    ctx.touch(key, NOTIFY_STRING, b"set")
    if at_ms >= 0:
        db.set_expire(key, at_ms)
        ctx.propagate_as([_SET, key, data, b"PXAT", b"%d" % at_ms])
        ctx.notify(key, NOTIFY_GENERIC, b"expire")
    elif flags & GET:
        ctx.propagate_as(argv[:3] + [option for option in argv[3:] if option.upper() != b"GET"])
    return reply


def mset(ctx: Context, argv: list[bytes]) -> Reply:
    """MSET key value [key value ...]"""
    if len(argv) % 2 == 0:
        raise ReplyError(errors.wrong_arity(b"mset"))
    for i in range(1, len(argv), 2):
        _replace(ctx, argv[i], argv[i + 1])
    return OK


def msetnx(ctx: Context, argv: list[bytes]) -> Reply:
    """MSETNX key value [key value ...]"""
    if len(argv) % 2 == 0:
        raise ReplyError(errors.wrong_arity(b"msetnx"))
    for i in range(1, len(argv), 2):
        if _is_present(ctx, argv[i]):
            return 0
    for i in range(1, len(argv), 2):
        _replace(ctx, argv[i], argv[i + 1])
    return 1


def getset(ctx: Context, argv: list[bytes]) -> Reply:
    """GETSET key value"""
    old = _read(ctx, argv[1])
    reply = None if old is None else old.as_bytes()
    _replace(ctx, argv[1], argv[2])
    ctx.propagate_as([_SET, argv[1], argv[2]])
    return reply


def getdel(ctx: Context, argv: list[bytes]) -> Reply:
    """GETDEL key"""
    key = argv[1]
    value = _read(ctx, key)
    if value is None:
        return None
    data = value.as_bytes()
    ctx.db.remove(key)
    ctx.propagate_as([b"UNLINK" if ctx.settings.lazyfree_lazy_user_del else b"DEL", key])
    ctx.touch(key, NOTIFY_GENERIC, b"del")
    return data


def getex(ctx: Context, argv: list[bytes]) -> Reply:
    """GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]"""
    key = argv[1]
    options = StringOptions(argv, 2, False)
    value = _read(ctx, key)
    if value is None:
        return None
    at_ms = options.expire_at_ms(ctx.now_ms, b"getex")
    data = value.as_bytes()
    db = ctx.db
    keyspace = ctx.keyspace
    is_absolute = options.flags & (EXAT | PXAT) != 0
    if is_absolute and at_ms <= keyspace.now_ms and not keyspace.loading and not keyspace.follower:
        db.remove(key)
        ctx.propagate_as([b"UNLINK" if ctx.settings.lazyfree_lazy_expire else b"DEL", key])
        ctx.touch(key, NOTIFY_GENERIC, b"del")
    elif at_ms >= 0:
        db.set_expire(key, at_ms)
        ctx.propagate_as([b"PEXPIREAT", key, b"%d" % at_ms])
        ctx.touch(key, NOTIFY_GENERIC, b"expire")
    elif options.flags & PERSIST and db.persist(key):
        ctx.propagate_as([b"PERSIST", key])
        ctx.touch(key, NOTIFY_GENERIC, b"persist")
    return data


# --- Numbers


def incr(ctx: Context, argv: list[bytes]) -> Reply:
    """INCR key"""
    return _increment(ctx, argv[1], 1)


def decr(ctx: Context, argv: list[bytes]) -> Reply:
    """DECR key"""
    return _increment(ctx, argv[1], -1)


def incrby(ctx: Context, argv: list[bytes]) -> Reply:
    """INCRBY key increment"""
    return _increment(ctx, argv[1], integer(argv[2]))


def decrby(ctx: Context, argv: list[bytes]) -> Reply:
    """DECRBY key decrement"""
    decrement = integer(argv[2])
    if decrement == INT64_MIN:
        raise ReplyError(errors.DECREMENT_OVERFLOW)
    return _increment(ctx, argv[1], -decrement)


def _increment(ctx: Context, key: bytes, increment: int) -> int:
    db = ctx.db
    value = db.lookup_write(key)
    if value is None:
        total = increment
        db.put(key, StringValue(str(total).encode()))
    else:
        if not isinstance(value, StringValue):
            raise ReplyError(errors.WRONGTYPE)
        present = parse_integer(value.as_bytes())
        if present is None:
            raise ReplyError(errors.NOT_AN_INTEGER)
        total = present + increment
        if total > INT64_MAX or total < INT64_MIN:
            raise ReplyError(errors.INCREMENT_OVERFLOW)
        data = str(total).encode()
        if type(value) is StringValue:
            # Accounted when the command is over, as any value that lookup_write has handed out.
            value.data = data
        else:
            db.put(key, StringValue(data))
    ctx.touch(key, NOTIFY_STRING, b"incrby")
    return total


def incrbyfloat(ctx: Context, argv: list[bytes]) -> Reply:
    """INCRBYFLOAT key increment"""
    key = argv[1]
    value = _write(ctx, key)
    present = parse_long_double(b"0" if value is None else value.as_bytes())
    increment = parse_long_double(argv[2])
    if present is None or increment is None:
        raise ReplyError(errors.NOT_A_FLOAT)
    total = present.plus(increment)
    if not total.is_finite():
        raise ReplyError(errors.INCREMENT_NOT_FINITE)
    text = total.format()
    ctx.db.put(key, FloatString(text))
    ctx.touch(key, NOTIFY_STRING, b"incrbyfloat")
    # Followers must not redo float arithmetic: they are told the outcome.
    ctx.propagate_as([_SET, key, text, b"KEEPTTL"])
    return text


# --- Changing in place


def append_(ctx: Context, argv: list[bytes]) -> Reply:
    """APPEND key value"""
    key = argv[1]
    value = _write(ctx, key)
    if value is None:
        ctx.db.put(key, StringValue(argv[2]))
        length = len(argv[2])
    else:
        _check_length(ctx, value.length(), len(argv[2]))
        changed = append(value, argv[2])
        if changed is not value:
            ctx.db.put(key, changed)
        length = changed.length()
    ctx.touch(key, NOTIFY_STRING, b"append")
    return length


def setrange(ctx: Context, argv: list[bytes]) -> Reply:
    """SETRANGE key offset value"""
    key = argv[1]
    offset = integer(argv[2])
    if offset < 0:
        raise ReplyError(errors.OFFSET_OUT_OF_RANGE)
    patch = argv[3]
    value = _write(ctx, key)
    if not patch:
        return 0 if value is None else value.length()
    _check_length(ctx, offset, len(patch))
    changed = set_range(value, offset, patch)
    if changed is not value:
        ctx.db.put(key, changed)
    ctx.touch(key, NOTIFY_STRING, b"setrange")
    return changed.length()


HANDLERS: Final[dict[bytes, Handler]] = {
    b"append": append_,
    b"decr": decr,
    b"decrby": decrby,
    b"get": get,
    b"getdel": getdel,
    b"getex": getex,
    b"getrange": getrange,
    b"getset": getset,
    b"incr": incr,
    b"incrby": incrby,
    b"incrbyfloat": incrbyfloat,
    b"mget": mget,
    b"mset": mset,
    b"msetnx": msetnx,
    b"psetex": psetex,
    b"set": set_,
    b"setex": setex,
    b"setnx": setnx,
    b"setrange": setrange,
    b"strlen": strlen,
    b"substr": getrange,
}
