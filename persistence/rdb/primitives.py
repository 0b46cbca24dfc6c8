"""Lengths, strings and numbers of the RDB format, both ways.

Source: Redis 7.0.15, rdb.c, rdbSaveLen, rdbSaveRawString and their counterparts. Knows nothing of types or files.

Writing goes into a `BytesWriter`. Reading is done by a `ByteReader` over bytes that are all there: whatever reaches
beyond them is corrupt, and no length is believed before the data behind it has been seen, so a hostile length costs no
memory. A string may be shown in four ways: as it is, as an integer of 1, 2 or 4 bytes, or compressed.
"""

from typing import Final, final

from librt.strings import BytesWriter, read_f64_le, read_i64_be, read_i64_le, write_i32_le, write_i64_be
from mypy_extensions import i32, i64, mypyc_attr

from persistence.rdb.format import (
    ENCODING_INT8,
    ENCODING_INT16,
    ENCODING_INT32,
    ENCODING_LZF,
    LENGTH_6BIT_MAX,
    LENGTH_14BIT,
    LENGTH_14BIT_MAX,
    LENGTH_32BIT,
    LENGTH_64BIT,
    LENGTH_ENCODED,
)
from redrock.errors import CorruptionError
from redrock.util import lzf

UNEXPECTED_END: Final = "Unexpected EOF reading RDB file"

# No decimal integer of 32 bits is longer: -2147483648.
_INTEGER_DIGITS_MAX: Final = 11
_INT32_MIN: Final = -(1 << 31)
_INT32_MAX: Final = (1 << 31) - 1
# A length of 32 bits or more: unsigned, in network byte order.
_UINT32_MAX: Final = (1 << 32) - 1


def write_length(out: BytesWriter, length: i64) -> None:
    """``length`` is not negative."""
    if length < LENGTH_6BIT_MAX:
        out.append(length)
    elif length < LENGTH_14BIT_MAX:
        out.append(LENGTH_14BIT | (length >> 8))
        out.append(length & 0xFF)
    elif length <= _UINT32_MAX:
        out.append(LENGTH_32BIT)
        out.append(length >> 24)
        out.append((length >> 16) & 0xFF)
        out.append((length >> 8) & 0xFF)
        out.append(length & 0xFF)
    else:
        out.append(LENGTH_64BIT)
        write_i64_be(out, length)


def write_unsigned(out: BytesWriter, number: int) -> None:
    """The same for the whole range of 64 bits, which ids of streams use."""
    if number < (1 << 63):
        write_length(out, number)
    else:
        out.append(LENGTH_64BIT)
        out.write(number.to_bytes(8, "big"))


def write_string(out: BytesWriter, data: bytes, compress: bool) -> None:
    """In the shortest way that Redis would choose. ``compress`` is the directive rdbcompression."""
    length: i64 = len(data)
    if length <= _INTEGER_DIGITS_MAX:
        if length > 0 and data[0] <= 57 and write_integer(out, data):
            return
        out.append(length)
        out.write(data)
        return
    if compress and length >= lzf.LENGTH_MIN:
        packed = lzf.compress(data)
        if packed is not None:
            out.append(LENGTH_ENCODED | ENCODING_LZF)
            write_length(out, len(packed))
            write_length(out, length)
            out.write(packed)
            return
    write_length(out, length)
    out.write(data)


def write_integer(out: BytesWriter, data: bytes) -> bool:
    """True if ``data`` is the canonical decimal form of an integer of 32 bits, which has then been written."""
    length: i64 = len(data)
    position: i64 = 0
    if data[0] == 45:
        position = 1
    digits = length - position
    if digits < 1 or digits > 10:
        return False
    # One digit 0 stands alone: no leading zeros, no -0.
    if data[position] == 48 and length > 1:
        return False
    number: i64 = 0
    while position < length:
        digit: i64 = data[position]
        if digit < 48 or digit > 57:
            return False
        number = number * 10 + digit - 48
        position += 1
    if data[0] == 45:
        number = -number
    if -128 <= number <= 127:
        out.append(LENGTH_ENCODED | ENCODING_INT8)
        out.append(number & 0xFF)
    elif -32768 <= number <= 32767:
        out.append(LENGTH_ENCODED | ENCODING_INT16)
        out.append(number & 0xFF)
        out.append((number >> 8) & 0xFF)
    elif _INT32_MIN <= number <= _INT32_MAX:
        out.append(LENGTH_ENCODED | ENCODING_INT32)
        number32: i32 = i32(number)
        write_i32_le(out, number32)
    else:
        return False
    return True


@final
@mypyc_attr(acyclic=True)
class ByteReader:
    """A cursor over bytes. ``position`` is the next byte to be read. Every method raises CorruptionError."""

    __slots__ = ("data", "end", "position")

    def __init__(self, data: bytes, position: i64 = 0) -> None:
        self.data = data
        self.position: i64 = position
        self.end: i64 = len(data)

    def remaining(self) -> i64:
        return self.end - self.position

    def error(self, reason: str) -> CorruptionError:
        """To be raised: the reason and the position reached."""
        return CorruptionError(reason, position=self.position)

    def read_byte(self) -> i64:
        position = self.position
        if position >= self.end:
            raise self.error(UNEXPECTED_END)
        self.position = position + 1
        byte: i64 = self.data[position]
        return byte

    def read_raw(self, length: i64) -> bytes:
        """The next ``length`` bytes."""
        position = self.position
        if length < 0 or length > self.end - position:
            raise self.error(UNEXPECTED_END)
        self.position = position + length
        return self.data[position : position + length]

    def read_length(self) -> i64:
        """A length or count. Beyond 63 bits nothing real can be counted: that is corrupt."""
        first = self.read_byte()
        if first < LENGTH_6BIT_MAX:
            return first
        return self._read_long_length(first)

    def _read_long_length(self, first: i64) -> i64:
        """The rest of a length whose first byte is not the length itself."""
        if first < LENGTH_32BIT:
            return ((first & 0x3F) << 8) | self.read_byte()
        if first == LENGTH_32BIT:
            position = self._skip(4)
            data = self.data
            high: i64 = (i64(data[position]) << 24) | (i64(data[position + 1]) << 16)
            return high | (i64(data[position + 2]) << 8) | i64(data[position + 3])
        if first == LENGTH_64BIT:
            length = read_i64_be(self.data, self._skip(8))
            if length < 0:
                raise self.error("Length out of range")
            return length
        raise self.error(f"Unknown length encoding {first >> 6} in rdbLoadLen()")

    def read_unsigned(self) -> int:
        """A number of up to 64 bits in the form of a length, as in ids of streams."""
        if self.position < self.end and self.data[self.position] == LENGTH_64BIT:
            self.position += 1
            return int.from_bytes(self.read_raw(8), "big")
        return self.read_length()

    def _skip(self, count: i64) -> i64:
        """Passes ``count`` bytes and returns where they begin."""
        position = self.position
        if count > self.end - position:
            raise self.error(UNEXPECTED_END)
        self.position = position + count
        return position

    def read_string(self) -> bytes:
        """A string in any of its forms; integers in their decimal form."""
        first = self.read_byte()
        if first < LENGTH_6BIT_MAX:
            return self.read_raw(first)
        if first < LENGTH_ENCODED:
            return self.read_raw(self._read_long_length(first))
        encoding = first & 0x3F
        if encoding == ENCODING_LZF:
            packed_length = self.read_length()
            length = self.read_length()
            return lzf.decompress(self.read_raw(packed_length), length)
        return b"%d" % self._read_integer(encoding)

    def _read_integer(self, encoding: i64) -> i64:
        data = self.data
        number: i64
        if encoding == ENCODING_INT8:
            number = self.read_byte()
            return number - 256 if number >= 128 else number
        if encoding == ENCODING_INT16:
            position = self._skip(2)
            number = i64(data[position]) | (i64(data[position + 1]) << 8)
            return number - 65536 if number >= 32768 else number
        if encoding == ENCODING_INT32:
            position = self._skip(4)
            low: i64 = i64(data[position]) | (i64(data[position + 1]) << 8)
            number = low | (i64(data[position + 2]) << 16) | (i64(data[position + 3]) << 24)
            return number - (1 << 32) if number >= 1 << 31 else number
        raise self.error(f"Unknown RDB string encoding type {encoding}")

    def read_i64_le(self) -> i64:
        """A time in milliseconds, signed."""
        return read_i64_le(self.data, self._skip(8))

    def read_double(self) -> float:
        """A double of RDB version 8 and later: IEEE 754, little endian."""
        return read_f64_le(self.data, self._skip(8))

    def read_text_double(self) -> float:
        """A double of older versions: one byte of length or of a special value, then digits."""
        length = self.read_byte()
        if length == 253:
            return float("nan")
        if length == 254:
            return float("inf")
        if length == 255:
            return float("-inf")
        text = self.read_raw(length)
        try:
            return float(text)
        except ValueError:
            raise self.error("Invalid number in the text form of a double") from None
