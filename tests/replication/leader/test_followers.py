"""One follower as its leader sees it: names, what is sent in which order, limits; and all of them together."""

import pytest

from replication.backlog import Backlog
from replication.leader.followers import Follower, Followers, FollowerState
from replication.protocol.replconf import FollowerOptions


@pytest.fixture
def follower(world):
    return Follower(world.client(), FollowerOptions(listening_port=6380), False, world.keyspace.now_ms)


@pytest.mark.parametrize(
    ("address", "options", "ip", "name"),
    [
        (b"10.0.0.7:4000", FollowerOptions(), "10.0.0.7", "10.0.0.7:<unknown-replica-port>"),
        (b"10.0.0.7:4000", FollowerOptions(listening_port=6380), "10.0.0.7", "10.0.0.7:6380"),
        (b"[::1]:4000", FollowerOptions(listening_port=6380), "::1", "[::1]:6380"),
        (b"10.0.0.7:4000", FollowerOptions(6380, b"example.org"), "example.org", "example.org:6380"),
    ],
)
def test_names(world, address, options, ip, name):
    follower = Follower(world.client(address), options, False, 0)
    assert (follower.ip, follower.name) == (ip, name)


def test_lines_then_rdb_then_stream_through_a_narrow_socket(world, follower):
    transport = follower.client.transport
    backlog = Backlog(1 << 20, 101)
    backlog.append(b"before")
    place = backlog.hold(107)
    follower.start_stream(place)
    follower.send_line(b"+FULLRESYNC x 106\r\n")
    world.snapshots.dump = b"0123456789" * 3
    file = world.snapshots.open_dump()
    follower.send_rdb(file)
    backlog.append(b"after")
    expected = b"+FULLRESYNC x 106\r\n$30\r\n" + b"0123456789" * 3
    transport.room = 0
    while not follower.rdb_is_sent():
        transport.room = 7
        assert not follower.pump(backlog, 5) or follower.rdb_is_sent()
        assert follower.blocked or follower.rdb_is_sent()
    assert transport.take() == expected
    assert file.closed
    follower.state = FollowerState.ONLINE
    transport.room = 3
    assert not follower.pump(backlog, 9)
    transport.room = 3
    assert follower.pump(backlog, 9)
    assert transport.take() == b"after"
    assert place.next_offset == backlog.end_offset()
    assert follower.sent_bytes == len(expected) + 5
    assert follower.last_progress_ms == 9


def test_the_stream_waits_for_the_first_ack_after_a_streamed_rdb(follower):
    backlog = Backlog(100, 1)
    backlog.append(b"abc")
    follower.start_stream(backlog.hold(1))
    follower.state = FollowerState.ONLINE
    follower.start_on_ack = True
    assert follower.pump(backlog, 0)
    assert follower.client.transport.take() == b""
    follower.start_on_ack = False
    assert follower.pump(backlog, 0)
    assert follower.client.transport.take() == b"abc"


def test_chunks_are_counted_until_they_are_sent(follower):
    follower.send_chunk(b"12345")
    follower.send_chunk(b"678")
    follower.client.transport.room = 6
    assert not follower.pump(None, 0)
    assert follower.chunk_bytes() == 2
    follower.client.transport.room = 100
    assert follower.pump(None, 0)
    assert follower.client.transport.take() == b"12345678"
    assert follower.chunk_bytes() == 0


def test_a_dump_that_ends_early_is_an_error(world, follower):
    file = world.snapshots.open_dump()
    file.length += 1
    follower.send_rdb(file)
    with pytest.raises(OSError, match="premature EOF"):
        follower.pump(None, 0)


def test_dropping_closes_the_file_and_wakes_the_sender(world, follower, waker):
    file = world.snapshots.open_dump()
    follower.send_rdb(file)
    follower.waker = waker
    follower.drop()
    follower.drop()
    assert follower.gone
    assert file.closed
    assert waker.count == 2


def test_acks_never_go_back(follower):
    follower.acknowledge(10, 1)
    follower.acknowledge(7, 2)
    assert (follower.ack_offset, follower.ack_ms) == (10, 2)


def test_limits(follower):
    now = 100_000
    assert follower.is_over(100, 100, 0, 0, now)
    assert not follower.is_over(99, 100, 0, 0, now)
    assert not follower.is_over(1 << 40, 0, 0, 0, now)
    # Over the soft limit for longer than 10 seconds, without a pause.
    assert not follower.is_over(50, 0, 50, 10, now)
    assert not follower.is_over(50, 0, 50, 10, now + 10_000)
    assert not follower.is_over(49, 0, 50, 10, now + 10_500)
    assert not follower.is_over(50, 0, 50, 10, now + 11_000)
    assert follower.is_over(50, 0, 50, 10, now + 21_001)


def test_the_registry(world):
    followers = Followers(5)
    one = Follower(world.client(b"10.0.0.1:1"), FollowerOptions(listening_port=1), False, 0)
    two = Follower(world.client(b"10.0.0.2:2"), FollowerOptions(listening_port=2), False, 0)
    three = Follower(world.client(b"10.0.0.3:3"), FollowerOptions(listening_port=3), False, 0)
    for follower in (one, two, three):
        followers.add(follower)
    two.state = FollowerState.ONLINE
    two.acknowledge(77, 9_000)
    three.state = FollowerState.RDB_TRANSMITTED
    assert followers.online() == [two]
    assert followers.of_client(one.client) is one
    assert followers.good_count(1, 10_999) == 1
    assert followers.good_count(1, 11_000) == 0
    assert followers.info_lines(12_000) == [
        ("slave0", "ip=10.0.0.1,port=1,state=wait_bgsave,offset=0,lag=0"),
        ("slave1", "ip=10.0.0.2,port=2,state=online,offset=77,lag=3"),
    ]
    for follower in followers:
        followers.remove(follower, 42)
    followers.remove(one, 43)
    assert (len(followers), followers.none_since_ms) == (0, 42)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (FollowerState.WAIT_BGSAVE_START, "wait_bgsave"),
        (FollowerState.WAIT_BGSAVE_END, "wait_bgsave"),
        (FollowerState.SEND_BULK, "send_bulk"),
        (FollowerState.ONLINE, "online"),
        (FollowerState.RDB_TRANSMITTED, ""),
    ],
)
def test_words_of_info(state, word):
    assert state.info_word == word
