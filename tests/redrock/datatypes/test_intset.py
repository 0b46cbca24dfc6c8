"""The intset against payloads that redis-server 7.0.15 made, and against a set of integers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.datatypes import intset
from redrock.errors import CorruptionError

# Of DUMP of a set in redis-server 7.0.15 with rdbcompression off.
FROM_REDIS = [
    ([1, -3], b"\x02\0\0\0\x02\0\0\0\xfd\xff\x01\0"),
    ([1, 2, 70000, -5], b"\x04\0\0\0\x04\0\0\0\xfb\xff\xff\xff\x01\0\0\0\x02\0\0\0p\x11\x01\0"),
    (
        [1, 1 << 40, -1 << 40],
        b"\x08\0\0\0\x03\0\0\0\0\0\0\0\0\xff\xff\xff\x01\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0",
    ),
]

edges = [n + d for n in (0, 2**15, -(2**15), 2**31, -(2**31)) for d in (-1, 0, 1)] + [2**63 - 1, -(2**63)]
number = st.integers(-20, 20) | st.sampled_from(edges)


@pytest.mark.parametrize(("values", "data"), FROM_REDIS)
def test_bytes_are_those_of_redis(values: list[int], data: bytes) -> None:
    added = intset.EMPTY
    for value in values:
        added = intset.add(added, value)
    assert added == data
    assert intset.from_values(values) == data
    assert intset.to_list(data) == sorted(values)
    assert intset.validate(data) == intset.length(data) == len(values)


@given(st.lists(st.tuples(st.booleans(), number), max_size=30), number)
def test_operations_are_those_of_a_set(steps: list[tuple[bool, int]], wanted: int) -> None:
    data = intset.EMPTY
    model: set[int] = set()
    width = 2
    for adding, value in steps:
        before = data
        if adding:
            width = max(width, 2 if -(2**15) <= value < 2**15 else 4 if -(2**31) <= value < 2**31 else 8)
            data = intset.add(data, value)
            assert (data is before) == (value in model)
            model.add(value)
        elif value in model:
            data = intset.remove(data, intset.find(data, value))
            model.remove(value)
        assert intset.to_list(data) == sorted(model)
        assert intset.length(data) == len(model)
        assert intset.width(data) == width
        assert not model or intset.validate(data) == len(model)
        assert intset.contains(data, wanted) == (wanted in model)
        if wanted in model:
            assert intset.get(data, intset.find(data, wanted)) == wanted
    assert intset.to_list(intset.from_values(list(model) * 2)) == sorted(model)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x02\0\0\0\0\0\0",  # half a header
        intset.EMPTY,
        b"\x03\0\0\0\x01\0\0\0\0\0\0",  # no such width
        b"\x02\x01\0\0\x01\0\0\0\0\0",  # no such width
        b"\x02\0\0\0\x02\0\0\0\x01\0",  # fewer integers than said
        b"\x02\0\0\0\x01\0\0\0\x01\0\x02\0",  # more
        b"\x02\0\0\0\x02\0\0\0\x01\0\x01\0",  # twice the same
        b"\x02\0\0\0\x02\0\0\0\x02\0\x01\0",  # descending
        b"\x08\0\0\0\xff\xff\xff\xff" + bytes(16),  # 32 GB
    ],
)
def test_corrupt_data_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptionError):
        intset.validate(data, "test")
