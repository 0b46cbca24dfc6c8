"""INFO's sections about the dataset: values that follow from the state of the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from persistence.status import CHILD_AOF, CHILD_RDB, LOG_ON
from redrock.commands.server.info_dataset import (
    human_bytes,
    memory_lines,
    persistence_lines,
    replication_lines,
    rock_lines,
)
from redrock.monitoring.facts import BASE_BYTES
from replication.role import LeaderAddress, LinkState

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1.00K"),
        (1015624, "991.82K"),
        (1 << 20, "1.00M"),
        (5 << 30, "5.00G"),
        (3 << 40, "3.00T"),
        (2 << 50, "2.00P"),
        (1 << 62, f"{1 << 62}B"),
    ],
)
def test_human_bytes(size: int, text: str) -> None:
    assert human_bytes(size) == text


def test_memory(whole: CommandRunner) -> None:
    empty = dict(memory_lines(whole.ctx))
    assert empty["used_memory_startup"] == BASE_BYTES
    whole.run("SET", "k", b"x" * 100_000)
    found = dict(memory_lines(whole.ctx))
    grown = whole.keyspace.used_bytes()
    assert found["used_memory"] == BASE_BYTES + grown
    assert found["used_memory_peak"] == found["used_memory"]
    assert 100_000 < int(str(found["used_memory_dataset"])) <= grown
    whole.run("DEL", "k")
    assert dict(memory_lines(whole.ctx))["used_memory_peak"] == found["used_memory"]


def test_persistence_at_rest(whole: CommandRunner) -> None:
    whole.run("SET", "k", "v")
    found = dict(persistence_lines(whole.ctx))
    assert found["rdb_changes_since_last_save"] == 1
    assert found["rdb_last_save_time"] == whole.now_ms // 1000
    assert found["rdb_current_bgsave_time_sec"] == found["aof_current_rewrite_time_sec"] == -1
    assert "aof_current_size" not in found
    assert "loading_start_time" not in found


def test_persistence_at_work(whole: CommandRunner) -> None:
    status = whole.ctx.persistence.status
    now_s = whole.now_ms // 1000
    status.child_started(CHILD_RDB, 77, now_s, 200)
    status.child_reported(50, 4096, False, now_s + 1)
    status.rdb_last_bgsave_ok = False
    status.aof_state = LOG_ON
    status.aof_last_fsync_ok = False
    whole.settings.appendonly = True
    whole.now_ms += 3000
    found = dict(persistence_lines(whole.ctx))
    assert (found["rdb_bgsave_in_progress"], found["rdb_current_bgsave_time_sec"]) == (1, 3)
    assert (found["current_cow_size"], found["current_cow_size_age"]) == (4096, 2)
    assert found["current_fork_perc"] == "25.00"
    assert (found["rdb_last_bgsave_status"], found["aof_last_write_status"]) == ("err", "err")
    assert (found["aof_enabled"], found["aof_current_size"]) == (1, 0)
    status.child_ended()
    status.child_started(CHILD_AOF, 78, now_s, 200)
    found = dict(persistence_lines(whole.ctx))
    assert (found["rdb_bgsave_in_progress"], found["aof_rewrite_in_progress"]) == (0, 1)


def test_loading(whole: CommandRunner) -> None:
    load = whole.ctx.persistence.status.load
    load.begin(whole.now_ms // 1000, 1000)
    load.loaded_bytes = 250
    found = dict(persistence_lines(whole.ctx))
    assert (found["loading"], found["async_loading"], found["loading_loaded_perc"]) == (1, 0, "25.00")
    load.async_loading = True
    found = dict(persistence_lines(whole.ctx))
    assert (found["loading"], found["async_loading"]) == (0, 1)


def test_a_leader(whole: CommandRunner) -> None:
    found = dict(replication_lines(whole.ctx))
    assert (found["role"], found["connected_slaves"], found["repl_backlog_active"]) == ("master", 0, 0)
    assert "master_host" not in found
    assert "min_slaves_good_slaves" not in found
    whole.ctx.replication.feed.create_backlog(1000)
    whole.ctx.replication.feed.append(b"12345")
    whole.settings.min_replicas_to_write = 1
    found = dict(replication_lines(whole.ctx))
    assert (found["repl_backlog_active"], found["repl_backlog_histlen"], found["master_repl_offset"]) == (1, 5, 5)
    assert found["repl_backlog_first_byte_offset"] == 1
    assert found["min_slaves_good_slaves"] == 0


def test_a_follower(whole: CommandRunner) -> None:
    role = whole.ctx.replication.role
    role.set_leader(LeaderAddress("leader.example", 6380))
    found = dict(replication_lines(whole.ctx))
    assert (found["role"], found["master_host"], found["master_port"]) == ("slave", "leader.example", 6380)
    assert (found["master_link_status"], found["master_last_io_seconds_ago"]) == ("down", -1)
    assert (found["slave_repl_offset"], found["master_link_down_since_seconds"]) == (1, -1)
    role.link = LinkState.TRANSFER
    role.transfer_total, role.transfer_read, role.transfer_last_io_ms = 400, 100, whole.now_ms - 2000
    found = dict(replication_lines(whole.ctx))
    assert (found["master_sync_in_progress"], found["master_sync_left_bytes"]) == (1, 300)
    assert (found["master_sync_perc"], found["master_sync_last_io_seconds_ago"]) == ("25.00", 2)
    role.link_is_up(b"0" * 40, 77, 0, whole.now_ms)
    whole.now_ms += 4000
    found = dict(replication_lines(whole.ctx))
    assert (found["master_link_status"], found["master_last_io_seconds_ago"]) == ("up", 4)
    assert found["slave_repl_offset"] == found["slave_read_repl_offset"] == 77
    assert "master_link_down_since_seconds" not in found
    role.link_is_down(whole.now_ms)
    whole.now_ms += 7000
    assert dict(replication_lines(whole.ctx))["master_link_down_since_seconds"] == 7


def test_rock(whole: CommandRunner) -> None:
    whole.run("SET", "a", "1")
    whole.run("SET", "b", "1")
    whole.make_cold(b"b")
    whole.settings.maxrockmem = 150 << 20
    found = dict(rock_lines(whole.ctx))
    assert (found["rock_enabled"], found["maxrockmem_human"]) == (1, "150.00M")
    assert (found["rock_hot_keys"], found["rock_cold_keys"]) == (1, 1)
    assert "rock_status" not in found  # there is no tier here
