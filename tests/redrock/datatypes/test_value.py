"""Headers and markers: what the keyspace relies on whatever the type."""

import pytest

from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import TYPE_HASH, TYPE_NAMES, TYPE_STRING, ColdMarker, Value


@pytest.mark.parametrize(("value", "code"), [(StringValue(b"a"), TYPE_STRING), (HashValue(), TYPE_HASH)])
def test_a_new_value_is_in_no_database(value: Value, code: int) -> None:
    assert value.accounted == -1
    assert value.type_code() == code
    assert value.memory_bytes() > 0


def test_type_numbers_are_those_of_rows_on_disk() -> None:
    assert TYPE_NAMES == (b"string", b"list", b"set", b"zset", b"hash", b"module", b"stream")


def test_a_marker_tells_type_and_encoding_and_costs_nothing() -> None:
    marker = ColdMarker(TYPE_HASH, b"listpack")
    assert (marker.type_code(), marker.encoding(), marker.memory_bytes()) == (TYPE_HASH, b"listpack", 0)
