"""The dataset as bytes: what was in the tables is in the stream, once, hot or cold."""

import pytest

from persistence.rdb.codec import encode_record
from persistence.rdb.events import Aux, EndOfFile, KeyRecord, ResizeDb, SelectDb
from persistence.rdb.reader import RdbReader
from persistence.rdb.values.value_codec import LoadLimits
from persistence.snapshot.engine import (
    LAST_USE_LFU,
    LAST_USE_LRU,
    LAST_USE_NONE,
    CommandEncoder,
    RdbEncoder,
    SnapshotSink,
    SnapshotWriter,
    debug_delay,
)
from persistence.snapshot.fork import Reporter
from redrock.cold.snapshot_reader import SnapshotError, SnapshotReader
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import TYPE_HASH, TYPE_STRING, ColdMarker
from redrock.util.random import RandomSource


class Sink(SnapshotSink):
    def __init__(self):
        self.pieces = []

    def write(self, data):
        self.pieces.append(data)


class ColdStandIn(SnapshotReader):
    """Rows as `SnapshotReader` gives them."""

    def __init__(self, rows):
        self._rows = rows

    def rows(self, store_id):
        return iter(self._rows.get(store_id, []))


def write(world, encoder=None, cold=None, last_use=LAST_USE_NONE, reporter=None):
    sink = Sink()
    writer = SnapshotWriter(world.keyspace, encoder or RdbEncoder(True, True), sink, cold, last_use, reporter)
    writer.run([(b"fact", b"1")])
    assert writer.written_bytes == sum(map(len, sink.pieces))
    return sink.pieces, writer


def events_of(data):
    reader = RdbReader()
    reader.feed(data)
    events = []
    while (event := reader.next_event()) is not None:
        events.append(event)
    assert isinstance(events[-1], EndOfFile)
    return events


def contents_of(data):
    found, dbid = {}, 0
    for event in events_of(data):
        if isinstance(event, SelectDb):
            dbid = event.dbid
        elif isinstance(event, KeyRecord):
            value = event.decode(LoadLimits())
            shown = value.as_bytes() if isinstance(value, StringValue) else dict(value.items())
            assert (dbid, event.key) not in found
            found[dbid, event.key] = (shown, None if event.expire_at_ms == -1 else event.expire_at_ms)
    return found


def test_every_key_once(make_world, memory_disk):
    world = make_world(memory_disk).fill()
    pieces, writer = write(world)
    assert contents_of(b"".join(pieces)) == world.contents()
    assert writer.keys == 7
    events = events_of(b"".join(pieces))
    assert [(e.name, e.value) for e in events if isinstance(e, Aux)] == [(b"fact", b"1")]
    assert [e.dbid for e in events if isinstance(e, SelectDb)] == [0, 3]
    assert [(e.keys, e.expires) for e in events if isinstance(e, ResizeDb)] == [(5, 1), (2, 0)]


def test_nothing(make_world, memory_disk):
    pieces, writer = write(make_world(memory_disk))
    assert contents_of(b"".join(pieces)) == {}
    assert writer.keys == 0


def test_large_datasets_come_in_pieces(make_world, memory_disk):
    world = make_world(memory_disk)
    for i in range(2000):
        world.set(b"key:%d" % i, bytes([i & 255]) + b"%d" % i * 300)
    pieces, _ = write(world, RdbEncoder(False, True))
    assert len(pieces) > 5
    assert max(map(len, pieces)) < 300 * 1024
    assert contents_of(b"".join(pieces)) == world.contents()


def test_last_use(make_world, memory_disk):
    world = make_world(memory_disk)
    world.keyspace.lru_clock = 5000
    value = StringValue(b"v")
    world.keyspace.databases[0].put(b"k", value)
    value.last_use = 4000
    record = next(e for e in events_of(b"".join(write(world, last_use=LAST_USE_LRU)[0])) if isinstance(e, KeyRecord))
    assert (record.lru_idle, record.lfu_freq) == (1000, -1)
    value.last_use = world.keyspace.lfu_clock.of_counter(77)
    record = next(e for e in events_of(b"".join(write(world, last_use=LAST_USE_LFU)[0])) if isinstance(e, KeyRecord))
    assert (record.lru_idle, record.lfu_freq) == (-1, 77)


def make_cold(world, dbid, key, type_number, encoding):
    """Put a marker in the place of a value; the row that belongs to it."""
    database = world.keyspace.databases[dbid]
    value = database.table.get(key)
    database.table.set(key, ColdMarker(type_number, encoding))
    database.cold_count += 1
    return type_number, key, encode_record(value)


def test_cold_values_come_from_rows(make_world, memory_disk):
    world = make_world(memory_disk).fill()
    expected = world.contents()
    stores = {dbid: world.keyspace.databases[dbid].store_id for dbid in (0, 3)}
    rows = {
        stores[0]: [
            make_cold(world, 0, b"expiring", TYPE_STRING, b"embstr"),
            make_cold(world, 0, b"long", TYPE_STRING, b"raw"),
            # Stale: the key is hot, is gone, or is cold as another type.
            (TYPE_STRING, b"text", encode_record(StringValue(b"older"))),
            (TYPE_STRING, b"deleted", encode_record(StringValue(b"older"))),
            (TYPE_STRING, b"small hash", encode_record(StringValue(b"older"))),
            make_cold(world, 0, b"small hash", TYPE_HASH, b"listpack"),
        ],
        stores[3]: [make_cold(world, 3, b"big hash", TYPE_HASH, b"hashtable")],
    }
    pieces, writer = write(world, cold=ColdStandIn(rows))
    assert contents_of(b"".join(pieces)) == expected
    assert writer.keys == 7


def test_a_marker_without_a_row_fails_the_snapshot(make_world, memory_disk):
    world = make_world(memory_disk).fill()
    make_cold(world, 0, b"text", TYPE_STRING, b"embstr")
    with pytest.raises(SnapshotError, match="1 cold values of database 0 have no row"):
        write(world, cold=ColdStandIn({}))
    with pytest.raises(SnapshotError, match="no cold store"):
        write(world)


def test_as_commands(make_world, memory_disk):
    world = make_world(memory_disk).fill()
    expected = world.contents()
    row = make_cold(world, 0, b"small hash", TYPE_HASH, b"listpack")
    cold = ColdStandIn({world.keyspace.databases[0].store_id: [row]})
    data = b"".join(write(world, CommandEncoder(1234), cold)[0])
    assert data.startswith(b"#TS:1234\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n")
    again = make_world(memory_disk)
    replay(data, again.executor)
    assert again.contents() == expected
    # Without timestamps there is no annotation.
    assert b"".join(write(world, CommandEncoder(-1), cold)[0]).startswith(b"*2\r\n")


def replay(data, executor):
    from persistence.aof.reader import AofReader

    reader = AofReader("base.aof")
    reader.feed(data)
    reader.end_of_input()
    while isinstance(event := reader.next_event(), list):
        executor.apply(event)


def test_progress_is_reported(make_world, memory_disk):
    class Counter(Reporter):
        calls = []

        def __init__(self):
            pass

        def progress(self, keys, written_bytes):
            self.calls.append(keys)

    world = make_world(memory_disk)
    for i in range(3000):
        world.set(b"%d" % i, b"v")
    write(world, reporter=Counter())
    assert Counter.calls == [1024, 2048]


def test_a_failing_sink_ends_it(make_world, memory_disk):
    class Full(SnapshotSink):
        def write(self, data):
            raise OSError(28, "No space left on device")

    world = make_world(memory_disk).fill()
    with pytest.raises(OSError, match="No space"):
        SnapshotWriter(world.keyspace, RdbEncoder(True, True), Full(), None, LAST_USE_NONE, None).run([])


def test_big_hashes_keep_their_order_of_fields(make_world, memory_disk):
    """Packed hashes are written as they are."""
    world = make_world(memory_disk)
    value = HashValue()
    value.set_many([b"b", b"1", b"a", b"2"], 0, 128, 64)
    world.keyspace.databases[0].put(b"h", value)
    record = next(e for e in events_of(b"".join(write(world)[0])) if isinstance(e, KeyRecord))
    assert record.decode(LoadLimits()).items() == [(b"b", b"1"), (b"a", b"2")]


def test_debug_delay_draws_lots_when_negative():
    random = RandomSource(1)
    for delay in (0, 1, -1, -100):
        debug_delay(delay, random)
