"""All databases, and the words that every lookup reads: the time of the pass, the role, the last-use clock.

One object per server. The executor refreshes `now_ms` and `lru_clock` at each pass; config and role changes set the
flags. `used_bytes` is the accounted size of keys, values and tables.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i32, i64

from redrock.datatypes.scan_dict import ScanDict
from redrock.datatypes.value import Value
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.database import Database
from redrock.keyspace.last_use import LfuClock, settled
from redrock.util.random import RandomSource


class Keyspace:
    """Holds the databases. Fields without a comment are statistics that INFO shows."""

    def __init__(
        self, database_count: int, random: RandomSource, listener: KeyspaceListener, cold_rows: ColdRows
    ) -> None:
        self.random: Final = random
        self.listener = listener
        self.cold_rows = cold_rows
        self._store_ids = 0
        # Read at every lookup.
        self.now_ms: i64 = 0
        self.lru_clock: i32 = 0
        self.lfu = False  # maxmemory-policy names LFU: last_use holds a counter
        self.lfu_clock = LfuClock(random)
        self.follower = False  # expired keys are hidden, not removed
        self.writable_follower = False
        self.applying = False  # the running command comes from the leader
        self.loading = False  # expires wait until the dataset is whole
        self.expiry_paused = False  # CLIENT PAUSE: nothing may change by itself
        self.may_park = False  # the running command can be put off until its cold values are here
        self.miss_events = False  # notify-keyspace-events has m
        self.new_events = False  # notify-keyspace-events has n
        self.blocked_keys = False  # some client waits for a key to appear
        # Changes since the last save, as Redis counts them.
        self.dirty: i64 = 0
        # Every change of a table, so that a failed command can be known to have changed nothing.
        self.mutations: i64 = 0
        # Values handed out by lookup_write since the last settle().
        self.written: list[Value] = []
        self.written_in: list[Database] = []
        # Tables of flushed databases: freed bucket by bucket by the cron, since a million objects take their time.
        self.discarded: list[ScanDict] = []
        self.hits: i64 = 0
        self.misses: i64 = 0
        self.expired_keys: i64 = 0
        self.evicted_keys: i64 = 0
        self.databases: list[Database] = [Database(self, dbid, self.next_store_id()) for dbid in range(database_count)]

    def next_store_id(self) -> int:
        """A number that no database's rows in the cold tier have ever had."""
        self._store_ids += 1
        return self._store_ids

    def next_lfu_word(self, word: i32) -> i32:
        """The last-use word of a value that is used just now, under an LFU policy."""
        return self.lfu_clock.touched(word)

    def fresh_lfu_word(self) -> i32:
        """The last-use word of a new value, under an LFU policy."""
        return self.lfu_clock.fresh()

    def settled_word(self, word: i32) -> i32:
        """The word without the mark of a spill under way."""
        return settled(word)

    def settle(self) -> None:
        """Account anew the values that the command just run may have changed in place."""
        for i, value in enumerate(self.written):
            accounted = value.accounted
            if accounted >= 0:
                size: i64 = value.memory_bytes()
                if size != accounted:
                    self.written_in[i].data_bytes += size - accounted
                    value.accounted = size
        self.written.clear()
        self.written_in.clear()

    def table_bytes(self) -> int:
        """The tables' own size, keys and values left out."""
        total = 0
        for database in self.databases:
            total += database.table.memory_bytes() + database.expires.memory_bytes()
        return total

    def used_bytes(self) -> int:
        """Keys, values and tables: what `maxrockmem` and, with buffers added, `maxmemory` are about."""
        total = 0
        for database in self.databases:
            total += database.data_bytes + database.table.memory_bytes() + database.expires.memory_bytes()
        return total

    def key_count(self) -> int:
        return sum([database.table.length() for database in self.databases])

    def cold_count(self) -> int:
        return sum([database.cold_count for database in self.databases])

    def swap_databases(self, first: int, second: int) -> None:
        """SWAPDB: the numbers change hands; rows in the cold tier stay where they are."""
        a, b = self.databases[first], self.databases[second]
        a.dbid, b.dbid = second, first
        self.databases[first], self.databases[second] = b, a
