import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.errors import ProtocolError
from redrock.resp.encoder import encode_reply
from redrock.resp.reply import (
    NULL_ARRAY,
    Attributed,
    BigNumber,
    ErrorReply,
    MapReply,
    PushReply,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from redrock.resp.reply_parser import DEPTH_MAX, NEED_MORE, NeedMore, ReplyParser


def drain(parser: ReplyParser) -> list[Reply]:
    replies = []
    while not isinstance(reply := parser.next_reply(), NeedMore):
        replies.append(reply)
    return replies


def feed_in_pieces(parser: ReplyParser, data: bytes, size: int) -> None:
    for position in range(0, len(data), size):
        parser.feed(data[position : position + size])
        parser.next_reply()


def shape(reply: Reply) -> object:
    """Something that compares: replies of the same kind and content have the same shape."""
    if isinstance(reply, list | tuple):
        return [shape(item) for item in reply]
    if isinstance(reply, MapReply | SetReply | PushReply):
        return type(reply).__name__, [shape(item) for item in reply.items]
    if isinstance(reply, Attributed):
        return "Attributed", [shape(item) for item in reply.attributes], shape(reply.reply)
    if isinstance(reply, Status | ErrorReply):
        return type(reply).__name__, reply.text
    if isinstance(reply, Verbatim):
        return "Verbatim", reply.kind, reply.text
    if isinstance(reply, BigNumber):
        return "BigNumber", reply.digits
    return type(reply).__name__, reply


def test_table(table_row: tuple[Reply, bytes, bytes]) -> None:
    reply, resp2, resp3 = table_row
    for data, resp in ((resp2, 2), (resp3, 3)):
        for size in (len(data), 1):
            parser = ReplyParser()
            got = []
            for position in range(0, len(data), size):
                assert got == []
                parser.feed(data[position : position + size])
                got += drain(parser)
            assert len(got) == 1
            assert encode_reply(got[0], resp) == data
            assert (parser.consumed, parser.buffered_bytes()) == (len(data), 0)
    if reply is not NULL_ARRAY:
        assert shape(got[0]) == shape(reply)


def test_trailing_bytes_wait() -> None:
    parser = ReplyParser()
    parser.feed(b"+OK\r\n$5\r\nab")
    assert [shape(reply) for reply in drain(parser)] == [("Status", b"OK")]
    assert (parser.consumed, parser.missing_bytes(), parser.buffered_bytes()) == (5, 5, 2)
    parser.feed(b"cde\r\n:1")
    assert drain(parser) == [b"abcde"]
    parser.feed(b"\r\n")
    assert drain(parser) == [1]
    assert parser.next_reply() is NEED_MORE


def test_what_follows_can_be_taken_as_it_is() -> None:
    parser = ReplyParser()
    parser.feed(b"+CONTINUE\r\n*3\r\n$3")
    parser.next_reply()
    assert parser.take_rest() == b"*3\r\n$3"
    assert parser.buffered_bytes() == 0


LEAVES = st.one_of(
    st.binary(max_size=30),
    st.integers(-(2**63), 2**63 - 1),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.text("ab c", max_size=9).map(lambda text: Status(text.encode())),
    st.text("ab c", max_size=9).map(lambda text: ErrorReply(text.encode())),
    st.binary(max_size=20).map(Verbatim),
    st.integers().map(lambda n: BigNumber(b"%d" % n)),
)


def collections(children: st.SearchStrategy[Reply]) -> st.SearchStrategy[Reply]:
    several = st.lists(children, max_size=4)
    pairs = st.lists(st.tuples(children, children), max_size=3).map(lambda rows: [x for row in rows for x in row])
    return st.one_of(
        several,
        several.map(SetReply),
        several.map(PushReply),
        pairs.map(MapReply),
        st.builds(Attributed, pairs, children),
    )


@given(st.lists(st.recursive(LEAVES, collections, max_leaves=12), max_size=4), st.lists(st.integers(1, 20)))
def test_any_reply_in_any_split(replies: list[Reply], sizes: list[int]) -> None:
    data = b"".join([encode_reply(reply, 3) for reply in replies])
    parser = ReplyParser()
    got = []
    position = 0
    for size in [*sizes, len(data)]:
        parser.feed(data[position : position + size])
        position += size
        got += drain(parser)
    assert [shape(reply) for reply in got] == [shape(reply) for reply in replies]
    assert (parser.consumed, parser.buffered_bytes()) == (len(data), 0)


def test_what_only_other_servers_send() -> None:
    parser = ReplyParser()
    parser.feed(b"!5\r\nERR x\r\n,nan\r\n,-nan\r\n,1e5\r\n(+5\r\n")
    error, nan, negative_nan, number, big = drain(parser)
    assert shape(error) == ("ErrorReply", b"ERR x")
    assert math.isnan(nan)
    assert math.isnan(negative_nan)
    assert number == 100000.0
    assert shape(big) == ("BigNumber", b"+5")


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"\n",
        b"x1\r\n",
        b"+OK\n",
        b":\r\n",
        b":1a\r\n",
        b":9223372036854775808\r\n",
        b"$\r\n",
        b"$-2\r\n",
        b"$?\r\n",
        b"$536870913\r\n",
        b"*-2\r\n",
        b"*2147483648\r\n",
        b"%-1\r\n",
        b"=-1\r\n",
        b"=3\r\ntxt\r\n",
        b"=5\r\ntxtab\r\n",
        b"$1\r\nabc",
        b"#x\r\n",
        b"_x\r\n",
        b",x\r\n",
        b"(1.5\r\n",
        b"*1\r\n" * (DEPTH_MAX + 1),
        b"+" + b"a" * (1024 * 1024 + 1),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_refused(data: bytes) -> None:
    for size in (len(data), 1) if len(data) < 10000 else (len(data), 65536):
        parser = ReplyParser()
        with pytest.raises(ProtocolError):
            feed_in_pieces(parser, data, size)


@given(
    st.lists(
        st.sampled_from(
            [b"*2\r\n", b"$1\r\na\r\n", b"%1\r\n", b":1\r\n", b"|1\r\n", b"\r\n", b"~0\r\n", b"\xff", b"$-1\r\n"]
        )
    )
)
def test_cut_short_or_wrong_never_gives_a_reply_of_other_bytes(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    parser = ReplyParser()
    parser.feed(data)
    again = b""
    try:
        for reply in iter(parser.next_reply, NEED_MORE):
            assert not isinstance(reply, NeedMore)
            again += encode_reply(reply, 3).replace(b"_\r\n", b"$-1\r\n")
    except ProtocolError:
        pass
    assert data.startswith(again)
