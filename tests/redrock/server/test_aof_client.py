from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.errors import ReplyError
from redrock.server.aof_client import AofClient

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld


@pytest.fixture
def aof_client(world: ServerWorld) -> AofClient:
    world.stream.active = False  # what is loaded is not written again
    return AofClient(world.keyspace, world.table, world.execution)


def test_its_commands_run_and_nobody_is_answered(world: ServerWorld, aof_client: AofClient) -> None:
    for command in (b"SELECT 2", b"SET k 1", b"INCR k", b"SET text x", b"INCR text", b"SELECT 0", b"SET l v"):
        aof_client.apply(command.split())
    assert world.keyspace.databases[0].exists(b"l")
    reader = world.connect()
    reader.ask("SELECT", "2")
    assert reader.ask("GET", "k") == b"$1\r\n2\r\n"
    assert not world.keyspace.applying
    assert world.stream.data == b""


def test_a_transaction_takes_effect_with_its_exec(world: ServerWorld, aof_client: AofClient) -> None:
    """A log that ends in the middle of one has none of it."""
    for command in (b"MULTI", b"SET a 1", b"SELECT 1", b"SET b 2"):
        aof_client.apply(command.split())
    assert world.keyspace.key_count() == 0
    aof_client.apply([b"EXEC"])
    assert world.keyspace.databases[0].exists(b"a")
    assert world.keyspace.databases[1].exists(b"b")


def test_an_expired_key_is_seen_as_it_was_then(world: ServerWorld, aof_client: AofClient) -> None:
    """What the log says about it comes later: nothing is removed before its DEL."""
    world.keyspace.loading = True
    aof_client.apply([b"SET", b"k", b"10", b"PXAT", b"1"])
    aof_client.apply([b"INCR", b"k"])
    world.keyspace.loading = False
    assert world.keyspace.databases[0].table.contains(b"k")


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        ([b"NOSUCH", b"x"], errors.unknown_command([b"NOSUCH", b"x"])),
        ([b"GET"], errors.wrong_arity(b"get")),
    ],
)
def test_a_log_that_is_not_ours(world: ServerWorld, aof_client: AofClient, argv: list[bytes], error: bytes) -> None:
    with pytest.raises(ReplyError) as caught:
        aof_client.apply(argv)
    assert caught.value.text == error
    assert not world.keyspace.applying
