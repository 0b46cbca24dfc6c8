import pytest

from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import RawString, StringValue
from redrock.datatypes.value import ColdMarker, Value
from redrock.keyspace.digest import KeyTriple, dataset_digest, key_digest, mixed, value_digest, xored

SMALL = HashValue.from_flat([b"f", b"v", b"g", b"w"], 128, 64)
BIG = HashValue.from_flat([b"g", b"w", b"f", b"v"], 0, 64)


@pytest.mark.parametrize(
    ("value", "expires", "digest"),
    [
        # Answers of DEBUG DIGEST-VALUE of redis-server 7.0.15.
        (StringValue(b""), False, b"8b3447c33a834b810e3e181b6fd6a2ee1020921c"),
        (StringValue(b"hello"), False, b"36b23a1456b2dce2c3ed252c456761301dba8060"),
        (RawString(b"hello"), False, b"36b23a1456b2dce2c3ed252c456761301dba8060"),
        (StringValue(b"12"), True, b"83df3a94c43338a2db2a05ddb5dbb794b842c619"),
        (SMALL, False, b"d127864ed50239662bf61bafc9bda63c17da5b37"),
        (BIG, False, b"d127864ed50239662bf61bafc9bda63c17da5b37"),
        (BIG, True, b"37a278b1093bd332eae0f0578cd769a70d741ab4"),
    ],
)
def test_value_digest(value: Value, expires: bool, digest: bytes) -> None:
    assert value_digest(value, expires) == digest


@pytest.mark.parametrize(
    ("databases", "digest"),
    [
        # Answers of DEBUG DIGEST.
        ([], b"0" * 40),
        ([(0, [(b"a", StringValue(b"1"), -1)])], b"943d800368fb9c0e951138f1bc0e313ac769d91f"),
        ([(0, [(b"a", StringValue(b"1"), -1), (b"b", SMALL, 5)])], b"49d233cadceb1aeafd6266fccf30cbb316387eb9"),
        (
            [(0, [(b"a", StringValue(b"1"), -1), (b"b", BIG, 99)]), (9, [(b"", StringValue(b"1"), -1)])],
            b"0c16b1c4b133d2473c130c0593f3c96091d05bdb",
        ),
        ([(9, [(b"", StringValue(b"1"), -1)])], b"ca2823cd214b1a29b01a922311aec8f64ce537b8"),
    ],
)
def test_dataset_digest(databases: list[tuple[int, list[KeyTriple]]], digest: bytes) -> None:
    assert dataset_digest(databases) == digest
    assert dataset_digest([(dbid, keys[::-1]) for dbid, keys in databases]) == digest


def test_order_counts_for_mixed_only() -> None:
    assert xored(xored(0, b"a"), b"b") == xored(xored(0, b"b"), b"a")
    assert mixed(mixed(0, b"a"), b"b") != mixed(mixed(0, b"b"), b"a")


def test_a_single_key_can_be_taken_out_again() -> None:
    """The first database is mixed into nothing, so what its keys add can be told apart."""
    one: list[KeyTriple] = [(b"a", StringValue(b"1"), -1)]
    two: list[KeyTriple] = [*one, (b"b", SMALL, -1)]
    difference = int(dataset_digest([(0, one)]), 16) ^ int(dataset_digest([(0, two)]), 16)
    assert difference == key_digest(b"b", SMALL, False)


def test_a_value_that_is_not_in_memory_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(AssertionError):
        value_digest(ColdMarker(0, b"raw"), False)
