"""MULTI's queue, and which changes of watched keys abort EXEC."""

import pytest

from redrock.clients.client import DIRTY_CAS, DIRTY_EXEC, IN_MULTI, Client
from redrock.clients.transaction import Transactions
from redrock.datatypes.string import StringValue
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import Observers

PAST = 999_999
FUTURE = 1_000_001


@pytest.fixture
def observers() -> Observers:
    return Observers()


@pytest.fixture
def transactions(keyspace: Keyspace, observers: Observers) -> Transactions:
    return Transactions(keyspace, observers)


def put(keyspace: Keyspace, dbid: int, key: bytes, expire_at_ms: int = -1) -> None:
    database = keyspace.databases[dbid]
    database.put(key, StringValue(b"v"))
    if expire_at_ms >= 0:
        database.set_expire(key, expire_at_ms)


def test_the_queue(transactions: Transactions, two_clients: tuple[Client, Client]) -> None:
    client = two_clients[0]
    transactions.begin(client)
    transactions.queue(client, 0b01, [b"SET", b"k", b"vvv"])
    transactions.queue(client, 0b10, [b"GET", b"k"])
    assert client.queued == [[b"SET", b"k", b"vvv"], [b"GET", b"k"]]
    assert client.queued_flags & 0b111 == 0b11
    assert client.queued_inverse_flags & 0b111 == 0b111
    assert client.queued_bytes >= 7 + 4
    transactions.discard(client)
    assert client.gate == 0
    assert client.queued == []
    assert (client.queued_flags, client.queued_inverse_flags, client.queued_bytes) == (0, 0, 0)


@pytest.mark.parametrize("dirty", [DIRTY_CAS, DIRTY_EXEC])
def test_nothing_more_is_kept_for_what_will_abort(
    transactions: Transactions, two_clients: tuple[Client, Client], dirty: int
) -> None:
    client = two_clients[0]
    transactions.begin(client)
    client.set(dirty)
    transactions.queue(client, 1, [b"SET", b"k", b"v"])
    assert client.queued == []
    transactions.discard(client)
    assert client.gate == 0


def test_only_watchers_of_the_key_are_concerned(
    transactions: Transactions, observers: Observers, two_clients: tuple[Client, Client]
) -> None:
    one, other = two_clients
    transactions.watch(one, 0, b"a")
    transactions.watch(one, 0, b"a")
    transactions.watch(other, 1, b"a")
    transactions.watch(other, 0, b"b")
    assert len(one.watched) == 1
    observers.key_changed(0, b"a")
    assert one.has(DIRTY_CAS)
    assert not other.has(DIRTY_CAS)
    observers.key_changed(1, b"a")
    assert other.has(DIRTY_CAS)


def is_asked(observers: Observers) -> bool:
    return observers.watching


def test_nobody_is_asked_when_nobody_watches(
    transactions: Transactions, observers: Observers, two_clients: tuple[Client, Client]
) -> None:
    one, other = two_clients
    assert not is_asked(observers)
    transactions.watch(one, 0, b"a")
    transactions.watch(other, 0, b"a")
    assert is_asked(observers)
    transactions.unwatch(one)
    transactions.unwatch(one)
    assert is_asked(observers)
    observers.key_changed(0, b"a")
    assert not one.has(DIRTY_CAS)
    assert other.has(DIRTY_CAS)
    transactions.discard(other)
    assert not is_asked(observers)


def test_a_key_whose_time_comes_after_watch(
    keyspace: Keyspace, transactions: Transactions, two_clients: tuple[Client, Client]
) -> None:
    client = two_clients[0]
    put(keyspace, 0, b"soon", FUTURE)
    put(keyspace, 0, b"over", PAST)
    transactions.watch(client, 0, b"over")
    transactions.watch(client, 0, b"absent")
    assert not transactions.has_expired_watch(client)
    transactions.watch(client, 0, b"soon")
    keyspace.now_ms = FUTURE
    assert not transactions.has_expired_watch(client)
    keyspace.now_ms = FUTURE + 1
    assert transactions.has_expired_watch(client)
    keyspace.loading = True
    assert not transactions.has_expired_watch(client)


def test_the_removal_of_a_key_that_had_expired_before_watch_is_no_change(
    keyspace: Keyspace, transactions: Transactions, observers: Observers, two_clients: tuple[Client, Client]
) -> None:
    early, late = two_clients
    put(keyspace, 0, b"k", PAST)
    keyspace.now_ms = PAST
    transactions.watch(early, 0, b"k")
    keyspace.now_ms = FUTURE
    transactions.watch(late, 0, b"k")
    keyspace.databases[0].remove(b"k")
    observers.key_changed(0, b"k")
    assert early.has(DIRTY_CAS)
    assert not late.has(DIRTY_CAS)
    # From then on the key is one that does not exist: if it appears, that is a change.
    put(keyspace, 0, b"k")
    observers.key_changed(0, b"k")
    assert late.has(DIRTY_CAS)


@pytest.mark.parametrize("dbid", [0, -1])
def test_a_flush(
    keyspace: Keyspace,
    transactions: Transactions,
    observers: Observers,
    two_clients: tuple[Client, Client],
    dbid: int,
) -> None:
    one, other = two_clients
    put(keyspace, 0, b"k")
    put(keyspace, 0, b"over", PAST)
    transactions.watch(one, 0, b"k")
    transactions.watch(other, 0, b"absent")
    transactions.watch(other, 0, b"over")
    transactions.watch(other, 1, b"k")
    observers.database_flushed(dbid)
    assert one.has(DIRTY_CAS)
    assert not other.has(DIRTY_CAS)
    assert not other.watched[1].expired


def test_a_flush_of_another_database(
    keyspace: Keyspace, transactions: Transactions, observers: Observers, two_clients: tuple[Client, Client]
) -> None:
    put(keyspace, 0, b"k")
    transactions.watch(two_clients[0], 0, b"k")
    observers.database_flushed(1)
    assert not two_clients[0].has(DIRTY_CAS)


@pytest.mark.parametrize(
    ("first", "second", "changed", "expired"),
    [
        # What the watched key is in its own database, and in the other: -1 absent, 0 there, else when it expires.
        (-1, -1, False, False),
        (0, -1, True, False),
        (-1, 0, True, False),
        (0, 0, True, False),
        (0, PAST, True, False),
        (FUTURE, -1, True, False),
        # An expired key counts as absent, and must not be taken for a key that expired after WATCH.
        (-1, PAST, False, True),
        (PAST, -1, False, False),
        (PAST, PAST, False, True),
        (PAST, 0, True, True),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_databases_that_are_swapped(
    keyspace: Keyspace,
    transactions: Transactions,
    two_clients: tuple[Client, Client],
    first: int,
    second: int,
    changed: bool,
    expired: bool,
    turned: bool,
) -> None:
    client, elsewhere = two_clients
    for dbid, state in ((0, first), (1, second)):
        if state >= 0:
            put(keyspace, dbid, b"k", state if state else -1)
    put(keyspace, 2, b"k")
    transactions.watch(client, 0, b"k")
    transactions.watch(elsewhere, 2, b"k")
    transactions.databases_swapped(*((1, 0) if turned else (0, 1)))
    assert client.has(DIRTY_CAS) == changed
    assert client.watched[0].expired == expired
    assert not elsewhere.has(DIRTY_CAS)
    assert not client.has(IN_MULTI)
