"""INFO's section Replication: all lines of a leader, and the states of a link."""

from replication.role import LinkState

LEADER = b"1" * 40


def fields(world):
    return dict(world.replication.info_fields())


def test_info_of_a_leader(world):
    follower = world.online_follower(address=b"10.0.0.5:1")
    follower.acknowledge(12, world.keyspace.now_ms)
    world.advance(2)
    replid = world.replication.identity.replid.decode()
    assert world.replication.info_fields() == [
        ("role", "master"),
        ("connected_slaves", "1"),
        ("slave0", "ip=10.0.0.5,port=6380,state=online,offset=12,lag=2"),
        ("master_failover_state", "no-failover"),
        ("master_replid", replid),
        ("master_replid2", "0" * 40),
        ("master_repl_offset", "0"),
        ("second_repl_offset", "-1"),
        ("repl_backlog_active", "1"),
        ("repl_backlog_size", "1048576"),
        ("repl_backlog_first_byte_offset", "1"),
        ("repl_backlog_histlen", "0"),
    ]
    world.settings.min_replicas_to_write = 1
    assert fields(world)["min_slaves_good_slaves"] == "1"


def test_info_of_a_follower(world):
    replication = world.replication
    replication.follow("10.0.0.1", 6379)
    info = fields(world)
    assert (info["role"], info["master_link_status"]) == ("slave", "down")
    assert info["master_link_down_since_seconds"] == "-1"
    assert info["master_last_io_seconds_ago"] == "-1"
    role = replication.role
    role.link = LinkState.TRANSFER
    role.transfer_total, role.transfer_read, role.transfer_last_io_ms = 200, 50, world.keyspace.now_ms
    world.advance(3)
    info = fields(world)
    assert (info["master_sync_in_progress"], info["master_sync_left_bytes"]) == ("1", "150")
    assert (info["master_sync_perc"], info["master_sync_last_io_seconds_ago"]) == ("25.00", "3")
    replication.full_sync_done(LEADER, 100, 0)
    role.read_offset = 120
    world.advance(2)
    info = fields(world)
    assert (info["master_link_status"], info["master_last_io_seconds_ago"]) == ("up", "2")
    assert (info["slave_read_repl_offset"], info["slave_repl_offset"]) == ("120", "100")
    assert "master_link_down_since_seconds" not in info
    role.link_is_down(world.keyspace.now_ms)
    world.advance(7)
    info = fields(world)
    assert info["master_link_down_since_seconds"] == "7"
    assert (info["slave_read_repl_offset"], info["slave_repl_offset"]) == ("100", "100")
