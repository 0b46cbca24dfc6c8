"""maxrockmem: which values go to LevelDB, and when.

While accounted memory is over the limit, the coldest of sampled values are written, in slices of a few milliseconds and
never more at a time than the store can take. Sampled as Redis samples for eviction: of each lot of neighbours from a
random place the coldest few go, and the next coldest stay as candidates for the following lots. LFU if
`maxmemory-policy` names it, else LRU.

Not spilled:
  - values smaller than `rock-min-value-size`: a row would cost more than it saves;
  - values that a parked client has just been waiting for;
  - the last `rock-min-hot-keys` hot values, unless one alone is bigger than its share of half the limit: so that the
    tier does not thrash when the keys alone fill memory.
An explicit sweep (ROCKALL: all there is; ROCKMEM: the coldest) takes everything but the first two.

Sizes are accounted bytes. Knows nothing of the store behind the tier, nor of tasks: `run_slice` is called again and
again by the spiller for as long as it returns WORKED.
"""

from __future__ import annotations

import logging
from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from redrock.cold.link import SpillWaker
from redrock.cold.tier import ColdTier
from redrock.datatypes.value import ColdMarker, Value
from redrock.interfaces import PassHook
from redrock.keyspace.cold_values import ColdValues
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.last_use import idle_ms, in_transit
from redrock.util.clock import Clock

logger: Final = logging.getLogger("redrock")

# What a slice returns.
IDLE: Final = 0  # nothing to do
WORKED: Final = 1  # call again soon
STORE_BUSY: Final = 2  # call again when the store has answered

# What became of one value.
SPILLING: Final = b"spilling"
ALREADY_COLD: Final = b"cold already"
NO_SUCH_KEY: Final = b"no such key"
TOO_SMALL: Final = b"too small"
IN_USE: Final = b"in use"
NOT_NOW: Final = b"the cold tier cannot write"
NOT_POSSIBLE: Final = b"too big, or being written already"

_SLICE_NS: Final = 2_000_000
# Looked at in one go; one in sixteen goes, and the next best ones are kept.
_SAMPLE: Final = 64
_TAKEN_SHARE: Final = 16
_CANDIDATES_KEPT: Final = 32
# Lots in a row without a single candidate before a slice gives up: some 13,000 keys looked at.
_FRUITLESS_LOTS_MAX: Final = 200
# A value's header and that of its content: what memory_bytes() has above the length of a string.
_VALUE_OVERHEAD: Final = 80
# Spilling goes on until memory is this much below the limit, so that it does not start anew with every command.
_MARGIN_SHARE: Final = 64
_MARGIN_BYTES_MAX: Final = 4 << 20
# Writers are stopped when memory is over the limit by a tenth, or by this if that is more.
_THROTTLE_SHARE: Final = 10
_THROTTLE_BYTES_MIN: Final = 8 << 20
_SCAN_COUNT: Final = 64


@mypyc_attr(allow_interpreted_subclasses=True)
class SweepListener:
    """Is told of a sweep's end."""

    def swept(self, spilled: int, freed_bytes: int) -> None:
        """So many values have been spilled; none of them is being written any more."""
        raise NotImplementedError


@final
class _Candidate:
    """A value that may be spilled; the higher the score, the colder it is."""

    __slots__ = ("database", "key", "score", "value")

    def __init__(self, score: i64, database: Database, key: bytes, value: Value) -> None:
        self.score: i64 = score
        self.database: Final = database
        self.key: Final = key
        self.value: Final = value


@final
class Sweep:
    """An explicit wish: spill values until ``wanted_bytes`` are freed (-1: all there are), database by database."""

    def __init__(self, wanted_bytes: int, listener: SweepListener | None) -> None:
        self.wanted_bytes: Final = wanted_bytes
        self.listener: Final = listener
        self.database = 0
        self.cursor = 0
        self.keys: list[bytes] = []
        self.spilled = 0
        self.freed_bytes = 0
        self.cancelled = False
        # Everything has been sent, and is done when that many spills have ended; -1: not yet.
        self.ends_at: i64 = -1


@final
class Spilling(PassHook):
    """See the module. ``limit_bytes`` is maxrockmem, 0: no limit. The settings are set by the server."""

    def __init__(self, keyspace: Keyspace, tier: ColdTier, values: ColdValues, clock: Clock) -> None:
        self._keyspace: Final = keyspace
        self.tier: Final = tier
        self._values: Final = values
        self._clock: Final = clock
        self.waker: SpillWaker = SpillWaker()
        self.limit_bytes: i64 = 0
        self.min_value_bytes: i64 = 64
        self.min_hot_keys: i64 = 1000
        self._candidates: list[_Candidate] = []
        self._sweeps: list[Sweep] = []
        # Nothing was found to spill at that size of the keyspace: no use in looking again before it has changed.
        self._exhausted_at: i64 = -1
        self._spilling = False
        self._hot_left: i64 = 0  # values that neither are cold nor about to be
        self._begun_bytes: i64 = 0  # accounted, of all values whose spilling has been begun

    def configure(self, limit_bytes: int, min_value_bytes: int, min_hot_keys: int) -> None:
        """Take over maxrockmem, rock-min-value-size and rock-min-hot-keys."""
        self.limit_bytes = limit_bytes
        self.min_value_bytes = min_value_bytes
        self.min_hot_keys = min_hot_keys
        self._exhausted_at = -1

    # --- Limits

    def used_bytes(self) -> int:
        """Accounted memory without what is about to leave it."""
        return self._keyspace.used_bytes() - self.tier.leaving_bytes

    def is_over_limit(self) -> bool:
        return 0 < self.limit_bytes < self.used_bytes()

    def must_throttle(self) -> bool:
        """Whether clients write faster than the store, and should be read from a little later.

        Never when the tier cannot help: then `maxmemory` and `maxpsmem` are what protects the server.
        """
        limit = self.limit_bytes
        if limit == 0 or not self._spilling or self.tier.failure:
            return False
        return self._keyspace.used_bytes() > limit + max(limit // _THROTTLE_SHARE, _THROTTLE_BYTES_MIN)

    def end_of_pass(self) -> None:
        """Send what the pass has asked for, and see whether memory has grown over the limit."""
        self.tier.flush()
        if not self._spilling and self.limit_bytes and self.is_over_limit() and self._worth_looking():
            self.waker.wake()

    def _worth_looking(self) -> bool:
        if self._exhausted_at < 0:
            return True
        # Another percent of values may have something to spill among them.
        used: i64 = self._keyspace.used_bytes()
        change: i64 = used - self._exhausted_at
        return change * 100 > used or change * -100 > used

    # --- Slices

    def run_slice(self) -> int:
        """Spill for some milliseconds. Returns IDLE, WORKED or STORE_BUSY."""
        tier = self.tier
        if not self._sweeps and not self._wants_more():
            self._spilling = False
            return IDLE
        if not tier.is_open():
            tier.open()
        if not tier.can_spill():
            self._finish_sweeps()
            return STORE_BUSY
        self._spilling = True
        until_ns = self._clock.monotonic_ns() + _SLICE_NS
        state = WORKED
        while state == WORKED and self._clock.monotonic_ns() < until_ns:
            if not tier.can_spill():
                state = STORE_BUSY
            elif self._sweeps and self._sweeps[0].ends_at < 0:
                self._sweep(self._sweeps[0])
            elif self._wants_more():
                if not self._spill_lot(True):
                    state = IDLE
            else:
                state = IDLE
        self._finish_sweeps()
        tier.flush()
        if state == IDLE:
            if self._sweeps:
                return STORE_BUSY
            self._spilling = False
            self._candidates.clear()
        return state

    def _wants_more(self) -> bool:
        limit = self.limit_bytes
        if limit == 0:
            return False
        used = self.used_bytes()
        if self._spilling:
            return used > limit - min(limit // _MARGIN_SHARE, _MARGIN_BYTES_MAX)
        return used > limit and self._worth_looking()

    def _spill_lot(self, keep_hot: bool) -> bool:
        """Spill the best of one lot. False: there seems to be nothing left to spill."""
        for _ in range(_FRUITLESS_LOTS_MAX):
            found = self._sample(keep_hot)
            if found or self._candidates:
                self._spill_best(found, keep_hot)
                return True
        self._exhausted_at = self._keyspace.used_bytes()
        return False

    def _sample(self, keep_hot: bool) -> i64:
        """Add the spillable values of one lot to the candidates; how many they were."""
        keyspace = self._keyspace
        total_hot: i64 = 0
        for database in keyspace.databases:
            total_hot += database.table.length() - database.cold_count
        self._hot_left = total_hot - self.tier.spills_in_flight()
        if total_hot <= 0:
            return 0
        size_min: i64 = self.min_value_bytes + _VALUE_OVERHEAD
        if keep_hot and self._hot_left <= self.min_hot_keys:
            size_min = max(size_min, self._hot_share())
        chosen: i64 = keyspace.random.below(total_hot)
        for database in keyspace.databases:
            hot: i64 = database.table.length() - database.cold_count
            if chosen < hot:
                return self._sample_database(database, size_min)
            chosen -= hot
        return 0

    def _sample_database(self, database: Database, size_min: i64) -> i64:
        keyspace = self._keyspace
        waiters = self._values.waiters
        candidates = self._candidates
        clock = keyspace.lru_clock
        lfu = keyspace.lfu
        table = database.table
        found: i64 = 0
        for key in table.sample(_SAMPLE, keyspace.random):
            value = table.get(key)
            if isinstance(value, ColdMarker) or not isinstance(value, Value):
                continue
            last_use = value.last_use
            if last_use < 0 or value.accounted < size_min or waiters.is_awaited(database.store_id, key):
                continue
            if lfu:
                score = i64(255 - keyspace.lfu_clock.counter(last_use))
            else:
                score = idle_ms(last_use, clock)
            candidates.append(_Candidate(score, database, key, value))
            found += 1
        return found

    def _hot_share(self) -> i64:
        """How big each of the last hot values may be: big ones would make the limit meaningless."""
        return self.limit_bytes // 2 // max(1, self.min_hot_keys)

    def _spill_best(self, found: i64, keep_hot: bool) -> None:
        """Spill the best candidates, a sixteenth of as many as have been found just now; keep the next best."""
        candidates = self._candidates
        candidates.sort(key=_score, reverse=True)
        count: i64 = found // _TAKEN_SHARE + 1
        taken: i64 = 0
        position: i64 = 0
        while position < len(candidates) and taken < count and self.tier.can_spill():
            candidate = candidates[position]
            position += 1
            database = candidate.database
            if keep_hot and self._hot_left <= self.min_hot_keys and candidate.value.accounted < self._hot_share():
                continue
            # It may have been replaced, spilled or used since it was sampled; used is forgiven.
            if database.table.get(candidate.key) is candidate.value and candidate.value.last_use >= 0:
                self._spill(database, candidate.key, candidate.value)
                self._hot_left -= 1
                taken += 1
        self._candidates = candidates[position : position + _CANDIDATES_KEPT]

    def _spill(self, database: Database, key: bytes, value: Value) -> bool:
        if not self.tier.spill(database.store_id, key, value):
            return False
        value.last_use = in_transit(value.last_use)
        self._begun_bytes += value.accounted
        return True

    # --- Wishes

    def spill_key(self, database: Database, key: bytes) -> bytes:
        """Begin to spill one value (ROCKEVICT); one of the words above."""
        found = database.peek(key)
        if found is None:
            return NO_SUCH_KEY
        if isinstance(found, ColdMarker):
            return ALREADY_COLD
        if found.accounted < self.min_value_bytes + _VALUE_OVERHEAD:
            return TOO_SMALL
        if self._values.waiters.is_awaited(database.store_id, key):
            return IN_USE
        self.tier.open()
        if self.tier.failure:
            return NOT_NOW
        if found.last_use < 0:
            return SPILLING
        return SPILLING if self._spill(database, key, found) else NOT_POSSIBLE

    def start_sweep(self, wanted_bytes: int, listener: SweepListener | None) -> Sweep:
        """Spill until ``wanted_bytes`` are freed; -1: everything. Raises StoreStartError if there is no tier."""
        self.tier.open()
        sweep = Sweep(wanted_bytes, listener)
        self._sweeps.append(sweep)
        self.waker.wake()
        return sweep

    def _sweep(self, sweep: Sweep) -> None:
        """Go on with a sweep, by some dozens of keys."""
        begun: i64 = self.tier.spills_begun
        begun_bytes: i64 = self._begun_bytes
        if sweep.cancelled or 0 <= sweep.wanted_bytes <= sweep.freed_bytes:
            is_over = True
        elif sweep.wanted_bytes >= 0:
            is_over = not self._spill_lot(False)
        else:
            is_over = not self._sweep_keys(sweep)
        sweep.spilled += self.tier.spills_begun - begun
        sweep.freed_bytes += self._begun_bytes - begun_bytes
        if is_over:
            sweep.ends_at = self.tier.spills_begun

    def _sweep_keys(self, sweep: Sweep) -> bool:
        """Spill whatever can be, in the order of the tables. False: that was the last of them."""
        databases = self._keyspace.databases
        if sweep.database >= len(databases):
            return False
        database = databases[sweep.database]
        if not sweep.keys and (sweep.cursor or database.table.length() > database.cold_count):
            sweep.cursor, sweep.keys = database.table.scan(sweep.cursor, _SCAN_COUNT)
        keys = sweep.keys
        size_min: i64 = self.min_value_bytes + _VALUE_OVERHEAD
        while keys and self.tier.can_spill():
            key = keys.pop()
            value = database.table.get(key)
            if isinstance(value, ColdMarker) or not isinstance(value, Value):
                continue
            if value.last_use < 0 or value.accounted < size_min:
                continue
            if not self._values.waiters.is_awaited(database.store_id, key):
                self._spill(database, key, value)
        if not keys and sweep.cursor == 0:
            sweep.database += 1
        return True

    def _finish_sweeps(self) -> None:
        """Tell the listeners of sweeps that have come to their end, once nothing is on its way any more."""
        if not self._sweeps:
            return
        sweep = self._sweeps[0]
        if sweep.ends_at < 0 and self.tier.failure:
            sweep.ends_at = self.tier.spills_begun
        if sweep.ends_at < 0 or self.tier.spills_ended < sweep.ends_at:
            return
        del self._sweeps[0]
        if sweep.listener is not None and not sweep.cancelled:
            sweep.listener.swept(sweep.spilled, sweep.freed_bytes)


def _score(candidate: _Candidate) -> int:
    return candidate.score
