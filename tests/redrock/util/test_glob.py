"""Cases by hand; tests/differential/test_glob.py compares random patterns with a real redis-server."""

import fnmatch
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.util.glob import match


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (b"", b"", True),
        (b"", b"a", False),
        (b"*", b"", False),
        (b"*", b"abc", True),
        (b"a*", b"a", True),
        (b"a**", b"a", True),
        (b"*a", b"ba", True),
        (b"*a", b"ab", False),
        (b"*a*b", b"aaxb", True),
        (b"a*b*c", b"a-b-b-c", True),
        (b"a*b*c", b"a-c-b", False),
        (b"h?llo", b"hello", True),
        (b"h?llo", b"hllo", False),
        (b"h[ae]llo", b"hallo", True),
        (b"h[ae]llo", b"hillo", False),
        (b"h[^e]llo", b"hallo", True),
        (b"h[^e]llo", b"hello", False),
        (b"h[a-b]llo", b"hbllo", True),
        (b"h[b-a]llo", b"hallo", True),
        (b"[a-", b"-", True),
        (b"[a-]", b"-", False),
        (b"[", b"[", False),
        (b"[abc", b"b", True),
        (b"[^", b"x", True),
        (b"[]", b"]", False),
        (b"[^]", b"x", True),
        (b"[\\]]", b"]", True),
        (b"[]a]", b"a]", False),
        (b"\\*", b"*", True),
        (b"\\*", b"a", False),
        (b"a\\", b"a\\", True),
        (b"[a-\xff]", b"Z", True),
        (b"[a-\xff]", b"b", False),
        (b"[\x80-\xff]", b"\xc3", True),
        (b"a\0*", b"a\0b", True),
    ],
)
def test_match(pattern: bytes, text: bytes, matches: bool) -> None:
    assert match(pattern, text) is matches


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        (b"HeLLo", b"hEllO", True),
        (b"[A-C]x", b"bX", True),
        (b"[b]", b"B", True),
        (b"\\A", b"a", True),
        (b"[\\A]", b"a", False),
        (b"@", b"`", False),
        (b"\xc0", b"\xe0", False),
    ],
)
def test_without_case(pattern: bytes, text: bytes, matches: bool) -> None:
    assert match(pattern, text, True) is matches


@given(st.text("ab*?", max_size=10), st.text("ab", min_size=1, max_size=10))
def test_like_the_standard_library(pattern: str, text: str) -> None:
    expected = re.match(fnmatch.translate(pattern), text) is not None
    assert match(pattern.encode(), text.encode()) is expected


def test_many_stars_do_not_explode() -> None:
    start = time.process_time()
    assert not match(b"a*" * 50 + b"b", b"a" * 2000)
    # Unguarded backtracking would not end in a lifetime.
    assert time.process_time() - start < 10
