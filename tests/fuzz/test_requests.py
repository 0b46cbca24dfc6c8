"""Arbitrary bytes at the door of a server: they hurt nobody but who sent them."""

from __future__ import annotations

import contextlib
import random
import select
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from redrock.resp.encoder import encode_command

if TYPE_CHECKING:
    from tests.conftest import StartServer

# Harmless whatever their arguments become. (A mutation into SHUTDOWN takes more luck than there is time.)
COMMANDS = [
    [b"SET", b"fuzz:1", b"value" * 20, b"EX", b"100"],
    [b"GET", b"fuzz:1"],
    [b"MSET", b"fuzz:2", b"a", b"fuzz:3", b"b"],
    [b"HSET", b"fuzz:4", b"field", b"value", b"other", b"1"],
    [b"HGETALL", b"fuzz:4"],
    [b"HRANDFIELD", b"fuzz:4", b"-5", b"WITHVALUES"],
    [b"SCAN", b"0", b"MATCH", b"fuzz:[a-z]*", b"COUNT", b"7"],
    [b"SETRANGE", b"fuzz:5", b"10", b"x"],
    [b"GETRANGE", b"fuzz:5", b"-3", b"-1"],
    [b"INCRBYFLOAT", b"fuzz:6", b"1.5e3"],
    [b"LCS", b"fuzz:1", b"fuzz:5", b"IDX"],
    [b"RESTORE", b"fuzz:7", b"0", b"\x00\x01a\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00"],
    [b"MULTI"],
    [b"EXEC"],
    [b"WATCH", b"fuzz:1"],
    [b"HELLO", b"3", b"SETNAME", b"fuzz"],
    [b"CLIENT", b"REPLY", b"SKIP"],
    [b"COMMAND", b"GETKEYSANDFLAGS", b"SET", b"a", b"b"],
    [b"CONFIG", b"GET", b"max*"],
    [b"OBJECT", b"ENCODING", b"fuzz:1"],
    [b"EXPIRE", b"fuzz:1", b"100", b"NX"],
    [b"COPY", b"fuzz:1", b"fuzz:9", b"DB", b"1"],
    [b"SELECT", b"9"],
    [b"PING", b"hello"],
]
INLINE = [b"PING\r\n", b'SET fuzz:1 "a\\x41b"\n', b"GET 'fuzz:1'\r\n", b"\r\n\r\n", b"ECHO hello\r\n"]


def drain(connection: socket.socket) -> bytes:
    """What has come, without waiting long; empty also when the other end has closed."""
    if not select.select([connection], [], [], 0.002)[0]:
        return b""
    try:
        return connection.recv(1 << 16)
    except OSError:
        return b""


def test_garbage_hurts_nobody_else(start_redrock: StartServer, cases: Iterable, resident: Callable[[int], int]) -> None:
    server = start_redrock("--proto-max-bulk-len", "512mb", "--enable-debug-command", "no")
    before = resident(server.pid)
    witness = server.connect()
    parked: list[socket.socket] = []
    for number, mutator in enumerate(cases):
        source: random.Random = mutator.random
        stream = b"".join(
            encode_command(source.choice(COMMANDS)) if source.random() < 0.8 else source.choice(INLINE)
            for _ in range(source.randrange(1, 8))
        )
        data = source.randbytes(source.randrange(300)) if source.random() < 0.1 else mutator.mutated(stream, 6)
        connection = server.connect()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for start in range(0, len(data), cut := source.choice((1000, 1000, 7, 50))):
                connection.sendall(data[start : start + cut])
        drain(connection)
        # Some stay, with half a request in the server's buffer.
        if source.random() < 0.2 and len(parked) < 50:
            parked.append(connection)
        else:
            connection.close()
        value = b"%d" % number
        witness.sendall(encode_command([b"SET", b"witness", value]) + encode_command([b"GET", b"witness"]))
        answer = b""
        expected = b"+OK\r\n$%d\r\n%b\r\n" % (len(value), value)
        while len(answer) < len(expected):
            data = witness.recv(1000)
            assert data, f"REDROCK_FUZZ_SEED={mutator.seed}: the server is gone:\n{server.log}"
            answer += data
        assert answer == expected, f"REDROCK_FUZZ_SEED={mutator.seed}"
    witness.close()
    for connection in parked:
        connection.close()
    assert "Traceback" not in server.log, server.log
    assert "internal error" not in server.log
    assert resident(server.pid) - before < 100 << 20


def test_claims_of_size_cost_nothing(start_redrock: StartServer, resident: Callable[[int], int]) -> None:
    """Many clients announce half a gigabyte each, or a million arguments, and send little of it."""
    server = start_redrock()
    before = resident(server.pid)
    connections = []
    for claim in (
        b"*1\r\n$536870912\r\nabc",
        b"*1048576\r\n$1\r\na\r\n",
        b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$500000000\r\n",
    ):
        for _ in range(30):
            connection = server.connect()
            connection.sendall(claim)
            connections.append(connection)
    assert server.command("PING") is not None
    assert resident(server.pid) - before < 50 << 20
    for connection in connections:
        connection.close()
    server.wait_until(lambda: len(server.command("CLIENT", "LIST").splitlines()) == 1)  # type: ignore[union-attr]
