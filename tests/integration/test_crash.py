"""kill -9 at any moment: what is there afterwards is a prefix of what each client did, with all that was acknowledged.

`test_persistence.py` has the crashes of single features (a save, a rewrite, switching the log on) and loads of one kind
of command. Here commands are of all kinds, a server is killed again and again over the same files, and the log is cut
where a power failure might have cut it. A killed process loses nothing that it has written, under any fsync policy:
the operating system still has it. But under `everysec` a write waits for a running fsync, up to two seconds, as in
Redis: so much may be missing.
"""

from __future__ import annotations

import bisect
import math
import os
import random
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from redrock.resp.encoder import encode_command
from redrock.resp.reply import ErrorReply
from redrock.resp.reply_parser import NeedMore, ReplyParser

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer

EVERYSEC_LOSS_SECONDS = 2.2  # two, and how often the task looks

Value = bytes | dict[bytes, bytes]


class Script:
    """An endless sequence of commands on keys of its own, the same for the same seed, and what they lead to.

    A step is one command, or several that belong together (MULTI ... EXEC).
    """

    def __init__(self, number: int, seed: int) -> None:
        self._random = random.Random(seed * 1000 + number)
        self._prefix = b"%d:" % number
        self.steps: list[list[list[bytes]]] = []
        self.state: dict[bytes, Value] = {}
        self._counter = 0

    def next_step(self) -> list[list[bytes]]:
        commands = [self._command() for _ in range(self._random.choice((1, 1, 1, 4)))]
        # A counter in every step tells how far the sequence has come, and that nothing is done twice.
        commands.append([b"INCR", self._prefix + b"steps"])
        step = [[b"MULTI"], *commands, [b"EXEC"]]
        self.steps.append(step)
        return step

    def _command(self) -> list[bytes]:
        source = self._random
        key = self._prefix + b"k%d" % source.randrange(40)
        fields = self._prefix + b"h%d" % source.randrange(10)
        value = source.randbytes(source.choice((3, 30, 300)))
        return source.choice(
            [
                [b"SET", key, value],
                [b"SET", key, value, b"EX", b"100000"],
                [b"APPEND", key, value],
                [b"DEL", key],
                [b"SETRANGE", key, b"2", value],
                [b"HSET", fields, b"f%d" % source.randrange(30), value],
                [b"HDEL", fields, b"f%d" % source.randrange(30)],
                [b"COPY", key, self._prefix + b"k%d" % source.randrange(40), b"REPLACE"],
                [b"PERSIST", key],
            ]
        )

    def state_after(self, count: int) -> dict[bytes, Value]:
        """The dataset after so many steps, by a model of these commands."""
        state: dict[bytes, Value] = {}
        for step in self.steps[:count]:
            for argv in step[1:-1]:
                apply(state, argv)
        return state


def apply(state: dict[bytes, Value], argv: list[bytes]) -> None:
    name, key = argv[0], argv[1]
    old = state.get(key, b"")
    match name:
        case b"SET":
            state[key] = argv[2]
        case b"APPEND" if isinstance(old, bytes):
            state[key] = old + argv[2]
        case b"SETRANGE" if isinstance(old, bytes):
            state[key] = old[:2].ljust(2, b"\0") + argv[3] + old[2 + len(argv[3]) :]
        case b"INCR" if isinstance(old, bytes):
            state[key] = b"%d" % (int(old or 0) + 1)
        case b"DEL":
            state.pop(key, None)
        case b"COPY":
            if key in state and key != argv[2]:
                state[argv[2]] = state[key]
        case b"HSET":
            state[key] = {**(old or {}), argv[2]: argv[3]}  # type: ignore[dict-item]
        case b"HDEL":
            if isinstance(old, dict):
                left = {field: value for field, value in old.items() if field != argv[2]}
                state[key] = left
                if not left:
                    del state[key]
        case b"PERSIST":
            pass
        case _:
            raise AssertionError(argv)


class Writer(threading.Thread):
    """Sends the steps of a script, several ahead of their replies, until the connection breaks."""

    def __init__(self, server: ServerProcess, script: Script, ahead: int) -> None:
        super().__init__()
        self._connection = server.connect()
        self._script = script
        self._ahead = ahead
        self._begun_with = len(script.steps)
        self._acknowledged_at: list[float] = []
        self.refused: list[ErrorReply] = []

    def run(self) -> None:
        parser = ReplyParser()
        try:
            with self._connection:
                while True:
                    batch = [self._script.next_step() for _ in range(self._ahead)]
                    self._connection.sendall(b"".join(encode_command(argv) for step in batch for argv in step))
                    for step in batch:
                        for _ in step:
                            while isinstance(reply := parser.next_reply(), NeedMore):
                                data = self._connection.recv(1 << 16)
                                if not data:
                                    return
                                parser.feed(data)
                            if isinstance(reply, ErrorReply):
                                self.refused.append(reply)
                        self._acknowledged_at.append(time.monotonic())
        except OSError:
            pass  # the server was killed

    def acknowledged(self, before: float = math.inf) -> int:
        """How many of the script's steps are known to have been done at that time."""
        return self._begun_with + bisect.bisect_left(self._acknowledged_at, before)


def dataset(server: ServerProcess) -> dict[bytes, Value]:
    client = redis.Redis(port=server.port, protocol=2, retry=Retry(NoBackoff(), 0))
    with client, client.pipeline(transaction=False) as pipeline:
        keys = list(client.scan_iter(count=500))
        kinds = [pipeline.type(key) for key in keys] and pipeline.execute()
        for key, kind in zip(keys, kinds, strict=True):
            pipeline.hgetall(key) if kind == b"hash" else pipeline.get(key)
        return dict(zip(keys, pipeline.execute(), strict=True))


def part_of(state: dict[bytes, Value], number: int) -> dict[bytes, Value]:
    return {key: value for key, value in state.items() if key.startswith(b"%d:" % number)}


def steps_done(state: dict[bytes, Value], number: int) -> int:
    count = state.get(b"%d:steps" % number, b"0")
    assert isinstance(count, bytes)
    return int(count)


def check_prefix(server: ServerProcess, scripts: list[Script], acknowledged: list[int]) -> None:
    """Each script's part of the dataset is its state after some step, not before the last acknowledged one.

    The scripts go on from there: what was never done is forgotten.
    """
    found = dataset(server)
    for number, script in enumerate(scripts):
        done = steps_done(found, number)
        assert acknowledged[number] <= done <= len(script.steps)
        assert part_of(found, number) == script.state_after(done)
        del script.steps[done:]


def restart(server: ServerProcess) -> None:
    server.kill()
    server.start()
    server.wait_ready()


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ("always", ()),
        ("always", ("--maxrockmem", "30kb", "--rock-min-hot-keys", "10")),
        ("everysec", ("--auto-aof-rewrite-min-size", "50kb", "--auto-aof-rewrite-percentage", "10")),
        ("no", ("--aof-use-rdb-preamble", "no")),
    ],
    ids=["always", "always-cold", "everysec-rewriting", "no"],
)
def test_killed_again_and_again(start_redrock: StartServer, policy: str, options: tuple[str, ...]) -> None:
    server = start_redrock("--appendonly", "yes", "--appendfsync", policy, *options)
    scripts = [Script(number, 1) for number in range(3)]
    source = random.Random(policy)
    for turn in range(4):
        writers = [Writer(server, script, ahead) for script, ahead in zip(scripts, (1, 3, 20), strict=True)]
        for writer in writers:
            writer.start()
        # Once long enough for something to be older than what `everysec` may lose.
        time.sleep(3 if policy == "everysec" and turn == 0 else 0.2 + source.random() * 0.6)
        if source.random() < 0.5:
            server.command("BGREWRITEAOF")
        safe_at = time.monotonic() - EVERYSEC_LOSS_SECONDS if policy == "everysec" else math.inf
        restart(server)
        for writer in writers:
            writer.join(20)
            assert not writer.refused
        check_prefix(server, scripts, [writer.acknowledged(safe_at) for writer in writers])
    assert all(len(script.steps) > 5 for script in scripts)


def test_killed_while_it_starts(start_redrock: StartServer) -> None:
    """Loading changes no file: however often it is broken off, the next start finds everything."""
    server = start_redrock("--appendonly", "yes")
    script = Script(0, 2)
    for _ in range(300):
        server.exchange(script.next_step())
    server.command("BGREWRITEAOF")
    server.wait_until(lambda: "Background AOF rewrite finished successfully" in server.log)
    for _ in range(300):
        server.exchange(script.next_step())
    server.kill()
    server.options += ["--key-load-delay", "2000"]
    for delay in (0.35, 0.5, 0.7, 0.9, 1.2):
        server.start()
        time.sleep(delay)
        server.kill()
    del server.options[-2:]
    server.start()
    server.wait_ready()
    check_prefix(server, [script], [600])


def test_a_log_cut_anywhere_is_a_prefix(start_redrock: StartServer, tmp_path: Path) -> None:
    """Whatever byte it ends with: whole transactions up to there, nothing of the one that was cut."""
    server = start_redrock("--appendonly", "yes")
    script = Script(0, 3)
    for _ in range(60):
        server.exchange(script.next_step())
    server.kill()
    log = server.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    content = log.read_bytes()
    source = random.Random(3)
    for length in sorted(source.randrange(len(content) // 20, len(content)) for _ in range(8)):
        log.write_bytes(content[:length])
        server.start()
        server.wait_ready()
        state = dataset(server)
        done = steps_done(state, 0)
        assert state == script.state_after(done)
        # All the steps that are whole, and no more: that of a MULTI without its EXEC does not count. (A step of which
        # only the counter changed anything is in the log without MULTI.)
        whole = content[:length]
        begun = whole.rfind(b"*1\r\n$5\r\nMULTI\r\n")
        if whole.find(b"*1\r\n$4\r\nEXEC\r\n", begun) < 0:
            whole = whole[:begun]
        assert done == whole.count(b"*2\r\n$4\r\nINCR\r\n$7\r\n0:steps\r\n")
        # It goes on: what is written now follows the last whole transaction.
        assert server.command("SET", "0:after", "v") is not None
        restart(server)
        assert dataset(server) == {**state, b"0:after": b"v"}
        server.kill()


def test_a_cut_log_is_refused_if_told_so(start_redrock: StartServer) -> None:
    server = start_redrock("--appendonly", "yes", "--aof-load-truncated", "no")
    server.command("SET", "a", "1")
    server.kill()
    log = server.folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    content = log.read_bytes()[:-3]
    log.write_bytes(content)
    server.start()
    assert server.wait_ended() == 1
    assert "Unexpected end of file reading the append only file" in server.log
    assert log.read_bytes() == content


@pytest.mark.parametrize("appendonly", ["yes", "no"])
def test_a_follower_killed_during_a_full_sync(
    start_redrock: StartServer, start_redis: StartServer, appendonly: str
) -> None:
    """Afterwards it has its old dataset or the whole new one; and it gets there in the end."""
    leader = start_redis("--repl-diskless-sync-delay", "0", "--rdb-key-save-delay", "500")
    leader.client().mset({f"new{i}": "v" * 300 for i in range(2000)})
    follower = start_redrock("--appendonly", appendonly, "--save", "3600 1000000")
    old = {b"old%d" % i: b"v" for i in range(50)}
    follower.client().mset(old)
    follower.command("SAVE")
    for delay in (0.1, 0.4, 0.8, 1.1):
        follower.command("REPLICAOF", "127.0.0.1", leader.port)
        time.sleep(delay)
        restart(follower)
        found = dataset(follower)
        assert found == old or len(found) == 2000
    follower.command("REPLICAOF", "127.0.0.1", leader.port)
    leader.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    follower.wait_until(lambda: follower.info("replication")["master_link_status"] == "up", 60)
    assert len(dataset(follower)) == 2000
    follower.command("REPLICAOF", "NO", "ONE")
    follower.command("SET", "after", "v")
    if appendonly == "yes":
        follower.wait_until(lambda: follower.info("persistence")["aof_rewrite_in_progress"] == "0")
        restart(follower)
        assert len(dataset(follower)) == 2001


def test_copies_of_the_files_under_load_can_be_loaded(start_redrock: StartServer, tmp_path: Path) -> None:
    """What lies on the disk at any moment is loadable: as after a crash of the whole machine that synced just then."""
    server = start_redrock("--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0")
    script = Script(0, 5)
    writer = Writer(server, script, 2)
    writer.start()
    copies: list[tuple[Path, int, int]] = []
    for number in range(4):
        time.sleep(0.25)
        copy = tmp_path / f"copy{number}"
        copy.mkdir()
        # SIGSTOP makes the copy one of a single moment.
        os.kill(server.pid, signal.SIGSTOP)
        known = writer.acknowledged()
        shutil.copytree(server.folder / "appendonlydir", copy / "appendonlydir")
        copies.append((copy, known, len(script.steps)))
        os.kill(server.pid, signal.SIGCONT)
    server.kill()
    writer.join(20)
    for copy, known, asked in copies:
        other = start_redrock("--appendonly", "yes", "--dir", str(copy))
        found = dataset(other)
        done = steps_done(found, 0)
        assert known <= done <= asked
        assert found == script.state_after(done)
        other.kill()


def test_keys_that_expire_while_the_leader_is_down(start_redrock: StartServer, start_redis: StartServer) -> None:
    """It leaves them out when it loads. A follower that goes on where it was has them, and must be told."""
    leader = start_redrock("--save", "3600 1000000")
    follower = start_redis("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: follower.info("replication")["master_link_status"] == "up")
    client = leader.client()
    client.set("kept", "v")
    client.set("short", "v", px=700)
    assert client.wait(1, 5000) == 1
    assert leader.stop() == 0
    time.sleep(0.8)
    leader.start()
    leader.wait_ready()
    follower.wait_until(lambda: follower.info("replication")["master_link_status"] == "up")
    assert "Successful partial resynchronization with master." in follower.log
    follower.wait_until(lambda: follower.command("DBSIZE") == 1)
    assert leader.command("DBSIZE") == 1
