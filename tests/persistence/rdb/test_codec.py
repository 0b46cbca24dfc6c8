import pytest
from hypothesis import given
from hypothesis import strategies as st
from librt.strings import BytesWriter

from persistence.rdb import codec
from persistence.rdb.format import (
    TYPE_HASH,
    TYPE_HASH_LISTPACK,
    TYPE_HASH_METADATA,
    TYPE_HASH_ZIPLIST,
    TYPE_HASH_ZIPMAP,
    TYPE_MODULE_2,
    TYPE_STRING,
)
from persistence.rdb.primitives import ByteReader
from persistence.rdb.values.value_codec import LoadLimits
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import RawString, StringValue
from redrock.datatypes.value import Value
from redrock.errors import CorruptionError

LIMITS = LoadLimits()


def content(value: Value) -> object:
    if isinstance(value, StringValue):
        return value.as_bytes()
    assert isinstance(value, HashValue)
    return value.items()


@pytest.mark.parametrize(
    ("value", "type_byte", "payload"),
    [
        (StringValue(b"abc"), TYPE_STRING, b"\x03abc"),
        (StringValue(b"12"), TYPE_STRING, b"\xc0\x0c"),
        (RawString(b"12"), TYPE_STRING, b"\xc0\x0c"),
        (HashValue.from_flat([b"f", b"v"], 128, 64), TYPE_HASH_LISTPACK, b"\x0d\r\0\0\0\x02\0\x81f\x02\x81v\x02\xff"),
        (HashValue.from_flat([b"f", b"v"], 0, 64), TYPE_HASH, b"\x01\x01f\x01v"),
    ],
)
def test_known_bytes(value: Value, type_byte: int, payload: bytes) -> None:
    record = bytes([type_byte]) + payload
    assert codec.encode_value(value, True) == (type_byte, payload)
    assert codec.encode_record(value) == record
    out = BytesWriter()
    codec.save_value(value, out, True)
    assert out.getvalue() == payload
    assert content(codec.decode_record(record, LIMITS)) == content(value)
    assert content(codec.decode_payload(type_byte, payload, LIMITS)) == content(value)
    reader = ByteReader(b"before" + payload + b"behind", 6)
    assert content(codec.decode_value(type_byte, reader, LIMITS)) == content(value)
    assert reader.remaining() == 6
    assert codec.is_known(type_byte)
    assert codec.is_current(type_byte)


@pytest.mark.parametrize(
    "record", [b"", b"\x00", b"\x00\x03ab", b"\x00\x03abcd", b"\x00\xc0\x07\x00", b"\x04\x01\x01f\x01", b"\x10\x02ab"]
)
def test_a_record_is_used_up_exactly(record: bytes) -> None:
    with pytest.raises(CorruptionError):
        codec.decode_record(record, LIMITS)


@pytest.mark.parametrize(
    ("type_byte", "text"),
    [
        (8, "Unknown RDB encoding type 8"),
        (200, "Unknown RDB encoding type 200"),
        (TYPE_MODULE_2, "no matching module type"),
        (TYPE_HASH_METADATA, "expiring fields"),
    ],
)
def test_unknown_types(type_byte: int, text: str) -> None:
    assert not codec.is_known(type_byte)
    assert not codec.is_current(type_byte)
    with pytest.raises(CorruptionError, match=text):
        codec.decode_payload(type_byte, b"\x00", LIMITS)


def test_old_forms_are_known_but_not_current() -> None:
    for type_byte in (TYPE_HASH_ZIPMAP, TYPE_HASH_ZIPLIST):
        assert codec.is_known(type_byte)
        assert not codec.is_current(type_byte)


VALUES = st.binary(max_size=100).map(StringValue) | st.dictionaries(
    st.binary(max_size=70), st.binary(max_size=70), min_size=1, max_size=10
).map(lambda pairs: HashValue.from_flat([part for pair in pairs.items() for part in pair], 5, 64))


@given(VALUES, st.booleans())
def test_values_come_back(value: Value, compress: bool) -> None:
    loaded = codec.decode_record(codec.encode_record(value, compress), LoadLimits(5, 64))
    assert content(loaded) == content(value)
    assert loaded.encoding() == value.encoding()


@given(st.binary(max_size=60))
def test_any_bytes_are_decoded_or_refused(record: bytes) -> None:
    try:
        value = codec.decode_record(record, LoadLimits(check=2))
    except CorruptionError:
        return
    assert content(codec.decode_record(codec.encode_record(value), LIMITS)) == content(value)
