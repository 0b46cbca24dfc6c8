"""A dataset several times bigger than `maxrockmem`: every value can be read and changed, by several clients at once."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING

import pytest
import redis

from redrock.resp.encoder import encode_command
from redrock.resp.reply_parser import NeedMore, ReplyParser

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

LIMIT = 4 << 20
# A tenth or 8 MB over the limit, writers are stopped; what is read in one pass comes on top.
OVERSHOOT = 12 << 20


def value_of(number: int) -> bytes:
    """About a kilobyte that compression cannot shrink."""
    return random.Random(number).randbytes(500 + number * 7919 % 1000)


def rock(server: ServerProcess) -> dict[str, str]:
    return server.info("rock")


def fill(server: ServerProcess, count: int) -> None:
    client = server.client()
    for start in range(0, count, 500):
        client.mset({f"k{number}": value_of(number) for number in range(start, start + 500)})


def test_twenty_megabytes_with_four_in_memory(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", str(LIMIT))
    count = 20_000
    fill(server, count)
    client = server.client()
    server.wait_until(lambda: int(rock(server)["rock_hot_bytes"]) < LIMIT * 1.05)
    facts = rock(server)
    assert int(facts["rock_cold_keys"]) > count * 3 // 4
    assert int(facts["rock_cold_keys"]) + int(facts["rock_hot_keys"]) == count
    assert facts["rock_status"] == "ok"
    # In random order, so that nearly every batch has cold values from all over the disk.
    order = list(range(count))
    random.Random(1).shuffle(order)
    for start in range(0, count, 200):
        pipeline = client.pipeline(transaction=False)
        for number in order[start : start + 200]:
            pipeline.get(f"k{number}")
        assert pipeline.execute() == [value_of(number) for number in order[start : start + 200]]
        if start % 5000 == 0:
            assert int(rock(server)["rock_hot_bytes"]) < LIMIT + OVERSHOOT
    server.wait_until(lambda: int(rock(server)["rock_hot_bytes"]) < LIMIT * 1.05)
    assert client.dbsize() == count


def test_big_hashes_and_huge_strings(start_redrock: StartServer) -> None:
    """Values of megabytes among small ones, and more in one command than the limit allows in memory."""
    server = start_redrock("--maxrockmem", str(LIMIT), "--rock-min-hot-keys", "10")
    client = server.client()
    hashes = {f"h{n}": {b"f%d" % f: random.Random(n * 1000 + f).randbytes(200) for f in range(1000)} for n in range(20)}
    strings = {f"s{n}": random.Random(n).randbytes(3 << 20) for n in range(6)}
    for key, fields in hashes.items():
        client.hset(key, mapping=fields)
    for key, value in strings.items():
        client.set(key, value)
    server.wait_until(lambda: int(rock(server)["rock_hot_bytes"]) < LIMIT * 1.5)
    assert int(rock(server)["rock_cold_keys"]) > 15
    for key, fields in hashes.items():
        assert client.hgetall(key) == fields
    # 18 MB in one command.
    assert client.mget(list(strings)) == list(strings.values())
    for key, value in strings.items():
        assert client.strlen(key) == len(value)
        assert client.append(key, b"tail") == len(value) + 4
        assert client.getrange(key, -6, -1) == value[-2:] + b"tail"
    for key, fields in hashes.items():
        assert client.hget(key, "f7") == fields[b"f7"]
        assert client.hlen(key) == 1000
        assert client.hincrby(key, "counter", 5) == 5
    for key, fields in hashes.items():
        assert client.hgetall(key) == fields | {b"counter": b"5"}


def test_a_pipeline_keeps_its_order_while_more_of_it_arrives(start_redrock: StartServer) -> None:
    """A client resumed in the pass in which more bytes came in ran those first, and lost what it had waited for."""
    server = start_redrock("--maxrockmem", "1mb")
    count = 4000
    fill(server, count)
    server.command("ROCKALL")
    expected: list[object] = []
    requests: list[bytes] = []
    for number in range(count):
        requests += [encode_command([b"GET", b"k%d" % number]), encode_command([b"ECHO", b"%d" % number])]
        expected += [value_of(number), b"%d" % number]
    stream = b"".join(requests)
    replies: list[object] = []
    with server.connect() as connection:

        def send() -> None:
            for start in range(0, len(stream), 700):
                connection.sendall(stream[start : start + 700])

        sender = threading.Thread(target=send)
        sender.start()
        parser = ReplyParser()
        while len(replies) < len(expected):
            reply = parser.next_reply()
            if isinstance(reply, NeedMore):
                data = connection.recv(1 << 16)
                assert data
                parser.feed(data)
            else:
                replies.append(reply)
        sender.join()
    assert replies == expected


def test_commands_that_need_no_value_leave_it_cold(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", "1gb")
    client = server.client()
    keys = [f"k{number}" for number in range(60)]
    client.mset({key: value_of(7) for key in keys})
    client.hset("hash", mapping={f"f{i}": value_of(i) for i in range(20)})
    client.execute_command("ROCKALL")
    assert int(rock(server)["rock_cold_keys"]) == 61
    client.config_resetstat()
    assert client.exists(*keys) == 60
    assert client.type("hash") == b"hash"
    assert client.ttl("k1") == -1
    assert client.expire("k1", 1000)
    assert client.persist("k1")
    assert client.object("encoding", "k1") == b"raw"
    assert client.rename("k1", "renamed")
    assert client.renamenx("k2", "renamed 2")
    assert client.move("k3", 1)
    assert client.copy("k4", "k1") or True  # COPY needs it: it is the one load below
    assert client.set("k5", "new")
    assert not client.setnx("k6", "new")
    assert client.delete("k7") == 1
    assert client.unlink("k8") == 1
    assert client.touch("k9") == 1
    assert len(client.keys("*")) == 59
    assert len(list(client.scan_iter())) == 59
    facts = rock(server)
    assert facts["rock_loaded_values"] == "1"
    assert client.mget("renamed", "renamed 2", "k1") == [value_of(7)] * 3
    assert server.client().execute_command("SELECT", 1)
    other = server.client(db=1)
    assert other.get("k3") == value_of(7)


# --- Several clients against a model

Model = dict[bytes, bytes | dict[bytes, bytes]]


class Worker(threading.Thread):
    """One client with keys of its own, doing random things to them and to a model, and comparing every answer."""

    def __init__(self, server: ServerProcess, number: int, seed: int, until: float) -> None:
        super().__init__(name=f"worker {number}")
        self._client = redis.Redis(port=server.port, protocol=2 + number % 2, socket_timeout=30)
        self._random = random.Random(seed * 100 + number)
        self._prefix = b"%d:" % number
        self._until = until
        self.model: Model = {}
        self.expiring: set[bytes] = set()
        self.steps = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        actions = [self.set] * 4 + [self.get] * 4 + [self.hset, self.hgetall, self.append] * 2
        actions += [self.delete, self.expire, self.rename, self.increment, self.hdel, self.transaction, self.pipeline]
        actions += [self.setrange, self.copy, self.hincrby]
        try:
            while time.monotonic() < self._until:
                self._random.choice(actions)()
                self.steps += 1
            self.check_all(self._client)
        except BaseException as error:
            error.add_note(f"{self.name}, step {self.steps}")
            self.failure = error
        finally:
            self._client.close()

    def check_all(self, client: redis.Redis) -> None:
        for key, value in self.model.items():
            found = client.hgetall(key) if isinstance(value, dict) else client.get(key)
            assert found == value, key
            assert (client.ttl(key) > 0) == (key in self.expiring), key

    # Names, values

    def key(self) -> bytes:
        return self._prefix + b"%d" % self._random.randrange(600)

    def string_key(self) -> bytes:
        """A key that is a string, or none."""
        while True:
            key = self.key()
            if not isinstance(self.model.get(key), dict):
                return key

    def hash_key(self) -> bytes:
        while True:
            key = b"h" + self.key()
            if not isinstance(self.model.get(key), bytes):
                return key

    def value(self) -> bytes:
        return self._random.randbytes(self._random.choice((5, 100, 1000, 3000)))

    def text_of(self, key: bytes) -> bytes:
        value = self.model.get(key, b"")
        assert isinstance(value, bytes)
        return value

    def fields_of(self, key: bytes) -> dict[bytes, bytes]:
        value = self.model.setdefault(key, {})
        assert isinstance(value, dict)
        return value

    # Actions

    def set(self) -> None:
        key, value = self.key(), self.value()
        seconds = self._random.choice((None, None, 5000))
        assert self._client.set(key, value, ex=seconds)
        self.model[key] = value
        (self.expiring.discard if seconds is None else self.expiring.add)(key)

    def get(self) -> None:
        key = self.string_key()
        assert self._client.get(key) == self.model.get(key)

    def append(self) -> None:
        key, tail = self.string_key(), self.value()
        self.model[key] = self.text_of(key) + tail
        assert self._client.append(key, tail) == len(self.text_of(key))

    def setrange(self) -> None:
        key = self.string_key()
        old = self.text_of(key)
        self.model[key] = b"patch" + old[5:]
        assert self._client.setrange(key, 0, b"patch") == max(5, len(old))

    def increment(self) -> None:
        key = self._prefix + b"counter"
        now = int(self.text_of(key) or 0) + 7
        self.model[key] = b"%d" % now
        assert self._client.incrby(key, 7) == now

    def hset(self) -> None:
        key = self.hash_key()
        fields = {b"f%d" % self._random.randrange(50): self.value() for _ in range(3)}
        known = self.fields_of(key)
        assert self._client.hset(key, mapping=fields) == len(fields.keys() - known.keys())
        known.update(fields)

    def hincrby(self) -> None:
        key = self.hash_key()
        known = self.fields_of(key)
        now = int(known.get(b"counter", b"0")) + 1
        known[b"counter"] = b"%d" % now
        assert self._client.hincrby(key, "counter", 1) == now

    def hdel(self) -> None:
        key, field = self.hash_key(), b"f%d" % self._random.randrange(50)
        known = self.fields_of(key)
        assert self._client.hdel(key, field) == (field in known)
        known.pop(field, None)
        if not known:
            del self.model[key]
            self.expiring.discard(key)

    def hgetall(self) -> None:
        key = self.hash_key()
        assert self._client.hgetall(key) == self.model.get(key, {})

    def delete(self) -> None:
        keys = [self.key(), b"h" + self.key()]
        assert self._client.delete(*keys) == len([key for key in keys if key in self.model])
        self.forget(*keys)

    def forget(self, *keys: bytes) -> None:
        for key in keys:
            self.model.pop(key, None)
            self.expiring.discard(key)

    def expire(self) -> None:
        key = self._random.choice((self.key(), self.hash_key()))
        found = key in self.model
        if self._random.random() < 0.5:
            assert self._client.expire(key, 5000) == found
            if found:
                self.expiring.add(key)
        else:
            assert self._client.persist(key) == (key in self.expiring)
            self.expiring.discard(key)

    def rename(self) -> None:
        old, new = self.key(), self.key()
        if old not in self.model or old == new:
            return
        assert self._client.rename(old, new)
        lasting = old not in self.expiring
        value = self.model[old]
        self.forget(old, new)
        self.model[new] = value
        if not lasting:
            self.expiring.add(new)

    def copy(self) -> None:
        old, new = self.key(), self.key()
        if old not in self.model or old == new:
            return
        assert self._client.copy(old, new, replace=True)
        value = self.model[old]
        self.model[new] = dict(value) if isinstance(value, dict) else value
        (self.expiring.add if old in self.expiring else self.expiring.discard)(new)

    def transaction(self) -> None:
        first, second, value = self.string_key(), self.string_key(), self.value()
        old, counter = self.model.get(first), self._prefix + b"counter"
        now = int(self.text_of(counter) or 0) + 1
        with self._client.pipeline(transaction=True) as pipeline:
            pipeline.get(first).set(second, value).incr(counter).strlen(second)
            assert pipeline.execute() == [old, True, now, len(value)]
        self.model[second] = value
        self.expiring.discard(second)
        self.model[counter] = b"%d" % now

    def pipeline(self) -> None:
        keys = [self.string_key() for _ in range(30)]
        with self._client.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.get(key)
                pipeline.append(key, b"+")
            replies = pipeline.execute()
        for position, key in enumerate(keys):
            assert replies[2 * position] == self.model.get(key)
            self.model[key] = self.text_of(key) + b"+"
            assert replies[2 * position + 1] == len(self.text_of(key))


@pytest.mark.parametrize(
    "options",
    [(), ("--maxmemory-policy", "allkeys-lfu"), ("--appendonly", "yes")],
    ids=["lru", "lfu", "appendonly"],
)
def test_a_mixed_load_agrees_with_a_model(start_redrock: StartServer, options: tuple[str, ...]) -> None:
    server = start_redrock("--maxrockmem", "2mb", "--rock-min-hot-keys", "100", *options)
    workers = [Worker(server, number, 1, time.monotonic() + 4) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for worker in workers:
        if worker.failure is not None:
            raise worker.failure
    facts = rock(server)
    assert min(worker.steps for worker in workers) > 100
    assert int(facts["rock_spilled_values"]) > 500
    assert int(facts["rock_loaded_values"]) > 300
    assert facts["rock_failed_loads"] == facts["rock_failed_writes"] == "0"
    client = server.client()
    assert client.dbsize() == sum(len(worker.model) for worker in workers)
    if "--appendonly" in options:
        server.kill()
        server.start()
        server.wait_ready()
        for worker in workers:
            worker.check_all(server.client())
