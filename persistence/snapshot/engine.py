"""The dataset at one instant, as a stream of bytes to one consumer: the heart of every snapshot.

`SnapshotWriter` walks the databases in order and gives every key to an encoder (RDB, or commands for an AOF base
without RDB preamble), whose output goes to a sink in pieces. Of each database the hot values come first, then the cold
ones, which the cold store reads out in key order; a row is written only if the table holds a marker of that type for
the key, since rows whose marker is gone stay until the store deletes them.

Invariant: what is written is every key that the tables held, once, or the whole snapshot fails: a marker without its
row must not silently become a missing key. Nothing here changes the keyspace, and between begin and end nothing else
may: it runs in a forked child, or as one synchronous step.
"""

import time
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from persistence.aof.rewriter import CommandWriter
from persistence.rdb.codec import decode_record
from persistence.rdb.values.value_codec import LoadLimits
from persistence.rdb.writer import AuxPairs, RdbWriter
from persistence.snapshot.fork import Reporter
from redrock.cold.snapshot_reader import SnapshotError, SnapshotReader
from redrock.datatypes.value import ColdMarker, Value
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.last_use import idle_ms
from redrock.util.random import RandomSource

# Output is handed to the sink in pieces of about this size.
PIECE_BYTES: Final = 256 * 1024
_REPORT_KEYS: Final = 1024

# Which words of last use are written beside each key: those that the eviction policy needs.
LAST_USE_NONE: Final = 0
LAST_USE_LRU: Final = 1
LAST_USE_LFU: Final = 2


@mypyc_attr(allow_interpreted_subclasses=True)
class SnapshotSink:
    """Where a snapshot goes."""

    def write(self, data: bytes) -> None:
        """Take the next piece; raises OSError if that is not possible."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class DatasetEncoder:
    """The form of a snapshot. Sans-IO: what has been made is fetched by take_output()."""

    def begin(self, aux: AuxPairs) -> None:
        """Facts about the whole."""
        raise NotImplementedError

    def begin_database(self, dbid: i64, keys: i64, expires: i64) -> None:
        """What follows is in this database."""
        raise NotImplementedError

    def add(self, key: bytes, value: Value, expire_at_ms: i64, lru_idle: i64, lfu_freq: i64) -> None:
        """A key with a hot value; -1: no expiry, and so on."""
        raise NotImplementedError

    def add_record(self, key: bytes, record: bytes, expire_at_ms: i64) -> None:
        """A key with a cold value, encoded already."""
        raise NotImplementedError

    def finish(self) -> None:
        """Nothing follows."""
        raise NotImplementedError

    def pending_bytes(self) -> i64:
        """How much take_output() would return."""
        raise NotImplementedError

    def take_output(self) -> bytes:
        """What has been made since the last time."""
        raise NotImplementedError


@final
class RdbEncoder(DatasetEncoder):
    """A snapshot as an RDB file."""

    def __init__(self, compress: bool, checksum: bool) -> None:
        self._writer: Final = RdbWriter(compress, checksum)

    def begin(self, aux: AuxPairs) -> None:
        self._writer.header(aux)

    def begin_database(self, dbid: i64, keys: i64, expires: i64) -> None:
        self._writer.select_db(dbid, keys, expires)

    def add(self, key: bytes, value: Value, expire_at_ms: i64, lru_idle: i64, lfu_freq: i64) -> None:
        self._writer.key(key, value, expire_at_ms, lru_idle, lfu_freq)

    def add_record(self, key: bytes, record: bytes, expire_at_ms: i64) -> None:
        self._writer.key_record(key, record, expire_at_ms)

    def finish(self) -> None:
        self._writer.finish()

    def pending_bytes(self) -> i64:
        return self._writer.pending_bytes()

    def take_output(self) -> bytes:
        return self._writer.take_output()


@final
class CommandEncoder(DatasetEncoder):
    """A snapshot as the commands that make it. ``now_s`` is written first if it is not negative."""

    def __init__(self, now_s: int) -> None:
        self._writer: Final = CommandWriter()
        self._now_s: Final = now_s
        self._limits: Final = LoadLimits()

    def begin(self, aux: AuxPairs) -> None:
        if self._now_s >= 0:
            self._writer.timestamp(self._now_s)

    def begin_database(self, dbid: i64, keys: i64, expires: i64) -> None:
        self._writer.select(dbid)

    def add(self, key: bytes, value: Value, expire_at_ms: i64, lru_idle: i64, lfu_freq: i64) -> None:
        self._writer.key(key, value, expire_at_ms)

    def add_record(self, key: bytes, record: bytes, expire_at_ms: i64) -> None:
        self._writer.key(key, decode_record(record, self._limits), expire_at_ms)

    def finish(self) -> None:
        pass

    def pending_bytes(self) -> i64:
        return self._writer.pending_bytes()

    def take_output(self) -> bytes:
        return self._writer.take_output()


@final
class SnapshotWriter:
    """One snapshot. ``cold`` is None if no value is cold; ``delay_us`` slows it down, for tests."""

    def __init__(
        self,
        keyspace: Keyspace,
        encoder: DatasetEncoder,
        sink: SnapshotSink,
        cold: SnapshotReader | None,
        last_use: int,
        reporter: Reporter | None,
        delay_us: int = 0,
    ) -> None:
        self._keyspace: Final = keyspace
        self._encoder: Final = encoder
        self._sink: Final = sink
        self._cold: Final = cold
        self._last_use: Final = last_use
        self._reporter: Final = reporter
        self._delay_us: Final = delay_us
        self.keys: i64 = 0
        self.written_bytes: i64 = 0

    def run(self, aux: AuxPairs) -> None:
        """Write all. Raises OSError (the sink) or SnapshotError (a cold value cannot be read)."""
        self._encoder.begin(aux)
        for database in self._keyspace.databases:
            if database.table.length():
                self._write_database(database)
        self._encoder.finish()
        self._drain()

    def _write_database(self, database: Database) -> None:
        self._encoder.begin_database(database.dbid, database.table.length(), database.expires.length())
        cold_count: i64 = 0
        has_expires = database.expires.length() > 0
        for index in range(database.table.bucket_count()):
            for key, item in database.table.bucket_items(index):
                if isinstance(item, ColdMarker):
                    cold_count += 1
                    continue
                assert isinstance(item, Value)
                self._write_hot(database, key, item, has_expires)
        if cold_count:
            cold_count -= self._write_cold(database, has_expires)
        if cold_count:
            raise SnapshotError(f"{cold_count} cold values of database {database.dbid} have no row")

    def _write_hot(self, database: Database, key: bytes, value: Value, has_expires: bool) -> None:
        keyspace = self._keyspace
        lru_idle: i64 = -1
        lfu_freq: i64 = -1
        if self._last_use == LAST_USE_LRU:
            lru_idle = idle_ms(value.last_use, keyspace.lru_clock) // 1000
        elif self._last_use == LAST_USE_LFU:
            lfu_freq = i64(keyspace.lfu_clock.counter(value.last_use))
        self._encoder.add(key, value, _expire_at(database, key, has_expires), lru_idle, lfu_freq)
        self._count()

    def _write_cold(self, database: Database, has_expires: bool) -> i64:
        """How many were written."""
        if self._cold is None:
            raise SnapshotError("there are cold values, but no cold store")
        written: i64 = 0
        for type_code, key, record in self._cold.rows(database.store_id):
            item = database.table.get(key)
            if isinstance(item, ColdMarker) and item.type_code() == type_code:
                self._encoder.add_record(key, record, _expire_at(database, key, has_expires))
                self._count()
                written += 1
        return written

    def _count(self) -> None:
        self.keys += 1
        if self._encoder.pending_bytes() >= PIECE_BYTES:
            self._drain()
        if self.keys % _REPORT_KEYS == 0 and self._reporter is not None:
            self._reporter.progress(self.keys, self.written_bytes)
        if self._delay_us:
            debug_delay(self._delay_us, self._keyspace.random)

    def _drain(self) -> None:
        data = self._encoder.take_output()
        self._sink.write(data)
        self.written_bytes += len(data)


def _expire_at(database: Database, key: bytes, has_expires: bool) -> i64:
    """Milliseconds since the epoch; -1: never."""
    if not has_expires:
        return -1
    at = database.expires.get(key)
    if at is None:
        return -1
    assert isinstance(at, int)
    return at


def debug_delay(delay_us: int, random: RandomSource) -> None:
    """Wait so long; a negative number of N: a microsecond in one of N calls. (Redis: debug.c, debugDelay)"""
    if delay_us > 0:
        time.sleep(delay_us / 1e6)
    elif delay_us < 0 and random.below(-delay_us) == 0:
        time.sleep(1e-6)
