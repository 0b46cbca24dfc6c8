"""All databases together: accounting, settling, SWAPDB."""

from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import RawString, StringValue
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.util.random import RandomSource


def make_keyspace() -> Keyspace:
    return Keyspace(4, RandomSource(1), KeyspaceListener(), ColdRows())


def test_store_ids_are_never_given_twice() -> None:
    keyspace = make_keyspace()
    ids = [database.store_id for database in keyspace.databases]
    keyspace.databases[1].put(b"k", StringValue(b"v"))
    for _ in range(3):
        assert keyspace.databases[1].clear() in (0, 1)
        ids.append(keyspace.databases[1].store_id)
    ids.append(keyspace.next_store_id())
    assert len(set(ids)) == len(ids) == 8


def test_what_is_changed_in_place_is_accounted_when_the_command_is_over() -> None:
    keyspace = make_keyspace()
    database = keyspace.databases[2]
    database.put(b"k", RawString(b"x"))
    before = database.data_bytes
    value = database.lookup_write(b"k")
    assert isinstance(value, RawString)
    value.append(b"y" * 5000)
    assert database.data_bytes == before
    keyspace.settle()
    assert database.data_bytes >= before + 5000
    assert value.accounted == value.memory_bytes()
    database.check_invariants()
    keyspace.settle()  # nothing is left to account
    database.check_invariants()


def test_a_value_that_is_gone_before_it_is_settled_is_not_accounted() -> None:
    keyspace = make_keyspace()
    database = keyspace.databases[0]
    database.put(b"k", RawString(b"x"))
    value = database.lookup_write(b"k")
    assert isinstance(value, RawString)
    value.append(b"y" * 5000)
    database.remove(b"k")
    keyspace.settle()
    assert database.data_bytes == 0
    database.check_invariants()


def test_sums_over_the_databases() -> None:
    keyspace = make_keyspace()
    empty = keyspace.used_bytes()
    assert empty == keyspace.table_bytes()
    for dbid in (0, 3):
        keyspace.databases[dbid].put(b"k", StringValue(b"x" * 100))
    keyspace.databases[3].set_expire(b"k", 5)
    assert keyspace.key_count() == 2
    assert keyspace.cold_count() == 0
    data_bytes = sum(database.data_bytes for database in keyspace.databases)
    assert keyspace.used_bytes() == data_bytes + keyspace.table_bytes() > empty + 200


def test_swapped_databases_keep_their_rows() -> None:
    keyspace = make_keyspace()
    first, second = keyspace.databases[0], keyspace.databases[2]
    first.put(b"k", StringValue(b"v"))
    ids = first.store_id, second.store_id
    keyspace.swap_databases(0, 2)
    assert keyspace.databases[2] is first
    assert keyspace.databases[0] is second
    assert (first.dbid, second.dbid) == (2, 0)
    assert (first.store_id, second.store_id) == ids
    keyspace.swap_databases(1, 1)
    assert keyspace.databases[1].dbid == 1


def test_words_of_last_use_under_lfu() -> None:
    keyspace = make_keyspace()
    keyspace.lfu = True
    keyspace.lfu_clock.tick(120_000)
    database = keyspace.databases[0]
    value = StringValue(b"v")
    database.put(b"k", value)
    assert value.last_use == (2 << 8) | 5
    for _ in range(200):
        assert database.lookup_read(b"k") is value
    used = value.last_use & 0xFF
    assert used > 5
    # A new value is as popular as the one that it replaces.
    other = HashValue()
    database.put(b"k", other)
    assert other.last_use & 0xFF == used
