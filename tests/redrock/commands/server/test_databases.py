"""DBSIZE, FLUSHDB, FLUSHALL, SWAPDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.resp.reply import OK

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


@pytest.fixture
def stocked(runner: CommandRunner) -> CommandRunner:
    """Keys a and b, of which b is cold, in database 0; a in database 1."""
    runner.run("MSET", "a", "1", "b", "2")
    runner.run("EXPIRE", "a", 100)
    runner.make_cold(b"b")
    runner.run("COPY", "a", "a", "DB", 1)
    runner.propagated()
    runner.events()
    runner.keyspace.dirty = 0
    return runner


def test_dbsize(stocked: CommandRunner) -> None:
    assert stocked.run("DBSIZE") == 2


def test_flushdb(stocked: CommandRunner) -> None:
    assert stocked.run("FLUSHDB") is OK
    assert [database.table.length() for database in stocked.keyspace.databases[:2]] == [0, 1]
    assert stocked.keyspace.dirty == 2
    assert not stocked.cold.rows
    assert stocked.run("flushdb", "Async") is OK
    # Although there was nothing left.
    assert stocked.propagated() == [[b"FLUSHDB"], [b"flushdb", b"Async"]]
    assert stocked.events() == []
    assert stocked.control.flushes == 0


def test_flushall(stocked: CommandRunner) -> None:
    assert stocked.run("FLUSHALL", "SYNC") is OK
    assert stocked.keyspace.key_count() == 0
    assert stocked.keyspace.dirty == 3
    assert stocked.control.flushes == 1
    assert stocked.propagated() == [[b"FLUSHALL", b"SYNC"]]


@pytest.mark.parametrize("name", ["FLUSHDB", "FLUSHALL"])
def test_flush_options(stocked: CommandRunner, name: str) -> None:
    assert stocked.run(name, "foo") == errors.SYNTAX
    assert stocked.run(name, "SYNC", "ASYNC") == errors.SYNTAX
    assert stocked.keyspace.key_count() == 3
    assert stocked.propagated() == []


@pytest.mark.parametrize(("command", "is_broken"), [("FLUSHDB", False), ("FLUSHALL", True), ("SWAPDB 1 2", True)])
def test_watchers(stocked: CommandRunner, command: str, is_broken: bool) -> None:
    other = stocked.new_client()
    other.database = stocked.keyspace.databases[1]
    stocked.run("WATCH", "a", client=other)
    stocked.run(*command.split())
    stocked.run("MULTI", client=other)
    assert isinstance(stocked.run("EXEC", client=other), list) != is_broken


def test_swapdb(stocked: CommandRunner) -> None:
    other = stocked.new_client()
    other.database = stocked.keyspace.databases[1]
    third = stocked.new_client()
    third.database = stocked.keyspace.databases[2]
    stocked.clients.remove(stocked.client)  # as one that is no connection
    assert stocked.run("SWAPDB", 0, 1) is OK
    assert [client.database.dbid for client in (stocked.client, other, third)] == [0, 1, 2]
    assert [client.database.table.length() for client in (stocked.client, other, third)] == [1, 2, 0]
    assert other.database is stocked.keyspace.databases[1]
    assert stocked.run("GET", "b", client=other) == b"2"
    assert stocked.run("GET", "b") is None
    assert stocked.propagated() == [[b"SWAPDB", b"0", b"1"]]
    assert stocked.run("SWAPDB", 1, 1) is OK
    assert stocked.keyspace.dirty == 2


def test_swapdb_in_a_transaction(stocked: CommandRunner) -> None:
    stocked.run("MULTI")
    for line in ("SWAPDB 0 1", "SET x 1", "DBSIZE"):
        command = stocked.ctx.table.find(line.encode().split())
        assert command is not None
        stocked.ctx.transactions.queue(stocked.client, command.flags, line.encode().split())
    assert stocked.run("EXEC") == [OK, OK, 2]
    assert stocked.client.database.dbid == 0
    told = [b" ".join(argv) for argv in stocked.propagated()]
    assert told == [b"MULTI", b"SWAPDB 0 1", b"SET x 1", b"EXEC"]


@pytest.mark.parametrize(
    ("numbers", "error"),
    [
        ("x y", errors.SWAPDB_FIRST_INDEX),
        ("0 y", errors.SWAPDB_SECOND_INDEX),
        ("2147483648 0", errors.SWAPDB_FIRST_INDEX),
        ("16 0", errors.DB_INDEX_OUT_OF_RANGE),
        ("0 -1", errors.DB_INDEX_OUT_OF_RANGE),
    ],
)
def test_swapdb_refuses(stocked: CommandRunner, numbers: str, error: bytes) -> None:
    assert stocked.run("SWAPDB", *numbers.split()) == error
    stocked.settings.cluster_enabled = True
    assert stocked.run("SWAPDB", *numbers.split()) == errors.SWAPDB_IN_CLUSTER
