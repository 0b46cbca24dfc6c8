"""DEBUG: what it does to the server. Replies are compared with redis-server's elsewhere."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.datatypes.string import StringValue
from redrock.resp.reply import OK, Status, Verbatim

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def digest(runner: CommandRunner) -> bytes:
    reply = runner.run("DEBUG", "DIGEST")
    assert isinstance(reply, Status)
    return reply.text


def fill(runner: CommandRunner) -> None:
    runner.run("SET", "s", "text")
    runner.run("SET", "later", "v", "PXAT", 33177117420000)
    runner.run("HSET", "h", "a", "1", "b", "2")


@pytest.mark.parametrize("line", ["foo", "sleep", "sleep 1 2", "digest x", "object", "populate", "populate 1 2 3 4"])
def test_unknown_or_malformed(runner: CommandRunner, line: str) -> None:
    words = line.split()
    assert runner.run("DEBUG", *words) == errors.subcommand_syntax(b"DEBUG", words[0].encode())


def test_nothing_is_propagated(whole: CommandRunner) -> None:
    fill(whole)
    whole.propagated()
    for line in ["POPULATE 3", "RELOAD", "DIGEST", "SET-ACTIVE-EXPIRE 1"]:
        whole.run("DEBUG", *line.split())
    assert whole.propagated() == []


def test_digest_does_not_depend_on_the_order(runner: CommandRunner) -> None:
    assert digest(runner) == b"0" * 40
    fill(runner)
    first = digest(runner)
    runner.run("FLUSHALL")
    runner.run("HSET", "h", "b", "2", "a", "1")
    runner.run("SET", "later", "v", "PXAT", 33177117420000)
    runner.run("SET", "s", "text")
    assert digest(runner) == first
    runner.run("PERSIST", "later")
    assert digest(runner) != first


def test_reload(whole: CommandRunner) -> None:
    fill(whole)
    before = digest(whole)
    assert whole.run("DEBUG", "RELOAD") is OK
    assert digest(whole) == before
    assert whole.keyspace.dirty == 0
    whole.run("SET", "s", "changed")
    whole.run("SET", "new", "v")
    assert whole.run("DEBUG", "RELOAD", "NOSAVE", "NOFLUSH", "MERGE") is OK
    assert whole.run("GET", "s") == b"text"
    assert whole.run("GET", "new") == b"v"
    assert whole.run("DEBUG", "RELOAD", "NOSAVE") is OK
    assert digest(whole) == before
    assert not whole.keyspace.loading


def test_reload_without_a_file(whole: CommandRunner) -> None:
    assert whole.run("DEBUG", "RELOAD", "NOSAVE") == errors.RELOAD_FAILED
    assert whole.run("DEBUG", "RELOAD", "SOMEHOW") == errors.DEBUG_RELOAD_OPTIONS


def test_populate_leaves_what_is_there(runner: CommandRunner) -> None:
    runner.run("SET", "key:1", "mine")
    assert runner.run("DEBUG", "POPULATE", 3) is OK
    assert [runner.run("GET", f"key:{number}") for number in range(4)] == [b"value:0", b"mine", b"value:2", None]
    runner.run("DEBUG", "POPULATE", 1, "p", 10)
    value = runner.db.table.get(b"p:0")
    assert isinstance(value, StringValue)
    assert value.as_bytes() == b"value:0\0\0\0"
    assert runner.keyspace.dirty == 1


def test_object(runner: CommandRunner) -> None:
    runner.run("SET", "s", "text")
    runner.now_ms += 5000
    reply = runner.run("DEBUG", "OBJECT", "s")
    assert isinstance(reply, Status)
    assert reply.text.endswith(b" lru_seconds_idle:5")
    assert b" encoding:embstr serializedlength:5 " in reply.text


def test_switches(whole: CommandRunner) -> None:
    whole.run("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    assert not whole.ctx.active_expiry.enabled
    whole.run("DEBUG", "SET-ACTIVE-EXPIRE", "1x")
    assert whole.ctx.active_expiry.enabled
    whole.run("DEBUG", "AOF-FLUSH-SLEEP", "500")
    assert whole.ctx.persistence.log.flush_sleep_us == 500


def test_checksums_of_restore_can_be_skipped(runner: CommandRunner) -> None:
    runner.run("SET", "s", "text")
    payload = runner.run("DUMP", "s")
    assert isinstance(payload, bytes)
    broken = payload[:-1] + bytes([payload[-1] ^ 1])
    assert runner.run("RESTORE", "t", 0, broken) == errors.DUMP_PAYLOAD_WRONG
    runner.run("DEBUG", "SET-SKIP-CHECKSUM-VALIDATION", 1)
    assert runner.run("RESTORE", "t", 0, broken) is OK
    assert runner.run("GET", "t") == b"text"


def test_config_rewrite_force_all(whole: CommandRunner, tmp_path: Path) -> None:
    assert whole.run("DEBUG", "CONFIG-REWRITE-FORCE-ALL") == errors.CONFIG_NO_FILE
    path = tmp_path / "x.conf"
    path.write_bytes(b"hz 50\n")
    whole.settings.config_file = str(path)
    whole.settings.hz = 50
    assert whole.run("DEBUG", "CONFIG-REWRITE-FORCE-ALL") is OK
    lines = path.read_bytes().split(b"\n")
    assert b"hz 50" in lines
    assert b"maxmemory-samples 5" in lines
    whole.settings.config_file = str(tmp_path / "missing" / "x.conf")
    reply = whole.run("DEBUG", "CONFIG-REWRITE-FORCE-ALL")
    assert reply == b"ERR CONFIG-REWRITE-FORCE-ALL failed: No such file or directory"


def test_change_repl_id(whole: CommandRunner) -> None:
    before = whole.ctx.replication.identity.replid
    whole.run("DEBUG", "CHANGE-REPL-ID")
    assert whole.ctx.replication.identity.replid != before


def test_replicate_sends_without_running(whole: CommandRunner) -> None:
    feed = whole.ctx.replication.feed
    assert whole.run("DEBUG", "REPLICATE", "SET", "k", "v") is OK
    feed.create_backlog(1000)
    whole.run("DEBUG", "REPLICATE", "SET", "k", "v")
    assert feed.backlog is not None
    assert feed.backlog.read(1, 100) == b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"
    assert whole.run("GET", "k") is None


def test_log_and_listpack_go_to_the_log(runner: CommandRunner, caplog: pytest.LogCaptureFixture) -> None:
    runner.run("HSET", "h", "a", "1")
    with caplog.at_level(logging.WARNING):
        runner.run("DEBUG", "LOG", "hello")
        runner.run("DEBUG", "LISTPACK", "h")
    assert "DEBUG LOG: hello" in caplog.text
    assert "[b'a', b'1']" in caplog.text


def test_tables(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "a", b"x" * 100)
    runner.run("SET", "s", "v", "EX", 10)
    for line, words in (
        ("HTSTATS 0", (b"[Dictionary HT]", b"elements: 2", b"[Expires HT]")),
        ("HTSTATS-KEY h", (b": 1",)),
    ):
        reply = runner.run("DEBUG", *line.split())
        assert isinstance(reply, Verbatim)
        assert all(word in reply.text for word in words)


@pytest.mark.parametrize(
    ("subcommand", "end"), [("segfault", signal.SIGSEGV), ("panic", signal.SIGABRT), ("assert", signal.SIGABRT)]
)
def test_ways_to_end(subcommand: str, end: signal.Signals) -> None:
    program = f"from redrock.commands.server.debug import debug; debug(None, [b'debug', {subcommand.encode()!r}])"
    child = subprocess.run([sys.executable, "-c", program], stderr=subprocess.DEVNULL, check=False)
    assert child.returncode == -end
