"""What commands become in the AOF, which is what followers get, and how many changes they count as.

redis-server's file is compared with ours, command by command.

Points in time that come from the clock may differ by some seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Final, Protocol

import pytest

from redrock.util.quoting import split_args

CLOCK_MS_MAX: Final = 5000
# The dump of the integer 10.
TEN: Final = '"\\x00\\xc0\\n\\n\\x00n\\x9fWE\\x0e\\xaec\\xbb"'


class AofOf(Protocol):
    """What this file needs of the fixtures aof_of and redrock_aof_of."""

    def __call__(self, commands: Sequence[Sequence[bytes]]) -> list[list[bytes]]: ...


class Pair(Protocol):
    """What this file needs of the fixture of that name."""

    def both(self, commands: Sequence[Sequence[bytes]]) -> list[tuple[bytes, bytes]]: ...


SCRIPTS: Final = {
    "set": """
        SET k v; set k v nx; SET k v XX KEEPTTL; SET k v EX 100; set k v px 100000 GET; SET k v EXAT 33177117420 XX
        SET k v PXAT 33177117420000 get; SET k v GET; set k v Xx gEt KEEPTTL GET; SET k v NX GET; SETNX k v; setnx n v
        SETEX k 100 v; psetex k 100000 v; GETSET k w; getset new w; MSET a 1 b 2; MSETNX c 1 d 2; MSETNX c 1 e 2
        SET k v PXAT 1; GET k; SET k v PXAT 1; SET k w; SET k v PXAT 1; MSET k 1 a 2; SET k v EX 0; SET k v foo
    """,
    "getdel and getex": """
        SET k v; GETEX k; GETEX k EX 100; getex k px 100000; GETEX k EXAT 33177117420; GETEX k PXAT 33177117420000
        GETEX k PERSIST; GETEX k PERSIST; GETEX k PXAT 1; SET k v; GETDEL k; GETDEL k; SET k v; GETEX k EX 0
        SET k v PXAT 1; GETDEL k; SET k v PXAT 1; GETEX k EX 100
    """,
    "lazy": """
        CONFIG SET lazyfree-lazy-user-del yes lazyfree-lazy-expire yes; SET k v; GETDEL k; SET k v; DEL k; SET k v
        GETEX k PXAT 1; SET k v; EXPIRE k -1; SET k v PXAT 1; GET k; CONFIG SET lazyfree-lazy-user-del no
        CONFIG SET lazyfree-lazy-expire no
    """,
    "changes": """
        INCR n; decr n; INCRBY n 5; DECRBY n 2; INCRBYFLOAT n 0.1; incrbyfloat n 1e3; INCR n; APPEND s abc; APPEND s ""
        SETRANGE s 1 x; SETRANGE s 9 ""; SETRANGE s 0 ""; LCS s n; STRLEN s; GETRANGE s 0 1; APPEND new ""
        SET n 1 PXAT 1; INCR n
    """,
    "keys": """
        MSET a 1 b 2 c 3; DEL a x; DEL x; UNLINK b; RENAME c d; RENAME d d; RENAMENX d e; RENAMENX e e; COPY e f
        COPY e f; copy e f REPLACE; COPY e e DB 1; COPY e g db 2 replace; MOVE e 3; MOVE x 3; MOVE f 1; SELECT 1; DEL f
        SELECT 0; TOUCH f; EXISTS f; TYPE f; SET p v PXAT 1; DEL p; SET p v PXAT 1; EXISTS p p; SET p v PXAT 1; KEYS *
        RANDOMKEY; SET p v PXAT 1; SCAN 0 COUNT 1000; SET p v PXAT 1; SET q v; RENAME q p; SET p v PXAT 1; RENAME p q
        SET p v PXAT 1; SET q v PXAT 1; SET r v; MGET p r q
    """,
    "expire": """
        SET k v; EXPIRE k 100; expire k 200 xx GT; PEXPIRE k 100000; EXPIREAT k 33177117420; PEXPIREAT k 33177117420000
        pexpireat k 33177117420001 XX; EXPIRE k 100 NX; EXPIRE x 100; PERSIST k; PERSIST k; EXPIRE k 0; SET k v
        PEXPIREAT k 1; SET k v; EXPIRE k -5 LT; SET k v; TTL k; SET k v PXAT 1; TTL k; SET k v PXAT 1; EXPIRE k 100
        SET k v PXAT 1; PERSIST k; SET k v PXAT 1; OBJECT ENCODING k
    """,
    "restore": f"""
        RESTORE k 0 {TEN}; restore k 100000 {TEN} REPLACE; RESTORE k 33177117420000 {TEN} REPLACE ABSTTL
        RESTORE k 0 {TEN}; RESTORE k 1 {TEN} REPLACE ABSTTL; RESTORE k 1 {TEN} ABSTTL; RESTORE k 0 x
        RESTORE k 100000 {TEN} FREQ 5; RESTORE-ASKING k 0 {TEN} REPLACE IDLETIME 5; SET k v PXAT 1; RESTORE k 0 {TEN}
        SET k v PXAT 1; RESTORE k 0 {TEN} REPLACE; DUMP k
    """,
    "databases": """
        SET k v; SWAPDB 0 1; SET k w; SWAPDB 2 2; SELECT 1; INCR n; FLUSHDB; flushdb ASYNC; SELECT 2; FLUSHDB sync
        SELECT 0; SET k v; FLUSHALL; FLUSHALL ASYNC; SET k v; SWAPDB 0 99; DBSIZE
    """,
    "transactions": """
        MULTI; SET k v EX 100; INCR n; EXEC; MULTI; INCR n; EXEC; MULTI; GET k; EXEC; MULTI; EXEC; MULTI; SELECT 5
        SET a b; SELECT 0; SET a b; EXEC; SET p v PXAT 1; MULTI; GET p; EXEC; SET p v PXAT 1; MULTI; SET p w; INCR n
        EXEC; MULTI; SWAPDB 0 5; SET x 1; EXEC; MULTI; INCRBYFLOAT f 1.5; GETDEL f; EXEC; MULTI; LPUSH n; EXEC
        MULTI; INCR k; EXEC; MULTI; FLUSHALL; SET k v; EXEC; MULTI; SET k v; DISCARD; WATCH k; SET k 1
        MULTI; SET k 2; EXEC
    """,
    "hashes": """
        HSET h f v; HSET h f v; HSETNX h f v; HSETNX h g v; HMSET h a 1 b 2; HINCRBY h a 5; HINCRBYFLOAT h a 1.5
        HDEL h f x; HDEL h x; HDEL h g a b; HSET h f v; EXPIRE h 100; PERSIST h; HGET h f; HSCAN h 0; HRANDFIELD h
    """,
}


def argvs(text: str) -> list[list[bytes]]:
    """Commands, one per line or separated by semicolons."""
    lines = [line for piece in text.splitlines() for line in piece.split(";") if line.strip()]
    return [words for words in [split_args(line.strip().encode()) for line in lines] if words]


def is_same(expected: list[bytes], got: list[bytes]) -> bool:
    return len(expected) == len(got) and all(
        a == b or (len(a) == len(b) == 13 and a.isdigit() and b.isdigit() and abs(int(a) - int(b)) < CLOCK_MS_MAX)
        for a, b in zip(expected, got, strict=True)
    )


def test_same_log(aof_of: AofOf, redrock_aof_of: AofOf) -> None:
    different = []
    for name, script in SCRIPTS.items():
        expected, got = aof_of(argvs(script)), redrock_aof_of(argvs(script))
        nothing: list[bytes] = []
        for i, (theirs, ours) in enumerate(zip_longest(expected, got, fillvalue=nothing)):
            if not is_same(theirs, ours):
                different.append(f"{name}: after {expected[max(0, i - 3) : i]} redis {theirs}, redrock {ours}")
                break
    assert different == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_same_count_of_changes(pair: Pair, name: str) -> None:
    """INFO's rdb_changes_since_last_save, which decides when to save."""
    commands = [[b"PING"], *argvs(SCRIPTS[name])]
    both = pair.both([step for argv in commands for step in (argv, [b"INFO", b"persistence"])])
    queueing = False
    before: list[int] = []
    for argv, answers in zip(commands, both[1::2], strict=True):
        # Between MULTI and EXEC the INFO is queued as well.
        queueing = (queueing or argv[0] == b"MULTI") and argv[0] not in (b"EXEC", b"DISCARD")
        if queueing:
            continue
        counts = [int(answer.partition(b"rdb_changes_since_last_save:")[2].split()[0]) for answer in answers]
        before = before or counts
        assert counts[0] - before[0] == counts[1] - before[1], argv
