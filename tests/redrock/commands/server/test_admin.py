"""TIME, SHUTDOWN, MONITOR, LOLWUT: what they ask of the server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.clients.client import IS_MONITOR
from redrock.resp.reply import NO_REPLY, OK, Verbatim
from redrock.server.control import Control

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def test_time(runner: CommandRunner) -> None:
    reply = runner.run("TIME")
    assert isinstance(reply, list)
    assert isinstance(reply[0], bytes)
    assert abs(int(reply[0]) - time.time()) < 60


@pytest.mark.parametrize(
    ("options", "asked"),
    [
        ("", (False, False, False, False)),
        ("save", (True, False, False, False)),
        ("NOSAVE now FORCE", (False, True, True, True)),
        ("NOSAVE NOSAVE", (False, True, False, False)),
    ],
)
def test_shutdown(runner: CommandRunner, options: str, asked: tuple[bool, bool, bool, bool]) -> None:
    seen: list[tuple[bool, bool, bool, bool]] = []
    control = Control(lambda: None, lambda save, nosave, now, force: seen.append((save, nosave, now, force)))
    assert control.request_shutdown(*asked) is NO_REPLY
    runner.control.request_shutdown = control.request_shutdown  # type: ignore[method-assign]
    assert runner.run("SHUTDOWN", *options.split()) is NO_REPLY
    assert seen == [asked, asked]


@pytest.mark.parametrize("options", ["x", "SAVE NOSAVE", "ABORT NOW", "SAVE x"])
def test_shutdown_refuses(runner: CommandRunner, options: str) -> None:
    assert runner.run("SHUTDOWN", *options.split()) == errors.SYNTAX


def test_shutdown_abort(runner: CommandRunner) -> None:
    assert runner.run("SHUTDOWN", "ABORT") == errors.NO_SHUTDOWN


def test_nobody_waits_inside_exec(runner: CommandRunner) -> None:
    runner.ctx.deny_blocking = True
    assert runner.run("SHUTDOWN") == errors.SHUTDOWN_IN_EXEC
    assert runner.run("MONITOR") == errors.MONITOR_IN_EXEC


def test_monitor(runner: CommandRunner) -> None:
    assert runner.run("MONITOR") is OK
    assert runner.client.has(IS_MONITOR)
    assert runner.execution.monitors.any
    assert runner.run("MONITOR") is NO_REPLY
    runner.run("RESET")
    assert not runner.client.has(IS_MONITOR)
    assert not runner.execution.monitors.any


def test_lolwut(runner: CommandRunner) -> None:
    reply = runner.run("LOLWUT", "VERSION", "5")
    assert isinstance(reply, Verbatim)
    assert reply.text.endswith(b"\nRedis ver. 7.0.15\n")
