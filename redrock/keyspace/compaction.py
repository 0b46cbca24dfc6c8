"""Gives memory back after a mass spill: keys, tables and the small values that stay are copied close together.

Python keeps objects of up to 512 bytes in arenas of 1 MB, and an arena goes back to the system only when it is empty.
While a million keys are loaded, keys and values are allocated in turns; when the values have gone, every arena still
holds some keys, and almost nothing is given back. So everything that stays is copied to new arenas, and the old ones
become empty. For the copies not to land in the holes of the old arenas, the holes are first filled with fillers, which
cost nothing: that memory is resident anyway. The steps, each in slices of some milliseconds between commands:

    POOLS    fill the free pools of all arenas, until that makes memory grow: new arenas are needed from now on
    HOLES    fill the holes of each size, until an object of that size lands in a new arena
    MOVE     rebuild bucket after bucket with copies of its keys and of its small values; what has been copied is kept,
             or the next copies would land in its holes
    RELEASE  free the old tables, drop the fillers and what has been copied; the old arenas go back to the system
    TABLES   copy the tables alone, a few times over: they are in the C library's heap, which puts each into the
             smallest hole that is big enough, so with each round they stand in fewer places. A table cannot be had
             without its dict, which is in an arena: so fillers of that size and the old dicts are kept until this is
             done

Memory grows meanwhile by the size of what stays; it begins when accounted memory is less than half of what it was.
Keys are shared between a database's two tables and stay shared. Trimming the C library's heap
is the one step that cannot be cut in slices: some 0.2 s after a gigabyte has been freed in small pieces. (Trimming now
and then on the way is no help: each time costs nearly as much as the one at the end.)

Assumptions, all of CPython 3.11 to 3.13's pymalloc; were they wrong, nothing would be gained and nothing lost.
"""

from __future__ import annotations

import gc
import sys
from typing import Final, cast, final

from mypy_extensions import i64

from redrock.cold import record
from redrock.cold.tier import ColdTier
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import ColdMarker, Value
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.util.clock import Clock
from redrock.util.memory_trim import anonymous_bytes, trim

_SLICE_NS: Final = 2_000_000
# Memory has come to rest when it has not changed for so long.
_REST_NS: Final = 300_000_000
# Objects above this are not in arenas; sizes are rounded up to 16.
_SMALL_BYTES_MAX: Final = 512
_SIZE_STEP: Final = 16
_ARENA_SHIFT: Final = 20
_BYTES_HEADER: Final = 33
# A dict without its table.
_DICT_BYTES: Final = 64
# The smallest size that a bytes object can have; what is smaller is of no importance here.
_SMALLEST_FILLER: Final = 48
# Fillers are made in chunks of about so many bytes, and memory is looked at after each.
_POOLS_CHUNK_BYTES: Final = 1 << 20
_HOLES_CHUNK_BYTES: Final = 16 * 1024
# Two chunks in a row that make memory grow by most of their size: there are no free pools left.
_GROWING_CHUNKS: Final = 2
# Keys are looked at to learn where the arenas are: so many places with so many neighbours.
_SAMPLED_PLACES: Final = 256
_SAMPLED_NEIGHBOURS: Final = 16
_REPLACED_PER_LIST: Final = 10000
_TABLES_PER_STEP: Final = 200
_TRIES_MAX: Final = 100

_OFF: Final = 0
_POOLS: Final = 1
_HOLES: Final = 2
_MOVE: Final = 3
_RELEASE: Final = 4
_TABLE_ROUNDS: Final = 3

# Below that the whole thing is not worth while.
_KEYS_MIN: Final = 10_000
_FREED_BYTES_MIN: Final = 64 << 20


@final
class MemoryCompaction:
    """See the module. `run_slice`, called again and again, begins by itself and goes on; `start` begins at once."""

    def __init__(self, keyspace: Keyspace, tier: ColdTier, clock: Clock) -> None:
        self._keyspace: Final = keyspace
        self._tier: Final = tier
        self._clock: Final = clock
        self._state = _OFF
        self.begun = 0  # how many times since the server's start
        self._fillers: list[list[bytes]] = []
        # Keys and values that have been copied, by the thousand.
        self._replaced: list[list[object]] = []
        # The buckets that this round has replaced; and those of all rounds, emptied, with the fillers of their size.
        self._old_buckets: list[dict[bytes, object]] = []
        self._dicts: list[dict[bytes, object]] = []
        self._dict_fillers: list[list[bytes]] = []
        self._growing = 0
        self._filled_bytes: i64 = 0
        self._filled_bytes_max: i64 = 0
        self._size: i64 = 0
        self._old_arenas: set[int] = set()
        self._database = 0
        self._bucket: i64 = 0
        self._rounds = 0
        # The most memory accounted since the last compaction, and how much it was when last looked at.
        self._peak_bytes: i64 = 0
        self._last_bytes: i64 = 0
        self._changed_at_ns: i64 = 0

    def is_running(self) -> bool:
        return self._state != _OFF

    def start(self) -> None:
        """Begin, unless it is under way, or it cannot be known whether it helps."""
        resident = anonymous_bytes()
        if self._state != _OFF or resident == 0:
            return
        self.begun += 1
        self._old_arenas = self._arenas_of_keys()
        self._size = _SMALL_BYTES_MAX
        self._filled_bytes = 0
        # There cannot be more holes than memory.
        self._filled_bytes_max = resident
        self._growing = 0
        self._database = 0
        self._bucket = 0
        self._rounds = 0
        self._state = _POOLS

    def run_slice(self) -> int:
        """Work for some milliseconds; 1 if there is more to do, else 0."""
        if self._state == _OFF:
            self._watch()
            if self._state == _OFF:
                return 0
        until_ns = self._clock.monotonic_ns() + _SLICE_NS
        while self._state != _OFF:
            if self._state == _POOLS:
                self._fill_pools()
            elif self._state == _HOLES:
                self._fill_holes()
            elif self._state == _MOVE:
                self._move()
            else:
                self._release()
            if self._clock.monotonic_ns() >= until_ns:
                break
        return 0 if self._state == _OFF else 1

    def _watch(self) -> None:
        """Begin if memory has shrunk enough, and has come to rest."""
        used: i64 = self._keyspace.used_bytes()
        now_ns: i64 = self._clock.monotonic_ns()
        # A little more or less is no movement: clients are at work all the time.
        change: i64 = used - self._last_bytes
        if change * 100 > used or change * -100 > used or self._tier.spills_in_flight():
            self._last_bytes = used
            self._changed_at_ns = now_ns
        if used >= self._peak_bytes:
            self._peak_bytes = used
        elif (
            now_ns - self._changed_at_ns >= _REST_NS
            and used * 2 < self._peak_bytes
            and self._peak_bytes - used >= _FREED_BYTES_MIN
        ):
            self._peak_bytes = used
            trim()
            if self._keyspace.key_count() >= _KEYS_MIN:
                self.start()

    # --- POOLS and HOLES

    def _arenas_of_keys(self) -> set[int]:
        arenas: set[int] = set()
        random = self._keyspace.random
        for database in self._keyspace.databases:
            if database.table.length():
                for _ in range(_SAMPLED_PLACES):
                    for key in database.table.sample(_SAMPLED_NEIGHBOURS, random):
                        arenas.add(id(key) >> _ARENA_SHIFT)
        return arenas

    def _add_fillers(self, size: i64, chunk_bytes: i64) -> list[bytes]:
        count: i64 = chunk_bytes // size
        length = size - _BYTES_HEADER
        chunk: list[bytes] = [b""] * count
        for i in range(count):
            chunk[i] = bytes(length)
        (self._dict_fillers if size == _DICT_BYTES else self._fillers).append(chunk)
        self._filled_bytes += chunk_bytes
        return chunk

    def _fill_pools(self) -> None:
        """Add one chunk of the biggest fillers: they leave hardly any holes in their pools."""
        before: i64 = anonymous_bytes()
        chunk = self._add_fillers(_SMALL_BYTES_MAX, _POOLS_CHUNK_BYTES)
        grown: i64 = anonymous_bytes() - before
        if grown * 4 > _POOLS_CHUNK_BYTES * 3:
            self._growing += 1
        else:
            self._growing = 0
            for filler in chunk:
                self._old_arenas.add(id(filler) >> _ARENA_SHIFT)
        if self._growing >= _GROWING_CHUNKS or self._filled_bytes > self._filled_bytes_max:
            self._state = _HOLES
            self._size = _SMALL_BYTES_MAX - _SIZE_STEP

    def _fill_holes(self) -> None:
        """Add one small chunk of the size whose turn it is."""
        chunk = self._add_fillers(self._size, _HOLES_CHUNK_BYTES)
        is_full = id(chunk[-1]) >> _ARENA_SHIFT not in self._old_arenas
        if is_full or self._filled_bytes > self._filled_bytes_max:
            self._size -= _SIZE_STEP
            if self._size < _SMALLEST_FILLER:
                self._state = _MOVE

    # --- MOVE

    def _move(self) -> None:
        """Rebuild one bucket, or in a later round only its table."""
        databases = self._keyspace.databases
        database = databases[self._database]
        table = database.table
        if self._bucket >= table.bucket_count():
            self._bucket = 0
            self._database += 1
            if self._database >= len(databases):
                self._database = 0
                self._state = _RELEASE
            return
        bucket = table.buckets[self._bucket]
        if self._rounds:
            # Wherever the dict lands: the old arenas are gone, and new ones may stand where they were.
            table.buckets[self._bucket] = bucket.copy()
        else:
            table.buckets[self._bucket] = self._rebuilt(database, bucket)
        self._old_buckets.append(bucket)
        self._bucket += 1

    def _rebuilt(self, database: Database, bucket: dict[bytes, object]) -> dict[bytes, object]:
        if not self._replaced or len(self._replaced[-1]) > _REPLACED_PER_LIST:
            self._replaced.append([])
        replaced = self._replaced[-1]
        # Other tasks free objects all the time, and each leaves a hole in an old arena: what lands in one is kept to
        # fill it, and made again.
        old = self._old_arenas
        fresh: dict[bytes, object] = {}
        while id(fresh) >> _ARENA_SHIFT in old:
            self._dicts.append(fresh)
            fresh = {}
        for key, value in bucket.items():
            replaced.append(key)
            if not isinstance(value, ColdMarker):
                replaced.append(value)
                value = self._moved(cast(Value, value), replaced)
            copy = _copy(key)
            while id(copy) >> _ARENA_SHIFT in old:
                replaced.append(copy)
                copy = _copy(key)
            fresh[copy] = value
        if database.expires.length():
            _share_keys(database, fresh, replaced)
        return fresh

    def _moved(self, value: Value, replaced: list[object]) -> Value:
        """A small value anew. One that is being spilled stays what it is: the answer is about this object."""
        if value.last_use < 0 or value.accounted > _SMALL_BYTES_MAX:
            return value
        content = record.encode(value)
        fresh = record.decode(content, value.encoding())
        for _ in range(_TRIES_MAX):
            if id(fresh) >> _ARENA_SHIFT not in self._old_arenas and not self._has_old_data(fresh):
                break
            replaced.append(fresh)
            fresh = record.decode(content, value.encoding())
        fresh.last_use = value.last_use
        fresh.accounted = value.accounted
        value.accounted = -1
        return fresh

    def _has_old_data(self, value: Value) -> bool:
        return isinstance(value, StringValue) and id(value.data) >> _ARENA_SHIFT in self._old_arenas

    # --- RELEASE

    def _release(self) -> None:
        """Let go of some of what this round has replaced; at the end, begin the next one."""
        if self._old_buckets:
            for _ in range(min(len(self._old_buckets), _TABLES_PER_STEP)):
                bucket = self._old_buckets.pop()
                bucket.clear()
                # Kept, since Python uses a dict that has just been freed for the next one.
                self._dicts.append(bucket)
        elif self._fillers:
            self._fillers.pop()
        elif self._replaced:
            self._replaced.pop()
        elif self._rounds < _TABLE_ROUNDS:
            trim()
            self._rounds += 1
            self._state = _MOVE
        else:
            self._dicts.clear()
            self._dict_fillers.clear()
            _clear_free_lists()
            trim()
            self._state = _OFF


def _clear_free_lists() -> None:
    """What Python keeps for reuse (tuples, dicts, names of attributes looked up) holds on to old arenas: let it go.

    A full collection empties the free lists. Everything is frozen first, so that it has nothing to look at: it would
    take long, and find nothing.
    """
    gc.freeze()
    gc.collect()
    sys._clear_type_cache()


def _copy(data: bytes) -> bytes:
    """Another object with the same bytes."""
    return (data + b"\0")[:-1]


def _share_keys(database: Database, fresh: dict[bytes, object], replaced: list[object]) -> None:
    """Let the table of expires use the new key objects, too. Its own buckets are rebuilt by this, bit by bit."""
    expires = database.expires
    for key in fresh:
        at = expires.pop(key)
        if at is not None:
            replaced.append(at)
            # Boxed anew by being an int on the way.
            at_ms: i64 = cast(int, at)
            expires.set(key, int(at_ms))
