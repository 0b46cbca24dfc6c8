"""The cold tier in trouble: its process dies, its folder is of no use, its disk is full. Nothing is lost in silence."""

from __future__ import annotations

import os
import random
import resource
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from redrock.resp.reply import ErrorReply, Status

if TYPE_CHECKING:
    from tests.conftest import ServerProcess, StartServer


def value_of(number: int) -> bytes:
    return random.Random(number).randbytes(1000)


def store_pid(server: ServerProcess) -> int:
    """The store is the server's child that runs redrock.cold.store."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for child in children:
        if b"redrock.cold.store" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError(f"the server has no store among its children {children}")


def fill(server: ServerProcess, first: int, last: int) -> None:
    client = server.client()
    for start in range(first, last, 500):
        client.mset({f"k{i}": value_of(i) for i in range(start, min(start + 500, last))})


def rock(server: ServerProcess) -> dict[str, str]:
    return server.info("rock")


# --- The process dies


def test_a_killed_store_stops_the_server_loudly(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", "1mb", "--appendonly", "yes")
    fill(server, 0, 4000)
    client = server.client()
    client.set("last", "one")
    os.kill(store_pid(server), signal.SIGKILL)
    assert server.wait_ended() == 1
    assert "the cold store has ended" in server.log or "the cold store is gone" in server.log
    assert "cold values are lost, the server cannot go on" in server.log
    # The tier was never what keeps data: the log has everything.
    server.start()
    server.wait_ready()
    assert server.command("GET", "last") == b"one"
    own = server.client()
    assert own.mget([f"k{i}" for i in range(4000)]) == [value_of(i) for i in range(4000)]


def test_who_waits_for_a_killed_store_gets_no_wrong_answer(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", "1gb")
    fill(server, 0, 500)
    server.command("ROCKALL")
    pid = store_pid(server)
    os.kill(pid, signal.SIGSTOP)
    waiting = server.connect()
    waiting.sendall(b"GET k7\r\n")
    # Others are served while the store does not answer.
    assert server.command("SET", "hot", "v") is not None
    assert server.command("DEL", "k9") == 1
    assert server.command("TTL", "k7") == -1
    server.wait_until(lambda: rock(server)["rock_parked_clients"] == "1")
    os.kill(pid, signal.SIGKILL)
    with waiting:
        try:
            answer = waiting.recv(1000)
        except ConnectionError:
            answer = b""
    assert answer == b"" or answer.startswith(b"-ERR the cold value of a key of this command cannot be read"), answer
    assert server.wait_ended() == 1


def test_a_stopped_store_is_waited_for(start_redrock: StartServer) -> None:
    """However long it takes, parked clients get their value then, and nobody else waits."""
    server = start_redrock("--maxrockmem", "1gb")
    fill(server, 0, 500)
    server.command("ROCKALL")
    pid = store_pid(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        waiting = [server.connect() for _ in range(10)]
        for number, connection in enumerate(waiting):
            connection.sendall(b"GET k%d\r\nGET k%d\r\n" % (number, number + 100))
        fill(server, 500, 600)
        # Spilling has begun and cannot end; changed meanwhile, these values stay what they are.
        with server.connect() as sweeping:
            sweeping.sendall(b"ROCKALL\r\n")
            time.sleep(0.3)
            assert server.command("APPEND", "k550", "+") == 1001
            assert server.command("SET", "k551", "new") is not None
            assert server.command("DEL", "k552") == 1
            assert server.command("RENAME", "k553", "renamed") is not None
            os.kill(pid, signal.SIGCONT)
            assert sweeping.recv(100).startswith(b":")
    finally:
        os.kill(pid, signal.SIGCONT)
    for number, connection in enumerate(waiting):
        with connection:
            wanted = b"".join([b"$1000\r\n%b\r\n" % value_of(i) for i in (number, number + 100)])
            answer = b""
            while len(answer) < len(wanted):
                answer += connection.recv(10_000)
            assert answer == wanted
    assert server.command("GET", "k550") == value_of(550) + b"+"
    assert server.command("GET", "k551") == b"new"
    assert server.command("GET", "k552") is None
    assert server.command("GET", "k553") is None
    assert server.command("GET", "renamed") == value_of(553)


def test_the_store_ends_with_its_server(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", "1mb")
    pid = store_pid(server)
    server.forget_connections()
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline, "the store has outlived its server"
        time.sleep(0.05)
    # And its folder can be used again at once.
    server.start()
    server.wait_ready()


# --- The folder


def as_a_file(folder: Path) -> str:
    (folder / "rock").write_text("a file")
    return "rockdir '{path}' cannot be used: File exists"


def with_foreign_files(folder: Path) -> str:
    (folder / "rock").mkdir()
    (folder / "rock" / "thesis.tex").write_text("precious")
    return "rockdir '{path}' holds files that are not RedRock's ('thesis.tex'): not emptying it"


def with_a_foreign_database(folder: Path) -> str:
    (folder / "rock").mkdir()
    (folder / "rock" / "CURRENT").write_text("MANIFEST-000001\n")
    return "rockdir '{path}' holds a LevelDB database that is not RedRock's: not emptying it"


def below_a_file(folder: Path) -> str:
    (folder / "file").write_text("")
    (folder / "rock").symlink_to(folder / "file" / "rock")
    return "rockdir '{path}' cannot be used: "


@pytest.mark.parametrize("spoil", [as_a_file, with_foreign_files, with_a_foreign_database, below_a_file])
def test_a_folder_that_cannot_be_used(start_redrock: StartServer, tmp_path: Path, spoil: object) -> None:
    path = tmp_path / "rock"
    assert callable(spoil)
    message = spoil(tmp_path).format(path=path)
    before = sorted(tmp_path.rglob("rock/*"))
    server = start_redrock("--maxrockmem", "1mb", "--rockdir", str(path), wait=False)
    assert server.wait_ended() == 1
    assert message in server.log
    assert "Traceback" not in server.log
    assert sorted(tmp_path.rglob("rock/*")) == before
    # Without need of the tier the server starts; the commands say what is wrong, and so does the log.
    other = start_redrock("--rockdir", str(path))
    other.command("SET", "k", "v" * 1000)
    reply = other.command("ROCKALL")
    assert isinstance(reply, ErrorReply)
    assert reply.text.startswith(b"ERR the cold tier cannot be used: ")
    assert other.command("CONFIG", "SET", "maxrockmem", "100") is not None
    other.wait_until(lambda: "The cold tier cannot be used: " in other.log)
    assert other.command("GET", "k") == b"v" * 1000


def test_two_servers_do_not_share_a_folder(start_redrock: StartServer, tmp_path: Path) -> None:
    path = str(tmp_path / "rock")
    first = start_redrock("--maxrockmem", "1gb", "--rockdir", path)
    fill(first, 0, 100)
    first.command("ROCKALL")
    second = start_redrock("--maxrockmem", "1gb", "--rockdir", path, wait=False)
    assert second.wait_ended() == 1
    assert f"rockdir '{path}' is in use by another server" in second.log
    assert first.client().mget([f"k{i}" for i in range(100)]) == [value_of(i) for i in range(100)]


def test_what_an_earlier_run_has_left_is_not_seen(start_redrock: StartServer) -> None:
    server = start_redrock("--maxrockmem", "1gb")
    fill(server, 0, 1000)
    server.command("ROCKALL")
    server.kill()
    server.start()
    server.wait_ready()
    assert server.command("DBSIZE") == 0
    fill(server, 0, 10)
    server.command("ROCKALL")
    assert server.client().mget([f"k{i}" for i in range(10)]) == [value_of(i) for i in range(10)]


# --- A full disk


class FullDisk:
    """Lets the store's files grow no further: what a full disk is to LevelDB, for one process."""

    def __init__(self, server: ServerProcess) -> None:
        self._pid = store_pid(server)
        self._before = resource.prlimit(self._pid, resource.RLIMIT_FSIZE)

    def fill(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, (4096, self._before[1]))

    def make_room(self) -> None:
        resource.prlimit(self._pid, resource.RLIMIT_FSIZE, self._before)


def digest_of(server: ServerProcess) -> bytes:
    digest = server.command("DEBUG", "DIGEST")
    assert isinstance(digest, Status)
    return digest.text


def test_a_full_disk_loses_nothing(start_redrock: StartServer, start_redis: StartServer) -> None:
    server = start_redrock("--maxrockmem", "2mb", "--rock-min-hot-keys", "10")
    witness = start_redis()
    disk = FullDisk(server)
    clients = (server.client(), witness.client())

    def both(*command: object) -> None:
        one, other = [client.execute_command(*command) for client in clients]
        assert one == other, command

    for i in range(4000):
        both("SET", f"k{i}", value_of(i))
    server.wait_until(lambda: int(rock(server)["rock_cold_keys"]) > 1000)
    disk.fill()
    for i in range(4000, 7000):
        both("SET", f"k{i}", value_of(i))
    server.wait_until(lambda: rock(server)["rock_status"] != "ok")
    assert "Writing to the cold tier failed, spilling pauses: " in server.log
    assert int(rock(server)["rock_failed_writes"]) > 0
    reply = server.command("ROCKEVICT", "k6999")
    assert isinstance(reply, list)
    assert reply[1] in (b"the cold tier cannot write", b"cold already")
    # Reading, changing, deleting and renaming go on, cold or hot.
    for i in range(0, 7000, 3):
        match i % 8:
            case 0 | 1:
                both("GET", f"k{i}")
            case 2:
                both("DEL", f"k{i}")
            case 3:
                both("RENAME", f"k{i}", f"renamed {i}")
            case 4:
                both("APPEND", f"k{i}", "+")
            case 5:
                both("RENAME", f"k{i}", f"k{i + 1}")
            case 6:
                both("RENAME", f"k{i}", f"once {i}")
                both("RENAME", f"once {i}", f"twice {i}")
                both("STRLEN", f"twice {i}")
            case _:
                both("SET", f"k{i}", "new")
    both("MOVE", "k1", 2)
    both("SWAPDB", 0, 3)
    both("SWAPDB", 3, 0)
    assert digest_of(server) == digest_of(witness)
    assert rock(server)["rock_status"] != "ok"
    disk.make_room()
    server.wait_until(lambda: rock(server)["rock_status"] == "ok")
    assert "Writing to the cold tier works again" in server.log
    server.wait_until(lambda: int(rock(server)["rock_hot_bytes"]) <= 2 << 20)
    assert rock(server)["rock_failed_loads"] == "0"
    assert digest_of(server) == digest_of(witness)
    for key in clients[0].scan_iter(count=500):
        both("GET", key)
    server.command("SAVE")
    theirs = start_redis("--dir", str(server.folder))
    assert digest_of(theirs) == digest_of(witness)


def test_full_again_and_again_under_load(start_redrock: StartServer) -> None:
    """Flushes too; and what was dropped while nothing could be written does not come back."""
    server = start_redrock("--maxrockmem", "1mb", "--rock-min-hot-keys", "10")
    disk = FullDisk(server)
    source = random.Random(4)
    model: dict[bytes, bytes] = {}
    client = server.client()
    for turn in range(6):
        for _ in range(600):
            key = b"k%d" % source.randrange(3000)
            match source.randrange(5):
                case 0 | 1:
                    model[key] = source.randbytes(1000)
                    client.set(key, model[key])
                case 2:
                    assert client.delete(key) == (model.pop(key, None) is not None)
                case 3:
                    if key in model:
                        other = b"k%d" % source.randrange(3000)
                        client.rename(key, other)
                        model[other] = model.pop(key)
                case _:
                    assert client.get(key) == model.get(key)
        if turn % 2:
            disk.make_room()
        else:
            disk.fill()
        if turn == 2:
            client.flushdb()
            model.clear()
            fill(server, 0, 2000)
            model.update({b"k%d" % i: value_of(i) for i in range(2000)})
    server.wait_until(lambda: rock(server)["rock_status"] == "ok")
    assert "Writing to the cold tier works again" in server.log
    server.command("ROCKALL")
    assert client.dbsize() == len(model)
    for key, value in model.items():
        assert client.get(key) == value
    assert rock(server)["rock_failed_loads"] == "0"


def test_a_save_that_cannot_read_the_rows_fails_visibly(start_redrock: StartServer) -> None:
    """While renamings wait for room, rows stand under old names: such a save is refused rather than wrong."""
    server = start_redrock("--maxrockmem", "1mb", "--rock-min-hot-keys", "10")
    disk = FullDisk(server)
    fill(server, 0, 3000)
    server.wait_until(lambda: int(rock(server)["rock_cold_keys"]) > 1000)
    server.command("SAVE")
    before = (server.folder / "dump.rdb").read_bytes()
    disk.fill()
    fill(server, 3000, 5000)
    server.wait_until(lambda: rock(server)["rock_status"] != "ok")
    client = server.client()
    for i in range(3000):
        client.rename(f"k{i}", f"renamed {i}")
    for command in ("SAVE", "BGSAVE"):
        assert isinstance(server.command(command), ErrorReply)
        assert server.log.count("rows are still to be renamed") == 1 + (command == "BGSAVE")
    assert (server.folder / "dump.rdb").read_bytes() == before
    assert server.info("persistence")["rdb_last_bgsave_status"] == "err"
    disk.make_room()
    server.wait_until(lambda: rock(server)["rock_status"] == "ok")
    digest = digest_of(server)
    assert not isinstance(server.command("SAVE"), ErrorReply)
    server.kill()
    server.start()
    server.wait_ready()
    assert digest_of(server) == digest


def test_damaged_rows_are_errors_never_wrong_values(start_redrock: StartServer) -> None:
    """Who reads such a row is told; one flipped byte in each block of LevelDB was read as a wrong value before."""
    server = start_redrock("--maxrockmem", "1gb")
    for start in range(0, 30_000, 5000):
        fill(server, start, start + 5000)
        server.command("ROCKALL")
    tables = sorted((server.folder / f"rock{server.port}").glob("*.ldb"))
    assert tables
    for table in tables:
        content = bytearray(table.read_bytes())
        for position in range(0, len(content) - 4000, 4000):
            content[position] ^= 0xFF
        with table.open("r+b") as file:  # in place: LevelDB has it open
            file.write(content)
    client = server.client()
    errors: list[str] = []
    for i in range(0, 30_000, 50):
        try:
            found = client.get(f"k{i}")
        except redis.ResponseError as error:
            errors.append(str(error))
        else:
            assert found == value_of(i)
    assert len(errors) > 10
    # A damaged filter block makes LevelDB miss the row: an error as well, since the key is known to have one.
    assert all("the cold value of a key of this command cannot be read: " in text for text in errors)
    assert int(rock(server)["rock_failed_loads"]) >= len(errors)
    # A save would be wrong, so there is none.
    assert isinstance(server.command("SAVE"), ErrorReply)
    assert not (server.folder / "dump.rdb").exists()
    server.command("BGSAVE")
    server.wait_until(lambda: server.info("persistence")["rdb_last_bgsave_status"] == "err")
    assert client.set("k0", "a new value can be put in its place")
    assert not list(server.folder.glob("*.rdb"))
