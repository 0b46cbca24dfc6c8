"""The log on a disk that fails: what is in the files afterwards, what is reported, what is safe after a power cut."""

import errno
import time

import pytest

from persistence.status import LOG_OFF, LOG_ON, LOG_WAIT_REWRITE
from redrock.errors import FatalError
from redrock.resp.encoder import encode_command

DIRECTORY = "appendonlydir/"
MANIFEST = DIRECTORY + "appendonly.aof.manifest"
BASE_1 = DIRECTORY + "appendonly.aof.1.base.rdb"
BASE_2 = DIRECTORY + "appendonly.aof.2.base.rdb"
INCREMENT_1 = DIRECTORY + "appendonly.aof.1.incr.aof"
INCREMENT_2 = DIRECTORY + "appendonly.aof.2.incr.aof"


def command(number):
    return encode_command([b"SET", b"k%d" % number, b"v"])


@pytest.fixture
def world(make_world, memory_disk):
    """A log that has just been opened, with its first base and increment."""
    world = make_world(memory_disk, appendonly=True)
    world.persistence.open_log()
    return world


def fsync(log):
    """What the task does in a thread, done here."""
    files, offset = log.files_to_fsync()
    error = None
    try:
        for file in files:
            file.fsync()
    except OSError as caught:
        error = caught
    log.fsync_ended(offset, error)


def manifest_of(disk):
    return disk.contents(MANIFEST).decode().splitlines()


# --- At start


def test_a_new_log(world, memory_disk):
    assert manifest_of(memory_disk) == [
        "file appendonly.aof.1.base.rdb seq 1 type b",
        "file appendonly.aof.1.incr.aof seq 1 type i",
    ]
    assert memory_disk.contents(BASE_1).startswith(b"REDIS0010")
    assert memory_disk.contents(INCREMENT_1) == b""
    assert world.status.aof_state == LOG_ON
    assert world.log.active


def test_reopening_appends_to_the_last_increment(world, memory_disk, make_world):
    world.log.append(command(1))
    world.log.flush()
    again = make_world(memory_disk, appendonly=True)
    again.log.load_manifest()
    again.persistence.open_log()
    again.log.append(command(2))
    again.log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1) + command(2)
    assert len(manifest_of(memory_disk)) == 2


def test_a_broken_manifest_is_fatal(memory_disk, make_world, caplog):
    memory_disk.make_directory("appendonlydir")
    memory_disk.put(MANIFEST, b"file a seq 1 type x\n")
    with pytest.raises(FatalError):
        make_world(memory_disk).log.load_manifest()
    assert caplog.messages == [
        "\n*** FATAL AOF MANIFEST FILE ERROR ***\n",
        "Reading the manifest file, at line 1\n",
        ">>> 'file a seq 1 type x'\n",
        "Unknown AOF file type\n",
    ]


def test_no_directory_no_manifest(memory_disk, make_world):
    world = make_world(memory_disk)
    world.log.load_manifest()
    assert world.log.manifest.is_empty()
    memory_disk.make_directory("appendonlydir")
    world.log.load_manifest()
    assert world.log.manifest.is_empty()


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("mkdir", "appendonlydir"),
        ("create", "temp-rewriteaof"),
        ("rename", "temp-rewriteaof"),
        ("open", "incr"),
        ("create", "manifest"),
        ("fsync", "manifest"),
        ("rename", "manifest"),
        ("fsync_directory", "manifest"),
    ],
)
def test_a_log_that_cannot_be_opened_is_fatal(memory_disk, make_world, operation, path):
    memory_disk.fail(operation, path)
    with pytest.raises(FatalError):
        make_world(memory_disk, appendonly=True).persistence.open_log()


# --- An old-style log


def test_upgrade(memory_disk, make_world):
    memory_disk.put("appendonly.aof", command(1))
    world = make_world(memory_disk, appendonly=True)
    world.log.load_manifest()
    world.log.upgrade_old_style()
    assert not memory_disk.exists("appendonly.aof")
    assert memory_disk.contents(DIRECTORY + "appendonly.aof") == command(1)
    world.persistence.open_log()
    assert manifest_of(memory_disk) == [
        "file appendonly.aof seq 1 type b",
        "file appendonly.aof.1.incr.aof seq 1 type i",
    ]


def test_an_upgrade_that_stopped_is_taken_up(memory_disk, make_world):
    memory_disk.put("appendonly.aof", command(1))
    memory_disk.fail("rename", "appendonly.aof", exact=True)
    with pytest.raises(FatalError):
        make_world(memory_disk).log.upgrade_old_style()
    assert memory_disk.exists("appendonly.aof")
    again = make_world(memory_disk)
    again.log.load_manifest()
    again.log.upgrade_old_style()
    assert memory_disk.contents(DIRECTORY + "appendonly.aof") == command(1)


def test_no_upgrade_beside_a_newer_log(world, memory_disk, make_world):
    memory_disk.put("appendonly.aof", b"old")
    again = make_world(memory_disk)
    again.log.load_manifest()
    again.log.upgrade_old_style()
    assert memory_disk.contents("appendonly.aof") == b"old"
    assert not memory_disk.exists(DIRECTORY + "appendonly.aof")


# --- Writing


def test_everysec(world, memory_disk):
    log = world.log
    log.append(command(1))
    assert not log.holds_replies()
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1)
    assert log.wants_fsync()
    fsync(log)
    assert log.writer.fsynced_offset == log.writer.written_offset
    log.append(command(2))
    log.flush()
    assert not log.wants_fsync()
    world.clock.advance_ms(1000)
    assert log.wants_fsync()


def test_always_releases_what_is_fsynced(world):
    world.settings.appendfsync = "always"
    log = world.log
    log.append(command(1))
    log.flush()
    first = log.writer.appended_offset
    assert log.holds_replies()
    assert log.release_offset() == 0
    files, offset = log.files_to_fsync()
    assert not log.wants_fsync()  # one at a time
    log.append(command(2))
    log.flush()
    for file in files:
        file.fsync()
    log.fsync_ended(offset, None)
    assert log.release_offset() == first
    assert log.wants_fsync()
    fsync(log)
    assert log.release_offset() == log.writer.appended_offset > first


def test_no_fsync_while_a_child_runs_if_so_configured(world):
    world.settings.appendfsync = "always"
    world.settings.no_appendfsync_on_rewrite = True
    log = world.log
    log.append(command(1))
    log.flush()
    world.status.child_started(1, 1, 1, 1)
    assert not log.wants_fsync()
    assert log.release_offset() == log.writer.written_offset
    world.status.child_ended()
    assert log.wants_fsync()
    assert log.release_offset() == 0


def test_timestamps(world, memory_disk):
    world.settings.aof_timestamp_enabled = True
    now_s = world.clock.now_ms() // 1000
    world.log.append(command(1))
    world.log.append(command(2))
    world.log.flush()
    assert memory_disk.contents(INCREMENT_1) == b"#TS:%d\r\n" % now_s + command(1) + command(2)


def test_a_slow_disk_can_be_played(world):
    world.log.flush_sleep_us = 50_000
    world.log.append(command(1))
    before = time.monotonic()
    world.log.flush()
    assert time.monotonic() - before >= 0.05


def test_write_error_under_everysec(world, memory_disk, caplog):
    log = world.log
    memory_disk.fail("write", INCREMENT_1, errno.ENOSPC)
    log.append(command(1))
    log.flush()
    assert not world.status.aof_last_write_ok
    assert world.persistence.write_refusal() == b"MISCONF Errors writing to the AOF file: No space left on device"
    assert "Error writing to the AOF file: No space left on device" in caplog.messages
    log.append(command(2))
    log.flush()
    assert world.status.aof_last_write_ok
    assert world.persistence.write_refusal() is None
    assert caplog.messages[-1] == "AOF write error looks solved, Redis can write again."
    assert memory_disk.contents(INCREMENT_1) == command(1) + command(2)


def test_a_short_write_leaves_no_half_command(world, memory_disk, caplog):
    log = world.log
    log.append(command(1))
    log.flush()
    log.append(command(2))
    memory_disk.room = 5
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1)
    assert "Short write while writing to the AOF file: (nwritten=5, expected=28)" in caplog.messages
    assert world.status.aof_current_size == len(command(1))
    memory_disk.room = None
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1) + command(2)


def test_a_short_write_that_cannot_be_undone_is_continued(world, memory_disk):
    log = world.log
    log.append(command(1))
    memory_disk.room = 5
    memory_disk.fail("truncate", INCREMENT_1)
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1)[:5]
    memory_disk.room = None
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1)


def test_write_errors_are_logged_once_in_a_while(world, memory_disk, caplog):
    memory_disk.fail("write", INCREMENT_1, times=100)
    world.log.append(command(1))
    for _ in range(40):
        world.log.flush()
        world.clock.advance_ms(1000)
    assert caplog.messages.count("Error writing to the AOF file: Input/output error") == 2


@pytest.mark.parametrize("room", [0, 5])
def test_write_error_under_always_is_fatal(world, memory_disk, room):
    world.settings.appendfsync = "always"
    memory_disk.room = room
    world.log.append(command(1))
    with pytest.raises(FatalError):
        world.log.flush()


def test_fsync_error_under_everysec(world, memory_disk, caplog):
    log = world.log
    log.append(command(1))
    log.flush()
    memory_disk.fail("fsync", INCREMENT_1)
    fsync(log)
    assert log.writer.fsynced_offset == 0
    assert world.persistence.write_refusal() == b"MISCONF Errors writing to the AOF file: Input/output error"
    assert caplog.messages[-1] == "Fail to fsync the AOF file: Input/output error"
    world.clock.advance_ms(1000)
    assert log.wants_fsync()
    fsync(log)
    assert world.persistence.write_refusal() is None


def test_fsync_error_under_always_is_fatal(world, memory_disk):
    world.settings.appendfsync = "always"
    world.log.append(command(1))
    world.log.flush()
    memory_disk.fail("fsync", INCREMENT_1)
    with pytest.raises(FatalError):
        fsync(world.log)


def test_what_was_fsynced_survives_a_power_cut(world, memory_disk):
    log = world.log
    for number in range(5):
        log.append(command(number))
        log.flush()
        if number == 2:
            fsync(log)
    after = memory_disk.crash()
    assert after.contents(INCREMENT_1) == b"".join(command(number) for number in range(3))
    assert after.contents(MANIFEST) == memory_disk.contents(MANIFEST)
    assert after.contents(BASE_1) == memory_disk.contents(BASE_1)


# --- Rewriting


def write_base(disk, data=b"REDIS-base"):
    file = disk.create("temp-rewriteaof-bg-7.aof")
    file.write(data)
    file.fsync()
    return "temp-rewriteaof-bg-7.aof"


def test_rewrite(world, memory_disk):
    log = world.log
    log.append(command(1))
    assert log.begin_rewrite()
    # What was appended before belongs to the old increment, what comes after to the new one.
    assert memory_disk.contents(INCREMENT_1) == command(1)
    assert log.selected_dbid == -1
    log.append(command(2))
    log.flush()
    assert memory_disk.contents(INCREMENT_2) == command(2)
    assert manifest_of(memory_disk)[-1] == "file appendonly.aof.2.incr.aof seq 2 type i"
    assert log.finish_rewrite(write_base(memory_disk))
    assert manifest_of(memory_disk) == [
        "file appendonly.aof.2.base.rdb seq 2 type b",
        "file appendonly.aof.2.incr.aof seq 2 type i",
    ]
    assert memory_disk.contents(BASE_2) == b"REDIS-base"
    assert world.status.aof_base_size == world.status.aof_current_size == 10 + len(command(2))
    fsync(log)
    log.remove_garbage()
    assert not memory_disk.exists(BASE_1)
    assert not memory_disk.exists(INCREMENT_1)


def test_the_old_increment_is_fsynced_before_newer_writes_count(world, memory_disk):
    world.settings.appendfsync = "always"
    log = world.log
    log.append(command(1))
    log.flush()
    assert log.begin_rewrite()
    log.append(command(2))
    log.flush()
    assert log.release_offset() == 0
    fsync(log)
    assert log.release_offset() == log.writer.appended_offset
    after = memory_disk.crash()
    assert after.contents(INCREMENT_1) + after.contents(INCREMENT_2) == command(1) + command(2)
    assert not log.retired


def test_a_file_retired_during_an_fsync_is_fsynced_again(world, memory_disk):
    """Bytes that came after the fsync had begun are not safe by it."""
    world.settings.appendfsync = "always"
    log = world.log
    log.append(command(1))
    log.flush()
    files, offset = log.files_to_fsync()
    for file in files:
        file.fsync()
    log.append(command(2))
    assert log.begin_rewrite()
    log.fsync_ended(offset, None)
    assert len(log.retired) == 1
    assert log.wants_fsync()
    fsync(log)
    assert memory_disk.crash().contents(INCREMENT_1) == command(1) + command(2)


def test_a_second_rewrite_after_a_failed_one_keeps_all_increments(world, memory_disk):
    log = world.log
    log.append(command(1))
    assert log.begin_rewrite()
    log.rewrite_failed()
    log.append(command(2))
    assert log.begin_rewrite()
    log.append(command(3))
    log.flush()
    kinds = [line.split()[-1] for line in manifest_of(memory_disk)]
    assert kinds == ["b", "i", "i", "i"]
    assert log.finish_rewrite(write_base(memory_disk))
    log.remove_garbage()
    assert manifest_of(memory_disk) == [
        "file appendonly.aof.2.base.rdb seq 2 type b",
        "file appendonly.aof.3.incr.aof seq 3 type i",
    ]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("mkdir", "appendonlydir"),
        ("create", "appendonly.aof.2.incr.aof"),
        ("create", "temp-appendonly.aof.manifest"),
        ("write", "temp-appendonly.aof.manifest"),
        ("fsync", "temp-appendonly.aof.manifest"),
        ("rename", "temp-appendonly.aof.manifest"),
        ("fsync_directory", "manifest"),
        ("write", "appendonly.aof.1.incr.aof"),
    ],
)
def test_a_rewrite_that_cannot_begin_changes_nothing(world, memory_disk, operation, path):
    log = world.log
    log.append(command(1))
    memory_disk.fail(operation, path)
    assert not log.begin_rewrite()
    assert not world.status.aof_last_bgrewrite_ok
    log.append(command(2))
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1) + command(2)
    assert [row.name for row in log.manifest.increments] == ["appendonly.aof.1.incr.aof"]


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("rename", "temp-rewriteaof-bg-7.aof"),
        ("create", "temp-appendonly.aof.manifest"),
        ("rename", "temp-appendonly.aof.manifest"),
    ],
)
def test_a_rewrite_that_cannot_end_keeps_the_old_base(world, memory_disk, operation, path):
    log = world.log
    assert log.begin_rewrite()
    before = manifest_of(memory_disk)
    memory_disk.fail(operation, path)
    assert not log.finish_rewrite(write_base(memory_disk))
    assert manifest_of(memory_disk) == before
    assert memory_disk.exists(BASE_1)
    assert not memory_disk.exists(BASE_2)
    log.append(command(3))
    log.flush()
    assert memory_disk.contents(INCREMENT_2) == command(3)


def test_history_stays_until_the_manifest_is_durable(world, memory_disk):
    """Redis deletes the files first; if the directory's fsync fails, a power cut can bring the old manifest back."""
    log = world.log
    log.append(command(1))
    assert log.begin_rewrite()
    fsync(log)
    memory_disk.fail("fsync_directory", "manifest", times=2)
    assert log.finish_rewrite(write_base(memory_disk))
    log.remove_garbage()
    after = memory_disk.crash()
    for line in after.contents(MANIFEST).decode().splitlines():
        assert after.exists(DIRECTORY + line.split()[1])
    # The next rewrite cleans up.
    assert log.begin_rewrite()
    assert log.finish_rewrite(write_base(memory_disk))
    log.remove_garbage()
    assert not memory_disk.exists(BASE_1)
    assert not memory_disk.exists(BASE_2)


def test_without_garbage_collection_history_is_kept(world, memory_disk):
    world.settings.aof_disable_auto_gc = True
    assert world.log.begin_rewrite()
    assert world.log.finish_rewrite(write_base(memory_disk))
    assert [line.split()[-1] for line in manifest_of(memory_disk)] == ["b", "h", "h", "i"]
    assert not world.log.garbage
    world.settings.aof_disable_auto_gc = False
    world.log.remove_history()
    world.log.remove_garbage()
    assert [line.split()[-1] for line in manifest_of(memory_disk)] == ["b", "i"]
    assert not memory_disk.exists(BASE_1)


def test_the_base_keeps_the_form_it_was_begun_in(world, memory_disk):
    """aof-use-rdb-preamble is changed while the child writes."""
    assert world.log.begin_rewrite()
    world.settings.aof_use_rdb_preamble = False
    assert world.log.finish_rewrite(write_base(memory_disk))
    assert world.log.manifest.base.name == "appendonly.aof.2.base.rdb"


# --- On and off


def test_switched_on_at_run_time(make_world, memory_disk):
    world = make_world(memory_disk)
    log = world.log
    assert not log.active
    log.wait_for_rewrite()
    assert (world.status.aof_state, log.active) == (LOG_WAIT_REWRITE, False)
    assert log.begin_rewrite()
    assert log.active
    log.append(command(1))
    log.flush()
    temp = DIRECTORY + "temp-appendonly.aof.incr"
    assert memory_disk.contents(temp) == command(1)
    assert not memory_disk.exists(MANIFEST)
    assert log.finish_rewrite(write_base(memory_disk))
    assert world.status.aof_state == LOG_ON
    assert memory_disk.contents(INCREMENT_1) == command(1)
    assert not memory_disk.exists(temp)
    assert manifest_of(memory_disk) == [
        "file appendonly.aof.1.base.rdb seq 1 type b",
        "file appendonly.aof.1.incr.aof seq 1 type i",
    ]
    log.append(command(2))
    log.flush()
    assert memory_disk.contents(INCREMENT_1) == command(1) + command(2)


@pytest.mark.parametrize(
    "path", ["temp-rewriteaof-bg-7.aof", "temp-appendonly.aof.incr", "temp-appendonly.aof.manifest"]
)
def test_switching_on_fails_and_is_tried_again(make_world, memory_disk, path):
    world = make_world(memory_disk)
    log = world.log
    log.wait_for_rewrite()
    assert log.begin_rewrite()
    log.append(command(1))
    memory_disk.fail("rename", path)
    assert not log.finish_rewrite(write_base(memory_disk))
    log.rewrite_failed()
    assert not log.active
    assert log.writer.buffered_bytes() == 0
    assert not any(name.endswith((".rdb", ".incr")) for name in memory_disk.entries)
    assert log.begin_rewrite()
    log.append(command(2))
    log.flush()
    assert log.finish_rewrite(write_base(memory_disk))
    assert memory_disk.contents(INCREMENT_1) == command(2)


def test_switched_off_and_on_again(world, memory_disk):
    log = world.log
    log.append(command(1))
    log.stop()
    assert memory_disk.crash().contents(INCREMENT_1) == command(1)
    assert (world.status.aof_state, log.active, log.file) == (LOG_OFF, False, None)
    fsync(log)
    assert not log.retired
    log.wait_for_rewrite()
    assert log.begin_rewrite()
    log.append(command(2))
    assert log.finish_rewrite(write_base(memory_disk))
    log.flush()
    log.remove_garbage()
    # Numbers go on, the increment of before is history.
    assert manifest_of(memory_disk) == [
        "file appendonly.aof.2.base.rdb seq 2 type b",
        "file appendonly.aof.2.incr.aof seq 2 type i",
    ]
    assert memory_disk.contents(INCREMENT_2) == command(2)


def test_rewrite_with_the_log_off(make_world, memory_disk):
    """BGREWRITEAOF works without a log: it makes a base that a later start with appendonly yes loads."""
    world = make_world(memory_disk)
    assert world.log.begin_rewrite()
    assert world.log.finish_rewrite(write_base(memory_disk))
    assert manifest_of(memory_disk) == ["file appendonly.aof.1.base.rdb seq 1 type b"]
    assert world.status.aof_state == LOG_OFF


def test_finish_writes_and_fsyncs_all(world, memory_disk):
    world.log.append(command(1))
    world.log.finish()
    assert memory_disk.crash().contents(INCREMENT_1) == command(1)


def test_finish_with_a_broken_disk_goes_on(world, memory_disk, caplog):
    world.log.append(command(1))
    memory_disk.fail("fsync")
    world.log.finish()
    assert caplog.messages[-1] == "Fail to fsync the AOF file: Input/output error."
