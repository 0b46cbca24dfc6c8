"""Strings. Source: Redis 7.0.15, t_string.c."""

from typing import Final

from redrock import errors
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.datatypes.string import StringValue
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_STRING
from redrock.resp.reply import OK, Reply


def get(ctx: Context, argv: list[bytes]) -> Reply:
    """GET key"""
    value = ctx.db.lookup_read(argv[1])
    if value is None:
        return None
    if not isinstance(value, StringValue):
        raise ReplyError(errors.WRONGTYPE)
    return value.as_bytes()


def set_(ctx: Context, argv: list[bytes]) -> Reply:
    """SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]"""
    key = argv[1]
    ctx.db.peek_write(key)
    ctx.db.put(key, StringValue(argv[2]))
    ctx.db.persist(key)
    ctx.touch(key, NOTIFY_STRING, b"set")
    return OK


HANDLERS: Final[dict[bytes, Handler]] = {
    b"get": get,
    b"set": set_,
}
