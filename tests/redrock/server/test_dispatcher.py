"""Admission: which check refuses first, transactions, pauses, and the cold values of a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import pytest

from redrock import errors
from redrock.clients.client import IN_PUBSUB, IS_LEADER_LINK, IS_REPLICA, NEEDS_AUTH, PARKED, POSTPONED
from redrock.server.dispatcher import (
    GATE_ASYNC_LOADING,
    GATE_DISK,
    GATE_FOLLOWER,
    GATE_LOADING,
    GATE_MEMORY,
    GATE_PAUSED_ALL,
    GATE_PAUSED_WRITES,
    GATE_REPLICAS,
    GATE_STALE,
)

if TYPE_CHECKING:
    from tests.redrock.server.conftest import Connection, ServerWorld

Trouble = Callable[["ServerWorld", "Connection"], None]

OK: Final = b"+OK\r\n"
PONG: Final = b"+PONG\r\n"
QUEUED: Final = b"+QUEUED\r\n"
NIL: Final = b"$-1\r\n"
MISCONF: Final = b"MISCONF Redis is configured to save RDB snapshots"


# --- What may be wrong


def no_password(world: ServerWorld, connection: Connection) -> None:
    world.settings.requirepass = b"secret"
    connection.client.set(NEEDS_AUTH)


def out_of_memory(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_MEMORY
    world.memory.refusal = errors.OOM


def disk_failed(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_DISK
    world.disk.refusal = MISCONF


def few_followers(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_REPLICAS
    world.settings.min_replicas_to_write = 2
    world.followers.good = 1


def read_only(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_FOLLOWER
    world.dispatcher.read_only_follower = True


def subscribed(world: ServerWorld, connection: Connection) -> None:
    connection.client.set(IN_PUBSUB)


def link_down(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_FOLLOWER | GATE_STALE
    world.followers.is_up = False


def loading(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_LOADING


def async_loading(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_ASYNC_LOADING


def is_follower(world: ServerWorld, connection: Connection) -> None:
    connection.client.set(IS_REPLICA)


def paused(world: ServerWorld, connection: Connection) -> None:
    world.dispatcher.gate |= GATE_PAUSED_ALL


def of_pubsub(name: bytes) -> bytes:
    return errors.pubsub_context(name)


# In Redis's order. The two lists differ by role: only a leader counts its followers.
ON_A_LEADER: Final[list[tuple[Trouble, bytes]]] = [
    (no_password, errors.NOAUTH),
    (out_of_memory, errors.OOM),
    (disk_failed, MISCONF),
    (few_followers, errors.NOREPLICAS),
    (subscribed, of_pubsub(b"append")),
    (loading, errors.LOADING),
    (is_follower, errors.REPLICA_KEYSPACE),
]
ON_A_FOLLOWER: Final[list[tuple[Trouble, bytes]]] = [
    (no_password, errors.NOAUTH),
    (out_of_memory, errors.OOM),
    (disk_failed, MISCONF),
    (read_only, errors.READONLY),
    (subscribed, of_pubsub(b"append")),
    (link_down, errors.MASTERDOWN),
    (loading, errors.LOADING),
    (is_follower, errors.REPLICA_KEYSPACE),
]


@pytest.mark.parametrize("troubles", [ON_A_LEADER, ON_A_FOLLOWER], ids=["leader", "follower"])
def test_the_first_check_that_fails_answers(
    make_world: type[ServerWorld], troubles: list[tuple[Trouble, bytes]]
) -> None:
    """APPEND is subject to all of them. Each time the first trouble is left out, the next one shows."""
    for first in range(len(troubles)):
        world = make_world()
        connection = world.connect()
        for trouble, _ in troubles[first:]:
            trouble(world, connection)
        paused(world, connection)  # which is looked at last of all
        assert connection.ask("APPEND", "k") == b"-ERR wrong number of arguments for 'append' command\r\n"
        assert connection.ask("APPENDIX", "k").startswith(b"-ERR unknown command")
        assert connection.ask("APPEND", "k", "v") == b"-" + troubles[first][1] + b"\r\n"
        assert world.keyspace.key_count() == 0
        command = world.table.by_name(b"append")
        assert command is not None
        assert (command.calls, command.rejected_calls) == (0, 2)


# What each trouble leaves alone: the command and what it gets.
CASES: Final[list[tuple[list[Trouble], str, bytes]]] = [
    ([], "GET k", NIL),
    ([no_password], "GET k", b"-" + errors.NOAUTH),
    ([no_password], "AUTH secret", OK),
    ([no_password], "HELLO 9", b"-NOPROTO"),
    ([no_password], "QUIT", OK),
    ([no_password], "DEBUG SLEEP 0", b"-ERR DEBUG command not allowed."),
    ([out_of_memory], "GET k", NIL),
    ([out_of_memory], "DEL k", b":0"),
    ([out_of_memory], "MULTI", OK),
    ([disk_failed], "GET k", NIL),
    ([disk_failed], "PING", b"-" + MISCONF),
    ([disk_failed], "ECHO a", b"$1\r\na"),
    ([few_followers], "GET k", NIL),
    ([few_followers, read_only], "SET k v", b"-" + errors.READONLY),
    ([read_only], "GET k", NIL),
    ([read_only], "MULTI", OK),
    ([subscribed], "GET k", b"-" + of_pubsub(b"get")),
    ([subscribed], "CLIENT ID", b"-" + of_pubsub(b"client|id")),
    ([subscribed], "PING", b"*2\r\n$4\r\npong\r\n"),
    ([subscribed], "QUIT", OK),
    ([subscribed], "RESET", b"+RESET"),
    ([link_down], "GET k", b"-" + errors.MASTERDOWN),
    ([link_down], "INFO server", b"$"),
    ([link_down], "PING", b"-" + errors.MASTERDOWN),
    ([loading], "GET k", b"-" + errors.LOADING),
    ([loading], "SELECT 1", OK),
    ([loading], "MULTI", OK),
    ([async_loading], "GET k", NIL),
    ([async_loading], "SELECT 1", OK),
    ([async_loading], "SAVE", b"-" + errors.LOADING),
    ([is_follower], "GET k", b"-" + errors.REPLICA_KEYSPACE),
    ([is_follower], "PING", PONG),
]


@pytest.mark.parametrize(("troubles", "command", "answer"), CASES)
def test_what_each_trouble_concerns(world: ServerWorld, troubles: list[Trouble], command: str, answer: bytes) -> None:
    connection = world.connect()
    for trouble in troubles:
        trouble(world, connection)
    assert connection.ask(*command.split()).startswith(answer)


def test_memory_is_asked_for_only_where_there_is_a_limit(world: ServerWorld) -> None:
    connection = world.connect()
    connection.ask("SET", "k", "v")
    asked = [world.memory.asked]
    world.dispatcher.gate |= GATE_MEMORY
    connection.ask("GET", "k")  # evicts too, as in Redis
    asked.append(world.memory.asked)
    assert asked == [0, 1]


@pytest.mark.parametrize("resp", [2, 3])
def test_in_resp3_a_subscriber_may_do_anything(world: ServerWorld, resp: int) -> None:
    connection = world.connect()
    subscribed(world, connection)
    connection.client.resp = resp
    assert connection.ask("ECHO", "a").startswith(b"-" if resp == 2 else b"$1")


@pytest.mark.parametrize(
    ("setting", "is_local", "allowed"),
    [("no", True, False), ("local", True, True), ("local", False, False), ("yes", False, True)],
)
def test_protected_commands(world: ServerWorld, setting: str, is_local: bool, allowed: bool) -> None:
    connection = world.connect()
    world.settings.enable_debug_command = setting
    connection.client.is_local = is_local
    answer = connection.ask("DEBUG", "SLEEP", "0")
    assert answer == (OK if allowed else b"-" + errors.protected_command(b"DEBUG", b"enable-debug-command") + b"\r\n")


@pytest.mark.parametrize("trouble", [disk_failed, few_followers, read_only, loading, paused, out_of_memory])
def test_the_leader_is_obeyed(world: ServerWorld, trouble: Trouble) -> None:
    """Except in what concerns everybody: memory, few followers, loading."""
    connection = world.connect()
    connection.client.set(IS_LEADER_LINK)
    trouble(world, connection)
    assert connection.ask("SET", "k", "v") == b""  # it is never answered
    assert world.keyspace.key_count() == (trouble in (disk_failed, read_only, paused))


def test_the_name_of_the_last_command(world: ServerWorld) -> None:
    """CLIENT LIST shows it, whether the command was run, queued or refused."""
    connection = world.connect()
    seen = []
    for words in (["GET", "k"], ["GET"], ["CLIENT", "ID"], ["NOSUCH"], ["MULTI"], ["incr", "a"]):
        connection.ask(*words)
        seen.append(connection.client.last_command)
    assert seen == [b"get", b"get", b"client|id", b"NULL", b"multi", b"incr"]


# --- Transactions


def test_errors_while_queueing_abort(world: ServerWorld) -> None:
    for wrong, error in (
        (["NOSUCH"], b"-ERR unknown command"),
        (["GET"], b"-ERR wrong number"),
        (["SYNC"], b"-" + errors.NOT_IN_MULTI),
        (["DEBUG", "SLEEP", "0"], b"-ERR DEBUG"),
    ):
        connection = world.connect()
        assert connection.ask("MULTI") == OK
        assert connection.ask("SET", "k", "v") == QUEUED
        assert connection.ask(*wrong).startswith(error)
        assert connection.ask("SET", "k", "v") == QUEUED
        assert connection.ask("EXEC") == b"-EXECABORT Transaction discarded because of previous errors.\r\n"
        assert connection.ask("EXEC") == b"-ERR EXEC without MULTI\r\n"
    assert world.keyspace.key_count() == 0


@pytest.mark.parametrize(
    ("trouble", "queued", "reason"),
    [
        (no_password, "GET k", errors.NOAUTH),
        (out_of_memory, "SET k v", errors.OOM),
        (disk_failed, "SET k v", MISCONF),
        (few_followers, "SET k v", errors.NOREPLICAS),
        (read_only, "SET k v", errors.READONLY),
        (link_down, "GET k", errors.MASTERDOWN),
        (loading, "GET k", errors.LOADING),
        (async_loading, "BGSAVE", errors.LOADING),
        (is_follower, "GET k", errors.REPLICA_KEYSPACE),
        (out_of_memory, "GET k", None),
        (disk_failed, "GET k", None),
        (few_followers, "GET k", None),
        (read_only, "GET k", None),
        (link_down, "INFO server", None),
        (loading, "SELECT 0", None),
        (is_follower, "ECHO a", None),
    ],
)
def test_exec_is_judged_by_what_it_is_going_to_run(
    world: ServerWorld, trouble: Trouble, queued: str, reason: bytes | None
) -> None:
    connection = world.connect()
    assert connection.ask("MULTI") == OK
    assert connection.ask(*queued.split()) == QUEUED
    trouble(world, connection)
    answer = connection.ask("EXEC")
    if reason is None:
        assert answer.startswith(b"*1\r\n")
    else:
        assert answer == b"-EXECABORT Transaction discarded because of: " + reason.removeprefix(b"ERR ") + b"\r\n"
    world.dispatcher.gate = 0
    connection.client.gate = 0
    assert connection.ask("EXEC") == b"-ERR EXEC without MULTI\r\n"


@pytest.mark.parametrize(
    ("command", "afforded"),
    [("GET k", False), ("MULTI", False), ("WATCH k", False), ("DISCARD", True), ("EXEC", True), ("RESET", True)],
)
def test_a_queue_costs_memory(world: ServerWorld, command: str, afforded: bool) -> None:
    connection = world.connect()
    connection.ask("MULTI")
    out_of_memory(world, connection)
    assert (connection.ask(*command.split()) == b"-" + errors.OOM + b"\r\n") != afforded


def test_a_refused_exec_is_shown_to_monitors(world: ServerWorld) -> None:
    watching, connection = world.connect(), world.connect()
    watching.ask("MONITOR")
    connection.ask("MULTI")
    connection.ask("EXEC", "too", "much")
    assert [line.partition(b"] ")[2] for line in watching.received().splitlines()] == [
        b'"MULTI"',
        b'"EXEC" "too" "much"',
    ]


# --- CLIENT PAUSE


@pytest.mark.parametrize(
    ("gate", "command", "waits"),
    [
        (GATE_PAUSED_WRITES, "SET k v", True),
        (GATE_PAUSED_WRITES, "GET k", False),
        (GATE_PAUSED_WRITES, "PING", False),
        (GATE_PAUSED_ALL, "PING", True),
        (GATE_PAUSED_ALL, "GET k", True),
    ],
)
def test_whose_commands_wait_in_a_pause(world: ServerWorld, gate: int, command: str, waits: bool) -> None:
    connection = world.connect()
    world.dispatcher.gate |= gate
    answer = connection.ask(*command.split())
    assert (answer == b"") == waits
    assert (connection.client.state == POSTPONED) == waits
    assert world.dispatcher.postponed == ([connection.client] if waits else [])


@pytest.mark.parametrize(("queued", "waits"), [("SET k v", True), ("GET k", False)])
def test_exec_in_a_pause_of_writes(world: ServerWorld, queued: str, waits: bool) -> None:
    connection = world.connect()
    connection.ask("MULTI")
    connection.ask(*queued.split())
    world.dispatcher.gate |= GATE_PAUSED_WRITES
    assert (connection.ask("EXEC") == b"") == waits


def test_a_client_that_goes_away_in_a_pause(world: ServerWorld) -> None:
    connection = world.connect()
    world.dispatcher.gate |= GATE_PAUSED_ALL
    assert connection.ask("PING") == b""
    connection.transport.has_ended = True
    world.run()
    assert world.dispatcher.postponed == []


# --- Cold values


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ("GET a", [b"a"]),
        ("MGET x a hot b a", [b"a", b"b", b"a"]),
        ("LCS hot a", [b"a"]),
        ("APPEND a x", [b"a"]),
        ("SET a v", None),
        ("SET a v GET", [b"a"]),  # known only to the command itself, when it looks
        ("DEL a", None),
        ("EXISTS a", None),
        ("TTL a", None),
        ("TYPE a", None),
        ("GET hot", None),
        ("GET x", None),
    ],
)
def test_which_commands_wait_for_which_values(world: ServerWorld, command: str, keys: list[bytes] | None) -> None:
    for key in (b"a", b"b"):
        world.make_cold(key)
    world.put(b"hot")
    connection = world.connect()
    connection.send([word.encode() for word in command.split()])
    world.run()
    if keys is None:
        assert world.loader.parked == []
        assert connection.received() != b""
    else:
        assert world.loader.parked == [(connection.client.client_id, 0, keys)]
        assert connection.client.state == PARKED
    assert not world.keyspace.may_park


def test_exec_waits_for_the_values_of_all_its_commands(world: ServerWorld) -> None:
    for key in (b"a", b"b", b"c"):
        world.make_cold(key)
    world.make_cold(b"d", b"of another database", 1)
    connection = world.connect()
    connection.send(
        [b"MULTI"],
        [b"GET", b"a"],
        [b"SET", b"b", b"v"],
        [b"STRLEN", b"c"],
        [b"SELECT", b"1"],
        [b"GET", b"d"],
        [b"EXEC"],
    )
    world.run()
    assert world.loader.parked == [(connection.client.client_id, 0, [b"a", b"c"])]
    for key in (b"a", b"c"):
        world.load(key)
    world.serving.resume(connection.client.client_id, None)
    world.run()
    # What could not be known is read inline: a transaction does not stop in the middle.
    assert connection.received() == OK + QUEUED * 5 + b"*5\r\n$1\r\nv\r\n" + OK + b":1\r\n" + OK + (
        b"$19\r\nof another database\r\n"
    )
    assert len(world.loader.parked) == 1


def test_without_a_cold_tier_nobody_waits(world: ServerWorld) -> None:
    """DEBUG RELOAD and the like may run while it is closed: values are read inline then."""
    world.make_cold(b"a")
    world.dispatcher.cold_tier = False
    assert world.connect().ask("GET", "a") == b"$1\r\nv\r\n"
    assert world.loader.parked == []


def test_admission_is_checked_anew_when_the_values_have_come(world: ServerWorld) -> None:
    world.make_cold(b"a")
    connection = world.connect()
    assert connection.ask("APPEND", "a", "x") == b""
    read_only(world, connection)
    world.load(b"a")
    world.serving.resume(connection.client.client_id, None)
    world.run()
    assert connection.received() == b"-" + errors.READONLY + b"\r\n"
