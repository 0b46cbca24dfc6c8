"""maxmemory and its policies, alone and above the cold tier; maxpsmem; what is refused and what is evicted."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

import pytest
import redis

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

OOM = "command not allowed when used memory > 'maxmemory'."
OOM_PROCESS = "command not allowed when process memory is more than 'maxpsmem'."
VALUE = b"v" * 500


def used(server: ServerProcess) -> int:
    return int(server.info("memory")["used_memory"])


def room(server: ServerProcess, count: int) -> int:
    """A maxmemory that leaves room for about so many keys of VALUE."""
    before = used(server)
    client = server.client()
    client.mset({f"probe{i}": VALUE for i in range(100)})
    per_key = (used(server) - before) // 100
    client.delete(*[f"probe{i}" for i in range(100)])
    return used(server) + count * per_key


def set_until_oom(client: redis.Redis, prefix: str = "k", count_max: int = 5000, sweep_every: int = 0) -> int:
    """How many keys fit."""
    for i in range(count_max):
        try:
            client.set(f"{prefix}{i}", VALUE)
        except redis.OutOfMemoryError as error:
            text = str(error)
            break
        if sweep_every and i % sweep_every == 0:
            client.execute_command("ROCKALL")
    else:
        raise AssertionError("nothing was refused")
    assert text == OOM
    return i


def test_noeviction_refuses_what_may_grow(start_redrock: StartServer) -> None:
    server = start_redrock()
    client = server.client()
    client.config_set("maxmemory", room(server, 500))
    count = set_until_oom(client)
    assert 400 < count < 600
    for command in (
        ("SET", "x", "y"),
        ("APPEND", "k1", "y"),
        ("HSET", "h", "f", "v"),
        ("INCR", "n"),
        ("MSET", "a", "b"),
    ):
        with pytest.raises(redis.OutOfMemoryError):
            client.execute_command(*command)
    # Raw text of the reply, to the byte.
    with server.connect() as connection:
        connection.sendall(b"SET x y\r\n")
        assert connection.recv(200) == b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
    assert client.get("k1") == VALUE
    assert client.expire("k1", 100)
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("x", "y")
        with pytest.raises(redis.ResponseError):
            pipeline.execute()
    assert client.delete(*[f"k{i}" for i in range(50)]) == 50
    assert client.set("x", "y")
    assert server.info("stats")["evicted_keys"] == "0"


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
def test_allkeys_policies_make_room(start_redrock: StartServer, policy: str) -> None:
    server = start_redrock("--maxmemory-policy", policy)
    client = server.client()
    limit = room(server, 500)
    client.config_set("maxmemory", limit)
    for i in range(2000):
        assert client.set(f"k{i}", VALUE)
    assert used(server) <= limit + 100_000
    assert 300 < client.dbsize() < 700
    assert int(server.info("stats")["evicted_keys"]) == 2000 - client.dbsize()


@pytest.mark.parametrize("policy", ["volatile-lru", "volatile-lfu", "volatile-random", "volatile-ttl"])
def test_volatile_policies_take_only_what_expires(start_redrock: StartServer, policy: str) -> None:
    server = start_redrock("--maxmemory-policy", policy)
    client = server.client()
    client.config_set("maxmemory", room(server, 600))
    client.mset({f"lasting{i}": VALUE for i in range(200)})
    for i in range(1500):
        client.set(f"k{i}", VALUE, ex=10_000 + i)
    assert client.exists(*[f"lasting{i}" for i in range(200)]) == 200
    assert int(server.info("stats")["evicted_keys"]) > 800
    # When nothing is left that may go, writes are refused.
    for key in client.keys("k*"):
        client.persist(key)
    set_until_oom(client, "more")


def test_volatile_ttl_takes_the_soonest(start_redrock: StartServer) -> None:
    server = start_redrock("--maxmemory-policy", "volatile-ttl", "--maxmemory-samples", "20")
    client = server.client()
    client.config_set("maxmemory", room(server, 400))
    order = list(range(400))
    random.Random(1).shuffle(order)
    for i in order:
        client.set(f"k{i}", VALUE, ex=1000 + 100 * i)
    for i in range(200):
        client.set(f"late{i}", VALUE, ex=1_000_000)
    soon = client.exists(*[f"k{i}" for i in range(100)])
    late = client.exists(*[f"k{i}" for i in range(300, 400)])
    assert soon < 40
    assert late > 85


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu"])
def test_lru_and_lfu_keep_what_is_used(start_redrock: StartServer, policy: str) -> None:
    server = start_redrock("--maxmemory-policy", policy, "--maxmemory-samples", "10")
    client = server.client()
    client.config_set("maxmemory", room(server, 500))
    used_keys = [f"used{i}" for i in range(50)]
    client.mset(dict.fromkeys(used_keys, VALUE))
    client.mset({f"old{i}": VALUE for i in range(380)})
    # LRU counts seconds: what is old, what is used and what is new must not fall into the same one.
    time.sleep(2.1)
    for _ in range(20):
        client.mget(used_keys)
    time.sleep(1.1)
    for i in range(300):
        client.set(f"new{i}", VALUE)
    assert int(server.info("stats")["evicted_keys"]) > 150
    assert client.exists(*used_keys) >= 44


# --- Above the cold tier


def test_the_tier_keeps_memory_below_maxmemory(start_redrock: StartServer) -> None:
    """Spilling frees memory, so nothing is evicted or refused though the dataset is many times maxmemory."""
    server = start_redrock("--maxrockmem", "1mb", "--maxmemory", "14mb", "--rock-min-hot-keys", "10")
    client = server.client()
    for start in range(0, 16_000, 200):
        client.mset({f"k{i}": random.Random(i).randbytes(2000) for i in range(start, start + 200)})
    assert client.dbsize() == 16_000
    assert server.info("stats")["evicted_keys"] == "0"
    for i in range(0, 16_000, 40):
        assert client.get(f"k{i}") == random.Random(i).randbytes(2000)


def test_when_keys_alone_fill_memory_writes_are_refused(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", "500kb", "--rock-min-hot-keys", "10")
    client = server.client()
    client.config_set("maxmemory", used(server) + (2 << 20))
    assert set_until_oom(client, "a long key, since keys stay in memory, " * 10, 200_000, sweep_every=500) > 1000
    key = client.randomkey()
    assert client.get(key) == VALUE
    assert client.delete(key) == 1


def test_eviction_takes_cold_keys_first(start_redrock: StartServer) -> None:
    """With a policy that evicts, keys go when even their names do not fit; the cold ones are the coldest."""
    server = start_redrock("--maxmemory-policy", "allkeys-lru", "--maxrockmem", "1gb")
    client = server.client()
    client.mset({f"cold{i} {'x' * 100}": VALUE for i in range(2000)})
    client.execute_command("ROCKALL")
    client.mset({f"hot{i}": VALUE for i in range(500)})
    client.config_set("maxmemory", used(server) - 100_000)
    server.wait_until(lambda: client.set("x", "y") and used(server) <= int(client.config_get("maxmemory")["maxmemory"]))
    evicted = int(server.info("stats")["evicted_keys"])
    assert evicted > 100
    # Victims are the best of a sample: now and then one holds no cold key.
    hot = client.exists(*[f"hot{i}" for i in range(500)])
    assert hot >= 490
    assert int(server.info("rock")["rock_cold_keys"]) == 2000 - (evicted - (500 - hot))
    # An evicted name is free: nothing of the old row is seen.
    for i in range(2000):
        key = f"cold{i} {'x' * 100}"
        if not client.exists(key):
            assert client.get(key) is None
            assert client.append(key, "new") == 3
            break


# --- maxpsmem


def refused(server: ServerProcess) -> bool:
    """Whether a write is refused now, with the raw text of the reply."""
    with server.connect() as connection:
        connection.sendall(b"SET k v\r\n")
        return connection.recv(200) == b"-OOM " + OOM_PROCESS.encode() + b"\r\n"


def test_maxpsmem(start_redrock: StartServer) -> None:
    server = start_redrock("--maxpsmem", "1mb")
    server.wait_until(lambda: refused(server))
    client = server.client()
    for command in (("SET", "k", "v"), ("APPEND", "k", "v"), ("HSET", "h", "f", "v"), ("INCR", "n")):
        with pytest.raises(redis.OutOfMemoryError) as caught:
            client.execute_command(*command)
        assert str(caught.value) == OOM_PROCESS
    client.get("k")
    client.delete("k")
    client.expire("k", 10)
    client.config_set("maxpsmem", "100gb")
    assert client.set("k", "v")
    client.config_set("maxpsmem", "1mb")
    with pytest.raises(redis.OutOfMemoryError):
        client.set("k", "v2")
    assert client.get("k") == b"v"
    client.config_set("maxpsmem", "-1")
    assert client.set("k", "v3")
    # Nine tenths of the machine's memory.
    client.config_set("maxpsmem", "0")
    assert client.set("k", "v4")
    assert client.config_get("maxpsmem") == {"maxpsmem": "0"}
