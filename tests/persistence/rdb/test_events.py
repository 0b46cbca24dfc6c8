import pytest

from persistence.rdb.events import KeyRecord, module_name
from persistence.rdb.format import TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_STRING
from persistence.rdb.values.value_codec import EmptyValueError, LoadLimits
from redrock.datatypes.string import StringValue
from redrock.errors import CorruptionError


def key_record(type_byte: int, payload: bytes) -> KeyRecord:
    return KeyRecord(b"key", type_byte, payload, -1, -1, -1)


def test_decode_and_record() -> None:
    event = key_record(TYPE_STRING, b"\xc0\x07")
    value = event.decode(LoadLimits())
    assert isinstance(value, StringValue)
    assert value.as_bytes() == b"7"
    assert event.record() == b"\x00\xc0\x07"
    assert not event.is_empty()


@pytest.mark.parametrize(
    ("type_byte", "payload"), [(TYPE_HASH, b"\x00"), (TYPE_HASH_LISTPACK, b"\x07\x07\x00\x00\x00\x00\x00\xff")]
)
def test_empty_collections(type_byte: int, payload: bytes) -> None:
    event = key_record(type_byte, payload)
    assert event.is_empty()
    with pytest.raises(EmptyValueError):
        event.decode(LoadLimits())


def test_an_empty_string_is_a_value() -> None:
    assert not key_record(TYPE_STRING, b"\x00").is_empty()


def test_corrupt_payload() -> None:
    with pytest.raises(CorruptionError):
        key_record(TYPE_STRING, b"\x05abc").decode(LoadLimits())


def test_module_name() -> None:
    """Nine characters of six bits, then ten bits of version; Redis' own example is ReJSON-RL."""
    characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in b"ReJSON-RL":
        number = number << 6 | characters.index(character)
    assert module_name(number << 10 | 3) == b"ReJSON-RL"
