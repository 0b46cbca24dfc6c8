"""Row keys: one range per type and database, in the order of the documentation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.cold.layout import ROW_TYPES, row_key, row_range, split_row_key
from redrock.datatypes.value import TYPE_HASH, TYPE_STRING

TYPES = st.sampled_from(ROW_TYPES)
IDS = st.integers(0, 0xFFFFFFFE)


def test_a_row_key_as_documented() -> None:
    assert row_key(0x01020304, TYPE_STRING, b"key") == b"S\x01\x02\x03\x04key"
    assert row_key(1, TYPE_HASH, b"") == b"h\0\0\0\1"


@given(IDS, TYPES, st.binary(max_size=20))
def test_a_row_key_can_be_taken_apart(store_id: int, type_code: int, key: bytes) -> None:
    assert split_row_key(row_key(store_id, type_code, key)) == (store_id, type_code, key)


@given(IDS, IDS, TYPES, TYPES, st.binary(max_size=20))
def test_a_range_holds_the_rows_of_its_database_and_type_only(
    store_id: int, other_id: int, type_code: int, other_type: int, key: bytes
) -> None:
    start, stop = row_range(store_id, type_code)
    assert start <= row_key(store_id, type_code, key) < stop
    inside = start <= row_key(other_id, other_type, key) < stop
    assert inside == ((other_id, other_type) == (store_id, type_code))


def test_types_are_listed_in_key_order() -> None:
    rows = [row_key(1, type_code, b"") for type_code in ROW_TYPES]
    assert rows == sorted(rows)
    assert len(set(rows)) == len(rows)


def test_the_last_store_id_has_no_range() -> None:
    with pytest.raises(AssertionError):
        row_range(0xFFFFFFFF, TYPE_STRING)
