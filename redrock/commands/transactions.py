"""MULTI, EXEC, DISCARD, WATCH, UNWATCH. Source: Redis 7.0.15, multi.c."""

from typing import Final

from redrock import errors
from redrock.clients.client import DIRTY_CAS, DIRTY_EXEC, IN_MULTI
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.errors import ReplyError
from redrock.resp.reply import NULL_ARRAY, OK, Reply


def multi(ctx: Context, argv: list[bytes]) -> Reply:
    """MULTI"""
    if ctx.client.gate & IN_MULTI:
        raise ReplyError(errors.MULTI_NESTED)
    ctx.transactions.begin(ctx.client)
    return OK


def discard(ctx: Context, argv: list[bytes]) -> Reply:
    """DISCARD"""
    if not ctx.client.gate & IN_MULTI:
        raise ReplyError(errors.DISCARD_WITHOUT_MULTI)
    ctx.transactions.discard(ctx.client)
    return OK


def execute(ctx: Context, argv: list[bytes]) -> Reply:
    """EXEC"""
    client = ctx.client
    transactions = ctx.transactions
    if not client.gate & IN_MULTI:
        raise ReplyError(errors.EXEC_WITHOUT_MULTI)
    if transactions.has_expired_watch(client):
        client.gate |= DIRTY_CAS
    if client.gate & (DIRTY_CAS | DIRTY_EXEC):
        failed = (client.gate & DIRTY_EXEC) != 0
        transactions.discard(client)
        if failed:
            raise ReplyError(errors.EXECABORT)
        return NULL_ARRAY
    # What the queued commands change is no reason to abort. But the client is in its transaction until they have run.
    transactions.unwatch(client)
    # EXEC never goes to followers itself: its effects do, between MULTI and EXEC if they are several.
    ctx.propagate_nothing()
    replies: list[Reply] = []
    ctx.in_exec = True
    outer_deny_blocking = ctx.deny_blocking
    ctx.deny_blocking = True
    for inner in client.queued:
        replies.append(ctx.server.run(inner))
    ctx.deny_blocking = outer_deny_blocking
    ctx.in_exec = False
    transactions.discard(client)
    return replies


def watch(ctx: Context, argv: list[bytes]) -> Reply:
    """WATCH key [key ...]"""
    client = ctx.client
    if client.gate & IN_MULTI:
        raise ReplyError(errors.WATCH_IN_MULTI)
    # No point in watching more when EXEC is going to abort anyway.
    if client.gate & DIRTY_CAS:
        return OK
    for key in argv[1:]:
        ctx.transactions.watch(client, ctx.db.dbid, key)
    return OK


def unwatch(ctx: Context, argv: list[bytes]) -> Reply:
    """UNWATCH"""
    ctx.transactions.unwatch(ctx.client)
    ctx.client.gate &= ~DIRTY_CAS
    return OK


HANDLERS: Final[dict[bytes, Handler]] = {
    b"multi": multi,
    b"exec": execute,
    b"discard": discard,
    b"watch": watch,
    b"unwatch": unwatch,
}
