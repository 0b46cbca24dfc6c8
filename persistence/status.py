"""What INFO's section Persistence reports, and what other parts decide by: plain numbers, no behaviour worth the name.

Names are those of INFO where there is one. Times are seconds since the epoch; -1: never, or not now. Source: Redis
7.0.15, server.c, genRedisInfoString, and the fields behind it.
"""

from typing import Final, final

CHILD_NONE: Final = 0
CHILD_RDB: Final = 1
CHILD_AOF: Final = 2

LOG_OFF: Final = 0
LOG_ON: Final = 1
LOG_WAIT_REWRITE: Final = 2
"""Switched on, but without a base yet: writes are collected until the first rewrite is done."""


@final
class LoadingStatus:
    """The load that is under way, or the last one."""

    def __init__(self) -> None:
        self.loading = False
        self.async_loading = False
        self.start_time = 0
        self.total_bytes = 0
        self.loaded_bytes = 0
        self.rdb_used_mem = 0

    def begin(self, now_s: int, total_bytes: int) -> None:
        """A load begins. ``total_bytes`` 0: not known."""
        self.loading = True
        self.start_time = now_s
        self.total_bytes = total_bytes
        self.loaded_bytes = 0
        self.rdb_used_mem = 0

    def end(self) -> None:
        self.loading = False
        self.async_loading = False

    def percent(self) -> float:
        """loading_loaded_perc. Without a size, guessed from the memory that the writer used, and never quite 100."""
        if self.total_bytes:
            return self.loaded_bytes / self.total_bytes * 100
        if self.rdb_used_mem:
            return min(self.loaded_bytes / self.rdb_used_mem * 100, 99.99)
        return 0.0

    def eta_seconds(self, now_s: int) -> int:
        """loading_eta_seconds."""
        elapsed = now_s - self.start_time
        if elapsed == 0:
            return 1
        remaining = 1
        if self.total_bytes:
            remaining = self.total_bytes - self.loaded_bytes
        elif self.rdb_used_mem:
            remaining = max(self.rdb_used_mem - self.loaded_bytes, 1)
        return elapsed * remaining // (self.loaded_bytes + 1)


@final
class PersistenceStatus:
    """One object per server, written by the persistence package only."""

    def __init__(self, now_s: int) -> None:
        self.load: Final = LoadingStatus()
        # The one child that may run.
        self.child_kind = CHILD_NONE
        self.child_pid = -1
        self.child_started_at_s = -1
        self.child_is_for_followers = False
        self.current_cow_peak = 0
        self.current_cow_size = 0
        self.current_cow_updated_at_s = 0
        self.current_save_keys_processed = 0
        self.current_save_keys_total = 0
        self.total_forks = 0
        self.latest_fork_usec = 0
        # RDB.
        self.rdb_last_save_time = now_s
        self.rdb_last_bgsave_ok = True
        self.rdb_last_bgsave_try_s = 0
        self.rdb_last_bgsave_time_sec = -1
        self.rdb_bgsave_scheduled = False
        self.rdb_saves = 0
        self.rdb_last_cow_size = 0
        self.rdb_last_load_keys_expired = 0
        self.rdb_last_load_keys_loaded = 0
        self.dirty_before_bgsave = 0
        # AOF.
        self.aof_state = LOG_OFF
        self.aof_rewrite_scheduled = False
        self.aof_last_rewrite_time_sec = -1
        self.aof_last_bgrewrite_ok = True
        self.aof_rewrites = 0
        self.aof_rewrites_consecutive_failures = 0
        self.aof_last_write_ok = True
        self.aof_last_fsync_ok = True
        self.aof_last_error = ""
        self.aof_last_cow_size = 0
        self.aof_current_size = 0
        self.aof_base_size = 0
        self.aof_buffer_length = 0
        self.aof_pending_bio_fsync = 0
        self.aof_delayed_fsync = 0

    @property
    def has_child(self) -> bool:
        return self.child_kind != CHILD_NONE

    def child_seconds(self, kind: int, now_s: int) -> int:
        """How long a child of this kind has been running, -1 if none is (rdb_current_bgsave_time_sec and the like)."""
        return now_s - self.child_started_at_s if self.child_kind == kind else -1

    def fork_percent(self) -> float:
        """current_fork_perc."""
        if self.current_save_keys_total == 0:
            return 0.0
        return self.current_save_keys_processed / self.current_save_keys_total * 100

    def child_started(self, kind: int, pid: int, now_s: int, keys_total: int) -> None:
        """A child has been forked."""
        self.child_kind = kind
        self.child_pid = pid
        self.child_started_at_s = now_s
        self.current_cow_peak = 0
        self.current_cow_size = 0
        self.current_cow_updated_at_s = 0
        self.current_save_keys_processed = 0
        self.current_save_keys_total = keys_total

    def child_reported(self, keys: int, cow_bytes: int, final: bool, now_s: int) -> None:
        """The child has told how far it is. The last report carries no count of keys."""
        self.current_cow_peak = max(self.current_cow_peak, cow_bytes)
        if not final:
            self.current_cow_size = cow_bytes
            self.current_cow_updated_at_s = now_s
            self.current_save_keys_processed = keys
        elif self.child_kind == CHILD_AOF:
            self.aof_last_cow_size = self.current_cow_peak
        else:
            self.rdb_last_cow_size = self.current_cow_peak

    def child_ended(self) -> None:
        """The child is gone, and what was said of it."""
        self.child_started(CHILD_NONE, -1, -1, 0)
        self.child_is_for_followers = False

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.rdb_saves = 0
        self.aof_rewrites = 0
        self.aof_delayed_fsync = 0
        self.total_forks = 0
