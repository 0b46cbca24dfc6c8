"""Hashes. Source: Redis 7.0.15, t_hash.c.

A hash that becomes empty is removed; one that has fields is changed in place. Thresholds of the small form are settings
(`hash-max-listpack-entries`, `hash-max-listpack-value`).
"""

from typing import Final

from mypy_extensions import i64

from redrock import errors
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.commands.scan_arguments import ScanArguments, parse_cursor
from redrock.datatypes.hash import HashValue
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC, NOTIFY_HASH
from redrock.resp.reply import OK, MapReply, Reply
from redrock.util import glob
from redrock.util.long_double import parse_long_double
from redrock.util.numbers import INT64_MAX, INT64_MIN, parse_integer

_HSET: Final = b"HSET"
_COUNT_WITH_VALUES_MAX: Final = INT64_MAX // 2


def _read(ctx: Context, key: bytes) -> HashValue | None:
    """The hash about to be read; None if there is no such key."""
    value = ctx.db.lookup_read(key)
    if value is None:
        return None
    if not isinstance(value, HashValue):
        raise ReplyError(errors.WRONGTYPE)
    return value


def _write(ctx: Context, key: bytes) -> HashValue | None:
    """The hash about to be changed; None if there is no such key."""
    value = ctx.db.lookup_write(key)
    if value is None:
        return None
    if not isinstance(value, HashValue):
        raise ReplyError(errors.WRONGTYPE)
    return value


# --- Reading


def hget(ctx: Context, argv: list[bytes]) -> Reply:
    """HGET key field"""
    value = _read(ctx, argv[1])
    if value is None:
        return None
    return value.get(argv[2])


def hmget(ctx: Context, argv: list[bytes]) -> Reply:
    """HMGET key field [field ...]"""
    value = _read(ctx, argv[1])
    if value is None:
        return [None] * (len(argv) - 2)
    return [value.get(field) for field in argv[2:]]


def hexists(ctx: Context, argv: list[bytes]) -> Reply:
    """HEXISTS key field"""
    value = _read(ctx, argv[1])
    if value is None:
        return 0
    return 1 if value.exists(argv[2]) else 0


def hlen(ctx: Context, argv: list[bytes]) -> Reply:
    """HLEN key"""
    value = _read(ctx, argv[1])
    if value is None:
        return 0
    return value.length()


def hstrlen(ctx: Context, argv: list[bytes]) -> Reply:
    """HSTRLEN key field"""
    value = _read(ctx, argv[1])
    if value is None:
        return 0
    return value.strlen(argv[2])


def hgetall(ctx: Context, argv: list[bytes]) -> Reply:
    """HGETALL key"""
    value = _read(ctx, argv[1])
    if value is None:
        return MapReply([])
    return MapReply(value.flat())


def hkeys(ctx: Context, argv: list[bytes]) -> Reply:
    """HKEYS key"""
    value = _read(ctx, argv[1])
    if value is None:
        return []
    return value.fields()


def hvals(ctx: Context, argv: list[bytes]) -> Reply:
    """HVALS key"""
    value = _read(ctx, argv[1])
    if value is None:
        return []
    return value.value_list()


def hscan(ctx: Context, argv: list[bytes]) -> Reply:
    """HSCAN key cursor [MATCH pattern] [COUNT count]"""
    cursor = parse_cursor(argv[2])
    value = _read(ctx, argv[1])
    # Redis looks at the options only if there is something to scan.
    if value is None:
        return [b"0", []]
    arguments = ScanArguments(argv, 3, False)
    following, pairs = value.scan(cursor, arguments.count)
    pattern = arguments.pattern
    found: list[Reply] = []
    for field, content in pairs:
        if pattern is None or glob.match(pattern, field):
            found.append(field)
            found.append(content)
    return [b"%d" % following, found]


def hrandfield(ctx: Context, argv: list[bytes]) -> Reply:
    """HRANDFIELD key [count [WITHVALUES]]"""
    if len(argv) == 2:
        value = _read(ctx, argv[1])
        if value is None:
            return None
        return value.random_field(ctx.random)
    count = parse_integer(argv[2])
    if count is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    if count == INT64_MIN:
        raise ReplyError(errors.RANDOM_COUNT_RANGE)
    if len(argv) > 4 or (len(argv) == 4 and argv[3].upper() != b"WITHVALUES"):
        raise ReplyError(errors.SYNTAX)
    with_values = len(argv) == 4
    if with_values and not -_COUNT_WITH_VALUES_MAX <= count <= _COUNT_WITH_VALUES_MAX:
        raise ReplyError(errors.OUT_OF_RANGE)
    value = _read(ctx, argv[1])
    if value is None or count == 0:
        return []
    if count < 0:
        pairs = value.random_pairs(-count, ctx.random)
    else:
        pairs = value.distinct_pairs(count, ctx.random)
    drawn: list[Reply] = []
    nested = ctx.client.resp > 2
    for field, content in pairs:
        if not with_values:
            drawn.append(field)
        elif nested:
            drawn.append([field, content])
        else:
            drawn.append(field)
            drawn.append(content)
    return drawn


# --- Changing


def _set_fields(ctx: Context, argv: list[bytes], name: bytes) -> i64:
    """Both HSET and HMSET; how many fields are new."""
    if len(argv) % 2 == 1:
        raise ReplyError(errors.wrong_arity(name))
    key = argv[1]
    settings = ctx.settings
    value = _write(ctx, key)
    if value is None:
        value = HashValue()
        added = value.set_many(argv, 2, settings.hash_max_listpack_entries, settings.hash_max_listpack_value)
        ctx.db.put(key, value)
    else:
        added = value.set_many(argv, 2, settings.hash_max_listpack_entries, settings.hash_max_listpack_value)
    ctx.touch(key, NOTIFY_HASH, b"hset", (len(argv) - 2) // 2)
    return added


def hset(ctx: Context, argv: list[bytes]) -> Reply:
    """HSET key field value [field value ...]"""
    return _set_fields(ctx, argv, b"hset")


def hmset(ctx: Context, argv: list[bytes]) -> Reply:
    """HMSET key field value [field value ...]"""
    _set_fields(ctx, argv, b"hmset")
    return OK


def _set_field(ctx: Context, key: bytes, value: HashValue | None, field: bytes, content: bytes) -> None:
    """Set one field of the hash at ``key``, which is ``value`` or, if that is None, to be made."""
    settings = ctx.settings
    if value is not None:
        value.set(field, content, settings.hash_max_listpack_entries, settings.hash_max_listpack_value)
        return
    value = HashValue()
    value.set(field, content, settings.hash_max_listpack_entries, settings.hash_max_listpack_value)
    ctx.db.put(key, value)


def hsetnx(ctx: Context, argv: list[bytes]) -> Reply:
    """HSETNX key field value"""
    value = _write(ctx, argv[1])
    if value is not None and value.exists(argv[2]):
        return 0
    _set_field(ctx, argv[1], value, argv[2], argv[3])
    ctx.touch(argv[1], NOTIFY_HASH, b"hset")
    return 1


def hincrby(ctx: Context, argv: list[bytes]) -> Reply:
    """HINCRBY key field increment"""
    increment = parse_integer(argv[3])
    if increment is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    value = _write(ctx, argv[1])
    total = increment
    if value is not None:
        content = value.get(argv[2])
        if content is not None:
            present = parse_integer(content)
            if present is None:
                raise ReplyError(errors.HASH_VALUE_NOT_AN_INTEGER)
            total = present + increment
            if not INT64_MIN <= total <= INT64_MAX:
                raise ReplyError(errors.HASH_INCREMENT_OVERFLOW)
    _set_field(ctx, argv[1], value, argv[2], b"%d" % total)
    ctx.touch(argv[1], NOTIFY_HASH, b"hincrby")
    return total


def hincrbyfloat(ctx: Context, argv: list[bytes]) -> Reply:
    """HINCRBYFLOAT key field increment"""
    increment = parse_long_double(argv[3])
    if increment is None:
        raise ReplyError(errors.NOT_A_FLOAT)
    if not increment.is_finite():
        raise ReplyError(errors.HASH_INCREMENT_NOT_FINITE)
    value = _write(ctx, argv[1])
    content = None if value is None else value.get(argv[2])
    total = increment
    if content is not None:
        present = parse_long_double(content)
        if present is None:
            raise ReplyError(errors.HASH_VALUE_NOT_A_FLOAT)
        total = present.plus(increment)
    if not total.is_finite():
        raise ReplyError(errors.HASH_TOTAL_NOT_FINITE)
    text = total.format()
    _set_field(ctx, argv[1], value, argv[2], text)
    ctx.touch(argv[1], NOTIFY_HASH, b"hincrbyfloat")
    # Followers must not redo float arithmetic: they are told the outcome.
    ctx.propagate_as([_HSET, argv[1], argv[2], text])
    return text


def hdel(ctx: Context, argv: list[bytes]) -> Reply:
    """HDEL key field [field ...]"""
    key = argv[1]
    value = _write(ctx, key)
    if value is None:
        return 0
    deleted = 0
    for field in argv[2:]:
        if value.delete(field):
            deleted += 1
            if value.length() == 0:
                break
    if deleted:
        ctx.touch(key, NOTIFY_HASH, b"hdel", deleted)
        if value.length() == 0:
            ctx.db.remove(key)
            ctx.notify(key, NOTIFY_GENERIC, b"del")
    return deleted


HANDLERS: Final[dict[bytes, Handler]] = {
    b"hdel": hdel,
    b"hexists": hexists,
    b"hget": hget,
    b"hgetall": hgetall,
    b"hincrby": hincrby,
    b"hincrbyfloat": hincrbyfloat,
    b"hkeys": hkeys,
    b"hlen": hlen,
    b"hmget": hmget,
    b"hmset": hmset,
    b"hrandfield": hrandfield,
    b"hscan": hscan,
    b"hset": hset,
    b"hsetnx": hsetnx,
    b"hstrlen": hstrlen,
    b"hvals": hvals,
}
