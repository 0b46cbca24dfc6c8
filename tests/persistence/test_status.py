"""Figures of INFO that are computed."""

from persistence.status import CHILD_AOF, CHILD_NONE, CHILD_RDB, LoadingStatus, PersistenceStatus


def test_loading_with_a_known_size():
    load = LoadingStatus()
    load.begin(100, 1000)
    assert load.loading
    assert (load.percent(), load.eta_seconds(100)) == (0.0, 1)
    load.loaded_bytes = 249
    assert load.percent() == 24.9
    assert load.eta_seconds(110) == 10 * 751 // 250
    load.end()
    assert not load.loading


def test_loading_without_a_size_goes_by_memory():
    load = LoadingStatus()
    load.begin(100, 0)
    load.loaded_bytes = 500
    assert load.percent() == 0.0
    load.rdb_used_mem = 1000
    assert load.percent() == 50.0
    load.loaded_bytes = 5000
    assert load.percent() == 99.99
    assert load.eta_seconds(150) == 50 // 5001


def test_life_of_a_child():
    status = PersistenceStatus(50)
    assert not status.has_child
    assert status.child_seconds(CHILD_RDB, 60) == -1
    status.child_started(CHILD_RDB, 77, 60, 200)
    assert status.has_child
    assert (status.child_seconds(CHILD_RDB, 63), status.child_seconds(CHILD_AOF, 63)) == (3, -1)
    status.child_reported(50, 1000, False, 61)
    assert status.fork_percent() == 25.0
    status.child_reported(0, 400, True, 62)
    # The size that is remembered is the highest.
    assert (status.rdb_last_cow_size, status.aof_last_cow_size) == (1000, 0)
    assert status.current_save_keys_processed == 50
    status.child_ended()
    assert (status.child_kind, status.child_pid, status.fork_percent()) == (CHILD_NONE, -1, 0.0)
    status.child_started(CHILD_AOF, 78, 70, 0)
    status.child_reported(0, 30, True, 71)
    assert (status.rdb_last_cow_size, status.aof_last_cow_size) == (1000, 30)


def test_resetstat():
    status = PersistenceStatus(50)
    status.rdb_saves = status.aof_rewrites = status.aof_delayed_fsync = status.total_forks = 3
    status.reset_statistics()
    assert (status.rdb_saves, status.aof_rewrites, status.aof_delayed_fsync, status.total_forks) == (0, 0, 0, 0)
