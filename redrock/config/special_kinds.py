"""The directives that are like no other, each a kind of its own. Source: Redis 7.0.15, config.c."""

import errno
import os
from collections.abc import Sequence
from typing import Final

from redrock.config.kinds import Kind, c_string, decode_text, encode_text
from redrock.config.notify_events import format_notify_events, parse_notify_events
from redrock.config.numbers import format_memory, parse_lenient_integer
from redrock.config.values import OutputBufferLimit
from redrock.util.numbers import parse_float, parse_memory
from redrock.util.quoting import quote

BIND_ADDRESSES_MAX: Final = 16
DEFAULT_BIND: Final = ("*", "-::*")
_CLIENT_CLASSES: Final = (b"normal", b"slave", b"pubsub")
_CLIENT_CLASS_NUMBERS: Final = {b"normal": 0, b"slave": 1, b"replica": 1, b"pubsub": 2}
DEFAULT_OUTPUT_BUFFER_LIMITS: Final = (
    OutputBufferLimit(0, 0, 0),
    OutputBufferLimit(256 << 20, 64 << 20, 60),
    OutputBufferLimit(32 << 20, 8 << 20, 60),
)


class Directory(Kind):
    """str, the working directory as an absolute path without symbolic links.

    Only computes the path: `Settings` enters the directory, which is the check that Redis makes.
    """

    label = "directory"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        assert isinstance(current, str)
        path = decode_text(c_string(args[0]))
        if path == "":
            raise ValueError(os.strerror(errno.ENOENT))
        return os.path.realpath(os.path.join(current, path))

    def format(self, value: object) -> bytes:
        assert isinstance(value, str)
        return encode_text(value)

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        # Always written: the file may be read by a process that starts elsewhere.
        return [(name + b" " + quote(self.format(value)), True)]


class SavePoints(Kind):
    """Tuple of (seconds, changes): save when both have passed since the last save.

    Here the arguments replace the present value; that several lines of a file add up is up to whoever reads files.
    """

    label = "pairs of seconds and changes"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        if len(args) == 1 and args[0] == b"":
            return ()
        numbers = [parse_lenient_integer(c_string(arg)) for arg in args]
        if len(numbers) % 2 == 1:
            raise ValueError("Invalid save parameters")
        points: list[tuple[int, int]] = []
        for seconds, changes in zip(numbers[::2], numbers[1::2], strict=True):
            if seconds is None or changes is None or seconds < 1 or changes < 0:
                raise ValueError("Invalid save parameters")
            points.append((seconds, changes))
        return tuple(points)

    def format(self, value: object) -> bytes:
        assert isinstance(value, tuple)
        return b" ".join(b"%d %d" % point for point in value)

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        assert isinstance(value, tuple)
        # Written even where it is the default: an empty `save` must not become the default again.
        return [(name + b" %d %d" % point, True) for point in value] or [(name + b' ""', True)]


class OutputBufferLimits(Kind):
    """Three `OutputBufferLimit`: of normal clients, replicas and subscribers. Classes that are not named stay."""

    label = "class, hard limit, soft limit and seconds"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        assert isinstance(current, tuple)
        if len(args) % 4 != 0:
            raise ValueError("Wrong number of arguments in buffer limit configuration.")
        limits = list(current)
        for start in range(0, len(args), 4):
            words = [c_string(arg) for arg in args[start : start + 4]]
            place = _CLIENT_CLASS_NUMBERS.get(words[0].lower())
            if place is None:
                raise ValueError("Invalid client class specified in buffer limit configuration.")
            hard, soft, seconds = parse_memory(words[1]), parse_memory(words[2]), parse_lenient_integer(words[3])
            if hard is None or soft is None or seconds is None or seconds < 0:
                raise ValueError("Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            limits[place] = OutputBufferLimit(hard, soft, seconds)
        return tuple(limits)

    def format(self, value: object) -> bytes:
        assert isinstance(value, tuple)
        return b" ".join(
            b"%b %d %d %d" % (name, limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
            for name, limit in zip(_CLIENT_CLASSES, value, strict=True)
        )

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        assert isinstance(value, tuple)
        assert isinstance(default, tuple)
        lines: list[tuple[bytes, bool]] = []
        for client_class, limit, usual in zip((b"normal", b"replica", b"pubsub"), value, default, strict=True):
            sizes = (format_memory(limit.hard_bytes), format_memory(limit.soft_bytes), limit.soft_seconds)
            lines.append((b"%b %b %b %b %d" % (name, client_class, *sizes), limit != usual))
        return lines


class OomScores(Kind):
    """Three int: what is added to the kernel's OOM score of a leader, a follower, and a child that saves."""

    label = "three integers"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        if len(args) != 3:
            raise ValueError("wrong number of arguments")
        scores: list[int] = []
        for arg in args:
            score = parse_lenient_integer(c_string(arg))
            if score is None or not -2000 <= score <= 2000:
                raise ValueError("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
            scores.append(score)
        return tuple(scores)

    def format(self, value: object) -> bytes:
        assert isinstance(value, tuple)
        return b" ".join(b"%d" % score for score in value)


class NotifyEvents(Kind):
    """int, the bits of `notify_events`."""

    label = "letters"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        flags = parse_notify_events(c_string(args[0]))
        if flags is None:
            raise ValueError("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        return flags

    def format(self, value: object) -> bytes:
        assert isinstance(value, int)
        return format_notify_events(value)

    def file_form(self, value: object) -> bytes:
        return quote(self.format(value))


class Addresses(Kind):
    """Tuple of str: addresses to listen on; `-` before one means that it may be missing on this machine."""

    label = "addresses"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        if len(args) > BIND_ADDRESSES_MAX:
            raise ValueError("Too many bind addresses specified.")
        if len(args) == 1 and args[0] == b"":
            return ()
        return tuple(decode_text(c_string(arg)) for arg in args)

    def format(self, value: object) -> bytes:
        assert isinstance(value, tuple)
        return b" ".join(encode_text(address) for address in value)

    def file_form(self, value: object) -> bytes:
        return self.format(value) or b'""'

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        return [] if value == default else super().file_lines(name, value, default)


class Leader(Kind):
    """(host, port) of the leader to follow, or None."""

    label = "host and port"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        if len(args) != 2:
            raise ValueError("wrong number of arguments")
        host, port_text = c_string(args[0]), c_string(args[1])
        if host.lower() == b"no" and port_text.lower() == b"one":
            return None
        port = parse_lenient_integer(port_text)
        if port is None or not 0 <= port <= 65535:
            raise ValueError("Invalid master port")
        return (decode_text(host), port)

    def format(self, value: object) -> bytes:
        if value is None:
            return b""
        assert isinstance(value, tuple)
        return encode_text(f"{value[0]} {value[1]}")

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        return [] if value is None else super().file_lines(name, value, default)


class Percentiles(Kind):
    """Tuple of float between 0 and 100."""

    label = "percentages"

    def parse(self, args: Sequence[bytes], current: object) -> object:
        if len(args) == 1 and args[0] == b"":
            return ()
        numbers: list[float] = []
        for arg in args:
            number = parse_float(arg)
            if number is None:
                raise ValueError("Invalid latency-tracking-info-percentiles parameters")
            if not 0.0 <= number <= 100.0:
                raise ValueError("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            numbers.append(number)
        return tuple(numbers)

    def format(self, value: object) -> bytes:
        assert isinstance(value, tuple)
        return b" ".join((b"%f" % number).rstrip(b"0").rstrip(b".") for number in value)

    def file_lines(self, name: bytes, value: object, default: object) -> list[tuple[bytes, bool]]:
        # Always written, as Redis does: an empty list must not become the default again.
        return [(name + b" " + (self.format(value) or b'""'), True)]
