"""The last bytes of the replication stream, shared by all followers: each holds a place in it, none has a copy.

Source: Redis 7.0.15, replication.c, feedReplicationBuffer, incrementalTrimReplicationBacklog (Redis 7's shared buffer).

The stream is cut into blocks; a block knows the offset of its first byte. Offsets count the stream's bytes from 1 and
only grow. Appending fills a tail of `TAIL_BYTES`, which becomes a block when full; data as large as that becomes a
block as it is, uncopied, but for very large data, which is cut.
Invariants: blocks and tail are adjacent; first_byte_offset + histlen is the offset of the next byte to be appended;
every held place is at first_byte_offset or behind it.
`size` is how many bytes are kept at least for partial resyncs. A block goes when the rest is still that much and no
place is in it, so a slow follower makes the backlog longer until whoever owns the place gives it up.
"""

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

TAIL_BYTES: Final = 16 * 1024
# Trimming is spread: after a slow follower is gone there may be very many blocks to free at once (Redis: 64).
TRIM_BLOCKS_MAX: Final = 64
# What a block costs beside its bytes: the bytes object's header and two list entries with an int.
BLOCK_OVERHEAD_BYTES: Final = 81


@final
class Place:
    """Where a follower is in the stream: ``next_offset`` is the first byte not yet sent to it."""

    __slots__ = ("next_offset",)

    def __init__(self, next_offset: i64) -> None:
        self.next_offset: i64 = next_offset


@final
class Backlog:
    """The blocks. ``next_offset`` at construction is the offset that the first appended byte will have."""

    def __init__(self, size: i64, next_offset: i64) -> None:
        self.size: i64 = size
        self.histlen: i64 = 0
        self.first_byte_offset: i64 = next_offset
        self._blocks: list[bytes] = []
        self._starts: list[i64] = []
        self._head: i64 = 0  # blocks before it are gone; the lists are cut from time to time
        self._tail = BytesWriter()
        self._tail_start: i64 = next_offset
        self._tail_bytes = b""  # the tail as bytes, made when somebody reads it
        self._places: list[Place] = []

    # --- writing

    def append(self, data: bytes) -> None:
        """The next bytes of the stream. O(len), but O(1) from `TAIL_BYTES` to a sixteenth of the backlog's size."""
        length: i64 = len(data)
        self.histlen += length
        if length < TAIL_BYTES:
            self._tail.write(data)
            self._tail_bytes = b""
            if len(self._tail) >= TAIL_BYTES:
                self._close_tail()
                self.trim()
            return
        if len(self._tail) > 0:
            self._close_tail()
        # Not a block of any size: a little of it might be needed, and all of it would stay.
        block_max: i64 = max(self.size // 16, TAIL_BYTES)
        position: i64 = 0
        while position < length:
            block = _slice(data, position, block_max)
            self._blocks.append(block)
            self._starts.append(self._tail_start)
            self._tail_start += len(block)
            position += len(block)
        self.trim()

    def _close_tail(self) -> None:
        block = self._tail.getvalue()
        self._blocks.append(block)
        self._starts.append(self._tail_start)
        self._tail_start += len(block)
        self._tail.truncate(0)
        self._tail_bytes = b""

    def trim(self) -> i64:
        """Drop old blocks that nobody needs, `TRIM_BLOCKS_MAX` at most; how many went."""
        needed = self._lowest_place()
        trimmed: i64 = 0
        while trimmed < TRIM_BLOCKS_MAX and self._head < len(self._blocks):
            length: i64 = len(self._blocks[self._head])
            if self.histlen - length < self.size or self.first_byte_offset + length > needed:
                break
            self._blocks[self._head] = b""
            self._head += 1
            self.histlen -= length
            self.first_byte_offset += length
            trimmed += 1
        if self._head > 64 and self._head * 2 > len(self._blocks):
            del self._blocks[: self._head]
            del self._starts[: self._head]
            self._head = 0
        return trimmed

    def resize(self, size: i64) -> None:
        """CONFIG SET repl-backlog-size. Shrinking keeps the most recent bytes."""
        self.size = size
        self.trim()

    # --- reading

    def end_offset(self) -> i64:
        """The offset that the next appended byte will have."""
        return self.first_byte_offset + self.histlen

    def contains(self, offset: i64) -> bool:
        """Can a reader start here? The end is a valid start: nothing is missing there."""
        return self.first_byte_offset <= offset <= self.first_byte_offset + self.histlen

    def read(self, offset: i64, bytes_max: i64) -> bytes:
        """Bytes from ``offset`` on, up to the end of their block; empty at the end of the stream. O(log blocks)."""
        assert self.contains(offset)
        if offset >= self._tail_start:
            if len(self._tail_bytes) == 0:
                self._tail_bytes = self._tail.getvalue()
            return _slice(self._tail_bytes, offset - self._tail_start, bytes_max)
        low: i64 = self._head
        high: i64 = len(self._starts)
        while high - low > 1:
            middle: i64 = (low + high) // 2
            if self._starts[middle] <= offset:
                low = middle
            else:
                high = middle
        return _slice(self._blocks[low], offset - self._starts[low], bytes_max)

    # --- places

    def hold(self, offset: i64) -> Place:
        """A place at ``offset``: what is behind it stays until `release`."""
        assert self.contains(offset)
        place = Place(offset)
        self._places.append(place)
        return place

    def release(self, place: Place) -> None:
        """The follower is gone; harmless if released before."""
        if place in self._places:
            self._places.remove(place)
            self.trim()

    def unsent_bytes(self, place: Place) -> i64:
        """How much of the stream has not been sent to the holder of this place."""
        return self.end_offset() - place.next_offset

    def _lowest_place(self) -> i64:
        lowest: i64 = self.end_offset()
        for place in self._places:
            if place.next_offset < lowest:
                lowest = place.next_offset
        return lowest

    def memory_bytes(self) -> i64:
        """Bytes held, for used_memory. O(1)."""
        return self.histlen + (len(self._blocks) - self._head) * BLOCK_OVERHEAD_BYTES + TAIL_BYTES

    def check_invariants(self) -> None:
        """For tests: O(blocks)."""
        offset = self.first_byte_offset
        for index in range(self._head, len(self._blocks)):
            assert self._starts[index] == offset
            assert len(self._blocks[index]) > 0
            offset += len(self._blocks[index])
        assert offset == self._tail_start
        assert offset + len(self._tail) == self.end_offset()
        assert len(self._tail) < TAIL_BYTES
        for place in self._places:
            assert self.contains(place.next_offset)


def _slice(block: bytes, position: i64, bytes_max: i64) -> bytes:
    end = position + bytes_max
    if position == 0 and end >= len(block):
        return block
    return block[position:end]
