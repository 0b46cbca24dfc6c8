"""maxmemory and its policies: which keys are deleted when memory is short; and maxpsmem.

Source: Redis 7.0.15, evict.c. A pool keeps the best candidates of all samples so far; each round samples every database
and the best that still exists goes. A cold value has been found cold already: its key goes before those of hot values
(LRU and LFU policies). What it frees is its key only.

Memory is the accounted size of the keyspace and of buffers, without the part that eviction itself makes grow (output of
followers, the AOF's buffer): counting that, each DEL propagated would cause more of them.

`make_room` stands before each command while a limit is set. It stops after `maxmemory-eviction-tenacity`'s time and
lets the rest be done in slices; commands pass meanwhile.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from redrock import errors
from redrock.datatypes.scan_dict import ScanDict
from redrock.datatypes.value import ColdMarker, Value
from redrock.interfaces import MemoryGate
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.last_use import idle_ms
from redrock.util.clock import Clock

# What perform_evictions returns (Redis: EVICT_OK, EVICT_RUNNING, EVICT_FAIL).
EVICT_OK: Final = 0
EVICT_RUNNING: Final = 1
EVICT_FAIL: Final = 2

_POOL_SIZE: Final = 16
# Higher than any score of a hot value: idle times are below 2^24 seconds.
_COLD_SCORE: Final = 1 << 40
_TTL_SCORE_MAX: Final = 1 << 62
# The time is looked at after so many keys.
_KEYS_PER_LOOK: Final = 16
_NO_TIME_LIMIT: Final = 1 << 62


@mypyc_attr(allow_interpreted_subclasses=True)
class BufferMemory:
    """Memory beside the keyspace's. Implemented by the server."""

    def buffer_bytes(self) -> int:
        """Client buffers, backlog, AOF buffer: everything accounted that is not in the keyspace."""
        return 0

    def uncounted_bytes(self) -> int:
        """The part of them that eviction must not count."""
        return 0


def time_limit_us(tenacity: int) -> int:
    """How long one call may evict, in microseconds (`maxmemory-eviction-tenacity`, 0 to 100)."""
    if tenacity <= 10:
        return 50 * tenacity
    if tenacity < 100:
        # 15 % more with each step: about two minutes at 99.
        return int(500.0 * 1.15 ** (tenacity - 10))
    return _NO_TIME_LIMIT


@final
class _Candidate:
    __slots__ = ("database", "key", "score")

    def __init__(self, score: i64, database: Database, key: bytes) -> None:
        self.score: i64 = score
        self.database: Final = database
        self.key: Final = key


@final
class Eviction(MemoryGate):
    """See the module. The settings are set by `configure`; ``process_bytes`` is sampled by the cron."""

    def __init__(self, keyspace: Keyspace, buffers: BufferMemory, clock: Clock) -> None:
        self._keyspace: Final = keyspace
        self._buffers: Final = buffers
        self._clock: Final = clock
        self.limit_bytes: i64 = 0  # maxmemory; 0: none
        self.process_limit_bytes: i64 = 0  # maxpsmem in bytes; 0: none
        self.process_bytes: i64 = 0  # anonymous resident memory of all our processes
        self.exempt_as_follower = True  # replica-ignore-maxmemory
        self._policy = b"noeviction"
        self._expiring_only = False
        self._samples: i64 = 5
        self._time_limit_us: i64 = time_limit_us(10)
        self._pool: list[_Candidate] = []
        self._next_database = 0
        # A call has run out of time: more is evicted in slices.
        self.running = False

    def configure(self, limit_bytes: int, policy: bytes, samples: int, tenacity: int) -> None:
        """Take over maxmemory, maxmemory-policy, maxmemory-samples and maxmemory-eviction-tenacity."""
        self.limit_bytes = limit_bytes
        if policy != self._policy:
            # Scores of different policies cannot be compared.
            self._pool.clear()
        self._policy = policy
        self._expiring_only = policy.startswith(b"volatile")
        self._samples = samples
        self._time_limit_us = time_limit_us(tenacity)

    def used_bytes(self) -> int:
        """Everything that is accounted."""
        return self._keyspace.used_bytes() + self._buffers.buffer_bytes()

    def has_limit(self) -> bool:
        """Whether `make_room` can matter at all."""
        return self.limit_bytes > 0 or self.process_limit_bytes > 0

    def make_room(self) -> bytes | None:
        if self.limit_bytes and self.perform() == EVICT_FAIL:
            return errors.OOM
        if 0 < self.process_limit_bytes < self.process_bytes:
            return errors.OOM_PROCESS_MEMORY
        return None

    def run_slice(self) -> int:
        """Go on where a call ran out of time; 1 if there is still more to do, else 0."""
        if self.running:
            self.running = False
            if self.perform() == EVICT_RUNNING:
                return 1
        return 0

    def perform(self) -> int:
        """Evict until memory is within maxmemory, as far as policy and time allow; one of the EVICT_ constants."""
        keyspace = self._keyspace
        if keyspace.loading or keyspace.expiry_paused or (keyspace.follower and self.exempt_as_follower):
            return EVICT_OK
        wanted = self._excess_bytes()
        if wanted <= 0:
            return EVICT_OK
        if self._policy == b"noeviction":
            return EVICT_FAIL
        until_ns: i64 = self._clock.monotonic_ns() + self._time_limit_us * 1000
        freed: i64 = 0
        keys: i64 = 0
        while freed < wanted:
            candidate = self._choose()
            if candidate is None:
                return EVICT_FAIL
            before: i64 = keyspace.used_bytes()
            database = candidate.database
            database.remove(candidate.key)
            freed += before - keyspace.used_bytes()
            keyspace.evicted_keys += 1
            keyspace.listener.key_evicted(database.dbid, candidate.key)
            keys += 1
            if keys % _KEYS_PER_LOOK == 0 and self._clock.monotonic_ns() > until_ns:
                self.running = True
                break
        return EVICT_RUNNING if self.running else EVICT_OK

    def _excess_bytes(self) -> int:
        used = self.used_bytes()
        limit = self.limit_bytes
        if limit == 0 or used <= limit:
            return 0
        return used - self._buffers.uncounted_bytes() - limit

    # --- Choosing

    def _choose(self) -> _Candidate | None:
        """The key to go; None: the policy allows none."""
        if self._policy == b"allkeys-random" or self._policy == b"volatile-random":
            return self._choose_random()
        pool = self._pool
        while True:
            total: i64 = 0
            for database in self._keyspace.databases:
                table = self._table_of(database)
                if table.length():
                    total += table.length()
                    self._sample(database, table)
            if total == 0:
                return None
            while pool:
                best = pool.pop()
                # It may have gone since it was sampled, and its database may have been flushed.
                if self._table_of(best.database).contains(best.key):
                    return best

    def _choose_random(self) -> _Candidate | None:
        databases = self._keyspace.databases
        for _ in range(len(databases)):
            self._next_database = (self._next_database + 1) % len(databases)
            database = databases[self._next_database]
            key = self._table_of(database).random_key(self._keyspace.random)
            if key is not None:
                return _Candidate(0, database, key)
        return None

    def _table_of(self, database: Database) -> ScanDict:
        return database.expires if self._expiring_only else database.table

    def _sample(self, database: Database, table: ScanDict) -> None:
        """Put the best of a sample of one database into the pool."""
        pool = self._pool
        for key in table.sample(self._samples, self._keyspace.random):
            score = self._score(database, key)
            if len(pool) == _POOL_SIZE and score <= pool[0].score:
                continue
            position: i64 = len(pool)
            while position > 0 and pool[position - 1].score > score:
                position -= 1
            pool.insert(position, _Candidate(score, database, key))
            if len(pool) > _POOL_SIZE:
                del pool[0]

    def _score(self, database: Database, key: bytes) -> i64:
        """The higher, the sooner it goes."""
        if self._policy == b"volatile-ttl":
            return i64(_TTL_SCORE_MAX - database.expire_at(key))
        value = database.table.get(key)
        assert isinstance(value, Value)
        if isinstance(value, ColdMarker):
            return _COLD_SCORE
        keyspace = self._keyspace
        if keyspace.lfu:
            return i64(255 - keyspace.lfu_clock.counter(value.last_use))
        return idle_ms(value.last_use, keyspace.lru_clock)
