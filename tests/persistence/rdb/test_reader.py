import random
import struct
from collections.abc import Callable
from typing import Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.rdb.events import EndOfFile, KeyRecord, RdbEvent, SelectDb
from persistence.rdb.reader import RdbReader
from persistence.rdb.values.value_codec import CHECK_DEEP, LoadLimits
from persistence.rdb.writer import RdbWriter
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import Value
from redrock.errors import CorruptionError
from redrock.keyspace.digest import KeyTriple, dataset_digest
from redrock.util.crc import crc64

ToPlain = Callable[[RdbEvent], tuple[object, ...]]
Corpus = Callable[[str], bytes]


class ReadAll(Protocol):
    """conftest's reading of a whole file in pieces of ``step`` bytes (0: in one)."""

    def __call__(self, data: bytes, step: int = 0, decodable_only: bool = False) -> tuple[list[RdbEvent], bytes]: ...


FAR = 4102444800123

# Made by redis-server 7.0.15, where nothing else is said, with what DEBUG DIGEST answered.
DIGESTS = [
    ("strings", b"fa86fe017389de27429940ecd38b857fe67540e9"),
    ("strings-uncompressed", b"fa86fe017389de27429940ecd38b857fe67540e9"),
    ("hashes", b"f4beb6737045d9f54d03d9a07628a2147da81433"),
    ("hashes-6.2", b"f4beb6737045d9f54d03d9a07628a2147da81433"),
    ("databases-lfu", b"64502eaf3c72c6a95b65c42bb7405147be66c657"),
    ("databases-lru-nochecksum", b"64502eaf3c72c6a95b65c42bb7405147be66c657"),
    ("empty", b"0" * 40),
]
NAMES = [name for name, _ in DIGESTS] + ["all-types", "all-types-6.2"]


def finished(body: bytes, version: int = 10) -> bytes:
    """``body`` as a whole file."""
    data = b"REDIS%04d" % version + body + b"\xff"
    return data + crc64(data).to_bytes(8, "little") if version >= 5 else data


def dataset(events: list[RdbEvent]) -> dict[int, list[KeyTriple]]:
    databases: dict[int, list[KeyTriple]] = {}
    keys: list[KeyTriple] = []
    for event in events:
        if isinstance(event, SelectDb):
            keys = databases.setdefault(event.dbid, [])
        elif isinstance(event, KeyRecord):
            keys.append((event.key, event.decode(LoadLimits(check=CHECK_DEEP)), event.expire_at_ms))
    return databases


@pytest.mark.parametrize(("name", "digest"), DIGESTS)
def test_files_made_by_redis(name: str, digest: bytes, corpus: Corpus, read_all: ReadAll) -> None:
    data = corpus(name)
    events, leftover = read_all(data, decodable_only=True)
    end = events[-1]
    assert isinstance(end, EndOfFile)
    assert end.position == len(data)
    assert end.checked == ("nochecksum" not in name)
    assert leftover == b""
    assert dataset_digest(sorted(dataset(events).items())) == digest


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("step", [1, 2, 3, 10, 1000])
def test_pieces_of_any_size(name: str, step: int, corpus: Corpus, read_all: ReadAll, to_plain: ToPlain) -> None:
    data = corpus(name)
    whole, _ = read_all(data)
    pieces, leftover = read_all(data + b"trailing", step)
    assert [to_plain(event) for event in pieces] == [to_plain(event) for event in whole]
    assert b"trailing".startswith(leftover)


@pytest.mark.parametrize("name", NAMES)
def test_trailing_bytes_are_left_over(name: str, corpus: Corpus) -> None:
    data = corpus(name)
    reader = RdbReader(decodable_only=False)
    reader.feed(data + b"*1\r\n")
    while reader.next_event() is not None:
        pass
    reader.feed(b"$4\r\n")
    assert reader.next_event() is None
    reader.end_of_input()
    assert reader.position() == len(data)
    assert reader.leftover() == b"*1\r\n$4\r\n"
    assert reader.leftover() == b""
    reader.feed(b"PING")
    assert reader.leftover() == b"PING"


def test_expiry_and_usage(corpus: Corpus, read_all: ReadAll, to_plain: ToPlain) -> None:
    # The counter starts at 5; PEXPIREAT has looked k0 up.
    for name, idle, frequency in (("databases-lfu", -1, 5), ("databases-lru-nochecksum", 0, -1)):
        events, _ = read_all(corpus(name))
        assert [event.dbid for event in events if isinstance(event, SelectDb)] == [0, 1, 9, 15]
        plain = [to_plain(event) for event in events]
        assert ("resize", 2, 1) in plain
        keys = {item[1:] for item in plain if item[0] == "key"}
        assert (b"k0", 0, b"\x04db15", FAR + 15, idle, 6 if frequency > 0 else -1) in keys
        assert (b"k1", 0, b"\x04db15", -1, idle, frequency) in keys


@pytest.mark.parametrize("name", ["all-types", "all-types-6.2"])
def test_types_without_a_codec_are_passed_over_or_refused(name: str, corpus: Corpus, read_all: ReadAll) -> None:
    events, _ = read_all(corpus(name))
    names = {event.key for event in events if isinstance(event, KeyRecord)}
    assert names == {
        b"s", b"h", b"list", b"longlist", b"plain", b"intset", b"set", b"bigset", b"zset", b"bigzset", b"stream",
        b"emptystream",
    }  # fmt: skip
    assert isinstance(events[-1], EndOfFile)
    assert events[-1].checked
    with pytest.raises(CorruptionError, match="Unknown RDB encoding type"):
        read_all(corpus(name), decodable_only=True)


def test_functions(corpus: Corpus, read_all: ReadAll, to_plain: ToPlain) -> None:
    events, _ = read_all(corpus("all-types"))
    code = b"#!lua name=lib\nredis.register_function('f', function() return 1 end)"
    assert ("function", code) in [to_plain(event) for event in events]
    old = b"\xf6\x03lib\x03lua\x01\x04text\x04code\xf6\x03two\x03lua\x00\x05code2"
    events, _ = read_all(finished(old))
    assert [to_plain(event) for event in events[:-1]] == [
        ("function", b"#!lua name=lib\ncode"),
        ("function", b"#!lua name=two\ncode2"),
    ]


def module_id(name: bytes) -> bytes:
    characters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    number = 0
    for character in name:
        number = number << 6 | characters.index(character)
    return b"\x81" + (number << 10 | 1).to_bytes(8, "big")


def test_module_aux(read_all: ReadAll, to_plain: ToPlain) -> None:
    events, _ = read_all(finished(b"\xf7" + module_id(b"graphdata") + b"\x02\x01\x05\x03abc\x02\x07\x00"))
    assert to_plain(events[0]) == ("module", b"graphdata")
    with pytest.raises(CorruptionError, match="when_opcode"):
        read_all(finished(b"\xf7" + module_id(b"graphdata") + b"\x01\x01\x00"))


def test_opcodes_before_a_key_hold_for_that_key_only(read_all: ReadAll, to_plain: ToPlain) -> None:
    body = b"\xfd" + struct.pack("<i", 1700000000) + b"\xf8\x40\x64\xf9\xc8\x00\x01a\x01x" + b"\x00\x01b\x01y"
    for version in (3, 5, 12):
        events, _ = read_all(finished(body, version))
        assert [to_plain(event) for event in events[:-1]] == [
            ("key", b"a", 0, b"\x01x", 1700000000000, 100, 200),
            ("key", b"b", 0, b"\x01y", -1, -1, -1),
        ]


def test_slot_info_of_redis_7_4_is_passed_over(read_all: ReadAll, to_plain: ToPlain) -> None:
    events, _ = read_all(finished(b"\xfe\x00\xf4\x40\x64\x02\x00\x00\x01a\x01x", 12))
    assert [to_plain(event) for event in events[:-1]] == [("db", 0), ("key", b"a", 0, b"\x01x", -1, -1, -1)]


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"RADIS0010", "Wrong signature"),
        (b"\x00" * 9, "Wrong signature"),
        (b"REDIS0000", "Can't handle RDB format version 0"),
        (b"REDIS0013", "Can't handle RDB format version 13"),
        (b"REDIS9999", "Can't handle RDB format version 9999"),
        (b"REDIS00a1", "Can't handle RDB format version 0"),
        (b"REDIS +10", "Can't handle RDB format version 0"),
    ],
)
def test_header(header: bytes, text: str) -> None:
    reader = RdbReader()
    reader.feed(header[:8])
    assert reader.next_event() is None
    reader.feed(header[8:])
    with pytest.raises(CorruptionError, match=text):
        reader.next_event()


def test_versions_before_5_have_no_checksum(read_all: ReadAll) -> None:
    for version in range(1, 13):
        events, leftover = read_all(finished(b"\x00\x01k\x01v", version) + b"x")
        end = events[-1]
        assert isinstance(end, EndOfFile)
        assert end.checked == (version >= 5)
        assert leftover == b"x"


def test_checksum_can_be_ignored(corpus: Corpus) -> None:
    data = corpus("strings")
    damaged = data[:-1] + bytes([data[-1] ^ 1])
    reader = RdbReader(verify_checksum=False)
    reader.feed(damaged)
    while (event := reader.next_event()) is not None:
        last = event
    assert isinstance(last, EndOfFile)
    assert not last.checked
    reader = RdbReader()
    reader.feed(damaged)
    with pytest.raises(CorruptionError, match="Wrong RDB checksum"):
        list(iter(reader.next_event, None))


@pytest.mark.parametrize("name", ["hashes", "databases-lfu", "empty"])
def test_cut_short_at_every_length(name: str, corpus: Corpus, read_all: ReadAll) -> None:
    data = corpus(name)
    for cut in range(len(data)):
        with pytest.raises(CorruptionError, match="Unexpected EOF") as caught:
            read_all(data[:cut])
        assert caught.value.position == cut


@pytest.mark.parametrize("name", ["databases-lfu", "empty"])
def test_every_bit_flipped_is_noticed(name: str, corpus: Corpus, read_all: ReadAll) -> None:
    data = corpus(name)
    for position in range(len(data)):
        for bit in range(8):
            with pytest.raises(CorruptionError):
                read_all(data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :])


@pytest.mark.parametrize("name", ["hashes", "all-types", "all-types-6.2"])
def test_damage_behind_a_disabled_checksum(name: str, corpus: Corpus) -> None:
    """An error or another dataset, but no other exception and no endless loop."""
    data = corpus(name)
    chance = random.Random(name)
    limits = LoadLimits(check=CHECK_DEEP)
    refused = 0
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            damaged[chance.randrange(9, len(data))] = chance.choice([0, 0x81, 0xC3, 0xFF, chance.randrange(256)])
        reader = RdbReader(verify_checksum=False, decodable_only=False)
        reader.feed(bytes(damaged))
        try:
            while (event := reader.next_event()) is not None:
                if isinstance(event, KeyRecord) and event.type_byte in (0, 4, 13, 16):
                    event.decode(limits)
            reader.end_of_input()
        except CorruptionError:
            refused += 1
    assert refused > 20


@given(st.binary(max_size=120), st.integers(1, 20))
def test_any_bytes_behind_a_good_header(data: bytes, step: int) -> None:
    outcomes: list[list[type[RdbEvent]]] = []
    for size in (step, 1000):
        reader = RdbReader(decodable_only=False)
        kinds: list[type[RdbEvent]] = []
        file = b"REDIS0010" + data
        try:
            for start in range(0, len(file), size):
                reader.feed(file[start : start + size])
                while (event := reader.next_event()) is not None:
                    kinds.append(type(event))
            reader.end_of_input()
        except CorruptionError:
            pass
        outcomes.append(kinds)
    assert outcomes[0] == outcomes[1]


def test_a_hostile_length_does_not_set_memory_aside() -> None:
    for body in (b"\x00\x81\x7f" + b"\xff" * 7, b"\x00\x01k\x81\x7f" + b"\xff" * 7, b"\xfa\x80\xff\xff\xff\xff"):
        reader = RdbReader()
        reader.feed(b"REDIS0010" + body + b"some bytes")
        assert reader.next_event() is None
        with pytest.raises(CorruptionError):
            reader.end_of_input()


@pytest.mark.parametrize("body", [b"\x00\xff", b"\x00\x01k\xc4", b"\x00\x01k\x82", b"\x08\x01k\x01v", b"\x06\x01k\x00"])
def test_corrupt_records(body: bytes) -> None:
    reader = RdbReader()
    reader.feed(b"REDIS0010" + body)
    with pytest.raises(CorruptionError) as caught:
        reader.next_event()
    assert 9 <= caught.value.position <= 9 + len(body)


def test_pieces_of_a_huge_value_are_not_joined_again_and_again() -> None:
    """At no time does the reader hold more than the newest piece besides what it has put aside."""
    value = random.Random(3).randbytes(1 << 20)
    fields = [b"%d" % number for number in range(20000)]
    for payload in (StringValue(value), HashValue.from_flat([x for field in fields for x in (field, field)], 128, 64)):
        writer = RdbWriter()
        writer.header([])
        writer.key(b"key" * 1000, payload)
        writer.finish()
        data = writer.take_output()
        reader = RdbReader()
        events: list[RdbEvent] = []
        for start in range(0, len(data), 500):
            reader.feed(data[start : start + 500])
            while (event := reader.next_event()) is not None:
                events.append(event)
            if start > 9000:
                assert len(reader._data) < 600
        assert len(events) == 2
        assert isinstance(events[0], KeyRecord)
        loaded = events[0].decode(LoadLimits())
        assert dataset_digest([(0, [(b"", loaded, -1)])]) == dataset_digest([(0, [(b"", payload, -1)])])


KEYS = st.binary(max_size=80)
VALUES = st.binary(max_size=400).map(StringValue) | st.dictionaries(KEYS, KEYS, min_size=1, max_size=8).map(
    lambda pairs: HashValue.from_flat([part for pair in pairs.items() for part in pair], 4, 64)
)
ENTRIES = st.lists(
    st.tuples(
        KEYS, VALUES, st.sampled_from([-1, 0, FAR]), st.sampled_from([-1, 0, 5000]), st.sampled_from([-1, 0, 255])
    )
)


@given(ENTRIES, st.booleans(), st.booleans(), st.integers(1, 300))
def test_what_the_writer_writes_comes_back(
    entries: list[tuple[bytes, Value, int, int, int]], compress: bool, checksum: bool, step: int
) -> None:
    writer = RdbWriter(compress, checksum)
    writer.header([(b"redis-ver", b"7.0.15")])
    writer.select_db(2, len(entries), 0)
    for key, value, expire_at_ms, lru_idle, lfu_freq in entries:
        writer.key(key, value, expire_at_ms, lru_idle, lfu_freq)
    writer.finish()
    data = writer.take_output()
    reader = RdbReader()
    limits = LoadLimits(4, 64)
    back: list[tuple[object, ...]] = []
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        while (event := reader.next_event()) is not None:
            if isinstance(event, KeyRecord):
                value = event.decode(limits)
                back.append((event.key, value.encoding(), event.expire_at_ms, event.lru_idle, event.lfu_freq))
    reader.end_of_input()
    assert back == [(key, value.encoding(), *hints) for key, value, *hints in entries]
