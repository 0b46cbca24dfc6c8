"""Mutated RDB files, append-only files and manifests: an error that is foreseen, or a dataset; never anything else."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from persistence.aof.manifest import ManifestError, parse_manifest
from persistence.aof.reader import AofReader
from persistence.rdb.events import EndOfFile, KeyRecord
from persistence.rdb.reader import RdbReader
from persistence.rdb.values.value_codec import LoadLimits
from redrock.errors import CorruptionError
from redrock.resp.encoder import encode_command
from redrock.util.crc import crc64

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer
    from tests.fuzz.conftest import Cases, Mutator

LIMITS = LoadLimits()


def decode(event: object) -> None:
    if isinstance(event, KeyRecord):
        event.decode(LIMITS)


def resealed(data: bytes) -> bytes:
    """With a good checksum at the end."""
    return data[:-8] + crc64(data[:-8]).to_bytes(8, "little") if len(data) > 8 else data


def test_rdb_reader(cases: Cases, corpus: list[bytes]) -> None:
    outcomes = {"refused": 0, "read": 0}

    def case(mutator: Mutator) -> None:
        data = mutator.mutated(mutator.random.choice(corpus))
        # Half of them with a good checksum, and half of those with the checksum looked at.
        if mutator.random.random() < 0.5:
            data = resealed(data)
        reader = RdbReader(mutator.random.random() < 0.5, decodable_only=mutator.random.random() < 0.5)
        step = mutator.random.choice((1 << 20, 1000, 17))
        try:
            for start in range(0, len(data), step):
                reader.feed(data[start : start + step])
                while (event := reader.next_event()) is not None:
                    decode(event)
                    if isinstance(event, EndOfFile):
                        break
            reader.end_of_input()
            outcomes["read"] += 1
        except CorruptionError:
            outcomes["refused"] += 1

    cases.run(case)
    assert all(outcomes.values()), outcomes


def some_log() -> bytes:
    commands = [[b"SELECT", b"0"]]
    for number in range(20):
        commands += [
            [b"SET", b"k%d" % number, b"v" * number],
            [b"MULTI"],
            [b"INCR", b"n"],
            [b"HSET", b"h", b"f%d" % number, b"v"],
            [b"EXEC"],
            [b"PEXPIREAT", b"k%d" % number, b"1900000000000"],
        ]
    return b"".join([encode_command(argv) for argv in commands]) + b"#TS:1700000000\r\n"


def test_aof_reader(cases: Cases, corpus: list[bytes]) -> None:
    log = some_log()
    outcomes = {"refused": 0, "read": 0}

    def case(mutator: Mutator) -> None:
        source = mutator.random
        data = mutator.mutated(log)
        if source.random() < 0.3:
            data = source.choice(corpus) + data
        reader = AofReader("fuzz", source.random() < 0.5, False)
        step = source.choice((1 << 20, 1000, 17))
        try:
            for start in range(0, len(data), step):
                reader.feed(data[start : start + step])
                while (event := reader.next_event()) is not None:
                    decode(event)
            reader.end_of_input()
            while (event := reader.next_event()) is not None:
                decode(event)
            outcomes["read"] += 1
        except CorruptionError:
            outcomes["refused"] += 1

    cases.run(case)
    assert all(outcomes.values()), outcomes


def test_manifest(cases: Cases) -> None:
    manifest = (
        b"file appendonly.aof.7.base.rdb seq 7 type b\n"
        b'file "an odd \\x20 name" seq 5 type h\n'
        b"# a comment\n"
        b"file appendonly.aof.12.incr.aof seq 12 type i\n"
        b"file appendonly.aof.13.incr.aof seq 13 type i\n"
    )
    outcomes = {"refused": 0, "read": 0}

    def case(mutator: Mutator) -> None:
        try:
            parse_manifest(mutator.mutated(manifest))
            outcomes["read"] += 1
        except ManifestError:
            outcomes["refused"] += 1

    cases.run(case)
    assert all(outcomes.values()), outcomes


# --- A whole server on such files


def starts_or_says_why(server: ServerProcess, note: str) -> None:
    """It serves, or has ended with code 1 and a message."""
    server.start()
    try:
        server.wait_ready()
    except AssertionError:
        assert server.process.poll() == 1, f"{note}\n{server.log}"
    server.kill()
    assert "Traceback" not in server.log, f"{note}\n{server.log}"


@pytest.fixture
def filled(start_redrock: StartServer) -> ServerProcess:
    server = start_redrock("--appendonly", "yes")
    client = server.client()
    for number in range(30):
        client.set(f"k{number}", "v" * number * 10)
        client.hset("h", f"f{number}", "v")
    server.command("BGREWRITEAOF")
    server.wait_until(lambda: "Background AOF rewrite finished successfully" in server.log)
    client.mset({f"later{number}": number for number in range(30)})
    server.command("SAVE")
    server.kill()
    return server


@pytest.mark.parametrize("target", ["dump.rdb", "base.rdb", "incr.aof", "manifest"])
def test_a_server_on_mutated_files(filled: ServerProcess, tmp_path: Path, cases: Iterable, target: str) -> None:
    folder = filled.folder / "appendonlydir"
    whole = tmp_path / "whole"
    shutil.copytree(folder, whole)
    if target == "dump.rdb":
        path = filled.folder / target
        filled.options += ["--appendonly", "no"]
    else:
        path = next(folder.glob(f"*{target}"))
    content = path.read_bytes()
    for mutator in cases:
        data = mutator.mutated(content)
        shutil.rmtree(folder)
        shutil.copytree(whole, folder)
        path.write_bytes(resealed(data) if target.endswith("rdb") and mutator.random.random() < 0.7 else data)
        starts_or_says_why(filled, f"{target} REDROCK_FUZZ_SEED={mutator.seed}")
