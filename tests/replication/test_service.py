"""Replication as a whole: roles, syncs, the stream, what happens once a second, and INFO."""

import os
from pathlib import Path

import pytest

from redrock.clients.client import IS_REPLICA
from redrock.errors import ReplyError
from replication.leader.followers import FollowerState
from replication.leader.full_sync import Running
from replication.protocol.stream import GETACK, PING

LEADER = b"1" * 40
TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


def linked(world, offset=100, replid=LEADER, dbid=3):
    """A follower that has just finished a full sync."""
    world.replication.follow("10.0.0.1", 6379)
    world.replication.full_sync_done(replid, offset, dbid)
    return world.replication


# --- the stream


def test_without_followers_nothing_is_counted(world):
    world.write(b"SET", b"a", b"1")
    assert not world.replication.feed.active
    assert world.replication.identity.master_repl_offset == 0


def test_the_first_follower_begins_a_history(world):
    before = world.replication.identity.replid
    world.follower()
    replication = world.replication
    assert replication.identity.replid != before
    assert replication.feed.active
    assert replication.feed.backlog.first_byte_offset == 1


def test_the_stream_goes_to_all_at_the_end_of_the_pass(world, transport_of):
    followers = [world.online_follower(), world.online_follower()]
    world.write(b"SET", b"a", b"1")
    first, second = (transport_of(follower).take() for follower in followers)
    assert first == second
    assert first.endswith(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n")
    assert world.stats.total_net_repl_output_bytes >= len(first) + len(second)


def test_a_full_socket_leaves_the_rest_to_the_sender(world, transport_of, waker):
    follower = world.online_follower()
    follower.waker = waker
    transport_of(follower).room = 5
    world.write(b"SET", b"a", b"1")
    assert follower.blocked
    assert waker.count == 1
    transport_of(follower).room = 1 << 20
    world.write(b"SET", b"b", b"2")
    assert len(transport_of(follower).out) == 5
    assert world.replication.pump(follower)
    assert len(transport_of(follower).take()) == 23 + 27 + 27


def test_a_broken_connection_drops_the_follower(world, transport_of):
    follower = world.online_follower()
    transport_of(follower).broken = True
    world.write(b"SET", b"a", b"1")
    assert follower.gone
    assert len(world.replication.followers) == 0
    assert world.replication.feed.backlog._places == []


def test_one_getack_for_all_that_wait(world, transport_of):
    follower = world.online_follower()
    world.replication.acks.wait(world.client(), 1000, 1)
    world.replication.acks.wait(world.client(), 1000, 1)
    world.replication.end_of_pass()
    assert transport_of(follower).take() == GETACK
    world.replication.end_of_pass()
    assert transport_of(follower).take() == b""


def test_an_ack_answers_who_waits(world):
    follower = world.online_follower()
    client = world.client()
    world.replication.acks.wait(client, 10, 1)
    world.replication.acknowledged(follower.client, 9)
    assert world.host.answers == []
    world.replication.acknowledged(follower.client, 10)
    assert world.host.answers == [(client, 1)]
    world.replication.acknowledged(world.client(), 10)  # no follower: ignored


@pytest.mark.parametrize(("backlog_size", "dropped"), [(1, True), (1 << 20, False)])
def test_the_output_limit_but_never_below_the_backlog(world, transport_of, backlog_size, dropped):
    world.settings.set_many([(b"client-output-buffer-limit", b"replica 100000 0 0")])
    world.settings.repl_backlog_size = backlog_size
    follower = world.online_follower()
    transport_of(follower).room = 0
    world.write(b"SET", b"a", b"x" * 200_000)
    assert follower.gone is dropped


def test_the_soft_limit_is_looked_at_even_if_nothing_is_written(world, transport_of):
    world.settings.set_many([(b"client-output-buffer-limit", b"replica 0 100 3")])
    follower = world.online_follower()
    transport_of(follower).room = 0
    world.write(b"SET", b"a", b"x" * 200)
    for _ in range(4):
        assert not follower.gone
        follower.acknowledge(0, world.keyspace.now_ms)
        world.tick()
    assert follower.gone


def test_a_follower_that_asks_for_replies_is_dropped(world, transport_of, caplog):
    follower = world.online_follower()
    follower.client.last_command = b"slowlog|get"
    follower.client.output.writer.write(b"-ERR unknown command\r\n")
    world.replication.end_of_pass()
    assert follower.gone
    assert transport_of(follower).take() == b""
    assert follower.client.output.is_empty()
    assert [record.getMessage() for record in caplog.records] == [
        "== CRITICAL == This master is sending an error to its replica: 'ERR unknown command' after processing the "
        "command 'slowlog|get'",
        "Replica generated a reply to command 'slowlog|get', disconnecting it: 127.0.0.1:6380",
    ]


def test_the_backlog_follows_its_setting(world):
    world.online_follower()
    world.write(b"SET", b"a", b"x" * 500_000)
    world.settings.repl_backlog_size = 1000
    world.tick()
    assert world.replication.feed.backlog.histlen < 50_000


def test_a_backlog_that_grew_for_a_follower_shrinks_when_it_is_gone(world, transport_of):
    world.settings.set_many([(b"client-output-buffer-limit", b"replica 0 0 0")])
    world.settings.repl_backlog_size = 16384
    follower = world.online_follower()
    transport_of(follower).room = 0
    for _ in range(300):
        world.write(b"SET", b"a", b"x" * 20_000)
    assert world.replication.feed.backlog.histlen > 6_000_000
    world.replication.close_follower(follower)
    world.tick()
    assert world.replication.feed.backlog.histlen < 60_000


# --- partial resyncs


def test_a_follower_that_comes_back_goes_on(world, transport_of):
    first = world.online_follower()
    world.write(b"SET", b"a", b"1")
    received = world.replication.identity.master_repl_offset
    world.replication.close_follower(first)
    world.write(b"SET", b"b", b"2")
    replid = world.replication.identity.replid
    second = world.follower(psync=(replid, b"%d" % (received + 1)))
    assert second.state is FollowerState.ONLINE
    assert transport_of(second).take() == b"+CONTINUE " + replid + b"\r\n" + (
        b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n"
    )
    assert (world.stats.sync_full, world.stats.sync_partial_ok, world.stats.sync_partial_err) == (1, 1, 0)


def test_one_that_asks_for_another_history_gets_everything(world):
    world.online_follower()
    world.follower(psync=(b"f" * 40, b"1"))
    assert (world.stats.sync_full, world.stats.sync_partial_ok, world.stats.sync_partial_err) == (2, 0, 1)


def test_promotion_keeps_the_old_history_up_to_here(world, transport_of):
    replication = linked(world)
    replication.feed.append(b"x" * 20)
    sub_follower = world.follower(psync=(LEADER, b"111"))
    assert transport_of(sub_follower).take() == b"+CONTINUE " + LEADER + b"\r\n" + b"x" * 10
    replication.lead()
    assert sub_follower.gone
    assert world.host.roles == ["follower", "leader"]
    identity = replication.identity
    assert (identity.replid2, identity.second_repl_offset) == (LEADER, 121)
    back = world.follower(psync=(LEADER, b"121"))
    assert back.state is FollowerState.ONLINE
    world.write(b"SET", b"a", b"1")
    stream = transport_of(back).take()
    assert stream.startswith(b"+CONTINUE " + identity.replid + b"\r\n*2\r\n$6\r\nSELECT\r\n")
    ahead = world.follower(psync=(LEADER, b"122"))
    assert ahead.state is not FollowerState.ONLINE


# --- roles


def test_a_leader_that_turns_follower_asks_for_its_own_history(world, waker):
    world.online_follower()
    world.write(b"SET", b"a", b"1")
    replication = world.replication
    replication.supervisor = waker
    identity = replication.identity
    replication.follow("10.0.0.9", 7000)
    assert waker.count == 1
    assert replication.role.cached.request().replid == identity.replid
    assert replication.role.cached.request().offset == identity.master_repl_offset + 1
    assert not replication.feed.active
    assert world.settings.replicaof == ("10.0.0.9", 7000)
    assert len(replication.followers) == 1, "they stay: perhaps we can go on"
    world.write(b"SET", b"b", b"2")
    assert replication.role.cached.offset == identity.master_repl_offset


def test_another_leader_is_asked_for_what_the_last_one_had_sent(world):
    replication = linked(world, offset=100)
    replication.role.applied_offset = 150
    replication.role.selected_dbid = 5
    replication.follow("10.0.0.2", 6379)
    cached = replication.role.cached
    assert (cached.replid, cached.offset, cached.dbid) == (LEADER, 150, 5)
    assert world.host.roles == ["follower"], "no change of role"


def test_leading_already_is_no_change(world):
    before = world.replication.identity.replid
    world.replication.lead()
    assert world.replication.identity.replid == before
    assert world.host.roles == []


def test_a_partial_sync_with_a_promoted_leader_renames_the_history(world):
    replication = linked(world, offset=100)
    sub_follower = world.follower(psync=(LEADER, b"101"))
    replication.role.link_is_down(0)
    replication.partial_sync_begins(b"2" * 40)
    identity = replication.identity
    assert (identity.replid, identity.replid2, identity.second_repl_offset) == (b"2" * 40, LEADER, 101)
    assert sub_follower.gone
    assert replication.role.link_up


def test_a_partial_sync_with_the_same_leader_disturbs_nobody(world):
    replication = linked(world, offset=100)
    sub_follower = world.follower(psync=(LEADER, b"101"))
    replication.role.link_is_down(0)
    replication.partial_sync_begins(None)
    assert not sub_follower.gone
    assert replication.identity.replid == LEADER


def test_a_full_sync_sends_our_followers_away_and_forgets_the_backlog(world):
    replication = linked(world)
    sub_follower = world.follower(psync=(LEADER, b"101"))
    replication.dataset_will_be_replaced()
    assert sub_follower.gone
    assert replication.feed.backlog is None
    assert replication.role.cached is None
    replication.full_sync_done(b"3" * 40, 500, 0)
    assert replication.feed.backlog.first_byte_offset == 501
    assert replication.identity.master_repl_offset == 500


def test_a_leader_without_ids(world):
    replication = linked(world, replid=None)
    assert replication.identity.replid not in (LEADER, b"0" * 40)
    assert replication.role.link_up


# --- after a restart


def test_restored_as_a_follower(world):
    world.settings.replicaof = ("10.0.0.1", 6379)
    replication = world.replication
    replication.restore(LEADER, 900, 2)
    replication.start()
    assert replication.role.is_follower
    assert replication.role.cached.request().offset == 901
    replication.partial_sync_begins(None)
    assert replication.feed.backlog.first_byte_offset == 901
    assert replication.role.selected_dbid == 2


def test_restored_as_a_leader_serves_who_stands_there(world):
    replication = world.replication
    replication.restore(LEADER, 900, 0)
    replication.start()
    assert not replication.role.is_follower
    assert world.follower(psync=(LEADER, b"901")).state is FollowerState.ONLINE
    assert world.follower(psync=(LEADER, b"900")).state is not FollowerState.ONLINE


def test_what_an_rdb_says(world):
    replication = world.replication
    assert replication.save_info() is None
    world.online_follower()
    info = replication.save_info()
    assert (info.stream_db, info.replid, info.offset) == (0, replication.identity.replid, 0)
    linked(world, offset=100, dbid=3)
    info = replication.save_info()
    assert (info.stream_db, info.replid, info.offset) == (3, LEADER, 100)
    replication.role.link_is_down(0)
    assert replication.save_info().stream_db == 3


# --- once a second


def test_pings_every_period(world, transport_of):
    world.settings.repl_ping_replica_period = 3
    world.tick(2)
    follower = world.online_follower()
    sent = []
    for _ in range(6):
        world.tick()
        follower.acknowledge(0, world.keyspace.now_ms)
        sent.append(transport_of(follower).take())
    assert sent == [PING, b"", b"", PING, b"", b""]


def test_a_follower_does_not_ping_its_followers(world, transport_of):
    linked(world, offset=100)
    sub_follower = world.follower(psync=(LEADER, b"101"))
    transport_of(sub_follower).take()
    world.tick()
    assert transport_of(sub_follower).take() == b""


def test_newlines_while_a_follower_waits(world, transport_of):
    world.settings.repl_diskless_sync = False
    follower = world.follower()
    transport_of(follower).take()
    world.tick(3)
    assert transport_of(follower).take() == b"\n\n\n"
    world.snapshots.state = Running.RDB_TO_FOLLOWERS
    world.tick()
    assert transport_of(follower).take() == b""


def test_a_silent_follower_is_dropped(world):
    world.settings.repl_timeout = 5
    silent, legacy = world.online_follower(), world.online_follower()
    object.__setattr__(legacy, "legacy", True)
    world.tick(5)
    assert not silent.gone
    world.tick()
    assert silent.gone
    assert not legacy.gone


def test_a_follower_that_takes_no_snapshot_is_dropped(world, transport_of):
    world.settings.repl_timeout = 5
    world.settings.repl_diskless_sync_delay = 0
    stuck, fine = (world.follower(b"capa", b"eof") for _ in range(2))
    world.finish_pipe(False)
    stuck, fine = (world.follower(b"capa", b"eof") for _ in range(2))
    world.tick()
    for follower in (stuck, fine):
        world.replication.pump(follower)
    transport_of(stuck).room = 0
    for _ in range(6):
        world.replication.full_sync.chunk(b"x")
        world.replication.pump(stuck)
        world.replication.pump(fine)
        world.tick()
    assert stuck.gone
    assert not fine.gone


def test_the_backlog_goes_after_its_time_and_with_it_the_history(world):
    world.settings.repl_backlog_ttl = 10
    follower = world.online_follower()
    world.replication.close_follower(follower)
    before = world.replication.identity.replid
    world.tick(10)
    assert world.replication.feed.backlog is not None
    world.tick()
    assert world.replication.feed.backlog is None
    assert not world.replication.feed.active
    assert world.replication.identity.replid != before


def test_a_follower_keeps_its_backlog(world):
    world.settings.repl_backlog_ttl = 2
    linked(world)
    world.tick(5)
    assert world.replication.feed.backlog is not None


def test_options_of_clients_that_are_gone_are_forgotten(world):
    client = world.client()
    world.run(client, b"REPLCONF", b"listening-port", b"1")
    client.close_asap = True
    world.tick()
    assert world.replication._options == {}


# --- refusals


def test_no_sync_from_a_follower_without_link(world):
    world.replication.follow("10.0.0.1", 1)
    with pytest.raises(ReplyError) as caught:
        world.run(world.client(), b"PSYNC", b"?", b"-1")
    assert caught.value.text == b"NOMASTERLINK Can't SYNC while not connected with my master"


def test_no_sync_behind_pending_output(world):
    client = world.client()
    client.output.writer.write(b"+OK\r\n")
    with pytest.raises(ReplyError) as caught:
        world.run(client, b"SYNC")
    assert caught.value.text == b"ERR SYNC and PSYNC are invalid with pending output"
    assert not client.has(IS_REPLICA)


def test_no_filter_without_eof(world):
    client = world.client()
    world.run(client, b"REPLCONF", b"rdb-filter-only", b"")
    with pytest.raises(ReplyError) as caught:
        world.run(client, b"SYNC")
    assert caught.value.text == b"ERR Filtered replica requires EOF capability"


# --- both sides, joined in memory


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path, play):
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            play.lines.append(line)
            play.run(line[1:])
        elif not line.startswith("    "):
            play.lines.append(line)
    played = "\n".join(play.lines) + "\n"
    if os.environ.get("REWRITE_TRANSCRIPTS"):
        path.write_text(played)
    assert played == path.read_text()


def test_there_are_transcripts():
    assert len(TRANSCRIPTS) >= 5
