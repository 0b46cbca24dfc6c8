"""What the keyspace tells the server, and what commands ask of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.clients.client import BLOCKED, DIRTY_CAS, IS_MONITOR
from redrock.interfaces import NOTIFY_EVICTED, NOTIFY_EXPIRED, NOTIFY_KEY_MISS, NOTIFY_KEYEVENT, NOTIFY_NEW
from redrock.keyspace.observers import EventPublisher
from redrock.resp.reply import OK, ErrorReply
from redrock.server.shutdown import Shutdown

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld


class Publisher(EventPublisher):
    def __init__(self) -> None:
        self.published: list[tuple[bytes, bytes]] = []

    def publish_event(self, channel: bytes, message: bytes) -> None:
        self.published.append((channel, message))


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("what", ["expired", "evicted"])
def test_keys_that_go_by_themselves(world: ServerWorld, what: str, lazy: bool) -> None:
    publisher = Publisher()
    world.observers.set_publisher(publisher)
    world.observers.set_event_classes(NOTIFY_KEYEVENT | NOTIFY_EXPIRED | NOTIFY_EVICTED)
    world.events.lazy_expire = lazy and what == "expired"
    world.events.lazy_eviction = lazy and what == "evicted"
    connection = world.connect()
    world.transactions.watch(connection.client, 2, b"k")
    if what == "expired":
        world.events.key_expired(2, b"k")
    else:
        world.events.key_evicted(2, b"k")
    world.execution.flush_effects()
    assert world.stream.take() == [[b"SELECT", b"2"], [b"UNLINK" if lazy else b"DEL", b"k"]]
    assert publisher.published == [(b"__keyevent@2__:" + what.encode(), b"k")]
    assert connection.client.has(DIRTY_CAS)


def test_keys_that_are_missed_and_keys_that_are_new(world: ServerWorld) -> None:
    publisher = Publisher()
    world.observers.set_publisher(publisher)
    for classes in (0, NOTIFY_KEYEVENT | NOTIFY_KEY_MISS | NOTIFY_NEW):
        world.observers.set_event_classes(classes)
        world.events.key_missed(1, b"k")
        world.events.key_added(1, b"k")
    assert publisher.published == [(b"__keyevent@1__:keymiss", b"k"), (b"__keyevent@1__:new", b"k")]


def test_commands_within_exec(world: ServerWorld) -> None:
    world.ctx.client = world.connect().client
    assert world.control.run([b"SET", b"k", b"v"]) is OK
    assert world.control.run([b"GET", b"k"]) == b"v"
    for argv, text in (
        ([b"NOSUCH"], errors.unknown_command([b"NOSUCH"])),
        ([b"INCR", b"k"], errors.NOT_AN_INTEGER),
    ):
        reply = world.control.run(argv)
        assert isinstance(reply, ErrorReply)
        assert reply.text == text


def test_monitors(world: ServerWorld) -> None:
    client = world.connect().client
    world.control.add_monitor(client)
    seen = [(world.monitors.any, client.has(IS_MONITOR))]
    world.control.remove_monitor(client)
    seen.append((world.monitors.any, client.has(IS_MONITOR)))
    assert seen == [(True, True), (False, False)]


def test_statistics_are_reset_together(world: ServerWorld) -> None:
    connection = world.connect()
    connection.ask("SET", "k", "v")
    connection.ask("GET", "k")
    connection.ask("GET", "x")
    connection.ask("NOSUCH")
    world.keyspace.expired_keys = world.keyspace.evicted_keys = 3
    world.control.reset_statistics()
    keyspace = world.keyspace
    assert (keyspace.hits, keyspace.misses, keyspace.expired_keys, keyspace.evicted_keys) == (0, 0, 0, 0)
    assert world.stats.total_commands_processed == 0
    assert world.stats.error_counts == {}
    assert all(command.calls == 0 for command in world.table.everything())


def test_a_client_that_is_closed_by_a_command(world: ServerWorld) -> None:
    one, other = world.connect(), world.connect()
    assert one.ask("CLIENT", "KILL", "ID", str(other.client.client_id)) == b":1\r\n"
    assert other.transport.is_closed
    assert world.clients.by_id(other.client.client_id) is None


def test_pauses(world: ServerWorld) -> None:
    """CLIENT PAUSE holds commands, UNPAUSE lets them go in the order in which they came."""
    one, other, boss = world.connect(), world.connect(), world.connect()
    assert boss.ask("CLIENT", "PAUSE", "100000", "WRITE") == b"+OK\r\n"
    assert one.ask("APPEND", "k", "1") == b""
    assert other.ask("APPEND", "k", "2") == b""
    assert world.keyspace.expiry_paused
    assert boss.ask("GET", "k") == b"$-1\r\n"
    assert boss.ask("CLIENT", "UNPAUSE") == b"+OK\r\n"
    assert (one.received(), other.received()) == (b":1\r\n", b":2\r\n")
    assert boss.ask("GET", "k") == b"$2\r\n12\r\n"
    assert not world.keyspace.expiry_paused


def test_shutdown_is_handed_on(world: ServerWorld) -> None:
    connection = world.connect()
    assert connection.ask("SHUTDOWN", "NOSAVE", "NOW") == b""
    assert world.shutdowns == [(False, True, True, False)]
    assert world.control.shutdown_deadline_ms() == 0
    assert not world.control.abort_shutdown()


class WaitingShutdown(Shutdown):
    """Waits for followers until a certain time, or until it is told not to."""

    def __init__(self) -> None:
        self.until_ms = 1234
        self.waiting_clients = []  # type: ignore[misc]

    def is_waiting(self) -> bool:
        return self.until_ms != 0

    def deadline_ms(self) -> int:
        return self.until_ms

    def abort(self) -> bool:
        waited = self.is_waiting()
        self.until_ms = 0
        return waited


def test_who_sends_shutdown_waits_with_it(world: ServerWorld) -> None:
    shutdown = WaitingShutdown()
    world.control.shutdown = shutdown
    connection = world.connect()
    assert connection.ask("SHUTDOWN") == b""
    assert connection.client.state == BLOCKED
    assert shutdown.waiting_clients == [connection.client]
    assert world.control.shutdown_deadline_ms() == 1234
    assert [world.control.abort_shutdown(), world.control.abort_shutdown()] == [True, False]
