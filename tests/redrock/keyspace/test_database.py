"""One database: who sees and who removes expired keys, cold values; accounting after any sequence of changes."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.datatypes.string import RawString, StringValue
from redrock.datatypes.value import ColdMarker, Value
from redrock.errors import ReplyError
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.database import ColdRead, Database
from redrock.keyspace.keyspace import Keyspace
from redrock.util.random import RandomSource

NOW: Final = 1_000_000
MARKER: Final = ColdMarker(0, b"raw")


class Listener(KeyspaceListener):
    def __init__(self) -> None:
        self.told: list[tuple[str, int, bytes]] = []

    def key_expired(self, dbid: int, key: bytes) -> None:
        self.told.append(("expired", dbid, key))

    def key_missed(self, dbid: int, key: bytes) -> None:
        self.told.append(("missed", dbid, key))

    def key_added(self, dbid: int, key: bytes) -> None:
        self.told.append(("added", dbid, key))

    def key_ready(self, dbid: int, key: bytes, value: Value) -> None:
        self.told.append(("ready", dbid, key))


class Rows(ColdRows):
    """The cold tier as a dict. Forgetting or moving a row that does not exist is an error."""

    def __init__(self) -> None:
        self.rows: dict[tuple[int, bytes], bytes] = {}
        self.is_broken = False

    def forget(self, store_id: int, type_code: int, key: bytes) -> None:
        del self.rows[store_id, key]

    def move_row(self, type_code: int, from_store: int, from_key: bytes, to_store: int, to_key: bytes) -> None:
        assert (to_store, to_key) not in self.rows
        self.rows[to_store, to_key] = self.rows.pop((from_store, from_key))

    def drop_store(self, store_id: int) -> None:
        dropped = [name for name in self.rows if name[0] == store_id]
        assert dropped, "told of a store without rows"
        for name in dropped:
            del self.rows[name]

    def load_inline(self, store_id: int, type_code: int, key: bytes) -> Value:
        if self.is_broken:
            raise ReplyError(b"ERR disk")
        return StringValue(self.rows.pop((store_id, key)))


class World:
    def __init__(self) -> None:
        self.listener = Listener()
        self.rows = Rows()
        self.keyspace = Keyspace(3, RandomSource(1), self.listener, self.rows)
        self.keyspace.now_ms = NOW

    @property
    def db(self) -> Database:
        return self.keyspace.databases[0]

    def put(self, key: bytes, data: bytes = b"v", expire_at_ms: int = -1, dbid: int = 0) -> StringValue:
        value = StringValue(data)
        database = self.keyspace.databases[dbid]
        database.put(key, value)
        if expire_at_ms >= 0:
            database.set_expire(key, expire_at_ms)
        return value

    def make_cold(self, key: bytes, dbid: int = 0) -> None:
        database = self.keyspace.databases[dbid]
        value = database.table.get(key)
        assert isinstance(value, StringValue)
        self.rows.rows[database.store_id, key] = value.as_bytes()
        database.swap_out(key, value, MARKER)

    def check(self) -> None:
        markers = set()
        for database in self.keyspace.databases:
            database.check_invariants()
            for key, value in database.table.items():
                if isinstance(value, ColdMarker):
                    markers.add((database.store_id, key))
        assert markers == set(self.rows.rows)


@pytest.fixture
def world() -> World:
    return World()


# --- Lookups


def test_reads_count_and_mark_the_use(world: World) -> None:
    value = world.put(b"k")
    world.keyspace.lru_clock = 77
    assert world.db.peek(b"k") is value
    assert world.db.peek_write(b"k") is value
    assert value.last_use == 0
    assert (world.keyspace.hits, world.keyspace.misses) == (0, 0)
    assert world.db.peek_read(b"k") is value
    assert world.db.lookup_read(b"k") is value
    assert value.last_use == 77
    assert world.db.peek_read(b"x") is None
    assert world.db.lookup_read(b"x") is None
    assert (world.keyspace.hits, world.keyspace.misses) == (2, 2)
    assert world.listener.told == []
    world.keyspace.miss_events = True
    world.db.lookup_read(b"x")
    world.db.peek_read(b"x")
    world.db.lookup_write(b"x")  # who writes misses nothing
    assert world.listener.told == [("missed", 0, b"x")] * 2


def test_touch(world: World) -> None:
    value = world.put(b"k")
    world.keyspace.lru_clock = 5
    world.db.touch_last_use(b"k", value)
    assert value.last_use == 5
    world.db.touch_last_use(b"k", MARKER)
    assert MARKER.last_use == 0


# role: leader, follower, writable (follower), applying (the leader's stream on a follower), loading, paused
@pytest.mark.parametrize(
    ("role", "read_sees", "write_sees", "removed_by_read", "removed_by_write"),
    [
        ("leader", False, False, True, True),
        ("follower", False, False, False, False),
        ("writable", False, False, False, True),
        ("applying", True, True, False, False),
        ("loading", True, True, False, False),
        ("paused", False, False, False, False),
    ],
)
def test_who_sees_and_who_removes_expired_keys(
    world: World, role: str, read_sees: bool, write_sees: bool, removed_by_read: bool, removed_by_write: bool
) -> None:
    keyspace = world.keyspace
    keyspace.follower = role in ("follower", "writable", "applying")
    keyspace.writable_follower = role in ("writable", "applying")
    keyspace.applying = role == "applying"
    keyspace.loading = role == "loading"
    keyspace.expiry_paused = role == "paused"
    database = world.db
    for lookup, sees, removed in (
        (database.lookup_read, read_sees, removed_by_read),
        (database.peek_read, read_sees, removed_by_read),
        (database.peek, read_sees, removed_by_read),
        (database.lookup_write, write_sees, removed_by_write),
        (database.peek_write, write_sees, removed_by_write),
    ):
        world.put(b"k", expire_at_ms=NOW - 1)
        world.put(b"now", expire_at_ms=NOW)
        world.listener.told.clear()
        before = keyspace.expired_keys
        assert (lookup(b"k") is not None) == sees
        assert database.table.contains(b"k") != removed
        assert world.listener.told == ([("expired", 0, b"k")] if removed else [])
        assert keyspace.expired_keys - before == removed
        # Its time is over when it lies in the past, not before.
        assert lookup(b"now") is not None
    keyspace.settle()
    world.check()


# --- Changes


def test_a_new_value_keeps_the_expire(world: World) -> None:
    old = world.put(b"k", expire_at_ms=NOW + 5)
    new = world.put(b"k", b"longer than before")
    assert world.db.expire_at(b"k") == NOW + 5
    assert old.accounted == -1
    assert new.accounted == new.memory_bytes()
    assert world.db.persist(b"k")
    assert not world.db.persist(b"k")
    assert world.db.expire_at(b"k") == -1
    world.check()


def test_a_value_is_not_put_in_its_own_place(world: World) -> None:
    value = world.put(b"k")
    with pytest.raises(AssertionError):
        world.db.put(b"k", value)


def test_who_is_told_of_new_keys(world: World) -> None:
    world.put(b"a")
    assert world.listener.told == []
    world.keyspace.blocked_keys = True
    world.keyspace.new_events = True
    world.put(b"a")
    world.put(b"b")
    world.db.move(b"b", world.keyspace.databases[1], b"c")
    assert world.listener.told == [("ready", 0, b"b"), ("added", 0, b"b"), ("ready", 1, b"c"), ("added", 1, b"c")]
    world.listener.told.clear()
    world.keyspace.loading = True
    world.db.add_loaded(b"d", StringValue(b"v"), -1)
    assert ("added", 0, b"d") not in world.listener.told


def test_keys_from_an_rdb_do_not_replace_what_is_there(world: World) -> None:
    assert world.db.add_loaded(b"k", StringValue(b"v"), NOW + 1)
    kept = world.db.table.get(b"k")
    assert not world.db.add_loaded(b"k", StringValue(b"w"), -1)
    assert world.db.table.get(b"k") is kept
    assert world.db.expire_at(b"k") == NOW + 1
    world.check()


def test_every_change_is_counted(world: World) -> None:
    """By `mutations` it is known that a command that failed has changed nothing."""
    database, other = world.db, world.keyspace.databases[1]
    world.put(b"k")
    seen = [world.keyspace.mutations]
    for change in (
        lambda: database.put(b"k", StringValue(b"w")),
        lambda: database.set_expire(b"k", NOW + 9),
        lambda: database.persist(b"k"),
        lambda: database.move(b"k", other, b"l"),
        lambda: other.remove(b"l"),
        other.clear,
    ):
        change()
        seen.append(world.keyspace.mutations)
    assert seen == sorted(set(seen))
    for nothing in (
        lambda: database.lookup_read(b"k"),
        lambda: database.remove(b"k"),
        lambda: database.persist(b"k"),
        lambda: database.peek(b"k"),
    ):
        nothing()
    assert world.keyspace.mutations == seen[-1]


def test_clear_hands_the_tables_over(world: World) -> None:
    world.put(b"k", expire_at_ms=NOW + 1)
    table, expires = world.db.table, world.db.expires
    store_id = world.db.store_id
    assert world.db.clear() == 1
    assert world.keyspace.discarded == [table, expires]
    assert world.db.store_id != store_id
    assert world.db.expire_at(b"k") == -1
    assert world.db.clear() == 0
    assert len(world.keyspace.discarded) == 2
    world.check()


# --- Cold values


def test_a_cold_value_is_read_inline_where_the_client_cannot_wait(world: World) -> None:
    world.put(b"k", b"cold", NOW + 9)
    world.make_cold(b"k")
    assert world.db.cold_count == 1
    found = world.db.lookup_read(b"k")
    assert isinstance(found, StringValue)
    assert found.as_bytes() == b"cold"
    assert world.db.cold_count == 0
    world.make_cold(b"k")
    assert isinstance(world.db.lookup_write(b"k"), StringValue)
    world.keyspace.settle()
    world.check()


@pytest.mark.parametrize("write", [False, True])
def test_otherwise_the_client_is_put_off(world: World, write: bool) -> None:
    world.put(b"k", b"cold")
    world.make_cold(b"k")
    world.keyspace.may_park = True
    with pytest.raises(ColdRead) as caught:
        world.db.lookup_write(b"k") if write else world.db.lookup_read(b"k")
    assert caught.value.key == b"k"
    assert caught.value.database is world.db
    assert caught.value.marker is MARKER
    assert not world.keyspace.written
    world.check()


def test_a_row_that_cannot_be_read_leaves_all_as_it_was(world: World) -> None:
    world.put(b"k", b"cold")
    world.make_cold(b"k")
    world.rows.is_broken = True
    with pytest.raises(ReplyError):
        world.db.lookup_write(b"k")
    assert not world.keyspace.written
    world.check()


def test_metadata_of_a_cold_value_needs_no_row(world: World) -> None:
    world.put(b"k", b"cold", NOW + 9)
    world.make_cold(b"k")
    world.keyspace.may_park = True
    assert world.db.peek(b"k") is MARKER
    assert world.db.peek_read(b"k") is MARKER
    assert world.db.exists(b"k")
    assert world.db.expire_at(b"k") == NOW + 9
    assert world.db.remove(b"k")
    world.check()


# --- Accounting

KEYS: Final = st.sampled_from([b"", b"a", b"b", b"key of some length", b"k" * 40])
DBIDS: Final = st.integers(0, 2)
STEPS: Final = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "put",
                "put",
                "put_raw",
                "grow",
                "remove",
                "expire",
                "expire",
                "persist",
                "move",
                "swap",
                "clear",
                "cold",
                "cold",
                "load",
                "time",
                "lookup_read",
                "lookup_write",
                "peek",
            ]
        ),
        DBIDS,
        DBIDS,
        KEYS,
        KEYS,
        st.integers(0, 200),
    ),
    max_size=60,
)


def _step(world: World, name: str, dbid: int, other: int, key: bytes, other_key: bytes, n: int) -> None:
    keyspace = world.keyspace
    database = keyspace.databases[dbid]
    there = database.table.contains(key)
    if name == "put":
        database.put(key, StringValue(b"x" * n))
    elif name == "put_raw":
        database.put(key, RawString(b"x" * n))
    elif name == "grow":
        value = database.lookup_write(key)
        if isinstance(value, RawString):
            value.append(b"y" * n)
    elif name == "remove":
        assert database.remove(key) == there
    elif name == "expire":
        if there:
            database.set_expire(key, keyspace.now_ms + n - 50)
    elif name == "persist":
        database.persist(key)
    elif name == "move":
        target = keyspace.databases[other]
        if there and (target is not database or key != other_key):
            target.remove(other_key)
            database.move(key, target, other_key)
    elif name == "swap":
        keyspace.swap_databases(dbid, other)
    elif name == "clear":
        database.clear()
    elif name == "cold":
        if isinstance(database.table.get(key), StringValue):
            world.make_cold(key, dbid)
    elif name == "load":
        if isinstance(database.table.get(key), ColdMarker):
            database.swap_in(key, StringValue(world.rows.rows.pop((database.store_id, key))))
    elif name == "time":
        keyspace.now_ms += n
    else:
        getattr(database, name)(key)


@given(STEPS)
def test_accounting_after_any_sequence(steps: list[tuple[str, int, int, bytes, bytes, int]]) -> None:
    world = World()
    for step in steps:
        _step(world, *step)
        world.keyspace.settle()
        world.check()
        assert [database.dbid for database in world.keyspace.databases] == [0, 1, 2]
    for database in world.keyspace.databases:
        database.clear()
    world.check()
    assert all(database.data_bytes == 0 for database in world.keyspace.databases)
    assert world.rows.rows == {}
