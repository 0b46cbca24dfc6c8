"""RDB files and AOF bases on a disk that fails; redis-check-rdb and redis-server on what was written."""

import os
import shutil
import socket
import subprocess

import pytest
import redis

from persistence.rdb.writer import ReplicationInfo
from persistence.snapshot.fork import Reporter
from persistence.snapshot.targets import (
    Dataset,
    DescriptorSink,
    FileSink,
    PipeWork,
    save_rdb_file,
    write_aof_base,
)
from redrock.datatypes.value import TYPE_STRING, ColdMarker

TEMP = f"temp-{os.getpid()}.rdb"


def dataset_of(world, cold=None, replication=None):
    return Dataset(world.keyspace, world.settings, cold, replication, 1000)


def test_save(make_world, memory_disk, caplog):
    caplog.set_level("INFO")
    world = make_world(memory_disk).fill()
    assert save_rdb_file(memory_disk, dataset_of(world), "dump.rdb", None)
    assert set(memory_disk.entries) == {"dump.rdb"}
    assert memory_disk.crash().contents("dump.rdb") == memory_disk.contents("dump.rdb")
    assert caplog.messages == ["DB saved on disk"]


@pytest.mark.parametrize(
    ("operation", "path", "message"),
    [
        ("create", TEMP, f"Failed opening the temp RDB file {TEMP} (in server root dir /memory) for saving: {{}}"),
        ("write", TEMP, "Write error saving DB on disk(rdbSaveRio): {}"),
        ("fsync", TEMP, "Write error saving DB on disk(fsync): {}"),
        (
            "rename",
            TEMP,
            f"Error moving temp DB file {TEMP} on the final destination dump.rdb (in server root dir /memory): {{}}",
        ),
        ("fsync_directory", "dump.rdb", "Write error saving DB on disk(fsyncFileDir): {}"),
    ],
    ids=["create", "write", "fsync", "rename", "fsync_directory"],
)
def test_a_failed_save(make_world, memory_disk, caplog, operation, path, message):
    memory_disk.put("dump.rdb", b"the one before")
    memory_disk.fail(operation, path)
    world = make_world(memory_disk).fill()
    assert not save_rdb_file(memory_disk, dataset_of(world), "dump.rdb", None)
    assert caplog.messages == [message.format("Input/output error")]
    assert not memory_disk.exists(TEMP)
    if operation != "fsync_directory":
        assert memory_disk.contents("dump.rdb") == b"the one before"
    assert memory_disk.crash().contents("dump.rdb") == b"the one before"


def test_a_full_disk(make_world, memory_disk, caplog):
    memory_disk.put("dump.rdb", b"the one before")
    memory_disk.room = 50
    world = make_world(memory_disk).fill()
    assert not save_rdb_file(memory_disk, dataset_of(world), "dump.rdb", None)
    assert caplog.messages == ["Write error saving DB on disk(rdbSaveRio): No space left on device"]
    assert memory_disk.contents("dump.rdb") == b"the one before"


def test_cold_values_that_cannot_be_read(make_world, memory_disk, caplog):
    world = make_world(memory_disk).fill()
    world.keyspace.databases[0].table.set(b"text", ColdMarker(TYPE_STRING, b"embstr"))
    ours, store = socket.socketpair()
    store.close()
    memory_disk.put("dump.rdb", b"the one before")
    assert not save_rdb_file(memory_disk, dataset_of(world, ours), "dump.rdb", None)
    assert "cold store" in caplog.messages[0]
    assert not write_aof_base(memory_disk, dataset_of(world, ours), "base", True, None)
    ours.close()
    assert set(memory_disk.entries) == {"dump.rdb"}


@pytest.mark.parametrize("as_rdb", [True, False])
def test_aof_base(make_world, memory_disk, as_rdb):
    world = make_world(memory_disk).fill()
    assert write_aof_base(memory_disk, dataset_of(world), "base", as_rdb, None)
    data = memory_disk.contents("base")
    assert data.startswith(b"REDIS0010" if as_rdb else b"*2\r\n$6\r\nSELECT\r\n")
    assert memory_disk.entries["base"].synced == data
    assert set(memory_disk.entries) == {"base"}


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ("create", "Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): {}"),
        ("write", "Write error writing append only file on disk: {}"),
        ("fsync", "Write error writing append only file on disk: {}"),
        ("rename", "Error moving temp append only file on the final destination: {}"),
    ],
)
def test_a_failed_aof_base(make_world, memory_disk, caplog, operation, message):
    memory_disk.fail(operation, "temp-rewriteaof")
    world = make_world(memory_disk).fill()
    assert not write_aof_base(memory_disk, dataset_of(world), "base", True, None)
    assert caplog.messages == [message.format("Input/output error")]
    assert not memory_disk.entries


def test_redis_loads_what_was_saved(make_world, redis_server, tmp_path):
    world = make_world().fill()
    assert save_rdb_file(world.disk, dataset_of(world), "dump.rdb", None)
    checked = subprocess.run([shutil.which("redis-check-rdb"), "dump.rdb"], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    _, port = redis_server(tmp_path)
    assert fetch(port) == world.contents()


def test_replication_facts(make_world, redis_server, tmp_path):
    """A real redis-server takes over the replication id of a file that tells it."""
    world = make_world().fill()
    info = ReplicationInfo(3, b"a" * 40, 12345)
    assert save_rdb_file(world.disk, dataset_of(world, replication=info), "dump.rdb", None)
    _, port = redis_server(tmp_path)
    facts = redis.Redis(port=port).info("replication")
    assert facts["master_replid2"] == "a" * 40
    assert facts["second_repl_offset"] == 12346


def fetch(port):
    """The contents of a redis-server, as World.contents() shows them."""
    found = {}
    for dbid in range(16):
        with redis.Redis(port=port, db=dbid) as client:
            for key in client.scan_iter():
                value = client.get(key) if client.type(key) == b"string" else client.hgetall(key)
                at = client.pexpiretime(key)
                found[dbid, key] = (value, None if at == -1 else at)
    return found


def test_pipe_with_prefix_and_suffix(make_world, memory_disk):
    world = make_world(memory_disk).fill()

    class Noted(Reporter):
        def __init__(self):
            pass

        def progress(self, keys, written_bytes):
            pass

        def finished(self, written_bytes):
            self.written = written_bytes

    read_fd, write_fd = os.pipe()
    reader = os.dup(read_fd)
    reporter = Noted()
    assert PipeWork(dataset_of(world), read_fd, write_fd, b"$EOF:", b"END").run(reporter)
    data = os.read(reader, 1 << 16)
    os.close(reader)
    assert data.startswith(b"$EOF:REDIS0010")
    assert data.endswith(b"END")
    assert reporter.written == len(data) - len(b"$EOF:END")


def test_a_pipe_that_nobody_reads_is_a_failure(make_world, memory_disk):
    world = make_world(memory_disk).fill()
    read_fd, write_fd = os.pipe()
    # run() closes the reading end first, so that there is no reader left at all.
    assert not PipeWork(dataset_of(world), read_fd, write_fd, b"x", b"y").run(None)


def test_sinks_write_all(memory_disk, tmp_path):
    read_fd, write_fd = os.pipe()
    DescriptorSink(write_fd).write(b"abc")
    assert os.read(read_fd, 10) == b"abc"
    os.close(read_fd)
    os.close(write_fd)
    FileSink(memory_disk.create("f")).write(b"abc")
    assert memory_disk.contents("f") == b"abc"


@pytest.mark.parametrize(
    ("policy", "found"),
    [("allkeys-lru", "idle"), ("volatile-lfu", "freq"), ("noeviction", None), ("allkeys-random", None)],
)
def test_last_use_by_policy(make_world, memory_disk, policy, found):
    from persistence.rdb.events import KeyRecord
    from persistence.rdb.reader import RdbReader

    world = make_world(memory_disk, maxmemory_policy=policy)
    world.set(b"k", b"v")
    assert save_rdb_file(memory_disk, dataset_of(world), "dump.rdb", None)
    reader = RdbReader()
    reader.feed(memory_disk.contents("dump.rdb"))
    while not isinstance(event := reader.next_event(), KeyRecord):
        pass
    assert (event.lru_idle >= 0, event.lfu_freq >= 0) == (found == "idle", found == "freq")
