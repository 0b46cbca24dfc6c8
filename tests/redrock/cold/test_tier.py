"""The tier against a store in memory: the life of a value, what may come between, and what goes wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from redrock.cold import wire
from redrock.cold.layout import row_key
from redrock.cold.link import StoreLost, StoreStartError
from redrock.cold.tier import BATCH_BYTES, IN_FLIGHT_BYTES_MAX, CompactionListener, SnapshotRefused
from redrock.datatypes.hash import HashValue
from redrock.datatypes.value import TYPE_STRING, ColdMarker
from redrock.errors import ReplyError

BIG = b"v" * 100


# --- The life of a value


def test_a_value_goes_cold_and_comes_back(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    used = world.keyspace.used_bytes()
    world.spill(b"k")
    assert world.keyspace.used_bytes() < used - len(BIG)
    assert list(world.store.rows) == [row_key(world.db.store_id, TYPE_STRING, b"k")]
    world.load(b"k")
    world.settle()
    assert world.get(b"k") == BIG
    assert world.keyspace.used_bytes() == used
    assert (world.tier.spilled_values, world.tier.loaded_values) == (1, 1)
    world.check()


def test_no_value_leaves_before_its_row_is_written(cold_world) -> None:
    world = cold_world
    value = world.put(b"k", BIG)
    world.spilling.spill_key(world.db, b"k")
    world.tier.flush()
    assert world.get(b"k") == BIG
    assert value.last_use < 0
    world.store.work()
    assert world.get(b"k") == BIG
    world.tier.receive()
    assert world.is_cold(b"k")


def test_all_values_of_a_type_and_encoding_share_a_marker(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG)
    world.put(b"n", b"x" * 20)
    world.spill(b"a", b"b")
    assert world.db.table.get(b"a") is world.db.table.get(b"b")
    assert world.tier.marker_for(world.db.table.get(b"n")) is not world.db.table.get(b"a")


def test_a_hash_goes_cold_in_its_encoding(cold_world) -> None:
    world = cold_world
    for key, entries in ((b"small", 128), (b"big", 2)):
        value = HashValue.from_flat([b"%d" % i for i in range(60)], entries, 64)
        world.db.put(key, value)
    world.spill(b"small", b"big")
    for key, encoding in ((b"small", b"listpack"), (b"big", b"hashtable")):
        assert world.db.peek(key).encoding() == encoding
        world.load(key)
    world.settle()
    for key, encoding in ((b"small", b"listpack"), (b"big", b"hashtable")):
        assert world.db.peek(key).encoding() == encoding
        assert world.db.peek(key).get(b"58") == b"59"
    world.check()


# --- What may come between


def test_a_value_that_is_used_meanwhile_stays(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spilling.spill_key(world.db, b"k")
    world.tier.flush()
    world.db.lookup_read(b"k")
    world.settle()
    assert world.get(b"k") == BIG
    world.check()


def test_a_value_that_is_replaced_or_deleted_meanwhile(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG)
        world.spilling.spill_key(world.db, key)
    world.tier.flush()
    world.put(b"a", b"new")
    world.db.remove(b"b")
    world.settle()
    assert world.get(b"a") == b"new"
    assert not world.db.table.contains(b"b")
    world.check()


def test_a_row_is_not_written_twice_at_a_time(cold_world) -> None:
    """Or the answer to the first write would let the second value go, whose own write may still fail."""
    world = cold_world
    world.put(b"k", BIG)
    world.spilling.spill_key(world.db, b"k")
    world.tier.flush()
    world.put(b"k", BIG + b"new")
    assert world.spilling.spill_key(world.db, b"k") != b"spilling"
    world.settle()
    assert world.get(b"k") == BIG + b"new"
    world.spill(b"k")
    world.load(b"k")
    world.settle()
    assert world.get(b"k") == BIG + b"new"


def test_one_read_however_many_ask(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spill(b"k")
    for _ in range(3):
        world.load(b"k")
    assert sum(len(keys) for keys in world.store.gets) == 1
    world.settle()
    world.check()


def test_reads_of_a_pass_go_in_one_batch_and_ahead_of_writes(cold_world) -> None:
    world = cold_world
    keys = [b"k%d" % i for i in range(10)]
    for key in keys:
        world.put(key, BIG)
    world.spill(*keys)
    world.put(b"other", BIG)
    world.store.kinds.clear()
    world.spilling.spill_key(world.db, b"other")
    for key in keys:
        world.tier.request_load(world.db.store_id, key, world.db.table.get(key))
    world.tier.flush()
    assert world.store.kinds == [wire.GET, wire.WRITE]
    assert len(world.store.gets[-1]) == 10


def test_a_deleted_key_does_not_come_back_from_its_load(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spill(b"k")
    world.load(b"k")
    world.db.remove(b"k")
    world.settle()
    assert not world.db.table.contains(b"k")
    world.check()


def test_an_answer_to_an_older_load_is_not_taken_for_a_newer_value(cold_world) -> None:
    world = cold_world
    world.put(b"k", b"old" * 50)
    world.spill(b"k")
    world.load(b"k")  # its answer stays in the socket
    world.put(b"k", b"new" * 50)
    world.spilling.spill_key(world.db, b"k")
    world.tier.flush()
    while world.store.work():
        pass
    world.settle()
    assert world.get(b"k") is None or world.get(b"k") == b"new" * 50
    if world.is_cold(b"k"):
        world.load(b"k")
        world.settle()
    assert world.get(b"k") == b"new" * 50


def test_a_renamed_cold_key_keeps_its_value(cold_world) -> None:
    world = cold_world
    world.put(b"a", BIG)
    world.spill(b"a")
    world.load(b"a")
    world.db.move(b"a", world.keyspace.databases[1], b"b")
    world.load(b"b", dbid=1)
    world.settle()
    assert world.get(b"b", dbid=1) == BIG
    world.check()


def test_a_load_waits_for_the_renaming_before_it(cold_world) -> None:
    world = cold_world
    world.put(b"a", BIG)
    world.spill(b"a")
    world.store.kinds.clear()
    world.db.move(b"a", world.db, b"b")
    world.load(b"b")
    assert world.store.kinds == [wire.MOVE, wire.GET]
    assert not world.store.gets
    world.settle()
    assert world.get(b"b") == BIG


def test_a_row_renamed_onto_one_that_is_being_written_is_not_deleted_with_it(cold_world) -> None:
    """PUT b (old value of b), MOVE a b; then the answer to the PUT finds that its value is gone."""
    world = cold_world
    world.put(b"a", BIG)
    world.spill(b"a")
    world.put(b"b", b"old" * 50)
    world.spilling.spill_key(world.db, b"b")
    world.tier.flush()
    world.db.remove(b"b")
    world.db.move(b"a", world.db, b"b")
    world.settle()
    assert world.is_cold(b"b")
    world.check()
    world.load(b"b")
    world.settle()
    assert world.get(b"b") == BIG


def test_flushing_a_database_drops_its_rows_only(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.put(b"k", BIG, dbid=1)
    world.spill(b"k")
    world.spill(b"k", dbid=1)
    world.load(b"k")
    world.put(b"late", BIG)
    world.spilling.spill_key(world.db, b"late")
    world.db.clear()
    world.settle()
    assert world.db.table.length() == 0
    assert world.is_cold(b"k", dbid=1)
    world.check()


def test_swapped_databases_keep_their_rows(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spill(b"k")
    world.load(b"k")
    world.keyspace.swap_databases(0, 1)
    world.settle()
    assert world.get(b"k", dbid=1) == BIG
    world.check()


# --- Reading inline


def test_an_inline_load_waits_and_leaves_other_answers_for_later(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG + key)
    world.spill(b"a", b"b")
    world.load(b"a")
    assert world.db.lookup_read(b"b").as_bytes() == BIG + b"b"
    # A command is running: nothing else may change under its hands.
    assert world.is_cold(b"a")
    world.settle()
    assert world.get(b"a") == BIG + b"a"
    assert world.tier.inline_loads == 1
    world.check()


def test_an_inline_load_ends_the_load_of_the_same_key(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spill(b"k")
    world.parking.park(7, 0, [b"k"])
    world.tier.flush()
    world.db.lookup_read(b"k")
    assert world.resumer.resumed == [(7, None)]
    world.settle()
    world.check()


def test_an_inline_load_that_fails_is_an_error_of_that_command(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spill(b"k")
    world.store.unreadable.update(world.store.rows)
    with pytest.raises(ReplyError, match="cannot be read: bad disk"):
        world.db.lookup_read(b"k")
    assert world.is_cold(b"k")
    world.store.unreadable.clear()
    assert world.db.lookup_read(b"k").as_bytes() == BIG


# --- What goes wrong


def test_a_row_that_cannot_be_read_fails_only_its_load(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG)
    world.spill(b"a", b"b")
    world.store.unreadable.add(row_key(world.db.store_id, TYPE_STRING, b"a"))
    world.parking.park(1, 0, [b"a"])
    world.parking.park(2, 0, [b"b"])
    world.settle()
    assert world.get(b"b") == BIG
    assert world.is_cold(b"a")
    assert dict(world.resumer.resumed)[2] is None
    assert b"bad disk" in dict(world.resumer.resumed)[1]
    assert world.tier.failed_loads == 1


@pytest.mark.parametrize("record", [b"", b"\xff", b"\x00\x45abc"])
def test_a_damaged_record_fails_only_its_load(cold_world, record: bytes) -> None:
    world = cold_world
    world.put(b"a", BIG)
    world.spill(b"a")
    world.store.rows[row_key(world.db.store_id, TYPE_STRING, b"a")] = record
    world.parking.park(1, 0, [b"a"])
    world.settle()
    assert world.resumer.resumed[0][1].startswith(b"ERR the cold value")


def test_a_missing_row_is_reported(cold_world) -> None:
    world = cold_world
    world.put(b"a", BIG)
    world.spill(b"a")
    world.store.rows.clear()
    world.parking.park(1, 0, [b"a"])
    world.settle()
    assert b"its row is missing" in world.resumer.resumed[0][1]


def test_a_failed_write_keeps_the_value_and_pauses_spilling(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG)
    world.store.failure = "disk full"
    world.spilling.spill_key(world.db, b"a")
    world.settle()
    assert world.get(b"a") == BIG
    assert world.tier.failure == b"disk full"
    assert not world.tier.can_spill()
    assert world.spilling.spill_key(world.db, b"b") == b"the cold tier cannot write"
    world.tier.retry()
    world.settle()
    assert world.tier.failure == b"disk full"
    world.store.failure = ""
    world.tier.retry()
    world.settle()
    assert world.tier.failure == b""
    world.spill(b"a", b"b")
    world.check()


def test_cold_values_can_be_read_renamed_and_deleted_while_writing_fails(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b", b"c", b"d"):
        world.put(key, BIG + key)
    world.spill(b"a", b"b", b"c", b"d")
    world.put(b"e", BIG)
    world.store.failure = "disk full"
    world.spilling.spill_key(world.db, b"e")
    # This renaming is on its way when the write before it fails.
    world.tier.flush()
    world.db.move(b"a", world.db, b"a2")
    world.load(b"a2")
    world.settle()
    assert world.get(b"a2") == BIG + b"a"
    world.db.move(b"b", world.db, b"b2")
    world.db.move(b"b2", world.db, b"b3")
    world.db.remove(b"c")
    world.load(b"b3")
    world.settle()
    assert world.get(b"b3") == BIG + b"b"
    assert world.db.lookup_read(b"d").as_bytes() == BIG + b"d"
    world.store.failure = ""
    world.tier.retry()
    world.settle()
    world.check()


def test_no_snapshot_while_rows_stand_under_other_names(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG)
    world.spill(b"a")
    world.store.failure = "disk full"
    world.spilling.spill_key(world.db, b"b")
    world.settle()
    world.db.move(b"a", world.db, b"c")
    with pytest.raises(SnapshotRefused):
        world.tier.open_snapshot()


def test_a_snapshot_stands_where_it_was_asked_for(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b"):
        world.put(key, BIG)
    world.spill(b"a", b"b")
    world.db.move(b"a", world.db, b"c")
    world.tier.open_snapshot().close()
    world.db.remove(b"b")
    world.settle()
    store_id = world.db.store_id
    assert set(world.store.snapshots[0]) == {row_key(store_id, TYPE_STRING, key) for key in (b"b", b"c")}
    world.check()


def test_a_lost_store_fails_everything_that_waits_and_is_not_silent(cold_world) -> None:
    world = cold_world
    for key in (b"a", b"b", b"c"):
        world.put(key, BIG)
    world.spill(b"a", b"b")
    world.parking.park(1, 0, [b"a"])
    world.spilling.spill_key(world.db, b"c")
    world.tier.flush()
    world.store.is_gone = True
    with pytest.raises(StoreLost):
        world.tier.receive()
    assert world.tier.lost
    assert world.resumer.resumed[0][1].startswith(b"ERR the cold value")
    assert world.get(b"c") == BIG
    assert not world.tier.can_spill()
    world.parking.park(2, 0, [b"b"])
    assert world.resumer.resumed[1][0] == 2
    assert world.resumer.resumed[1][1] is not None
    with pytest.raises(ReplyError):
        world.db.lookup_read(b"b")
    world.tier.flush()


def test_a_closed_tier_does_not_open_again(cold_world) -> None:
    cold_world.tier.close()
    assert cold_world.store.is_gone
    with pytest.raises(StoreStartError):
        cold_world.tier.open()


# --- Sending and receiving


def test_a_full_socket_takes_the_rest_later(cold_world) -> None:
    world = cold_world
    keys = [b"k%d" % i for i in range(50)]
    for key in keys:
        world.put(key, BIG)
    for key in keys:
        world.spilling.spill_key(world.db, key)
    world.store.room = 0
    world.tier.flush()
    while world.tier.has_unsent():
        world.store.room = 997
        world.tier.flush()
    world.store.room = 1 << 30
    world.settle()
    assert all(world.is_cold(key) for key in keys)
    world.check()


def test_answers_may_come_in_any_pieces(cold_world) -> None:
    world = cold_world
    keys = [b"k%d" % i for i in range(20)]
    for key in keys:
        world.put(key, BIG)
    world.spill(*keys)
    for key in keys:
        world.load(key)
    answers = b""
    while data := world.store.receive():
        answers += data
    for i in range(0, len(answers), 7):
        world.tier.feed(answers[i : i + 7])
    assert all(world.get(key) == BIG for key in keys)


def test_batches_and_what_is_on_its_way_are_bounded(cold_world) -> None:
    world = cold_world
    size = 64 * 1024
    spilled = 0
    for i in range(200):
        world.put(b"k%d" % i, b"x" * size)
        if world.tier.can_spill():
            world.spilling.spill_key(world.db, b"k%d" % i)
            spilled += 1
    assert IN_FLIGHT_BYTES_MAX <= world.tier.in_flight_bytes <= IN_FLIGHT_BYTES_MAX + 2 * size
    world.store.kinds.clear()
    world.tier.flush()
    assert len(world.store.kinds) >= spilled * size // (BATCH_BYTES + size)
    world.settle()
    assert world.keyspace.cold_count() == spilled
    assert world.tier.can_spill()


class _Compaction(CompactionListener):
    def __init__(self) -> None:
        self.ended: list[bytes | None] = []

    def compacted(self, failure: bytes | None) -> None:
        self.ended.append(failure)


def test_figures_and_compaction(cold_world) -> None:
    listener = _Compaction()
    cold_world.tier.request_figures()
    cold_world.tier.compact(listener)
    cold_world.settle()
    tier = cold_world.tier
    assert (tier.store_disk_bytes, tier.store_anonymous_bytes) == (11, 22)
    assert (tier.store_drops_pending, tier.store_dropped_rows) == (33, 44)
    assert listener.ended == [None]


@given(st.integers(0, (1 << 64) - 1), st.integers(0, 3))
@settings(max_examples=20)
def test_figures_of_any_size(figure: int, place: int) -> None:
    from redrock.cold.tier import _read_u64

    if figure < 1 << 63:
        data = figure.to_bytes(8, "little")
        assert _read_u64(b"\0" * place + data, place) == figure


# --- Any sequence


class TierMachine(RuleBasedStateMachine):
    """Commands, spills, loads and answers in any order, compared with a dict. In the end nothing may be lost."""

    world_type = None
    keys = st.sampled_from([b"a", b"b"])
    dbids = st.sampled_from([0, 1])

    @initialize()
    def begin(self) -> None:
        assert self.world_type is not None
        self.world = self.world_type()
        self.model: dict[tuple[int, bytes], bytes] = {}
        self.count = 0

    def database(self, dbid: int):
        return self.world.keyspace.databases[dbid]

    def store_name(self, dbid: int, key: bytes) -> tuple[int, bytes]:
        return (self.database(dbid).store_id, key)

    @rule(key=keys, dbid=dbids)
    def put(self, key: bytes, dbid: int) -> None:
        self.count += 1
        data = b"%d-" % self.count + b"x" * 100
        self.world.put(key, data, dbid)
        self.model[self.store_name(dbid, key)] = data

    @rule(key=keys, dbid=dbids)
    def remove(self, key: bytes, dbid: int) -> None:
        removed = self.database(dbid).remove(key)
        assert removed == (self.model.pop(self.store_name(dbid, key), None) is not None)

    @rule(old=keys, new=keys, dbid=dbids, new_dbid=dbids)
    def rename(self, old: bytes, new: bytes, dbid: int, new_dbid: int) -> None:
        if (old, dbid) == (new, new_dbid) or not self.database(dbid).table.contains(old):
            return
        self.database(new_dbid).remove(new)
        self.database(dbid).move(old, self.database(new_dbid), new)
        self.model[self.store_name(new_dbid, new)] = self.model.pop(self.store_name(dbid, old))

    @rule(dbid=dbids)
    def flush_database(self, dbid: int) -> None:
        store_id = self.database(dbid).store_id
        self.database(dbid).clear()
        self.model = {name: data for name, data in self.model.items() if name[0] != store_id}

    @rule()
    def swap(self) -> None:
        self.world.keyspace.swap_databases(0, 1)

    @rule(key=keys, dbid=dbids)
    def spill(self, key: bytes, dbid: int) -> None:
        self.world.spilling.spill_key(self.database(dbid), key)

    @precondition(lambda self: not self.world.store.failure)
    @rule()
    def spill_all(self) -> None:
        self.world.settle()
        for dbid in (0, 1):
            for key in (b"a", b"b"):
                self.world.spilling.spill_key(self.database(dbid), key)
        self.world.settle()

    @rule(key=keys, dbid=dbids)
    def ask(self, key: bytes, dbid: int) -> None:
        marker = self.database(dbid).table.get(key)
        if isinstance(marker, ColdMarker):
            self.world.tier.request_load(self.database(dbid).store_id, key, marker)

    @rule(key=keys, dbid=dbids)
    def read(self, key: bytes, dbid: int) -> None:
        value = self.database(dbid).lookup_read(key)
        assert (None if value is None else value.as_bytes()) == self.model.get(self.store_name(dbid, key))

    @rule()
    def send(self) -> None:
        self.world.tier.flush()

    @rule()
    def work(self) -> None:
        self.world.store.work()

    @rule()
    def receive(self) -> None:
        self.world.tier.receive()

    @precondition(lambda self: not self.world.store.failure)
    @rule()
    def fail(self) -> None:
        self.world.store.failure = "disk full"

    @precondition(lambda self: self.world.store.failure)
    @rule()
    def mend(self) -> None:
        self.world.store.failure = ""

    @rule()
    def retry(self) -> None:
        self.world.tier.retry()

    @invariant()
    def hot_values_are_right(self) -> None:
        for dbid in (0, 1):
            store_id = self.database(dbid).store_id
            assert {key for key, _ in self.database(dbid).table.items()} == {
                key for name_id, key in self.model if name_id == store_id
            }
            for key, value in self.database(dbid).table.items():
                if not isinstance(value, ColdMarker):
                    assert value.as_bytes() == self.model[(store_id, key)]

    def teardown(self) -> None:
        world = self.world
        world.settle()
        # What has failed is kept until it can be repeated; every cold value can be read even so.
        for name, data in self.model.items():
            database = next(database for database in world.keyspace.databases if database.store_id == name[0])
            value = database.table.get(name[1])
            if isinstance(value, ColdMarker):
                assert world.tier.read_inline(name[0], TYPE_STRING, name[1]).as_bytes() == data
        world.store.failure = ""
        for _ in range(3):
            world.settle()
            world.tier.retry()
        world.settle()
        world.check()


def test_any_sequence_of_commands_and_answers(make_cold_world) -> None:
    machine = type("Machine", (TierMachine,), {"world_type": make_cold_world}).TestCase
    machine.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
    machine("runTest").runTest()
