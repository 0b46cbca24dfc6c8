"""The intset: a small set of 64-bit integers as one sorted array, as RDB files and DUMP payloads carry it.

Source: Redis 7.0.15, intset.c. Byte for byte the same, since it reaches disk and peers. All little-endian:

  bytes per integer (32 bits: 2, 4 or 8), number of integers (32 bits), the integers, strictly ascending

Adding an integer that does not fit makes all of them wider; removing never makes them narrower, as in Redis.

Here an intset is an immutable ``bytes``: an edit returns a new one. All but validate() take a valid intset.
"""

from typing import Final

from librt.strings import (
    BytesWriter,
    read_i16_le,
    read_i32_le,
    read_i64_le,
    write_i16_le,
    write_i32_le,
    write_i64_le,
)
from mypy_extensions import i16, i32, i64

from redrock.errors import CorruptionError

EMPTY: Final = b"\x02\x00\x00\x00\x00\x00\x00\x00"
HEADER_BYTES: Final = 8


def length(data: bytes) -> i64:
    """The number of integers. O(1)."""
    return i64(read_i32_le(data, 4)) & 0xFFFFFFFF


def width(data: bytes) -> i64:
    """Bytes per integer. O(1)."""
    return i64(data[0])


def get(data: bytes, index: i64) -> i64:
    """The integer at ``index`` of the ascending order. O(1)."""
    size: i64 = data[0]
    if size == 2:
        return i64(read_i16_le(data, 8 + 2 * index))
    if size == 4:
        return i64(read_i32_le(data, 8 + 4 * index))
    return read_i64_le(data, 8 + 8 * index)


def insertion_index(data: bytes, value: i64) -> i64:
    """How many integers are less than ``value``. O(log n)."""
    low: i64 = 0
    high: i64 = length(data)
    while low < high:
        middle: i64 = (low + high) >> 1
        if get(data, middle) < value:
            low = middle + 1
        else:
            high = middle
    return low


def find(data: bytes, value: i64) -> i64:
    """The index of ``value``, or -1. O(log n)."""
    index = insertion_index(data, value)
    return index if index < length(data) and get(data, index) == value else -1


def contains(data: bytes, value: i64) -> bool:
    """O(log n)."""
    return find(data, value) >= 0


def add(data: bytes, value: i64) -> bytes:
    """With ``value`` in it; the same object if it was there already. O(n), a copy."""
    index = insertion_index(data, value)
    number = length(data)
    if index < number and get(data, index) == value:
        return data
    size = width(data)
    needed = _width_of(value)
    out = BytesWriter()
    if needed > size:
        # Every old integer is narrower, so the new one is below or above them all.
        _write_header(out, needed, number + 1)
        if index == 0:
            _write(out, needed, value)
        position: i64 = 0
        while position < number:
            _write(out, needed, get(data, position))
            position += 1
        if index > 0:
            _write(out, needed, value)
        return out.getvalue()
    _write_header(out, size, number + 1)
    place: i64 = 8 + size * index
    out.write(data[8:place])
    _write(out, size, value)
    out.write(data[place:])
    return out.getvalue()


def remove(data: bytes, index: i64) -> bytes:
    """Without the integer at ``index``. O(n), a copy."""
    size = width(data)
    out = BytesWriter()
    _write_header(out, size, length(data) - 1)
    place: i64 = 8 + size * index
    out.write(data[8:place])
    out.write(data[place + size :])
    return out.getvalue()


def to_list(data: bytes) -> list[int]:
    """All integers, ascending. O(n)."""
    values: list[int] = []
    number = length(data)
    index: i64 = 0
    while index < number:
        values.append(get(data, index))
        index += 1
    return values


def from_values(values: list[int]) -> bytes:
    """An intset of these 64-bit integers, in any order and with repetitions. O(n log n)."""
    ascending = sorted(set(values))
    size: i64 = 2
    if ascending:
        size = max(_width_of(ascending[0]), _width_of(ascending[-1]))
    out = BytesWriter()
    _write_header(out, size, len(ascending))
    for value in ascending:
        _write(out, size, value)
    return out.getvalue()


def validate(data: bytes, source: str = "intset") -> i64:
    """Raise CorruptionError unless every byte is as the format has it; returns the number of integers. O(n).

    As strict as intsetValidateIntegrity with deep validation: an empty intset is wrong, too.
    """
    if len(data) < 8:
        raise CorruptionError("intset shorter than its header", source, len(data))
    size: i64 = i64(read_i32_le(data, 0))
    if size != 2 and size != 4 and size != 8:
        raise CorruptionError("intset of an unknown width", source, 0)
    number = length(data)
    if 8 + number * size != len(data):
        raise CorruptionError("intset has another length than its header says", source, 4)
    if number == 0:
        raise CorruptionError("intset is empty", source, 4)
    index: i64 = 1
    while index < number:
        if get(data, index - 1) >= get(data, index):
            raise CorruptionError("intset is not ascending", source, int(8 + size * index))
        index += 1
    return number


def _width_of(value: i64) -> i64:
    if -0x8000 <= value <= 0x7FFF:
        return 2
    if -0x80000000 <= value <= 0x7FFFFFFF:
        return 4
    return 8


def _write_header(out: BytesWriter, size: i64, number: i64) -> None:
    write_i32_le(out, i32(size))
    write_i32_le(out, i32(number))


def _write(out: BytesWriter, size: i64, value: i64) -> None:
    if size == 2:
        write_i16_le(out, i16(value))
    elif size == 4:
        write_i32_le(out, i32(value))
    else:
        write_i64_le(out, value)
