"""How the parts are put together; a server's whole life is in tests/integration."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from persistence.files import RealDisk
from redrock.config.settings import Settings
from redrock.interfaces import NOTIFY_KEYEVENT
from redrock.server.dispatcher import (
    GATE_FOLLOWER,
    GATE_LOADING,
    GATE_MEMORY,
    GATE_PAUSED_WRITES,
    GATE_REPLICAS,
    GATE_STALE,
)
from redrock.server.log import RedisFormatter
from redrock.server.server import Server, open_listeners
from redrock.server.tasks.listeners import BindError
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource

if TYPE_CHECKING:
    from tests.redrock.conftest import ColdWorld


@pytest.fixture
def server(cold_world: ColdWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    monkeypatch.chdir(tmp_path)
    settings = Settings(lambda path: None)
    server = Server(settings, ManualClock(), RandomSource(1), RealDisk(), cold_world.store, RedisFormatter())
    assert server.dispatcher.gate == GATE_LOADING  # until the dataset is there
    server.persistence.status.load.loading = False
    server.refresh_gate()
    return server


def test_an_ordinary_command_is_checked_for_nothing(server: Server) -> None:
    assert server.dispatcher.gate == 0
    assert not server.dispatcher.cold_tier
    assert server.keyspace.now_ms == server.clock.now_ms() == server.stats.started_at_ms


@pytest.mark.parametrize(
    ("name", "value", "gate"),
    [
        ("maxmemory", 1 << 30, GATE_MEMORY),
        ("min_replicas_to_write", 1, GATE_REPLICAS),
        ("timeout", 10, 0),
    ],
)
def test_settings_open_and_close_the_gate(server: Server, name: str, value: int, gate: int) -> None:
    before = getattr(server.settings, name)
    seen = []
    for setting in (value, before):
        setattr(server.settings, name, setting)
        server.settings_changed()
        seen.append(server.dispatcher.gate)
    assert seen == [gate, 0]


def test_the_role_opens_the_gate_and_is_shown_in_the_log(server: Server) -> None:
    seen = []
    for follower, strict, read_only in ((True, False, True), (True, True, False), (False, True, True)):
        server.keyspace.follower = follower
        server.settings.replica_serve_stale_data = not strict
        server.settings.replica_read_only = read_only
        server.settings_changed()
        seen.append((server.dispatcher.gate, server.formatter.role))
        assert server.dispatcher.read_only_follower == read_only
        assert server.keyspace.writable_follower != read_only
    assert seen == [(GATE_FOLLOWER, "S"), (GATE_FOLLOWER | GATE_STALE, "S"), (0, "M")]


def test_a_pause_outlives_a_new_gate(server: Server) -> None:
    server.pause.begin(True, server.keyspace.now_ms + 1000)
    server.settings.maxmemory = 1 << 30
    server.settings_changed()
    assert server.dispatcher.gate == GATE_MEMORY | GATE_PAUSED_WRITES


def test_settings_reach_the_places_that_keep_them(server: Server) -> None:
    settings = server.settings
    settings.slowlog_max_len = 7
    settings.slowlog_log_slower_than = 99
    settings.latency_tracking = False
    settings.maxmemory_policy = "allkeys-lfu"
    settings.lfu_log_factor = 3
    settings.notify_keyspace_events = NOTIFY_KEYEVENT
    settings.lazyfree_lazy_expire = True
    server.settings_changed()
    assert (server.ctx.slowlog.length_max, server.ctx.slowlog.threshold_us) == (7, 99)
    assert not server.execution.track_latency
    assert server.keyspace.lfu
    assert server.keyspace.lfu_clock.log_factor == 3
    assert server.observers.event_classes == NOTIFY_KEYEVENT
    assert server.events.lazy_expire


def settings_for(port: int, path: str = "") -> Settings:
    settings = Settings(lambda path: None)
    settings.port = port
    settings.bind = ("127.0.0.1",)
    settings.unixsocket = path
    return settings


def test_all_that_is_to_be_listened_on(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = str(tmp_path / "socket")
    opened = open_listeners(settings_for(port, path))
    assert [(listener.getsockname(), is_unix) for listener, is_unix in opened] == [
        (("127.0.0.1", port), False),
        (path, True),
    ]
    for listener, _ in opened:
        listener.close()


def test_a_port_that_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.WARNING, "redrock"):
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"Failed listening on port {port}"):
            open_listeners(settings_for(port))
    assert "Address already in use" in caplog.text


def test_nothing_to_listen_on() -> None:
    with pytest.raises(BindError, match="not listen anywhere"):
        open_listeners(settings_for(0))
