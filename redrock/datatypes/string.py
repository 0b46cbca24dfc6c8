"""The string type. Its content is bytes, immutable until a command changes a part of it in place.

Encodings, as OBJECT ENCODING shows them (Redis 7.0.15, object.c and t_string.c):
  int      the text of a 64-bit integer                  as stored by SET and its like
  embstr   up to 44 bytes
  raw      longer, or changed in place (APPEND, SETRANGE, SETBIT, BITOP...) whatever its length
The result of INCRBYFLOAT is embstr or raw, even if it looks like an integer. Loading from RDB decides by content again.
Which of the three it is follows from the class and the content, so that a header needs no field for it.

Lengths and offsets are in bytes. Limits on them (proto-max-bulk-len) are the caller's.
"""

from typing import Final

from mypy_extensions import i64, mypyc_attr

from redrock.datatypes.allocation import allocated, bytes_memory
from redrock.datatypes.integer_text import is_integer_text
from redrock.datatypes.value import TYPE_STRING, Value

EMBSTR_LENGTH_MAX: Final = 44

STRING_HEADER_BYTES: Final = 48
RAW_HEADER_BYTES: Final = 64
BYTEARRAY_HEADER_BYTES: Final = 64

# A RawString shorter than this is rebuilt at each change: cheaper than a bytearray, in time and in memory.
IN_PLACE_LENGTH_MIN: Final = 1024


@mypyc_attr(acyclic=True)
class StringValue(Value):
    """A string as SET stores it. Never changes; subclasses differ."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.last_use = 0
        self.accounted = -1
        self.data = data

    def type_code(self) -> int:
        return TYPE_STRING

    def encoding(self) -> bytes:
        data = self.data
        if is_integer_text(data):
            return b"int"
        return b"embstr" if len(data) <= EMBSTR_LENGTH_MAX else b"raw"

    def memory_bytes(self) -> int:
        return STRING_HEADER_BYTES + bytes_memory(len(self.data))

    def as_bytes(self) -> bytes:
        """The whole content. O(1), but for a RawString just changed: O(n)."""
        return self.data

    def length(self) -> i64:
        return len(self.data)

    def byte_at(self, offset: i64) -> i64:
        """The byte at ``offset``, 0 beyond the end. O(1)."""
        data = self.data
        if offset >= len(data):
            return 0
        return data[offset]

    def slice(self, start: i64, stop: i64) -> bytes:
        """The bytes from ``start`` up to ``stop``, as Python slices. O(stop - start)."""
        return self.data[start:stop]

    def copy(self) -> "StringValue":
        """An independent string with the same content and encoding. O(1), but for a RawString just changed: O(n)."""
        return StringValue(self.data)

    def check_invariants(self) -> None:
        """For tests."""
        assert type(self.data) is bytes


@mypyc_attr(acyclic=True)
class FloatString(StringValue):
    """What INCRBYFLOAT leaves: never shown as ``int``."""

    __slots__ = ()

    def encoding(self) -> bytes:
        return b"embstr" if len(self.data) <= EMBSTR_LENGTH_MAX else b"raw"

    def copy(self) -> StringValue:
        return FloatString(self.data)


@mypyc_attr(acyclic=True)
class RawString(StringValue):
    """A string that is changed in place.

    A long one lives in ``buffer``, a bytearray, while it is being changed (then ``data`` is empty), and in ``data``
    once its bytes have been asked for. So a run of changes costs what it writes, a run of reads costs one copy, and
    memory is taken once.
    """

    __slots__ = ("buffer",)

    def __init__(self, data: bytes) -> None:
        self.last_use = 0
        self.accounted = -1
        self.data = data
        self.buffer: bytearray | None = None

    def encoding(self) -> bytes:
        return b"raw"

    def memory_bytes(self) -> int:
        buffer = self.buffer
        if buffer is None:
            return RAW_HEADER_BYTES + bytes_memory(len(self.data))
        # A bytearray grows by an eighth more than asked for.
        length: i64 = len(buffer)
        return RAW_HEADER_BYTES + BYTEARRAY_HEADER_BYTES + allocated(length + (length >> 3))

    def as_bytes(self) -> bytes:
        buffer = self.buffer
        if buffer is not None:
            self.data = bytes(buffer)
            self.buffer = None
        return self.data

    def length(self) -> i64:
        buffer = self.buffer
        if buffer is not None:
            return len(buffer)
        return len(self.data)

    def byte_at(self, offset: i64) -> i64:
        buffer = self.buffer
        if buffer is not None:
            if offset >= len(buffer):
                return 0
            return buffer[offset]
        data = self.data
        if offset >= len(data):
            return 0
        return data[offset]

    def slice(self, start: i64, stop: i64) -> bytes:
        buffer = self.buffer
        if buffer is not None:
            return bytes(buffer[start:stop])
        return self.data[start:stop]

    def append(self, tail: bytes) -> None:
        """Add at the end. Amortised O(tail)."""
        length: i64 = self.length() + len(tail)
        if self.buffer is None and length < IN_PLACE_LENGTH_MIN:
            self.data = self.data + tail
        else:
            self._in_place().extend(tail)

    def write(self, offset: i64, patch: bytes) -> None:
        """Overwrite from ``offset`` on; a gap before it is filled with zero bytes. Amortised O(patch + growth)."""
        if not patch:
            return
        length: i64 = self.length()
        end: i64 = offset + len(patch)
        if self.buffer is None and max(length, end) < IN_PLACE_LENGTH_MIN:
            data = self.data
            self.data = data[:offset] + bytes(max(0, offset - length)) + patch + data[end:]
            return
        buffer = self._in_place()
        if offset > length:
            buffer.extend(bytes(offset - length))
        buffer[offset:end] = patch

    def put_byte(self, offset: i64, byte: i64) -> None:
        """Overwrite one byte; a gap before it is filled with zero bytes. Amortised O(1 + growth)."""
        buffer = self.buffer
        if buffer is not None and offset < len(buffer):
            buffer[offset] = byte
        else:
            self.write(offset, bytes([byte]))

    def grow(self, length: i64) -> None:
        """Make it at least ``length`` bytes long, with zero bytes at the end."""
        missing: i64 = length - self.length()
        if missing > 0:
            self.append(bytes(missing))

    def _in_place(self) -> bytearray:
        buffer = self.buffer
        if buffer is None:
            buffer = bytearray(self.data)
            self.buffer = buffer
            self.data = b""
        return buffer

    def copy(self) -> StringValue:
        return RawString(self.as_bytes())

    def check_invariants(self) -> None:
        assert type(self.data) is bytes
        assert self.buffer is None or not self.data


def changeable(value: StringValue) -> RawString:
    """``value`` itself if it can be changed in place, else a new RawString with its content, to be put in its place."""
    if isinstance(value, RawString):
        return value
    raw = RawString(value.data)
    raw.last_use = value.last_use
    return raw


def append(value: StringValue, tail: bytes) -> RawString:
    """APPEND to an existing string. The result may be a new object, to be put in ``value``'s place."""
    raw = changeable(value)
    raw.append(tail)
    return raw


def set_range(value: StringValue | None, offset: i64, patch: bytes) -> RawString:
    """SETRANGE with a patch that is not empty, on a string or on none. The result may be a new object."""
    raw = RawString(b"") if value is None else changeable(value)
    raw.write(offset, patch)
    return raw


def get_range(value: StringValue, start: int, end: int) -> bytes:
    """GETRANGE: both ends are included and count from the end if negative. O(result). Any integers are valid."""
    length = value.length()
    if start < 0 and end < 0 and start > end:
        return b""
    if start < 0:
        start = max(start + length, 0)
    if end < 0:
        end = max(end + length, 0)
    end = min(end, length - 1)
    if start > end:
        return b""
    return value.slice(start, end + 1)
