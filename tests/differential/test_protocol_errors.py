"""Requests, good and bad, to redis-server and to RequestParser: as many requests, and the same error at the end."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redrock.errors import ProtocolError
from redrock.resp.reply import ErrorReply
from redrock.resp.reply_parser import NeedMore, ReplyParser
from redrock.resp.request_parser import RequestParser

PING = b"*1\r\n$4\r\nPING\r\n"

CASES = [
    PING + PING,
    b"PING\r\nPING\n\r\n\n  \r\nping\n",
    b"*x\r\n",
    b"*\r\n",
    b"*+1\r\n",
    b"*01\r\n",
    b"* 1\r\n",
    b"*-0\r\n",
    b"*0\r\n*-1\r\n*-2147483649\r\n" + PING,
    b"*2147483647\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"*1000000000000000000000000000\r\n",
    b"*1\r\r$4\r\rPINGxx" + PING,
    b"*1\r",
    b"*1\r\n$4\r\nPING",
    b"*1\r\n$4\r\nPING\r",
    b"*1\r\nPING\r\n",
    b"*1\r\n\r\n$4\r\nPING\r\n",
    b"*1\r\n\n\r\n",
    b"*1\r\n:1\r\n",
    b"*1\r\n\xff1\r\n",
    b"*1\r\n$-1\r\n",
    b"*1\r\n$\r\n",
    b"*1\r\n$04\r\nPING\r\n",
    b"*1\r\n$0\r\n\r\n",
    b"*1\r\n$4x\r\nPING\r\n",
    b"*1\r\n$536870912\r\n",
    b"*1\r\n$536870913\r\n",
    b"*1\r\n$99999999999999999999999\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\n" + b"v" * 100 + b"\r\n" + PING,
    b"*11\r\n" + b"$4\r\nECHO\r\n" * 11,
    b"*" + b"1" * 70000,
    b"*1\r\n$" + b"1" * 70000,
    b"*1\r\n" + b"x" * 70000,
    b"a" * 70000,
    b"*1\0\r\n" + b"$4\r\nPING\r\n",
    b"*1\0\r\n" + b"x" * 70000,
    b"PING\0\r\n",
    b"PING \0\r\n" + b"x" * 70000,
    b"PING 'a\r\n",
    b'PING "a"b\r\n',
    PING + b"PING 'a\r\n" + PING,
    PING + b"*1\r\n%4\r\n" + PING,
]

PIECES = st.sampled_from(
    [
        b"*1\r\n",
        b"*2\r\n",
        b"*0\r\n",
        b"*-3\r\n",
        b"*",
        b"$4\r\n",
        b"ping",
        b"$4\r\nping\r\n",
        b"$0\r\n\r\n",
        b"$-1\r\n",
        b"$",
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b" ",
        b"'",
        b'"',
        b"\\x4a",
        b"ping 'a b'\r\n",
        b"\x80",
        b"10\r\n",
    ]
)


def outcome_of_parser(data: bytes, authenticated: bool = True) -> tuple[int, bytes]:
    """How many requests, and the text of the error or nothing."""
    parser = RequestParser()
    parser.authenticated = authenticated
    requests = 0
    try:
        # redis-server, too, reads at most this much at once from a new connection.
        for start in range(0, len(data), 16384):
            parser.feed(data[start : start + 16384])
            while parser.next_request() is not None:
                requests += 1
    except ProtocolError as error:
        return requests, error.text
    return requests, b""


def outcome_of_answer(answer: bytes) -> tuple[int, bytes]:
    """The same, of redis-server's replies: every request gets one, whatever it is."""
    parser = ReplyParser()
    parser.feed(answer)
    replies = 0
    while not isinstance(reply := parser.next_reply(), NeedMore):
        if isinstance(reply, ErrorReply) and reply.text.startswith(b"ERR Protocol error"):
            return replies, reply.text
        replies += 1
    assert parser.buffered_bytes() == 0
    return replies, b""


@pytest.mark.parametrize("data", CASES, ids=lambda data: repr(data[:40]))
def test_each_request(oracle, data: bytes) -> None:
    assert outcome_of_parser(data) == outcome_of_answer(oracle.answer_to(data))


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_random_requests(oracle, data: bytes) -> None:
    assert outcome_of_parser(data) == outcome_of_answer(oracle.answer_to(data))


@pytest.mark.parametrize(
    "data",
    [
        b"*10\r\n" + b"$1\r\na\r\n" * 10,
        b"*11\r\n",
        b"*1\r\n$16384\r\n" + b"a" * 16384 + b"\r\n",
        b"*1\r\n$16385\r\n",
        b"*2147483648\r\n",
        b"*1\r\n$536870913\r\n",
    ],
    ids=lambda data: repr(data[:20]),
)
def test_before_authentication(start_oracle: Callable, data: bytes) -> None:
    oracle = start_oracle("--requirepass", "secret")
    assert outcome_of_parser(data, authenticated=False) == outcome_of_answer(oracle.answer_to(data))
