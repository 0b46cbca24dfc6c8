"""Every command of the group string: replies of redis-server and of ours, byte for byte."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrock.util.quoting import split_args

Argv = Sequence[bytes]


class RawClient(Protocol):
    def exchange(self, commands: Sequence[Argv]) -> list[bytes]: ...


class Pair(Protocol):
    """What this file needs of the fixtures pair and cold_pair."""

    @property
    def redrock(self) -> RawClient: ...

    def reset(self) -> None: ...

    def both(self, commands: Sequence[Argv]) -> list[tuple[bytes, bytes]]: ...

    def differences(self, commands: Sequence[Argv]) -> list[str]: ...


# Before each table: a string of each kind, a key of another type, one whose time is over, one that expires much later.
PREPARED: Final = """
MSET s hello n 10 f 3.5 empty "" big 9223372036854775807 small -9223372036854775808 a ohmytext b mynewtext
APPEND raw 5
SETRANGE raw 0 7
HSET h f v
SET past v PXAT 1
SET later v PXAT 33177117420000
"""

TABLES: Final = {
    "get": """
        GET s; GET nosuch; GET h; GET past; GET later; GET n; GET empty
        MGET s nosuch h past n; MGET s; STRLEN s; STRLEN nosuch; STRLEN h; STRLEN n; STRLEN past; STRLEN empty
        GET; GET a b; MGET; STRLEN; STRLEN a b
    """,
    "getrange": """
        GETRANGE s 0 -1; GETRANGE s 1 3; GETRANGE s -3 -2; GETRANGE s 3 1; GETRANGE s -1 -3; GETRANGE s 0 100
        GETRANGE s 5 10; GETRANGE s 4 4; GETRANGE s -100 2; GETRANGE s -100 -99; GETRANGE s -100 -100; GETRANGE s 0 0
        GETRANGE n 0 0; GETRANGE empty 0 -1; GETRANGE nosuch 0 -1; GETRANGE h 0 -1; GETRANGE past 0 -1
        GETRANGE s 9223372036854775807 9223372036854775807; GETRANGE s -9223372036854775808 9223372036854775807
        GETRANGE s 9223372036854775808 1; GETRANGE s a 1; GETRANGE s 1 a; GETRANGE s 1.0 1; GETRANGE s "" 1
        GETRANGE h a 1; GETRANGE h 1; SUBSTR s 1 3; SUBSTR s a b; SUBSTR nosuch 0 -1; SUBSTR h 0 0; SUBSTR s 1
    """,
    "set": """
        SET s v; GET s; SET h v; GET h; SET new ""; GET new; SET later v; PEXPIRETIME later; SET past w; GET past
        SET s; SET; SET s v foo; SET s v EX; SET s v PX; SET s v EXAT; SET s v PXAT; SET s v NX XX; SET s v XX NX
        SET s v EX 10 PX 10; SET s v EX 10 KEEPTTL; SET s v KEEPTTL EX 10; SET s v PERSIST; SET s v EX 10 EXAT 20
        SET s v PXAT 20 PX 10; SET s v KEEPTTL KEEPTTL; SET s v NX NX; SET s v EX 10 EX 20; TTL s; SET s v px 100000
        TTL s; SET s v Ex 100 xX gEt; TTL s; SET s v KEEPTTL; TTL s; SET s v keepttl GET; TTL s; SET s v; TTL s
        SET s v EX 0; SET s v EX -1; SET s v EX a; SET s v EX 1.5; SET s v EX 9223372036854775807
        SET s v EX 9223372036854776; SET s v EX 9223372036854775; SET s v PX 9223372036854775807; SET s v PX 0
        SET s v EXAT 0; SET s v EXAT 9223372036854775; SET s v EXAT 9223372036854776; SET s v PXAT 0
        SET s v PXAT 9223372036854775807; PEXPIRETIME s; SET s v EXAT 33177117420; EXPIRETIME s; PEXPIRETIME s
        SET s v PXAT 1; GET s; EXISTS s; SET s v EX ""; SET s v EX " 10"; SET s v EX NX
        SET s v NX; SET s w NX; GET s; SET s w XX; GET s; SET nosuch w XX; GET nosuch; SET past2 v PXAT 1
        SET past2 w XX; SET past2 w NX; GET past2; SET k v NX GET; SET k w NX GET; GET k; SET k x XX GET; GET k
        SET nosuch v XX GET; GET nosuch; SET new2 v GET; SET new2 w get GET; GET new2; HSET h f v; SET h v GET; TYPE h
        SET h v NX GET; SET h v XX GET EX 100; TYPE h; SET h v XX; TYPE h; SET k v GET EX 0; SET k v GET foo
        SET k v GET KEEPTTL EX 10; SET k v GET PXAT 1; GET k
    """,
    "set, by other names": """
        SETNX s v; SETNX new v; GET new; SETNX past v; GET past; SETNX h v; SETNX s; SETNX later v; SETNX a b c
        SETEX s 100 v; TTL s; GET s; SETEX s 0 v; SETEX s -5 v; SETEX s a v; SETEX s 9223372036854775807 v; SETEX s 1
        SETEX s 9223372036854775 v; SETEX h 100 v; GET h; PSETEX s 100000 v; TTL s; PSETEX s 0 v; PSETEX s -1 v
        PSETEX s a v; PSETEX s 9223372036854775807 v; PSETEX s 1; SETEX; PSETEX
        GETSET s w; GETSET s x; TTL s; GETSET nosuch v; GETSET nosuch w; GETSET later z; PEXPIRETIME later
        HSET h2 f v; GETSET h2 v; GETSET past v; GETSET s; GETSET a b c
        MSET a 1 b 2 a 3; MGET a b; MSET a; MSET; MSET a 1 b; MSET later 1; PEXPIRETIME later; MSET h2 1 new3 2
        MGET h2 new3; MSETNX x 1 y 2; MGET x y; MSETNX z 1 x 2; MGET z x; MSETNX q 1 q 2; GET q; MSETNX a; MSETNX
        MSETNX z 1 y; SET past3 v PXAT 1; MSETNX past3 1 z2 2; MGET past3 z2
    """,
    "getdel": """
        GETDEL s; GET s; GETDEL s; GETDEL h; EXISTS h; GETDEL past; GETDEL later; EXISTS later; GETDEL; GETDEL a b
    """,
    "getex": """
        GETEX s; TTL s; GETEX s EX 100; TTL s; GETEX s; TTL s; GETEX s PERSIST; TTL s; GETEX s PERSIST
        GETEX s PX 100000; TTL s; GETEX s EXAT 33177117420; PEXPIRETIME s; GETEX s pxat 33177117420000; PEXPIRETIME s
        GETEX s EX 0; GETEX s EX -1; GETEX s EX a; GETEX s EX; GETEX s EX 10 PX 10; GETEX s EX 10 PERSIST
        GETEX s PERSIST EX 10; GETEX s KEEPTTL; GETEX s NX; GETEX s GET; GETEX s foo; GETEX s EX 10 EX 50; TTL s
        GETEX s EX 9223372036854775807; GETEX s PX 9223372036854775807; GETEX nosuch EX a; GETEX nosuch EX 0
        GETEX nosuch foo; GETEX nosuch EX 10; GETEX h; GETEX h EX 10; GETEX h EX a; GETEX past; GETEX past PERSIST
        GETEX s PERSIST PERSIST; GETEX s EXAT 1; GET s; GETEX a PXAT 1; EXISTS a; GETEX b PX 1 PX 100000; TTL b
        GETEX later PERSIST; PEXPIRETIME later; GETEX; GETEX n PXAT 9223372036854775807; PEXPIRETIME n
    """,
    "incr": """
        INCR n; INCR n; DECR n; INCRBY n 100; DECRBY n 200; GET n; INCR new; DECR new2; INCRBY new3 -5; DECRBY new4 7
        INCR s; INCR f; INCR empty; INCR h; INCR past; GET past; INCR later; PEXPIRETIME later; INCR raw
        OBJECT ENCODING raw; INCR big; INCRBY big 1; DECR big; INCRBY big -9223372036854775807; INCR small; DECR small
        DECR small; DECRBY small 5; INCRBY n 9223372036854775807; GET n; INCRBY n a; INCRBY n 1.5; INCRBY n ""
        INCRBY n 9223372036854775808; DECRBY n 9223372036854775808; DECRBY n -9223372036854775808
        DECRBY new5 -9223372036854775807; GET new5; INCRBY h a; INCRBY s a; DECRBY h -9223372036854775808
        INCRBY n -0; INCRBY n 007; INCRBY n +5; INCRBY n " 5"; SET pad " 5"; INCR pad; SET pad 05; INCR pad
        SET pad -0; INCR pad; INCR; INCR a b; INCRBY n; DECRBY n; DECR; SET flip -1; INCR flip; OBJECT ENCODING flip
        SET m 1; APPEND m 2; OBJECT ENCODING m; INCR m; OBJECT ENCODING m; INCRBYFLOAT m 1; OBJECT ENCODING m; INCR m
        OBJECT ENCODING m; INCRBY n 9223372036854775807; INCRBY n 9223372036854775807
    """,
    "incrbyfloat": """
        INCRBYFLOAT f 1.5; INCRBYFLOAT f -5e2; INCRBYFLOAT n 0.1; INCRBYFLOAT n 0; GET n; INCRBYFLOAT new 3
        OBJECT ENCODING new; INCRBYFLOAT new 1.25; INCRBYFLOAT s 1; INCRBYFLOAT n a; INCRBYFLOAT h 1; INCRBYFLOAT h a
        INCRBYFLOAT past 2; INCRBYFLOAT later 1; SET later 1 KEEPTTL; INCRBYFLOAT later 1; PEXPIRETIME later
        INCRBYFLOAT n inf; INCRBYFLOAT n -inf; INCRBYFLOAT n nan; INCRBYFLOAT n ""; INCRBYFLOAT empty 1
        INCRBYFLOAT n " 1"; INCRBYFLOAT n "1 "; INCRBYFLOAT big 1; INCRBYFLOAT big 0.5; INCRBYFLOAT small -1
        INCRBYFLOAT tiny 0.1; INCRBYFLOAT tiny 0.2; INCRBYFLOAT tiny -0.3; INCRBYFLOAT e 1e400; INCRBYFLOAT e 1e4931
        INCRBYFLOAT e 1e4931; INCRBYFLOAT x 0x10; INCRBYFLOAT x 1e-20; INCRBYFLOAT; INCRBYFLOAT f; INCRBYFLOAT raw 1
        SET i inf; INCRBYFLOAT i 1; INCRBYFLOAT q 3.0e3; INCRBYFLOAT q 1.123456789012345678901234567890
    """,
    "append": """
        APPEND s " world"; GET s; OBJECT ENCODING s; APPEND new abc; OBJECT ENCODING new; APPEND new2 12
        OBJECT ENCODING new2; APPEND new2 3; OBJECT ENCODING new2; APPEND n ""; GET n; OBJECT ENCODING n; APPEND h x
        APPEND past x; GET past; APPEND later x; PEXPIRETIME later; APPEND new3 ""; EXISTS new3; STRLEN new3; APPEND s
        APPEND; APPEND a b c; SETRANGE s 0 HELLO; GET s; SETRANGE s 20 x; GET s; SETRANGE new4 3 abc; GET new4
        OBJECT ENCODING new4; SETRANGE new5 0 ""; EXISTS new5; SETRANGE s 0 ""; SETRANGE s 100 ""; SETRANGE h 0 ""
        SETRANGE h 0 x; SETRANGE s -1 x; SETRANGE h -1 x; SETRANGE s a x; SETRANGE s 9223372036854775807 x
        SETRANGE s 536870912 x; SETRANGE s 536870911 ""; SETRANGE new6 536870912 x; EXISTS new6
        SETRANGE s 9223372036854775808 x; SETRANGE n 1 5; GET n; OBJECT ENCODING n; SETRANGE past 2 x; GET past
        SETRANGE later 0 x; PEXPIRETIME later; SETRANGE s 1; SETRANGE
    """,
    "lcs": """
        LCS a b; LCS a b LEN; LCS a b IDX; LCS a b IDX WITHMATCHLEN; LCS a b IDX MINMATCHLEN 4
        LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN; LCS a b IDX MINMATCHLEN -1; LCS a b MINMATCHLEN 4; LCS a b WITHMATCHLEN
        LCS a b LEN IDX; LCS a b foo; LCS a b MINMATCHLEN; LCS a b MINMATCHLEN x; LCS a b IDX MINMATCHLEN 100
        LCS a nosuch; LCS nosuch b IDX; LCS nosuch nosuch2 LEN; LCS a h; LCS h a; LCS h h foo; LCS a h LEN IDX; LCS a
        LCS a past; LCS a a; LCS a a IDX; LCS n a; LCS empty empty; LCS empty a idx withmatchlen; LCS a b len LEN
        LCS a b minmatchlen 2 idx len; LCS a b LEN MINMATCHLEN x; SETRANGE long 20000 x; LCS long long LEN
    """,
}


def argvs(text: str) -> list[list[bytes]]:
    """Commands, one per line or separated by semicolons."""
    lines = [line for piece in text.splitlines() for line in piece.split(";") if line.strip()]
    found = [split_args(line.strip().encode()) for line in lines]
    assert all(found)
    return [words for words in found if words]


@pytest.mark.parametrize("protocol", [b"2", b"3"])
@pytest.mark.parametrize("table", TABLES)
def test_replies(pair: Pair, table: str, protocol: bytes) -> None:
    pair.both([[b"HELLO", protocol]])
    assert pair.differences(argvs(PREPARED + TABLES[table])) == []


def test_replies_with_cold_values(cold_pair: Pair) -> None:
    different = []
    for table in TABLES.values():
        cold_pair.reset()
        cold_pair.both(argvs(PREPARED))
        cold_pair.redrock.exchange([[b"ROCKALL"]])
        different += cold_pair.differences(argvs(table))
    assert different == []


def test_length_limit(pair: Pair) -> None:
    commands = argvs("""
        CONFIG SET proto-max-bulk-len 1048576; SETRANGE k 1048575 x; SETRANGE k 1048576 x; APPEND k ""; APPEND k x
        STRLEN k; SETRANGE new 1048576 x; SET a x; SETRANGE b 600 x; SETRANGE c 600 x; LCS b c LEN
        CONFIG SET proto-max-bulk-len 536870912
    """)
    assert pair.differences(commands) == []


KEYS = st.sampled_from([b"a", b"b", b"c"])
NUMBERS = st.sampled_from(
    [b"0", b"1", b"-1", b"5", b"10", b"-7", b"3000000000", b"9223372036854775807", b"-9223372036854775808", b"x", b""]
)
FLOATS = st.sampled_from([b"0.1", b"1e3", b"-2.25", b"7", b"inf", b"x"])
VALUES = st.one_of(NUMBERS, FLOATS, st.binary(max_size=6), st.sampled_from([b"y" * 44, b"z" * 45]))
OFFSETS = st.sampled_from([b"0", b"1", b"2", b"7", b"-1", b"-3", b"100"])
LATER = st.sampled_from([[b"PXAT", b"33177117420000"], [b"EXAT", b"33177117420"], [b"PXAT", b"1"], [b"EX", b"1000"]])
SET_OPTIONS = st.lists(
    st.one_of(LATER, st.sampled_from([[b"NX"], [b"XX"], [b"GET"], [b"KEEPTTL"], [b"nonsense"]])), max_size=3
)


def command(name: bytes, *arguments: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[bytes]]:
    return st.tuples(st.just(name), *arguments).map(list)


COMMANDS = st.one_of(
    *[command(name, KEYS) for name in (b"GET", b"STRLEN", b"GETDEL", b"INCR", b"DECR", b"PEXPIRETIME", b"TYPE")],
    *[command(name, KEYS, NUMBERS) for name in (b"INCRBY", b"DECRBY")],
    *[command(name, KEYS, VALUES) for name in (b"SET", b"SETNX", b"GETSET", b"APPEND")],
    *[command(name, KEYS, OFFSETS, OFFSETS) for name in (b"GETRANGE", b"SUBSTR")],
    *[command(name, KEYS, VALUES, KEYS, VALUES) for name in (b"MSET", b"MSETNX")],
    *[command(name, KEYS, KEYS) for name in (b"MGET", b"LCS", b"RENAME", b"COPY", b"UNLINK")],
    command(b"INCRBYFLOAT", KEYS, FLOATS),
    command(b"SETRANGE", KEYS, OFFSETS, VALUES),
    command(b"OBJECT", st.just(b"ENCODING"), KEYS),
    command(b"OBJECT", st.just(b"REFCOUNT"), KEYS),
    command(b"LCS", KEYS, KEYS, st.sampled_from([b"LEN", b"IDX"])),
    command(b"HSET", KEYS, st.just(b"f"), VALUES),
    st.tuples(command(b"SET", KEYS, VALUES), SET_OPTIONS).map(
        lambda pair: pair[0] + [word for option in pair[1] for word in option]
    ),
    st.tuples(command(b"GETEX", KEYS), LATER).map(lambda pair: pair[0] + pair[1]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(COMMANDS, min_size=1, max_size=60))
def test_random_sequences(pair: Pair, commands: list[list[bytes]]) -> None:
    pair.reset()
    assert pair.differences([*commands, [b"DBSIZE"], [b"DEBUG", b"DIGEST"]]) == []
