"""The tier's answers applied to the databases: only where the key still is what it was."""

from redrock.datatypes.string import StringValue
from redrock.datatypes.value import TYPE_STRING, ColdMarker
from redrock.keyspace.cold_values import ColdValues, LoadWaiters
from redrock.keyspace.last_use import in_transit

BIG = b"v" * 200


class Waiters(LoadWaiters):
    def __init__(self) -> None:
        self.ended: list[tuple[int, bytes, bytes | None]] = []

    def load_ended(self, store_id: int, key: bytes, failure: bytes | None) -> None:
        self.ended.append((store_id, key, failure))

    def is_awaited(self, store_id: int, key: bytes) -> bool:
        return False


def test_a_loaded_value_takes_the_markers_place_and_the_waiters_are_told(cold_world) -> None:
    world = cold_world
    world.put(b"k", BIG)
    world.spill(b"k")
    values = ColdValues(world.keyspace)
    values.waiters = waiters = Waiters()
    store_id = world.db.store_id
    assert values.encoding_of(store_id, b"k") == b"raw"
    values.value_loaded(store_id, b"k", StringValue(BIG))
    assert world.get(b"k") == BIG
    assert world.db.cold_count == 0
    # A second answer, or one for a database that has been flushed, changes nothing but wakes as well.
    values.value_loaded(store_id, b"k", StringValue(b"other"))
    values.value_loaded(99, b"k", StringValue(b"other"))
    values.load_failed(store_id, b"k", b"ERR x")
    values.load_void(store_id, b"k")
    assert world.get(b"k") == BIG
    assert waiters.ended == [
        (store_id, b"k", None),
        (store_id, b"k", None),
        (99, b"k", None),
        (store_id, b"k", b"ERR x"),
        (store_id, b"k", None),
    ]
    assert values.encoding_of(store_id, b"k") == b""
    assert values.encoding_of(99, b"k") == b""


def test_a_written_value_gives_way_only_if_it_is_untouched_and_still_there(cold_world) -> None:
    world = cold_world
    marker = ColdMarker(TYPE_STRING, b"raw")
    values = world.values
    store_id = world.db.store_id
    value = world.put(b"k", BIG)
    word = value.last_use
    assert not values.value_written(store_id, b"k", value, marker)
    value.last_use = in_transit(word)
    assert not values.value_written(99, b"k", value, marker)
    assert value.last_use == word
    value.last_use = in_transit(word)
    assert not values.value_written(store_id, b"elsewhere", value, marker)
    assert value.last_use == word
    value.last_use = in_transit(word)
    used = world.db.data_bytes
    assert values.value_written(store_id, b"k", value, marker)
    assert world.db.table.get(b"k") is marker
    assert world.db.data_bytes == used - value.memory_bytes()


def test_a_value_that_could_not_be_written_is_as_it_was(cold_world) -> None:
    value = cold_world.put(b"k", BIG)
    word = value.last_use
    value.last_use = in_transit(word)
    cold_world.values.write_failed(value)
    assert value.last_use == word


def test_the_database_of_a_store_id_after_swapdb_and_flushdb(cold_world) -> None:
    keyspace = cold_world.keyspace
    first, second = keyspace.databases[:2]
    keyspace.swap_databases(0, 1)
    assert cold_world.values.database_of(first.store_id) is first
    old = second.store_id
    second.clear()
    assert cold_world.values.database_of(old) is None
    assert cold_world.values.database_of(second.store_id) is second
