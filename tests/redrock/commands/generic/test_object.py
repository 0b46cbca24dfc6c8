"""OBJECT: what it tells of hot and of cold values, and that it leaves no trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.keyspace.last_use import LRU_CLOCK_MAX

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def test_encoding(runner: CommandRunner) -> None:
    runner.run("MSET", "n", "10", "s", "x", "long", "x" * 45)
    runner.run("HSET", "h", "f", "v")
    found = [runner.run("OBJECT", "ENCODING", key) for key in ("n", "s", "long", "h", "nosuch")]
    assert found == [b"int", b"embstr", b"raw", b"listpack", None]
    runner.make_cold(b"long")
    assert runner.run("OBJECT", "ENCODING", "long") == b"raw"
    assert runner.cold.loads == 0


def test_idletime(runner: CommandRunner) -> None:
    runner.run("SET", "k", "v")
    runner.now_ms += 12_345
    assert runner.run("OBJECT", "IDLETIME", "k") == 12
    assert runner.run("OBJECT", "IDLETIME", "k") == 12
    assert runner.run("OBJECT", "IDLETIME", "nosuch") is None
    assert runner.run("OBJECT", "FREQ", "k") == errors.FREQ_WITHOUT_LFU
    assert runner.run("OBJECT", "FREQ", "nosuch") is None


def test_freq(runner: CommandRunner) -> None:
    runner.keyspace.lfu = True
    runner.run("SET", "k", "v")
    assert runner.run("OBJECT", "FREQ", "k") == 5
    runner.run("GET", "k")
    assert runner.run("OBJECT", "FREQ", "k") == 6
    assert runner.run("OBJECT", "IDLETIME", "k") == errors.IDLETIME_UNDER_LFU


def test_a_cold_value_is_the_least_used(runner: CommandRunner) -> None:
    """Differs from Redis, which has no such values: there is no last use to tell."""
    runner.run("SET", "k", "v")
    runner.make_cold(b"k")
    assert runner.run("OBJECT", "IDLETIME", "k") == LRU_CLOCK_MAX
    runner.keyspace.lfu = True
    assert runner.run("OBJECT", "FREQ", "k") == 0
    assert runner.cold.loads == 0


@pytest.mark.parametrize(
    ("text", "refcount"), [("0", 2**31 - 1), ("9999", 2**31 - 1), ("10000", 1), ("-1", 1), ("007", 1), ("x", 1)]
)
def test_refcount(runner: CommandRunner, text: str, refcount: int) -> None:
    runner.run("SET", "k", text)
    assert runner.run("OBJECT", "REFCOUNT", "k") == refcount
    runner.settings.maxmemory = 1 << 30
    assert runner.run("OBJECT", "REFCOUNT", "k") == refcount
    runner.settings.maxmemory_policy = "allkeys-lru"
    assert runner.run("OBJECT", "REFCOUNT", "k") == 1


def test_refcount_of_others(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "f", "v")
    assert runner.run("OBJECT", "REFCOUNT", "h") == 1
    assert runner.run("OBJECT", "REFCOUNT", "nosuch") is None


def test_help_names_every_subcommand(runner: CommandRunner) -> None:
    reply = runner.run("OBJECT", "HELP")
    assert isinstance(reply, list)
    command = runner.ctx.table.by_name(b"object")
    assert command is not None
    assert command.subcommands is not None
    text = b"\n".join([getattr(line, "text", b"") for line in reply]).lower()
    for name in command.subcommands:
        assert b"\n" + name in text
