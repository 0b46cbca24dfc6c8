"""SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE: the answers in every situation. What they begin is tested with persistence."""

import pytest

from persistence.status import CHILD_AOF, CHILD_NONE, CHILD_RDB, PersistenceStatus
from redrock.commands.server.persistence import HANDLERS, bgrewriteaof, bgsave, lastsave, save
from redrock.errors import ReplyError
from redrock.resp.reply import Status


class Orders:
    """Stands in for `persistence.service.Persistence`: notes what is asked of it."""

    def __init__(self, works):
        self.status = PersistenceStatus(1_700_000_000)
        self.works, self.orders = works, []

    def save(self):
        self.orders.append("save")
        return self.works

    def start_bgsave(self):
        self.orders.append("bgsave")
        return self.works

    def start_rewrite(self):
        self.orders.append("rewrite")
        return self.works


class Ctx:
    def __init__(self, child=CHILD_NONE, in_exec=False, works=True):
        self.persistence = Orders(works)
        self.persistence.status.child_kind = child
        self.in_exec = in_exec


def answer(handler, ctx, *words):
    try:
        reply = handler(ctx, [b"name", *words])
    except ReplyError as error:
        return b"-" + error.text
    return reply.wire[:-2] if isinstance(reply, Status) else reply


ALREADY = b"-ERR Background save already in progress"
OTHER = (
    b"-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
    b"BGSAVE whenever possible."
)


@pytest.mark.parametrize(
    ("child", "works", "expected", "orders"),
    [
        (CHILD_NONE, True, b"+OK", ["save"]),
        (CHILD_NONE, False, b"-ERR", ["save"]),
        (CHILD_AOF, True, b"+OK", ["save"]),
        (CHILD_RDB, True, ALREADY, []),
    ],
)
def test_save(child, works, expected, orders):
    ctx = Ctx(child, works=works)
    assert answer(save, ctx) == expected
    assert ctx.persistence.orders == orders


@pytest.mark.parametrize(
    ("child", "in_exec", "words", "expected", "scheduled"),
    [
        (CHILD_NONE, False, [], b"+Background saving started", False),
        (CHILD_NONE, False, [b"schedule"], b"+Background saving started", False),
        (CHILD_NONE, True, [], b"+Background saving scheduled", True),
        (CHILD_RDB, False, [], ALREADY, False),
        (CHILD_RDB, False, [b"SCHEDULE"], ALREADY, False),
        (CHILD_RDB, True, [], ALREADY, False),
        (CHILD_AOF, False, [], OTHER, False),
        (CHILD_AOF, False, [b"Schedule"], b"+Background saving scheduled", True),
        (CHILD_AOF, True, [], b"+Background saving scheduled", True),
        (CHILD_NONE, False, [b"now"], b"-ERR syntax error", False),
        (CHILD_RDB, False, [b"schedule", b"x"], b"-ERR syntax error", False),
    ],
)
def test_bgsave(child, in_exec, words, expected, scheduled):
    ctx = Ctx(child, in_exec)
    assert answer(bgsave, ctx, *words) == expected
    assert ctx.persistence.status.rdb_bgsave_scheduled is scheduled
    assert ctx.persistence.orders == (["bgsave"] if expected.endswith(b"started") else [])


def test_bgsave_fails():
    assert answer(bgsave, Ctx(works=False)) == b"-ERR"


@pytest.mark.parametrize(
    ("child", "in_exec", "works", "expected"),
    [
        (CHILD_NONE, False, True, b"+Background append only file rewriting started"),
        (CHILD_NONE, True, True, b"+Background append only file rewriting scheduled"),
        (CHILD_RDB, False, True, b"+Background append only file rewriting scheduled"),
        (CHILD_AOF, False, True, b"-ERR Background append only file rewriting already in progress"),
        (
            CHILD_NONE,
            False,
            False,
            b"-ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
        ),
    ],
)
def test_bgrewriteaof(child, in_exec, works, expected):
    ctx = Ctx(child, in_exec, works)
    ctx.persistence.status.aof_rewrites_consecutive_failures = 5
    assert answer(bgrewriteaof, ctx) == expected
    scheduled = expected.endswith(b"scheduled")
    assert ctx.persistence.status.aof_rewrite_scheduled is scheduled
    assert ctx.persistence.status.aof_rewrites_consecutive_failures == (0 if scheduled else 5)


def test_lastsave():
    assert answer(lastsave, Ctx()) == 1_700_000_000


def test_handlers():
    assert set(HANDLERS) == {b"save", b"bgsave", b"bgrewriteaof", b"lastsave"}
