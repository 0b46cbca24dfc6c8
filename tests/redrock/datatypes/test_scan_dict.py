"""ScanDict against a dict, and what SCAN promises while the table grows and shrinks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redrock.datatypes.scan_dict import LOAD_MAX, ScanDict
from redrock.util.random import RandomSource


def filled(number: int) -> ScanDict:
    table = ScanDict()
    for i in range(number):
        table.set(b"key %d" % i, i)
    return table


def scanned(table: ScanDict, count: int) -> list[bytes]:
    keys: list[bytes] = []
    cursor = 0
    while True:
        cursor, some = table.scan(cursor, count)
        keys += some
        if cursor == 0:
            return keys


def check(table: ScanDict, model: dict[bytes, object]) -> None:
    table.check_invariants()
    assert len(table) == table.length() == len(model)
    assert dict(table.items()) == model
    assert sorted(table.keys()) == sorted(model)
    by_bucket = [item for i in range(table.bucket_count()) for item in table.bucket_items(i)]
    assert dict(by_bucket) == model


@given(
    st.lists(
        st.tuples(st.sampled_from(["set", "pop", "fill", "drain", "clear"]), st.integers(0, 400)), max_size=12
    ).map(lambda steps: [("fill", 300), *steps])
)
def test_operations_are_those_of_a_dict(steps: list[tuple[str, int]]) -> None:
    table = ScanDict()
    model: dict[bytes, object] = {}
    for name, number in steps:
        key = b"%d" % number
        if name == "set":
            assert table.set(key, ("new", number)) == model.get(key)
            model[key] = ("new", number)
        elif name == "pop":
            assert table.pop(key) == model.pop(key, None)
        elif name == "fill":
            for i in range(number):
                table.set(b"%d" % i, i)
                model[b"%d" % i] = i
        elif name == "drain":
            for i in range(number):
                table.pop(b"%d" % i)
                model.pop(b"%d" % i, None)
        else:
            table.clear()
            model.clear()
        check(table, model)
        for wanted in (key, b"absent", b""):
            assert table.get(wanted) == model.get(wanted)
            assert table.contains(wanted) == (wanted in model)
        assert table.get(key) is None or (key in dict(table.bucket_items(table.bucket_index(key))))


def test_one_bucket_more_or_less_at_a_time() -> None:
    table = ScanDict()
    for i in range(5000):
        before = table.bucket_count()
        table.set(b"%d" % i, i)
        assert before <= table.bucket_count() <= before + 1
    assert table.bucket_count() == -(-5000 // LOAD_MAX)
    table.check_invariants()
    for i in range(5000):
        before = table.bucket_count()
        assert table.pop(b"%d" % i) == i
        assert before - 1 <= table.bucket_count() <= before
    assert table.bucket_count() == 1
    table.check_invariants()


def test_a_size_that_swings_a_little_splits_and_merges_nothing() -> None:
    table = filled(LOAD_MAX * 10 + 1)
    buckets = table.bucket_count()
    for _ in range(5):
        for i in range(LOAD_MAX):
            table.pop(b"key %d" % i)
        for i in range(LOAD_MAX):
            table.set(b"key %d" % i, i)
        assert table.bucket_count() == buckets


@pytest.mark.parametrize("count", [1, 3, 10, 100, 10**6])
@pytest.mark.parametrize("number", [0, 1, 7, 33, 1000, 5000])
def test_a_table_that_stays_is_scanned_once_and_whole(number: int, count: int) -> None:
    table = filled(number)
    keys = scanned(table, count)
    assert len(keys) == number
    assert sorted(keys) == sorted(table.keys())


def test_count_is_kept_to_roughly() -> None:
    table = filled(20000)
    cursor = 0
    sizes: list[int] = []
    while cursor or not sizes:
        cursor, keys = table.scan(cursor, 10)
        sizes.append(len(keys))
    assert max(sizes) < 50
    assert 500 < len(sizes) <= 2100


def test_cursors_that_were_never_given_out_are_harmless() -> None:
    table = filled(1000)
    for cursor in (1, 2**20 + 5, 2**63, 2**64 - 1):
        following, keys = table.scan(cursor, 10)
        assert 0 <= following < 2**64
        assert all(table.contains(key) for key in keys)
    assert table.scan(0, 2**63 - 1)[0] == 0
    assert len(table.scan(0, -5)[1]) >= 1


def test_a_sparse_table_does_not_make_one_call_long() -> None:
    table = filled(20000)
    # The buckets stay, for only growing and shrinking by single keys changes their number; all are emptied by hand.
    for bucket in table.buckets:
        bucket.clear()
    cursor, keys = table.scan(0, 10)
    assert cursor != 0
    assert keys == []


@settings(max_examples=60)
@given(
    st.integers(0, 700),
    st.lists(st.tuples(st.sampled_from(["grow", "shrink", "swap"]), st.integers(1, 1500)), min_size=1, max_size=12),
    st.sampled_from([1, 7, 30, 200]),
    st.booleans(),
)
def test_what_is_there_all_the_time_is_returned(
    kept_number: int, changes: list[tuple[str, int]], count: int, often: bool
) -> None:
    """SCAN's guarantee, with the table growing and shrinking manyfold between two steps of an iteration."""
    kept = [b"kept %d" % i for i in range(kept_number)]
    table = ScanDict()
    for key in kept:
        table.set(key, 1)
    others: list[bytes] = []
    made = 0
    returned: set[bytes] = set()
    cursor, step = 0, 0
    while True:
        cursor, keys = table.scan(cursor, count)
        returned.update(keys)
        if cursor == 0:
            break
        if often or step % 5 == 0:
            # Only finitely many changes, so that every iteration ends.
            change, number = changes[step % len(changes)] if step < 60 else ("none", 0)
            if change in ("shrink", "swap"):
                for key in others[:number]:
                    table.pop(key)
                del others[:number]
            if change in ("grow", "swap"):
                for _ in range(number):
                    made += 1
                    others.append(b"other %d" % made)
                    table.set(others[-1], 2)
        step += 1
    table.check_invariants()
    assert returned.issuperset(kept)


@pytest.mark.parametrize("number", [1, 20, 200, 700])
def test_every_key_is_as_likely(number: int) -> None:
    table = filled(number)
    random = RandomSource(4)
    counts = dict.fromkeys(table.keys(), 0)
    for _ in range(100 * number):
        key = table.random_key(random)
        assert key is not None
        counts[key] += 1
    # 100 expected, standard deviation 10.
    assert min(counts.values()) >= 30
    assert max(counts.values()) <= 170


def test_random_key_after_most_have_gone() -> None:
    table = filled(5000)
    for i in range(4990):
        table.pop(b"key %d" % i)
    random = RandomSource(5)
    assert {table.random_key(random) for _ in range(1000)} == set(table.keys())
    table.clear()
    assert table.random_key(random) is None
    assert table.sample(5, random) == []


@pytest.mark.parametrize("number", [1, 20, 200, 3000])
def test_a_sample_has_different_keys_from_everywhere(number: int) -> None:
    table = filled(number)
    random = RandomSource(6)
    seen: set[bytes] = set()
    for _ in range(4 * number):
        keys = table.sample(5, random)
        assert len(set(keys)) == len(keys) == min(5, number)
        assert all(table.contains(key) for key in keys)
        seen.update(keys)
    assert len(seen) > 0.95 * number
    assert sorted(table.sample(10 * number, random)) == sorted(table.keys())
    assert table.sample(0, random) == []


def test_the_memory_estimate_follows_both_counts() -> None:
    assert 200 < ScanDict().memory_bytes() < 400
    assert 35 < filled(20000).memory_bytes() / 20000 < 50


def test_an_unused_table_is_freed_in_slices() -> None:
    table = filled(5000)
    buckets = table.bucket_count()
    assert table.drop_buckets(10) == buckets - 10
    assert table.drop_buckets(10**6) == 0
