"""The slow log: the last commands that took longer than `slowlog-log-slower-than`.

Source: Redis 7.0.15, slowlog.c. Arguments are cut to 32 entries and 128 bytes each. Times: start in seconds since the
epoch, duration in microseconds.
"""

from collections import deque
from typing import Final

_ARGUMENTS_MAX: Final = 32
_ARGUMENT_BYTES_MAX: Final = 128


class SlowlogEntry:
    def __init__(
        self, entry_id: int, at_seconds: int, duration_us: int, argv: list[bytes], address: bytes, name: bytes
    ) -> None:
        self.entry_id: Final = entry_id
        self.at_seconds: Final = at_seconds
        self.duration_us: Final = duration_us
        self.argv: Final = argv
        self.address: Final = address
        self.name: Final = name


def _shortened(argv: list[bytes]) -> list[bytes]:
    """A copy that can be kept: few arguments, none of them long."""
    count = len(argv)
    kept: list[bytes] = []
    for i in range(min(count, _ARGUMENTS_MAX)):
        if count > _ARGUMENTS_MAX and i == _ARGUMENTS_MAX - 1:
            kept.append(b"... (%d more arguments)" % (count - _ARGUMENTS_MAX + 1))
            break
        argument = argv[i]
        if len(argument) > _ARGUMENT_BYTES_MAX:
            extra = len(argument) - _ARGUMENT_BYTES_MAX
            argument = argument[:_ARGUMENT_BYTES_MAX] + b"... (%d more bytes)" % extra
        kept.append(argument)
    return kept


class Slowlog:
    """Newest first. ``length_max`` and ``threshold_us`` follow the settings."""

    def __init__(self, length_max: int, threshold_us: int) -> None:
        self.length_max = length_max
        self.threshold_us = threshold_us  # negative: off
        self._entries: deque[SlowlogEntry] = deque()
        self._next_id = 0

    def add(self, at_seconds: int, duration_us: int, argv: list[bytes], address: bytes, name: bytes) -> None:
        entry = SlowlogEntry(self._next_id, at_seconds, duration_us, _shortened(argv), address, name)
        self._next_id += 1
        self._entries.appendleft(entry)
        while len(self._entries) > self.length_max:
            self._entries.pop()

    def length(self) -> int:
        return len(self._entries)

    def newest(self, count: int) -> list[SlowlogEntry]:
        """Up to ``count`` entries; all of them if it is negative."""
        entries = list(self._entries)
        return entries if count < 0 else entries[:count]

    def clear(self) -> None:
        self._entries.clear()
