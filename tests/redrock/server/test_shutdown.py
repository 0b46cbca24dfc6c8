"""How the server stops: at once, or when followers have caught up, or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.clients.client import BLOCKED
from redrock.errors import ReplyError
from redrock.resp.reply import ErrorReply
from redrock.server.shutdown import Shutdown
from replication.leader.followers import FollowerState

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld


class Persistence:
    def __init__(self) -> None:
        self.asked: list[tuple[bool, bool, bool]] = []
        self.succeeds = True

    def shut_down(self, save: bool, nosave: bool, force: bool) -> bool:
        self.asked.append((save, nosave, force))
        return self.succeeds


class Replica:
    """A follower, as far as a shutdown looks at it."""

    name = "192.0.2.1:6379"
    state = FollowerState.ONLINE
    ack_ms = 0

    def __init__(self, ack_offset: int) -> None:
        self.ack_offset = ack_offset


class Replication:
    """Has followers with these acknowledged offsets; its own offset is 100."""

    master_repl_offset = 100

    def __init__(self) -> None:
        self.acknowledged: list[int] = []
        self.identity = self
        self.acks = self
        self.getack_wanted = False

    @property
    def followers(self) -> list[Replica]:
        return [Replica(offset) for offset in self.acknowledged]


class Rig:
    def __init__(self, world: ServerWorld) -> None:
        self.world = world
        self.persistence = Persistence()
        self.replication = Replication()
        self.ended = 0
        assert world.control.pause is not None
        self.pause = world.control.pause
        self.shutdown = Shutdown(
            world.settings,
            world.keyspace,
            self.persistence,  # type: ignore[arg-type]
            self.replication,  # type: ignore[arg-type]
            self.pause,
            world.serving,
            self.end,
        )

    def end(self) -> None:
        self.ended += 1

    def state(self) -> tuple[bool, bool, int]:
        """Whether it waits, whether writes are paused, how often the end was reached."""
        return self.shutdown.is_waiting(), self.pause.is_on(), self.ended


@pytest.fixture
def rig(world: ServerWorld) -> Rig:
    return Rig(world)


@pytest.mark.parametrize("acknowledged", [[], [100], [100, 100]])
def test_at_once_if_nobody_lags(rig: Rig, acknowledged: list[int]) -> None:
    rig.replication.acknowledged = acknowledged
    assert not rig.shutdown.request(True, False, False, True)
    assert rig.persistence.asked == [(True, False, True)]
    assert rig.state() == (False, False, 1)


@pytest.mark.parametrize("reason", ["now", "timeout 0"])
def test_at_once_although_followers_lag(rig: Rig, reason: str) -> None:
    rig.replication.acknowledged = [99]
    if reason == "timeout 0":
        rig.world.settings.shutdown_timeout = 0
    assert not rig.shutdown.request(False, False, reason == "now", False)
    assert rig.state() == (False, False, 1)


@pytest.mark.parametrize("caught_up", [False, True])
def test_followers_are_waited_for(rig: Rig, caught_up: bool, caplog: pytest.LogCaptureFixture) -> None:
    rig.replication.acknowledged = [100, 99]
    now_ms = rig.world.keyspace.now_ms
    assert rig.shutdown.request(False, True, False, False)
    assert rig.shutdown.request(True, False, False, False)  # a second request changes nothing
    assert rig.state() == (True, True, 0)
    assert rig.shutdown.deadline_ms() == now_ms + 10_000
    assert rig.replication.getack_wanted
    rig.shutdown.tick()
    assert rig.state() == (True, True, 0)
    if caught_up:
        rig.replication.acknowledged = [100, 100]
    else:
        rig.world.keyspace.now_ms = now_ms + 10_000
    rig.shutdown.tick()
    assert ("Lagging replica 192.0.2.1:6379 reported offset 1 behind master" in caplog.text) == (not caught_up)
    assert rig.persistence.asked == [(False, True, False)]
    assert rig.ended == 1
    rig.shutdown.tick()
    assert rig.ended == 1


def test_abort(rig: Rig) -> None:
    assert not rig.shutdown.abort()
    rig.replication.acknowledged = [99]
    rig.shutdown.request(False, False, False, False)
    connection = rig.world.connect()
    client = connection.client
    block = rig.shutdown.wait_for_end(client)
    rig.world.blocked.block(client, block.waiter, 0)  # type: ignore[union-attr]
    assert rig.shutdown.abort()
    assert rig.state() == (False, False, 0)
    rig.world.run()
    assert connection.received() == b"-" + errors.SHUTDOWN_FAILED + b"\r\n"
    assert rig.shutdown.waiting_clients == []
    rig.shutdown.tick()
    assert rig.ended == 0


def test_when_the_last_save_fails_the_server_goes_on(rig: Rig) -> None:
    rig.persistence.succeeds = False
    with pytest.raises(ReplyError) as caught:
        rig.shutdown.request(True, False, False, False)
    assert caught.value.text == errors.SHUTDOWN_FAILED
    assert rig.state() == (False, False, 0)


def test_a_save_that_fails_after_waiting(rig: Rig) -> None:
    rig.replication.acknowledged = [99]
    rig.shutdown.request(True, False, False, False)
    rig.persistence.succeeds = False
    rig.replication.acknowledged = [100]
    rig.shutdown.tick()
    assert rig.state() == (False, False, 0)


def test_who_waits_and_goes_away_is_forgotten(rig: Rig) -> None:
    client = rig.world.connect().client
    block = rig.shutdown.wait_for_end(client)
    waiter = block.waiter  # type: ignore[union-attr]
    rig.world.blocked.block(client, waiter, 0)
    assert client.state == BLOCKED
    reply = waiter.timed_out(client)
    assert isinstance(reply, ErrorReply)
    rig.world.serving.close(client)
    rig.world.run()
    assert rig.shutdown.waiting_clients == []
