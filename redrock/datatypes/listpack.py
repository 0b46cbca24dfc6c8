"""The listpack: many short strings in one piece of bytes, as RDB files and DUMP payloads carry it.

Source: Redis 7.0.15, listpack.c. Byte for byte the same, since it reaches disk and peers.

  listpack   total bytes (32 bits, little-endian), number of elements (16 bits; 65535: unknown, count them),
             elements, 0xFF
  element    header and content, then the length of these two, to be read backwards ("backlen")

  header     0xxxxxxx                    integer 0 to 127
             10xxxxxx                    string of up to 63 bytes
             110xxxxx + 1 byte           integer of 13 bits
             1110xxxx + 1 byte           string of up to 4095 bytes, big-endian length
             11110000 + 4 bytes          string, little-endian length
             11110001 .. 11110100        integer of 16, 24, 32, 64 bits, little-endian
  backlen    1 to 5 bytes of 7 bits, most significant first; all but the first have the highest bit set

A string that is the text of a 64-bit integer is stored as the integer.

Here a listpack is an immutable ``bytes``: an edit returns a new one. A position is the offset of an element's header;
the position after the last element is that of the 0xFF. All but validate() take a valid listpack.
"""

from typing import Final

from librt.strings import BytesWriter, read_i16_le, read_i32_le, read_i64_le, write_i64_le
from mypy_extensions import i64, u8

from redrock.datatypes.integer_text import is_integer_text
from redrock.errors import CorruptionError

EMPTY: Final = b"\x07\x00\x00\x00\x00\x00\xff"
HEADER_BYTES: Final = 6
FIRST_POSITION: Final = 6
COUNT_UNKNOWN: Final = 65535

TOTAL_BYTES_MAX: Final = 1 << 30
"""Redis refuses to let a listpack grow beyond this (LISTPACK_MAX_SAFETY_SIZE) and converts the value instead."""


# --- Reading


def count(data: bytes) -> i64:
    """The number of elements. O(1), but O(n) from 65535 elements on."""
    number: i64 = data[4] | (data[5] << 8)
    if number != 65535:
        return number
    number = 0
    position: i64 = 6
    end: i64 = len(data) - 1
    while position < end:
        position += entry_bytes(data, position)
        number += 1
    return number


def entry_bytes(data: bytes, position: i64) -> i64:
    """Bytes of the element at ``position`` with its backlen: what to add to get to the next one."""
    header: i64 = data[position]
    if header < 0x80:
        return 2
    if header < 0xC0:
        return (header & 0x3F) + 2
    if header < 0xE0:
        return 3
    size: i64
    if header < 0xF0:
        size = 2 + (((header & 0x0F) << 8) | data[position + 1])
        return size + backlen_bytes(size)
    if header == 0xF0:
        size = 5 + _length32(data, position + 1)
        return size + backlen_bytes(size)
    if header == 0xF1:
        return 4
    if header == 0xF2:
        return 5
    if header == 0xF3:
        return 6
    assert header == 0xF4
    return 10


def _length32(data: bytes, position: i64) -> i64:
    return i64(read_i32_le(data, position)) & 0xFFFFFFFF


def backlen_bytes(size: i64) -> i64:
    """Bytes of the backlen of an element of ``size`` bytes. The limits are Redis' own, one short of what would fit."""
    if size <= 127:
        return 1
    if size < 16383:
        return 2
    if size < 2097151:
        return 3
    if size < 268435455:
        return 4
    return 5


def previous_position(data: bytes, position: i64) -> i64:
    """The position of the element before ``position``, which is not the first."""
    position -= 1
    byte: i64 = data[position]
    size: i64 = byte & 0x7F
    shift: i64 = 7
    while byte & 0x80:
        position -= 1
        byte = data[position]
        size |= (byte & 0x7F) << shift
        shift += 7
    return position - size


def seek(data: bytes, index: i64) -> i64:
    """The position of element ``index``, from the end if negative; -1 if there is none. O(n), from the nearer end."""
    number: i64 = data[4] | (data[5] << 8)
    position: i64
    end: i64 = len(data) - 1
    if number != 65535:
        if index < 0:
            index += number
        if index < 0 or index >= number:
            return -1
        if index > number >> 1:
            index -= number
    if index >= 0:
        position = 6
        while position < end and index > 0:
            position += entry_bytes(data, position)
            index -= 1
        return position if position < end else -1
    position = end
    while index < 0:
        if position == 6:
            return -1
        position = previous_position(data, position)
        index += 1
    return position


def is_integer_at(data: bytes, position: i64) -> bool:
    """Whether the element at ``position`` is stored as an integer."""
    header: i64 = data[position]
    return header < 0x80 or 0xC0 <= header < 0xE0 or header > 0xF0


def integer_at(data: bytes, position: i64) -> i64:
    """The integer at ``position``, where is_integer_at() holds."""
    header: i64 = data[position]
    if header < 0x80:
        return header
    value: i64
    if header < 0xE0:
        value = ((header & 0x1F) << 8) | data[position + 1]
        return value - 0x2000 if value >= 0x1000 else value
    if header == 0xF1:
        return i64(read_i16_le(data, position + 1))
    if header == 0xF2:
        # The 32 bits that begin with the header, less the header; the shift keeps the sign.
        return i64(read_i32_le(data, position)) >> 8
    if header == 0xF3:
        return i64(read_i32_le(data, position + 1))
    return read_i64_le(data, position + 1)


def length_at(data: bytes, position: i64) -> i64:
    """Bytes of the element at ``position``, as value_at() would return it."""
    if is_integer_at(data, position):
        return len(b"%d" % integer_at(data, position))
    header: i64 = data[position]
    if header < 0xC0:
        return header & 0x3F
    if header < 0xF0:
        return ((header & 0x0F) << 8) | data[position + 1]
    return _length32(data, position + 1)


def value_at(data: bytes, position: i64) -> bytes:
    """The element at ``position``; an integer as its text."""
    header: i64 = data[position]
    start: i64
    if 0x80 <= header < 0xC0:
        start = position + 1
        return data[start : start + (header & 0x3F)]
    if 0xE0 <= header < 0xF0:
        start = position + 2
        return data[start : start + (((header & 0x0F) << 8) | data[position + 1])]
    if header == 0xF0:
        start = position + 5
        return data[start : start + _length32(data, position + 1)]
    return b"%d" % integer_at(data, position)


def to_list(data: bytes) -> list[bytes]:
    """All elements. O(n)."""
    elements: list[bytes] = []
    position: i64 = 6
    end: i64 = len(data) - 1
    while position < end:
        elements.append(value_at(data, position))
        position += entry_bytes(data, position)
    return elements


def find(data: bytes, element: bytes, start: i64 = 6, skip: i64 = 0) -> i64:
    """The position of the first element equal to ``element`` from position ``start`` on, or -1.

    ``skip``: how many elements to leave out after each one compared (1: only keys of key-value pairs). O(n). Elements
    that another program stored as a string where it could have been an integer, or in a wider integer, are found too.
    """
    end: i64 = len(data) - 1
    position: i64 = start
    to_skip: i64 = 0
    size: i64 = len(element)
    if is_integer_text(element):
        number: i64 = int(element)
        while position < end:
            if to_skip == 0:
                if is_integer_at(data, position):
                    if integer_at(data, position) == number:
                        return position
                elif length_at(data, position) == size and value_at(data, position) == element:
                    return position
                to_skip = skip
            else:
                to_skip -= 1
            position += entry_bytes(data, position)
        return -1
    if size == 0 or size > 63:
        while position < end:
            if to_skip == 0:
                if (
                    not is_integer_at(data, position)
                    and length_at(data, position) == size
                    and value_at(data, position) == element
                ):
                    return position
                to_skip = skip
            else:
                to_skip -= 1
            position += entry_bytes(data, position)
        return -1
    # The usual case, short strings: one look at the header tells type and length, and names that differ do so most
    # often in their last byte.
    wanted: i64 = 0x80 | size
    last: i64 = element[size - 1]
    while position < end:
        header: i64 = data[position]
        if to_skip == 0:
            if header == wanted:
                if data[position + size] == last and data[position + 1 : position + 1 + size] == element:
                    return position
                # Nearly always true: only a foreign program stores a short string under a longer header.
            elif 0xE0 <= header <= 0xF0 and length_at(data, position) == size and value_at(data, position) == element:
                return position
            to_skip = skip
        else:
            to_skip -= 1
        if header < 0x80:
            position += 2
        elif header < 0xC0:
            position += (header & 0x3F) + 2
        else:
            position += entry_bytes(data, position)
    return -1


# --- Writing


def write_element(out: BytesWriter, element: bytes) -> None:
    """Add header, content and backlen of one element."""
    length: i64 = len(element)
    if is_integer_text(element):
        write_integer(out, int(element))
    elif length < 64:
        out.append(0x80 | length)
        out.write(element)
        out.append(length + 1)
    else:
        if length < 4096:
            out.append(0xE0 | length >> 8)
            out.append(length & 0xFF)
            length += 2
        else:
            out.append(0xF0)
            # Lengths over 2 GB would need an unsigned write; strings here end far below (TOTAL_BYTES_MAX).
            out.append(length & 0xFF)
            out.append(length >> 8 & 0xFF)
            out.append(length >> 16 & 0xFF)
            out.append(length >> 24 & 0xFF)
            length += 5
        out.write(element)
        _write_backlen(out, length)


def write_integer(out: BytesWriter, value: i64) -> None:
    """Add header, content and backlen of an integer."""
    if 0 <= value <= 127:
        out.append(value)
        out.append(1)
    elif -4096 <= value <= 4095:
        out.append(0xC0 | (value >> 8 & 0x1F))
        out.append(value & 0xFF)
        out.append(2)
    elif -0x8000 <= value <= 0x7FFF:
        out.append(0xF1)
        out.append(value & 0xFF)
        out.append(value >> 8 & 0xFF)
        out.append(3)
    elif -0x800000 <= value <= 0x7FFFFF:
        out.append(0xF2)
        out.append(value & 0xFF)
        out.append(value >> 8 & 0xFF)
        out.append(value >> 16 & 0xFF)
        out.append(4)
    elif -0x80000000 <= value <= 0x7FFFFFFF:
        out.append(0xF3)
        out.append(value & 0xFF)
        out.append(value >> 8 & 0xFF)
        out.append(value >> 16 & 0xFF)
        out.append(value >> 24 & 0xFF)
        out.append(5)
    else:
        out.append(0xF4)
        write_i64_le(out, value)
        out.append(9)


def _write_backlen(out: BytesWriter, size: i64) -> None:
    length: i64 = backlen_bytes(size)
    shift: i64 = 7 * (length - 1)
    out.append(size >> shift & 0x7F)
    while shift > 0:
        shift -= 7
        out.append(0x80 | (size >> shift & 0x7F))


def encoded(element: bytes) -> bytes:
    """One element as it stands in a listpack."""
    out = BytesWriter()
    write_element(out, element)
    return out.getvalue()


def from_list(elements: list[bytes]) -> bytes:
    """A listpack of these elements. O(n)."""
    out = BytesWriter()
    out.write(b"\0\0\0\0\0\0")
    for element in elements:
        write_element(out, element)
    return _finished(out, b"\xff", len(elements))


def assembled(elements: bytes, number: i64) -> bytes:
    """A listpack of ``number`` elements that are already encoded."""
    out = BytesWriter()
    out.write(b"\0\0\0\0\0\0")
    out.write(elements)
    return _finished(out, b"\xff", number)


def _finished(out: BytesWriter, rest: bytes, number: i64) -> bytes:
    """What has been written, whose first six bytes become the header, and the rest behind it."""
    out.write(rest)
    total: i64 = len(out)
    # At 4 GB the format ends; TOTAL_BYTES_MAX keeps every listpack far below.
    assert total < 0x80000000
    if number > 65535:
        number = 65535
    out[0] = u8(total & 0xFF)
    out[1] = u8(total >> 8 & 0xFF)
    out[2] = u8(total >> 16 & 0xFF)
    out[3] = u8(total >> 24)
    out[4] = u8(number & 0xFF)
    out[5] = u8(number >> 8)
    return out.getvalue()


def _claimed_count(data: bytes, added: i64) -> i64:
    """The header's number of elements after an edit: once unknown, always unknown, as in Redis."""
    number: i64 = data[4] | (data[5] << 8)
    return number if number == 65535 else number + added


def append(data: bytes, element: bytes) -> bytes:
    """With one element more at the end. O(bytes), a copy."""
    return insert(data, len(data) - 1, element)


def extend(data: bytes, elements: list[bytes]) -> bytes:
    """With more elements at the end. O(bytes), one copy."""
    out = BytesWriter()
    out.write(data[: len(data) - 1])
    for element in elements:
        write_element(out, element)
    return _finished(out, b"\xff", _claimed_count(data, len(elements)))


def insert(data: bytes, position: i64, element: bytes) -> bytes:
    """With an element more before the one at ``position``, or at the end. O(bytes), a copy."""
    out = BytesWriter()
    out.write(data[:position])
    write_element(out, element)
    return _finished(out, data[position:], _claimed_count(data, 1))


def replace(data: bytes, position: i64, element: bytes) -> bytes:
    """With another element at ``position``. O(bytes), a copy."""
    out = BytesWriter()
    out.write(data[:position])
    write_element(out, element)
    return _finished(out, data[position + entry_bytes(data, position) :], _claimed_count(data, 0))


def delete(data: bytes, position: i64, number: i64 = 1) -> bytes:
    """Without the element at ``position`` and those after it, ``number`` in all. O(bytes), a copy."""
    stop: i64 = position
    end: i64 = len(data) - 1
    removed: i64 = 0
    while removed < number and stop < end:
        stop += entry_bytes(data, stop)
        removed += 1
    out = BytesWriter()
    out.write(data[:position])
    return _finished(out, data[stop:], _claimed_count(data, -removed))


# --- Checking what came from outside


def validate(data: bytes, source: str = "listpack") -> i64:
    """Raise CorruptionError unless every byte is as the format has it; returns the number of elements. O(n).

    As strict as lpValidateIntegrity with deep validation; integers wider than needed are allowed, as there.
    """
    total: i64 = len(data)
    if total < 7:
        raise CorruptionError("listpack shorter than its header", source, total)
    if _length32(data, 0) != total:
        raise CorruptionError("listpack has another length than its header says", source, 0)
    if data[total - 1] != 0xFF:
        raise CorruptionError("listpack without end mark", source, total - 1)
    end: i64 = total - 1
    position: i64 = 6
    number: i64 = 0
    while position < end:
        following = _validated_end(data, position, end)
        if following < 0:
            raise CorruptionError("listpack element is wrong", source, position)
        position = following
        number += 1
    claimed: i64 = data[4] | (data[5] << 8)
    if claimed != 65535 and claimed != number:
        raise CorruptionError("listpack has another number of elements than its header says", source, 4)
    return number


def _validated_end(data: bytes, position: i64, end: i64) -> i64:
    """The position after the element at ``position``, or -1 if it is malformed or reaches beyond ``end``."""
    header: i64 = data[position]
    if header > 0xF4:
        return -1
    header_bytes: i64 = 1
    if 0xE0 <= header < 0xF0:
        header_bytes = 2
    elif header == 0xF0:
        header_bytes = 5
    if position + header_bytes > end:
        return -1
    following: i64 = position + entry_bytes(data, position)
    if following > end:
        return -1
    # Backlens: at most five bytes, and they must lead back to where we are.
    back: i64 = following - 1
    byte: i64 = data[back]
    size: i64 = byte & 0x7F
    shift: i64 = 7
    while byte & 0x80:
        back -= 1
        if back <= position or shift > 28:
            return -1
        byte = data[back]
        size |= (byte & 0x7F) << shift
        shift += 7
    if back - size != position or following - back != backlen_bytes(size):
        return -1
    return following
