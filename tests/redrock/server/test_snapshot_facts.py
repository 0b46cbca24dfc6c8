from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from redrock.server.snapshot_facts import ServerSnapshotFacts

if TYPE_CHECKING:
    from tests.redrock.conftest import ColdWorld
    from tests.redrock.server.conftest import ServerWorld


class Eviction:
    def used_bytes(self) -> int:
        return 12345


class Replication:
    def save_info(self) -> str:
        return "info"


def test_before_everything_is_built(cold_world: ColdWorld) -> None:
    facts = ServerSnapshotFacts(cold_world.keyspace, cold_world.tier)
    assert facts.replication_info() is None
    assert facts.used_memory() == cold_world.keyspace.used_bytes()
    assert not facts.in_transaction()


def test_afterwards(cold_world: ColdWorld, world: ServerWorld) -> None:
    facts = ServerSnapshotFacts(cold_world.keyspace, cold_world.tier)
    facts.ctx = world.ctx
    facts.eviction = Eviction()  # type: ignore[assignment]
    facts.replication = Replication()  # type: ignore[assignment]
    assert facts.used_memory() == 12345
    assert str(facts.replication_info()) == "info"
    seen = []
    for in_exec in (False, True):
        world.ctx.in_exec = in_exec
        seen.append(facts.in_transaction())
    assert seen == [False, True]


@pytest.mark.parametrize("cold", [False, True])
def test_a_snapshot_of_cold_values_only_if_there_are_any(cold_world: ColdWorld, cold: bool) -> None:
    facts = ServerSnapshotFacts(cold_world.keyspace, cold_world.tier)
    cold_world.put(b"k", b"x" * 100)
    if cold:
        cold_world.spill(b"k")
    opened = facts.open_cold_snapshot()
    assert (opened is not None) == cold
    if opened is not None:
        assert isinstance(opened, socket.socket)
        opened.close()
    cold_world.tier.close()
    assert facts.open_cold_snapshot() is None
