"""Integers and the options of SET and GETEX."""

import pytest

from redrock import errors
from redrock.commands.arguments import (
    EX,
    EXAT,
    GET,
    KEEPTTL,
    NX,
    PERSIST,
    PX,
    PXAT,
    XX,
    StringOptions,
    expire_at_ms,
    int32,
    integer,
)
from redrock.errors import ReplyError

NOW_MS = 1_700_000_000_000
INT64_MAX = 2**63 - 1


def refusal(*arguments: bytes, for_set: bool = True) -> bytes:
    """The error that the options are refused with."""
    with pytest.raises(ReplyError) as caught:
        StringOptions(list(arguments), 0, for_set).expire_at_ms(NOW_MS, b"set")
    return caught.value.text


def test_integer() -> None:
    assert integer(b"-9223372036854775808") == -(2**63)
    for text in (b"", b"1.5", b" 1", b"9223372036854775808"):
        with pytest.raises(ReplyError) as caught:
            integer(text)
        assert caught.value.text == errors.NOT_AN_INTEGER


@pytest.mark.parametrize(
    ("text", "error"),
    [(b"x", errors.NOT_AN_INTEGER), (b"2147483648", errors.NOT_AN_INT32), (b"-2147483649", errors.NOT_AN_INT32)],
)
def test_int32(text: bytes, error: bytes) -> None:
    assert (int32(b"2147483647"), int32(b"-2147483648")) == (2**31 - 1, -(2**31))
    with pytest.raises(ReplyError) as caught:
        int32(text)
    assert caught.value.text == error
    with pytest.raises(ReplyError) as caught:
        int32(text, b"ERR something of its own")
    assert caught.value.text == b"ERR something of its own"


@pytest.mark.parametrize(
    ("amount", "seconds", "base_ms", "at_ms"),
    [
        (b"1", True, 0, 1000),
        (b"1", False, 0, 1),
        (b"10", True, NOW_MS, NOW_MS + 10_000),
        (b"10", False, NOW_MS, NOW_MS + 10),
        (b"9223372036854775", True, 0, 9223372036854775000),
        (b"9223372036854775807", False, 0, INT64_MAX),
        (b"%d" % (INT64_MAX - NOW_MS), False, NOW_MS, INT64_MAX),
    ],
)
def test_expire_at(amount: bytes, seconds: bool, base_ms: int, at_ms: int) -> None:
    assert expire_at_ms(amount, seconds, base_ms, b"set") == at_ms


@pytest.mark.parametrize(
    ("amount", "seconds", "base_ms"),
    [
        (b"0", True, 0),
        (b"-1", False, NOW_MS),
        (b"9223372036854776", True, 0),
        (b"9223372036854775", True, NOW_MS),
        (b"%d" % (INT64_MAX - NOW_MS + 1), False, NOW_MS),
    ],
)
def test_expire_at_refuses(amount: bytes, seconds: bool, base_ms: int) -> None:
    with pytest.raises(ReplyError) as caught:
        expire_at_ms(amount, seconds, base_ms, b"getex")
    assert caught.value.text == b"ERR invalid expire time in 'getex' command"


@pytest.mark.parametrize(
    ("text", "flags", "at_ms"),
    [
        (b"", 0, -1),
        (b"nx GET", NX | GET, -1),
        (b"XX XX KeepTTL", XX | KEEPTTL, -1),
        (b"EX 5", EX, NOW_MS + 5000),
        (b"px 5 PX 7", PX, NOW_MS + 7),
        (b"EXAT 5 NX", EXAT | NX, 5000),
        (b"PXAT 5", PXAT, 5),
    ],
)
def test_options_of_set(text: bytes, flags: int, at_ms: int) -> None:
    options = StringOptions([b"SET", b"k", b"v", *text.split()], 3, True)
    assert options.flags == flags
    assert options.expire_at_ms(NOW_MS, b"set") == at_ms


def test_options_of_getex() -> None:
    assert StringOptions([b"GETEX", b"k", b"persist"], 2, False).flags == PERSIST
    assert StringOptions([b"GETEX", b"k", b"PXAT", b"9"], 2, False).expire_at_ms(NOW_MS, b"getex") == 9


@pytest.mark.parametrize(
    "text",
    [
        "NX XX",
        "XX NX",
        "EX",
        "EX 1 PX 1",
        "PXAT 1 EXAT 1",
        "KEEPTTL EX 1",
        "EX 1 KEEPTTL",
        "PERSIST",
        "GET foo",
        "",
        "NX1",
    ],
)
def test_options_of_set_refuse(text: str) -> None:
    assert refusal(*text.encode().split(b" ")) == errors.SYNTAX


@pytest.mark.parametrize("text", ["NX", "XX", "GET", "KEEPTTL", "PERSIST EX 1", "EX 1 PERSIST", "EX", "foo"])
def test_options_of_getex_refuse(text: str) -> None:
    assert refusal(*text.encode().split(), for_set=False) == errors.SYNTAX


def test_the_time_is_looked_at_after_the_options() -> None:
    assert refusal(b"EX", b"x", b"foo") == errors.SYNTAX
    assert refusal(b"EX", b"x", b"NX") == errors.NOT_AN_INTEGER
    assert refusal(b"EX", b"0") == errors.invalid_expire_time(b"set")
