"""The directives that are like no other."""

import os
from pathlib import Path

import pytest

from redrock.config.kinds import Kind
from redrock.config.numbers import parse_lenient_integer
from redrock.config.special_kinds import (
    DEFAULT_BIND,
    DEFAULT_OUTPUT_BUFFER_LIMITS,
    Addresses,
    Directory,
    Leader,
    NotifyEvents,
    OomScores,
    OutputBufferLimits,
    Percentiles,
    SavePoints,
)
from redrock.config.values import LIMIT_NORMAL, LIMIT_PUBSUB, LIMIT_REPLICA, OutputBufferLimit


@pytest.mark.parametrize(
    ("kind", "args", "value", "printed"),
    [
        (SavePoints(), [b"900", b"1"], ((900, 1),), b"900 1"),
        (SavePoints(), [b"900", b"1", b"60", b"0"], ((900, 1), (60, 0)), b"900 1 60 0"),
        (SavePoints(), [b""], (), b""),
        (SavePoints(), [], (), b""),
        (OomScores(), [b"-2000", b"0", b"2000"], (-2000, 0, 2000), b"-2000 0 2000"),
        (NotifyEvents(), [b"KEA"], parse_lenient_integer(b"10239"), b"AKE"),
        (Addresses(), [b"127.0.0.1", b"-::1"], ("127.0.0.1", "-::1"), b"127.0.0.1 -::1"),
        (Addresses(), [b""], (), b""),
        (Addresses(), [b"a"] * 16, ("a",) * 16, b" ".join([b"a"] * 16)),
        (Leader(), [b"host", b"6379"], ("host", 6379), b"host 6379"),
        (Leader(), [b"NO", b"one"], None, b""),
        (Percentiles(), [b"50", b"99.90", b"99.999999", b"0"], (50.0, 99.9, 99.999999, 0.0), b"50 99.9 99.999999 0"),
        (Percentiles(), [b""], (), b""),
    ],
)
def test_text_to_value_and_back(kind: Kind, args: list[bytes], value: object, printed: bytes) -> None:
    assert kind.parse(args, None) == value
    assert kind.format(value) == printed


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (SavePoints(), [b"900"]),
        (SavePoints(), [b"900", b"1", b""]),
        (SavePoints(), [b"0", b"1"]),
        (SavePoints(), [b"1", b"-1"]),
        (SavePoints(), [b"1", b"x"]),
        (OomScores(), [b"1", b"2"]),
        (OomScores(), [b"1", b"2", b"2001"]),
        (OomScores(), [b"1", b"2", b"x"]),
        (NotifyEvents(), [b"KEy"]),
        (Addresses(), [b"a"] * 17),
        (Leader(), [b"host"]),
        (Leader(), [b"host", b"65536"]),
        (Leader(), [b"host", b"-1"]),
        (Leader(), [b"host", b"port"]),
        (Percentiles(), [b"50", b"100.1"]),
        (Percentiles(), [b"-0.5"]),
        (Percentiles(), [b"nan"]),
        (Percentiles(), [b"50", b""]),
    ],
)
def test_refusals(kind: Kind, args: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        kind.parse(args, None)


@pytest.mark.parametrize(
    ("kind", "value", "default", "lines"),
    [
        (SavePoints(), ((1, 2), (3, 4)), ((1, 2), (3, 4)), [(b"x 1 2", True), (b"x 3 4", True)]),
        (SavePoints(), (), (), [(b'x ""', True)]),
        (OomScores(), (0, 200, 800), (0, 200, 800), [(b"x 0 200 800", False)]),
        (NotifyEvents(), 0, 0, [(b'x ""', False)]),
        (Addresses(), DEFAULT_BIND, DEFAULT_BIND, []),
        (Addresses(), (), DEFAULT_BIND, [(b'x ""', True)]),
        (Addresses(), ("::1", "*"), DEFAULT_BIND, [(b"x ::1 *", True)]),
        (Leader(), None, None, []),
        (Leader(), ("host", 1), None, [(b"x host 1", True)]),
        (Percentiles(), (50.0,), (50.0,), [(b"x 50", True)]),
        (Percentiles(), (), (50.0,), [(b'x ""', True)]),
        (Directory(), '/a "b"', "", [(b'x "/a \\"b\\""', True)]),
    ],
)
def test_lines_of_a_file(kind: Kind, value: object, default: object, lines: list[tuple[bytes, bool]]) -> None:
    assert kind.file_lines(b"x", value, default) == lines


def test_output_buffer_limits_change_only_the_named_classes() -> None:
    kind = OutputBufferLimits()
    args = [b"Replica", b"1mb", b"512kb", b"10", b"pubsub", b"1", b"2", b"3"]
    limits = kind.parse(args, DEFAULT_OUTPUT_BUFFER_LIMITS)
    assert isinstance(limits, tuple)
    assert limits[LIMIT_NORMAL] == DEFAULT_OUTPUT_BUFFER_LIMITS[LIMIT_NORMAL]
    assert limits[LIMIT_REPLICA] == OutputBufferLimit(1 << 20, 512 << 10, 10)
    assert limits[LIMIT_PUBSUB] == OutputBufferLimit(1, 2, 3)
    assert kind.format(limits) == b"normal 0 0 0 slave 1048576 524288 10 pubsub 1 2 3"
    # In files Redis writes the newer of the two names.
    assert kind.file_lines(b"x", limits, DEFAULT_OUTPUT_BUFFER_LIMITS) == [
        (b"x normal 0 0 0", False),
        (b"x replica 1mb 512kb 10", True),
        (b"x pubsub 1 2 3", True),
    ]
    assert kind.parse([], limits) == limits


@pytest.mark.parametrize(
    "args",
    [
        [b"normal", b"1", b"2"],
        [b"master", b"1", b"2", b"3"],
        [b"nosuch", b"1", b"2", b"3"],
        [b"normal", b"x", b"2", b"3"],
        [b"normal", b"1", b"2x", b"3"],
        [b"normal", b"1", b"2", b"-3"],
        [b"normal", b"1", b"2", b"3", b"pubsub"],
    ],
)
def test_bad_output_buffer_limits(args: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"buffer limit configuration\."):
        OutputBufferLimits().parse(args, DEFAULT_OUTPUT_BUFFER_LIMITS)


def test_directories_are_absolute_and_relative_to_the_present_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    here = os.path.realpath(tmp_path)
    kind = Directory()
    assert kind.parse([b"real"], here) == f"{here}/real"
    assert kind.parse([b"./link/.."], here) == here
    assert kind.parse([b"link"], here) == f"{here}/real"
    assert kind.parse([b"/"], here) == "/"
    with pytest.raises(ValueError, match="No such file or directory"):
        kind.parse([b""], here)
