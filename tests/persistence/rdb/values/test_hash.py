import pytest
from librt.strings import BytesWriter

from persistence.rdb.format import TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_HASH_ZIPLIST, TYPE_HASH_ZIPMAP
from persistence.rdb.primitives import ByteReader, write_length, write_string
from persistence.rdb.values.hash import HashCodec
from persistence.rdb.values.value_codec import CHECK_DEEP, CHECK_NONE, EmptyValueError, LoadLimits
from redrock.datatypes import listpack
from redrock.datatypes.hash import HashValue
from redrock.errors import CorruptionError

PAIRS = [(b"f1", b"v1"), (b"n", b"12345"), (b"", b""), (b"long", b"x" * 64)]
FLAT = [part for pair in PAIRS for part in pair]
ZIPLIST = b"\x1b\0\0\0\x16\0\0\0\x04\0\0\x02f1\x04\x02v1\x04\x02f2\x04\x02v2\xff"
ZIPMAP = b"\x02\x02f1\x02\x00v1\x02f2\x03\x01v22_\xff"


def as_string(data: bytes) -> bytes:
    out = BytesWriter()
    write_string(out, data, False)
    return out.getvalue()


def as_table(flat: list[bytes]) -> bytes:
    out = BytesWriter()
    write_length(out, len(flat) // 2)
    for part in flat:
        write_string(out, part, False)
    return out.getvalue()


def load(type_byte: int, payload: bytes, limits: LoadLimits | None = None) -> HashValue:
    reader = ByteReader(payload)
    value = HashCodec().load(reader, type_byte, limits or LoadLimits())
    assert isinstance(value, HashValue)
    assert reader.remaining() == 0
    return value


def test_small_hash_both_ways() -> None:
    value = HashValue.from_flat(FLAT, 128, 64)
    out = BytesWriter()
    HashCodec().save(value, out, False)
    assert HashCodec().type_byte(value) == TYPE_HASH_LISTPACK
    assert out.getvalue() == as_string(listpack.from_list(FLAT))
    loaded = load(TYPE_HASH_LISTPACK, out.getvalue())
    assert loaded.items() == PAIRS
    assert loaded.encoding() == b"listpack"


def test_big_hash_both_ways() -> None:
    value = HashValue.from_flat(FLAT, 2, 64)
    out = BytesWriter()
    HashCodec().save(value, out, False)
    assert HashCodec().type_byte(value) == TYPE_HASH
    assert out.getvalue()[0] == len(PAIRS)
    loaded = load(TYPE_HASH, out.getvalue(), LoadLimits(2))
    assert sorted(loaded.items()) == sorted(PAIRS)
    assert loaded.encoding() == b"hashtable"


@pytest.mark.parametrize(
    ("type_byte", "payload", "pairs"),
    [
        (TYPE_HASH, as_table(FLAT), PAIRS),
        (TYPE_HASH_ZIPLIST, as_string(ZIPLIST), [(b"f1", b"v1"), (b"f2", b"v2")]),
        (TYPE_HASH_ZIPMAP, as_string(ZIPMAP), [(b"f1", b"v1"), (b"f2", b"v22")]),
    ],
)
def test_other_forms_become_small_hashes(type_byte: int, payload: bytes, pairs: list[tuple[bytes, bytes]]) -> None:
    value = load(type_byte, payload)
    assert value.items() == pairs
    assert value.encoding() == b"listpack"
    value.check_invariants()


@pytest.mark.parametrize(
    ("type_byte", "payload", "limits", "encoding"),
    [
        # Redis looks at the number of fields everywhere, but at their size only in types 4 and 9.
        (TYPE_HASH, as_table(FLAT), LoadLimits(4, 64), b"listpack"),
        (TYPE_HASH, as_table(FLAT), LoadLimits(3, 64), b"hashtable"),
        (TYPE_HASH, as_table(FLAT), LoadLimits(4, 63), b"hashtable"),
        (TYPE_HASH_LISTPACK, as_string(listpack.from_list(FLAT)), LoadLimits(4, 1), b"listpack"),
        (TYPE_HASH_LISTPACK, as_string(listpack.from_list(FLAT)), LoadLimits(3, 64), b"hashtable"),
        (TYPE_HASH_ZIPLIST, as_string(ZIPLIST), LoadLimits(2, 1), b"listpack"),
        (TYPE_HASH_ZIPLIST, as_string(ZIPLIST), LoadLimits(1, 64), b"hashtable"),
        (TYPE_HASH_ZIPMAP, as_string(ZIPMAP), LoadLimits(2, 3), b"listpack"),
        (TYPE_HASH_ZIPMAP, as_string(ZIPMAP), LoadLimits(2, 2), b"hashtable"),
    ],
)
def test_limits(type_byte: int, payload: bytes, limits: LoadLimits, encoding: bytes) -> None:
    assert load(type_byte, payload, limits).encoding() == encoding


@pytest.mark.parametrize(
    ("type_byte", "payload"),
    [
        (TYPE_HASH, b"\x00"),
        (TYPE_HASH_LISTPACK, as_string(listpack.EMPTY)),
        (TYPE_HASH_ZIPLIST, as_string(b"\x0b\0\0\0\x0a\0\0\0\0\0\xff")),
    ],
)
def test_empty(type_byte: int, payload: bytes) -> None:
    with pytest.raises(EmptyValueError):
        load(type_byte, payload)


@pytest.mark.parametrize(
    ("type_byte", "payload"),
    [
        (TYPE_HASH, as_table([b"f", b"1", b"f", b"2"])),
        (TYPE_HASH, as_table([b"f", b"1"] * 300)),
        (TYPE_HASH, b"\x02\x01f\x01v\x01g"),
        (TYPE_HASH, b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x01f\x01v"),
        (TYPE_HASH_LISTPACK, as_string(listpack.from_list([b"f", b"v", b"g"]))),
        (TYPE_HASH_LISTPACK, as_string(listpack.from_list(FLAT)[:-1])),
        (TYPE_HASH_LISTPACK, as_string(b"")),
        (TYPE_HASH_LISTPACK, as_string(b"\x0e\0\0\0\x02\0\x81f\x02\x9fv\x02\x01\xff")),
        (TYPE_HASH_ZIPLIST, as_string(ZIPLIST[:-1] + b"\x00")),
        (TYPE_HASH_ZIPLIST, as_string(b"\x0f\0\0\0\x0a\0\0\0\x01\0\0\x02f1\xff")),
        (TYPE_HASH_ZIPLIST, as_string(ZIPLIST.replace(b"f2", b"f1"))),
        (TYPE_HASH_ZIPMAP, as_string(ZIPMAP.replace(b"f2", b"f1"))),
        (TYPE_HASH_ZIPMAP, as_string(b"\x00\xff")),
    ],
)
def test_corrupt(type_byte: int, payload: bytes) -> None:
    with pytest.raises(CorruptionError) as caught:
        load(type_byte, payload)
    assert not isinstance(caught.value, EmptyValueError)


def test_depth_of_the_check() -> None:
    """Twice the same field is found in what clients send; the cold tier's own bytes are taken as they are."""
    double = as_string(listpack.from_list([b"f", b"1", b"f", b"2"]))
    with pytest.raises(CorruptionError):
        load(TYPE_HASH_LISTPACK, double, LoadLimits(check=CHECK_DEEP))
    assert load(TYPE_HASH_LISTPACK, double, LoadLimits(check=CHECK_NONE)).length() == 2
