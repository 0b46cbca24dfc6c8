"""DEBUG RELOAD and LOADAOF, on files: the dataset comes back, nothing is propagated, a broken file is fatal."""

from __future__ import annotations

from pathlib import Path

import pytest

from persistence.files import RealDisk
from persistence.service import Persistence, SnapshotFacts
from redrock import errors
from redrock.config.settings import Settings
from redrock.datatypes.string import StringValue
from redrock.errors import FatalError, ReplyError
from redrock.interfaces import ColdRows, CommandExecutor, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.server.reload import Reload
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource
from replication.feed import Feed
from replication.identity import ReplicationIdentity


class Rows(ColdRows):
    """There are none."""


class Facts(SnapshotFacts):
    def replication_info(self) -> None:
        return None

    def open_cold_snapshot(self) -> None:
        return None

    def used_memory(self) -> int:
        return 0

    def in_transaction(self) -> bool:
        return False


class Commands(CommandExecutor):
    """Knows SET alone, and notes whether its effect could have been propagated."""

    def __init__(self, keyspace: Keyspace) -> None:
        self.keyspace = keyspace
        self.sinks: list[bool] = []
        self.parts: Parts | None = None

    def apply(self, argv: list[bytes]) -> None:
        if argv[0] == b"SET":
            self.keyspace.databases[0].put(argv[1], StringValue(argv[2]))
            self.keyspace.dirty += 1
            assert self.parts is not None
            self.sinks += [self.parts.persistence.log.active, self.parts.feed.active]


class Parts:
    def __init__(self) -> None:
        self.keyspace = Keyspace(2, RandomSource(1), KeyspaceListener(), Rows())
        self.keyspace.now_ms = 1_700_000_000_000
        self.settings = Settings(lambda path: None)
        self.persistence = Persistence(self.keyspace, self.settings, ManualClock(), RealDisk(), Facts())
        self.feed = Feed(ReplicationIdentity(RandomSource(1)))
        self.commands = Commands(self.keyspace)
        self.commands.parts = self
        self.reload = Reload(self.keyspace, self.settings, self.persistence, self.feed, self.commands)

    def put(self, key: bytes, content: bytes) -> None:
        self.keyspace.databases[0].put(key, StringValue(content))

    def content(self) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        for key, value in self.keyspace.databases[0].table.items():
            assert isinstance(value, StringValue)
            found[key] = value.as_bytes()
        return found


@pytest.fixture
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.chdir(tmp_path)
    return Parts()


def test_rdb(parts: Parts) -> None:
    parts.put(b"a", b"1")
    parts.keyspace.databases[0].set_expire(b"a", 33177117420000)
    parts.reload.rdb(save=True, flush=True, merge=False)
    assert parts.content() == {b"a": b"1"}
    assert parts.keyspace.databases[0].expire_at(b"a") == 33177117420000
    parts.put(b"a", b"2")
    parts.put(b"b", b"3")
    parts.reload.rdb(save=False, flush=False, merge=True)
    assert parts.content() == {b"a": b"1", b"b": b"3"}
    parts.reload.rdb(save=False, flush=True, merge=False)
    assert parts.content() == {b"a": b"1"}
    assert not parts.keyspace.loading
    assert not parts.persistence.status.load.loading


def test_no_file(parts: Parts) -> None:
    with pytest.raises(ReplyError) as caught:
        parts.reload.rdb(save=False, flush=True, merge=False)
    assert caught.value.text == errors.RELOAD_FAILED


def test_a_key_that_is_there_already_is_fatal_without_merge(parts: Parts) -> None:
    parts.put(b"a", b"1")
    with pytest.raises(FatalError):
        parts.reload.rdb(save=True, flush=False, merge=False)
    assert not parts.keyspace.loading


def test_log(parts: Parts) -> None:
    folder = Path("appendonlydir")
    folder.mkdir()
    (folder / "appendonly.aof.1.incr.aof").write_bytes(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n")
    (folder / "appendonly.aof.manifest").write_text("file appendonly.aof.1.incr.aof seq 1 type i\n")
    parts.persistence.log.load_manifest()
    parts.feed.create_backlog(1000)
    parts.persistence.log.active = True
    parts.put(b"b", b"2")
    parts.reload.log()
    assert parts.content() == {b"a": b"1"}
    assert parts.keyspace.dirty == 0
    assert parts.commands.sinks == [False, False]
    assert parts.feed.active
    assert parts.persistence.log.active
