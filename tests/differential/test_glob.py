"""Patterns to redis-server and to our matcher. KEYS compares case, COMMAND LIST FILTERBY PATTERN does not."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from redrock.util.glob import match

PATTERNS = st.lists(
    st.sampled_from(
        [
            b"*",
            b"**",
            b"?",
            b"[",
            b"]",
            b"^",
            b"-",
            b"\\",
            b"a",
            b"b",
            b"c",
            b"[ab]",
            b"[^a]",
            b"[a-c]",
            b"[c-a]",
            b"\xff",
            b"\0",
        ]
    ),
    max_size=8,
).map(b"".join)
TEXTS = st.lists(
    st.sampled_from([b"a", b"b", b"c", b"-", b"]", b"[", b"\\", b"^", b"*", b"\xff", b"\0", b"A"]), max_size=7
).map(b"".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(PATTERNS, TEXTS), min_size=20, max_size=100))
@example(
    [(b"[", b"a"), (b"[^", b"a"), (b"[]", b"a"), (b"[^]", b"a"), (b"[\\", b"\\"), (b"a\\", b"a\\"), (b"[a-", b"-")]
)
@example([(b"[a-\xff]", b"b"), (b"[a-\xff]", b"A"), (b"[\x80-\xff]", b"\x90"), (b"[a-]]", b"]"), (b"[a-]b]", b"ab]")])
@example([(b"*", b""), (b"**", b""), (b"", b""), (b"", b"a"), (b"a**", b"a"), (b"*a*b", b"aab"), (b"*[^a]", b"a")])
def test_keys(oracle, cases: list[tuple[bytes, bytes]]) -> None:
    commands = []
    for pattern, text in cases:
        commands += [[b"FLUSHDB"], [b"SET", text, b""], [b"KEYS", pattern]]
    replies = oracle.exchange(commands)[2::3]
    for (pattern, text), reply in zip(cases, replies, strict=True):
        # KEYS does not ask the matcher for a lone star.
        if pattern != b"*":
            assert match(pattern, text) == (reply == [text]), (pattern, text)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(
            st.sampled_from(
                [b"*", b"?", b"G", b"e", b"[S-T]", b"[s-T]", b"[^S]", b"\\T", b"[\\T]", b"[sg]", b"T", b"x"]
            ),
            max_size=6,
        ).map(b"".join),
        min_size=5,
        max_size=20,
    )
)
@example([b"[A-z]*", b"[a-Z]*", b"[Z-a]*", b"*S*T", b"[\\G]ET", b"[\\g]ET", b"\\GET", b"g?t[RD]*"])
def test_without_case(oracle, patterns: list[bytes]) -> None:
    replies = oracle.exchange(
        [[b"COMMAND", b"LIST"], *([b"COMMAND", b"LIST", b"FILTERBY", b"PATTERN", p] for p in patterns)]
    )
    names = replies[0]
    assert isinstance(names, list)
    assert len(names) > 200
    for pattern, reply in zip(patterns, replies[1:], strict=True):
        assert isinstance(reply, list)
        assert sorted(n for n in names if match(pattern, n, nocase=True)) == sorted(reply), pattern
