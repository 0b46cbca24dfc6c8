"""What a command tells of its effects, and that the keyspace events are those of redis-server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC, NOTIFY_HASH
from redrock.util.quoting import split_args

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner, RawConnection

SCRIPT = """
    SET k v; SET k w EX 100; SET k v KEEPTTL; SET k w NX; SETNX n 1; SETEX e 100 v; PSETEX e 100000 v; GETSET k x
    MSET a 1 k 2; MSETNX b 1 c 2; GETEX k EX 100; GETEX k PERSIST; GETEX k PXAT 1; GETDEL a; INCR n; DECRBY n 5
    INCRBYFLOAT n 1.5
    APPEND s x; APPEND s y; SETRANGE s 5 z; SETRANGE t 1 z; SETRANGE s 0 ""; DEL b c x; UNLINK s; SET r v; RENAME r q
    RENAME q t; RENAMENX t u; RENAMENX u n; COPY u v; COPY n v REPLACE; COPY u u DB 2; MOVE v 1; EXPIRE u 100; PERSIST u
    PERSIST u; EXPIRE u -1; HSET h f v; HDEL h f; SET p v PXAT 1; GET p; SET p v PXAT 1; SET p w; SET p v PXAT 1; DEL p
    RESTORE w 0 "\\x00\\xc0\\n\\n\\x00n\\x9fWE\\x0e\\xaec\\xbb"; DUMP w; FLUSHDB; SET k 1; SWAPDB 0 1; SET k 1; FLUSHALL
    RESTORE w 0 "\\x00\\xc0\\n\\n\\x00n\\x9fWE\\x0e\\xaec\\xbb"; SET p v PXAT 1; RENAME w p; SET p v PXAT 1; COPY x p
    RESTORE p 0 "\\x00\\xc0\\n\\n\\x00n\\x9fWE\\x0e\\xaec\\xbb" REPLACE
    RESTORE p 1 "\\x00\\xc0\\n\\n\\x00n\\x9fWE\\x0e\\xaec\\xbb" REPLACE ABSTTL
"""


def test_events_are_those_of_redis(
    runner: CommandRunner, redis_resp2: RawConnection, redis_resp3: RawConnection
) -> None:
    """`redis_resp3` listens while `redis_resp2` runs the same commands."""
    redis_resp2.ask(b"FLUSHALL")
    redis_resp2.ask(b"CONFIG", b"SET", b"notify-keyspace-events", b"AEn")
    redis_resp3.ask(b"PSUBSCRIBE", b"__keyevent@*")
    commands = [split_args(line.encode()) for piece in SCRIPT.splitlines() for line in piece.split(";") if line.strip()]
    for argv in commands:
        assert argv
        redis_resp2.ask(*argv)
        # The answer to a PING comes behind the events.
        redis_resp3.send(b"PING")
        expected = []
        while (message := redis_resp3.receive()) != (b"+", b"PONG"):
            assert isinstance(message[1], list)
            channel, key = [text for _, text in message[1]][2:]
            expected.append((channel.removeprefix(b"__keyevent@"), key))
        runner.run(*argv)
        assert runner.events() == expected, argv


def test_touch(runner: CommandRunner) -> None:
    ctx = runner.ctx
    ctx.touch(b"k", NOTIFY_HASH, b"hset", 3)
    ctx.notify(b"k", NOTIFY_GENERIC, b"expire")
    assert runner.keyspace.dirty == 3
    assert runner.events() == [(b"0__:hset", b"k"), (b"0__:expire", b"k")]
    runner.observers.set_event_classes(0)
    ctx.touch(b"k", NOTIFY_HASH, b"hset")
    assert runner.events() == []


def test_database_by_number(runner: CommandRunner) -> None:
    assert runner.ctx.database(15, b"") is runner.keyspace.databases[15]
    for dbid in (-1, 16):
        with pytest.raises(ReplyError) as caught:
            runner.ctx.database(dbid, errors.DB_INDEX_OUT_OF_RANGE)
        assert caught.value.text == errors.DB_INDEX_OUT_OF_RANGE
