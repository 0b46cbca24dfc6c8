"""The clockwork: ticks on Trio's mock clock, and what each of them does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from redrock.clients.client import BLOCKED, IN_PUBSUB, IS_MONITOR, IS_REPLICA
from redrock.keyspace.expiry import ActiveExpiry
from redrock.server.tasks.cron import Cron

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld


def make_cron(world: ServerWorld) -> Cron:
    return Cron(
        world.serving,
        world.keyspace,
        ActiveExpiry(world.keyspace, world.stats),
        world.clients,
        world.stats,
        world.settings,
        lambda: None,
    )


@pytest.mark.parametrize(("hz", "ticks"), [(10, 10), (100, 100), (0, 1), (10_000, 500)])
def test_hz_times_a_second(world: ServerWorld, hz: int, ticks: int) -> None:
    cron = make_cron(world)
    world.settings.hz = hz
    at: list[float] = []

    async def main() -> None:
        cron.ticks.append(lambda: at.append(trio.current_time()))
        async with trio.open_nursery() as nursery:
            await nursery.start(cron.run)
            await trio.sleep(1.0001)
            nursery.cancel_scope.cancel()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert abs(len(at) - ticks) <= 1


def test_a_paused_cron_does_nothing(world: ServerWorld) -> None:
    cron = make_cron(world)
    cron.paused = True
    seen: list[int] = []
    cron.ticks.append(lambda: seen.append(1))

    async def main() -> None:
        with trio.move_on_after(2):
            await cron.run()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert seen == []


def test_expired_keys_go_and_followers_are_told(world: ServerWorld) -> None:
    connection = world.connect()
    connection.ask("SET", "a", "v", "PX", "10")
    connection.ask("SET", "b", "v", "PX", "10")
    world.stream.take()
    world.clock.advance_ms(11)
    make_cron(world).tick(10)
    assert world.keyspace.key_count() == 0
    assert sorted(world.stream.take()) == [[b"DEL", b"a"], [b"DEL", b"b"]]


def test_tables_of_flushed_databases_are_freed_bit_by_bit(world: ServerWorld) -> None:
    cron = make_cron(world)
    database = world.keyspace.databases[0]
    for i in range(100):
        world.put(b"%d" % i)
    database.clear()
    assert world.keyspace.discarded
    for _ in range(10):
        cron.tick(10)
    assert world.keyspace.discarded == []


def test_samples_are_taken_ten_times_a_second(world: ServerWorld) -> None:
    cron = make_cron(world)
    connection = world.connect()
    for _ in range(17 * 10):  # at 100 Hz
        connection.ask("PING")
        world.clock.advance_ms(10)
        cron.tick(100)
    assert world.stats.commands_rate.per_second() == pytest.approx(100)
    assert world.stats.input_rate.per_second() == pytest.approx(1400)
    assert world.stats.resident_bytes > 1 << 20


def test_idle_clients_are_closed(world: ServerWorld) -> None:
    cron = make_cron(world)
    idle, active, follower, monitor, subscriber, blocked = [world.connect() for _ in range(6)]
    follower.client.set(IS_REPLICA)
    monitor.client.set(IS_MONITOR)
    subscriber.client.set(IN_PUBSUB)
    blocked.client.state = BLOCKED

    def served() -> list[bool]:
        for _ in range(10):
            cron.tick(10)
        return [not one.transport.is_closed for one in (idle, active, follower, monitor, subscriber, blocked)]

    world.clock.advance_ms(1_000_000)
    assert served() == [True] * 6  # timeout 0: never
    world.settings.timeout = 60
    active.ask("PING")
    assert served() == [False, True, True, True, True, True]
    world.clock.advance_ms(60_000)
    assert served()[1]
    world.clock.advance_ms(1)
    assert not served()[1]
