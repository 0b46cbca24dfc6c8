"""Clients of every kind: redis-py, redis-cli, redis-benchmark; big values, slow readers, pipelines."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
import redis

from redrock.resp.encoder import encode_command
from redrock.resp.reply import ErrorReply

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer


def run_tool(name: str, server: ServerProcess, *words: str, stdin: bytes = b"") -> bytes:
    program = shutil.which(name)
    assert program, f"{name} is needed on PATH"
    done = subprocess.run(
        [program, "-p", str(server.port), *words], input=stdin, capture_output=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("protocol", [2, 3])
class TestRedisPy:
    def test_strings_and_keys(self, redrock_server: ServerProcess, protocol: int) -> None:
        client = redrock_server.client(protocol)
        assert client.ping() is True
        assert client.set("k", "v", ex=100) is True
        assert client.get("k") == b"v"
        assert 90 < client.ttl("k") <= 100
        assert client.set("k", "w", nx=True) is None
        assert client.incr("n", 41) == 41
        assert client.incrbyfloat("n", 0.5) == 41.5
        assert client.mget("k", "n", "nothing") == [b"v", b"41.5", None]
        assert sorted(client.scan_iter(count=1)) == [b"k", b"n"]
        assert client.delete("k", "n", "nothing") == 2
        assert client.dbsize() == 0

    def test_hashes(self, redrock_server: ServerProcess, protocol: int) -> None:
        client = redrock_server.client(protocol)
        assert client.hset("h", mapping={"a": "1", "b": "2"}) == 2
        assert client.hgetall("h") == {b"a": b"1", b"b": b"2"}
        assert client.hincrby("h", "a", 5) == 6
        assert client.type("h") == b"hash"
        with pytest.raises(redis.ResponseError, match="WRONGTYPE Operation against a key holding the wrong kind"):
            client.get("h")

    def test_a_transaction_with_watch(self, redrock_server: ServerProcess, protocol: int) -> None:
        client = redrock_server.client(protocol)
        with client.pipeline() as pipe:
            pipe.watch("k")  # type: ignore[no-untyped-call]
            pipe.multi()
            pipe.set("k", "1")
            pipe.incr("k")
            assert pipe.execute() == [True, 2]
        with client.pipeline() as pipe:
            pipe.watch("k")  # type: ignore[no-untyped-call]
            client.set("k", "other")
            pipe.multi()
            pipe.get("k")
            with pytest.raises(redis.WatchError):
                pipe.execute()

    def test_info_and_config(self, redrock_server: ServerProcess, protocol: int) -> None:
        client = redrock_server.client(protocol)
        info = client.info()
        assert info["redis_version"] == "7.0.15"
        assert info["role"] == "master"
        assert info["tcp_port"] == redrock_server.port
        assert client.config_set("maxmemory", "100mb")
        assert client.config_get("maxmemory")["maxmemory"] in (b"104857600", "104857600")
        assert client.config_set("maxmemory", "0")
        names = [entry["name"] for entry in client.client_list()]
        assert len(names) >= 1


class TestTools:
    def test_redis_cli(self, redrock_server: ServerProcess) -> None:
        assert run_tool("redis-cli", redrock_server, "SET", "k", "v") == b"OK\n"
        assert run_tool("redis-cli", redrock_server, "-3", "GET", "k") == b"v\n"
        script = b"MULTI\nINCR n\nINCR n\nEXEC\n"
        assert run_tool("redis-cli", redrock_server, stdin=script) == b"OK\nQUEUED\nQUEUED\n1\n2\n"
        assert run_tool("redis-cli", redrock_server, "--scan") in (b"k\nn\n", b"n\nk\n")

    def test_redis_cli_pipe(self, redrock_server: ServerProcess) -> None:
        payload = b"".join([encode_command([b"SET", b"key%d" % i, b"value"]) for i in range(5000)])
        answer = run_tool("redis-cli", redrock_server, "--pipe", stdin=payload)
        assert b"errors: 0, replies: 5000" in answer
        assert redrock_server.command("DBSIZE") == 5000

    @pytest.mark.parametrize("pipeline", ["1", "16"])
    def test_redis_benchmark(self, redrock_server: ServerProcess, pipeline: str) -> None:
        words = ["-t", "ping,set,get,incr,mset,hset", "-n", "2000", "-c", "20", "-r", "100", "-q", "-P", pipeline]
        printed = run_tool("redis-benchmark", redrock_server, *words).decode()
        for name in ("PING_INLINE", "PING_MBULK", "SET", "GET", "INCR", "HSET", "MSET"):
            assert f"{name}: " in printed or f"{name} (10 keys): " in printed
        assert "requests per second" in printed


class TestBytes:
    def test_a_long_pipeline_in_one_send(self, redrock_server: ServerProcess) -> None:
        commands = [[b"SET", b"k%d" % i, b"v%d" % i] for i in range(20000)]
        redrock_server.exchange(commands)
        gets = [[b"GET", argv[1]] for argv in commands]
        assert redrock_server.exchange(gets) == [argv[2] for argv in commands]

    def test_requests_that_arrive_byte_by_byte(self, redrock_server: ServerProcess) -> None:
        with redrock_server.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in encode_command([b"SET", b"k", b"v"]) + b"GET k\r\n":
                connection.sendall(bytes([byte]))
            answer = b""
            while len(answer) < len(b"+OK\r\n$1\r\nv\r\n"):
                answer += connection.recv(100)
        assert answer == b"+OK\r\n$1\r\nv\r\n"

    def test_a_value_of_64_megabytes(self, redrock_server: ServerProcess) -> None:
        value = bytes(range(256)) * (1 << 18)
        started = time.monotonic()
        redrock_server.command("SET", "big", value)
        assert redrock_server.command("STRLEN", "big") == len(value)
        assert redrock_server.command("GET", "big") == value
        # A parser that scanned or copied it over and over would take minutes.
        assert time.monotonic() - started < 30
        redrock_server.command("DEL", "big")

    def test_a_protocol_error_is_answered_and_ends_the_connection(self, redrock_server: ServerProcess) -> None:
        with redrock_server.connect() as connection:
            connection.sendall(b"PING\r\n*1\r\n+oops\r\n")
            answer = b""
            while piece := connection.recv(1000):
                answer += piece
        assert answer == b"+PONG\r\n-ERR Protocol error: expected '$', got '+'\r\n"

    def test_resp3_by_hello(self, redrock_server: ServerProcess) -> None:
        with redrock_server.connect() as connection:
            connection.sendall(b"HELLO 3\r\n")
            assert connection.recv(1000).startswith(b"%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n")
            connection.sendall(b"GET nothing\r\n")
            assert connection.recv(100) == b"_\r\n"
            connection.sendall(b"HELLO 4\r\n")
            assert connection.recv(100) == b"-NOPROTO unsupported protocol version\r\n"


class TestSlowReaders:
    def test_one_holds_nobody_up(self, redrock_server: ServerProcess) -> None:
        redrock_server.command("SET", "big", b"x" * 1_000_000)
        with redrock_server.connect() as slow:
            # 200 MB of answers, of which it reads nothing for now.
            slow.sendall(encode_command([b"GET", b"big"]) * 200)
            slowest = 0.0
            for _ in range(100):
                started = time.monotonic()
                redrock_server.command("PING")
                slowest = max(slowest, time.monotonic() - started)
            assert slowest < 3
            wanted = 200 * len(b"$1000000\r\n" + b"x" * 1_000_000 + b"\r\n")
            received = 0
            while received < wanted:
                piece = slow.recv(1 << 20)
                assert piece
                received += len(piece)
            assert received == wanted

    def test_over_the_output_limit_it_is_closed(self, start_redrock: StartServer) -> None:
        server = start_redrock("--client-output-buffer-limit", "normal 10mb 0 0")
        server.command("SET", "big", b"x" * 1_000_000)
        with server.connect() as slow:
            slow.sendall(encode_command([b"GET", b"big"]) * 200)
            server.wait_until(lambda: "output buffer" in server.log)
            received = 0
            try:
                while piece := slow.recv(1 << 20):
                    received += len(piece)
            except ConnectionResetError:
                pass
            assert received < 200_000_000

    def test_a_client_that_goes_away_while_it_is_answered(self, redrock_server: ServerProcess) -> None:
        redrock_server.command("SET", "big", b"x" * 1_000_000)
        for _ in range(10):
            with redrock_server.connect() as rude:
                rude.sendall(encode_command([b"GET", b"big"]) * 20)
        assert redrock_server.command("STRLEN", "big") == 1_000_000


def test_many_clients_at_once_lose_no_increment(redrock_server: ServerProcess) -> None:
    def increment() -> None:
        with redrock_server.connect() as connection:
            for _ in range(200):
                connection.sendall(b"INCR n\r\n")
                assert connection.recv(100).startswith(b":")

    threads = [threading.Thread(target=increment) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert redrock_server.command("GET", "n") == b"4000"


def test_an_unknown_command_is_named(redrock_server: ServerProcess) -> None:
    reply = redrock_server.command("NOSUCH", "a", "b")
    assert isinstance(reply, ErrorReply)
    assert reply.text == b"ERR unknown command 'NOSUCH', with args beginning with: 'a' 'b' "
