import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.rdb.values.legacy import ziplist_entries, zipmap_entries
from redrock.errors import CorruptionError


def ziplist_entry(text: bytes | int, length_before: int) -> bytes:
    """As ziplist.c writes it; an int is stored as a number."""
    prefix = bytes([length_before]) if length_before < 254 else b"\xfe" + length_before.to_bytes(4, "little")
    if isinstance(text, int):
        if 0 <= text <= 12:
            return prefix + bytes([0xF1 + text])
        for code, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if -(1 << (8 * size - 1)) <= text < 1 << (8 * size - 1):
                return prefix + bytes([code]) + text.to_bytes(size, "little", signed=True)
        raise AssertionError(text)
    size = len(text)
    if size < 64:
        return prefix + bytes([size]) + text
    if size < 16384:
        return prefix + bytes([0x40 | size >> 8, size & 0xFF]) + text
    return prefix + b"\x80" + size.to_bytes(4, "big") + text


def ziplist(texts: list[bytes | int]) -> bytes:
    body = b""
    length_before = 0
    last = 10
    for text in texts:
        last = 10 + len(body)
        entry = ziplist_entry(text, length_before)
        length_before = len(entry)
        body += entry
    header = (len(body) + 11).to_bytes(4, "little") + last.to_bytes(4, "little")
    return header + min(len(texts), 0xFFFF).to_bytes(2, "little") + body + b"\xff"


def zipmap_length(size: int) -> bytes:
    return bytes([size]) if size < 254 else b"\xfe" + size.to_bytes(4, "little")


def zipmap(texts: list[bytes], free: int = 0) -> bytes:
    body = b""
    for index, text in enumerate(texts):
        body += zipmap_length(len(text))
        body += bytes([free]) + text + b"_" * free if index % 2 else text
    return bytes([min(len(texts) // 2, 254)]) + body + b"\xff"


# Made by Redis: 6.2 with hash-max-ziplist-entries in force, and 2.4.
ZIPLIST_OF_REDIS = b"\x1b\0\0\0\x16\0\0\0\x04\0\0\x02f1\x04\x02v1\x04\x02f2\x04\x02v2\xff"
ZIPMAP_OF_REDIS = b"\x02\x02f1\x02\x00v1\x02f2\x02\x00v2\xff"


def test_made_by_redis() -> None:
    assert ziplist_entries(ZIPLIST_OF_REDIS) == [b"f1", b"v1", b"f2", b"v2"]
    assert ziplist([b"f1", b"v1", b"f2", b"v2"]) == ZIPLIST_OF_REDIS
    assert zipmap_entries(ZIPMAP_OF_REDIS) == [b"f1", b"v1", b"f2", b"v2"]
    assert zipmap([b"f1", b"v1", b"f2", b"v2"]) == ZIPMAP_OF_REDIS


EDGES = [0, 12, 13, -1, 127, 128, -128, -129, 32767, 32768, -32768, 1 << 23, -(1 << 23), (1 << 31) - 1, -(1 << 31)]
EDGES += [1 << 31, -(1 << 63), (1 << 63) - 1]


def test_integers() -> None:
    assert ziplist_entries(ziplist(list(EDGES))) == [b"%d" % number for number in EDGES]


@given(st.lists(st.sampled_from(EDGES) | st.binary(max_size=300) | st.integers(60, 17000).map(lambda n: b"x" * n)))
def test_ziplist(texts: list[bytes | int]) -> None:
    expected = [b"%d" % text if isinstance(text, int) else text for text in texts]
    assert ziplist_entries(ziplist(texts)) == expected


def test_ziplist_with_more_entries_than_its_header_can_count() -> None:
    assert len(ziplist_entries(ziplist([b"x"] * 65535))) == 65535
    assert len(ziplist_entries(ziplist([b"x"] * 70000))) == 70000


@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), min_size=1), st.integers(0, 4))
def test_zipmap(pairs: list[tuple[bytes, bytes]], free: int) -> None:
    flat = [text for pair in pairs for text in pair]
    assert zipmap_entries(zipmap(flat, free)) == flat


def test_zipmap_with_more_entries_than_its_header_can_count() -> None:
    assert len(zipmap_entries(zipmap([b"x"] * 2 * 253))) == 2 * 253
    assert len(zipmap_entries(zipmap([b"x"] * 2 * 300))) == 2 * 300


@pytest.mark.parametrize("data", [ziplist([b"f", 5, b"x" * 300, -70000, b"y" * 70]), ZIPLIST_OF_REDIS])
def test_damaged_ziplist(data: bytes) -> None:
    for cut in range(len(data)):
        with pytest.raises(CorruptionError):
            ziplist_entries(data[:cut])
    for position in range(len(data)):
        for bit in range(8):
            damaged = data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]
            try:
                entries = ziplist_entries(damaged)
            except CorruptionError:
                continue
            # Only the content of an entry can change unnoticed.
            assert position > 10
            assert entries != ziplist_entries(data)


def test_damaged_zipmap() -> None:
    data = zipmap([b"f", b"v" * 3, b"gg", b"x" * 260], 2)
    for cut in range(len(data)):
        with pytest.raises(CorruptionError):
            zipmap_entries(data[:cut])
    for position in range(len(data)):
        for bit in range(8):
            damaged = data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]
            try:
                entries = zipmap_entries(damaged)
            except CorruptionError:
                continue
            assert sum(map(len, entries)) <= len(data)


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    for decode in (ziplist_entries, zipmap_entries):
        try:
            decode(data)
        except CorruptionError:
            continue
