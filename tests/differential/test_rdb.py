"""RDB files, DUMP payloads and digests, exchanged with a real redis-server in both directions."""

import random
import shutil
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from persistence.rdb.dump import dump_payload, restore_value
from persistence.rdb.events import EndOfFile, KeyRecord, SelectDb
from persistence.rdb.reader import RdbReader
from persistence.rdb.values.value_codec import CHECK_DEEP, LoadLimits
from persistence.rdb.writer import RdbWriter, ReplicationInfo, standard_aux
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.keyspace.digest import KeyTriple, dataset_digest, value_digest
from redrock.resp.reply import Reply, Status
from redrock.util import lzf

FAR = 4102444800123
LIMITS = LoadLimits(check=CHECK_DEEP)
Databases = dict[int, list[KeyTriple]]


class Server(Protocol):
    """What is used of conftest's Oracle."""

    path: str

    def exchange(self, commands: list[list[bytes]]) -> list[Reply]: ...


class StartOracle(Protocol):
    """Of conftest."""

    def __call__(self, *options: str) -> Server: ...


@pytest.fixture(scope="module", params=["yes", "no"])
def server(request: pytest.FixtureRequest, start_oracle: StartOracle) -> Server:
    """A redis-server with rdbcompression on, and one with it off. Where we cannot compress, neither does."""
    compression = request.param if lzf.AVAILABLE else "no"
    return start_oracle("--enable-debug-command", "yes", "--rdbcompression", compression)


def random_text(chance: random.Random) -> bytes:
    kind = chance.randrange(7)
    if kind == 0:
        return b"%d" % chance.randint(-(1 << chance.randint(1, 64)), 1 << chance.randint(1, 64))
    if kind == 1:
        return chance.randbytes(chance.randrange(70))
    if kind == 2:
        return b"".join([chance.choice([b"alpha", b"beta ", b'{"a":1,', b"\x00"]) for _ in range(chance.randrange(80))])
    if kind == 3:
        return chance.choice([b"", b"0", b"-0", b"007", b"+1", b"-", b"1e3", b"a" * 20, b"a" * 21, b"ab" * 9000])
    return b"v%d" % chance.randrange(1000)


def random_dataset(seed: int) -> list[list[bytes]]:
    """Commands that make one."""
    chance = random.Random(seed)
    commands: list[list[bytes]] = [[b"FLUSHALL"]]
    for dbid in (0, 3, 15):
        commands.append([b"SELECT", b"%d" % dbid])
        for number in range(60):
            key = b"%d:" % number + random_text(chance)
            if chance.random() < 0.5:
                commands.append([b"SET", key, random_text(chance)])
            else:
                texts = [random_text(chance) for _ in range(2 * chance.choice([1, 2, 5, 130]))]
                commands.append([b"HSET", key, *texts])
            if chance.random() < 0.3:
                commands.append([b"PEXPIREAT", key, b"%d" % (FAR + number)])
    return [*commands, [b"SELECT", b"0"]]


def reply_to(server: Server, *argv: bytes) -> Reply:
    (reply,) = server.exchange([list(argv)])
    return reply


def ask(server: Server, *argv: bytes) -> bytes:
    reply = reply_to(server, *argv)
    if isinstance(reply, Status):
        return reply.text
    assert isinstance(reply, bytes)
    return reply


def dump_file(server: Server) -> Path:
    return Path(server.path).parent / "dump.rdb"


def read(data: bytes) -> Databases:
    reader = RdbReader()
    reader.feed(data)
    databases: Databases = {}
    keys: list[KeyTriple] = []
    while (event := reader.next_event()) is not None:
        if isinstance(event, SelectDb):
            keys = databases.setdefault(event.dbid, [])
        elif isinstance(event, KeyRecord):
            keys.append((event.key, event.decode(LIMITS), event.expire_at_ms))
        elif isinstance(event, EndOfFile):
            assert event.checked
    reader.end_of_input()
    return databases


def write(databases: Databases, compress: bool) -> bytes:
    writer = RdbWriter(compress)
    writer.header(standard_aux(b"7.0.15", 1700000000, 1 << 20, ReplicationInfo(0, b"a" * 40, 77), False))
    for dbid, keys in sorted(databases.items()):
        writer.select_db(dbid, len(keys), sum(expire != -1 for _, _, expire in keys))
        for key, value, expire_at_ms in keys:
            writer.key(key, value, expire_at_ms)
    writer.finish()
    return writer.take_output()


@pytest.mark.parametrize("seed", range(4))
def test_files_both_ways(server: Server, seed: int) -> None:
    server.exchange(random_dataset(seed))
    digest = ask(server, b"DEBUG", b"DIGEST")
    assert ask(server, b"SAVE") == b"OK"
    databases = read(dump_file(server).read_bytes())
    assert dataset_digest(sorted(databases.items())) == digest
    for compress in (True, False):
        ours = write(databases, compress)
        dump_file(server).write_bytes(ours)
        check = shutil.which("redis-check-rdb")
        assert check is not None
        report = subprocess.run([check, str(dump_file(server))], capture_output=True, text=True, check=True).stdout
        assert "Checksum OK" in report
        assert "RDB looks OK" in report
        assert ask(server, b"DEBUG", b"RELOAD", b"NOSAVE") == b"OK"
        assert ask(server, b"DEBUG", b"DIGEST") == digest
        assert dataset_digest(sorted(read(ours).items())) == digest


@pytest.mark.parametrize("seed", range(10, 13))
def test_payloads_both_ways(server: Server, seed: int) -> None:
    """DUMP's bytes are equal, but for big hashes, whose order is their table's own."""
    commands = random_dataset(seed)
    server.exchange(commands)
    compressed = ask_config(server, b"rdbcompression") == b"yes"
    assert ask(server, b"SAVE") == b"OK"
    equal = 0
    for key, value, expire_at_ms in read(dump_file(server).read_bytes())[0]:
        theirs = ask(server, b"DUMP", key)
        ours = dump_payload(value, compressed)
        restored = restore_value(theirs, LIMITS)
        # A load decides by content whether a string is an int; hashes keep their encoding.
        assert ask(server, b"OBJECT", b"ENCODING", key) == restored.encoding()
        assert value_digest(restored, expire_at_ms != -1) == value_digest(value, expire_at_ms != -1)
        if isinstance(value, StringValue) or (isinstance(value, HashValue) and value.encoding() == b"listpack"):
            assert ours == theirs
            equal += 1
        assert ask(server, b"RESTORE", key, b"0", ours, b"REPLACE") == b"OK"
        reply = reply_to(server, b"DEBUG", b"DIGEST-VALUE", key)
        assert isinstance(reply, list)
        (digest,) = reply
        assert isinstance(digest, Status)
        assert digest.text == value_digest(value, False)
    assert equal > 30


def ask_config(server: Server, name: bytes) -> bytes:
    reply = reply_to(server, b"CONFIG", b"GET", name)
    assert isinstance(reply, list)
    value = reply[1]
    assert isinstance(value, bytes)
    return value


def test_damaged_payloads_get_the_same_errors(server: Server) -> None:
    payload = dump_payload(HashValue.from_flat([b"f", b"v", b"n", b"1000"], 128, 64), False)
    for position in range(len(payload)):
        damaged = payload[:position] + bytes([payload[position] ^ 0x41]) + payload[position + 1 :]
        reply = reply_to(server, b"RESTORE", b"damaged", b"0", damaged)
        assert getattr(reply, "text", None) == b"ERR DUMP payload version or checksum are wrong"
