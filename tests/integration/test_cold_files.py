"""Saving, loading and replication while most values are in the cold tier: always the same dataset."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING

import pytest

from redrock.resp.reply import ErrorReply, Status

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

COUNT = 2500


def digest_of(server: ServerProcess) -> bytes:
    digest = server.command("DEBUG", "DIGEST")
    assert isinstance(digest, Status)
    return digest.text


def cold_keys(server: ServerProcess) -> int:
    return int(server.info("rock")["rock_cold_keys"])


def fill(server: ServerProcess) -> None:
    """Strings and hashes of all encodings, some with a time to live, in two databases."""
    source = random.Random(5)
    client = server.client()
    for start in range(0, COUNT, 500):
        client.mset(
            {f"k{number}": source.randbytes(source.randrange(100, 2000)) for number in range(start, start + 500)}
        )
    client.mset({f"text{number}": "compressible " * number for number in range(200)})
    client.mset({f"number{number}": number for number in range(100)})
    for number in range(50):
        client.hset(f"small{number}", mapping={f"f{i}": i for i in range(20)})
        client.hset(f"big{number}", mapping={f"f{i}": source.randbytes(100) for i in range(150)})
        client.expire(f"big{number}", 100_000 + number)
        client.expire(f"k{number}", 100_000 + number)
    other = server.client(db=3)
    other.mset({f"k{number}": source.randbytes(300) for number in range(200)})


def make_cold(server: ServerProcess) -> None:
    """Nearly all values are cold afterwards, some were cold and changed, deleted or renamed."""
    server.command("ROCKALL")
    client = server.client()
    client.set("k100", "hot again")
    client.append("k101", "more")
    client.delete("k102", "big3")
    client.rename("k103", "renamed")
    client.rename("k104", "k105")
    client.hset("big4", "f1", "changed")
    client.move("k106", 5)
    client.copy("k107", "copied")
    client.get("k108")
    server.command("SWAPDB", 3, 4)
    assert cold_keys(server) > COUNT * 0.9


@pytest.fixture
def cold_server(start_redrock: StartServer) -> ServerProcess:
    server = start_redrock("--maxrockmem", "1gb", "--rdb-key-save-delay", "0")
    fill(server)
    make_cold(server)
    return server


def no_child(server: ServerProcess) -> bool:
    facts = server.info("persistence")
    return facts["rdb_bgsave_in_progress"] == facts["aof_rewrite_in_progress"] == "0"


def save(server: ServerProcess, command: str) -> None:
    assert not isinstance(server.command(command), ErrorReply)
    server.wait_until(lambda: no_child(server))
    assert server.info("persistence")["rdb_last_bgsave_status"] == "ok"


@pytest.mark.parametrize("command", ["SAVE", "BGSAVE"])
def test_a_dump_has_them_all(cold_server: ServerProcess, start_redis: StartServer, command: str) -> None:
    before = cold_keys(cold_server)
    save(cold_server, command)
    assert cold_keys(cold_server) == before, "saving brought values back into memory"
    digest = digest_of(cold_server)
    theirs = start_redis("--dir", str(cold_server.folder))
    assert digest_of(theirs) == digest
    assert cold_server.stop() == 0
    cold_server.options += ["--maxrockmem", "300kb", "--rock-min-hot-keys", "10"]
    cold_server.start()
    cold_server.wait_ready()
    cold_server.wait_until(lambda: cold_keys(cold_server) > COUNT // 2)
    assert digest_of(cold_server) == digest
    assert cold_keys(cold_server) > COUNT // 2, "the digest brought values back into memory"


def test_a_save_sees_one_instant(cold_server: ServerProcess, start_redis: StartServer) -> None:
    """Changes, loads and spills during a save are not in it."""
    cold_server.command("CONFIG", "SET", "rdb-key-save-delay", "300")
    digest = digest_of(cold_server)
    cold_server.command("BGSAVE")
    client = cold_server.client()
    for number in range(0, COUNT, 7):
        match number % 5:
            case 0:
                client.delete(f"k{number}")
            case 1:
                client.set(f"k{number}", "other" * 50)
            case 2:
                client.get(f"k{number}")
            case 3:
                client.rename(f"k{number}", f"k{number + 1}") if client.exists(f"k{number}") else None
            case _:
                client.append(f"k{number}", "more")
        if number % 701 == 0:
            cold_server.command("ROCKALL")
    assert not no_child(cold_server), "the save was over too soon to tell"
    client.swapdb(0, 4)
    client.flushdb()
    cold_server.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    cold_server.wait_until(lambda: no_child(cold_server), 60)
    assert cold_server.info("persistence")["rdb_last_bgsave_status"] == "ok"
    theirs = start_redis("--dir", str(cold_server.folder))
    assert digest_of(theirs) == digest


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_a_rewritten_log_has_them_all(start_redrock: StartServer, start_redis: StartServer, preamble: str) -> None:
    server = start_redrock("--maxrockmem", "1gb", "--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    fill(server)
    make_cold(server)
    server.command("BGREWRITEAOF")
    # The commands of these go to the new increment.
    client = server.client()
    client.append("k200", "during")
    client.delete("k201")
    client.rename("k202", "k203")
    server.command("ROCKALL")
    server.wait_until(lambda: no_child(server))
    assert server.info("persistence")["aof_last_bgrewrite_status"] == "ok"
    assert cold_keys(server) > COUNT * 0.9
    digest = digest_of(server)
    server.stop()
    theirs = start_redis("--dir", str(server.folder), "--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    assert digest_of(theirs) == digest
    theirs.kill()
    server.options += ["--maxrockmem", "300kb", "--rock-min-hot-keys", "10"]
    server.start()
    server.wait_ready()
    assert digest_of(server) == digest
    server.wait_until(lambda: cold_keys(server) > COUNT // 2)


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_follower_gets_them_all(cold_server: ServerProcess, start_redis: StartServer, diskless: str) -> None:
    """A real redis-server follows; writes go on during the full sync."""
    cold_server.command("CONFIG", "SET", "repl-diskless-sync", diskless)
    cold_server.command("CONFIG", "SET", "repl-diskless-sync-delay", "0")
    theirs = start_redis()
    stop = threading.Event()

    def write() -> None:
        client = cold_server.client()
        source = random.Random(9)
        while not stop.is_set():
            key = f"k{source.randrange(COUNT)}"
            client.append(key, "+")
            client.delete(f"k{source.randrange(COUNT)}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        theirs.command("REPLICAOF", "127.0.0.1", cold_server.port)
        theirs.wait_until(lambda: theirs.info("replication")["master_link_status"] == "up", 60)
    finally:
        stop.set()
        writer.join()
    cold_server.command("ROCKALL")
    cold_server.command("SET", "last", "one")
    theirs.wait_until(lambda: theirs.command("GET", "last") == b"one")
    assert digest_of(theirs) == digest_of(cold_server)
    assert cold_keys(cold_server) > COUNT // 2


def test_a_cold_follower_of_a_redis_server(start_redrock: StartServer, start_redis: StartServer) -> None:
    """The use that the design names: a small follower under a leader that has all in memory; then it takes over."""
    leader = start_redis("--repl-diskless-sync-delay", "0")
    fill(leader)
    follower = start_redrock("--maxrockmem", "500kb", "--rock-min-hot-keys", "10")
    follower.command("REPLICAOF", "127.0.0.1", leader.port)
    follower.wait_until(lambda: follower.info("replication")["master_link_status"] == "up", 60)
    client = leader.client()
    source = random.Random(3)
    for _ in range(1500):
        key, other = f"k{source.randrange(COUNT)}", f"k{source.randrange(COUNT)}"
        match source.randrange(6):
            case 0:
                client.append(key, source.randbytes(50))
            case 1:
                client.rename(key, other) if client.exists(key) else None
            case 2:
                client.delete(key)
            case 3:
                client.set(key, source.randbytes(500))
            case 4:
                client.hset(f"big{source.randrange(50)}", "f1", source.randbytes(10))
            case _:
                client.copy(key, other, replace=True)
    client.execute_command("SWAPDB", 0, 3)
    client.append("k7", "in the swapped one")
    client.execute_command("SWAPDB", 0, 3)
    client.set("last", "one")
    follower.wait_until(lambda: follower.command("GET", "last") == b"one")
    follower.wait_until(lambda: cold_keys(follower) > COUNT // 2)
    assert digest_of(follower) == digest_of(leader)
    follower.command("REPLICAOF", "NO", "ONE")
    leader.command("REPLICAOF", "127.0.0.1", follower.port)
    leader.wait_until(lambda: leader.info("replication")["master_link_status"] == "up", 60)
    ours = follower.client()
    for number in range(0, COUNT, 50):
        ours.append(f"k{number}", "after the change of roles")
    ours.set("last", "two")
    leader.wait_until(lambda: leader.command("GET", "last") == b"two")
    assert digest_of(follower) == digest_of(leader)


def test_a_flush_ends_a_save_of_cold_values(cold_server: ServerProcess) -> None:
    """The rows that the save still had to read are dropped; the file stays as it was, and the next save works."""
    save(cold_server, "SAVE")
    before = (cold_server.folder / "dump.rdb").read_bytes()
    cold_server.command("SET", "k1", "changed")
    cold_server.command("CONFIG", "SET", "rdb-key-save-delay", "100000")
    cold_server.command("BGSAVE")
    assert not no_child(cold_server)
    cold_server.command("FLUSHALL")  # ends the child, as Redis does
    cold_server.wait_until(lambda: no_child(cold_server))
    assert (cold_server.folder / "dump.rdb").read_bytes() == before
    assert cold_server.command("DBSIZE") == 0
    cold_server.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    fill(cold_server)
    make_cold(cold_server)
    digest = digest_of(cold_server)
    save(cold_server, "BGSAVE")
    cold_server.kill()
    cold_server.start()
    cold_server.wait_ready()
    assert digest_of(cold_server) == digest
