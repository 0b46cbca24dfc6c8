"""The adapters pass on what they are asked."""

from replication.hooks import ReplicationHealth, ReplicationPass, ReplicationSnapshotEnds


def test_health(world):
    health = ReplicationHealth(world.replication)
    assert health.good_replica_count() == 0
    assert not health.link_is_up()
    world.online_follower()
    assert health.good_replica_count() == 1
    world.replication.follow("h", 1)
    world.replication.full_sync_done(b"1" * 40, 1, 0)
    assert health.link_is_up()


def test_pass(world, transport_of):
    follower = world.online_follower()
    world.replication.feed.append(b"news")
    ReplicationPass(world.replication).end_of_pass()
    assert transport_of(follower).take() == b"news"


def test_snapshot_ends():
    class Recorder:
        ends = []

        def child_ended(self, ok, to_pipe):
            self.ends.append((ok, to_pipe))

    ReplicationSnapshotEnds(Recorder()).rdb_child_ended(True, False)
    assert Recorder.ends == [(True, False)]
