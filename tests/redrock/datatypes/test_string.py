"""String values against a plain bytes object."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.datatypes.string import (
    IN_PLACE_LENGTH_MIN,
    FloatString,
    RawString,
    StringValue,
    append,
    changeable,
    get_range,
    set_range,
)


@pytest.mark.parametrize(
    ("data", "stored", "float_result", "changed"),
    [
        (b"12", b"int", b"embstr", b"raw"),
        (b"-9223372036854775808", b"int", b"embstr", b"raw"),
        (b"9223372036854775808", b"embstr", b"embstr", b"raw"),
        (b"", b"embstr", b"embstr", b"raw"),
        (b"x" * 44, b"embstr", b"embstr", b"raw"),
        (b"x" * 45, b"raw", b"raw", b"raw"),
    ],
)
def test_encodings_are_those_of_redis(data: bytes, stored: bytes, float_result: bytes, changed: bytes) -> None:
    for value, encoding in ((StringValue(data), stored), (FloatString(data), float_result), (RawString(data), changed)):
        assert value.encoding() == encoding
        twin = value.copy()
        assert twin is not value
        assert twin.encoding() == encoding
        assert twin.as_bytes() == data
        assert (value.accounted, value.last_use) == (-1, 0)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, -1, b"hello"), (0, 0, b"h"), (1, 3, b"ell"), (-3, -1, b"llo"), (-3, -4, b""), (3, 1, b""), (5, 9, b""),
        (-100, 1, b"he"), (-100, -100, b"h"), (-1, 100, b"o"), (0, 2**63 - 1, b"hello"), (-(2**63), -(2**63), b"h"),
        (0, -100, b"h"), (-5, -5, b"h"), (-100, -101, b""),
    ],
)  # fmt: skip
def test_get_range(start: int, end: int, expected: bytes) -> None:
    # As redis-server answers GETRANGE of "hello".
    assert get_range(StringValue(b"hello"), start, end) == expected
    assert get_range(StringValue(b""), start, end) == b""


def test_a_stored_string_is_replaced_and_a_raw_one_changed() -> None:
    stored = StringValue(b"ab")
    stored.last_use = 7
    raw = append(stored, b"cd")
    assert stored.as_bytes() == b"ab"
    assert raw.as_bytes() == b"abcd"
    assert raw.last_use == 7
    assert append(raw, b"ef") is raw
    assert set_range(raw, 1, b"X") is raw
    assert raw.as_bytes() == b"aXcdef"
    assert changeable(raw) is raw
    assert set_range(None, 2, b"x").as_bytes() == b"\0\0x"


def test_memory_follows_the_length() -> None:
    value = RawString(b"")
    before = value.memory_bytes()
    value.append(b"x" * 1000000)
    grown = value.memory_bytes()
    assert before < 200
    assert 1000000 < grown < 1300000
    value.as_bytes()
    assert 1000000 < value.memory_bytes() < 1000200
    assert StringValue(b"x" * 15).memory_bytes() == 48 + 48


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["append", "write", "put", "grow", "read"]),
        st.integers(0, 3 * IN_PLACE_LENGTH_MIN),
        st.binary(max_size=20) | st.integers(0, 2000).map(lambda n: b"q" * n),
    ),
    max_size=20,
)


@given(st.binary(max_size=30), STEPS)
def test_changes_are_those_of_a_bytearray(start: bytes, steps: list[tuple[str, int, bytes]]) -> None:
    model = bytearray(start)
    value = RawString(start)
    for name, number, data in steps:
        if name == "append":
            value.append(data)
            model += data
        elif name == "write":
            value.write(number, data)
            if data:
                model += bytes(max(0, number - len(model)))
                model[number : number + len(data)] = data
        elif name == "put":
            value.put_byte(number, len(data) % 256)
            model += bytes(max(0, number + 1 - len(model)))
            model[number] = len(data) % 256
        elif name == "grow":
            value.grow(number)
            model += bytes(max(0, number - len(model)))
        else:
            assert value.as_bytes() == model
        value.check_invariants()
        assert value.length() == len(model)
        assert value.byte_at(number) == (model[number] if number < len(model) else 0)
        assert value.slice(number // 2, number) == model[number // 2 : number]
        assert value.encoding() == b"raw"
        assert value.memory_bytes() >= len(model)
    assert value.as_bytes() == model
