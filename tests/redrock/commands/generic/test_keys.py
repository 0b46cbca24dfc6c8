"""Presence, removal, names and databases of keys; what is told of it; what becomes of cold values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.datatypes.hash import HashValue
from redrock.resp.reply import OK, Status

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner

NOW_MS = 1_700_000_000_000


def words(*lines: str) -> list[list[bytes]]:
    return [line.encode().split() for line in lines]


@pytest.fixture
def stocked(runner: CommandRunner) -> CommandRunner:
    """Strings a and b, a hash h, and p, whose time is over."""
    runner.run("MSET", "a", "1", "b", "2")
    runner.run("HSET", "h", "f", "v")
    runner.run("SET", "p", "v", "PX", 5)
    runner.now_ms += 6
    runner.propagated()
    runner.events()
    return runner


def test_presence(stocked: CommandRunner) -> None:
    assert stocked.run("EXISTS", "a", "a", "x", "h", "p") == 3
    assert stocked.run("TOUCH", "a", "a", "x", "h", "p") == 3
    assert (stocked.keyspace.hits, stocked.keyspace.misses) == (6, 4)
    types = [stocked.run("TYPE", key) for key in ("a", "h", "x")]
    assert [reply.text for reply in types if isinstance(reply, Status)] == [b"string", b"hash", b"none"]
    assert stocked.propagated() == words("DEL p")


def test_touch_marks_as_used_and_exists_does_not(stocked: CommandRunner) -> None:
    stocked.now_ms += 50_000
    for command in ("EXISTS a", "TYPE a", "TTL a", "OBJECT ENCODING a"):
        stocked.run(*command.split())
        assert stocked.run("OBJECT", "IDLETIME", "a") == 50
    stocked.run("TOUCH", "a")
    assert stocked.run("OBJECT", "IDLETIME", "a") == 0


@pytest.mark.parametrize("name", ["DEL", "UNLINK"])
def test_del(stocked: CommandRunner, name: str) -> None:
    assert stocked.run(name, "a", "x", "a", "p", "h") == 2
    assert stocked.propagated() == words("MULTI", "DEL p", f"{name} a x a p h", "EXEC")
    assert stocked.events() == [(b"0__:del", b"a"), (b"0__:expired", b"p"), (b"0__:del", b"h")]
    assert stocked.db.table.keys() == [b"b"]
    assert stocked.run(name, "x") == 0
    assert stocked.propagated() == []


def test_del_on_a_follower_removes_what_has_expired(stocked: CommandRunner) -> None:
    stocked.keyspace.follower = True
    assert stocked.run("DEL", "p") == 1


def test_keys_hides_what_has_expired_and_removes_nothing(stocked: CommandRunner) -> None:
    stocked.run("SET", "", "nameless")
    stocked.propagated()
    found = stocked.run("KEYS", "*")
    assert isinstance(found, list)
    assert sorted(key for key in found if isinstance(key, bytes)) == [b"", b"a", b"b", b"h"]
    assert stocked.run("KEYS", "p") == []
    assert stocked.run("KEYS", "[^a-g]") == [b"h"]
    assert stocked.run("KEYS", "") == [b""]
    assert stocked.run("DBSIZE") == 5
    assert stocked.propagated() == []


def test_randomkey(stocked: CommandRunner) -> None:
    drawn = {stocked.run("RANDOMKEY") for _ in range(200)}
    assert drawn == {b"a", b"b", b"h"}
    stocked.run("DEL", "a", "b", "h")
    assert stocked.run("RANDOMKEY") is None
    assert stocked.run("DBSIZE") == 0


def test_randomkey_on_a_follower_comes_to_an_end(stocked: CommandRunner) -> None:
    stocked.run("DEL", "a", "b", "h")
    stocked.run("SET", "p", "v", "PX", 5)
    stocked.now_ms += 6
    stocked.keyspace.follower = True
    assert stocked.run("RANDOMKEY") == b"p"


def test_rename(stocked: CommandRunner) -> None:
    stocked.run("EXPIRE", "a", 100)
    stocked.propagated()
    stocked.events()
    assert stocked.run("RENAME", "a", "h") is OK
    assert stocked.run("GET", "h") == b"1"
    assert stocked.run("PEXPIRETIME", "h") == stocked.now_ms + 100_000
    assert stocked.propagated() == words("RENAME a h")
    assert stocked.events() == [(b"0__:new", b"h"), (b"0__:rename_from", b"a"), (b"0__:rename_to", b"h")]
    assert stocked.run("RENAME", "a", "a") == errors.NO_SUCH_KEY
    dirty = stocked.keyspace.dirty
    assert stocked.run("RENAME", "b", "b") is OK
    assert stocked.run("RENAMENX", "b", "b") == 0
    assert stocked.run("RENAMENX", "b", "h") == 0
    assert stocked.keyspace.dirty == dirty
    assert stocked.run("RENAMENX", "b", "p") == 1
    assert stocked.run("TTL", "p") == -1


def test_the_expire_of_the_overwritten_goes(stocked: CommandRunner) -> None:
    stocked.run("EXPIRE", "b", 100)
    stocked.run("RENAME", "a", "b")
    assert stocked.run("TTL", "b") == -1


def test_move(stocked: CommandRunner) -> None:
    stocked.run("EXPIRE", "a", 100)
    stocked.propagated()
    stocked.events()
    assert stocked.run("MOVE", "a", 1) == 1
    other = stocked.keyspace.databases[1]
    assert other.table.contains(b"a")
    assert other.expire_at(b"a") == stocked.now_ms + 100_000
    assert not stocked.db.table.contains(b"a")
    assert stocked.propagated() == words("MOVE a 1")
    assert stocked.events() == [(b"1__:new", b"a"), (b"0__:move_from", b"a"), (b"1__:move_to", b"a")]
    stocked.run("SET", "a", "2")
    assert stocked.run("MOVE", "a", 1) == 0
    assert stocked.run("MOVE", "nosuch", 1) == 0


@pytest.mark.parametrize(
    ("number", "error"),
    [
        ("x", errors.NOT_AN_INTEGER),
        (2**31, errors.NOT_AN_INT32),
        (16, errors.DB_INDEX_OUT_OF_RANGE),
        (-1, errors.DB_INDEX_OUT_OF_RANGE),
    ],
)
def test_database_numbers(stocked: CommandRunner, number: str | int, error: bytes) -> None:
    assert stocked.run("MOVE", "a", number) == error
    assert stocked.run("COPY", "a", "x", "DB", number) == error


def test_move_and_copy_onto_themselves(stocked: CommandRunner) -> None:
    assert stocked.run("MOVE", "nosuch", 0) == errors.SAME_OBJECT
    assert stocked.run("COPY", "nosuch", "nosuch", "DB", 0) == errors.SAME_OBJECT


def test_cluster_mode_has_one_database(stocked: CommandRunner) -> None:
    stocked.settings.cluster_enabled = True
    assert stocked.run("MOVE", "a", 1) == errors.MOVE_IN_CLUSTER
    assert stocked.run("COPY", "a", "x", "DB", 1) == errors.COPY_IN_CLUSTER
    assert stocked.run("COPY", "a", "x") == 1


def test_copy(stocked: CommandRunner) -> None:
    stocked.run("EXPIRE", "h", 100)
    stocked.propagated()
    stocked.events()
    assert stocked.run("COPY", "h", "a") == 0
    assert stocked.run("COPY", "h", "a", "REPLACE") == 1
    assert stocked.propagated() == words("COPY h a REPLACE")
    assert stocked.events() == [(b"0__:new", b"a"), (b"0__:copy_to", b"a")]
    assert stocked.run("TTL", "a") == 100
    stocked.run("HSET", "a", "f", "changed")
    original = stocked.db.table.get(b"h")
    assert isinstance(original, HashValue)
    assert original.get(b"f") == b"v"
    assert stocked.run("COPY", "b", "a", "replace") == 1
    assert stocked.run("TTL", "a") == -1
    stocked.events()
    assert stocked.run("COPY", "a", "a", "DB", 1, "DB", 2) == 1
    assert stocked.events() == [(b"2__:new", b"a"), (b"2__:copy_to", b"a")]
    assert stocked.run("COPY", "a", "x", "foo") == errors.SYNTAX
    assert stocked.run("COPY", "nosuch", "x", "REPLACE") == 0


def test_watchers_in_both_places(stocked: CommandRunner) -> None:
    def is_broken(watched: str, command: str, dbid: int = 0) -> bool:
        other = stocked.new_client()
        other.database = stocked.keyspace.databases[dbid]
        stocked.run("WATCH", watched, client=other)
        stocked.run(*command.split())
        stocked.run("MULTI", client=other)
        return not isinstance(stocked.run("EXEC", client=other), list)

    assert is_broken("a", "RENAME a c")
    assert is_broken("d", "RENAME c d")
    assert is_broken("d", "MOVE d 1")
    assert is_broken("b", "MOVE b 2", 2)
    assert is_broken("x", "COPY h x DB 3", 3)
    assert not is_broken("h", "COPY h y")
    assert is_broken("y", "DEL y")


def test_cold_values_stay_cold(stocked: CommandRunner) -> None:
    for key in (b"a", b"b", b"h"):
        stocked.make_cold(key)
    assert stocked.run("EXISTS", "a", "b", "h") == 3
    assert stocked.run("TOUCH", "a", "h") == 2
    reply = stocked.run("TYPE", "h")
    assert isinstance(reply, Status)
    assert reply.text == b"hash"
    assert stocked.run("RENAME", "a", "c") is OK
    assert stocked.run("MOVE", "c", 1) == 1
    assert stocked.run("RENAME", "b", "h") is OK
    assert stocked.run("DEL", "h") == 1
    assert stocked.cold.loads == 0
    assert list(stocked.cold.rows) == [(stocked.keyspace.databases[1].store_id, b"c")]


def test_copy_loads(stocked: CommandRunner) -> None:
    stocked.make_cold(b"a")
    stocked.make_cold(b"b")
    assert stocked.run("COPY", "a", "b") == 0
    assert stocked.run("COPY", "a", "b", "REPLACE") == 1
    assert stocked.cold.loads == 1
    assert not stocked.cold.rows
    assert stocked.run("GET", "b") == b"1"
