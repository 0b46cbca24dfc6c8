"""Who waits, until when, and the way out; and against a naive model of the clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.clients.blocking import BlockedClients
from redrock.clients.client import BLOCKED, READY, Client
from redrock.clients.waiter import Waiter
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.util.random import RandomSource


def test_blocking_and_release(two_clients: tuple[Client, Client]) -> None:
    blocked = BlockedClients()
    one, other = two_clients
    waiter = Waiter()
    blocked.block(one, waiter, 500)
    assert one.state == BLOCKED
    assert blocked.waiter_of(one) is waiter
    assert blocked.waiter_of(other) is None
    assert blocked.all() == [one]
    assert blocked.count() == 1
    assert blocked.release(one) is waiter
    assert one.state == READY
    assert one.block_timeout_at_ms == 0
    assert blocked.release(one) is None
    assert blocked.count() == 0
    assert blocked.next_timeout_at_ms() == 0


def test_one_waits_for_one_thing(two_clients: tuple[Client, Client]) -> None:
    blocked = BlockedClients()
    blocked.block(two_clients[0], Waiter(), 0)
    with pytest.raises(AssertionError):
        blocked.block(two_clients[0], Waiter(), 0)


def test_an_old_deadline_does_not_end_a_new_wait(two_clients: tuple[Client, Client]) -> None:
    blocked = BlockedClients()
    client = two_clients[0]
    blocked.block(client, Waiter(), 500)
    blocked.release(client)
    blocked.block(client, Waiter(), 0)
    assert blocked.next_timeout_at_ms() == 0
    assert blocked.due(10_000) == []
    blocked.release(client)
    blocked.block(client, Waiter(), 900)
    assert blocked.due(899) == []
    assert blocked.due(900) == [client]


STEPS = st.lists(st.tuples(st.sampled_from(["block", "release", "due"]), st.integers(0, 5), st.integers(0, 30)))


@given(STEPS)
def test_against_a_model(steps: list[tuple[str, int, int]]) -> None:
    keyspace = Keyspace(1, RandomSource(1), KeyspaceListener(), ColdRows())
    clients = [Client(number, None, keyspace.databases[0], 0) for number in range(6)]
    blocked = BlockedClients()
    model: dict[int, int] = {}
    now_ms = 0
    for step, number, amount in steps:
        client = clients[number]
        if step == "block" and number not in model:
            at_ms = now_ms + amount if amount else 0
            blocked.block(client, Waiter(), at_ms)
            model[number] = at_ms
        elif step == "release":
            assert (blocked.release(client) is not None) == (model.pop(number, None) is not None)
        elif step == "due":
            now_ms += amount
            due = blocked.due(now_ms)
            expected = {other for other, at in model.items() if at and at <= now_ms}
            assert {one.client_id for one in due} == expected
            assert [model[one.client_id] for one in due] == sorted(model[other] for other in expected)
            for one in due:
                blocked.release(one)
                del model[one.client_id]
        assert blocked.count() == len(model)
        assert blocked.next_timeout_at_ms() == min((at for at in model.values() if at), default=0)
