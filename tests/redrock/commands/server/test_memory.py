"""MEMORY: sizes, and what the doctor finds. Names of fields are compared with redis-server's elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redrock.resp.reply import OK, MapReply, Verbatim

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def test_usage_is_what_the_key_adds(runner: CommandRunner) -> None:
    runner.run("SET", "k", b"x" * 1000)
    usage = runner.run("MEMORY", "USAGE", "k")
    assert isinstance(usage, int)
    assert usage >= runner.db.data_bytes
    runner.run("EXPIRE", "k", "100")
    with_expire = runner.run("MEMORY", "USAGE", "k", "SAMPLES", "0")
    assert isinstance(with_expire, int)
    assert with_expire > usage


def test_usage_does_not_load_and_does_not_expire(runner: CommandRunner) -> None:
    runner.run("SET", "k", b"x" * 1000)
    runner.run("PEXPIRE", "k", "10")
    runner.make_cold(b"k")
    runner.now_ms += 20
    usage = runner.run("MEMORY", "USAGE", "k")
    assert isinstance(usage, int)
    assert usage < 200
    assert runner.cold.loads == 0
    assert runner.db.table.contains(b"k")


def test_stats_tell_of_each_database_that_has_keys(whole: CommandRunner) -> None:
    whole.run("SELECT", "5")
    whole.run("SET", "k", "v")
    reply = whole.run("MEMORY", "STATS")
    assert isinstance(reply, MapReply)
    names = list(reply.items[0::2])
    assert b"db.5" in names
    assert b"db.0" not in names
    assert reply.items[reply.items.index(b"keys.count") + 1] == 1


def doctor(runner: CommandRunner) -> bytes:
    reply = runner.run("MEMORY", "DOCTOR")
    assert isinstance(reply, Verbatim)
    return reply.text


def test_doctor(whole: CommandRunner) -> None:
    assert b"too little" in doctor(whole)
    for number in range(64):
        whole.run("SET", f"k{number}", bytes(100_000))
    assert b"Peak" not in doctor(whole)
    whole.ctx.stats.peak_bytes = 100 << 20
    assert b" * Peak: " in doctor(whole)
    whole.client.output.writer.write(bytes(1 << 20))
    assert b" * Client buffers: " in doctor(whole)


def test_purge(whole: CommandRunner) -> None:
    assert whole.run("MEMORY", "PURGE") is OK
