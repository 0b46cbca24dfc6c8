"""The leader's dataset takes the place of ours: from a file and from the socket, and when it is broken."""

import pytest

from persistence.loader import LoadObserver
from redrock.datatypes.string import StringValue
from redrock.errors import CorruptionError, FatalError
from replication.follower.full_load import FullLoad

LONG_NS = 10**12


@pytest.fixture
def load(world, persistence):
    world.replication.follow("h", 1)
    world.keyspace.databases[3].put(b"old", StringValue(b"value"))
    return FullLoad(world.replication, persistence, world.keyspace, world.settings, LoadObserver(), world.clock)


def keys(world):
    return sorted((database.dbid, key) for database in world.keyspace.databases for key, _ in database.table.items())


def test_from_a_file(world, load, make_rdb, tmp_path):
    (tmp_path / "dump.rdb").write_bytes(make_rdb({b"a": b"1", b"b": b"2"}, stream_db=4))
    load.begin()
    assert keys(world) == []
    assert world.keyspace.loading
    load.open_file("dump.rdb")
    assert load.file_step(LONG_NS)
    load.finish(True)
    assert not world.keyspace.loading
    assert keys(world) == [(0, b"a"), (0, b"b")]
    assert load.stream_dbid() == 4
    assert world.host.calls.count("dataset_flushed") == 1
    assert world.host.calls.count("loading_changed") == 2


@pytest.mark.parametrize("piece", [1, 20, 10_000])
def test_from_the_socket(world, load, make_rdb, piece):
    data = make_rdb({b"a": b"1", b"b": b"2"})
    load.begin()
    load.open_stream(None)
    for start in range(0, len(data), piece):
        load.stream_feed(data[start : start + piece])
        while not load.stream_step(LONG_NS):
            pass
    load.stream_end()
    load.finish(True)
    assert keys(world) == [(0, b"a"), (0, b"b")]


def test_slices_are_short(world, load, make_rdb):
    load.begin()
    load.open_stream(None)
    load.stream_feed(make_rdb({b"%d" % number: b"x" for number in range(1000)}))
    steps = 1
    while not load.stream_step(0):
        steps += 1
    assert steps > 10
    assert world.keyspace.key_count() == 1000


def test_followers_and_backlog_go_first(world, load):
    world.replication.full_sync_done(b"1" * 40, 10, 0)
    sub_follower = world.follower(psync=(b"1" * 40, b"11"))
    load.begin()
    assert sub_follower.gone
    assert world.replication.feed.backlog is None


@pytest.mark.parametrize("end", [-1, -9, 30])
def test_a_broken_stream_leaves_an_empty_dataset(world, load, make_rdb, end):
    load.begin()
    load.open_stream(None)

    def receive():
        load.stream_feed(make_rdb({b"a": b"1"})[:end])
        load.stream_step(LONG_NS)
        load.stream_end()

    with pytest.raises(CorruptionError):
        receive()
    load.finish(False)
    assert keys(world) == []
    assert not world.keyspace.loading


def test_a_broken_file_fails_this_sync_only(world, load, make_rdb, tmp_path):
    data = bytearray(make_rdb({b"a": b"1"}))
    data[-1] ^= 1
    (tmp_path / "dump.rdb").write_bytes(data)
    load.begin()
    load.open_file("dump.rdb")
    with pytest.raises(FatalError):
        load.file_step(LONG_NS)
    load.finish(False)
    assert keys(world) == []


def test_no_file(load):
    load.begin()
    with pytest.raises(FileNotFoundError):
        load.open_file("dump.rdb")
    load.finish(False)


def test_the_log_is_stopped_and_begins_anew(world, persistence, load):
    calls = []
    persistence.stop_log = lambda: calls.append("stop")
    persistence.restart_log = lambda: calls.append("restart")
    load.begin()
    load.restart_log()
    assert calls == ["stop"], "without appendonly there is nothing to begin"
    world.settings.appendonly = True
    load.restart_log()
    assert calls == ["stop", "restart"]


# --- aside


@pytest.fixture
def load_aside(world, persistence, load):
    return FullLoad(
        world.replication, persistence, world.keyspace, world.settings, LoadObserver(), world.clock, aside=True
    )


def read_all(load, data, piece=40):
    load.open_stream(None)
    for start in range(0, len(data), piece):
        load.stream_feed(data[start : start + piece])
        while not load.stream_step(LONG_NS):
            pass
        yield
    load.stream_end()


def test_the_old_data_stays_until_the_new_is_here(world, load_aside, make_rdb):
    world.replication.full_sync_done(b"1" * 40, 10, 0)
    sub_follower = world.follower(psync=(b"1" * 40, b"11"))
    watching = world.keyspace.databases[0]
    load_aside.begin()
    for _ in read_all(load_aside, make_rdb({b"a": b"1", b"b": b"2"})):
        assert keys(world) == [(3, b"old")]
        assert not world.keyspace.loading
        assert not sub_follower.gone
    load_aside.finish(True)
    assert keys(world) == [(0, b"a"), (0, b"b")]
    assert world.keyspace.databases[0] is watching, "clients that have it selected see the new data"
    assert watching.data_bytes > 0
    assert sub_follower.gone


def test_a_broken_dataset_leaves_the_old_one(world, load_aside, make_rdb):
    load_aside.begin()
    with pytest.raises(CorruptionError):
        for _ in read_all(load_aside, make_rdb({b"a": b"1"})[:-3]):
            pass
    load_aside.finish(False)
    assert keys(world) == [(3, b"old")]
    assert world.host.calls.count("dataset_flushed") == 0


@pytest.mark.parametrize("same_history", [True, False])
def test_who_reads_meanwhile(persistence, load_aside, same_history):
    load_aside.begin()
    load_aside.open_stream(None, same_history)
    assert persistence.status.load.loading
    assert persistence.status.load.async_loading is same_history
    load_aside.finish(False)
    assert not persistence.status.load.loading
    assert not persistence.status.load.async_loading
