"""TIME, SHUTDOWN, MONITOR, LOLWUT. Source: Redis 7.0.15, server.c, db.c, replication.c, lolwut.c."""

import time
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.clients.client import IS_MONITOR, IS_REPLICA
from redrock.commands.command import Handler
from redrock.commands.connection import REDIS_VERSION
from redrock.errors import ReplyError
from redrock.resp.reply import NO_REPLY, OK, Reply, Verbatim
from redrock.util.numbers import parse_integer

if TYPE_CHECKING:
    from redrock.commands.context import Context

_ROCKS: Final = (
    "                  ___",
    "         __      /   \\__",
    "     ___/  \\____/       \\___",
    " ___/      __               \\_",
    "/       __/  \\___    ___      \\___",
)


def time_(ctx: "Context", argv: list[bytes]) -> Reply:
    """TIME"""
    seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return [b"%d" % seconds, b"%d" % microseconds]


def shutdown(ctx: "Context", argv: list[bytes]) -> Reply:
    """SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]"""
    options = {argument.upper() for argument in argv[1:]}
    if options - {b"NOSAVE", b"SAVE", b"NOW", b"FORCE", b"ABORT"}:
        raise ReplyError(errors.SYNTAX)
    abort = b"ABORT" in options
    if (abort and len(options) > 1) or options >= {b"NOSAVE", b"SAVE"}:
        raise ReplyError(errors.SYNTAX)
    if abort:
        if not ctx.server.abort_shutdown():
            raise ReplyError(errors.NO_SHUTDOWN)
        return OK
    if b"NOW" not in options and ctx.deny_blocking:
        raise ReplyError(errors.SHUTDOWN_IN_EXEC)
    return ctx.server.request_shutdown(b"SAVE" in options, b"NOSAVE" in options, b"NOW" in options, b"FORCE" in options)


def monitor(ctx: "Context", argv: list[bytes]) -> Reply:
    """MONITOR"""
    client = ctx.client
    if ctx.deny_blocking:
        raise ReplyError(errors.MONITOR_IN_EXEC)
    if client.gate & (IS_REPLICA | IS_MONITOR):
        return NO_REPLY
    ctx.server.add_monitor(client)
    return OK


def lolwut(ctx: "Context", argv: list[bytes]) -> Reply:
    """LOLWUT [VERSION version]: one picture for all versions."""
    if len(argv) >= 3 and argv[1].upper() == b"VERSION" and parse_integer(argv[2]) is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    picture = "\n".join(_ROCKS).encode()
    return Verbatim(picture + b"\n\nRedis ver. " + REDIS_VERSION + b"\n")


HANDLERS: Final[dict[bytes, Handler]] = {
    b"lolwut": lolwut,
    b"monitor": monitor,
    b"shutdown": shutdown,
    b"time": time_,
}
