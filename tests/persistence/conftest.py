"""A disk in memory that fails on request and forgets what was not fsynced, and a small server around persistence."""

import errno
import os
import shutil
import socket
import subprocess
import time

import pytest

from persistence.files import Disk, ReadFile, RealDisk, WriteFile
from persistence.service import Persistence, SnapshotFacts
from redrock.config.settings import Settings
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.errors import ReplyError
from redrock.interfaces import ColdRows, CommandExecutor, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource


class Inode:
    def __init__(self):
        self.data = bytearray()
        self.synced = b""


class MemoryWriteFile(WriteFile):
    def __init__(self, disk, path, inode):
        self.disk, self.path, self.inode, self.closed = disk, path, inode, False

    def write(self, data):
        assert not self.closed
        self.disk.check("write", self.path)
        room = len(data) if self.disk.room is None else min(len(data), self.disk.room)
        if room == 0 and data:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.disk.room is not None:
            self.disk.room -= room
        self.inode.data += data[:room]
        return room

    def fsync(self):
        assert not self.closed
        self.disk.check("fsync", self.path)
        self.inode.synced = bytes(self.inode.data)

    def truncate(self, size):
        self.disk.check("truncate", self.path)
        del self.inode.data[size:]

    def close(self):
        self.closed = True


class MemoryReadFile(ReadFile):
    def __init__(self, disk, path, inode):
        self.disk, self.path, self.inode, self.position = disk, path, inode, 0

    def read(self, count):
        self.disk.check("read", self.path)
        data = bytes(self.inode.data[self.position : self.position + count])
        self.position += len(data)
        return data

    def size(self):
        return len(self.inode.data)

    def close(self):
        pass


class MemoryDisk(Disk):
    """fail() makes calls fail; ``room`` is how many bytes still fit; crash() is a power cut."""

    def __init__(self):
        self.entries, self.durable, self.directories = {}, {}, set()
        self.failures = []
        self.room = None
        self.operations = []

    def fail(self, operation, path="", error=errno.EIO, times=1, exact=False):
        """``path``: a part of the path, or with ``exact`` all of it."""
        self.failures.append([operation, path, error, times, exact])

    def check(self, operation, path):
        self.operations.append((operation, path))
        for failure in self.failures:
            fits = failure[1] == path if failure[4] else failure[1] in path
            if failure[0] == operation and fits and failure[3] > 0:
                failure[3] -= 1
                raise OSError(failure[2], os.strerror(failure[2]))

    def crash(self):
        """The disk as it is found after a power cut: only what was fsynced, under names whose directory was."""
        after = MemoryDisk()
        after.directories = set(self.directories)
        for path, inode in self.durable.items():
            copy = Inode()
            copy.data = bytearray(inode.synced)
            copy.synced = inode.synced
            after.entries[path] = after.durable[path] = copy
        return after

    def contents(self, path):
        return bytes(self.entries[path].data)

    def put(self, path, data):
        inode = Inode()
        inode.data, inode.synced = bytearray(data), bytes(data)
        self.entries[path] = self.durable[path] = inode

    def _inode(self, path):
        if path not in self.entries:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self.entries[path]

    def open_append(self, path):
        self.check("open", path)
        return MemoryWriteFile(self, path, self.entries.setdefault(path, Inode()))

    def create(self, path):
        self.check("create", path)
        inode = self.entries.setdefault(path, Inode())
        inode.data.clear()
        return MemoryWriteFile(self, path, inode)

    def open_read(self, path):
        self.check("open_read", path)
        return MemoryReadFile(self, path, self._inode(path))

    def rename(self, source, target):
        self.check("rename", source)
        self.entries[target] = self._inode(source)
        del self.entries[source]

    def unlink(self, path):
        self.check("unlink", path)
        self._inode(path)
        del self.entries[path]

    def truncate(self, path, size):
        self.check("truncate", path)
        del self._inode(path).data[size:]

    def file_size(self, path):
        return len(self._inode(path).data)

    def exists(self, path):
        return path in self.entries or path in self.directories

    def is_directory(self, path):
        return path in self.directories

    def make_directory(self, path):
        self.check("mkdir", path)
        self.directories.add(path)

    def fsync_directory_of(self, path):
        self.check("fsync_directory", path)
        folder = os.path.dirname(path)
        self.durable = {name: inode for name, inode in self.durable.items() if os.path.dirname(name) != folder}
        self.durable |= {name: inode for name, inode in self.entries.items() if os.path.dirname(name) == folder}

    def describe_directory(self):
        return "/memory"


class Facts(SnapshotFacts):
    def __init__(self):
        self.replication = None
        self.cold = None
        self.exec_runs = False

    def replication_info(self):
        return self.replication

    def open_cold_snapshot(self):
        return self.cold

    def used_memory(self):
        return 1000

    def in_transaction(self):
        return self.exec_runs


class Listener(KeyspaceListener):
    def key_missed(self, dbid, key):
        pass


class Rows(ColdRows):
    def drop_store(self, store_id):
        pass

    def forget(self, store_id, type_code, key):
        pass


class MiniExecutor(CommandExecutor):
    """Runs the few commands that AOFs in these tests contain, on the keyspace."""

    def __init__(self, keyspace):
        self.keyspace, self.dbid, self.applied = keyspace, 0, []

    def apply(self, argv):
        self.applied.append(argv)
        name = argv[0].upper()
        database = self.keyspace.databases[self.dbid]
        if name == b"SELECT":
            self.dbid = int(argv[1])
        elif name == b"SET":
            database.put(argv[1], StringValue(argv[2]))
        elif name in (b"HMSET", b"HSET"):
            value = database.peek(argv[1]) or HashValue()
            value.set_many(argv, 2, 128, 64)
            if database.peek(argv[1]) is None:
                database.put(argv[1], value)
        elif name == b"PEXPIREAT":
            database.set_expire(argv[1], int(argv[2]))
        elif name == b"DEL":
            database.remove(argv[1])
        else:
            raise ReplyError(b"ERR unknown command")


class World:
    """Settings, clock, keyspace and persistence over a disk."""

    def __init__(self, disk, **settings):
        self.settings = Settings(enter_directory=lambda path: None)
        for name, value in settings.items():
            assert hasattr(self.settings, name)
            setattr(self.settings, name, value)
        self.clock = ManualClock()
        self.keyspace = Keyspace(16, RandomSource(1), Listener(), Rows())
        self.keyspace.now_ms = self.clock.now_ms()
        self.facts = Facts()
        self.disk = disk
        self.persistence = Persistence(self.keyspace, self.settings, self.clock, disk, self.facts)
        self.status.load.end()  # nothing to be loaded
        self.executor = MiniExecutor(self.keyspace)

    @property
    def status(self):
        return self.persistence.status

    @property
    def log(self):
        return self.persistence.log

    def set(self, key, value, dbid=0, expire_at_ms=None):
        database = self.keyspace.databases[dbid]
        database.put(key, StringValue(value))
        if expire_at_ms is not None:
            database.set_expire(key, expire_at_ms)

    def hset(self, key, flat, dbid=0):
        value = HashValue()
        value.set_many(flat, 0, 128, 64)
        self.keyspace.databases[dbid].put(key, value)

    def contents(self):
        """{(dbid, key): (value, expire)}: strings as bytes, hashes as dicts."""
        found = {}
        for database in self.keyspace.databases:
            for key, value in database.table.items():
                shown = value.as_bytes() if isinstance(value, StringValue) else dict(value.items())
                found[database.dbid, key] = (shown, database.expires.get(key))
        return found

    def fill(self):
        """Some keys of every kind there is, in two databases."""
        future = self.clock.now_ms() + 10**13
        self.set(b"text", b"hello world")
        self.set(b"number", b"12345")
        self.set(b"long", b"abc" * 5000)
        self.set(b"expiring", b"soon", expire_at_ms=future)
        self.set(b"\x00\xff\r\n", b"\r\n\x00", dbid=3)
        self.hset(b"small hash", [b"f", b"v", b"g", b"1"])
        self.hset(b"big hash", [b"%d" % (i // 2) for i in range(400)], dbid=3)
        return self

    def finish_child(self, seconds=20):
        """Wait, without a task, until the child has ended; its exit code."""
        child = self.persistence.child
        deadline = time.monotonic() + seconds
        while child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        for report in child.read_reports()[0]:
            self.persistence.child_reported(report)
        code = child.poll()
        self.persistence.child_exited(code)
        return code


@pytest.fixture
def memory_disk():
    return MemoryDisk()


@pytest.fixture
def make_world(monkeypatch, tmp_path):
    """make_world(disk=None, **settings): over a MemoryDisk, or over the real one in an empty directory."""

    def make(disk=None, **settings):
        if disk is None:
            disk = RealDisk()
            monkeypatch.chdir(tmp_path)
        return World(disk, **settings)

    return make


@pytest.fixture
def redis_server(tmp_path):
    """start(directory, *arguments) -> (process, port): a real redis-server; stopped at the end of the test."""
    started = []

    def start(directory, *arguments):
        program = shutil.which("redis-server")
        assert program, "these tests need redis-server 7.0"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        process = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(directory), "--save", "", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        started.append(process)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(100).startswith(b"+PONG"):
                        return process, port
            except OSError:
                pass
            time.sleep(0.02)
        return process, None

    yield start
    for process in started:
        process.kill()
        process.communicate()
