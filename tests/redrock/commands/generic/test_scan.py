"""SCAN: filters, and keys whose time is over. What a whole iteration gives is tested with ScanDict."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


@pytest.fixture
def stocked(runner: CommandRunner) -> CommandRunner:
    """Strings k0 to k99, hashes h0 to h9, and p, whose time is over."""
    for i in range(100):
        runner.run("SET", f"k{i}", "v")
    for i in range(10):
        runner.run("HSET", f"h{i}", "f", "v")
    runner.run("SET", "p", "v", "PX", 5)
    runner.now_ms += 6
    runner.propagated()
    return runner


def scan_all(runner: CommandRunner, *options: str | int) -> tuple[list[bytes], int]:
    """What a whole iteration gives, in order of the names, and how many calls it took."""
    found: list[bytes] = []
    cursor = b"0"
    calls = 0
    while calls == 0 or cursor != b"0":
        reply = runner.run("SCAN", cursor, *options)
        assert isinstance(reply, list)
        assert isinstance(reply[0], bytes)
        assert isinstance(reply[1], list)
        cursor = reply[0]
        found += [key for key in reply[1] if isinstance(key, bytes)]
        calls += 1
    return sorted(found), calls


def test_everything(stocked: CommandRunner) -> None:
    expected = sorted([b"k%d" % i for i in range(100)] + [b"h%d" % i for i in range(10)])
    found, calls = scan_all(stocked, "COUNT", 10)
    assert found == expected
    assert calls > 3
    assert scan_all(stocked, "COUNT", 1000, "MATCH", "*") == (expected, 1)


def test_the_expired_are_removed_when_met(stocked: CommandRunner) -> None:
    scan_all(stocked, "MATCH", "k*")
    assert stocked.db.table.contains(b"p")
    scan_all(stocked)
    assert not stocked.db.table.contains(b"p")
    assert stocked.propagated() == [[b"DEL", b"p"]]


def test_filters(stocked: CommandRunner) -> None:
    assert scan_all(stocked, "MATCH", "?1")[0] == [b"h1", b"k1"]
    assert scan_all(stocked, "TYPE", "Hash", "MATCH", "*[12]")[0] == [b"h1", b"h2"]
    assert scan_all(stocked, "TYPE", "nosuch")[0] == []


def test_type_none_finds_what_it_has_just_removed(stocked: CommandRunner) -> None:
    """As in Redis: looking at the type removes the key, and then there is no expire that could hide it."""
    assert scan_all(stocked, "TYPE", "none")[0] == [b"p"]
    assert scan_all(stocked, "TYPE", "none")[0] == []


def test_cold_values_stay_cold(stocked: CommandRunner) -> None:
    stocked.make_cold(b"k5")
    stocked.make_cold(b"h5")
    assert scan_all(stocked, "TYPE", "hash", "MATCH", "?5")[0] == [b"h5"]
    assert stocked.cold.loads == 0
