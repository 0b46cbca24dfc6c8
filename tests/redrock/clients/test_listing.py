"""CLIENT LIST's line: its fields are compared with redis-server's elsewhere; here, what they say."""

from __future__ import annotations

import pytest

from redrock.clients import client as bits
from redrock.clients.client import Client
from redrock.clients.listing import (
    TYPE_LEADER,
    TYPE_NORMAL,
    TYPE_PUBSUB,
    TYPE_REPLICA,
    describe,
    flag_letters,
    type_by_name,
    type_of,
)
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.resp.encoder import encode_command
from redrock.util.random import RandomSource

NOW_MS = 1_700_000_000_500


@pytest.fixture
def client() -> Client:
    keyspace = Keyspace(4, RandomSource(1), KeyspaceListener(), ColdRows())
    return Client(7, None, keyspace.databases[3], NOW_MS)


def fields(client: Client, now_ms: int = NOW_MS, argv: list[bytes] | None = None) -> dict[str, str]:
    line = describe(client, now_ms, argv).decode()
    return dict(field.split("=", 1) for field in line.split(" "))


def test_a_quiet_client(client: Client) -> None:
    client.address = b"[::1]:55"
    found = fields(client, NOW_MS + 61_000)
    assert (found["id"], found["addr"], found["fd"], found["db"]) == ("7", "[::1]:55", "-1", "3")
    assert (found["age"], found["idle"], found["flags"], found["multi"]) == ("61", "61", "N", "-1")
    assert (found["qbuf"], found["argv-mem"], found["omem"], found["events"]) == ("0", "0", "0", "")
    assert (found["cmd"], found["user"], found["redir"], found["resp"]) == ("NULL", "default", "-1", "2")


def test_the_command_that_runs_is_still_in_the_buffer(client: Client) -> None:
    argv = [b"client", b"list"]
    client.parser.feed(b"*1\r\n$4\r\nPI")
    found = fields(client, argv=argv)
    assert int(found["qbuf"]) == len(encode_command(argv)) + 10
    assert found["argv-mem"] == "10"


def test_buffers(client: Client) -> None:
    client.gate |= bits.IN_MULTI
    client.queued = [[b"SET", b"k", b"v"], [b"PING"]]
    client.output.writer.write(b"+OK\r\n")
    found = fields(client)
    assert (found["multi"], found["multi-mem"], found["obl"], found["oll"]) == ("2", "9", "5", "0")
    assert int(found["tot-mem"]) >= client.memory_bytes()


@pytest.mark.parametrize(
    ("gate", "letters"),
    [
        (0, b"N"),
        (bits.IS_REPLICA, b"S"),
        (bits.IS_MONITOR, b"O"),
        (bits.IS_LEADER_LINK, b"M"),
        (bits.IN_PUBSUB | bits.IN_MULTI, b"Px"),
        (bits.TRACKING, b"t"),
        (bits.DIRTY_CAS | bits.IN_MULTI, b"xd"),
        (bits.NO_EVICT, b"e"),
    ],
)
def test_letters_of_the_gate(client: Client, gate: int, letters: bytes) -> None:
    client.gate = gate
    assert flag_letters(client) == letters


def test_letters_of_the_state(client: Client) -> None:
    for state, letters in ((bits.BLOCKED, b"b"), (bits.POSTPONED, b"b"), (bits.PARKED, b"N")):
        client.state = state
        assert flag_letters(client) == letters
    client.is_unix_socket = client.close_after_reply = client.close_asap = True
    assert flag_letters(client) == b"cAU"


def test_types(client: Client) -> None:
    assert [type_by_name(name) for name in (b"normal", b"SLAVE", b"Replica", b"pubsub", b"master", b"x")] == [
        TYPE_NORMAL,
        TYPE_REPLICA,
        TYPE_REPLICA,
        TYPE_PUBSUB,
        TYPE_LEADER,
        None,
    ]
    for gate, number in (
        (bits.IS_MONITOR, TYPE_NORMAL),
        (bits.IN_PUBSUB, TYPE_PUBSUB),
        (bits.IS_REPLICA, TYPE_REPLICA),
        (bits.IS_LEADER_LINK, TYPE_LEADER),
    ):
        client.gate = gate
        assert type_of(client) == number
    assert fields(client)["user"] == "(superuser)"
