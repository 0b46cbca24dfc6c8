"""What the clients of the simulated cluster do: commands of all kinds that replicate, on keys that they share."""

from __future__ import annotations

import random

import trio

from redrock.resp.reply import ErrorReply, Reply
from tests.simulation.node import Node, Session

# Errors that an arbitrary command on an arbitrary key may rightly meet.
EXPECTED_ERRORS = (
    b"WRONGTYPE",
    b"ERR no such key",
    b"ERR value is not an integer",
    b"ERR value is not a valid float",
    b"ERR hash value is not an integer",
    b"ERR hash value is not a float",
    b"ERR increment",
    b"ERR source and destination objects are the same",
    b"ERR increment or decrement would overflow",
    b"EXECABORT",
    b"READONLY",
    b"LOADING",
    b"MASTERDOWN",
    b"UNBLOCKED",
    b"NOREPLICAS",
)


class Commands:
    """Random commands. Small and big values, few keys, so that they meet; short and long times to live."""

    def __init__(self, source: random.Random, keys: int) -> None:
        self._random = source
        self._keys = keys

    def _key(self) -> bytes:
        return b"key:%d" % self._random.randrange(self._keys)

    def _field(self) -> bytes:
        return b"field:%d" % self._random.randrange(20)

    def _value(self) -> bytes:
        source = self._random
        match source.randrange(4):
            case 0:
                return b"%d" % source.randrange(-1000, 1000)
            case 1:
                return b"%d.5" % source.randrange(100)
            case 2:
                return source.randbytes(source.randrange(20))
            case _:
                return source.randbytes(source.randrange(50, 600))

    def _milliseconds(self) -> bytes:
        return b"%d" % self._random.choice((1, 50, 700, 3000, 100_000))

    def write(self) -> list[bytes]:
        source = self._random
        key, other, value, field = self._key(), self._key(), self._value(), self._field()
        ms = self._milliseconds()
        number = b"%d" % source.randrange(-5, 100)
        choices: list[list[bytes]] = [
            [b"SET", key, value],
            [b"SET", key, value],
            [b"SET", key, value, b"PX", ms],
            [b"SET", key, value, b"KEEPTTL"],
            [b"SETNX", key, value],
            [b"PSETEX", key, ms, value],
            [b"GETSET", key, value],
            [b"GETDEL", key],
            [b"GETEX", key, b"PX", ms],
            [b"GETEX", key, b"PERSIST"],
            [b"APPEND", key, value],
            [b"SETRANGE", key, b"%d" % source.randrange(30), value],
            [b"INCR", key],
            [b"INCRBY", key, number],
            [b"INCRBYFLOAT", key, b"0.1"],
            [b"MSET", key, value, other, value],
            [b"MSETNX", key, value, other, value],
            [b"HSET", key, field, value, self._field(), self._value()],
            [b"HSET", key, field, value],
            [b"HSETNX", key, field, value],
            [b"HDEL", key, field, self._field()],
            [b"HINCRBY", key, field, number],
            [b"HINCRBYFLOAT", key, field, b"0.3"],
            [b"DEL", key, other],
            [b"UNLINK", key],
            [b"PEXPIRE", key, ms],
            [b"EXPIRE", key, b"100"],
            [b"PERSIST", key],
            [b"RENAME", key, other],
            [b"RENAMENX", key, other],
            [b"COPY", key, other, b"REPLACE"],
            [b"MOVE", key, b"1"],
            [b"TOUCH", key],
        ]
        if source.random() < 0.01:
            return source.choice([[b"SWAPDB", b"0", b"1"], [b"FLUSHDB"], [b"FLUSHALL"]])
        return source.choice(choices)

    def read(self) -> list[bytes]:
        key = self._key()
        return self._random.choice(
            [
                [b"GET", key],
                [b"HGETALL", key],
                [b"STRLEN", key],
                [b"HLEN", key],
                [b"TTL", key],
                [b"EXISTS", key],
                [b"GETRANGE", key, b"3", b"9"],
                [b"HGET", key, self._field()],
                [b"SCAN", b"0"],
                [b"DBSIZE"],
            ]
        )

    def batch(self) -> list[list[bytes]]:
        """One command, a transaction, or a pipeline."""
        source = self._random
        style = source.random()
        if style < 0.6:
            return [self.write()]
        if style < 0.7:
            return [self.read()]
        many = [self.write() if source.random() < 0.7 else self.read() for _ in range(source.randrange(2, 12))]
        if style < 0.85:
            return [[b"MULTI"], *many, [b"EXEC"]]
        if style < 0.95:
            return many
        return [[b"SELECT", b"%d" % source.randrange(3)], *many]


def check_reply(reply: Reply) -> None:
    """No error but what such a command may meet."""
    if isinstance(reply, ErrorReply):
        assert reply.text.startswith(EXPECTED_ERRORS), reply.text
    elif isinstance(reply, list):
        for item in reply:
            check_reply(item)


class Client:
    """Sends to a node for as long as it is told to; reconnects when the connection breaks."""

    def __init__(self, node: Node, name: str, source: random.Random, reads_only: bool, keys: int) -> None:
        self.node = node
        self._name = name
        self._random = source
        self._reads_only = reads_only
        self._commands = Commands(source, keys)
        self.stopped = False
        self.replies = 0

    async def run(self) -> None:
        while not self.stopped:
            target = self.node
            try:
                session = Session(await target.network.connect(self._name, target.name))
            except OSError:
                await trio.sleep(0.2)
                continue
            try:
                while not self.stopped and self.node is target:
                    await self._exchange(session)
                    await trio.sleep(self._random.random() * 0.03)
            except trio.BrokenResourceError:
                await trio.sleep(0.01)
            finally:
                with trio.CancelScope(shield=True):
                    await session.close()

    async def _exchange(self, session: Session) -> None:
        batch = [self._commands.read()] if self._reads_only else self._commands.batch()
        with trio.move_on_after(3) as patience:
            await session.send(batch)
            for _ in batch:
                check_reply(await session.reply())
                self.replies += 1
        if patience.cancelled_caught:
            raise trio.BrokenResourceError  # a stalled connection: try another
