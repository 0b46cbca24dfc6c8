"""Cursors and options of the SCAN family. Whole replies are compared with redis-server's elsewhere."""

import pytest

from redrock import errors
from redrock.commands.scan_arguments import ScanArguments, parse_cursor
from redrock.errors import ReplyError

HIGHEST = 2**64 - 1


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        (b"0", 0),
        (b"17", 17),
        (b"007", 7),
        (b"", 0),
        (b"+5", 5),
        (b"-1", HIGHEST),
        (b"18446744073709551615", HIGHEST),
        (b"5\0whatever", 5),
        (b"\0", 0),
        (b"0" * 5000 + b"3", 3),
    ],
)
def test_cursors(text: bytes, cursor: int) -> None:
    assert parse_cursor(text) == cursor


@pytest.mark.parametrize("text", [b"x", b"1x", b" 1", b"1 ", b"+", b"-", b"18446744073709551616", b"9" * 5000, b"1.5"])
def test_no_cursors(text: bytes) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_cursor(text)
    assert caught.value.text == b"ERR invalid cursor"


def arguments(text: bytes, takes_type: bool = False) -> ScanArguments:
    return ScanArguments([b"HSCAN", b"h", b"0", *text.split()], 3, takes_type)


def test_options() -> None:
    plain = arguments(b"")
    assert (plain.count, plain.pattern, plain.type_name) == (10, None, None)
    given = arguments(b"match a* COUNT 7 TYPE string count 8", takes_type=True)
    assert (given.count, given.pattern, given.type_name) == (8, b"a*", b"string")
    assert arguments(b"MATCH *").pattern is None


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (b"COUNT", errors.SYNTAX),
        (b"COUNT 0", errors.SYNTAX),
        (b"COUNT x", errors.NOT_AN_INTEGER),
        (b"TYPE hash", errors.SYNTAX),
        (b"MATCH a foo", errors.SYNTAX),
    ],
)
def test_refused_options(text: bytes, error: bytes) -> None:
    with pytest.raises(ReplyError) as caught:
        arguments(text)
    assert caught.value.text == error
