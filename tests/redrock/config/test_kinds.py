"""Kinds of directive: text to value, value to text, and what CONFIG REWRITE writes.

The texts of refusals are compared with redis-server's in tests/differential/test_config.py; here, that there is one.
"""

import pytest

from redrock.config.kinds import (
    Choice,
    Choices,
    Integer,
    Kind,
    Memory,
    Octal,
    Secret,
    SecretText,
    Text,
    YesNo,
    decode_text,
    encode_text,
)
from redrock.config.numbers import LLONG_MAX, ULLONG_MAX

SHUTDOWN = Choices("default", "save", "nosave", "now", check=lambda words: "no" if "nosave" in words else None)
OOM = Choice("no", "yes", "relative", synonyms={"relative": "yes"})
PERCENT = Memory(-100, LLONG_MAX, percent=True)
MINUS_ONE = Memory(0, LLONG_MAX, minus_one=True)


@pytest.mark.parametrize(
    ("kind", "text", "value", "printed"),
    [
        (YesNo(), b"yes", True, b"yes"),
        (YesNo(), b"NO", False, b"no"),
        (YesNo(), b"yes\0", True, b"yes"),
        (Text(), b"", "", b""),
        (Text(), b"a b", "a b", b"a b"),
        (Text(), b"a\0b", "a", b"a"),
        (Text(), b"\xff\xc3\xa4", "\udcff\u00e4", b"\xff\xc3\xa4"),
        (Secret(), b"a\0b\xff", b"a\0b\xff", b"a\0b\xff"),
        (SecretText(), b"a\0b", b"a", b"a"),
        (OOM, b"Relative", "yes", b"yes"),
        (OOM, b"no", "no", b"no"),
        (SHUTDOWN, b"NOW", ("now",), b"now"),
        (SHUTDOWN, b"default", ("default",), b"default"),
        (Integer(-5, 70), b"-5", -5, b"-5"),
        (Integer(-5, 70), b"70", 70, b"70"),
        (Integer(0, 1000, clamp=(1, 500)), b"0", 1, b"1"),
        (Integer(0, 1000, clamp=(1, 500)), b"1000", 500, b"500"),
        (Octal(0, 0o777), b"755", 0o755, b"755"),
        (Memory(0, ULLONG_MAX), b"10mb", 10 << 20, b"10485760"),
        (Memory(0, ULLONG_MAX), b"18446744073709551615", ULLONG_MAX, b"18446744073709551615"),
        (Memory(0, 10), b"kb", 0, b"0"),
        (PERCENT, b"5%", -5, b"5%"),
        (PERCENT, b"100%", -100, b"100%"),
        (PERCENT, b"7", 7, b"7"),
        # To Redis a size with the highest bit set is a negative number, and a negative number is a share.
        (PERCENT, b"18446744073709551615", -1, b"1%"),
        (MINUS_ONE, b"-1", -1, b"-1"),
        (MINUS_ONE, b"1kb", 1024, b"1024"),
    ],
)
def test_text_to_value_and_back(kind: Kind, text: bytes, value: object, printed: bytes) -> None:
    assert kind.parse([text], None) == value
    assert type(kind.parse([text], None)) is type(value)
    assert kind.format(value) == printed
    assert kind.parse([printed], None) == value


@pytest.mark.parametrize(
    ("kind", "args"),
    [
        (YesNo(), [b"true"]),
        (YesNo(yes_refused="never"), [b"yes"]),
        (Text(lambda text: "no" if text == "x" else None), [b"x"]),
        (OOM, [b"maybe"]),
        (OOM, [b"no", b"yes"]),
        (SHUTDOWN, []),
        (SHUTDOWN, [b""]),
        (SHUTDOWN, [b"now", b"later"]),
        (SHUTDOWN, [b"nosave"]),
        (Integer(-5, 70), [b"-6"]),
        (Integer(-5, 70), [b"71"]),
        (Integer(-5, 70), [b"+1"]),
        (Integer(-5, 70), [b"1 "]),
        (Integer(-5, 70), [b""]),
        (Octal(0, 0o777), [b"1000"]),
        (Octal(0, 0o777), [b"-1"]),
        (Octal(0, 0o777), [b"9"]),
        (Memory(0, LLONG_MAX), [b"18446744073709551615"]),
        (Memory(1, LLONG_MAX), [b"0"]),
        (Memory(0, LLONG_MAX), [b"-1"]),
        (Memory(0, LLONG_MAX), [b"1tb"]),
        (Memory(0, LLONG_MAX), [b"5%"]),
        (PERCENT, [b"101%"]),
        (PERCENT, [b"-5%"]),
        (PERCENT, [b"%"]),
        (PERCENT, [b"9223372036854775808"]),
        (MINUS_ONE, [b"-2"]),
    ],
)
def test_refusals(kind: Kind, args: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        kind.parse(args, None)


def test_several_choices_come_in_the_order_of_the_table() -> None:
    assert SHUTDOWN.parse([b"now", b"SAVE", b"default"], None) == ("save", "now")
    assert SHUTDOWN.format(("save", "now")) == b"save now"


@pytest.mark.parametrize(
    ("kind", "value", "default", "lines"),
    [
        (YesNo(), True, True, [(b"x yes", False)]),
        (YesNo(), False, True, [(b"x no", True)]),
        (Text(), "", "", []),
        (Text(), 'a "b"', "", [(b'x "a \\"b\\""', True)]),
        (Text(may_be_empty=True), "", "redis", [(b'x ""', True)]),
        (Text(may_be_empty=True), "redis", "redis", [(b'x "redis"', False)]),
        (Secret(), b"", b"", []),
        (Secret(), b"\xff\n", b"", [(b'x "\\xff\\n"', True)]),
        (Choice("a", "b"), "b", "a", [(b"x b", True)]),
        (SHUTDOWN, ("save", "now"), ("default",), [(b"x save now", True)]),
        (Integer(0, 9), 1, 1, [(b"x 1", False)]),
        (Octal(0, 0o777), 0o700, 0, [(b"x 700", True)]),
        (Memory(0, ULLONG_MAX), 10 << 20, 0, [(b"x 10mb", True)]),
        (Memory(0, ULLONG_MAX), 0, 0, [(b"x 0", False)]),
        (PERCENT, -5, 0, [(b"x 5%", True)]),
        (MINUS_ONE, -1, -1, [(b"x -1", False)]),
    ],
)
def test_lines_of_a_file(kind: Kind, value: object, default: object, lines: list[tuple[bytes, bool]]) -> None:
    assert kind.file_lines(b"x", value, default) == lines


def test_any_bytes_survive_as_text() -> None:
    every_byte = bytes(range(256))
    assert encode_text(decode_text(every_byte)) == every_byte
