"""Keys as such: whether they are there, under which name, in which database.

A cold value stays cold, but for COPY, which needs it. Source: Redis 7.0.15, db.c.
"""

from typing import Final

from redrock import errors
from redrock.commands.arguments import int32
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.datatypes.value import TYPE_NAMES, Value
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC
from redrock.keyspace.database import Database
from redrock.resp.reply import OK, Reply, Status
from redrock.util.glob import match

_TYPE_REPLIES: Final = [Status(name) for name in TYPE_NAMES]
_NO_TYPE: Final = Status(b"none")
# On a server that may not remove expired keys itself, RANDOMKEY may meet nothing else.
_RANDOM_TRIES_MAX: Final = 100


def find_for_write(db: Database, key: bytes) -> Value | None:
    """The value, or its marker if it is cold, of a key about to be written; it counts as used."""
    value = db.peek_write(key)
    if value is not None:
        db.touch_last_use(key, value)
    return value


def is_over(ctx: Context, db: Database, key: bytes) -> bool:
    """Whether the key's time is over, though it may still be there. Removes nothing."""
    at_ms = db.expire_at(key)
    return 0 <= at_ms < ctx.keyspace.now_ms and not ctx.keyspace.loading


def _changed_in(ctx: Context, db: Database, key: bytes, event: bytes) -> None:
    """As `ctx.touch`, in any database, and without counting a change."""
    observers = ctx.observers
    if observers.watching:
        observers.key_changed(db.dbid, key)
    if observers.event_classes & NOTIFY_GENERIC:
        observers.key_event(NOTIFY_GENERIC, event, db.dbid, key)


# --- Whether they are there


def exists(ctx: Context, argv: list[bytes]) -> Reply:
    """EXISTS key [key ...]"""
    db = ctx.db
    count = 0
    for i in range(1, len(argv)):
        if db.peek_read(argv[i]) is not None:
            count += 1
    return count


def touch(ctx: Context, argv: list[bytes]) -> Reply:
    """TOUCH key [key ...]"""
    db = ctx.db
    count = 0
    for i in range(1, len(argv)):
        value = db.peek_read(argv[i])
        if value is not None:
            db.touch_last_use(argv[i], value)
            count += 1
    return count


def type_(ctx: Context, argv: list[bytes]) -> Reply:
    """TYPE key"""
    value = ctx.db.peek_read(argv[1])
    return _NO_TYPE if value is None else _TYPE_REPLIES[value.type_code()]


def keys(ctx: Context, argv: list[bytes]) -> Reply:
    """KEYS pattern"""
    db = ctx.db
    pattern = argv[1]
    # Not what the pattern matches: an empty key is matched by no pattern but the empty one.
    everything = pattern == b"*"
    may_expire = db.expires.length() > 0
    found: list[Reply] = []
    for bucket in db.table.buckets:
        for key in bucket:
            if (everything or match(pattern, key)) and not (may_expire and is_over(ctx, db, key)):
                found.append(key)
    return found


def randomkey(ctx: Context, argv: list[bytes]) -> Reply:
    """RANDOMKEY"""
    db = ctx.db
    tries = 0
    while True:
        key = db.table.random_key(ctx.random)
        if key is None or not is_over(ctx, db, key):
            return key
        # Where the key is removed, there is one less to draw; a follower only sees that it is gone.
        if db.peek(key) is not None:
            return key
        tries += 1
        if tries >= _RANDOM_TRIES_MAX and db.table.length() == db.expires.length() and db.table.contains(key):
            return key


# --- Removing


def delete(ctx: Context, argv: list[bytes]) -> Reply:
    """DEL key [key ...], and UNLINK, which is the same here: memory is freed when the last reference goes."""
    db = ctx.db
    count = 0
    for i in range(1, len(argv)):
        key = argv[i]
        if db.expires.length():
            db.peek(key)  # a key whose time is over is removed by that, and not by this command
        if db.remove(key):
            ctx.touch(key, NOTIFY_GENERIC, b"del")
            count += 1
    return count


# --- Names and databases


def rename(ctx: Context, argv: list[bytes]) -> Reply:
    """RENAME key newkey"""
    _rename(ctx, argv, False)
    return OK


def renamenx(ctx: Context, argv: list[bytes]) -> Reply:
    """RENAMENX key newkey"""
    return 1 if _rename(ctx, argv, True) else 0


def _rename(ctx: Context, argv: list[bytes], only_new: bool) -> bool:
    """Whether the key has another name now."""
    db = ctx.db
    key = argv[1]
    new_key = argv[2]
    if find_for_write(db, key) is None:
        raise ReplyError(errors.NO_SUCH_KEY)
    if key == new_key:
        return False
    if find_for_write(db, new_key) is not None:
        if only_new:
            return False
        db.remove(new_key)
    db.move(key, db, new_key)
    ctx.touch(key, NOTIFY_GENERIC, b"rename_from")
    _changed_in(ctx, db, new_key, b"rename_to")
    return True


def move(ctx: Context, argv: list[bytes]) -> Reply:
    """MOVE key db"""
    if ctx.settings.cluster_enabled:
        raise ReplyError(errors.MOVE_IN_CLUSTER)
    db = ctx.db
    key = argv[1]
    target = ctx.database(int32(argv[2]), errors.DB_INDEX_OUT_OF_RANGE)
    if target is db:
        raise ReplyError(errors.SAME_OBJECT)
    if find_for_write(db, key) is None or find_for_write(target, key) is not None:
        return 0
    db.move(key, target, key)
    ctx.touch(key, NOTIFY_GENERIC, b"move_from")
    _changed_in(ctx, target, key, b"move_to")
    return 1


def copy(ctx: Context, argv: list[bytes]) -> Reply:
    """COPY source destination [DB destination-db] [REPLACE]"""
    db = ctx.db
    target = db
    replace = False
    at = 3
    while at < len(argv):
        option = argv[at].upper()
        if option == b"REPLACE":
            replace = True
        elif option == b"DB" and at + 1 < len(argv):
            at += 1
            target = ctx.database(int32(argv[at]), errors.DB_INDEX_OUT_OF_RANGE)
        else:
            raise ReplyError(errors.SYNTAX)
        at += 1
    if ctx.settings.cluster_enabled and (db.dbid or target.dbid):
        raise ReplyError(errors.COPY_IN_CLUSTER)
    key = argv[1]
    new_key = argv[2]
    if target is db and key == new_key:
        raise ReplyError(errors.SAME_OBJECT)
    value = db.lookup_read(key)
    if value is None:
        return 0
    at_ms = db.expire_at(key)
    is_taken = find_for_write(target, new_key) is not None
    if is_taken and not replace:
        return 0
    duplicate = value.copy()
    if is_taken:
        target.remove(new_key)
    target.put(new_key, duplicate)
    if at_ms != -1:
        target.set_expire(new_key, at_ms)
    ctx.keyspace.dirty += 1
    _changed_in(ctx, target, new_key, b"copy_to")
    return 1


HANDLERS: Final[dict[bytes, Handler]] = {
    b"copy": copy,
    b"del": delete,
    b"exists": exists,
    b"keys": keys,
    b"move": move,
    b"randomkey": randomkey,
    b"rename": rename,
    b"renamenx": renamenx,
    b"touch": touch,
    b"type": type_,
    b"unlink": delete,
}
