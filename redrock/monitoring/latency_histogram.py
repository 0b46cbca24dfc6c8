"""How long calls of a command took: one counter per span of time, for INFO's section Latencystats.

Spans are those of the HDR histogram that Redis uses (two significant digits; Redis 7.0.15, server.c,
updateCommandLatencyHistogram): durations are counted in nanoseconds, a span is 1 ns wide up to 255 ns and from there on
1/128 of the power of two below, and whatever took longer than a second counts as a second. A percentile is the
upper end of its span.

Recording is one list access for what takes less than `_DIRECT` microseconds, which is nearly everything.
"""

from typing import Final, final

from mypy_extensions import i64

_DIRECT: Final = 64
_LONGEST_NS: Final = 1_000_000_000
_SUB_BITS: Final = 8


def _span_end(nanoseconds: int) -> int:
    """The highest duration in the same span."""
    shift = max(0, nanoseconds.bit_length() - _SUB_BITS)
    return nanoseconds | ((1 << shift) - 1)


@final
class LatencyHistogram:
    """Of one command."""

    def __init__(self) -> None:
        self._direct: Final[list[int]] = [0] * _DIRECT  # by microseconds
        self._longer: Final[dict[int, int]] = {}  # by the end of the span

    def record(self, duration_us: i64) -> None:
        """Count one call."""
        if duration_us < _DIRECT:
            self._direct[duration_us] += 1
        else:
            end = _span_end(min(duration_us * 1000, _LONGEST_NS))
            self._longer[end] = self._longer.get(end, 0) + 1

    def count(self) -> int:
        """How many calls have been counted."""
        return sum(self._direct) + sum(self._longer.values())

    def spans(self) -> list[tuple[int, int]]:
        """The end of each span in nanoseconds and how many calls it has, by rising time, without the empty ones."""
        counts: dict[int, int] = dict(self._longer)
        for microseconds, count in enumerate(self._direct):
            if count:
                # Redis has no duration of 0: it counts 1 ns instead.
                end = _span_end(max(microseconds * 1000, 1))
                counts[end] = counts.get(end, 0) + count
        return sorted(counts.items())

    def percentile_us(self, percentile: float) -> float:
        """The time in microseconds within which ``percentile`` percent of the calls ended. There has been one."""
        spans = self.spans()
        wanted = max(1, int(min(percentile, 100.0) / 100 * self.count() + 0.5))
        seen = 0
        for end, count in spans:
            seen += count
            if seen >= wanted:
                return end / 1000
        raise AssertionError("no calls have been counted")
