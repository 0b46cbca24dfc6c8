"""`whole`: a runner of commands with persistence, replication and the rest of what INFO and DEBUG look at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from persistence.files import RealDisk
from persistence.service import Persistence, SnapshotFacts
from redrock.keyspace.eviction import Eviction
from redrock.keyspace.expiry import ActiveExpiry
from redrock.server.aof_client import AofClient
from redrock.server.memory_use import ServerBuffers
from redrock.server.reload import Reload
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource
from replication.leader.full_sync import Snapshots
from replication.service import Replication, ReplicationHost

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


class Facts(SnapshotFacts):
    def replication_info(self) -> None:
        return None

    def open_cold_snapshot(self) -> None:
        return None

    def used_memory(self) -> int:
        return 0

    def in_transaction(self) -> bool:
        return False


class Host(ReplicationHost):
    def role_changed(self, follower: bool) -> None:
        pass


@pytest.fixture
def whole(runner: CommandRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandRunner:
    """Its files are in a folder of its own, which is the present one."""
    monkeypatch.chdir(tmp_path)
    ctx = runner.ctx
    clock = ManualClock(runner.now_ms)
    ctx.stats.started_at_ms = runner.now_ms
    ctx.persistence = Persistence(runner.keyspace, runner.settings, clock, RealDisk(), Facts())
    ctx.persistence.status.load.end()
    ctx.replication = Replication(runner.settings, runner.keyspace, ctx.stats, RandomSource(1), Host(), Snapshots())
    ctx.active_expiry = ActiveExpiry(runner.keyspace, ctx.stats)
    control = runner.control
    control.buffers = ServerBuffers(runner.clients)
    control.eviction = Eviction(runner.keyspace, control.buffers, clock)
    executor = AofClient(runner.keyspace, ctx.table, runner.execution)
    control.reload = Reload(runner.keyspace, runner.settings, ctx.persistence, ctx.replication.feed, executor)
    return runner
