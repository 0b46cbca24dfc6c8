"""String commands: reply, dataset, propagation, events. Replies in full are compared with redis-server's elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.clients.client import IS_LEADER_LINK
from redrock.datatypes.string import FloatString, RawString, StringValue
from redrock.resp.reply import OK

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner

NOW_MS = 1_700_000_000_000
SET_EVENT = [(b"0__:new", b"k"), (b"0__:set", b"k")]
LFU = "allkeys-lfu"


def words(*lines: str) -> list[list[bytes]]:
    return [line.encode().split() for line in lines]


def content(runner: CommandRunner, key: bytes = b"k") -> bytes | None:
    value = runner.db.table.get(key)
    assert value is None or isinstance(value, StringValue)
    return None if value is None else value.as_bytes()


def test_a_plain_set_goes_out_as_it_came(runner: CommandRunner) -> None:
    assert runner.run("set", "k", "v") is OK
    assert content(runner) == b"v"
    assert runner.keyspace.dirty == 1
    assert runner.propagated() == words("set k v")
    assert runner.events() == SET_EVENT


def test_a_plain_set_clears_the_expire(runner: CommandRunner) -> None:
    runner.run("SET", "k", "v", "EX", 10)
    runner.run("SET", "other", "v", "EX", 10)
    runner.run("SET", "k", "w")
    assert runner.db.expire_at(b"k") == -1
    assert runner.db.expire_at(b"other") == NOW_MS + 10_000


def test_setting_an_expired_key_tells_followers_of_the_expiry_first(runner: CommandRunner) -> None:
    runner.run("SET", "k", "v", "PX", 10)
    runner.propagated()
    runner.events()
    runner.now_ms += 11
    runner.run("SET", "k", "w")
    assert runner.propagated() == words("MULTI", "DEL k", "SET k w", "EXEC")
    assert runner.events() == [(b"0__:expired", b"k"), *SET_EVENT]


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("SET k v EX 10", f"SET k v PXAT {NOW_MS + 10_000}"),
        ("SET k v px 10 NX", f"SET k v PXAT {NOW_MS + 10}"),
        ("SET k v EXAT 33177117420 GET", "SET k v PXAT 33177117420000"),
        ("SET k v PXAT 5", "SET k v PXAT 5"),
        ("SETEX k 10 v", f"SET k v PXAT {NOW_MS + 10_000}"),
        ("PSETEX k 10 v", f"SET k v PXAT {NOW_MS + 10}"),
    ],
)
def test_an_expire_is_propagated_as_a_point_in_time(runner: CommandRunner, command: str, told: str) -> None:
    runner.run(*command.split())
    assert runner.propagated() == words(told)
    assert runner.db.expire_at(b"k") == int(told.split()[-1])
    assert runner.events() == [*SET_EVENT, (b"0__:expire", b"k")]


def test_get_is_not_propagated(runner: CommandRunner) -> None:
    assert runner.run("SET", "k", "v", "get") is None
    assert runner.run("SET", "k", "w", "XX", "GET", "KEEPTTL", "Get") == b"v"
    assert runner.propagated() == words("SET k v", "SET k w XX KEEPTTL")


def test_a_refused_set_changes_and_tells_nothing(runner: CommandRunner) -> None:
    runner.run("SET", "k", "v")
    runner.propagated()
    runner.events()
    assert runner.run("SET", "k", "w", "NX") is None
    assert runner.run("SET", "k", "w", "NX", "GET") == b"v"
    assert runner.run("SET", "x", "w", "XX") is None
    assert runner.run("SETNX", "k", "w") == 0
    assert runner.run("MSETNX", "x", "1", "k", "2") == 0
    assert runner.run("GETEX", "k") == b"v"
    assert runner.run("GETEX", "k", "PERSIST") == b"v"
    assert runner.run("SETRANGE", "k", 5, "") == 1
    assert (runner.keyspace.dirty, runner.propagated(), runner.events()) == (1, [], [])


def test_a_set_that_wants_the_old_value_of_another_type(runner: CommandRunner) -> None:
    runner.run("HSET", "k", "f", "v")
    assert runner.run("SET", "k", "v", "GET") == errors.WRONGTYPE
    assert runner.run("SET", "k", "v", "NX", "GET") == errors.WRONGTYPE
    assert runner.run("SET", "k", "v") is OK
    assert content(runner) == b"v"


def test_watchers_hear_of_every_change(runner: CommandRunner) -> None:
    for command in (
        "SET k 1",
        "INCR k",
        "APPEND k 1",
        "SETRANGE k 0 2",
        "INCRBYFLOAT k 1",
        "GETEX k EX 10",
        "GETDEL k",
    ):
        other = runner.new_client()
        runner.run("WATCH", "k", client=other)
        runner.run(*command.split())
        runner.run("MULTI", client=other)
        assert not isinstance(runner.run("EXEC", client=other), list), command


def test_mset_counts_each_key(runner: CommandRunner) -> None:
    assert runner.run("MSET", "a", "1", "b", "2", "a", "3") is OK
    assert (content(runner, b"a"), content(runner, b"b")) == (b"3", b"2")
    assert runner.keyspace.dirty == 3
    assert runner.propagated() == words("MSET a 1 b 2 a 3")
    assert runner.run("MGET", "a", "x", "b") == [b"3", None, b"2"]
    assert runner.run("MSETNX", "c", "1", "d", "2") == 1
    assert runner.run("MSET", "a", "1", "b") == b"ERR wrong number of arguments for 'mset' command"


def test_getset_is_propagated_as_set(runner: CommandRunner) -> None:
    assert runner.run("GETSET", "k", "v") is None
    assert runner.run("GETSET", "k", "w") == b"v"
    assert runner.propagated() == words("SET k v", "SET k w")


@pytest.mark.parametrize(("lazy", "name"), [(False, "DEL"), (True, "UNLINK")])
def test_getdel_is_propagated_as_del(runner: CommandRunner, lazy: bool, name: str) -> None:
    runner.settings.lazyfree_lazy_user_del = lazy
    runner.run("SET", "k", "v")
    assert runner.run("GETDEL", "k") == b"v"
    assert runner.run("GETDEL", "k") is None
    assert content(runner) is None
    assert runner.propagated() == words("SET k v", f"{name} k")
    assert runner.events() == [*SET_EVENT, (b"0__:del", b"k")]


@pytest.mark.parametrize(
    ("options", "told", "event"),
    [
        ("EX 10", f"PEXPIREAT k {NOW_MS + 10_000}", b"expire"),
        ("PX 10", f"PEXPIREAT k {NOW_MS + 10}", b"expire"),
        ("PXAT 33177117420000", "PEXPIREAT k 33177117420000", b"expire"),
        ("EXAT 5", "DEL k", b"del"),
        ("PERSIST", "PERSIST k", b"persist"),
    ],
)
def test_getex_is_propagated_by_its_effect(runner: CommandRunner, options: str, told: str, event: bytes) -> None:
    runner.run("SET", "k", "v", "EX", 100)
    runner.propagated()
    runner.events()
    assert runner.run("GETEX", "k", *options.split()) == b"v"
    assert runner.propagated() == words(told)
    assert runner.events() == [(b"0__:" + event, b"k")]
    assert runner.db.exists(b"k") == (event != b"del")


def test_a_follower_does_not_remove_by_getex(runner: CommandRunner) -> None:
    runner.run("SET", "k", "v")
    runner.keyspace.follower = True
    runner.run("GETEX", "k", "PXAT", 5)
    assert runner.db.expire_at(b"k") == 5


def test_incr_changes_in_place(runner: CommandRunner) -> None:
    assert runner.run("INCR", "k") == 1
    value = runner.db.table.get(b"k")
    assert runner.run("INCRBY", "k", 99_999) == 100_000
    assert runner.run("DECRBY", "k", 1) == 99_999
    assert runner.db.table.get(b"k") is value
    assert runner.propagated() == words("INCR k", "INCRBY k 99999", "DECRBY k 1")
    assert runner.events() == [(b"0__:new", b"k")] + [(b"0__:incrby", b"k")] * 3


@pytest.mark.parametrize("prepare", ["APPEND k 0", "INCRBYFLOAT k 0"])
def test_incr_leaves_a_plain_string(runner: CommandRunner, prepare: str) -> None:
    runner.run("SET", "k", "1")
    runner.run(*prepare.split())
    assert type(runner.db.table.get(b"k")) in (RawString, FloatString)
    runner.run("INCR", "k")
    assert type(runner.db.table.get(b"k")) is StringValue


def test_incr_keeps_within_64_bits(runner: CommandRunner) -> None:
    runner.run("SET", "k", 2**63 - 2)
    assert runner.run("INCR", "k") == 2**63 - 1
    assert runner.run("INCR", "k") == errors.INCREMENT_OVERFLOW
    assert runner.run("DECRBY", "k", -(2**63)) == errors.DECREMENT_OVERFLOW
    assert content(runner) == b"%d" % (2**63 - 1)


def test_incrbyfloat_is_propagated_as_its_outcome(runner: CommandRunner) -> None:
    runner.run("SET", "k", "1", "EX", 100)
    runner.propagated()
    assert runner.run("INCRBYFLOAT", "k", "0.1") == b"1.1"
    assert runner.propagated() == words("SET k 1.1 KEEPTTL")
    assert runner.db.expire_at(b"k") == NOW_MS + 100_000
    assert isinstance(runner.db.table.get(b"k"), FloatString)


def test_a_long_string_is_changed_in_place(runner: CommandRunner) -> None:
    runner.run("SETRANGE", "k", 5000, "x")
    value = runner.db.table.get(b"k")
    assert runner.run("APPEND", "k", "y" * 100_000) == 105_001
    assert runner.run("SETRANGE", "k", 0, "z") == 105_001
    assert runner.db.table.get(b"k") is value
    assert runner.db.data_bytes > 105_001
    assert runner.run("GETRANGE", "k", 0, 1) == b"z\0"
    assert runner.keyspace.dirty == 3


def test_strings_do_not_outgrow_the_limit(runner: CommandRunner) -> None:
    runner.settings.proto_max_bulk_len = 100
    assert runner.run("SETRANGE", "k", 99, "x") == 100
    assert runner.run("APPEND", "k", "x") == errors.STRING_TOO_LONG
    assert runner.run("SETRANGE", "k", 100, "x") == errors.STRING_TOO_LONG
    assert runner.run("SETRANGE", "new", 100, "x") == errors.STRING_TOO_LONG
    assert runner.run("SETRANGE", "k", -1, "x") == errors.OFFSET_OUT_OF_RANGE
    # The leader has done it already, with limits of its own.
    runner.client.gate |= IS_LEADER_LINK
    assert runner.run("APPEND", "k", "x") == 101


def test_wrong_types(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "f", "v")
    for command in (
        "GET h",
        "GETEX h",
        "GETDEL h",
        "GETSET h v",
        "STRLEN h",
        "GETRANGE h 0 1",
        "APPEND h v",
        "SETRANGE h 0 v",
        "SETRANGE h 0 ",
        "INCR h",
        "INCRBYFLOAT h 1",
    ):
        assert runner.run(*command.split(" ")) == errors.WRONGTYPE, command
    assert runner.run("MGET", "h") == [None]


def test_no_value_is_loaded_to_be_overwritten(runner: CommandRunner) -> None:
    runner.run("MSET", "a", "1", "b", "1", "c", "1", "d", "1")
    for key in (b"a", b"b", b"c", b"d"):
        runner.make_cold(key)
    assert runner.run("SET", "a", "2") is OK
    assert runner.run("SETNX", "b", "2") == 0
    assert runner.run("SET", "c", "2", "EX", 10) is OK
    assert runner.run("MSET", "d", "2") is OK
    assert (runner.cold.loads, runner.db.cold_count) == (0, 1)
    assert runner.run("GET", "b") == b"1"
    assert runner.cold.loads == 1


def test_use_is_counted_across_values_under_lfu(runner: CommandRunner) -> None:
    """A key that is SET often must not look like a new one each time."""
    runner.keyspace.lfu = True
    runner.run("SET", "k", "v")
    assert runner.run("OBJECT", "FREQ", "k") == 5
    runner.run("SET", "k", "w")
    assert runner.run("OBJECT", "FREQ", "k") == 6
