"""Frames: any split of the same bytes gives the same frames."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.cold import wire

FRAMES = st.lists(st.tuples(st.integers(0, 255), st.integers(0, 0xFFFFFFFF), st.binary(max_size=40)), max_size=6)


def test_a_frame_as_documented() -> None:
    assert wire.frame(wire.GET, 7, b"ab") == b"\7\0\0\0\2\7\0\0\0ab"


@given(FRAMES, st.lists(st.integers(1, 30), min_size=1, max_size=20))
def test_any_split_gives_the_same_frames(frames: list[tuple[int, int, bytes]], cuts: list[int]) -> None:
    data = b"".join(wire.frame(*frame) for frame in frames)
    reader = wire.FrameReader()
    found: list[tuple[int, int, bytes]] = []
    turn = 0
    while data:
        cut = cuts[turn % len(cuts)]
        found += reader.feed(data[:cut])
        data = data[cut:]
        turn += 1
    assert found == frames


def test_whole_frames_and_a_trailing_part() -> None:
    reader = wire.FrameReader()
    assert reader.feed(wire.frame(1, 2, b"x") + b"\6\0") == [(1, 2, b"x")]
    assert reader.feed(b"\0\0\3\4\0\0\0y") == [(3, 4, b"y")]


@given(st.lists(st.binary(max_size=20), max_size=5))
def test_keys_of_a_get(keys: list[bytes]) -> None:
    assert wire.read_keys(b"".join(wire.with_length(key) for key in keys)) == keys


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_pairs(first: bytes, second: bytes) -> None:
    assert wire.read_pair(b"xx" + wire.with_length(first) + second, 2) == (first, second)


def test_rows_and_chunks() -> None:
    rows = b"\0\3\0\0\0abc" + b"\1\0\0\0\0" + b"\2\1\0\0\0e"
    assert wire.read_rows(rows) == [(wire.FOUND, b"abc"), (wire.MISSING, b""), (wire.UNREADABLE, b"e")]
    assert wire.read_chunk(b"\1\1\0\0\0\2\0\0\0kvv") == (True, [(b"k", b"vv")])
    assert wire.read_chunk(b"\0") == (False, [])


@pytest.mark.parametrize("length", [0, 1, 1 << 20])
def test_lengths(length: int) -> None:
    data = wire.with_length(b"z" * length)
    assert wire.read_u32(data, 0) == length
