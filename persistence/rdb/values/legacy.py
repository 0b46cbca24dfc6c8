"""Packed layouts that Redis no longer writes, read for the sake of old files: ziplist and zipmap.

Sources: Redis 7.0.15, ziplist.c (format at its top; ziplistValidateIntegrity) and zipmap.c (likewise).

ziplist   <total bytes u32> <offset of last entry u32> <entries u16> <entry>... 0xff        numbers little endian
  entry   <length of the entry before it: 1 byte, or 0xfe and 4 bytes> <encoding> <content>
          00xxxxxx, 01xxxxxx x, 0x80 and 4 bytes   string; its length in network byte order
          0xc0 0xd0 0xe0 0xf0 0xfe                 integer of 2, 4, 8, 3, 1 bytes, little endian
          0xf1 to 0xfd                             the integer 0 to 12
zipmap    <entries u8, from 254 on: count them> (<length> field <length> <free u8> value <free bytes>)... 0xff
  length  1 byte, or 0xfe and 4 bytes, little endian

Every entry is checked on the way; anything odd raises CorruptionError.
"""

from typing import Final

from librt.strings import read_i64_le
from mypy_extensions import i64

from redrock.errors import CorruptionError

_ZIPLIST_HEADER_BYTES: Final = 10
_ZIPLIST_COUNT_UNKNOWN: Final = 0xFFFF
_END: Final = 0xFF
_LONG: Final = 0xFE

_ZIPMAP_COUNT_UNKNOWN: Final = 0xFE


def _corrupt_ziplist(position: i64) -> CorruptionError:
    return CorruptionError("Ziplist integrity check failed.", position=position)


def _unsigned_le(data: bytes, position: i64, count: i64) -> i64:
    number: i64 = 0
    index: i64 = count - 1
    while index >= 0:
        number = (number << 8) | data[position + index]
        index -= 1
    return number


def _signed_le(data: bytes, position: i64, count: i64) -> i64:
    if count == 8:
        return read_i64_le(data, position)
    number = _unsigned_le(data, position, count)
    # Step by step: mypyc emits a shift of the constant 1 as one of 32 bits.
    limit: i64 = 0x80
    while count > 1:
        limit <<= 8
        count -= 1
    return number if number < limit else number - 2 * limit


def ziplist_entries(data: bytes) -> list[bytes]:
    """The entries in order, integers in their decimal form. O(n)."""
    size: i64 = len(data)
    if size < _ZIPLIST_HEADER_BYTES + 1 or data[size - 1] != _END or _unsigned_le(data, 0, 4) != size:
        raise _corrupt_ziplist(0)
    end = size - 1
    last: i64 = 0
    length_before: i64 = 0
    entries: list[bytes] = []
    position: i64 = _ZIPLIST_HEADER_BYTES
    while position < end and data[position] != _END:
        start = position
        # The longest header has 10 bytes; a shorter entry near the end is still followed by the end mark.
        if data[position] < _LONG:
            stated: i64 = data[position]
            position += 1
        else:
            if position + 5 > end:
                raise _corrupt_ziplist(position)
            stated = _unsigned_le(data, position + 1, 4)
            position += 5
        if stated != length_before or position >= end:
            raise _corrupt_ziplist(start)
        position = _ziplist_content(data, position, end, entries)
        last = start
        length_before = position - start
    if position != end or (entries and last != _unsigned_le(data, 4, 4)):
        raise _corrupt_ziplist(position)
    count = _unsigned_le(data, 8, 2)
    if count not in (_ZIPLIST_COUNT_UNKNOWN, len(entries)):
        raise _corrupt_ziplist(8)
    return entries


def _ziplist_content(data: bytes, position: i64, end: i64, entries: list[bytes]) -> i64:
    """Adds the entry whose encoding byte is at ``position``; returns the position behind the entry."""
    first: i64 = data[position]
    kind = first >> 6
    length: i64
    if kind < 3:
        if kind == 0:
            length = first & 0x3F
            position += 1
        elif kind == 1:
            if position + 2 > end:
                raise _corrupt_ziplist(position)
            length = ((first & 0x3F) << 8) | data[position + 1]
            position += 2
        else:
            if first != 0x80 or position + 5 > end:
                raise _corrupt_ziplist(position)
            high = (i64(data[position + 1]) << 24) | (i64(data[position + 2]) << 16)
            length = high | (i64(data[position + 3]) << 8) | data[position + 4]
            position += 5
        if length > end - position:
            raise _corrupt_ziplist(position)
        entries.append(data[position : position + length])
        return position + length
    if 0xF1 <= first <= 0xFD:
        entries.append(b"%d" % (first - 0xF1))
        return position + 1
    if first == 0xFE:
        length = 1
    elif first == 0xC0:
        length = 2
    elif first == 0xF0:
        length = 3
    elif first == 0xD0:
        length = 4
    elif first == 0xE0:
        length = 8
    else:
        raise _corrupt_ziplist(position)
    position += 1
    if length > end - position:
        raise _corrupt_ziplist(position)
    entries.append(b"%d" % _signed_le(data, position, length))
    return position + length


def _corrupt_zipmap(position: i64) -> CorruptionError:
    return CorruptionError("Zipmap integrity check failed.", position=position)


def zipmap_entries(data: bytes) -> list[bytes]:
    """Field, value, field, value and so on, at least once. O(n)."""
    size: i64 = len(data)
    if size < 2 or data[size - 1] != _END:
        raise _corrupt_zipmap(0)
    # What lies before the end mark; there has to be room for one more length byte behind every string.
    end = size - 1
    entries: list[bytes] = []
    position: i64 = 1
    while position < end and data[position] != _END:
        length, position = _zipmap_length(data, position, end)
        entries.append(data[position : position + length])
        position += length
        length, position = _zipmap_length(data, position, end)
        if position >= end:
            raise _corrupt_zipmap(position)
        free: i64 = data[position]
        position += 1
        if length + free > end - position:
            raise _corrupt_zipmap(position)
        entries.append(data[position : position + length])
        position += length + free
    if position != end or not entries:
        raise _corrupt_zipmap(position)
    if data[0] != _ZIPMAP_COUNT_UNKNOWN and data[0] != len(entries) // 2:
        raise _corrupt_zipmap(0)
    return entries


def _zipmap_length(data: bytes, position: i64, end: i64) -> tuple[i64, i64]:
    """A length and the position behind it; the string that follows lies before ``end``."""
    if position >= end:
        raise _corrupt_zipmap(position)
    length: i64 = data[position]
    position += 1
    if length >= _LONG:
        if length == _END or position + 4 > end:
            raise _corrupt_zipmap(position)
        length = _unsigned_le(data, position, 4)
        position += 4
    if length > end - position:
        raise _corrupt_zipmap(position)
    return length, position
