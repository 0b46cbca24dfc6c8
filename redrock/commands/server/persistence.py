"""SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE: orders to `persistence.service`, with Redis's answers to what cannot be now.

Source: Redis 7.0.15, rdb.c (saveCommand, bgsaveCommand) and aof.c (bgrewriteaofCommand).
"""

from typing import TYPE_CHECKING, Final

from persistence.status import CHILD_AOF, CHILD_RDB
from redrock import errors
from redrock.commands.command import Handler
from redrock.errors import ReplyError
from redrock.resp.reply import OK, Reply, Status

if TYPE_CHECKING:
    from redrock.commands.context import Context

_BGSAVE_STARTED: Final = Status(b"Background saving started")
_BGSAVE_SCHEDULED: Final = Status(b"Background saving scheduled")
_REWRITE_STARTED: Final = Status(b"Background append only file rewriting started")
_REWRITE_SCHEDULED: Final = Status(b"Background append only file rewriting scheduled")


def save(ctx: "Context", argv: list[bytes]) -> Reply:
    """SAVE"""
    if ctx.persistence.status.child_kind == CHILD_RDB:
        raise ReplyError(errors.BGSAVE_IN_PROGRESS)
    if not ctx.persistence.save():
        raise ReplyError(errors.SAVE_FAILED)
    return OK


def bgsave(ctx: "Context", argv: list[bytes]) -> Reply:
    """BGSAVE [SCHEDULE]"""
    if len(argv) > 2 or (len(argv) == 2 and argv[1].lower() != b"schedule"):
        raise ReplyError(errors.SYNTAX)
    status = ctx.persistence.status
    if status.child_kind == CHILD_RDB:
        raise ReplyError(errors.BGSAVE_IN_PROGRESS)
    if status.has_child or ctx.in_exec:
        # Inside EXEC a snapshot would hold half of the transaction.
        if len(argv) < 2 and not ctx.in_exec:
            raise ReplyError(errors.BGSAVE_OTHER_CHILD)
        status.rdb_bgsave_scheduled = True
        return _BGSAVE_SCHEDULED
    if not ctx.persistence.start_bgsave():
        raise ReplyError(errors.SAVE_FAILED)
    return _BGSAVE_STARTED


def bgrewriteaof(ctx: "Context", argv: list[bytes]) -> Reply:
    """BGREWRITEAOF"""
    status = ctx.persistence.status
    if status.child_kind == CHILD_AOF:
        raise ReplyError(errors.BGREWRITEAOF_IN_PROGRESS)
    if status.has_child or ctx.in_exec:
        status.aof_rewrite_scheduled = True
        # Somebody is looking: the pause that repeated failures have brought on is over.
        status.aof_rewrites_consecutive_failures = 0
        return _REWRITE_SCHEDULED
    if not ctx.persistence.start_rewrite():
        raise ReplyError(errors.BGREWRITEAOF_FAILED)
    return _REWRITE_STARTED


def lastsave(ctx: "Context", argv: list[bytes]) -> Reply:
    """LASTSAVE"""
    return ctx.persistence.status.rdb_last_save_time


HANDLERS: Final[dict[bytes, Handler]] = {
    b"save": save,
    b"bgsave": bgsave,
    b"bgrewriteaof": bgrewriteaof,
    b"lastsave": lastsave,
}
