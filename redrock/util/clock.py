"""Time, passed in and never read from the side, so that tests and the simulation own it.

Unix time is in milliseconds or microseconds since 1970 and may jump when the machine's clock is set; the monotonic
clock is in nanoseconds from an arbitrary start and never goes back: measure durations with it.
"""

import time
from abc import ABC, abstractmethod

from mypy_extensions import mypyc_attr


@mypyc_attr(allow_interpreted_subclasses=True)
class Clock(ABC):
    """What the server knows of time."""

    @abstractmethod
    def now_ms(self) -> int:
        """Unix time in milliseconds."""

    @abstractmethod
    def now_us(self) -> int:
        """Unix time in microseconds."""

    @abstractmethod
    def monotonic_ns(self) -> int:
        """Nanoseconds since an arbitrary moment; never goes back."""


@mypyc_attr(allow_interpreted_subclasses=True)
class SystemClock(Clock):
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def now_us(self) -> int:
        return time.time_ns() // 1_000

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


@mypyc_attr(allow_interpreted_subclasses=True)
class ManualClock(Clock):
    """Stands still until told to move; both clocks move together."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._unix_ns = now_ms * 1_000_000
        self._monotonic_ns = 0

    def now_ms(self) -> int:
        return self._unix_ns // 1_000_000

    def now_us(self) -> int:
        return self._unix_ns // 1_000

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def advance_ms(self, duration_ms: int) -> None:
        """Let ``duration_ms`` pass; never negative."""
        assert duration_ms >= 0, "time does not go back; use set_ms to move the wall clock alone"
        self._unix_ns += duration_ms * 1_000_000
        self._monotonic_ns += duration_ms * 1_000_000

    def advance_us(self, duration_us: int) -> None:
        """Let ``duration_us`` pass; never negative."""
        assert duration_us >= 0, "time does not go back; use set_ms to move the wall clock alone"
        self._unix_ns += duration_us * 1_000
        self._monotonic_ns += duration_us * 1_000

    def set_ms(self, now_ms: int) -> None:
        """Set the wall clock, back too, as an operator or NTP does; the monotonic clock does not notice."""
        self._unix_ns = now_ms * 1_000_000
