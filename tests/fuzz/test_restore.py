"""Mutated DUMP payloads, with a good checksum, through RESTORE: refused, or a value that can be used like any other."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import pytest

from redrock.errors import BAD_DATA_FORMAT, DUMP_PAYLOAD_WRONG
from redrock.resp.reply import OK, ErrorReply
from redrock.util.crc import crc64

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

FOOTER_BYTES = 10


def dumps(server: ServerProcess) -> list[bytes]:
    source = random.Random(1)
    client = server.client(2)
    client.mset({"int": 12345, "big int": 1 << 40, "short": "abc", "raw": source.randbytes(300), "text": "ab" * 500})
    client.hset("small", mapping={f"f{i}": i * 1000 for i in range(10)})
    client.hset("texts", mapping={f"field{i}": "x" * (i * 7) for i in range(9)})
    client.hset("big", mapping={f"f{i}": source.randbytes(20) for i in range(200)})
    found = [server.command("DUMP", key) for key in ("int", "big int", "short", "raw", "text", "small", "texts", "big")]
    # The same bytes read as another type: packed forms of old versions, lists, sets and so on.
    return [dump for dump in found if isinstance(dump, bytes)]


def sealed(body: bytes) -> bytes:
    """With the checksum that belongs to it, so that the checksum is not what refuses it."""
    body += b"\x0a\x00"
    return body + crc64(body).to_bytes(8, "little")


@pytest.mark.parametrize("sanitize", ["yes", "no"])
def test_mutated_payloads(
    start_redrock: StartServer, cases: Iterable, resident: Callable[[int], int], sanitize: str
) -> None:
    server = start_redrock("--sanitize-dump-payload", sanitize)
    valid = dumps(server)
    before = resident(server.pid)
    refused = restored = 0
    for mutator in cases:
        source: random.Random = mutator.random
        body = source.choice(valid)[:-FOOTER_BYTES]
        if source.random() < 0.3:
            body = bytes([source.randrange(30)]) + body[1:]
        payload = sealed(mutator.mutated(body))
        note = f"REDROCK_FUZZ_SEED={mutator.seed} {payload!r}"
        reply = server.command("RESTORE", "k", "0", payload, "REPLACE")
        if isinstance(reply, ErrorReply):
            assert reply.text in (BAD_DATA_FORMAT, DUMP_PAYLOAD_WRONG), note
            refused += 1
            continue
        assert reply == OK, note
        restored += 1
        for command in (
            ("GET", "k"),
            ("APPEND", "k", "x"),
            ("HGETALL", "k"),
            ("DUMP", "k"),
            ("OBJECT", "ENCODING", "k"),
            ("MEMORY", "USAGE", "k"),
        ):
            answer = server.command(*command)
            assert not isinstance(answer, ErrorReply) or answer.text.startswith(b"WRONGTYPE"), (note, command, answer)
        again = server.command("DUMP", "k")
        assert server.command("RESTORE", "copy", "0", again, "REPLACE") == OK, note  # type: ignore[arg-type]
        digests = server.command("DEBUG", "DIGEST-VALUE", "k", "copy")
        assert isinstance(digests, list)
        assert digests[0].text == digests[1].text, note
        for command in (("HSET", "k", "f", "v"), ("HDEL", "k", "f"), ("DEL", "k")):
            answer = server.command(*command)
            assert not isinstance(answer, ErrorReply) or answer.text.startswith(b"WRONGTYPE"), (note, command, answer)
    assert refused
    assert restored
    assert "Traceback" not in server.log, server.log
    assert resident(server.pid) - before < 100 << 20
