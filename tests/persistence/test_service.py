"""Which child may run when, and what its end means. Children are real, on the real disk; tasks are not involved."""

import os
import signal
import time

import pytest

from persistence.service import Persistence, SnapshotListener
from persistence.status import CHILD_AOF, CHILD_NONE, CHILD_RDB, LOG_OFF, LOG_ON, LOG_WAIT_REWRITE
from redrock.cold.tier import SnapshotRefused
from redrock.resp.encoder import encode_command


class Ends(SnapshotListener):
    def __init__(self):
        self.ends = []

    def rdb_child_ended(self, ok, to_pipe):
        self.ends.append((ok, to_pipe))


@pytest.fixture
def world(make_world):
    world = make_world()
    world.ends = Ends()
    world.persistence.listeners.append(world.ends)
    return world.fill()


def slow(world):
    """Children take their time: 7 keys of 50 ms."""
    world.settings.rdb_key_save_delay = 50_000
    return world


# --- RDB


def test_save(world, tmp_path):
    world.keyspace.dirty = 5
    world.clock.advance_ms(9000)
    assert world.persistence.save()
    assert (tmp_path / "dump.rdb").exists()
    assert world.keyspace.dirty == 0
    assert world.status.rdb_last_save_time == world.clock.now_ms() // 1000
    assert world.status.rdb_saves == 1


def test_a_failed_save_changes_nothing(world, tmp_path):
    world.settings.dbfilename = "no/such/folder.rdb"
    world.keyspace.dirty = 5
    before = world.status.rdb_last_save_time
    world.clock.advance_ms(9000)
    assert not world.persistence.save()
    assert (world.keyspace.dirty, world.status.rdb_last_save_time) == (5, before)
    assert not list(tmp_path.iterdir())


def test_bgsave(world, tmp_path, caplog):
    caplog.set_level("INFO")
    world.keyspace.dirty = 5
    assert world.persistence.start_bgsave()
    pid = world.persistence.child.pid
    assert (world.status.child_kind, world.status.child_pid) == (CHILD_RDB, pid)
    assert world.status.current_save_keys_total == 7
    world.keyspace.dirty += 3
    assert world.finish_child() == 0
    assert world.status.child_kind == CHILD_NONE
    # What was changed while the child ran is not saved.
    assert world.keyspace.dirty == 3
    assert world.status.rdb_last_cow_size > 0
    assert world.status.rdb_last_bgsave_time_sec == 0
    assert os.listdir(tmp_path) == ["dump.rdb"]
    assert world.ends.ends == [(True, False)]
    assert caplog.messages == [
        f"Background saving started by pid {pid}",
        "Background saving terminated with success",
    ]


def test_the_child_sees_the_dataset_of_its_fork(world, make_world):
    expected = world.contents()
    slow(world)
    assert world.persistence.start_bgsave()
    world.set(b"text", b"changed meanwhile")
    world.keyspace.databases[0].remove(b"long")
    assert world.finish_child() == 0
    assert load_rdb(make_world()) == expected


def load_rdb(world):
    from persistence.loader import NEVER_NS, LoadObserver, RdbFileLoad, RdbLoader

    loader = RdbLoader(world.keyspace, world.settings, world.status, world.clock.now_ms(), False, LoadObserver())
    load = RdbFileLoad(world.disk, world.settings.dbfilename, loader, world.status, True)
    assert load.step(NEVER_NS)
    load.close()
    return world.contents()


def test_only_one_child(world):
    slow(world)
    assert world.persistence.start_bgsave()
    assert not world.persistence.start_bgsave()
    assert not world.persistence.start_rewrite()
    assert world.persistence.start_pipe_snapshot(b"", b"") == -1
    world.persistence.kill_rdb_child()
    assert world.finish_child() == -signal.SIGUSR1
    assert world.persistence.start_rewrite()
    assert not world.persistence.start_bgsave()
    world.finish_child()


@pytest.mark.parametrize(("number", "ok"), [(signal.SIGKILL, False), (signal.SIGTERM, False), (signal.SIGUSR1, True)])
def test_a_killed_child_changes_only_the_status(world, tmp_path, caplog, number, ok):
    (tmp_path / "dump.rdb").write_bytes(b"the one before")
    slow(world)
    world.keyspace.dirty = 5
    before = world.status.rdb_last_save_time
    assert world.persistence.start_bgsave()
    time.sleep(0.1)
    os.kill(world.persistence.child.pid, number)
    world.finish_child()
    assert os.listdir(tmp_path) == ["dump.rdb"]
    assert (tmp_path / "dump.rdb").read_bytes() == b"the one before"
    assert (world.keyspace.dirty, world.status.rdb_last_save_time) == (5, before)
    assert world.status.rdb_last_bgsave_ok is ok
    assert world.ends.ends == [(False, False)]
    assert caplog.messages[-1] == f"Background saving terminated by signal {int(number)}"


def test_a_failed_child_refuses_writes(world, caplog):
    world.settings.dbfilename = "no/such/folder.rdb"
    assert world.persistence.start_bgsave()
    assert world.finish_child() == 1
    assert caplog.messages[-1] == "Background saving error"
    assert world.persistence.write_refusal().startswith(b"MISCONF Redis is configured to save RDB snapshots")
    world.settings.stop_writes_on_bgsave_error = False
    assert world.persistence.write_refusal() is None
    world.settings.stop_writes_on_bgsave_error = True
    world.settings.save = ()
    assert world.persistence.write_refusal() is None
    world.settings.save = ((60, 1),)
    world.settings.dbfilename = "dump.rdb"
    assert world.persistence.save()
    assert world.persistence.write_refusal() is None


def test_no_fork(world, monkeypatch, caplog):
    def fail():
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", fail)
    assert not world.persistence.start_bgsave()
    assert not world.status.rdb_last_bgsave_ok
    assert caplog.messages == ["Can't save in background: fork: Resource temporarily unavailable"]
    assert not world.persistence.start_rewrite()
    assert not world.status.aof_last_bgrewrite_ok
    assert world.persistence.start_pipe_snapshot(b"", b"") == -1
    assert world.persistence.child is None


def test_cold_values_that_cannot_be_had_now(world, caplog):
    def refuse():
        raise SnapshotRefused("not now")

    world.facts.open_cold_snapshot = refuse
    assert not world.persistence.save()
    assert not world.persistence.start_bgsave()
    assert not world.persistence.start_rewrite()
    assert world.persistence.start_pipe_snapshot(b"", b"") == -1
    assert (world.status.rdb_last_bgsave_ok, world.status.aof_last_bgrewrite_ok) == (False, False)
    assert set(caplog.messages) == {"No snapshot can be taken: not now"}


# --- For followers


def test_pipe(world, make_world, tmp_path):
    fd = world.persistence.start_pipe_snapshot(b"<", b">")
    assert fd >= 0
    assert world.status.child_is_for_followers
    os.set_blocking(fd, True)
    data = b""
    while piece := os.read(fd, 65536):
        data += piece
    os.close(fd)
    assert world.finish_child() == 0
    assert world.ends.ends == [(True, True)]
    assert not list(tmp_path.iterdir())
    assert (data[:1], data[-1:]) == (b"<", b">")
    (tmp_path / "dump.rdb").write_bytes(data[1:-1])
    assert load_rdb(make_world()) == world.contents()
    # A transfer is no save.
    assert world.status.rdb_saves == 0


def test_nobody_reads_the_pipe(world, caplog):
    world.set(b"huge", os.urandom(1 << 20))
    fd = world.persistence.start_pipe_snapshot(b"", b"")
    os.close(fd)
    assert world.finish_child() == 1
    assert world.ends.ends == [(False, True)]
    assert caplog.messages[-1] == "Background transfer error"
    assert world.status.rdb_last_bgsave_ok


# --- AOF


def test_rewrite(world, tmp_path):
    world.settings.appendonly = True
    world.persistence.open_log()
    world.log.append(encode_command([b"SET", b"before", b"1"]))
    assert world.persistence.start_rewrite()
    assert world.status.child_kind == CHILD_AOF
    world.log.append(encode_command([b"SET", b"after", b"1"]))
    world.log.flush()
    assert world.finish_child() == 0
    world.log.remove_garbage()
    assert sorted(os.listdir(tmp_path / "appendonlydir")) == [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.manifest",
    ]
    assert os.listdir(tmp_path) == ["appendonlydir"]
    assert world.status.aof_last_bgrewrite_ok
    assert world.status.aof_last_cow_size > 0
    assert world.status.aof_last_rewrite_time_sec == 0
    assert world.ends.ends == []


def test_a_failed_rewrite(world, tmp_path, caplog):
    world.settings.appendonly = True
    world.persistence.open_log()
    slow(world)
    assert world.persistence.start_rewrite()
    os.kill(world.persistence.child.pid, signal.SIGKILL)
    world.finish_child()
    assert caplog.messages[-1] == "Background AOF rewrite terminated by signal 9"
    assert (world.status.aof_last_bgrewrite_ok, world.status.aof_rewrites_consecutive_failures) == (False, 1)
    assert not [name for name in os.listdir(tmp_path) if name.startswith("temp")]


# --- What happens by itself


def test_tick_saves_by_rule(world, caplog):
    caplog.set_level("INFO")
    world.settings.save = ((60, 5),)
    world.keyspace.dirty = 5
    world.persistence.tick()
    assert world.persistence.child is None
    world.clock.advance_ms(61_000)
    world.persistence.tick()
    assert "5 changes in 60 seconds. Saving..." in caplog.messages
    world.finish_child()
    world.persistence.tick()
    assert world.persistence.child is None


def test_tick_retries_a_failed_save_after_a_while(world):
    world.settings.save = ((1, 1),)
    world.settings.dbfilename = "no/such/folder.rdb"
    world.keyspace.dirty = 1
    world.clock.advance_ms(60_000)
    world.persistence.tick()
    world.finish_child()
    for _ in range(5):
        world.clock.advance_ms(1000)
        world.persistence.tick()
        assert world.persistence.child is None
    world.clock.advance_ms(1000)
    world.persistence.tick()
    assert world.persistence.child is not None
    world.finish_child()


def test_tick_starts_what_is_scheduled(world):
    world.settings.save = ()
    slow(world)
    assert world.persistence.start_bgsave()
    world.status.rdb_bgsave_scheduled = world.status.aof_rewrite_scheduled = True
    world.persistence.tick()
    assert world.status.child_kind == CHILD_RDB
    world.settings.rdb_key_save_delay = 0
    world.finish_child()
    # The rewrite first, then the save.
    world.persistence.tick()
    assert (world.status.child_kind, world.status.aof_rewrite_scheduled) == (CHILD_AOF, False)
    world.finish_child()
    world.persistence.tick()
    assert (world.status.child_kind, world.status.rdb_bgsave_scheduled) == (CHILD_RDB, False)
    world.finish_child()


def test_tick_rewrites_by_growth(world, caplog):
    caplog.set_level("INFO")
    world.settings.appendonly = True
    world.settings.save = ()
    world.settings.auto_aof_rewrite_min_size = 1000
    world.persistence.open_log()
    world.log.append(b"#" * 500)
    world.log.flush()
    world.persistence.tick()
    assert world.persistence.child is None
    world.log.append(b"#" * 501)
    world.log.flush()
    world.persistence.tick()
    assert "Starting automatic rewriting of AOF on 100000% growth" in caplog.messages
    world.finish_child()
    assert world.status.aof_base_size == world.status.aof_current_size > 0
    world.persistence.tick()
    assert world.persistence.child is None


def test_it_begins_as_loading(world):
    """Before anything is loaded, nothing may be served, nor saved over the files."""
    assert Persistence(world.keyspace, world.settings, world.clock, world.disk, world.facts).status.load.loading


def test_tick_does_nothing_while_loading(world):
    world.keyspace.dirty = 10**9
    world.clock.advance_ms(10**8)
    world.status.load.loading = True
    world.persistence.tick()
    assert world.persistence.child is None


# --- On, off, end


def test_appendonly_on_and_off(world, tmp_path, make_world):
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    assert world.status.aof_state == LOG_WAIT_REWRITE
    world.log.append(encode_command([b"SET", b"new", b"1"]))
    world.log.flush()
    world.finish_child()
    assert world.status.aof_state == LOG_ON
    world.settings.appendonly = False
    world.persistence.appendonly_changed()
    assert world.status.aof_state == LOG_OFF
    assert load_aof(make_world()) == world.contents() | {(0, b"new"): (b"1", None)}


def load_aof(world):
    from persistence.loader import NEVER_NS, AofLoad, LoadObserver

    world.log.load_manifest()
    load = AofLoad(
        world.disk,
        world.log,
        world.keyspace,
        world.settings,
        world.status,
        world.executor,
        LoadObserver(),
        world.clock.now_ms(),
    )
    assert load.step(NEVER_NS)
    load.close()
    return world.contents()


def test_appendonly_on_while_a_save_runs(world, caplog):
    slow(world)
    assert world.persistence.start_bgsave()
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    assert world.status.aof_rewrite_scheduled
    assert "already another background operation" in caplog.messages[-1]
    world.finish_child()
    world.settings.rdb_key_save_delay = 0
    world.persistence.tick()
    assert world.finish_child() == 0
    assert world.status.aof_state == LOG_ON


def test_appendonly_on_while_a_rewrite_runs(world, caplog):
    """That rewrite cannot be used: what was written since it began was not collected."""
    slow(world)
    assert world.persistence.start_rewrite()
    first = world.persistence.child.pid
    world.settings.rdb_key_save_delay = 0
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    assert world.persistence.child.pid != first
    world.finish_child()
    assert world.status.aof_state == LOG_ON


def test_appendonly_on_inside_a_transaction(world):
    world.facts.exec_runs = True
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    assert world.status.aof_rewrite_scheduled
    assert world.persistence.child is None


def test_appendonly_on_fails(world, tmp_path, caplog):
    (tmp_path / "appendonlydir").write_bytes(b"in the way")
    world.settings.appendonly = True
    with pytest.raises(ValueError, match=r"Unable to turn on AOF\. Check server logs\."):
        world.persistence.appendonly_changed()
    assert world.status.aof_state == LOG_OFF
    assert caplog.messages[0] == "Can't open or create append-only dir appendonlydir: Not a directory"


def test_appendonly_off_while_its_first_rewrite_runs(world):
    slow(world)
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    world.settings.appendonly = False
    world.persistence.appendonly_changed()
    assert (world.persistence.child, world.status.child_kind) == (None, CHILD_NONE)
    assert world.status.aof_state == LOG_OFF


def test_the_first_base_failed_and_is_tried_again(world):
    slow(world)
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    os.kill(world.persistence.child.pid, signal.SIGKILL)
    world.finish_child()
    assert (world.status.aof_state, world.status.aof_rewrite_scheduled) == (LOG_WAIT_REWRITE, True)
    world.settings.rdb_key_save_delay = 0
    world.persistence.tick()
    world.finish_child()
    assert world.status.aof_state == LOG_ON


def test_a_replaced_dataset_begins_the_log_anew(world, make_world):
    world.settings.appendonly = True
    world.persistence.open_log()
    world.log.append(encode_command([b"SET", b"old", b"1"]))
    world.persistence.stop_log()
    for database in world.keyspace.databases:
        database.clear()
    world.set(b"new", b"2")
    world.persistence.restart_log()
    world.finish_child()
    assert load_aof(make_world()) == {(0, b"new"): (b"2", None)}


@pytest.mark.parametrize(
    ("rules", "save", "nosave", "saved"),
    [
        (((1, 1),), False, False, True),
        (((1, 1),), False, True, False),
        ((), False, False, False),
        ((), True, False, True),
    ],
)
def test_shut_down_saves_if_it_should(world, tmp_path, rules, save, nosave, saved):
    world.settings.save = rules
    assert world.persistence.shut_down(save, nosave, False)
    assert (tmp_path / "dump.rdb").exists() is saved


def test_shut_down_while_loading_saves_nothing(world, tmp_path):
    """Half of the dataset must not take the place of the whole."""
    world.status.load.loading = True
    assert world.persistence.shut_down(True, False, False)
    assert not list(tmp_path.iterdir())


def test_shut_down_ends_a_child(world, tmp_path):
    world.settings.save = ()
    slow(world)
    assert world.persistence.start_bgsave()
    time.sleep(0.1)
    assert world.persistence.shut_down(False, False, False)
    assert not list(tmp_path.iterdir())


def test_shut_down_waits_for_the_first_base(world):
    slow(world)
    world.settings.save = ()
    world.settings.appendonly = True
    world.persistence.appendonly_changed()
    assert not world.persistence.shut_down(False, False, False)
    assert world.persistence.child is not None
    assert world.persistence.shut_down(False, False, True)
    assert world.persistence.child is None


def test_shut_down_does_not_lose_data_to_a_failing_save(world):
    world.settings.dbfilename = "no/such/folder.rdb"
    assert not world.persistence.shut_down(True, False, False)
    assert world.persistence.shut_down(True, False, True)
