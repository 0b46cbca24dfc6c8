"""Each of these objects passes one kind of call on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from redrock.clients.client import Client
from redrock.cold.link import SpillWaker
from redrock.server.adapters import LeaderPass, LoadBrake, ReplicationClients, Replies, process_limit_bytes

if TYPE_CHECKING:
    from tests.redrock.conftest import ColdWorld
    from tests.redrock.server.conftest import ServerWorld


def test_replies_wait_for_the_log(world: ServerWorld) -> None:
    woken: list[bool] = []
    refreshed: list[bool] = []
    gate = Replies(world.execution, world.serving, lambda: woken.append(True), lambda: refreshed.append(True))
    gate.health_changed()
    assert refreshed == [True]
    gate.hold(True)
    assert world.execution.hold_replies
    connection = world.connect()
    gate.appended(40)
    assert connection.ask("SET", "k", "v") == b""
    gate.release(39)
    assert connection.received() == b""
    gate.release(40)
    assert woken == [True, True]
    world.run()
    assert connection.received() == b"+OK\r\n"


class Replication:
    def __init__(self) -> None:
        self.gone: list[Client] = []

    def client_gone(self, client: Client) -> None:
        self.gone.append(client)


def test_replication_hears_of_clients_that_go(world: ServerWorld) -> None:
    replication = Replication()
    world.serving.add_observer(ReplicationClients(replication))  # type: ignore[arg-type]
    connection = world.connect()
    connection.transport.has_ended = True
    world.run()
    assert replication.gone == [connection.client]


class Leader:
    def __init__(self) -> None:
        self.pass_hook: object = None
        self.resumptions = 0

    def resumed(self) -> None:
        self.resumptions += 1


def test_the_leaders_stream_goes_on_after_a_pass() -> None:
    leader = Leader()
    hook = LeaderPass(leader)  # type: ignore[arg-type]
    # It costs nothing until the leader's commands wait for something.
    assert not hook.wanted
    assert leader.pass_hook is hook
    hook.end_of_pass()
    assert leader.resumptions == 1


class Spiller(SpillWaker):
    def __init__(self) -> None:
        self.count = 0

    def wake(self) -> None:
        self.count += 1


def test_a_load_spills_as_it_goes(cold_world: ColdWorld) -> None:
    """There are no passes while a dataset is loaded: the brake does what their ends would."""
    brake = LoadBrake(cold_world.spilling)
    spiller = Spiller()
    cold_world.spilling.waker = spiller
    cold_world.spilling.configure(100_000, 64, 0)
    woken = []
    for i in range(2):
        assert not brake.must_wait()
        woken.append(spiller.count > 0)
        for j in range(200):
            cold_world.put(b"%d %d" % (i, j), b"x" * 1000)
    assert woken == [False, True]


@pytest.mark.parametrize(("maxpsmem", "limit"), [(-1, 0), (5000, 5000)])
def test_the_limit_of_resident_memory(maxpsmem: int, limit: int) -> None:
    assert process_limit_bytes(maxpsmem) == limit


def test_the_limit_that_follows_from_the_machine() -> None:
    machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert machine_bytes * 0.89 < process_limit_bytes(0) < machine_bytes * 0.91
