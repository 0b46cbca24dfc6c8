"""Every command of the group hash: replies of redis-server and of ours, byte for byte, in both protocol versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrock.resp.reply import MapReply, Reply
from redrock.resp.reply_parser import ReplyParser
from redrock.util.quoting import split_args

Argv = Sequence[bytes]


class Pair(Protocol):
    """What this file needs of the fixture of that name."""

    def reset(self) -> None: ...

    def both(self, commands: Sequence[Argv]) -> list[tuple[bytes, bytes]]: ...

    def differences(self, commands: Sequence[Argv]) -> list[str]: ...


PREPARED: Final = """
HSET h f v n 10 x 3.5 empty "" big 9223372036854775807 small -9223372036854775808 inf inf pad " 1"
HSET one f v
SET s v
HSET past f v
PEXPIREAT past 1
HSET later f v
PEXPIREAT later 33177117420000
"""

TABLES: Final = {
    "reading": """
        HGET h f; HGET h nosuch; HGET nosuch f; HGET s f; HGET past f; HGET h; HGET h f g; HGET h empty; HGET h ""
        HMGET h f nosuch n; HMGET nosuch f g; HMGET s f; HMGET h; HMGET past f; HEXISTS h f; HEXISTS h nosuch
        HEXISTS nosuch f; HEXISTS s f; HEXISTS h; HLEN h; HLEN nosuch; HLEN s; HLEN past; HLEN; HLEN h f
        HSTRLEN h f; HSTRLEN h n; HSTRLEN h small; HSTRLEN h nosuch; HSTRLEN nosuch f; HSTRLEN s f; HSTRLEN h
        HGETALL h; HGETALL nosuch; HGETALL s; HGETALL past; HGETALL; HKEYS h; HKEYS nosuch; HKEYS s; HKEYS
        HVALS h; HVALS nosuch; HVALS s; HVALS; HGETALL later; TTL later
    """,
    "hset": """
        HSET new a 1; HSET new a 2 b 3 b 4; HGETALL new; HSET new a; HSET new a 1 b; HSET new; HSET s a 1; HSET s a
        HSET past g w; HGETALL past; PTTL past; HSET later g w; HGETALL later; HSET h "" ""; HGET h ""
        HMSET new2 a 1 b 2; HMSET new2 a 1 b; HMSET new2; HMSET s a 1; HMSET new2 a 9; HGETALL new2
        HSETNX h f w; HSETNX h g w; HGET h g; HSETNX s f w; HSETNX new3 f w; HSETNX h f; HSETNX past f w; HLEN past
        OBJECT ENCODING new; OBJECT ENCODING new3
    """,
    "hdel": """
        HDEL h f; HDEL h f; HDEL h n x nosuch n; HGETALL h; HDEL nosuch f; HDEL s f; HDEL h; HDEL one f g; EXISTS one
        HDEL past f; HDEL later f; TTL later; EXISTS later
    """,
    "hincrby": """
        HINCRBY h n 1; HINCRBY h n -20; HINCRBY h new 5; HINCRBY nosuch f 7; HINCRBY h f 1; HINCRBY h x 1
        HINCRBY h big 1; HINCRBY h big -1; HINCRBY h small -1; HINCRBY h small 1; HINCRBY s f 1; HINCRBY s f x
        HINCRBY h n x; HINCRBY h n 1.5; HINCRBY h n ""; HINCRBY h n 9223372036854775808; HINCRBY h pad 1
        HINCRBY h empty 1; HINCRBY h inf 1; HINCRBY h n; HINCRBY h n " 1"; HINCRBY nosuch2 f -9223372036854775808
        HINCRBY nosuch2 f -1; HGETALL h; HGETALL nosuch
    """,
    "hincrbyfloat": """
        HINCRBYFLOAT h n 1.5; HINCRBYFLOAT h x -3.5; HINCRBYFLOAT h new 5; HINCRBYFLOAT nosuch f 0.1
        HINCRBYFLOAT nosuch f 0.2; HINCRBYFLOAT h f 1; HINCRBYFLOAT h big 1; HINCRBYFLOAT h small -1
        HINCRBYFLOAT s f 1; HINCRBYFLOAT s f x; HINCRBYFLOAT h n x; HINCRBYFLOAT h n inf; HINCRBYFLOAT h n -inf
        HINCRBYFLOAT h n nan; HINCRBYFLOAT h inf 1; HINCRBYFLOAT h pad 1; HINCRBYFLOAT h empty 1
        HINCRBYFLOAT h e 1e300; HINCRBYFLOAT h e 1e4932; HINCRBYFLOAT h e 1e4932; HINCRBYFLOAT h n 1e-20
        HINCRBYFLOAT h n
        HINCRBYFLOAT h n " 1"; HINCRBYFLOAT h hex 0x1p4; HGETALL nosuch
    """,
    "hrandfield": """
        HRANDFIELD one; HRANDFIELD nosuch; HRANDFIELD s; HRANDFIELD one 0; HRANDFIELD one 1; HRANDFIELD one 5
        HRANDFIELD one -3; HRANDFIELD one 1 WITHVALUES; HRANDFIELD one -2 withvalues; HRANDFIELD one 5 WITHVALUES
        HRANDFIELD nosuch 5; HRANDFIELD nosuch 5 WITHVALUES; HRANDFIELD s 5; HRANDFIELD one x; HRANDFIELD one 1 foo
        HRANDFIELD one 1 WITHVALUES foo; HRANDFIELD one -9223372036854775808; HRANDFIELD one x foo
        HRANDFIELD one 9223372036854775807 WITHVALUES; HRANDFIELD one -9223372036854775807 WITHVALUES
        HRANDFIELD one 4611686018427387904 WITHVALUES; HRANDFIELD one 4611686018427387903 WITHVALUES
        HRANDFIELD one 9223372036854775807; HRANDFIELD one 9223372036854775808; HRANDFIELD; HRANDFIELD s x
        HRANDFIELD one 0 WITHVALUES; HRANDFIELD h 100
    """,
    "hscan": """
        HSCAN h 0; HSCAN nosuch 0; HSCAN s 0; HSCAN past 0; HSCAN h x; HSCAN h -1; HSCAN h ""; HSCAN h " 1"; HSCAN h +
        HSCAN h 18446744073709551615; HSCAN h 18446744073709551616; HSCAN h 1.5; HSCAN h 007; HSCAN s x; HSCAN h
        HSCAN h 0 COUNT 1; HSCAN h 0 COUNT 0; HSCAN h 0 COUNT -1; HSCAN h 0 COUNT x; HSCAN h 0 COUNT; HSCAN h 0 MATCH
        HSCAN h 0 MATCH *; HSCAN h 0 MATCH ?; HSCAN h 0 MATCH nosuch; HSCAN h 0 match [f-n] count 5; HSCAN h 0 TYPE hash
        HSCAN h 0 foo; HSCAN nosuch 0 foo; HSCAN nosuch 0 COUNT 0; HSCAN s 0 foo; HSCAN h 5; HSCAN h 0 MATCH "" COUNT 1
    """,
}


def argvs(text: str) -> list[list[bytes]]:
    """Commands, separated by line ends or semicolons, quoted as for redis-cli."""
    found: list[list[bytes]] = []
    for line in text.replace(";", "\n").split("\n"):
        words = split_args(line.encode())
        assert words is not None, line
        if words:
            found.append(words)
    return found


@pytest.mark.parametrize("resp", [b"2", b"3"])
@pytest.mark.parametrize("table", TABLES)
def test_table(pair: Pair, table: str, resp: bytes) -> None:
    pair.both([[b"HELLO", resp], *argvs(PREPARED)])
    assert pair.differences(argvs(TABLES[table])) == []


# --- Sequences by chance, with thresholds so low that hashes change their form on the way

KEYS = st.sampled_from([b"h", b"g"])
FIELDS = st.sampled_from([b"a", b"b", b"c", b"d", b"12", b"-7", b"long field"])
NUMBERS = st.sampled_from([b"0", b"1", b"-1", b"25", b"9223372036854775807", b"-9223372036854775808", b"x", b""])
FLOATS = st.sampled_from([b"0.1", b"1e3", b"-2.25", b"7", b"inf", b"x"])
VALUES = st.one_of(NUMBERS, FLOATS, st.binary(max_size=4), st.just(b"longer than the limit"))


def command(name: bytes, *arguments: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.tuples(st.just(name), *arguments).map(list)


COMMANDS = st.one_of(
    command(b"HSET", KEYS, FIELDS, VALUES),
    command(b"HSET", KEYS, FIELDS, VALUES, FIELDS, VALUES),
    command(b"HMSET", KEYS, FIELDS, VALUES, FIELDS, VALUES, FIELDS, VALUES),
    command(b"HSETNX", KEYS, FIELDS, VALUES),
    command(b"HDEL", KEYS, FIELDS),
    command(b"HDEL", KEYS, FIELDS, FIELDS),
    command(b"HINCRBY", KEYS, FIELDS, NUMBERS),
    command(b"HINCRBYFLOAT", KEYS, FIELDS, FLOATS),
    command(b"HMGET", KEYS, FIELDS, FIELDS),
    *[command(name, KEYS, FIELDS) for name in (b"HGET", b"HEXISTS", b"HSTRLEN")],
    *[command(name, KEYS) for name in (b"HGETALL", b"HKEYS", b"HVALS", b"HLEN", b"EXISTS", b"DUMP")],
    command(b"HRANDFIELD", KEYS, st.just(b"100"), st.just(b"WITHVALUES")),
    command(b"HSCAN", KEYS, st.just(b"0"), st.just(b"COUNT"), st.just(b"1000")),
    command(b"OBJECT", st.just(b"ENCODING"), KEYS),
    command(b"COPY", KEYS, KEYS, st.just(b"REPLACE")),
    command(b"DEL", KEYS),
)
# A big hash has its fields in no particular order.
UNORDERED: Final = (b"HGETALL", b"HKEYS", b"HVALS", b"HRANDFIELD", b"HSCAN")


def parsed(raw: bytes) -> Reply:
    parser = ReplyParser()
    parser.feed(raw)
    reply = parser.next_reply()
    assert parser.next_reply() is not None
    return reply


def flattened(reply: Reply) -> list[bytes]:
    if isinstance(reply, MapReply):
        reply = reply.items
    if isinstance(reply, (list, tuple)):
        flat: list[bytes] = []
        for item in reply:
            flat += flattened(item)
        return flat
    assert isinstance(reply, bytes)
    return [reply]


def comparable(argv: Argv, raw: bytes) -> object:
    """The reply; of what has no order, its type and size, and its fields and values sorted."""
    if argv[0] == b"DUMP":
        return raw[:1]  # compressed or not, and in another order
    if argv[0] not in UNORDERED or raw[:1] == b"-":
        return raw
    flat = flattened(parsed(raw))
    if argv[0] in (b"HKEYS", b"HVALS"):
        return raw.split(b"\r\n")[0], sorted(flat)
    cursor = flat[: len(flat) % 2]
    pairs = flat[len(cursor) :]
    return raw.split(b"\r\n")[0], cursor, sorted(zip(pairs[0::2], pairs[1::2], strict=True))


@pytest.fixture
def low_thresholds(pair: Pair) -> Iterator[Pair]:
    names = (b"hash-max-listpack-entries", b"hash-max-listpack-value")
    pair.both([[b"CONFIG", b"SET", names[0], b"3", names[1], b"10"]])
    yield pair
    pair.both([[b"CONFIG", b"SET", names[0], b"128", names[1], b"64"]])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.sampled_from([b"2", b"3"]), st.lists(COMMANDS, min_size=1, max_size=60))
def test_random_sequences(low_thresholds: Pair, resp: bytes, commands: list[list[bytes]]) -> None:
    pair = low_thresholds
    pair.reset()
    pair.both([[b"HELLO", resp]])
    everything = [*commands, [b"DBSIZE"], [b"DEBUG", b"DIGEST"]]
    for argv, (expected, got) in zip(everything, pair.both(everything), strict=True):
        assert comparable(argv, got) == comparable(argv, expected), argv


def test_a_big_hash_is_scanned_whole(pair: Pair) -> None:
    fields = [word for number in range(1000) for word in (b"field:%d" % number, b"%d" % number)]
    pair.both([[b"HSET", b"h", *fields]])
    for which in (0, 1):
        seen: set[bytes] = set()
        cursor = b"0"
        while True:
            reply = parsed(pair.both([[b"HSCAN", b"h", cursor, b"MATCH", b"*[05]", b"COUNT", b"20"]])[0][which])
            assert isinstance(reply, list)
            cursor, *found = flattened(reply)
            assert all(field == b"field:" + value for field, value in zip(found[0::2], found[1::2], strict=True))
            seen.update(found[1::2])
            if cursor == b"0":
                break
        assert seen == {b"%d" % number for number in range(0, 1000, 5)}
