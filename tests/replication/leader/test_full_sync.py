"""Which followers share a snapshot, and when the next one begins: to disk and to sockets."""

import pytest

from replication.leader.followers import FollowerState
from replication.leader.full_sync import Running

EOF_CAPABLE = (b"capa", b"eof")


def to_disk(world):
    world.settings.repl_diskless_sync = False


def full_resync(world, offset):
    return b"+FULLRESYNC %b %d\r\n" % (world.replication.identity.replid, offset)


def test_to_disk_from_beginning_to_end(world, transport_of):
    to_disk(world)
    follower = world.follower()
    assert world.snapshots.started == ["disk"]
    assert transport_of(follower).take() == full_resync(world, 0)
    assert follower.state is FollowerState.WAIT_BGSAVE_END
    world.write(b"SET", b"a", b"1")
    assert transport_of(follower).take() == b""
    world.finish_disk()
    assert follower.state is FollowerState.SEND_BULK
    world.replication.pump(follower)
    assert follower.state is FollowerState.ONLINE
    dump = world.snapshots.dump
    assert transport_of(follower).take() == b"$%d\r\n%b" % (len(dump), dump) + (
        b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
    )


def test_a_second_follower_joins_a_snapshot_to_disk_and_gets_the_same(world, transport_of):
    to_disk(world)
    first = world.follower()
    world.write(b"SET", b"a", b"1")
    second = world.follower(*EOF_CAPABLE)
    assert world.snapshots.started == ["disk"]
    assert second.initial_offset == first.initial_offset == 0
    world.write(b"SET", b"b", b"2")
    world.finish_disk()
    for follower in (first, second):
        world.replication.pump(follower)
    one, two = transport_of(first).take(), transport_of(second).take()
    assert one == two
    # The stream names its database again for the one that came later.
    assert one.count(b"SELECT") == 2


@pytest.mark.parametrize(
    ("first_options", "second_options", "joins"),
    [
        ((), (), True),
        (EOF_CAPABLE, (), False),
        ((), EOF_CAPABLE, True),
        ((b"rdb-only", b"1"), (), False),
        ((), (b"rdb-only", b"1"), True),
    ],
)
def test_who_may_join(world, first_options, second_options, joins):
    to_disk(world)
    world.follower(*first_options)
    second = world.follower(*second_options)
    expected = FollowerState.WAIT_BGSAVE_END if joins else FollowerState.WAIT_BGSAVE_START
    assert second.state is expected


def test_a_bgsave_without_followers_cannot_be_joined_and_the_next_begins_after_it(world):
    to_disk(world)
    world.snapshots.state = Running.RDB_TO_DISK
    follower = world.follower()
    assert follower.state is FollowerState.WAIT_BGSAVE_START
    world.tick()
    assert world.snapshots.started == []
    world.finish_disk()
    world.tick()
    assert world.snapshots.started == ["disk"]
    assert follower.state is FollowerState.WAIT_BGSAVE_END


def test_another_child_delays_it(world):
    to_disk(world)
    world.snapshots.state = Running.OTHER
    world.follower()
    assert world.snapshots.started == []
    world.snapshots.state = Running.NOTHING
    world.tick()
    assert world.snapshots.started == ["disk"]


def test_streamed_after_the_delay_to_all_that_came_meanwhile(world, transport_of):
    one = world.follower(*EOF_CAPABLE)
    world.tick(3)
    two = world.follower(*EOF_CAPABLE)
    assert world.snapshots.started == []
    world.tick(2)
    assert world.snapshots.started == ["followers"]
    mark = world.snapshots.suffix
    assert world.snapshots.prefix == b"$EOF:" + mark + b"\r\n"
    for follower in (one, two):
        world.replication.pump(follower)
        assert transport_of(follower).take().lstrip(b"\n") == full_resync(world, one.initial_offset)
    full_sync = world.replication.full_sync
    full_sync.chunk(b"payload")
    assert full_sync.unsent_chunk_bytes() == 7
    world.write(b"SET", b"a", b"1")
    for follower in (one, two):
        world.replication.pump(follower)
        assert transport_of(follower).take() == b"payload"
    assert full_sync.unsent_chunk_bytes() == 0
    world.finish_pipe()
    assert one.state is FollowerState.ONLINE
    world.replication.pump(one)
    assert transport_of(one).take() == b""
    world.run(one.client, b"REPLCONF", b"ACK", b"0")
    assert transport_of(one).take().endswith(b"$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n")


def test_enough_followers_end_the_delay(world):
    world.settings.repl_diskless_sync_max_replicas = 2
    world.follower(*EOF_CAPABLE)
    world.tick()
    assert world.snapshots.started == []
    world.follower(*EOF_CAPABLE)
    world.tick()
    assert world.snapshots.started == ["followers"]


def test_without_delay_it_begins_at_once(world):
    world.settings.repl_diskless_sync_delay = 0
    world.follower(*EOF_CAPABLE)
    assert world.snapshots.started == ["followers"]
    late = world.follower(*EOF_CAPABLE)
    assert late.state is FollowerState.WAIT_BGSAVE_START


def test_one_that_knows_no_mark_makes_it_go_to_disk(world):
    world.follower()
    assert world.snapshots.started == ["disk"]


def test_a_filtered_snapshot_is_streamed_even_if_the_disk_is_preferred(world):
    to_disk(world)
    world.follower(*EOF_CAPABLE, b"rdb-filter-only", b"functions")
    assert world.snapshots.started == ["followers"]


def test_different_requirements_are_different_snapshots(world):
    world.settings.repl_diskless_sync_delay = 1
    plain = world.follower(*EOF_CAPABLE)
    filtered = world.follower(*EOF_CAPABLE, b"rdb-filter-only", b"")
    world.tick()
    assert plain.state is FollowerState.WAIT_BGSAVE_END
    assert filtered.state is FollowerState.WAIT_BGSAVE_START
    world.finish_pipe()
    world.tick()
    assert filtered.state is FollowerState.WAIT_BGSAVE_END


def test_a_snapshot_that_cannot_begin(world, transport_of):
    to_disk(world)
    world.snapshots.can_start = False
    client = world.client()
    world.run(client, b"REPLCONF", b"listening-port", b"1")
    world.run(client, b"PSYNC", b"?", b"-1")
    assert client.transport.take() == b"-ERR BGSAVE failed, replication can't continue\r\n"
    assert len(world.replication.followers) == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_a_snapshot_that_fails_sends_its_followers_away(world, streamed):
    world.settings.repl_diskless_sync = streamed
    world.settings.repl_diskless_sync_delay = 0
    follower = world.follower(*EOF_CAPABLE)
    (world.finish_pipe if streamed else world.finish_disk)(False)
    assert follower.gone
    assert world.host.closed == [follower.client]
    assert len(world.replication.followers) == 0


def test_a_dump_that_cannot_be_opened_sends_them_away(world):
    to_disk(world)
    follower = world.follower()

    def fail():
        raise OSError(5, "Input/output error")

    world.snapshots.open_dump = fail
    world.finish_disk()
    assert follower.gone


def test_rdb_only_is_closed_after_the_rdb(world, transport_of):
    to_disk(world)
    follower = world.follower(b"rdb-only", b"1")
    assert follower.place is None
    world.write(b"SET", b"a", b"1")
    world.finish_disk()
    world.replication.pump(follower)
    assert follower.client in world.host.closed
    assert transport_of(follower).take().endswith(world.snapshots.dump)


def test_the_last_one_that_streams_takes_the_child_with_it(world):
    world.settings.repl_diskless_sync_delay = 1
    one, two = world.follower(*EOF_CAPABLE), world.follower(*EOF_CAPABLE)
    world.tick()
    world.replication.close_follower(one)
    assert world.snapshots.cancelled == 0
    world.replication.close_follower(two)
    assert world.snapshots.cancelled == 1


@pytest.mark.parametrize(("save_points", "cancelled"), [(False, 1), (True, 0)])
def test_a_bgsave_that_only_followers_wanted_is_ended_with_the_last_of_them(world, save_points, cancelled):
    to_disk(world)
    world.snapshots.save_points = save_points
    follower = world.follower()
    world.replication.close_follower(follower)
    assert world.snapshots.cancelled == cancelled


def test_by_sync_no_line_is_sent(world, transport_of):
    to_disk(world)
    client = world.client()
    world.run(client, b"SYNC")
    world.serve_newcomers()
    follower = world.replication.followers.of_client(client)
    assert follower.legacy
    assert client.transport.take() == b""
    assert follower.state is FollowerState.WAIT_BGSAVE_END


@pytest.mark.parametrize(
    ("delete", "save_points", "appendonly", "removed"),
    [(True, False, False, True), (False, False, False, False), (True, True, False, False), (True, False, True, False)],
)
def test_the_dump_goes_when_followers_have_it_and_nobody_else_wants_it(world, delete, save_points, appendonly, removed):
    to_disk(world)
    world.settings.rdb_del_sync_files = delete
    world.settings.appendonly = appendonly
    world.snapshots.save_points = save_points
    follower = world.follower()
    world.finish_disk()
    world.tick()
    assert world.snapshots.dump is not None, "it is being sent"
    world.replication.pump(follower)
    world.tick()
    assert (world.snapshots.dump is None) is removed
