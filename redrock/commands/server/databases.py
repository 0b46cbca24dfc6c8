"""Databases as a whole: their size, emptying them, swapping two. Source: Redis 7.0.15, db.c."""

from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.commands.arguments import int32
from redrock.commands.command import Handler
from redrock.errors import ReplyError
from redrock.resp.reply import OK, Reply

if TYPE_CHECKING:
    from redrock.commands.context import Context


def dbsize(ctx: "Context", argv: list[bytes]) -> Reply:
    """DBSIZE"""
    return ctx.db.table.length()


def flushdb(ctx: "Context", argv: list[bytes]) -> Reply:
    """FLUSHDB [ASYNC | SYNC]"""
    _check_flush_option(argv)
    ctx.observers.database_flushed(ctx.db.dbid)
    ctx.keyspace.dirty += ctx.db.clear()
    # Also of an empty database: a follower's may not be.
    ctx.propagate_always()
    return OK


def flushall(ctx: "Context", argv: list[bytes]) -> Reply:
    """FLUSHALL [ASYNC | SYNC]"""
    _check_flush_option(argv)
    ctx.observers.database_flushed(-1)
    for database in ctx.keyspace.databases:
        ctx.keyspace.dirty += database.clear()
    ctx.server.dataset_flushed()
    ctx.propagate_always()
    return OK


def _check_flush_option(argv: list[bytes]) -> None:
    """Either way the keys are gone at once and their memory is freed bit by bit."""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].upper() not in (b"SYNC", b"ASYNC")):
        raise ReplyError(errors.SYNTAX)


def swapdb(ctx: "Context", argv: list[bytes]) -> Reply:
    """SWAPDB index1 index2"""
    if ctx.settings.cluster_enabled:
        raise ReplyError(errors.SWAPDB_IN_CLUSTER)
    first = int32(argv[1], errors.SWAPDB_FIRST_INDEX)
    second = int32(argv[2], errors.SWAPDB_SECOND_INDEX)
    first_database = ctx.database(first, errors.DB_INDEX_OUT_OF_RANGE)
    second_database = ctx.database(second, errors.DB_INDEX_OUT_OF_RANGE)
    ctx.keyspace.dirty += 1
    if first == second:
        return OK
    ctx.transactions.databases_swapped(first, second)
    ctx.keyspace.swap_databases(first, second)
    # A client keeps its number, and so gets the other keys. Who runs this may be no connection: leader, AOF, script.
    clients = ctx.clients.all()
    if ctx.client not in clients:
        clients.append(ctx.client)
    for client in clients:
        if client.database is first_database:
            client.database = second_database
        elif client.database is second_database:
            client.database = first_database
    ctx.db = ctx.client.database
    return OK


HANDLERS: Final[dict[bytes, Handler]] = {
    b"dbsize": dbsize,
    b"flushall": flushall,
    b"flushdb": flushdb,
    b"swapdb": swapdb,
}
