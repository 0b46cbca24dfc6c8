"""The listpack against payloads that redis-server 7.0.15 made, and against a list of bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.datatypes import listpack
from redrock.errors import CorruptionError

# Of DUMP of a hash in redis-server 7.0.15 with rdbcompression off: elements, listpack.
FROM_REDIS = [
    ([], b"\x07\0\0\0\0\0\xff"),
    ([b"f", b"v"], b"\r\0\0\0\x02\0\x81f\x02\x81v\x02\xff"),
    ([b"n", b"0"], b"\x0c\0\0\0\x02\0\x81n\x02\0\x01\xff"),
    ([b"127", b"128"], b"\x0c\0\0\0\x02\0\x7f\x01\xc0\x80\x02\xff"),
    ([b"-1", b"-4096"], b"\r\0\0\0\x02\0\xdf\xff\x02\xd0\0\x02\xff"),
    ([b"4095", b"4096"], b"\x0e\0\0\0\x02\0\xcf\xff\x02\xf1\0\x10\x03\xff"),
    ([b"-4097", b"32767"], b"\x0f\0\0\0\x02\0\xf1\xff\xef\x03\xf1\xff\x7f\x03\xff"),
    ([b"-32768", b"32768"], b"\x10\0\0\0\x02\0\xf1\0\x80\x03\xf2\0\x80\0\x04\xff"),
    ([b"-32769", b"8388607"], b"\x11\0\0\0\x02\0\xf2\xff\x7f\xff\x04\xf2\xff\xff\x7f\x04\xff"),
    ([b"-8388608", b"8388608"], b"\x12\0\0\0\x02\0\xf2\0\0\x80\x04\xf3\0\0\x80\0\x05\xff"),
    ([b"-8388609", b"2147483647"], b"\x13\0\0\0\x02\0\xf3\xff\xff\x7f\xff\x05\xf3\xff\xff\xff\x7f\x05\xff"),
    ([b"-2147483648", b"2147483648"], b"\x17\0\0\0\x02\0\xf3\0\0\0\x80\x05\xf4\0\0\0\x80\0\0\0\0\t\xff"),
    (
        [b"-2147483649", b"9223372036854775807"],
        b"\x1b\0\0\0\x02\0\xf4\xff\xff\xff\x7f\xff\xff\xff\xff\t\xf4\xff\xff\xff\xff\xff\xff\xff\x7f\t\xff",
    ),
    (
        [b"-9223372036854775808", b"9223372036854775808"],
        b"&\0\0\0\x02\0\xf4\0\0\0\0\0\0\0\x80\t\x939223372036854775808\x14\xff",
    ),
    ([b"-0", b"007"], b"\x10\0\0\0\x02\0\x82-0\x03\x83007\x04\xff"),
    ([b"", b"+1"], b"\r\0\0\0\x02\0\x80\x01\x82+1\x03\xff"),
    ([b"a" * 63, b"b" * 64], b"\x8b\0\0\0\x02\0\xbf" + b"a" * 63 + b"@\xe0@" + b"b" * 64 + b"B\xff"),
    (
        [b"one", b"1", b"two", b"22", b"three", b"333"],
        b"\x1f\0\0\0\x06\0\x83one\x04\x01\x01\x83two\x04\x16\x01\x85three\x06\xc1M\x02\xff",
    ),
    ([b"f", b"x" * 125], b"\x8a\0\0\0\x02\0\x81f\x02\xe0}" + b"x" * 125 + b"\x7f\xff"),
    ([b"f", b"x" * 126], b"\x8c\0\0\0\x02\0\x81f\x02\xe0~" + b"x" * 126 + b"\x01\x80\xff"),
    ([b"f", b"x" * 4095], b"\r\x10\0\0\x02\0\x81f\x02\xef\xff" + b"x" * 4095 + b" \x81\xff"),
    ([b"f", b"x" * 4096], b"\x11\x10\0\0\x02\0\x81f\x02\xf0\0\x10\0\0" + b"x" * 4096 + b" \x85\xff"),
    ([b"f", b"x" * 16378], b"\x0c@\0\0\x02\0\x81f\x02\xf0\xfa?\0\0" + b"x" * 16378 + b"\0\xff\xff\xff"),
    ([b"f", b"x" * 16379], b"\r@\0\0\x02\0\x81f\x02\xf0\xfb?\0\0" + b"x" * 16379 + b"\x01\x80\x80\xff"),
]

integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-5000, 5000)
lengths = st.sampled_from([0, 1, 62, 63, 64, 125, 126, 127, 4095, 4096, 16377, 16378, 16379])
element = integers.map(lambda n: b"%d" % n) | st.binary(max_size=70) | lengths.map(lambda n: b"z" * n)
elements = st.lists(element, max_size=12)


def positions(data: bytes) -> list[int]:
    found = []
    position = listpack.FIRST_POSITION
    while position < len(data) - 1:
        found.append(position)
        position += listpack.entry_bytes(data, position)
    return found


@pytest.mark.parametrize(("content", "data"), FROM_REDIS)
def test_bytes_are_those_of_redis(content: list[bytes], data: bytes) -> None:
    assert listpack.from_list(content) == data
    assert listpack.to_list(data) == content
    assert listpack.validate(data) == len(content) == listpack.count(data)


@given(elements)
def test_reading_back(content: list[bytes]) -> None:
    data = listpack.from_list(content)
    assert listpack.validate(data) == len(content)
    places = positions(data)
    assert [listpack.value_at(data, place) for place in places] == content
    assert [listpack.length_at(data, place) for place in places] == [len(item) for item in content]
    for place, item in zip(places, content, strict=True):
        if listpack.is_integer_at(data, place):
            assert b"%d" % listpack.integer_at(data, place) == item
    ends = [*places[1:], len(data) - 1]
    assert [listpack.previous_position(data, end) for end in ends[: len(places)]] == places
    for index in range(-len(content) - 2, len(content) + 2):
        expected = places[index] if -len(content) <= index < len(content) else -1
        assert listpack.seek(data, index) == expected


@given(elements, element, st.integers(0, 2))
def test_find(content: list[bytes], wanted: bytes, skip: int) -> None:
    data = listpack.from_list(content)
    places = positions(data)
    for sought in [wanted, *content]:
        for first, place in enumerate(places):
            looked_at = range(first, len(content), skip + 1)
            expected = next((places[index] for index in looked_at if content[index] == sought), -1)
            assert listpack.find(data, sought, place, skip) == expected


@given(elements, st.data())
def test_edits_are_those_of_a_list(content: list[bytes], choices: st.DataObject) -> None:
    data = listpack.from_list(content)
    index = choices.draw(st.integers(0, len(content)))
    number = choices.draw(st.integers(1, 3))
    new = choices.draw(element)
    place = [*positions(data), len(data) - 1][index]
    assert listpack.insert(data, place, new) == listpack.from_list([*content[:index], new, *content[index:]])
    assert listpack.append(data, new) == listpack.from_list([*content, new])
    assert listpack.extend(data, [new, b"7"]) == listpack.from_list([*content, new, b"7"])
    if index < len(content):
        assert listpack.replace(data, place, new) == listpack.from_list([*content[:index], new, *content[index + 1 :]])
        removed = listpack.from_list([*content[:index], *content[index + number :]])
        assert listpack.delete(data, place, number) == removed


def test_from_65535_elements_on_the_header_does_not_know_their_number() -> None:
    content = [b"1"] * 65534
    data = listpack.from_list(content)
    assert data[4:6] == b"\xfe\xff"
    data = listpack.append(data, b"2")
    assert data[4:6] == b"\xff\xff"
    data = listpack.append(data, b"3")
    assert listpack.count(data) == listpack.validate(data) == 65536
    assert listpack.value_at(data, listpack.seek(data, 65535)) == b"3"
    assert listpack.value_at(data, listpack.seek(data, -2)) == b"2"
    assert listpack.seek(data, 65536) == listpack.seek(data, -65537) == -1
    # As in Redis: once unknown, always unknown.
    data = listpack.delete(data, listpack.FIRST_POSITION, 10)
    assert data[4:6] == b"\xff\xff"
    assert listpack.count(data) == 65526


def test_what_redis_would_store_shorter_is_found_too() -> None:
    # "12" as a string, and 12 in 16 and in 64 bits: valid, though no Redis writes it.
    stored = b"\x8212\x03", b"\xf1\x0c\x00\x03", b"\xf4\x0c\0\0\0\0\0\0\0\x09", b"\xf0\x02\0\0\x0012\x07"
    for encoded in stored:
        data = listpack.assembled(listpack.encoded(b"x") + encoded, 2)
        assert listpack.validate(data) == 2
        assert listpack.find(data, b"12") == 9
    data = listpack.assembled(b"\xe0\x02ab\x04", 1)
    assert listpack.find(data, b"ab") == listpack.FIRST_POSITION
    assert listpack.find(data, b"ba") == -1


def test_every_cut_is_refused() -> None:
    for _, data in FROM_REDIS[:18]:
        for end in range(len(data)):
            with pytest.raises(CorruptionError):
                listpack.validate(data[:end])


@pytest.mark.parametrize(
    "data",
    [
        b"\x08\0\0\0\0\0\xff\xff",  # an end mark before the end
        b"\x08\0\0\0\0\0\xff",  # another total
        b"\x07\0\0\0\0\0\x00",  # no end mark
        b"\x09\0\0\0\x02\0\x01\x01\xff",  # another number of elements
        b"\x09\0\0\0\x01\0\x01\x02\xff",  # a backlen that leads elsewhere
        b"\x09\0\0\0\x01\0\xf5\x01\xff",  # no such header
        b"\x09\0\0\0\x01\0\xbf\x01\xff",  # a string beyond the end
        b"\x0a\0\0\0\x01\0\xe0\x00\x02\xff\xff",  # bytes after the end
        b"\x08\0\0\0\x01\0\xf0\xff",  # a header beyond the end
        b"\x0d\0\0\0\x01\0\xf0\xff\xff\xff\xff\x05\xff",  # a string of 4 GB
        b"\x0a\0\0\0\x01\0\x01\x80\x81\xff",  # a backlen that is too long
    ],
)
def test_corrupt_data_is_refused(data: bytes) -> None:
    with pytest.raises(CorruptionError):
        listpack.validate(data, "test")


@given(elements, st.data())
def test_random_damage_is_refused_or_readable(content: list[bytes], choices: st.DataObject) -> None:
    damaged = bytearray(listpack.from_list(content))
    for _ in range(choices.draw(st.integers(1, 3))):
        damaged[choices.draw(st.integers(0, len(damaged) - 1))] = choices.draw(st.integers(0, 255))
    data = bytes(damaged)
    try:
        number = listpack.validate(data)
    except CorruptionError:
        return
    assert len(listpack.to_list(data)) == number
