"""The dataset as commands."""

import pytest

from persistence.aof.reader import AofEnd, AofReader
from persistence.aof.rewriter import CommandWriter
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import ColdMarker


def commands_of(data):
    reader = AofReader("base.aof")
    reader.feed(data)
    reader.end_of_input()
    commands = []
    while not isinstance(event := reader.next_event(), AofEnd):
        commands.append(event)
    assert not event.truncated
    return commands


def hash_of(count, max_entries):
    value = HashValue()
    value.set_many([b"%d" % (i // 2) for i in range(2 * count)], 0, max_entries, 64)
    return value


def rewrite(key, value, expire_at_ms=-1):
    writer = CommandWriter()
    writer.key(key, value, expire_at_ms)
    data = writer.take_output()
    assert writer.pending_bytes() == 0
    return commands_of(data)


def test_string():
    assert rewrite(b"k", StringValue(b"v\r\n")) == [[b"SET", b"k", b"v\r\n"]]


def test_expiry():
    assert rewrite(b"k", StringValue(b""), 1700000000123) == [
        [b"SET", b"k", b""],
        [b"PEXPIREAT", b"k", b"1700000000123"],
    ]
    # 0 is a time, too: long ago.
    assert rewrite(b"k", StringValue(b""), 0)[1] == [b"PEXPIREAT", b"k", b"0"]


def test_small_hash():
    assert rewrite(b"h", hash_of(2, 128)) == [[b"HMSET", b"h", b"0", b"0", b"1", b"1"]]


def test_big_hashes_in_batches_of_64():
    """Packed or not, the commands have at most 64 pairs each."""
    for count, lengths in ((64, [64]), (65, [64, 1]), (128, [64, 64]), (300, [64, 64, 64, 64, 44])):
        for max_entries in (0, 1000):
            commands = rewrite(b"h", hash_of(count, max_entries))
            assert [(len(command) - 2) // 2 for command in commands] == lengths
            assert all(command[:2] == [b"HMSET", b"h"] for command in commands)
            pairs = {}
            for command in commands:
                pairs |= dict(zip(command[2::2], command[3::2], strict=True))
            assert pairs == {b"%d" % i: b"%d" % i for i in range(count)}


def test_database_and_time():
    writer = CommandWriter()
    writer.timestamp(77)
    writer.select(15)
    assert writer.pending_bytes() == 32
    assert writer.take_output() == b"#TS:77\r\n*2\r\n$6\r\nSELECT\r\n$2\r\n15\r\n"


def test_unknown_type_is_a_bug():
    with pytest.raises(AssertionError, match="type 5"):
        rewrite(b"k", ColdMarker(5, b"strange"))
