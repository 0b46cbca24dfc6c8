"""LCS against the textbook's table, walked back as Redis does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock import errors
from redrock.commands.string_lcs import _collect_matches, _growth_rows, _subsequence, common_length
from redrock.resp.reply import MapReply, Reply

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner

Match = tuple[int, int, int]  # begin in a, begin in b, length
TEXTS = st.text("abc", max_size=40).map(str.encode)


def by_table(a: bytes, b: bytes) -> tuple[bytes, list[Match]]:
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            same = a[i - 1] == b[j - 1]
            table[i][j] = table[i - 1][j - 1] + 1 if same else max(table[i - 1][j], table[i][j - 1])
    i, j = len(a), len(b)
    backwards = b""
    matches: list[Match] = []
    while i and j:
        if a[i - 1] == b[j - 1]:
            i -= 1
            j -= 1
            backwards += a[i : i + 1]
            if matches and matches[-1][:2] == (i + 1, j + 1):
                matches[-1] = (i, j, matches[-1][2] + 1)
            else:
                matches.append((i, j, 1))
        elif table[i - 1][j] > table[i][j - 1]:
            i -= 1
        else:
            j -= 1
    assert len(backwards) == table[-1][-1]
    return backwards[::-1], matches


@given(TEXTS, TEXTS)
def test_same_as_the_table(a: bytes, b: bytes) -> None:
    subsequence, matches = by_table(a, b)
    rows = _growth_rows(a, b)
    assert common_length(a, b) == len(subsequence)
    assert _subsequence(a, b, rows) == subsequence
    found: list[Reply] = []
    assert _collect_matches(a, b, rows, found, 0, True) == len(subsequence)
    assert found == [[[i, i + n - 1], [j, j + n - 1], n] for i, j, n in matches]


def test_replies(runner: CommandRunner) -> None:
    runner.run("MSET", "a", "ohmytext", "b", "mynewtext")
    assert runner.run("LCS", "a", "b") == b"mytext"
    assert runner.run("LCS", "a", "b", "len") == 6
    reply = runner.run("LCS", "a", "b", "IDX", "MINMATCHLEN", "4", "WITHMATCHLEN")
    assert isinstance(reply, MapReply)
    assert reply.items == [b"matches", [[[4, 7], [5, 8], 4]], b"len", 6]
    assert runner.run("LCS", "a", "nosuch") == b""
    assert runner.propagated() == [[b"MSET", b"a", b"ohmytext", b"b", b"mynewtext"]]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("LEN IDX", errors.LCS_LENGTH_AND_INDEXES),
        ("foo", errors.SYNTAX),
        ("MINMATCHLEN", errors.SYNTAX),
        ("MINMATCHLEN x", errors.NOT_AN_INTEGER),
    ],
)
def test_refusals(runner: CommandRunner, options: str, error: bytes) -> None:
    assert runner.run("LCS", "a", "b", *options.split()) == error


def test_other_types_come_before_options(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "f", "v")
    assert runner.run("LCS", "h", "a", "foo") == errors.LCS_NOT_STRINGS
    assert runner.run("LCS", "a", "h", "foo") == errors.LCS_NOT_STRINGS


def test_the_table_that_redis_would_need_is_limited(runner: CommandRunner) -> None:
    runner.run("MSET", "a", "x" * 99, "b", "x" * 99)
    runner.settings.proto_max_bulk_len = 100 * 100 * 4
    assert runner.run("LCS", "a", "b", "LEN") == 99
    runner.settings.proto_max_bulk_len -= 1
    assert runner.run("LCS", "a", "b", "LEN") == errors.LCS_TOO_MUCH_MEMORY
