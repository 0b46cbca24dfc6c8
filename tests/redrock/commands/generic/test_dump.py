"""DUMP and RESTORE. The payload is tested with `persistence.rdb.dump`, replies in full beside redis-server's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from persistence.rdb.values.value_codec import CHECK_DEEP, CHECK_STRUCTURE
from redrock import errors
from redrock.clients.client import IS_LEADER_LINK
from redrock.commands.generic.dump import _limits
from redrock.resp.reply import OK

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner

NOW_MS = 1_700_000_000_000


@pytest.fixture
def payload(runner: CommandRunner) -> bytes:
    """Of the string value."""
    runner.run("SET", "source", "value")
    dumped = runner.run("DUMP", "source")
    assert isinstance(dumped, bytes)
    runner.propagated()
    runner.events()
    return dumped


def test_restore_goes_out_as_it_came(runner: CommandRunner, payload: bytes) -> None:
    assert runner.run("restore", "k", 0, payload) is OK
    assert runner.run("GET", "k") == b"value"
    assert runner.propagated() == [[b"restore", b"k", b"0", payload]]
    assert runner.events() == [(b"0__:new", b"k"), (b"0__:restore", b"k")]
    assert runner.run("RESTORE", "k", 0, payload) == errors.BUSYKEY
    assert runner.run("DUMP", "nosuch") is None


def test_a_ttl_is_propagated_as_a_point_in_time(runner: CommandRunner, payload: bytes) -> None:
    runner.run("RESTORE", "k", 500, payload, "FREQ", 5)
    assert runner.propagated() == [[b"RESTORE", b"k", b"%d" % (NOW_MS + 500), payload, b"FREQ", b"5", b"ABSTTL"]]
    assert runner.db.expire_at(b"k") == NOW_MS + 500
    runner.run("RESTORE-ASKING", "k", NOW_MS + 9, payload, "REPLACE", "absttl")
    assert runner.propagated() == [[b"RESTORE-ASKING", b"k", b"%d" % (NOW_MS + 9), payload, b"REPLACE", b"absttl"]]
    assert runner.db.expire_at(b"k") == NOW_MS + 9


def test_replace(runner: CommandRunner, payload: bytes) -> None:
    runner.run("HSET", "k", "f", "v")
    runner.run("EXPIRE", "k", 100)
    runner.events()
    assert runner.run("RESTORE", "k", 0, payload, "REPLACE") is OK
    assert runner.events() == [(b"0__:new", b"k"), (b"0__:restore", b"k")]
    assert runner.run("GET", "k") == b"value"
    assert runner.run("TTL", "k") == -1


def test_a_time_that_is_over(runner: CommandRunner, payload: bytes) -> None:
    assert runner.run("RESTORE", "k", 1, payload, "ABSTTL") is OK
    assert (runner.run("EXISTS", "k"), runner.propagated(), runner.events()) == (0, [], [])
    assert runner.run("RESTORE", "source", 1, payload, "ABSTTL", "REPLACE") is OK
    assert runner.propagated() == [[b"DEL", b"source"]]
    assert runner.events() == [(b"0__:del", b"source")]
    runner.keyspace.follower = True
    assert runner.run("RESTORE", "k", 1, payload, "ABSTTL") is OK
    assert runner.db.expire_at(b"k") == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("source x x foo", errors.SYNTAX),
        ("source x x IDLETIME", errors.SYNTAX),
        ("source x x IDLETIME 1 FREQ 1", errors.SYNTAX),
        ("source x x IDLETIME -1", errors.RESTORE_IDLETIME),
        ("source x x FREQ 256", errors.RESTORE_FREQ),
        ("source x x", errors.BUSYKEY),
        ("source x x REPLACE", errors.NOT_AN_INTEGER),
        ("k -1 x", errors.RESTORE_TTL),
        ("source 0 x REPLACE", errors.DUMP_PAYLOAD_WRONG),
    ],
)
def test_refusals_in_order(runner: CommandRunner, payload: bytes, arguments: str, error: bytes) -> None:
    assert runner.run("RESTORE", *arguments.split()) == error
    assert runner.run("GET", "source") == b"value"
    assert runner.propagated() == []


def test_last_use(runner: CommandRunner, payload: bytes) -> None:
    runner.run("RESTORE", "k", 0, payload, "IDLETIME", 1000)
    assert runner.run("OBJECT", "IDLETIME", "k") == 1000
    runner.run("RESTORE", "k", 0, payload, "FREQ", 77, "REPLACE")
    assert runner.run("OBJECT", "IDLETIME", "k") == 0
    runner.keyspace.lfu = True
    runner.run("RESTORE", "k", 0, payload, "FREQ", 77, "REPLACE")
    assert runner.run("OBJECT", "FREQ", "k") == 77


def test_nothing_cold_is_loaded_to_be_replaced(runner: CommandRunner, payload: bytes) -> None:
    runner.make_cold(b"source")
    assert runner.run("RESTORE", "source", 0, payload) == errors.BUSYKEY
    assert runner.run("RESTORE", "source", 0, payload, "REPLACE") is OK
    assert (runner.cold.loads, runner.cold.rows) == (0, {})
    runner.make_cold(b"source")
    assert runner.run("DUMP", "source") == payload


def test_how_deep_a_payload_is_checked(runner: CommandRunner) -> None:
    depths = []
    for setting in ("no", "clients", "yes"):
        runner.settings.sanitize_dump_payload = setting
        for gate in (0, IS_LEADER_LINK):
            runner.client.gate = gate
            depths.append(_limits(runner.ctx).check == CHECK_DEEP)
    assert depths == [False, False, True, False, True, True]
    runner.settings.sanitize_dump_payload = "no"
    runner.settings.hash_max_listpack_entries = 7
    limits = _limits(runner.ctx)
    assert (limits.check, limits.hash_max_listpack_entries) == (CHECK_STRUCTURE, 7)
