"""SLOWLOG: which entries, in which order. Entries are compared with redis-server's elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from redrock import errors
from redrock.resp.reply import OK

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def test_slowlog(runner: CommandRunner) -> None:
    runner.ctx.slowlog.threshold_us = 0
    runner.client.name = b"me"
    for number in range(12):
        runner.run("SET", "k", number)
    runner.ctx.slowlog.threshold_us = -1
    newest = runner.run("SLOWLOG", "GET")
    assert isinstance(newest, list)
    assert [entry[0] for entry in newest if isinstance(entry, list)] == list(range(11, 1, -1))
    assert isinstance(newest[0], list)
    assert newest[0][3:] == [[b"SET", b"k", b"11"], b"", b"me"]
    for count, expected in ((3, 3), (-1, 12), (0, 0), (100, 12)):
        entries = runner.run("SLOWLOG", "GET", count)
        assert isinstance(entries, list)
        assert len(entries) == expected
    assert runner.run("SLOWLOG", "GET", -2) == errors.SLOWLOG_COUNT
    assert runner.run("SLOWLOG", "LEN") == 12
    assert runner.run("SLOWLOG", "RESET") is OK
    assert runner.run("SLOWLOG", "LEN") == 0
