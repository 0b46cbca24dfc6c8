"""Requests whole, in pieces, in any split. Errors are compared with redis-server in tests/differential."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.errors import ProtocolError
from redrock.resp.encoder import encode_command
from redrock.resp.request_parser import RequestParser

PING = b"*1\r\n$4\r\nPING\r\n"

TABLE: list[tuple[bytes, list[list[bytes]]]] = [
    (PING, [[b"PING"]]),
    (PING * 3, [[b"PING"]] * 3),
    (b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n", [[b"GET", b""]]),
    (b"*1\r\n$6\r\n\r\n\0*1\r\r\n", [[b"\r\n\0*1\r"]]),
    (b"*0\r\n*-1\r\n*-99\r\n" + PING, [[b"PING"]]),
    (b"PING\r\n", [[b"PING"]]),
    (b"PING\n", [[b"PING"]]),
    (b"\r\n\n  \r\nset 'a b' \"\\x00\"\r\n" + PING, [[b"set", b"a b", b"\0"], [b"PING"]]),
    (b"*1\rX$4\rXPINGXX", [[b"PING"]]),
    (encode_command([b"a"] * 11), [[b"a"] * 11]),
    (
        encode_command([b"x" * n for n in (1, 9, 10, 99, 100, 16384, 16385, 40000)]) + PING,
        [
            [b"x" * n for n in (1, 9, 10, 99, 100, 16384, 16385, 40000)],
            [b"PING"],
        ],
    ),
    (b"a" * 65536 + b"\n", [[b"a" * 65536]]),
]


def drain(parser: RequestParser) -> list[list[bytes]]:
    requests = []
    while (argv := parser.next_request()) is not None:
        requests.append(argv)
    return requests


def feed_in_pieces(parser: RequestParser, data: bytes, size: int, got: list[list[bytes]]) -> None:
    for position in range(0, len(data), size):
        parser.feed(data[position : position + size])
        while (argv := parser.next_request()) is not None:
            got.append(argv)


@pytest.mark.parametrize(("data", "requests"), TABLE, ids=lambda value: repr(value)[:30])
def test_whole_and_with_trailing_bytes(data: bytes, requests: list[list[bytes]]) -> None:
    parser = RequestParser()
    parser.feed(data)
    assert drain(parser) == requests
    assert (parser.consumed, parser.buffered_bytes()) == (len(data), 0)
    parser = RequestParser()
    parser.feed(data + b"*2\r\n$3\r\nGET\r\n$5\r\nab")
    assert drain(parser) == requests
    assert (parser.consumed, parser.buffered_bytes()) == (len(data), 2)
    assert (parser.missing_bytes(), parser.pending_argv_bytes()) == (5, 3)
    parser.feed(b"cde\r")
    assert drain(parser) == []
    parser.feed(b"\n")
    assert drain(parser) == [[b"GET", b"abcde"]]


@pytest.mark.parametrize(("data", "requests"), TABLE, ids=lambda value: repr(value)[:30])
def test_byte_by_byte(data: bytes, requests: list[list[bytes]]) -> None:
    parser = RequestParser()
    got = []
    for position in range(len(data)):
        parser.feed(data[position : position + 1])
        got += drain(parser)
    assert got == requests
    assert (parser.consumed, parser.buffered_bytes()) == (len(data), 0)


@given(
    st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=12), max_size=6),
    st.lists(st.integers(1, 60), max_size=200),
    st.lists(st.booleans(), min_size=1, max_size=20),
)
def test_any_split(requests: list[list[bytes]], sizes: list[int], drains: list[bool]) -> None:
    data = b"\r\n".join([encode_command(argv) for argv in requests])
    parser = RequestParser()
    got = []
    position = 0
    for turn, size in enumerate([*sizes, len(data)]):
        parser.feed(data[position : position + size])
        position = min(position + size, len(data))
        if drains[turn % len(drains)]:
            got += drain(parser)
            assert got == requests[: len(got)]
            taken = b"\r\n".join([encode_command(argv) for argv in got])
            assert parser.consumed == len(taken)
    assert got + drain(parser) == requests
    assert (parser.consumed, parser.buffered_bytes()) == (len(data), 0)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"*x\r\n", b"invalid multibulk length"),
        (b"*2147483648\r\n", b"invalid multibulk length"),
        (b"*" + b"1" * 65536, b"too big mbulk count string"),
        (b"*1\r\n$" + b"1" * 65536, b"too big bulk count string"),
        (b"*1\r\n$-1\r\n", b"invalid bulk length"),
        (b"*1\r\n$536870913\r\n", b"invalid bulk length"),
        (b"*1\r\nPING\r\n", b"expected '$', got 'P'"),
        (b"*1\r\n\r\n", b"expected '$', got ' '"),
        (b"PING 'a\r\n", b"unbalanced quotes in request"),
        (b"x" * 65537, b"too big inline request"),
        (b"x\0" + b"\r\n" * 40000, b"too big inline request"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_errors(data: bytes, text: bytes) -> None:
    for size in (len(data), 1000, 1):
        parser = RequestParser()
        parser.feed(PING)
        got: list[list[bytes]] = []
        with pytest.raises(ProtocolError) as caught:
            feed_in_pieces(parser, data, size, got)
        assert caught.value.text == b"ERR Protocol error: " + text
        # What came before the error has been answered.
        assert got == [[b"PING"]]


def test_lines_of_the_maximal_length_are_waited_for() -> None:
    for start in (b"x" * 65536, b"*" + b"1" * 65535, b"*1\r\n$" + b"1" * 65535):
        parser = RequestParser()
        parser.feed(start)
        assert parser.next_request() is None


def test_limits_before_authentication() -> None:
    for data, text in (
        (b"*11\r\n", b"ERR Protocol error: unauthenticated multibulk length"),
        (b"*1\r\n$16385\r\n", b"ERR Protocol error: unauthenticated bulk length"),
    ):
        parser = RequestParser()
        parser.authenticated = False
        within = encode_command([b"x" * 16384] * 10)
        parser.feed(within)
        assert len(drain(parser)) == 1
        parser.feed(data)
        with pytest.raises(ProtocolError) as caught:
            parser.next_request()
        assert caught.value.text == text
        parser = RequestParser()
        parser.feed(data)
        assert parser.next_request() is None


def test_the_limit_of_a_bulk_string_can_be_set() -> None:
    parser = RequestParser()
    parser.proto_max_bulk_len = 5
    parser.feed(b"*2\r\n$5\r\nabcde\r\n$6\r\n")
    with pytest.raises(ProtocolError) as caught:
        parser.next_request()
    assert caught.value.text == b"ERR Protocol error: invalid bulk length"


def test_the_leader_is_trusted_with_lengths_but_not_with_words() -> None:
    parser = RequestParser()
    parser.trusted = True
    parser.proto_max_bulk_len = 5
    parser.feed(b"\n" + encode_command([b"SET", b"k", b"123456"]) + b"\r\n*1\r\n$9223372036854775807\r\nabc")
    assert drain(parser) == [[b"SET", b"k", b"123456"]]
    assert (parser.blank_lines, parser.buffered_bytes()) == (2, 3)
    parser = RequestParser()
    parser.trusted = True
    parser.feed(b"PING\r\n")
    with pytest.raises(ProtocolError) as caught:
        parser.next_request()
    assert caught.value.text == b"Master using the inline protocol. Desync?"


def test_blank_lines_are_counted() -> None:
    parser = RequestParser()
    parser.feed(b"\n\r\n  \nPING\r\n\n")
    assert drain(parser) == [[b"PING"]]
    assert parser.blank_lines == 3


def test_a_big_argument_is_held_once() -> None:
    size = 8_000_000
    piece = b"v" * 65536
    parser = RequestParser()
    parser.feed(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\nv" % size)
    assert parser.next_request() is None
    assert parser.missing_bytes() == size + 1
    tracemalloc.start()
    while parser.missing_bytes() > 2:
        # A fresh object each time, as from a socket.
        parser.feed(bytes(bytearray(piece[: parser.missing_bytes() - 2])))
        assert parser.next_request() is None
    parser.feed(b"\r\n")
    argv = parser.next_request()
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert argv is not None
    assert argv[2] == b"v" * size
    # The pieces and the argument that they are joined to, for a moment.
    assert held < size * 1.1
    assert peak < size * 2.2
    assert parser.buffered_bytes() == 0


def test_an_announcement_allocates_nothing() -> None:
    tracemalloc.start()
    parser = RequestParser()
    parser.feed(b"*2147483647\r\n$536870912\r\nabc")
    assert parser.next_request() is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


@pytest.mark.parametrize("wrong", [b"*x\r\nPING\r\n", b"*1\r\n$x\r\nPING\r\n", b"set 'a\r\nPING\r\n", b"a" * 70000])
def test_it_complains_again_when_asked_again(wrong: bytes) -> None:
    parser = RequestParser()
    parser.feed(b"PING\r\n" + wrong)
    assert parser.next_request() == [b"PING"]
    texts = []
    for _ in range(3):
        with pytest.raises(ProtocolError) as caught:
            parser.next_request()
        texts.append(caught.value.text)
    assert len(set(texts)) == 1
