"""Active expiration: keys whose time is over are removed even if nobody asks for them.

Lazy expiration is in `database`; followers do neither. A cycle walks the expires of each database by cursor and stays
with a database while more than a tenth of what it looks at is due, up to its share of time. Source: Redis 7.0.15,
expire.c, activeExpireCycle (the slow cycle), with `active-expire-effort` 1 to 10.
"""

from time import perf_counter
from typing import Final, cast, final

from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.stats import Statistics

_KEYS_PER_LOOP: Final = 20
_TIME_PERCENT: Final = 25
_ACCEPTABLE_STALE_PERCENT: Final = 10


@final
class ActiveExpiry:
    """Remembers where the last cycle stopped. ``enabled`` is DEBUG SET-ACTIVE-EXPIRE's switch."""

    def __init__(self, keyspace: Keyspace, stats: Statistics) -> None:
        self._keyspace: Final = keyspace
        self._stats: Final = stats
        self._next_db = 0
        self.enabled = True

    def cycle(self, hz: int, effort: int) -> None:
        """One cycle, called ``hz`` times a second; takes at most a quarter of the time between two of them."""
        keyspace = self._keyspace
        if not self.enabled or keyspace.follower or keyspace.loading or keyspace.expiry_paused:
            return
        extra = effort - 1
        keys_per_loop = _KEYS_PER_LOOP + _KEYS_PER_LOOP // 4 * extra
        stale_percent = _ACCEPTABLE_STALE_PERCENT - extra
        limit_seconds = (_TIME_PERCENT + 2 * extra) / 100 / hz
        started = perf_counter()
        sampled_all = 0
        expired_all = 0
        for _ in range(len(keyspace.databases)):
            database = keyspace.databases[self._next_db % len(keyspace.databases)]
            self._next_db += 1
            if not database.expires.length():
                continue
            rounds = 0
            while True:
                sampled, expired = self._sample(database, keys_per_loop)
                sampled_all += sampled
                expired_all += expired
                rounds += 1
                if not sampled or not database.expires.length() or expired * 100 <= sampled * stale_percent:
                    break
                if perf_counter() - started > limit_seconds:
                    self._stats.expired_time_cap_reached_count += 1
                    self._finish(started, sampled_all, expired_all)
                    return
        self._finish(started, sampled_all, expired_all)

    def _sample(self, database: Database, count: int) -> tuple[int, int]:
        """Look at some keys with an expire, and remove those that are due: how many of each."""
        now_ms = self._keyspace.now_ms
        cursor, keys = database.expires.scan(database.expire_cursor, count)
        database.expire_cursor = cursor
        expired = 0
        ttl_sum = 0
        ttl_count = 0
        for key in keys:
            at = database.expires.get(key)
            if at is None:
                continue
            at_ms = cast(int, at)
            if at_ms < now_ms:
                database.expire_now(key)
                expired += 1
            else:
                ttl_sum += at_ms - now_ms
                ttl_count += 1
        if ttl_count:
            average = ttl_sum // ttl_count
            # A running average that forgets 2 % per sample, as INFO's avg_ttl.
            database.average_ttl_ms = (
                database.average_ttl_ms * 98 // 100 + average * 2 // 100 if database.average_ttl_ms else average
            )
        return len(keys), expired

    def _finish(self, started: float, sampled: int, expired: int) -> None:
        stats = self._stats
        stats.expire_cycle_cpu_milliseconds += (perf_counter() - started) * 1000
        share = expired / sampled if sampled else 0.0
        stats.expired_stale_perc = share * 0.05 + stats.expired_stale_perc * 0.95
