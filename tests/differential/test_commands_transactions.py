"""Transactions beside redis-server: whole conversations, in RESP2 and RESP3, on one connection and on two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redrock.util.quoting import split_args

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import ServerProcess
    from tests.differential.conftest import Oracle, Pair

SCRIPTS: Final = {
    "plain": "MULTI; SET a 1; INCR a; GET a; EXEC; GET a; MULTI; EXEC; MULTI; DISCARD; GET a",
    "errors within": "SET s x; MULTI; INCR s; SET t y; INCR; EXEC; MULTI; INCR s; SET t y; EXEC; GET t",
    "out of order": "EXEC; DISCARD; UNWATCH; MULTI; MULTI; WATCH a; EXEC; MULTI; DISCARD; DISCARD; EXEC",
    "arity": "EXEC foo; DISCARD foo; MULTI foo; WATCH; UNWATCH foo; MULTI; EXEC foo; EXEC; MULTI; DISCARD foo; EXEC",
    "arity while queueing": "MULTI; SET a; SET a 1; EXEC; GET a; MULTI; WATCH; EXEC; MULTI; MULTI x; EXEC",
    "unknown": "MULTI; NOSUCH a b; SET a 1; EXEC; GET a; MULTI; CONFIG NOSUCH; EXEC; MULTI; CLIENT; EXEC",
    "not allowed": "MULTI; SYNC; EXEC; MULTI; PSYNC ? -1; SET a 1; EXEC; GET a; MULTI; SHUTDOWN; EXEC",
    "discard": "SET a 1; MULTI; SET a 2; DISCARD; GET a; WATCH a; SET a 3; MULTI; DISCARD; MULTI; SET a 4; EXEC; GET a",
    "reset": "MULTI; SET a 1; RESET; EXEC; GET a; WATCH a; SET a 2; RESET; MULTI; PING; EXEC",
    "databases": "MULTI; SELECT 3; SET a 3; SELECT 99; SET b 3; SELECT 0; SET a 0; EXEC; GET a; SELECT 3; GET a; GET b",
    "own change": "WATCH k; SET k 1; MULTI; PING; EXEC; MULTI; PING; EXEC; WATCH k; MULTI; SET k 2; EXEC",
    "unwatch": "WATCH k l; SET l 1; UNWATCH; MULTI; PING; EXEC; WATCH k; UNWATCH; SET k 1; MULTI; PING; EXEC",
    "unwatch within": "WATCH k; MULTI; UNWATCH; SET k 1; EXEC; SET k 2; MULTI; PING; EXEC",
    "watch twice": "WATCH k k; WATCH k; SET k 1; WATCH l; MULTI; PING; EXEC; MULTI; PING; EXEC",
    "no change": "SET k v; WATCH k; DEL x; EXPIRE x 5; SETNX k w; GET k; PERSIST k; MULTI; PING; EXEC",
    "of another type": "HSET h f 1; SET s v; MULTI; HGET s f; GET h; HSET h f 2; EXEC; HGETALL h",
    "many replies": "HSET h f v; MULTI; HGETALL h; GET x; MGET x y; INCRBYFLOAT n 1.5; TYPE h; TTL h; ECHO a; EXEC",
    "debug": "MULTI; DEBUG SET-ACTIVE-EXPIRE 0; EXEC; MULTI; DEBUG NOSUCH; EXEC",
}

# Touches of a watched key k, between WATCH and MULTI; what is true before is set up by the first part.
TOUCHES: Final = [
    "| SET k v",
    "SET k v | SET k v",
    "SET k v | DEL k",
    "| DEL k",
    "SET k v | APPEND k x",
    'SET k v | APPEND k ""',
    "SET k v | GET k",
    "SET k v | EXPIRE k 100",
    "SET k v | EXPIRE k -1",
    "SET k v EX 100 | PERSIST k",
    "SET k v | PERSIST k",
    "| EXPIRE k 100",
    "SET k v | RENAME k l",
    "SET l v | RENAME l k",
    "SET l v | RENAMENX l k",
    "MSET k v l w | RENAMENX l k",
    "SET k v | RENAME k k",
    "SET l v | COPY l k",
    "SET k v | COPY k l",
    "SET k v | MOVE k 1",
    "| SELECT 1; SET k v; SELECT 0",
    "SET k v | FLUSHDB",
    "| FLUSHDB",
    "SET k v | FLUSHALL",
    "SET l v | FLUSHALL",
    "SELECT 1; SET k v; SELECT 0 | WATCH l; FLUSHDB",
    "SET k v | SWAPDB 0 1",
    "| SWAPDB 0 1",
    "SET k v | SWAPDB 1 0",
    "SET k v | SWAPDB 1 2",
    "SET k v | SWAPDB 0 0",
    "SET k v | UNLINK k",
    "SET k v | GETDEL k",
    "SET k v | GETEX k EX 100",
    "SET k v | GETEX k",
    "SET k v | SETRANGE k 0 x",
    "SET k 1 | INCR k",
    "SET k v | INCR k",
    "HSET k f v | HSET k f v",
    "HSET k f v | HSET k f w",
    "HSET k f v | HDEL k x",
    "HSET k f v | HDEL k f",
    "SET k v | TOUCH k",
    "SET k v | OBJECT FREQ k",
    'SET k 10 | RESTORE k 0 "\\x00\\xc0\\n\\n\\x00n\\x9fWE\\x0e\\xaec\\xbb" REPLACE',
    # Expired keys, which nobody removes but who meets them.
    "SET k v PX 30 | DEBUG SLEEP 0.05; GET k",
    "SET k v PX 30 | DEBUG SLEEP 0.05",
    "SET k v PX 30 | DEBUG SLEEP 0.05; SET k w",
    "SET k v PXAT 1 | GET k",
    "SET k v PXAT 1 | SET k w",
    "SET k v PXAT 1 | DEL k",
    "SET k v PXAT 1 | FLUSHDB",
    "SET k v PXAT 1 | FLUSHALL; SET k v",
    "SET k v PXAT 1 | SWAPDB 0 1",
    "SET k v PXAT 1 | GET k; SET k v",
    "SELECT 1; SET k v PXAT 1; SELECT 0 | SWAPDB 0 1",
    "SELECT 1; SET k v PXAT 1; SELECT 0 | SWAPDB 0 1; GET k",
    "SELECT 1; SET k v PXAT 1; SELECT 0; SET k v PXAT 1 | SWAPDB 0 1",
    "SELECT 1; SET k v; SELECT 0; SET k v PXAT 1 | SWAPDB 0 1",
]


def conversation(script: str) -> list[list[bytes]]:
    commands = []
    for one in script.split(";"):
        words = split_args(one.strip().encode())
        assert words is not None
        if words:
            commands.append(words)
    return commands


@pytest.mark.parametrize("protocol", [b"2", b"3"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_conversations(pair: Pair, name: str, protocol: bytes) -> None:
    if protocol == b"3":
        pair.oracle.exchange([[b"HELLO", b"3"]])
        pair.redrock.exchange([[b"HELLO", b"3"]])
    assert pair.differences(conversation(SCRIPTS[name])) == []


@pytest.fixture
def second_pair(pair: Pair, oracle: Oracle, module_redrock: ServerProcess) -> Iterator[Pair]:
    """Another connection to each of the two servers."""
    raw_client = type(pair.oracle)
    second = type(pair)(raw_client(oracle.connect()), raw_client(module_redrock.connect()))
    yield second
    second.oracle.close()
    second.redrock.close()


@pytest.mark.parametrize("touch", TOUCHES)
def test_which_changes_abort(pair: Pair, second_pair: Pair, touch: str) -> None:
    """By the watching connection itself, and by another one."""
    before, _, change = touch.partition("|")
    for changing in (pair, second_pair):
        pair.reset()
        assert pair.differences([*conversation(before), [b"WATCH", b"k"]]) == []
        assert changing.differences(conversation(change)) == []
        assert pair.differences([[b"MULTI"], [b"PING"], [b"EXEC"], [b"GET", b"k"]]) == []


WORDS: Final = st.sampled_from(
    [
        *conversation(
            "MULTI; MULTI; EXEC; EXEC; DISCARD; WATCH k; WATCH l; UNWATCH; SET k v; SET l v; DEL k; INCR n; INCR k; "
            "GET k; SELECT 1; SELECT 0; SWAPDB 0 1; FLUSHDB; EXPIRE k 100; SET k v PXAT 1; RENAME k l; NOSUCH; GET; "
            "EXEC x; RESET"
        )
    ]
)


@given(steps=st.lists(st.tuples(st.booleans(), WORDS), max_size=40))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_conversations_of_two(pair: Pair, second_pair: Pair, steps: list[tuple[bool, list[bytes]]]) -> None:
    pair.reset()
    second_pair.both([[b"RESET"]])
    for first, command in steps:
        assert (pair if first else second_pair).differences([command]) == []
