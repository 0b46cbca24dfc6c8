"""One database: keys, values and their expires, with everything that must happen at each lookup and change.

Invariants:
  - every key of `expires` is in `table`;
  - `data_bytes` is the sum of key_bytes(key) + value.accounted over `table`, and EXPIRE_BYTES per key of `expires`;
  - `cold_count` is the number of ColdMarker values in `table`.

Lookups see no expired key. On a leader an expired key is removed when met; a follower waits for its leader's DEL and
only hides the key. Source of the rules: Redis 7.0.15, db.c, lookupKey and expireIfNeeded.

Units: times are milliseconds since the epoch. Knows nothing of clients, replies or LevelDB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from mypy_extensions import i64

from redrock.datatypes.scan_dict import ScanDict
from redrock.datatypes.value import ColdMarker, Value

if TYPE_CHECKING:
    from redrock.keyspace.keyspace import Keyspace

# A bytes object is 33 bytes and its contents, given out in steps of 16. The slots are accounted by the tables.
_BYTES_HEADER: Final = 33
EXPIRE_BYTES: Final = 32  # an int object, beside the slot


def key_bytes(key: bytes) -> int:
    """What a key costs outside of the table's slots."""
    return (_BYTES_HEADER + len(key) + 15) & ~15


class ColdRead(Exception):
    """A lookup met a cold value while the command may still be put off: the caller parks the client and retries."""

    def __init__(self, database: Database, key: bytes, marker: ColdMarker) -> None:
        super().__init__(key)
        self.database = database
        self.key = key
        self.marker = marker


class Database:
    """The keys of one database number. `store_id` names its rows in the cold tier and survives SWAPDB."""

    def __init__(self, keyspace: Keyspace, dbid: int, store_id: int) -> None:
        self.keyspace: Final = keyspace
        self.dbid = dbid
        self.store_id = store_id
        self.table = ScanDict()
        self.expires = ScanDict()
        self.cold_count: i64 = 0
        self.data_bytes: i64 = 0
        # Running average TTL in ms for INFO, kept by the active expire cycle.
        self.average_ttl_ms = 0
        self.expire_cursor = 0

    # --- Lookup

    def lookup_read(self, key: bytes) -> Value | None:
        """The value of a key about to be read: counts a hit or a miss, updates its last use, loads it if cold."""
        keyspace = self.keyspace
        found = self.table.get(key)
        if found is None or (self.expires.length() and self._is_gone(key, False)):
            keyspace.misses += 1
            if keyspace.miss_events:
                keyspace.listener.key_missed(self.dbid, key)
            return None
        value = cast(Value, found)
        keyspace.hits += 1
        if isinstance(value, ColdMarker):
            return self._warm(key, value)
        if keyspace.lfu:
            value.last_use = keyspace.next_lfu_word(value.last_use)
        else:
            value.last_use = keyspace.lru_clock
        return value

    def lookup_write(self, key: bytes) -> Value | None:
        """The value of a key about to be changed in place. Its size is accounted anew after the command."""
        found = self.table.get(key)
        if found is None or (self.expires.length() and self._is_gone(key, True)):
            return None
        keyspace = self.keyspace
        value = cast(Value, found)
        if isinstance(value, ColdMarker):
            value = self._warm(key, value)
        if keyspace.lfu:
            value.last_use = keyspace.next_lfu_word(value.last_use)
        else:
            value.last_use = keyspace.lru_clock
        keyspace.written.append(value)
        keyspace.written_in.append(self)
        return value

    def peek(self, key: bytes) -> Value | None:
        """The value, or its marker if it is cold: no statistics, no last use, no loading. Expired keys are not seen."""
        found = self.table.get(key)
        if found is None or (self.expires.length() and self._is_gone(key, False)):
            return None
        return cast(Value, found)

    def peek_write(self, key: bytes) -> Value | None:
        """As `peek`, for a command that is going to write: on a writable follower, expired keys are removed."""
        found = self.table.get(key)
        if found is None or (self.expires.length() and self._is_gone(key, True)):
            return None
        return cast(Value, found)

    def peek_read(self, key: bytes) -> Value | None:
        """As `peek`, counting a hit or a miss: for EXISTS, TTL and TYPE, which read no value."""
        value = self.peek(key)
        if value is None:
            self.keyspace.misses += 1
            if self.keyspace.miss_events:
                self.keyspace.listener.key_missed(self.dbid, key)
        else:
            self.keyspace.hits += 1
        return value

    def touch_last_use(self, key: bytes, value: Value) -> None:
        """Mark as used just now (TOUCH). A cold value has no last use of its own."""
        if isinstance(value, ColdMarker):
            return
        if self.keyspace.lfu:
            value.last_use = self.keyspace.next_lfu_word(value.last_use)
        else:
            value.last_use = self.keyspace.lru_clock

    def exists(self, key: bytes) -> bool:
        return self.peek(key) is not None

    def _warm(self, key: bytes, marker: ColdMarker) -> Value:
        keyspace = self.keyspace
        if keyspace.may_park:
            raise ColdRead(self, key, marker)
        value = keyspace.cold_rows.load_inline(self.store_id, marker.type_code(), key)
        self.swap_in(key, value)
        return value

    def _is_gone(self, key: bytes, for_write: bool) -> bool:
        """Whether the key's time is over. Where this server may, it is removed at once."""
        at = self.expires.get(key)
        if at is None:
            return False
        keyspace = self.keyspace
        if keyspace.now_ms <= cast(int, at) or keyspace.loading:
            return False
        if keyspace.follower:
            if keyspace.applying:
                return False
            if not (for_write and keyspace.writable_follower):
                return True
        if keyspace.expiry_paused:
            return True
        self.expire_now(key)
        return True

    def expire_now(self, key: bytes) -> None:
        """Remove a key whose time is over, and tell the listener."""
        self.remove(key)
        self.keyspace.expired_keys += 1
        self.keyspace.listener.key_expired(self.dbid, key)

    # --- Change

    def put(self, key: bytes, value: Value) -> None:
        """Set or replace the value of a key. Its expire stays: call `persist` where Redis clears it."""
        keyspace = self.keyspace
        keyspace.mutations += 1
        size: i64 = value.memory_bytes()
        value.accounted = size
        if keyspace.lfu:
            value.last_use = keyspace.fresh_lfu_word()
        else:
            value.last_use = keyspace.lru_clock
        old = self.table.set(key, value)
        if old is None:
            self.data_bytes += size + key_bytes(key)
            if keyspace.blocked_keys:
                keyspace.listener.key_ready(self.dbid, key, value)
            if keyspace.new_events and not keyspace.loading:
                keyspace.listener.key_added(self.dbid, key)
            return
        previous = cast(Value, old)
        if isinstance(previous, ColdMarker):
            self.cold_count -= 1
            keyspace.cold_rows.forget(self.store_id, previous.type_code(), key)
        elif previous is value:
            raise AssertionError("a value was put in its own place")
        else:
            size -= previous.accounted
            previous.accounted = -1
            if keyspace.lfu:
                # How often a key is used does not start again with a new value.
                value.last_use = keyspace.settled_word(previous.last_use)
        self.data_bytes += size

    def remove(self, key: bytes) -> bool:
        """Take a key out, with its expire. False if it is not there. Does not look at the time."""
        old = self.table.pop(key)
        if old is None:
            return False
        self.keyspace.mutations += 1
        if self.expires.length() and self.expires.pop(key) is not None:
            self.data_bytes -= EXPIRE_BYTES
        self._forget_value(key, cast(Value, old))
        return True

    def _forget_value(self, key: bytes, value: Value) -> None:
        freed: i64 = key_bytes(key)
        if isinstance(value, ColdMarker):
            self.cold_count -= 1
            self.keyspace.cold_rows.forget(self.store_id, value.type_code(), key)
        else:
            freed += value.accounted
            value.accounted = -1
        self.data_bytes -= freed

    def move(self, key: bytes, target: Database, target_key: bytes) -> None:
        """Give the value of `key` to `target_key` in `target`, which must not exist; the expire goes along.

        A cold value stays cold: its row is renamed behind the scenes. (RENAME, MOVE)
        """
        found = self.table.pop(key)
        assert found is not None
        value = cast(Value, found)
        at = self.expires.pop(key) if self.expires.length() else None
        keyspace = self.keyspace
        keyspace.mutations += 1
        extra: i64 = 0 if at is None else EXPIRE_BYTES
        if not isinstance(value, ColdMarker):
            extra += value.accounted
        self.data_bytes -= key_bytes(key) + extra
        target.data_bytes += key_bytes(target_key) + extra
        replaced = target.table.set(target_key, value)
        assert replaced is None
        if at is not None:
            target.expires.set(target_key, at)
        if isinstance(value, ColdMarker):
            self.cold_count -= 1
            target.cold_count += 1
            keyspace.cold_rows.move_row(value.type_code(), self.store_id, key, target.store_id, target_key)
        else:
            # It has another row name now: a spill under way writes to the old one.
            value.last_use = keyspace.settled_word(value.last_use)
        if keyspace.blocked_keys:
            keyspace.listener.key_ready(target.dbid, target_key, value)
        if keyspace.new_events:
            keyspace.listener.key_added(target.dbid, target_key)

    def add_loaded(self, key: bytes, value: Value, expire_at_ms: int) -> bool:
        """Add a key from an RDB. False, and nothing done, if it is there already."""
        if self.table.contains(key):
            return False
        self.put(key, value)
        if expire_at_ms >= 0:
            self.set_expire(key, expire_at_ms)
        return True

    def clear(self) -> int:
        """Remove every key; how many there were. O(1): the old tables are handed to `keyspace.discarded`."""
        count = self.table.length()
        keyspace = self.keyspace
        keyspace.mutations += 1
        if self.cold_count:
            keyspace.cold_rows.drop_store(self.store_id)
            self.cold_count = 0
        # Even with no cold key, a spill may be under way: rows written for the old id are never looked at again.
        self.store_id = keyspace.next_store_id()
        if count:
            keyspace.discarded.append(self.table)
            keyspace.discarded.append(self.expires)
            self.table = ScanDict()
            self.expires = ScanDict()
        self.data_bytes = 0
        self.average_ttl_ms = 0
        self.expire_cursor = 0
        return count

    # --- Expires

    def expire_at(self, key: bytes) -> int:
        """When the key expires, in ms since the epoch; -1 if never."""
        if not self.expires.length():
            return -1
        at = self.expires.get(key)
        return -1 if at is None else cast(int, at)

    def set_expire(self, key: bytes, at_ms: int) -> None:
        self.keyspace.mutations += 1
        if self.expires.set(key, at_ms) is None:
            self.data_bytes += EXPIRE_BYTES

    def persist(self, key: bytes) -> bool:
        """Remove the expire; whether there was one."""
        if not self.expires.length() or self.expires.pop(key) is None:
            return False
        self.keyspace.mutations += 1
        self.data_bytes -= EXPIRE_BYTES
        return True

    def check_invariants(self) -> None:
        """For tests: see the module. Between commands only, since a value changed in place is accounted afterwards."""
        data_bytes = 0
        cold_count = 0
        for key, found in self.table.items():
            value = cast(Value, found)
            data_bytes += key_bytes(key)
            if isinstance(value, ColdMarker):
                cold_count += 1
            else:
                assert value.accounted >= 0
                data_bytes += value.accounted
        for key, at in self.expires.items():
            assert self.table.contains(key), key
            assert isinstance(at, int)
            data_bytes += EXPIRE_BYTES
        assert self.data_bytes == data_bytes, (self.data_bytes, data_bytes)
        assert self.cold_count == cold_count, (self.cold_count, cold_count)

    # --- The cold tier's side

    def swap_in(self, key: bytes, value: Value) -> None:
        """The value has come from the cold tier and takes its marker's place."""
        old = self.table.set(key, value)
        assert isinstance(old, ColdMarker)
        keyspace = self.keyspace
        self.cold_count -= 1
        size: i64 = value.memory_bytes()
        value.accounted = size
        self.data_bytes += size
        if keyspace.lfu:
            value.last_use = keyspace.fresh_lfu_word()
        else:
            value.last_use = keyspace.lru_clock

    def swap_out(self, key: bytes, value: Value, marker: ColdMarker) -> None:
        """The value's row has been written; the marker takes its place."""
        old = self.table.set(key, marker)
        assert old is value
        self.cold_count += 1
        self.data_bytes -= value.accounted
        value.accounted = -1
