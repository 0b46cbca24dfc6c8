"""Cases by hand; tests/differential/test_quoting.py compares with a real redis-server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.util.quoting import quote, split_args


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (b"", []),
        (b" \t\r\n", []),
        (b"set k v", [b"set", b"k", b"v"]),
        (b"  a   b  ", [b"a", b"b"]),
        (b"\"\" ''", [b"", b""]),
        (b'a"b c" d', [b"ab c", b"d"]),
        (b"a'b c' d", [b"ab c", b"d"]),
        (b'"\\x41\\x0g\\n\\r\\t\\a\\b\\q\\""', [b'Ax0g\n\r\t\a\bq"']),
        (b"'\\x41 \\' \\n'", [b"\\x41 ' \\n"]),
        (b"\\x41", [b"\\x41"]),
        (b"a\vb\fc", [b"a\vb\fc"]),
        (b"\va", [b"a"]),
        (b'"a"\vb', [b"a", b"b"]),
        (b"a\0 b", [b"a"]),
        (b'"\\x4', None),
        (b'"a', None),
        (b"'a", None),
        (b'"a"b', None),
        (b"'a'b", None),
        (b'"a\\"', None),
        (b'"a\0"', None),
        (b'"\\', None),
    ],
)
def test_split_args(line: bytes, arguments: list[bytes] | None) -> None:
    assert split_args(line) == arguments


def test_quote() -> None:
    assert quote(b"") == b'""'
    assert quote(b'a "b" \\ \n\r\t\a\b\v\0\x7f\xff~') == b'"a \\"b\\" \\\\ \\n\\r\\t\\a\\b\\x0b\\x00\\x7f\\xff~"'


@given(st.lists(st.binary()))
def test_quoted_arguments_come_back(arguments: list[bytes]) -> None:
    assert split_args(b" ".join(quote(argument) for argument in arguments)) == arguments
