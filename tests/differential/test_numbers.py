"""Numbers as text to redis-server and to our parsers and printers, in batches over one connection."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from redrock.resp.reply import ErrorReply
from redrock.util.long_double import parse_long_double
from redrock.util.numbers import format_float, parse_float, parse_integer, parse_unsigned

# Texts that are nearly numbers: the grammar's own letters, thrown together.
NEARLY_NUMBERS = st.text(alphabet="0123456789+-.eExXpPaAfFiInNtTyY \t\n\0_", max_size=12).map(str.encode)
INTEGERS = st.one_of(
    st.integers(-(2**66), 2**66).map(lambda n: b"%d" % n),
    st.integers(-(10**6), 10**6).map(lambda n: b"%d" % n),
    st.sampled_from([-(2**63), -(2**63) - 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64]).map(lambda n: b"%d" % n),
)
DECIMALS = st.builds(
    lambda sign, whole, fraction, exponent: sign + whole + fraction + exponent,
    st.sampled_from([b"", b"-", b"+"]),
    st.integers(0, 10**25).map(lambda n: b"%d" % n),
    st.one_of(st.just(b""), st.integers(0, 10**20).map(lambda n: b".%d" % n), st.just(b".")),
    st.one_of(
        st.just(b""), st.integers(-5050, 5050).map(lambda n: b"e%d" % n), st.integers(-30, 30).map(b"E%d".__mod__)
    ),
)
HEXADECIMALS = st.builds(
    lambda sign, whole, fraction, exponent: sign + b"0x" + whole + fraction + exponent,
    st.sampled_from([b"", b"-"]),
    st.integers(0, 2**80).map(lambda n: b"%x" % n),
    st.one_of(st.just(b""), st.integers(0, 2**70).map(lambda n: b".%x" % n)),
    st.one_of(
        st.just(b""), st.integers(-16600, 16500).map(lambda n: b"p%d" % n), st.integers(-99, 99).map(b"P%+d".__mod__)
    ),
)
SPECIALS = st.sampled_from(
    [b"", b"inf", b"-inf", b"+Infinity", b"nan", b"-nan", b"infinit", b"0x", b"0x.", b".", b"1e"]
)
DOUBLES = st.floats().map(lambda x: repr(x).encode())
FLOATS = st.one_of(DECIMALS, HEXADECIMALS, DOUBLES, SPECIALS, NEARLY_NUMBERS, INTEGERS)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(INTEGERS, NEARLY_NUMBERS), min_size=20, max_size=200))
@example([b"", b"-", b"-0", b"00", b"+1", b"9" * 19, b"9" * 20, b"-" + b"9" * 19, b"-" + b"9" * 20, b"1" * 21])
def test_parse_integer(oracle, texts: list[bytes]) -> None:
    commands = [command for text in texts for command in ([b"DEL", b"n"], [b"INCRBY", b"n", text])]
    replies = oracle.exchange(commands)[1::2]
    assert [parse_integer(text) for text in texts] == [r if isinstance(r, int) else None for r in replies]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(INTEGERS, NEARLY_NUMBERS), min_size=20, max_size=100))
@example([b"007", b"+5", b" 7", b"\t+9", b"18446744073709551615", b"18446744073709551616", b"0" * 30 + b"1"])
def test_parse_unsigned(oracle, texts: list[bytes]) -> None:
    # A stream ID is an unsigned integer on either side of the first minus sign; Redis reads up to the first NUL.
    texts = [text for text in texts if b"-" not in text and b"\0" not in text]
    commands = [command for text in texts for command in ([b"DEL", b"x"], [b"XADD", b"x", text + b"-1", b"f", b"v"])]
    replies = oracle.exchange(commands)[1::2]
    expected = [None if isinstance(r, ErrorReply) else r for r in replies]
    ours = [parse_unsigned(text) for text in texts]
    assert [None if n is None else b"%d-1" % n for n in ours] == expected


@settings(max_examples=60, deadline=None)
@given(st.lists(FLOATS, min_size=20, max_size=100))
@example(
    [
        b"1e308",
        b"1e309",
        b"-1e309",
        b"5e-324",
        b"2e-324",
        b"1e-400",
        b"0e-400",
        b"0x1p-1074",
        b"0x1p-1076",
        b"0x0p-9999",
    ]
)
@example(
    [b"1e17", b"123456789012345678", b"0.1", b"-0.0", b"100", b"1e16", b"3.0", b"inf", b"-Infinity", b"1e+5", b"1_0"]
)
def test_parse_and_format_float(oracle, texts: list[bytes]) -> None:
    commands = [command for text in texts for command in ([b"DEL", b"z"], [b"ZADD", b"z", b"INCR", text, b"m"])]
    replies = oracle.exchange(commands)[1::2]
    ours = [parse_float(text) for text in texts]
    assert [None if x is None else format_float(x) for x in ours] == [
        r if isinstance(r, bytes) else None for r in replies
    ]


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=20, max_size=60))
@example([(b"0.000000000000000005", b"0"), (b"0.000000000000000015", b"0"), (b"0x1p-58", b"0"), (b"0x3p-18", b"1e-17")])
@example([(b"3.0", b"1.1"), (b"1e4932", b"1e4932"), (b"inf", b"-inf"), (b"-1e-20", b"0"), (b"5.0e3", b"200")])
@example([(b"0x1p-16445", b"0x1p-16445"), (b"0x1p-16446", b"0"), (b"0x1.8p-16446", b"0"), (b"1e-4950", b"1e-4950")])
@example(
    [(b"18446744073709551615", b"1"), (b"18446744073709551617", b"0"), (b"9" * 5119, b"0"), (b"0" * 5118 + b"1", b"2")]
)
@example([(b"1." + b"0" * 5000 + b"1", b"0"), (b"0" * 5120, b"0"), (b"1.18973149535723176502e+4932", b"0")])
@example([(b"1.18973149535723176508e+4932", b"0"), (b"1e00000000000000000000005", b"0"), (b"0e9999999999", b"1")])
def test_add_long_double(oracle, pairs: list[tuple[bytes, bytes]]) -> None:
    commands = [command for a, b in pairs for command in ([b"SET", b"f", a], [b"INCRBYFLOAT", b"f", b])]
    replies = oracle.exchange(commands)[1::2]
    for (a, b), reply in zip(pairs, replies, strict=True):
        first, second = parse_long_double(a), parse_long_double(b)
        if isinstance(reply, ErrorReply):
            if reply.text == b"ERR value is not a valid float":
                assert first is None or second is None, (a, b)
            else:
                assert first is not None, (a, b)
                assert second is not None, (a, b)
                assert not first.plus(second).is_finite(), (a, b)
        else:
            assert first is not None, (a, b)
            assert second is not None, (a, b)
            assert first.plus(second).format() == reply, (a, b)
