import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from librt.strings import BytesWriter

from persistence.rdb.primitives import ByteReader, write_length, write_string, write_unsigned
from redrock.errors import CorruptionError
from redrock.util import lzf

LENGTHS = [
    (0, b"\x00"),
    (1, b"\x01"),
    (63, b"\x3f"),
    (64, b"\x40\x40"),
    (16383, b"\x7f\xff"),
    (16384, b"\x80\x00\x00\x40\x00"),
    ((1 << 31) + 5, b"\x80\x80\x00\x00\x05"),
    ((1 << 32) - 1, b"\x80\xff\xff\xff\xff"),
    (1 << 32, b"\x81\x00\x00\x00\x01\x00\x00\x00\x00"),
    ((1 << 63) - 1, b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff"),
]

# With rdbcompression off; redis-server 7.0.15 wrote the same.
STRINGS = [
    (b"", b"\x00"),
    (b"0", b"\xc0\x00"),
    (b"-1", b"\xc0\xff"),
    (b"127", b"\xc0\x7f"),
    (b"-128", b"\xc0\x80"),
    (b"128", b"\xc1\x80\x00"),
    (b"-129", b"\xc1\x7f\xff"),
    (b"32767", b"\xc1\xff\x7f"),
    (b"-32768", b"\xc1\x00\x80"),
    (b"32768", b"\xc2\x00\x80\x00\x00"),
    (b"-32769", b"\xc2\xff\x7f\xff\xff"),
    (b"2147483647", b"\xc2\xff\xff\xff\x7f"),
    (b"-2147483648", b"\xc2\x00\x00\x00\x80"),
    (b"2147483648", b"\x0a2147483648"),
    (b"-2147483649", b"\x0b-2147483649"),
    (b"99999999999", b"\x0b99999999999"),
    (b"01", b"\x0201"),
    (b"-0", b"\x02-0"),
    (b"-01", b"\x03-01"),
    (b"-", b"\x01-"),
    (b"+5", b"\x02+5"),
    (b"1.5", b"\x031.5"),
    (b"5 ", b"\x025 "),
    (b"1\x00", b"\x021\x00"),
    (b"x" * 63, b"\x3f" + b"x" * 63),
    (b"x" * 64, b"\x40\x40" + b"x" * 64),
]


def written_string(data: bytes, compress: bool) -> bytes:
    out = BytesWriter()
    write_string(out, data, compress)
    return out.getvalue()


@pytest.mark.parametrize(("length", "wire"), LENGTHS)
def test_length(length: int, wire: bytes) -> None:
    out = BytesWriter()
    write_length(out, length)
    assert out.getvalue() == wire
    reader = ByteReader(wire + b"more")
    assert reader.read_length() == length
    assert reader.read_raw(4) == b"more"
    assert ByteReader(wire).read_unsigned() == length


@pytest.mark.parametrize("number", [0, 77, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_unsigned(number: int) -> None:
    out = BytesWriter()
    write_unsigned(out, number)
    reader = ByteReader(out.getvalue())
    assert reader.read_unsigned() == number
    assert reader.remaining() == 0


@pytest.mark.parametrize("wire", [b"\x82", b"\xbf\x00\x00\x00\x00", b"\xc0\x01", b"\xff"])
def test_what_is_not_a_length(wire: bytes) -> None:
    with pytest.raises(CorruptionError, match="Unknown length encoding"):
        ByteReader(wire).read_length()


def test_a_length_beyond_63_bits_is_refused() -> None:
    with pytest.raises(CorruptionError):
        ByteReader(b"\x81" + b"\xff" * 8).read_length()


@pytest.mark.parametrize(("text", "wire"), STRINGS)
def test_string(text: bytes, wire: bytes) -> None:
    assert written_string(text, False) == wire
    reader = ByteReader(wire + b"more")
    assert reader.read_string() == text
    assert reader.read_raw(4) == b"more"


@pytest.mark.skipif(not lzf.AVAILABLE, reason="python-lzf is not installed")
def test_compressed_string() -> None:
    assert written_string(b"a" * 21, True) == b"\xc3\x06\x15\x01aa\xe0\x0a\x00"
    assert written_string(b"a" * 20, True) == b"\x14" + b"a" * 20
    assert ByteReader(b"\xc3\x06\x15\x01aa\xe0\x0a\x00").read_string() == b"a" * 21


@given(st.binary(max_size=200) | st.integers(-(1 << 70), 1 << 70).map(lambda n: b"%d" % n), st.booleans())
def test_strings_come_back(text: bytes, compress: bool) -> None:
    wire = written_string(text * 3, compress) + written_string(text, compress)
    reader = ByteReader(wire)
    assert reader.read_string() == text * 3
    assert reader.read_string() == text
    assert reader.remaining() == 0


@pytest.mark.parametrize("wire", [wire for _, wire in STRINGS] + [b"\xc3\x06\x15\x01aa\xe0\x0a\x00"])
def test_strings_cut_short(wire: bytes) -> None:
    for cut in range(len(wire)):
        with pytest.raises(CorruptionError):
            ByteReader(wire[:cut]).read_string()


@pytest.mark.parametrize(
    "wire",
    [
        b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff",  # a string of 8 exabytes
        b"\x80\xff\xff\xff\xff",  # 4 gigabytes
        b"\xc3\x06\x80\xff\xff\xff\xff\x01aa\xe0\x0a\x00",  # 6 bytes that claim to stand for 4 gigabytes
        b"\xc3\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x15\x01aa",
        b"\xc4\x00",  # no such encoding
        b"\x82\x00\x00\x00",
    ],
)
def test_hostile_strings(wire: bytes) -> None:
    with pytest.raises(CorruptionError):
        ByteReader(wire).read_string()


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    reader = ByteReader(data)
    try:
        while reader.remaining():
            reader.read_string()
    except CorruptionError:
        pass
    assert 0 <= reader.position <= len(data)


def test_raw_and_byte() -> None:
    reader = ByteReader(b"abc", 1)
    assert reader.read_byte() == ord("b")
    with pytest.raises(CorruptionError):
        reader.read_raw(2)
    with pytest.raises(CorruptionError):
        reader.read_raw(-1)
    assert reader.read_raw(1) == b"c"
    with pytest.raises(CorruptionError) as caught:
        reader.read_byte()
    assert caught.value.position == 3


def test_numbers() -> None:
    reader = ByteReader(struct.pack("<qd", -5, 0.1))
    assert reader.read_i64_le() == -5
    assert reader.read_double() == 0.1
    with pytest.raises(CorruptionError):
        reader.read_i64_le()
    with pytest.raises(CorruptionError):
        reader.read_double()


def test_doubles_in_text_form() -> None:
    reader = ByteReader(b"\x031.5\xfe\xff\xfd\x01-\x00")
    assert reader.read_text_double() == 1.5
    assert reader.read_text_double() == math.inf
    assert reader.read_text_double() == -math.inf
    assert math.isnan(reader.read_text_double())
    for _ in range(2):
        with pytest.raises(CorruptionError):
            reader.read_text_double()
