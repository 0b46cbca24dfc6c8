"""CLIENT PAUSE: the gate, who waits, the end by time. Its effect on clients is compared with redis-server elsewhere."""

from __future__ import annotations

from typing import cast

import pytest

from redrock.clients.client import Client
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.server.dispatcher import GATE_LOADING, GATE_PAUSED_ALL, GATE_PAUSED_WRITES, Dispatcher
from redrock.server.pause import Pause
from redrock.server.serving import Serving
from redrock.util.random import RandomSource


class Gate:
    """What of the dispatcher matters here."""

    def __init__(self) -> None:
        self.gate = GATE_LOADING
        self.postponed: list[Client] = []


class Resumed:
    """Notes who goes on."""

    def __init__(self) -> None:
        self.ids: list[int] = []

    def resume(self, client_id: int, failure: bytes | None) -> None:
        assert failure is None
        self.ids.append(client_id)


class Parts:
    def __init__(self) -> None:
        self.keyspace = Keyspace(1, RandomSource(1), KeyspaceListener(), ColdRows())
        self.keyspace.now_ms = 1000
        self.dispatcher = Gate()
        self.serving = Resumed()
        self.pause = Pause(cast(Dispatcher, self.dispatcher), cast(Serving, self.serving), self.keyspace)

    def tick_at(self, now_ms: int) -> bool:
        """Whether the pause is still on then."""
        self.keyspace.now_ms = now_ms
        self.pause.tick()
        return self.pause.is_on()


@pytest.fixture
def parts() -> Parts:
    return Parts()


def test_it_ends_by_time_and_the_waiting_go_on_in_order(parts: Parts) -> None:
    parts.pause.begin(True, 1500)
    assert parts.dispatcher.gate == GATE_LOADING | GATE_PAUSED_WRITES
    assert parts.keyspace.expiry_paused
    parts.dispatcher.postponed = [Client(number, None, parts.keyspace.databases[0], 0) for number in (5, 3)]
    assert parts.tick_at(1499)
    assert parts.serving.ids == []
    assert not parts.tick_at(1500)
    assert parts.serving.ids == [5, 3]
    assert parts.dispatcher.postponed == []
    assert parts.dispatcher.gate == GATE_LOADING
    assert not parts.keyspace.expiry_paused


def test_another_pause_makes_it_longer_and_stricter_only(parts: Parts) -> None:
    parts.pause.begin(False, 2000)
    parts.pause.begin(True, 1500)
    assert parts.dispatcher.gate & GATE_PAUSED_ALL
    assert parts.tick_at(1999)
    parts.pause.begin(True, 3000)
    assert parts.tick_at(2500)
    assert not parts.tick_at(3000)


def test_a_pause_without_length_is_none(parts: Parts) -> None:
    parts.pause.begin(False, 0)
    assert not parts.pause.is_on()
    assert not parts.keyspace.expiry_paused


def test_it_can_be_ended_before_its_time(parts: Parts) -> None:
    parts.pause.begin(False, 2000)
    parts.pause.end()
    assert not parts.pause.is_on()
    parts.pause.end()
    assert parts.dispatcher.gate == GATE_LOADING
