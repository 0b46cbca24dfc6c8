"""Saving and loading by whole servers: crashes under load, cold values, and redis-server beside the files."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from redrock.resp.reply import ErrorReply, Status

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

VALUE = "v" * 200


class Writers:
    """Threads that write as fast as they can, and remember which writes were acknowledged."""

    def __init__(self, server: ServerProcess, count: int = 4) -> None:
        self.acknowledged: list[int] = [0] * count
        self._stop = False
        self._threads = [threading.Thread(target=self._write, args=(server.port, i)) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def _write(self, port: int, number: int) -> None:
        client = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        try:
            while not self._stop:
                # A counter and a key per write, so that a write that is lost or done twice shows.
                with client.pipeline(transaction=True) as pipeline:
                    pipeline.incr(f"counter:{number}").set(f"{number}:{self.acknowledged[number]}", VALUE)
                    pipeline.execute()
                self.acknowledged[number] += 1
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            pass  # the server was killed
        finally:
            client.close()

    def join(self) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join(20)

    def check(self, server: ServerProcess) -> None:
        """Everything acknowledged is there, once; of each thread at most the one write more that was under way."""
        client = server.client()
        for number, count in enumerate(self.acknowledged):
            found = int(client.get(f"counter:{number}") or 0)
            assert count <= found <= count + 1, f"writer {number}: acknowledged {count}, found {found}"
            keys = [f"{number}:{i}" for i in range(found)]
            assert client.mget(keys) == [VALUE.encode()] * found
            assert client.get(f"{number}:{found}") is None


def restart(server: ServerProcess) -> None:
    server.kill()
    server.start()
    server.wait_ready()


def log_files(server: ServerProcess) -> list[str]:
    return sorted(os.listdir(server.folder / "appendonlydir"))


def contents(server: ServerProcess) -> dict[bytes, object]:
    client = server.client()
    return {
        key: client.get(key) if client.type(key) == b"string" else client.hgetall(key) for key in client.scan_iter()
    }


def digest_of(server: ServerProcess) -> bytes:
    digest = server.command("DEBUG", "DIGEST")
    assert isinstance(digest, Status)
    return digest.text


def no_child(server: ServerProcess) -> bool:
    facts = server.info("persistence")
    return facts["rdb_bgsave_in_progress"] == facts["aof_rewrite_in_progress"] == "0"


# --- Crashes


@pytest.mark.parametrize("policy", ["always", "no"])
def test_kill_9_under_load_loses_nothing_acknowledged(start_redrock: StartServer, policy: str) -> None:
    """What was written survives the process; only a power cut tells these two apart.

    Under everysec, a write waits for an fsync that is running, as in Redis, and is lost with the process.
    """
    server = start_redrock("--appendonly", "yes", "--appendfsync", policy)
    writers = Writers(server)
    time.sleep(1)
    restart(server)
    writers.join()
    assert min(writers.acknowledged) > 10
    writers.check(server)


def test_kill_9_while_the_log_is_rewritten_again_and_again(start_redrock: StartServer) -> None:
    server = start_redrock("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
    for _ in range(3):
        server.command("FLUSHALL")
        writers = Writers(server, 2)
        deadline = time.monotonic() + 1.2
        rewrites = 0
        while time.monotonic() < deadline:
            rewrites += not isinstance(server.command("BGREWRITEAOF"), ErrorReply)
            time.sleep(0.03)
        restart(server)
        writers.join()
        assert rewrites > 1
        writers.check(server)


def test_kill_9_soon_after_the_log_was_switched_on(start_redrock: StartServer) -> None:
    """Once the first base is there, everything is; until then, CONFIG SET has promised nothing that a crash keeps."""
    server = start_redrock("--appendonly", "no", "--appendfsync", "always")
    writers = Writers(server, 2)
    time.sleep(0.3)
    assert server.command("CONFIG", "SET", "appendonly", "yes") is not None
    server.wait_until(lambda: "Background AOF rewrite finished successfully" in server.log)
    time.sleep(0.3)
    server.options += ["--appendonly", "yes"]
    restart(server)
    writers.join()
    writers.check(server)


def test_kill_9_during_a_save_leaves_the_file_before(start_redrock: StartServer) -> None:
    server = start_redrock("--rdb-key-save-delay", "1000")
    server.command("SET", "a", "1")
    server.command("SAVE")
    before = (server.folder / "dump.rdb").read_bytes()
    for i in range(1000):
        server.command("SET", f"k{i}", VALUE)
    server.command("BGSAVE")
    time.sleep(0.1)
    server.kill()
    assert (server.folder / "dump.rdb").read_bytes() == before
    server.start()
    server.wait_ready()
    assert contents(server) == {b"a": b"1"}


def test_a_killed_child_is_noticed_and_writes_are_refused(start_redrock: StartServer) -> None:
    server = start_redrock("--rdb-key-save-delay", "10000000", "--save", "3600 1")
    server.command("SET", "a", "1")
    server.command("BGSAVE")
    pid = int(server.log.split("Background saving started by pid ")[1].split()[0])
    os.kill(pid, signal.SIGKILL)
    server.wait_until(lambda: "Background saving terminated by signal 9" in server.log)
    server.wait_until(lambda: isinstance(server.command("SET", "a", "2"), ErrorReply))
    refused = server.command("SET", "a", "2")
    assert isinstance(refused, ErrorReply)
    assert refused.text.startswith(b"MISCONF Redis is configured to save RDB snapshots")
    server.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    server.command("SAVE")
    server.wait_until(lambda: not isinstance(server.command("SET", "a", "2"), ErrorReply))
    assert not [name for name in os.listdir(server.folder) if name.startswith("temp-")]


def test_the_child_does_not_keep_the_port(start_redrock: StartServer) -> None:
    """A server that was killed alone can be started again at once, though its child still saves."""
    server = start_redrock("--rdb-key-save-delay", "10000000")
    server.command("SET", "a", "1")
    server.command("BGSAVE")
    pid = int(server.log.split("Background saving started by pid ")[1].split()[0])
    server.forget_connections()
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    try:
        server.start()
        server.wait_ready()
    finally:
        os.kill(pid, signal.SIGKILL)


# --- Broken files


def cut(path: Path, lost: int) -> None:
    path.write_bytes(path.read_bytes()[:-lost])


def test_a_cut_log_is_loaded_up_to_its_last_whole_command(start_redrock: StartServer) -> None:
    server = start_redrock("--appendonly", "yes", "--appendfsync", "always")
    for i in range(10):
        server.command("SET", f"k{i}", "v")
    server.kill()
    increment = server.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    cut(increment, 3)
    server.start()
    server.wait_ready()
    assert set(contents(server)) == {b"k%d" % i for i in range(9)}
    assert "loaded anyway because aof-load-truncated is enabled" in server.log
    # And it goes on where it was cut.
    server.command("SET", "after", "v")
    restart(server)
    assert set(contents(server)) == {b"after", *[b"k%d" % i for i in range(9)]}


def spoil_dump(folder: Path) -> str:
    (folder / "dump.rdb").write_bytes(b"REDIS0010 nonsense")
    return "Terminating server after rdb file reading failure."


def spoil_log(folder: Path) -> str:
    (folder / "appendonlydir" / "appendonly.aof.1.incr.aof").write_bytes(b"nonsense")
    return "Bad file format reading the append only file appendonly.aof.1.incr.aof"


def spoil_manifest(folder: Path) -> str:
    (folder / "appendonlydir" / "appendonly.aof.manifest").write_bytes(b"nonsense\n")
    return "Invalid AOF manifest file format"


@pytest.mark.parametrize(("appendonly", "spoil"), [("no", spoil_dump), ("yes", spoil_log), ("yes", spoil_manifest)])
def test_it_does_not_start_on_broken_files(
    start_redrock: StartServer, appendonly: str, spoil: Callable[[Path], str]
) -> None:
    server = start_redrock("--appendonly", appendonly)
    server.command("SET", "a", "1")
    server.command("SAVE")
    server.kill()
    message = spoil(server.folder)
    server.start()
    assert server.wait_ended() == 1
    assert message in server.log


# --- Start and stop


def test_clients_are_told_that_it_is_loading(start_redrock: StartServer) -> None:
    server = start_redrock()
    for i in range(300):
        server.command("SET", f"k{i}", "v")
    server.command("SAVE")
    server.kill()
    server.options += ["--key-load-delay", "10000"]
    server.start()
    seen: list[bytes] = []

    def loading() -> bool:
        try:
            reply = server.command("GET", "k1")
        except OSError:
            return False
        seen.append(reply.text if isinstance(reply, ErrorReply) else b"value")
        return len(seen) > 2

    server.wait_until(loading)
    assert seen[0] == b"LOADING Redis is loading the dataset in memory"
    facts = server.info("persistence")
    assert facts["loading"] == "1"
    assert 0 <= float(facts["loading_loaded_perc"]) <= 100
    server.wait_until(lambda: server.command("GET", "k1") == b"v")
    assert server.info("persistence")["loading"] == "0"


@pytest.mark.parametrize(("words", "saved"), [((), True), (("SAVE",), True), (("NOSAVE",), False)])
def test_shutdown_saves_if_it_should(start_redrock: StartServer, words: tuple[str, ...], saved: bool) -> None:
    server = start_redrock("--save", "3600 1000")
    server.command("SET", "a", "1")
    connection = server.connect()
    connection.sendall(" ".join(["SHUTDOWN", *words]).encode() + b"\r\n")
    assert server.wait_ended() == 0
    connection.close()
    assert (server.folder / "dump.rdb").exists() is saved


def test_save_rules_and_scheduling(start_redrock: StartServer) -> None:
    server = start_redrock("--save", "1 3")
    for i in range(3):
        server.command("SET", f"k{i}", "v")
    server.wait_until(lambda: (server.folder / "dump.rdb").exists())
    assert "3 changes in 1 seconds. Saving..." in server.log
    server.wait_until(lambda: no_child(server))
    assert server.info("persistence")["rdb_changes_since_last_save"] == "0"


def test_automatic_rewrite(start_redrock: StartServer) -> None:
    server = start_redrock("--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-min-size", "20kb")
    for i in range(200):
        server.command("SET", "k", f"{i}" * 50)
    server.wait_until(lambda: "Starting automatic rewriting of AOF on " in server.log)
    server.wait_until(lambda: no_child(server))
    assert "appendonly.aof.2.base.rdb" in log_files(server)
    restart(server)
    assert contents(server) == {b"k": b"199" * 50}


# --- Beside redis-server


def fill(server: ServerProcess) -> None:
    client = server.client()
    for i in range(200):
        client.set(f"string:{i}", f"{i}" * (i % 50))
    client.hset("small", mapping={"f": "v", "n": "1"})
    client.hset("big", mapping={f"f{i}": VALUE for i in range(300)})
    client.set("expiring", "v", ex=100000)
    client.incrbyfloat("float", 0.1)
    client.append("string:5", "appended")


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_redis_server_goes_on_with_our_log(start_redrock: StartServer, start_redis: StartServer, preamble: str) -> None:
    ours = start_redrock("--appendonly", "yes", "--aof-use-rdb-preamble", preamble)
    fill(ours)
    ours.command("BGREWRITEAOF")
    ours.wait_until(lambda: no_child(ours))
    ours.client().set("later", "v")
    expected, digest = contents(ours), digest_of(ours)
    assert ours.stop() == 0
    theirs = start_redis("--appendonly", "yes", "--dir", str(ours.folder))
    assert contents(theirs) == expected
    assert digest_of(theirs) == digest
    # And back again, with what redis-server has added.
    theirs.command("SET", "from redis", "v")
    theirs.command("BGREWRITEAOF")
    theirs.wait_until(lambda: no_child(theirs))
    theirs.command("SET", "from redis 2", "v")
    theirs.stop()
    ours.start()
    ours.wait_ready()
    assert contents(ours) == expected | {b"from redis": b"v", b"from redis 2": b"v"}


def test_dumps_are_exchanged(start_redrock: StartServer, start_redis: StartServer) -> None:
    ours = start_redrock()
    fill(ours)
    ours.command("SAVE")
    theirs = start_redis("--dir", str(ours.folder))
    digest = digest_of(ours)
    assert digest_of(theirs) == digest
    theirs.command("SET", "more", "v")
    theirs.command("SAVE")
    digest = digest_of(theirs)
    restart(ours)
    assert digest_of(ours) == digest


# --- Cold values


def test_cold_values_are_in_every_file(start_redrock: StartServer, start_redis: StartServer) -> None:
    """Values that are not in memory are saved without coming back, and a new start spills what it loads."""
    server = start_redrock("--maxrockmem", "1gb", "--appendonly", "yes", "--appendfsync", "no")
    client = server.client()
    for start in range(0, 5000, 500):
        client.mset({f"k{i}": f"{i}" * 300 for i in range(start, start + 500)})
    client.hset("hash", mapping={f"f{i}": VALUE for i in range(100)})
    client.expire("k7", 100000)
    digest = digest_of(server)
    assert not isinstance(client.execute_command("ROCKALL"), Exception)
    server.wait_until(lambda: int(server.info("rock")["rock_cold_keys"]) > 5000)
    client.set("k1", "hot again")
    client.delete("k2")
    client.rename("k3", "renamed")
    server.command("BGSAVE")
    server.wait_until(lambda: "Background saving terminated with success" in server.log)
    server.command("BGREWRITEAOF")
    server.wait_until(lambda: "Background AOF rewrite finished successfully" in server.log)
    assert int(server.info("rock")["rock_cold_keys"]) > 4990
    expected = digest_of(server)
    assert expected != digest
    server.kill()
    for appendonly in ("yes", "no"):
        theirs = start_redis("--dir", str(server.folder), "--appendonly", appendonly)
        assert digest_of(theirs) == expected
        theirs.kill()
    server.options += ["--maxrockmem", "500kb"]
    server.start()
    server.wait_ready()
    assert digest_of(server) == expected
    assert server.client().get("k4999") == b"4999" * 300
