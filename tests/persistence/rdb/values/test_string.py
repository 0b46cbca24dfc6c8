import pytest
from librt.strings import BytesWriter

from persistence.rdb.format import TYPE_STRING
from persistence.rdb.primitives import ByteReader
from persistence.rdb.values.string import StringCodec
from persistence.rdb.values.value_codec import LoadLimits
from redrock.datatypes.string import FloatString, RawString, StringValue

CASES = [
    (StringValue(b""), b"\x00", b"embstr"),
    (StringValue(b"7"), b"\xc0\x07", b"int"),
    (StringValue(b"9223372036854775807"), b"\x139223372036854775807", b"int"),
    (StringValue(b"x" * 45), b"\x2d" + b"x" * 45, b"raw"),
    # How it came about is not kept: a load decides by content.
    (RawString(b"12"), b"\xc0\x0c", b"int"),
    (FloatString(b"12"), b"\xc0\x0c", b"int"),
]


@pytest.mark.parametrize(("value", "wire", "encoding"), CASES)
def test_both_ways(value: StringValue, wire: bytes, encoding: bytes) -> None:
    codec = StringCodec()
    assert codec.type_byte(value) == TYPE_STRING
    out = BytesWriter()
    codec.save(value, out, False)
    assert out.getvalue() == wire
    loaded = codec.load(ByteReader(wire), TYPE_STRING, LoadLimits())
    assert isinstance(loaded, StringValue)
    assert loaded.as_bytes() == value.as_bytes()
    assert loaded.encoding() == encoding
