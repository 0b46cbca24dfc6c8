"""Records: what goes to disk comes back, in the encoding that it had."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.cold import record
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import FloatString, RawString, StringValue
from redrock.errors import CorruptionError


@given(st.binary(max_size=300), st.sampled_from([StringValue, FloatString, RawString]))
def test_strings_keep_content_and_encoding(data: bytes, kind: type[StringValue]) -> None:
    value = kind(data)
    back = record.decode(record.encode(value), value.encoding())
    assert isinstance(back, StringValue)
    assert (back.as_bytes(), back.encoding()) == (data, value.encoding())


@pytest.mark.parametrize("entries", [1, 512])
def test_hashes_keep_content_and_encoding(entries: int) -> None:
    flat = [b"field", b"value", b"other", b"x" * 100]
    value = HashValue.from_flat(flat, entries, 1000)
    back = record.decode(record.encode(value), value.encoding())
    assert isinstance(back, HashValue)
    assert sorted(back.items()) == sorted(value.items())
    assert back.encoding() == value.encoding()


def test_a_record_is_not_compressed() -> None:
    assert len(record.encode(StringValue(b"x" * 1000))) > 1000


@pytest.mark.parametrize("data", [b"", b"\xff", b"\0", b"\0\5abc", b"\0\3abcd"])
def test_a_damaged_record_is_an_error(data: bytes) -> None:
    with pytest.raises(CorruptionError):
        record.decode(data, b"embstr")
