"""The EXPIRE and TTL families."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner

NOW_MS = 1_700_000_000_000


def words(*lines: str) -> list[list[bytes]]:
    return [line.encode().split() for line in lines]


@pytest.fixture
def stocked(runner: CommandRunner) -> CommandRunner:
    """A key k without, and a key t with an expire in 100 s."""
    runner.run("SET", "k", "v")
    runner.run("SET", "t", "v", "EX", 100)
    runner.propagated()
    runner.events()
    return runner


@pytest.mark.parametrize(
    ("command", "at_ms", "told"),
    [
        ("EXPIRE k 5", NOW_MS + 5000, f"PEXPIREAT k {NOW_MS + 5000}"),
        ("expire k 5 nx", NOW_MS + 5000, f"PEXPIREAT k {NOW_MS + 5000} nx"),
        ("PEXPIRE k 5", NOW_MS + 5, f"PEXPIREAT k {NOW_MS + 5}"),
        ("EXPIREAT k 33177117420", 33177117420000, "PEXPIREAT k 33177117420000"),
        ("pexpireat k 33177117420000 NX", 33177117420000, "pexpireat k 33177117420000 NX"),
    ],
)
def test_propagated_as_a_point_in_time(stocked: CommandRunner, command: str, at_ms: int, told: str) -> None:
    assert stocked.run(*command.split()) == 1
    assert stocked.db.expire_at(b"k") == at_ms
    assert stocked.propagated() == words(told)
    assert stocked.events() == [(b"0__:expire", b"k")]


@pytest.mark.parametrize("command", ["EXPIRE k 0", "PEXPIRE k -1", "EXPIREAT k 1", "PEXPIREAT k 1 LT"])
@pytest.mark.parametrize(("lazy", "name"), [(False, "DEL"), (True, "UNLINK")])
def test_a_time_that_is_over_removes(stocked: CommandRunner, command: str, lazy: bool, name: str) -> None:
    stocked.settings.lazyfree_lazy_expire = lazy
    assert stocked.run(*command.split()) == 1
    assert not stocked.db.table.contains(b"k")
    assert stocked.propagated() == words(f"{name} k")
    assert stocked.events() == [(b"0__:del", b"k")]


@pytest.mark.parametrize("state", ["follower", "loading"])
def test_where_nothing_may_be_removed_the_past_is_kept(stocked: CommandRunner, state: str) -> None:
    setattr(stocked.keyspace, state, True)
    assert stocked.run("PEXPIREAT", "k", 1) == 1
    assert stocked.db.expire_at(b"k") == 1


# Answers for a key without an expire, for a time before the one there is, for the same, for a later one.
@pytest.mark.parametrize(
    ("conditions", "answers"),
    [
        ("", (1, 1, 1, 1)),
        ("NX", (1, 0, 0, 0)),
        ("XX", (0, 1, 1, 1)),
        ("GT", (0, 0, 0, 1)),
        ("LT", (1, 1, 0, 0)),
        ("XX GT", (0, 0, 0, 1)),
        ("LT XX", (0, 1, 0, 0)),
    ],
)
def test_conditions(stocked: CommandRunner, conditions: str, answers: tuple[int, ...]) -> None:
    at_ms = NOW_MS + 100_000
    found = []
    for key, time_ms in (("k", 5000), ("t", at_ms - 1), ("t", at_ms), ("t", at_ms + 1)):
        stocked.db.set_expire(b"t", at_ms)
        found.append(stocked.run("PEXPIREAT", key, NOW_MS + 5000 if key == "k" else time_ms, *conditions.split()))
    assert tuple(found) == answers


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ("x 5 NX XX", errors.EXPIRE_NX_AND_OTHERS),
        ("x 5 LT NX", errors.EXPIRE_NX_AND_OTHERS),
        ("x 5 GT LT", errors.EXPIRE_GT_AND_LT),
        ("x y foo", b"ERR Unsupported option foo"),
        ("x y", errors.NOT_AN_INTEGER),
        ("x 9223372036854776", errors.invalid_expire_time(b"expire")),
        ("x -9223372036854776", errors.invalid_expire_time(b"expire")),
        ("x 9223372036854775", errors.invalid_expire_time(b"expire")),
    ],
)
def test_errors_come_before_the_key(stocked: CommandRunner, arguments: str, error: bytes) -> None:
    assert stocked.run("EXPIRE", *arguments.split()) == error


def test_no_such_key(stocked: CommandRunner) -> None:
    stocked.now_ms += 100_001
    assert stocked.run("EXPIRE", "t", 5) == 0
    assert stocked.run("PERSIST", "t") == 0
    for name in ("TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"):
        assert stocked.run(name, "t") == -2
        assert stocked.run(name, "k") == -1
    assert stocked.propagated() == words("DEL t")


def test_what_is_left(stocked: CommandRunner) -> None:
    stocked.now_ms += 499
    assert (stocked.run("PTTL", "t"), stocked.run("TTL", "t")) == (99_501, 100)
    stocked.now_ms += 2
    assert (stocked.run("PTTL", "t"), stocked.run("TTL", "t")) == (99_499, 99)
    assert stocked.run("PEXPIRETIME", "t") == NOW_MS + 100_000
    assert stocked.run("EXPIRETIME", "t") == (NOW_MS + 100_000) // 1000
    stocked.keyspace.loading = True
    stocked.now_ms += 200_000
    assert stocked.run("PTTL", "t") == 0


def test_persist(stocked: CommandRunner) -> None:
    assert stocked.run("PERSIST", "k") == 0
    assert stocked.run("PERSIST", "t") == 1
    assert stocked.run("TTL", "t") == -1
    assert stocked.propagated() == words("PERSIST t")
    assert stocked.events() == [(b"0__:persist", b"t")]


def test_cold_values_stay_cold(stocked: CommandRunner) -> None:
    stocked.make_cold(b"t")
    assert stocked.run("EXPIRE", "t", 50) == 1
    assert stocked.run("TTL", "t") == 50
    assert stocked.run("PERSIST", "t") == 1
    assert stocked.run("EXPIRE", "t", -1) == 1
    assert stocked.cold.loads == 0
    assert not stocked.cold.rows
