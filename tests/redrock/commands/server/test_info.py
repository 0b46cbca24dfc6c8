"""INFO: which sections, and values that follow from what happened. Fields: see tests/differential."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock.clients.client import BLOCKED, IS_REPLICA, POSTPONED
from redrock.resp.reply import Verbatim

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def text(runner: CommandRunner, *sections: str) -> str:
    reply = runner.run("INFO", *sections)
    assert isinstance(reply, Verbatim)
    return reply.text.decode()


def fields(runner: CommandRunner, *sections: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text(runner, *sections).split("\r\n") if ":" in line)


def titles(runner: CommandRunner, *sections: str) -> list[str]:
    return [line[2:] for line in text(runner, *sections).split("\r\n") if line.startswith("# ")]


DEFAULT = ["Server", "Clients", "Memory", "Persistence", "Stats", "Replication", "CPU", "Modules"]
DEFAULT += ["Errorstats", "Cluster", "Keyspace", "Rock"]


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("", DEFAULT),
        ("default", DEFAULT),
        ("nosuch", []),
        ("KEYSPACE server keyspace", ["Server", "Keyspace"]),
        ("module_list", ["Modules"]),
        ("rock", ["Rock"]),
    ],
)
def test_sections(whole: CommandRunner, arguments: str, wanted: list[str]) -> None:
    assert titles(whole, *arguments.split()) == wanted


@pytest.mark.parametrize("word", ["all", "everything"])
def test_everything(whole: CommandRunner, word: str) -> None:
    assert titles(whole, word, "nosuch") == [*DEFAULT[:8], "Commandstats", "Errorstats", "Latencystats", *DEFAULT[9:]]


def test_server(whole: CommandRunner) -> None:
    whole.now_ms += 90_000_000
    found = fields(whole, "server")
    assert found["redis_version"] == "7.0.15"
    assert found["server_name"] == "redrock"
    assert found["redrock_compiled"] in ("yes", "no")
    assert (found["uptime_in_seconds"], found["uptime_in_days"]) == ("90000", "1")
    assert len(found["run_id"]) == 40
    assert "shutdown_in_milliseconds" not in found


def test_clients(whole: CommandRunner) -> None:
    states = [whole.new_client() for _ in range(3)]
    states[0].state = BLOCKED
    states[0].block_timeout_at_ms = 5
    states[1].state = POSTPONED
    states[2].set(IS_REPLICA)
    found = fields(whole, "clients")
    assert found["connected_clients"] == "3"
    assert found["blocked_clients"] == "2"
    assert found["clients_in_timeout_table"] == "1"


def test_commandstats_and_errorstats(whole: CommandRunner) -> None:
    whole.run("SET", "k", "v")
    whole.run("SET", "k", "v")
    whole.run("INCR", "k")
    found = fields(whole, "commandstats", "errorstats")
    assert found["cmdstat_set"].startswith("calls=2,usec=")
    assert found["cmdstat_incr"].endswith("rejected_calls=0,failed_calls=1")
    assert found["errorstat_ERR"] == "count=1"


def test_no_name_breaks_a_line(whole: CommandRunner) -> None:
    whole.ctx.stats.count_error(b"A:B#C\n a")
    assert fields(whole, "errorstats")["errorstat_A_B_C_"] == "count=1"


def test_latencystats(whole: CommandRunner) -> None:
    whole.run("PING")
    whole.settings.latency_tracking_info_percentiles = (50.0, 99.95)
    assert fields(whole, "latencystats")["latency_percentiles_usec_ping"].startswith("p50=")
    assert ",p99.95=" in fields(whole, "latencystats")["latency_percentiles_usec_ping"]
    whole.settings.latency_tracking = False
    assert fields(whole, "latencystats") == {}


def test_keyspace(whole: CommandRunner) -> None:
    whole.run("SET", "a", "1")
    whole.run("SET", "b", "1", "EX", "100")
    whole.run("SELECT", "3")
    whole.run("SET", "c", "1")
    assert fields(whole, "keyspace") == {
        "db0": "keys=2,expires=1,avg_ttl=0",
        "db3": "keys=1,expires=0,avg_ttl=0",
    }
