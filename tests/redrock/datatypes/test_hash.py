"""Hashes against a dict, in both forms and across the conversion."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.datatypes import listpack
from redrock.datatypes.hash import HashValue
from redrock.util.random import RandomSource

field = st.sampled_from([b"a", b"b", b"c", b"1", b"-77", b"100000", b"", b"x" * 63, b"x" * 64, b"x" * 65])
value = st.binary(max_size=8) | st.sampled_from([b"0", b"4096", b"-9223372036854775808", b"y" * 64, b"y" * 65])
pairs = st.lists(st.tuples(field, value), max_size=6)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.lists(st.tuples(field, value), min_size=1, max_size=1)),
        st.tuples(st.just("set_many"), pairs),
        st.tuples(st.just("delete"), st.lists(st.tuples(field, value), min_size=1, max_size=1)),
    ),
    max_size=20,
)


def check(hash_value: HashValue, model: dict[bytes, bytes], random: RandomSource) -> None:
    hash_value.check_invariants()
    assert hash_value.length() == len(model)
    assert dict(hash_value.items()) == model
    if hash_value.encoding() == b"listpack":
        assert hash_value.items() == list(model.items())
        assert hash_value.listpack_bytes() == listpack.from_list(hash_value.flat())
    else:
        assert hash_value.listpack_bytes() is None
    flat = hash_value.flat()
    assert hash_value.fields() == flat[0::2]
    assert hash_value.value_list() == flat[1::2]
    for name in [*model, b"absent"]:
        assert hash_value.get(name) == model.get(name)
        assert hash_value.exists(name) == (name in model)
        assert hash_value.strlen(name) == len(model.get(name, b""))
    assert hash_value.random_field(random) in (model or [None])
    for count in (1, 2, len(model), len(model) + 1):
        distinct = hash_value.distinct_pairs(count, random)
        assert len(dict(distinct)) == len(distinct) == min(count, len(model))
        assert dict(distinct).items() <= model.items()
        if model:
            drawn = hash_value.random_pairs(count, random)
            assert len(drawn) == count
            assert dict(drawn).items() <= model.items()


@given(STEPS, st.sampled_from([0, 3, 8, 1000]), st.sampled_from([0, 64, 1000]))
def test_operations_are_those_of_a_dict(
    steps: list[tuple[str, list[tuple[bytes, bytes]]]], max_entries: int, max_value: int
) -> None:
    random = RandomSource(1)
    model: dict[bytes, bytes] = {}
    tested = HashValue()
    big = False
    for name, arguments in steps:
        first = arguments[0] if arguments else (b"", b"")
        if name == "set":
            assert tested.set(first[0], first[1], max_entries, max_value) == (first[0] not in model)
            model[first[0]] = first[1]
        elif name == "set_many":
            before = len(model)
            model.update(arguments)
            flat = [b"skipped", *(item for pair in arguments for item in pair)]
            assert tested.set_many(flat, 1, max_entries, max_value) == len(model) - before
        else:
            assert tested.delete(first[0]) == (model.pop(first[0], None) is not None)
        if name != "delete" and arguments:
            longest = max(len(item) for pair in arguments for item in pair)
            big = big or longest > max_value or len(model) > max_entries
        assert tested.encoding() == (b"hashtable" if big else b"listpack")
        check(tested, model, random)
    twin = tested.copy()
    assert twin.encoding() == tested.encoding()
    tested.set(b"only here", b"1", max_entries, max_value)
    check(twin, model, random)


def test_a_batch_of_repeated_fields_stays_small() -> None:
    tested = HashValue.from_flat([b"f", b"1", b"g", b"2"] * 600, 512, 64)
    assert tested.encoding() == b"listpack"
    assert tested.items() == [(b"f", b"1"), (b"g", b"2")]


def test_from_listpack_converts_by_number_only() -> None:
    data = listpack.from_list([b"f", b"v" * 100, b"g", b"w"])
    small = HashValue.from_listpack(data)
    assert small.listpack_bytes() == data
    big = HashValue.from_listpack(data, 1)
    assert big.encoding() == b"hashtable"
    check(big, {b"f": b"v" * 100, b"g": b"w"}, RandomSource(2))


def test_a_big_hash_is_scanned_in_steps_and_a_small_one_whole() -> None:
    model = {b"field %d" % i: b"%d" % i for i in range(1000)}
    flat = [item for pair in model.items() for item in pair]
    assert HashValue.from_flat(flat, 1000, 64).scan(5, 1) == (0, list(model.items()))
    big = HashValue.from_flat(flat, 999, 64)
    found: dict[bytes, bytes] = {}
    cursor, steps = 0, 0
    while cursor or not steps:
        cursor, some = big.scan(cursor, 10)
        found.update(some)
        steps += 1
    assert found == model
    assert 20 < steps < 200


@pytest.mark.parametrize("max_entries", [0, 1000])
def test_every_field_is_as_likely(max_entries: int) -> None:
    tested = HashValue.from_flat([item for i in range(20) for item in (b"%d" % i, b"v")], max_entries, 64)
    random = RandomSource(3)
    counts = dict.fromkeys(tested.fields(), 0)
    for _ in range(4000):
        drawn = tested.random_field(random)
        assert drawn is not None
        counts[drawn] += 1
    for _ in range(500):
        for name, _ in tested.distinct_pairs(4, random) + tested.random_pairs(4, random):
            counts[name] += 1
    # 400 expected, standard deviation 20.
    assert min(counts.values()) > 260
    assert max(counts.values()) < 540


def test_memory_follows_the_content() -> None:
    tested = HashValue()
    empty = tested.memory_bytes()
    tested.set(b"f", b"v" * 50, 10, 64)
    small = tested.memory_bytes()
    assert empty < small < empty + 128
    tested.set(b"g", b"v" * 10000, 10, 64)
    assert 10000 < tested.memory_bytes() < 11000
    tested.set(b"g", b"", 10, 64)
    assert tested.memory_bytes() < 1000
