"""MULTI, EXEC, DISCARD, WATCH, UNWATCH: replies, the dataset, what is propagated. Redis is compared in differential."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redrock import errors
from redrock.clients.client import DIRTY_CAS, IN_MULTI
from redrock.resp.reply import NULL_ARRAY, OK, ErrorReply, Reply

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def queue(runner: CommandRunner, *commands: str) -> None:
    """As the dispatcher does it."""
    for command in commands:
        argv = [word.encode() for word in command.split()]
        found = runner.ctx.table.find(argv)
        assert found is not None
        runner.ctx.transactions.queue(runner.client, found.flags, argv)


def plain(reply: Reply) -> object:
    assert isinstance(reply, list)
    return [one.text if isinstance(one, ErrorReply) else one for one in reply]


def test_what_is_queued_runs_as_one(runner: CommandRunner) -> None:
    runner.run("SET", "text", "x")
    runner.propagated()
    assert runner.run("MULTI") is OK
    queue(runner, "SET a 1", "INCR a", "INCR text", "SELECT 2", "APPEND b xy", "GET a")
    assert plain(runner.run("EXEC")) == [OK, 2, errors.NOT_AN_INTEGER, OK, 2, None]
    assert runner.propagated() == [
        [b"MULTI"],
        [b"SET", b"a", b"1"],
        [b"INCR", b"a"],
        [b"SELECT", b"2"],
        [b"APPEND", b"b", b"xy"],
        [b"EXEC"],
    ]
    assert runner.client.gate == 0
    assert runner.client.queued == []
    assert runner.client.database.dbid == 2
    assert not runner.ctx.in_exec
    assert not runner.ctx.deny_blocking


def test_one_effect_needs_no_transaction(runner: CommandRunner) -> None:
    runner.run("MULTI")
    queue(runner, "GET a", "SET a 1")
    runner.run("EXEC")
    assert runner.propagated() == [[b"SET", b"a", b"1"]]
    runner.run("MULTI")
    assert plain(runner.run("EXEC")) == []
    assert runner.propagated() == []


def test_calls_out_of_order(runner: CommandRunner) -> None:
    assert runner.run("EXEC") == errors.EXEC_WITHOUT_MULTI
    assert runner.run("DISCARD") == errors.DISCARD_WITHOUT_MULTI
    assert runner.run("MULTI") is OK
    assert runner.run("MULTI") == errors.MULTI_NESTED
    assert runner.run("WATCH", "k") == errors.WATCH_IN_MULTI
    assert runner.client.has(IN_MULTI)
    queue(runner, "SET a 1")
    assert runner.run("DISCARD") is OK
    assert runner.run("EXEC") == errors.EXEC_WITHOUT_MULTI
    assert runner.run("EXISTS", "a") == 0


def test_watch_and_unwatch(runner: CommandRunner) -> None:
    other = runner.new_client()
    for unwatch in (False, True):
        assert runner.run("WATCH", "k", "l") is OK
        assert runner.run("SET", "l", "v", client=other) is OK
        assert runner.client.has(DIRTY_CAS)
        # No need to watch more: it is lost.
        assert runner.run("WATCH", "m") is OK
        assert len(runner.client.watched) == 2
        if unwatch:
            assert runner.run("UNWATCH") is OK
        runner.run("MULTI")
        queue(runner, "SET done yes")
        reply = runner.run("EXEC")
        if unwatch:
            assert plain(reply) == [OK]
        else:
            assert reply is NULL_ARRAY
        assert runner.client.gate == 0
        assert runner.client.watched == []
    assert runner.run("UNWATCH") is OK


def test_what_the_transaction_itself_changes_does_not_abort_it(runner: CommandRunner) -> None:
    runner.run("WATCH", "k")
    runner.run("MULTI")
    queue(runner, "SET k 1", "INCR k")
    assert plain(runner.run("EXEC")) == [OK, 2]


def test_while_it_runs_the_client_is_still_in_its_transaction(runner: CommandRunner) -> None:
    """CLIENT LIST shows it: x, and how many commands there are."""
    runner.run("MULTI")
    queue(runner, "CLIENT INFO", "PING")
    reply = runner.run("EXEC")
    assert isinstance(reply, list)
    line = reply[0].text
    assert b" flags=x " in line
    assert b" multi=2 " in line
    after = runner.run("CLIENT", "INFO")
    assert b" multi=-1 " in getattr(after, "text", b"")


def test_a_watched_key_that_expires(runner: CommandRunner) -> None:
    runner.run("SET", "k", "v", "PX", "10")
    runner.run("WATCH", "k")
    runner.now_ms += 11
    runner.run("MULTI")
    assert runner.run("EXEC") is NULL_ARRAY
    # Had expired before: its removal is no change.
    runner.run("SET", "k", "v", "PX", "10")
    runner.now_ms += 11
    runner.run("WATCH", "k")
    assert runner.run("GET", "k") is None
    runner.run("MULTI")
    assert plain(runner.run("EXEC")) == []
