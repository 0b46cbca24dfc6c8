"""The backlog against a plain string of bytes that never forgets."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from replication.backlog import TAIL_BYTES, TRIM_BLOCKS_MAX, Backlog


def read_all(backlog, offset):
    data = b""
    while piece := backlog.read(offset + len(data), 10_000):
        data += piece
    return data


def test_offsets_count_from_the_next_byte():
    backlog = Backlog(100, 51)
    assert (backlog.first_byte_offset, backlog.histlen, backlog.end_offset()) == (51, 0, 51)
    assert backlog.read(51, 10) == b""
    backlog.append(b"hello")
    assert (backlog.first_byte_offset, backlog.histlen, backlog.end_offset()) == (51, 5, 56)
    assert backlog.read(51, 10) == b"hello"
    assert backlog.read(53, 2) == b"ll"
    assert [backlog.contains(offset) for offset in (50, 51, 56, 57)] == [False, True, True, False]


def test_large_data_is_not_copied():
    backlog = Backlog(1, 1)
    data = bytes(TAIL_BYTES)
    backlog.append(data)
    assert backlog.read(1, TAIL_BYTES) is data


def test_very_large_data_is_cut():
    backlog = Backlog(64 * TAIL_BYTES, 1)
    data = bytes(range(256)) * (TAIL_BYTES * 200 // 256)
    backlog.append(data)
    backlog.append(b"end")
    assert len(backlog.read(backlog.first_byte_offset, 1 << 30)) == 4 * TAIL_BYTES
    assert backlog.histlen <= 68 * TAIL_BYTES
    assert read_all(backlog, backlog.first_byte_offset) == (data + b"end")[-backlog.histlen :]
    backlog.check_invariants()


def test_old_blocks_go_when_the_rest_is_enough():
    backlog = Backlog(3 * TAIL_BYTES, 1)
    for number in range(10):
        backlog.append(bytes([number]) * TAIL_BYTES)
        assert backlog.histlen <= 3 * TAIL_BYTES
        backlog.check_invariants()
    assert backlog.first_byte_offset == 7 * TAIL_BYTES + 1
    assert backlog.read(backlog.first_byte_offset, 1) == b"\x07"


def test_a_place_keeps_what_is_behind_it():
    backlog = Backlog(TAIL_BYTES, 1)
    backlog.append(bytes(TAIL_BYTES))
    place = backlog.hold(5)
    for _ in range(200):
        backlog.append(bytes(TAIL_BYTES))
    assert backlog.first_byte_offset == 1
    assert backlog.unsent_bytes(place) == 201 * TAIL_BYTES - 4
    place.next_offset = 190 * TAIL_BYTES
    backlog.release(place)
    backlog.release(place)
    # Freed in portions, so that nobody waits for all of it.
    assert backlog.first_byte_offset == TRIM_BLOCKS_MAX * TAIL_BYTES + 1
    while backlog.trim():
        pass
    assert backlog.histlen == TAIL_BYTES
    backlog.check_invariants()


def test_memory_is_counted():
    backlog = Backlog(TAIL_BYTES, 1)
    empty = backlog.memory_bytes()
    backlog.append(bytes(TAIL_BYTES))
    assert backlog.memory_bytes() >= empty + TAIL_BYTES


def test_shrinking_keeps_the_most_recent_bytes():
    backlog = Backlog(10 * TAIL_BYTES, 1)
    for number in range(10):
        backlog.append(bytes([number]) * TAIL_BYTES)
    backlog.resize(2 * TAIL_BYTES)
    assert backlog.histlen == 2 * TAIL_BYTES
    assert read_all(backlog, backlog.first_byte_offset)[:1] == b"\x08"


class BacklogMachine(RuleBasedStateMachine):
    """Random appends, places and trims; the model keeps every byte ever appended."""

    def __init__(self):
        super().__init__()
        self.start = 1000
        self.size_min = 30_000  # what was trimmed does not come back when the backlog is made larger
        self.backlog = Backlog(self.size_min, self.start)
        self.model = b""
        self.places = []

    @rule(byte=st.integers(0, 255), length=st.sampled_from([1, 10, 4000, TAIL_BYTES - 1, TAIL_BYTES, 40_000]))
    def append(self, byte, length):
        data = bytes([byte]) * length
        self.backlog.append(data)
        self.model += data

    @rule(where=st.floats(0, 1))
    def hold(self, where):
        offset = self.backlog.first_byte_offset + int(where * self.backlog.histlen)
        self.places.append(self.backlog.hold(offset))

    @precondition(lambda self: self.places)
    @rule(index=st.integers(0, 5), bytes_max=st.integers(1, 50_000))
    def send(self, index, bytes_max):
        place = self.places[index % len(self.places)]
        data = self.backlog.read(place.next_offset, bytes_max)
        position = place.next_offset - self.start
        assert data == self.model[position : position + len(data)]
        assert data or position == len(self.model)
        place.next_offset += len(data)

    @precondition(lambda self: self.places)
    @rule(index=st.integers(0, 5))
    def release(self, index):
        self.backlog.release(self.places.pop(index % len(self.places)))

    @rule(size=st.sampled_from([1, 20_000, 100_000]))
    def resize(self, size):
        self.backlog.resize(size)
        self.size_min = min(self.size_min, size)

    @invariant()
    def holds_the_end_of_the_model(self):
        backlog = self.backlog
        backlog.check_invariants()
        assert backlog.end_offset() == self.start + len(self.model)
        assert backlog.histlen >= min(self.size_min, len(self.model))
        assert read_all(backlog, backlog.first_byte_offset) == self.model[len(self.model) - backlog.histlen :]


TestBacklogMachine = BacklogMachine.TestCase
TestBacklogMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


@given(st.lists(st.binary(max_size=50), max_size=20), st.integers(1, 30))
def test_any_reading_gives_the_same_bytes(pieces, bytes_max):
    backlog = Backlog(1, 1)
    for piece in pieces:
        backlog.append(piece)
    data, offset = b"", 1
    while piece := backlog.read(offset, bytes_max):
        assert len(piece) <= bytes_max
        data += piece
        offset += len(piece)
    assert data == b"".join(pieces)


def test_reading_outside_is_a_bug():
    backlog = Backlog(1, 5)
    for offset in (4, 6):
        with pytest.raises(AssertionError):
            backlog.read(offset, 1)
