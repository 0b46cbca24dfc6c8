"""Between followers and the persistence part: what runs, and when a streamed snapshot is over."""

import pytest

from persistence.status import CHILD_AOF, CHILD_RDB
from replication.leader.full_sync import Running
from replication.leader.snapshots import PersistenceSnapshots


class FakePersistence:
    """As much of a Persistence as is used here; no child is forked."""

    def __init__(self, real):
        self.status = real.status
        self.disk = real.disk
        self.killed = 0
        self.fd = 7

    def start_bgsave(self):
        self.status.child_started(CHILD_RDB, 1, 0, 0)
        return True

    def start_pipe_snapshot(self, prefix, suffix):
        if self.fd >= 0:
            self.status.child_started(CHILD_RDB, 1, 0, 0)
            self.status.child_is_for_followers = True
        return self.fd

    def kill_rdb_child(self):
        self.killed += 1


class FakeFullSync:
    def __init__(self):
        self.ends = []

    def disk_ended(self, ok):
        self.ends.append(("disk", ok))

    def pipe_ended(self, ok, now_ms):
        self.ends.append(("pipe", ok))


@pytest.fixture
def snapshots(world, persistence, waker):
    snapshots = PersistenceSnapshots(FakePersistence(persistence), world.settings)
    world.replication.full_sync = FakeFullSync()
    world.replication.supervisor = waker
    snapshots.attach(world.replication)
    return snapshots


def ends(world):
    return world.replication.full_sync.ends


def test_to_disk(world, persistence, snapshots):
    assert snapshots.running() is Running.NOTHING
    assert snapshots.start_to_disk()
    assert snapshots.running() is Running.RDB_TO_DISK
    persistence.status.child_ended()
    snapshots.child_ended(True, False)
    assert ends(world) == [("disk", True)]


@pytest.mark.parametrize("pipe_first", [True, False])
def test_a_pipe_is_over_when_child_and_pipe_are(world, persistence, snapshots, waker, pipe_first):
    assert snapshots.start_to_followers(b"prefix", b"suffix")
    assert waker.count == 1
    assert snapshots.running() is Running.RDB_TO_FOLLOWERS
    assert snapshots.take_pipe() == 7
    assert snapshots.take_pipe() == -1
    if pipe_first:
        snapshots.pipe_read()
        assert ends(world) == []
        persistence.status.child_ended()
        snapshots.child_ended(True, True)
    else:
        persistence.status.child_ended()
        snapshots.child_ended(True, True)
        assert ends(world) == []
        assert snapshots.running() is Running.RDB_TO_FOLLOWERS, "its last bytes are on their way"
        snapshots.pipe_read()
    assert ends(world) == [("pipe", True)]
    assert snapshots.running() is Running.NOTHING


def test_a_child_that_fails_ends_it_at_once(world, persistence, snapshots):
    assert snapshots.start_to_followers(b"prefix", b"suffix")
    persistence.status.child_ended()
    snapshots.child_ended(False, True)
    assert ends(world) == [("pipe", False)]
    assert snapshots.running() is Running.RDB_TO_FOLLOWERS, "its reader has still to see the end"
    snapshots.pipe_read()
    assert ends(world) == [("pipe", False)]
    assert snapshots.running() is Running.NOTHING


def test_no_pipe(snapshots, waker):
    snapshots._persistence.fd = -1
    assert not snapshots.start_to_followers(b"", b"")
    assert snapshots.running() is Running.NOTHING
    assert waker.count == 0


def test_other_children_and_small_things(world, persistence, snapshots, tmp_path):
    persistence.status.child_started(CHILD_AOF, 1, 0, 0)
    assert snapshots.running() is Running.OTHER
    snapshots.cancel()
    assert snapshots._persistence.killed == 1
    (tmp_path / "dump.rdb").write_bytes(b"content")
    assert snapshots.open_dump().read(100) == b"content"
    snapshots.remove_dump()
    snapshots.remove_dump()
    assert not (tmp_path / "dump.rdb").exists()
    assert snapshots.has_save_points()
    world.settings.save = ()
    assert not snapshots.has_save_points()
