"""What surrounds a handler: statistics, slow log, monitors, propagation; and what a bug in a handler does."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from redrock.clients.client import Client
from redrock.commands.command import Command
from redrock.commands.context import Context
from redrock.datatypes.string import RawString, StringValue
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC
from redrock.keyspace.database import ColdRead
from redrock.resp.reply import OK, ErrorReply, Reply
from redrock.server.execution import DatasetInDoubt
from replication.identity import ReplicationIdentity

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld

Behaviour = Callable[[Context], Reply]


class Caller:
    """Calls the command STRLEN, behind which there is whatever a test needs."""

    def __init__(self, world: ServerWorld) -> None:
        self.world = world
        self.client = Client(9, None, world.keyspace.databases[0], 0)
        self.client.address = b"127.0.0.1:9"
        command = world.table.by_name(b"strlen")
        assert command is not None
        self.command: Command = command

    def __call__(self, behave: Behaviour, argv: list[bytes] | None = None) -> Reply:
        def strlen(ctx: Context, argv: list[bytes]) -> Reply:
            return behave(ctx)

        self.world.bind(b"strlen", strlen)
        return self.world.execution.call(self.client, self.command, argv or [b"STRLEN", b"k"])


@pytest.fixture
def call(world: ServerWorld) -> Caller:
    return Caller(world)


def text_of(reply: Reply) -> bytes:
    assert isinstance(reply, ErrorReply)
    return reply.text


def change(ctx: Context) -> Reply:
    ctx.touch(b"k", NOTIFY_GENERIC, b"event")
    return OK


# --- Statistics and onlookers


def test_calls_are_counted(world: ServerWorld, call: Caller) -> None:
    assert call(lambda ctx: 7) == 7
    assert text_of(call(_refuse)) == b"WRONGTYPE x"
    command = call.command
    assert (command.calls, command.failed_calls, command.rejected_calls) == (2, 1, 0)
    assert world.stats.total_commands_processed == 2
    assert world.stats.error_counts == {b"WRONGTYPE": 1}
    assert command.latency is not None
    assert command.latency.count() == 2
    world.execution.track_latency = False
    call(lambda ctx: 7)
    assert command.latency.count() == 2


def _refuse(ctx: Context) -> Reply:
    raise ReplyError(b"WRONGTYPE x")


def test_the_handler_sees_its_client_and_database(world: ServerWorld, call: Caller) -> None:
    call.client.database = world.keyspace.databases[3]
    seen = []

    def look(ctx: Context) -> Reply:
        seen.append((ctx.client, ctx.db.dbid))
        return OK

    call(look)
    assert seen == [(call.client, 3)]


@pytest.mark.parametrize(("threshold_us", "logged"), [(-1, 0), (0, 1), (3_600_000_000, 0)])
def test_the_slow_log(world: ServerWorld, call: Caller, threshold_us: int, logged: int) -> None:
    world.slowlog.threshold_us = threshold_us
    call(lambda ctx: OK, [b"STRLEN", b"a key"])
    assert world.slowlog.length() == logged
    for entry in world.slowlog.newest(1):
        assert (entry.argv, entry.address) == ([b"STRLEN", b"a key"], b"127.0.0.1:9")


def test_monitors_see_the_command_with_the_database_after_it(world: ServerWorld, call: Caller) -> None:
    watching = Client(10, None, world.keyspace.databases[0], 0)
    world.monitors.add(watching)

    def select(ctx: Context) -> Reply:
        ctx.client.database = ctx.keyspace.databases[2]
        return OK

    call(select)
    call(_refuse)
    lines = watching.output.writer.getvalue().splitlines()
    assert [line.split(b" ", 1)[1] for line in lines] == [b'[2 127.0.0.1:9] "STRLEN" "k"'] * 2


def test_what_is_changed_in_place_is_accounted(world: ServerWorld, call: Caller) -> None:
    database = world.keyspace.databases[0]
    database.put(b"k", RawString(b""))

    def grow(ctx: Context) -> Reply:
        value = ctx.db.lookup_write(b"k")
        assert isinstance(value, RawString)
        value.append(b"x" * 10_000)
        return OK

    call(grow)
    assert database.data_bytes > 10_000
    database.check_invariants()


# --- Propagation


def _rewritten(ctx: Context) -> Reply:
    ctx.propagate_as([b"SET", b"first", b"word"])
    ctx.propagate_as([b"SET", b"k", b"outcome"])
    return change(ctx)


def _also(ctx: Context) -> Reply:
    ctx.also_propagate([b"DEL", b"a"])
    ctx.also_propagate([b"DEL", b"b"], 2)
    return change(ctx)


def _also_alone(ctx: Context) -> Reply:
    ctx.also_propagate([b"DEL", b"a"])
    ctx.propagate_nothing()
    return change(ctx)


def _only_also(ctx: Context) -> Reply:
    ctx.also_propagate([b"DEL", b"a"])
    return OK


def _silent(ctx: Context) -> Reply:
    ctx.propagate_nothing()
    return change(ctx)


def _forced(ctx: Context) -> Reply:
    ctx.propagate_always()
    return OK


def _failed_after_rewriting(ctx: Context) -> Reply:
    ctx.propagate_as([b"SET", b"k", b"outcome"])
    raise ReplyError(b"ERR x")


STRLEN = [b"STRLEN", b"k"]


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        (lambda ctx: OK, []),
        (change, [STRLEN]),
        (_rewritten, [[b"SET", b"k", b"outcome"]]),
        (
            _also,
            [[b"MULTI"], [b"DEL", b"a"], [b"SELECT", b"2"], [b"DEL", b"b"], [b"SELECT", b"0"], STRLEN, [b"EXEC"]],
        ),
        (_also_alone, [[b"DEL", b"a"]]),
        (_only_also, [[b"DEL", b"a"]]),
        (_silent, []),
        (_forced, [STRLEN]),
        (_failed_after_rewriting, []),
    ],
)
def test_what_is_propagated(world: ServerWorld, call: Caller, behave: Behaviour, expected: list[list[bytes]]) -> None:
    call(behave)
    assert world.stream.take() == expected
    # Nothing of it sticks to the next command.
    call(change)
    assert world.stream.take() == [STRLEN]


def test_commands_within_a_command_are_one_unit(world: ServerWorld, call: Caller) -> None:
    inner = world.table.by_name(b"incr")
    assert inner is not None

    def outer(ctx: Context) -> Reply:
        ctx.propagate_nothing()
        for key in (b"a", b"b"):
            assert world.execution.call(ctx.client, inner, [b"INCR", key]) == 1
        assert text_of(world.execution.call(ctx.client, inner, [b"INCR", b"text"]))
        return change(ctx)

    world.put(b"text", b"no number")
    call(outer)
    assert world.stream.take() == [[b"MULTI"], [b"INCR", b"a"], [b"INCR", b"b"], [b"EXEC"]]
    assert world.execution.depth == 0


def test_what_happened_between_commands_goes_alone(world: ServerWorld, call: Caller) -> None:
    for key in (b"a", b"b"):
        world.ctx.also_propagate([b"DEL", key])
    world.execution.flush_effects()
    assert world.stream.take() == [[b"DEL", b"a"], [b"DEL", b"b"]]
    # Keys that were evicted to make room for a command are no part of it either.
    for key in (b"a", b"b"):
        world.ctx.also_propagate([b"DEL", key])
    call(change)
    assert world.stream.take() == [[b"DEL", b"a"], [b"DEL", b"b"], STRLEN]


def test_who_has_written_is_known_to_wait_and_to_the_disk(world: ServerWorld, call: Caller) -> None:
    identity = ReplicationIdentity(world.ctx.random)
    identity.master_repl_offset = 1234
    world.execution.identity = identity
    world.execution.hold_replies = True
    seen = []
    for behave in (lambda ctx: OK, change):
        call(behave)
        seen.append((call.client.held, call.client.write_offset))
    assert seen == [(False, 0), (True, 1234)]


# --- A cold value, and bugs


def test_a_command_that_is_put_off_leaves_no_trace(world: ServerWorld, call: Caller) -> None:
    world.make_cold(b"cold")
    world.put(b"hot")
    world.keyspace.may_park = True

    def read(ctx: Context) -> Reply:
        ctx.propagate_as([b"SET", b"k", b"outcome"])
        ctx.db.lookup_write(b"hot")
        ctx.db.lookup_read(b"cold")
        return OK

    with pytest.raises(ColdRead):
        call(read)
    world.keyspace.may_park = False
    assert world.execution.depth == 0
    assert (call.command.calls, call.command.failed_calls) == (0, 0)
    # A bug in the next command is not blamed for what this one looked up.
    assert text_of(call(_bug)).startswith(b"ERR internal error")
    call(change)
    assert world.stream.take() == [STRLEN]


def _bug(ctx: Context) -> Reply:
    raise ZeroDivisionError("a bug")


def _failed_assertion(ctx: Context) -> Reply:
    raise AssertionError


@pytest.mark.parametrize("behave", [_bug, _failed_assertion])
def test_a_bug_before_any_change_is_answered_and_logged(
    world: ServerWorld, call: Caller, behave: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    world.put(b"k")
    with caplog.at_level(logging.CRITICAL, "redrock"):
        assert text_of(call(behave)) == b"ERR internal error 1, see the server's log"
        assert text_of(call(behave)) == b"ERR internal error 2, see the server's log"
    first, second = [record.getMessage() for record in caplog.records]
    assert first.startswith("Internal error 1 in command strlen:\nTraceback")
    assert behave.__name__ in first
    assert second.startswith("Internal error 2 ")
    # The server goes on.
    assert call(change) is OK
    assert world.execution.depth == 0
    assert world.stats.error_counts == {b"ERR": 2}
    assert call.command.failed_calls == 2


def _put_and_fail(ctx: Context) -> Reply:
    ctx.db.put(b"new", StringValue(b"v"))
    raise ZeroDivisionError("a bug")


def _remove_and_fail(ctx: Context) -> Reply:
    ctx.db.remove(b"k")
    raise ZeroDivisionError("a bug")


def _change_in_place_and_fail(ctx: Context) -> Reply:
    assert ctx.db.lookup_write(b"k") is not None
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("behave", [_put_and_fail, _remove_and_fail, _change_in_place_and_fail])
def test_a_bug_in_the_middle_of_changes_ends_the_server(
    world: ServerWorld, call: Caller, behave: Behaviour, caplog: pytest.LogCaptureFixture
) -> None:
    """What is half changed must reach neither the AOF nor a follower, and nobody may read it."""
    world.put(b"k")
    with caplog.at_level(logging.CRITICAL, "redrock"), pytest.raises(DatasetInDoubt, match="strlen") as caught:
        call(behave)
    # Compiled code keeps no __cause__.
    assert isinstance(caught.value.__cause__ or caught.value.__context__, ZeroDivisionError)
    assert "ZeroDivisionError: a bug" in caplog.text
    assert world.stream.take() == []


def test_doubt_passes_through_everything_that_catches_errors(world: ServerWorld) -> None:
    """Through EXEC, the dispatcher and the pass."""

    def strlen(ctx: Context, argv: list[bytes]) -> Reply:
        return _put_and_fail(ctx)

    world.bind(b"strlen", strlen)
    connection = world.connect()
    connection.send([b"MULTI"], [b"STRLEN", b"k"], [b"EXEC"])
    with pytest.raises(DatasetInDoubt):
        world.run()
    assert connection.received() == b""
