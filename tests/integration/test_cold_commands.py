"""ROCKEVICT, ROCKALL, ROCKMEM, ROCKSTAT, PURGEROCKSDB; and commands on whole databases and keys that are cold."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
import redis

from redrock.resp.reply import OK, ErrorReply

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

BIG = b"v" * 5000


def cold_keys(server: ServerProcess) -> int:
    return int(server.info("rock")["rock_cold_keys"])


def pairs(reply: object) -> dict[object, object]:
    """A map, or what a connection of protocol 2 makes of it."""
    assert isinstance(reply, list)
    return dict(zip(reply[::2], reply[1::2], strict=True))


@pytest.fixture
def server(start_redrock: StartServer) -> ServerProcess:
    return start_redrock("--maxrockmem", "1gb")


# --- The commands


def test_rockevict_tells_what_became_of_each_key(server: ServerProcess) -> None:
    client = server.client()
    client.mset({"big": BIG, "small": "v", "cold": BIG, "number": 12})
    client.hset("hash", mapping={f"f{i}": BIG for i in range(5)})
    assert pairs(server.command("ROCKEVICT", "cold")) == {b"cold": b"spilled"}
    answer = pairs(server.command("ROCKEVICT", "big", "small", "cold", "none", "hash", "number"))
    assert answer == {
        b"big": b"spilled",
        b"small": b"too small",
        b"cold": b"cold already",
        b"none": b"no such key",
        b"hash": b"spilled",
        b"number": b"too small",
    }
    assert cold_keys(server) == 3
    assert client.mget("big", "small", "cold", "number") == [BIG, b"v", BIG, b"12"]
    assert client.hget("hash", "f3") == BIG
    assert cold_keys(server) == 0
    # Reading a value back does not tie it to memory.
    assert pairs(server.command("ROCKEVICT", "big")) == {b"big": b"spilled"}
    assert client.get("big") == BIG


def test_rockall_and_rockmem(server: ServerProcess) -> None:
    client = server.client()
    client.mset({f"k{i}": BIG for i in range(1000)})
    before = int(server.info("memory")["used_memory"])
    some = server.command("ROCKMEM", "1mb")
    assert isinstance(some, int)
    assert 200 <= some <= 300, "a megabyte of values of 5 kB"
    assert cold_keys(server) == some
    assert before - int(server.info("memory")["used_memory"]) > 900_000
    assert server.command("ROCKMEM", "500K", 10) in range(90, 150)
    rest = server.command("ROCKALL")
    assert isinstance(rest, int)
    assert cold_keys(server) == 1000
    assert server.command("ROCKALL") == 0
    assert server.command("ROCKMEM", "1g") == 0
    assert before - int(server.info("memory")["used_memory"]) > 4_500_000
    assert all(value == BIG for value in client.mget([f"k{i}" for i in range(1000)]))


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (("ROCKEVICT",), b"ERR wrong number of arguments for 'rockevict' command"),
        (("ROCKALL", "x"), b"ERR wrong number of arguments for 'rockall' command"),
        (("ROCKMEM",), b"ERR wrong number of arguments for 'rockmem' command"),
        (("ROCKMEM", "1", "2", "3"), b"ERR wrong number of arguments for 'rockmem' command"),
        (("ROCKMEM", "much"), b"ERR size must be a positive number of bytes, like 100mb"),
        (("ROCKMEM", "0"), b"ERR size must be a positive number of bytes, like 100mb"),
        (("ROCKMEM", "1mb", "-1"), b"ERR timeout is negative"),
        (("ROCKMEM", "1mb", "x"), b"ERR value is not an integer or out of range"),
        (("ROCKSTAT", "x"), b"ERR wrong number of arguments for 'rockstat' command"),
    ],
)
def test_errors(redrock_server: ServerProcess, command: tuple[str, ...], error: bytes) -> None:
    reply = redrock_server.command(*command)
    assert isinstance(reply, ErrorReply)
    assert reply.text == error


def test_nobody_waits_for_a_rockall(server: ServerProcess) -> None:
    """The client that asked is blocked; others are served, and their writes are not lost."""
    client = server.client()
    for start in range(0, 10_000, 500):
        client.mset({f"k{i}": random.Random(i).randbytes(1000) for i in range(start, start + 500)})
    with server.connect() as asking:
        asking.sendall(b"ROCKALL\r\n")
        slowest = 0.0
        served = 0
        until = time.monotonic() + 20
        while cold_keys(server) < 9000 and time.monotonic() < until:
            began = time.monotonic()
            client.incr("counter")
            client.append("k1", "+")
            slowest = max(slowest, time.monotonic() - began)
            served += 1
        assert asking.recv(100).startswith(b":")
    assert served > 5
    assert slowest < 1
    assert client.get("counter") == b"%d" % served
    assert client.get("k1") == random.Random(1).randbytes(1000) + b"+" * served


def test_a_client_that_leaves_ends_its_wish(server: ServerProcess) -> None:
    client = server.client()
    client.mset({f"k{i}": BIG for i in range(500)})
    with server.connect() as asking:
        asking.sendall(b"ROCKALL\r\n")
    assert client.get("k7") == BIG
    assert server.command("ROCKALL") is not None
    assert cold_keys(server) == 500


def test_in_a_transaction_they_answer_at_once(server: ServerProcess) -> None:
    client = server.client()
    client.mset({f"k{i}": BIG for i in range(100)})
    with client.pipeline(transaction=True) as pipeline:
        pipeline.execute_command("ROCKALL")
        pipeline.get("k1")
        assert pipeline.execute()[1] == BIG
    server.wait_until(lambda: cold_keys(server) >= 99)


def test_rockstat_and_info_agree(server: ServerProcess) -> None:
    client = server.client()
    client.mset({f"k{i}": BIG for i in range(100)})
    client.execute_command("ROCKALL")
    client.config_resetstat()
    for i in range(10):
        client.get(f"k{i}")
    client.get("k1")
    stat = server.command("ROCKSTAT")
    assert isinstance(stat, bytes)
    fields = dict(line.split(":", 1) for line in stat.decode().split("\r\n") if line)
    assert fields["key_num"] == "100"
    assert fields["key_in_disk_num"] == "90"
    assert fields["evict_key_num"] == "10"
    assert fields["stat_key_total"] == "11"
    assert fields["stat_key_rock"] == "10"
    assert fields["key_percent"] == "90"
    assert fields["no_zero_dbnum"] == "1"
    assert fields["max_rock_human"] == "1.00G"
    assert fields["status"] == "ok"
    info = server.info("rock")
    assert info["rock_cold_keys"] == "90"
    assert info["rock_loaded_values"] == "10"
    assert info["rock_parked_total"] >= "10"


def test_purging_gives_the_disk_back(server: ServerProcess) -> None:
    client = server.client()
    for start in range(0, 10_000, 500):
        client.mset({f"k{i}": random.Random(i).randbytes(1000) for i in range(start, start + 500)})
    server.command("ROCKALL")
    server.wait_until(lambda: int(server.info("rock")["rock_disk_bytes"]) > 8_000_000)
    for start in range(0, 9900, 100):
        client.delete(*[f"k{i}" for i in range(start, start + 100)])
    assert server.command("PURGEROCKSDB") == OK
    server.wait_until(lambda: "The cold tier has been purged" in server.log)
    server.wait_until(lambda: int(server.info("rock")["rock_disk_bytes"]) < 2_000_000)
    assert client.mget([f"k{i}" for i in range(9900, 10_000)]) == [
        random.Random(i).randbytes(1000) for i in range(9900, 10_000)
    ]


def test_without_a_tier_the_commands_start_one(start_redrock: StartServer) -> None:
    server = start_redrock()
    assert not list(server.folder.glob("rock*"))
    assert server.info("rock")["rock_enabled"] == "0"
    assert server.command("ROCKALL") == 0
    server.client().set("k", BIG)
    assert pairs(server.command("ROCKEVICT", "k")) == {b"k": b"spilled"}
    assert server.command("GET", "k") == BIG


def test_maxrockmem_at_run_time(start_redrock: StartServer) -> None:
    """On, lower, higher, off: what is cold can be read in every state."""
    server = start_redrock("--rock-min-hot-keys", "10")
    client = server.client()
    client.mset({f"k{i}": random.Random(i).randbytes(1000) for i in range(4000)})

    def used() -> int:
        return int(server.info("rock")["rock_hot_bytes"])

    assert client.config_set("maxrockmem", "3mb")
    server.wait_until(lambda: used() <= 3 << 20)
    first = cold_keys(server)
    assert first > 1000
    client.config_set("maxrockmem", "1mb")
    server.wait_until(lambda: used() <= 1 << 20)
    assert cold_keys(server) > first
    client.config_set("maxrockmem", "100mb")
    for i in range(1000):
        assert client.get(f"k{i}") == random.Random(i).randbytes(1000)
    client.config_set("maxrockmem", "0")
    for i in range(1000, 4000):
        assert client.get(f"k{i}") == random.Random(i).randbytes(1000)
    time.sleep(0.3)
    assert cold_keys(server) == 0
    client.config_set("maxrockmem", "1mb")
    server.wait_until(lambda: used() <= 1 << 20)
    assert client.config_get("maxrockmem") == {"maxrockmem": "1048576"}


# --- Databases and keys


def fill_two(server: ServerProcess) -> tuple[redis.Redis, redis.Redis]:
    first, second = server.client(), server.client(db=1)
    first.mset({f"k{i}": b"first %d " % i * 100 for i in range(300)})
    second.mset({f"k{i}": b"second %d " % i * 100 for i in range(300)})
    server.command("ROCKALL")
    assert cold_keys(server) == 600
    return first, second


@pytest.mark.parametrize("mode", ["SYNC", "ASYNC"])
def test_flushdb_and_flushall(server: ServerProcess, mode: str) -> None:
    first, second = fill_two(server)
    first.execute_command("FLUSHDB", mode)
    assert first.dbsize() == 0
    assert cold_keys(server) == 300
    # New keys under the old names must not find old rows.
    first.mset({f"k{i}": b"new %d " % i * 100 for i in range(300)})
    server.command("ROCKALL")
    assert first.mget([f"k{i}" for i in range(300)]) == [b"new %d " % i * 100 for i in range(300)]
    assert second.mget([f"k{i}" for i in range(300)]) == [b"second %d " % i * 100 for i in range(300)]
    server.command("ROCKALL")
    first.execute_command("FLUSHALL", mode)
    assert (first.dbsize(), second.dbsize(), cold_keys(server)) == (0, 0, 0)
    assert first.get("k1") is None
    server.wait_until(lambda: server.info("rock")["rock_stale_stores"] == "0")


def test_swapdb(server: ServerProcess) -> None:
    first, second = fill_two(server)
    first.swapdb(0, 1)
    first.set("k0", "changed")
    assert first.mget([f"k{i}" for i in range(1, 300)]) == [b"second %d " % i * 100 for i in range(1, 300)]
    server.command("ROCKALL")
    first.swapdb(1, 0)
    assert second.get("k0") == b"changed"
    assert second.get("k7") == b"second 7 " * 100
    assert first.get("k7") == b"first 7 " * 100
    first.swapdb(0, 9)
    assert first.dbsize() == 0
    assert server.client(db=9).get("k8") == b"first 8 " * 100


def test_rename_move_and_copy_of_cold_keys(server: ServerProcess) -> None:
    first, second = fill_two(server)
    for i in range(300):
        match i % 6:
            case 0:
                assert first.rename(f"k{i}", f"renamed {i}")
            case 1:
                assert first.rename(f"k{i}", f"k{i + 1}")  # over another cold one, which is renamed itself at once
            case 2:
                assert first.rename(f"k{i}", f"twice {i}")
                assert first.rename(f"twice {i}", f"k{i}")
            case 3:
                assert not first.move(f"k{i}", 1)
                assert second.delete(f"k{i}")
                assert first.move(f"k{i}", 1)
            case 4:
                assert first.copy(f"k{i}", f"copy {i}")
                assert first.copy(f"k{i}", f"k{i}", 1, replace=True)
            case _:
                first.expire(f"k{i}", 1000)
                assert first.rename(f"k{i}", f"kept {i}")
    server.command("ROCKALL")

    def text(number: int) -> bytes:
        return b"first %d " % number * 100

    for i in range(300):
        match i % 6:
            case 0:
                assert (first.get(f"k{i}"), first.get(f"renamed {i}")) == (None, text(i))
            case 1:
                assert first.get(f"k{i}") is None
            case 2:
                assert (first.get(f"k{i}"), first.get(f"twice {i}")) == (text(i - 1), None)
            case 3:
                assert (first.get(f"k{i}"), second.get(f"k{i}")) == (None, text(i))
            case 4:
                assert first.get(f"k{i}") == first.get(f"copy {i}") == second.get(f"k{i}") == text(i)
            case _:
                assert first.get(f"kept {i}") == text(i)
                assert 0 < first.ttl(f"kept {i}") <= 1000


def test_cold_keys_expire(server: ServerProcess) -> None:
    client = server.client()
    client.mset({f"k{i}": BIG for i in range(200)})
    server.command("ROCKALL")
    for i in range(100):
        client.pexpire(f"k{i}", 300)
    assert cold_keys(server) == 200
    # By the active cycle alone: nobody looks at them.
    server.wait_until(lambda: cold_keys(server) == 100)
    assert client.dbsize() == 100
    client.set("k1", BIG)
    server.command("ROCKALL")
    assert client.get("k1") == BIG
    assert int(server.info("stats")["expired_keys"]) == 100


def test_commands_of_a_transaction_see_cold_keys_as_one(server: ServerProcess) -> None:
    """Two clients move an amount between cold accounts in transactions; every transaction sees the same total."""
    client = server.client()
    names = [f"account {i}" for i in range(20)]
    # A field beside the amount makes them big enough to be spilled.
    for name in names:
        client.hset(name, mapping={"amount": 1000, "filler": BIG})
    stop = threading.Event()
    failures: list[object] = []

    def transfer(seed: int) -> None:
        own = redis.Redis(port=server.port)
        source = random.Random(seed)
        try:
            for _ in range(150):
                one, other = source.sample(names, 2)
                with own.pipeline(transaction=True) as pipeline:
                    pipeline.hincrby(one, "amount", -10).hincrby(other, "amount", 10)
                    for name in names:
                        pipeline.hget(name, "amount")
                    total = sum(int(amount) for amount in pipeline.execute()[2:])
                if total != 20_000:
                    failures.append(total)
        finally:
            own.close()

    def spill() -> None:
        own = redis.Redis(port=server.port)
        try:
            while not stop.is_set():
                own.execute_command("ROCKEVICT", *random.sample(names, 5))
        finally:
            own.close()

    threads = [threading.Thread(target=transfer, args=(seed,)) for seed in range(3)]
    spiller = threading.Thread(target=spill)
    spiller.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    spiller.join()
    assert not failures
    assert sum(int(client.hget(name, "amount")) for name in names) == 20_000
    assert int(server.info("rock")["rock_loaded_values"]) > 5


def test_watch_and_cold_keys(server: ServerProcess) -> None:
    """Spilling and loading are no changes; a change to a cold key is one."""
    first, second = server.client(), server.client()
    first.set("k", BIG)
    with first.pipeline(transaction=True) as pipeline:
        pipeline.watch("k")
        assert pairs(server.command("ROCKEVICT", "k")) == {b"k": b"spilled"}
        assert second.get("k") == BIG
        pipeline.multi()
        pipeline.strlen("k")
        assert pipeline.execute() == [5000]
    server.command("ROCKEVICT", "k")
    with first.pipeline(transaction=True) as pipeline:
        pipeline.watch("k")
        second.append("k", "+")
        pipeline.multi()
        pipeline.strlen("k")
        with pytest.raises(redis.WatchError):
            pipeline.execute()


def test_a_client_may_leave_while_it_is_parked(server: ServerProcess) -> None:
    client = server.client()
    client.mset({f"k{i}": BIG for i in range(2000)})
    for _ in range(5):
        server.command("ROCKALL")
        for _ in range(10):
            with server.connect() as connection:
                connection.sendall(b"MGET " + b" ".join(b"k%d" % random.randrange(2000) for _ in range(500)) + b"\r\n")
    assert client.mget([f"k{i}" for i in range(2000)]) == [BIG] * 2000
    server.wait_until(lambda: server.info("rock")["rock_parked_clients"] == "0")
