"""When to save and when to rewrite, of one's own accord: pure decisions over numbers.

Source: Redis 7.0.15, server.c, serverCron, and aof.c, aofRewriteLimited. Times are seconds since the epoch.
"""

from collections.abc import Iterable
from typing import Final, final

# After a failed save the next automatic one waits (CONFIG_BGSAVE_RETRY_DELAY): a full disk is not full for a second.
SAVE_RETRY_SECONDS: Final = 5

REWRITE_FAILURES_MAX: Final = 3
REWRITE_DELAY_MINUTES_MAX: Final = 60


def due_save_rule(
    rules: Iterable[tuple[int, int]], dirty: int, since_last_save_s: int, may_try: bool
) -> tuple[int, int] | None:
    """The first rule (seconds, changes) that asks for a save now."""
    if not may_try:
        return None
    for seconds, changes in rules:
        if dirty >= changes and since_last_save_s > seconds:
            return seconds, changes
    return None


def may_try_save(last_ok: bool, since_last_try_s: int) -> bool:
    """Whether an automatic or scheduled save may begin, as far as earlier failures go."""
    return last_ok or since_last_try_s > SAVE_RETRY_SECONDS


def rewrite_growth(current_bytes: int, base_bytes: int) -> int:
    """By how many percent the log has grown since its last rewrite."""
    return current_bytes * 100 // (base_bytes or 1) - 100


def wants_rewrite(current_bytes: int, base_bytes: int, percentage: int, min_bytes: int) -> bool:
    """Whether the log has grown enough for an automatic rewrite. ``percentage`` 0 switches that off."""
    if percentage == 0 or current_bytes <= min_bytes:
        return False
    return rewrite_growth(current_bytes, base_bytes) >= percentage


@final
class RewriteLimiter:
    """Slows down automatic rewrites that keep failing, since each attempt leaves an increment behind.

    From the third failure in a row on, the next attempt waits 1, 2, 4, ... minutes, an hour at most.
    """

    def __init__(self) -> None:
        self._delay_minutes = 0
        self._not_before_s = 0
        # Minutes of a delay that has just begun, for the log; 0 if none has.
        self.announced_minutes = 0

    def is_limited(self, consecutive_failures: int, now_s: int) -> bool:
        """Whether an automatic rewrite must wait."""
        self.announced_minutes = 0
        if consecutive_failures < REWRITE_FAILURES_MAX:
            self._delay_minutes = 0
            self._not_before_s = 0
            return False
        if self._not_before_s:
            if now_s < self._not_before_s:
                return True
            self._not_before_s = 0
            return False
        self._delay_minutes = min(self._delay_minutes * 2 or 1, REWRITE_DELAY_MINUTES_MAX)
        self._not_before_s = now_s + self._delay_minutes * 60
        self.announced_minutes = self._delay_minutes
        return True
