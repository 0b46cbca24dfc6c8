"""Counters for INFO. Plain numbers that the parts raise as they go; CONFIG RESETSTAT starts them again.

Rates (instantaneous_*) are averages over the last samples that the cron took, as Redis' trackInstantaneousMetric.
"""

from typing import Final

from mypy_extensions import i64

_SAMPLES: Final = 16


class Rate:
    """Events per second over the last 16 samples."""

    def __init__(self) -> None:
        self._samples: list[float] = [0.0] * _SAMPLES
        self._position = 0
        self._last_total = 0
        self._last_ms = 0

    def sample(self, total: int, now_ms: int) -> None:
        """Called some ten times a second with the running total."""
        if self._last_ms and now_ms > self._last_ms:
            self._samples[self._position] = (total - self._last_total) * 1000 / (now_ms - self._last_ms)
            self._position = (self._position + 1) % _SAMPLES
        self._last_ms = now_ms
        self._last_total = total

    def per_second(self) -> float:
        return sum(self._samples) / _SAMPLES

    def reset(self) -> None:
        self._samples = [0.0] * _SAMPLES
        self._position = 0
        self._last_total = 0
        self._last_ms = 0


class Statistics:
    """See the module. Names are those of INFO's fields where there is one."""

    def __init__(self) -> None:
        self.started_at_ms: i64 = 0
        self.commands_rate: Final = Rate()
        self.input_rate: Final = Rate()
        self.output_rate: Final = Rate()
        self.input_replication_rate: Final = Rate()
        self.output_replication_rate: Final = Rate()
        self.peak_bytes: i64 = 0
        self.resident_bytes: i64 = 0  # anonymous, sampled by the cron
        self.error_counts: dict[bytes, int] = {}
        self.reset()

    def reset(self) -> None:
        """CONFIG RESETSTAT."""
        self.total_connections_received: i64 = 0
        self.total_commands_processed: i64 = 0
        self.total_net_input_bytes: i64 = 0
        self.total_net_output_bytes: i64 = 0
        self.total_net_repl_input_bytes: i64 = 0
        self.total_net_repl_output_bytes: i64 = 0
        self.rejected_connections: i64 = 0
        self.sync_full: i64 = 0
        self.sync_partial_ok: i64 = 0
        self.sync_partial_err: i64 = 0
        self.total_forks: i64 = 0
        self.latest_fork_usec: i64 = 0
        self.expired_stale_perc = 0.0
        self.expired_time_cap_reached_count: i64 = 0
        self.expire_cycle_cpu_milliseconds = 0.0
        self.evicted_clients: i64 = 0
        self.total_eviction_exceeded_time_ms: i64 = 0
        self.current_eviction_exceeded_time_ms: i64 = 0
        self.total_error_replies: i64 = 0
        self.unexpected_error_replies: i64 = 0
        self.total_reads_processed: i64 = 0
        self.total_writes_processed: i64 = 0
        self.dump_payload_sanitizations: i64 = 0
        self.error_counts.clear()
        self.commands_rate.reset()
        self.input_rate.reset()
        self.output_rate.reset()
        self.input_replication_rate.reset()
        self.output_replication_rate.reset()

    def count_error(self, text: bytes) -> None:
        """Count an error reply by its first word, for INFO errorstats. Source: networking.c, afterErrorReply."""
        self.total_error_replies += 1
        end = text.find(b" ")
        word = text if end < 0 else text[:end]
        self.error_counts[word] = self.error_counts.get(word, 0) + 1
