"""The link against a leader that follows a script: syncs of all kinds, ACKs, timeouts, and when it tries again."""

import logging

import pytest
import trio
import trio.testing

from redrock.datatypes.string import StringValue
from replication.protocol.handshake import encode_command
from replication.protocol.stream import GETACK
from replication.role import LeaderAddress, LinkState

LEADER = b"1" * 40
MARK = b"m" * 40
SET = encode_command(b"SET", b"a", b"1")


async def settled(seconds=0.0):
    await trio.testing.wait_all_tasks_blocked(seconds)


def keys(world):
    return {key for database in world.keyspace.databases for key, _ in database.table.items()}


async def full_sync(leader, rdb, *, psync=(b"?", b"-1"), offset=100, marked=False):
    """The leader's side of a full sync."""
    connection = await leader.accept()
    await connection.greet(psync)
    await connection.say(b"\n+FULLRESYNC %b %d\r\n" % (LEADER, offset))
    await connection.say(b"$EOF:%b\r\n%b%b" % (MARK, rdb, MARK) if marked else b"\n$%d\r\n%b" % (len(rdb), rdb))
    return connection


@pytest.mark.parametrize("marked", [True, False])
@pytest.mark.parametrize("load", ["disabled", "on-empty-db", "swapdb"])
def test_full_sync_then_the_stream(world, run_link, commands, make_rdb, tmp_path, marked, load):
    world.settings.repl_diskless_load = load

    async def script(leader):
        connection = await full_sync(leader, make_rdb({b"k": b"v"}, stream_db=2), marked=marked)
        if marked:
            # The first ACK is what a leader waits for before it lets the stream go.
            await connection.expect(b"REPLCONF", b"ACK", b"100")
        await connection.say(SET)
        await connection.expect(b"REPLCONF", b"ACK", b"%d" % (100 + len(SET)))
        role = world.replication.role
        assert role.link is LinkState.CONNECTED
        assert (role.applied_offset, role.last_io_ms) == (100 + len(SET), world.clock.now_ms())

    run_link(script, autojump=False)
    assert keys(world) == {b"k"}
    assert commands.applied == [b"SET a 1"]
    assert commands.dbid == 2
    replication = world.replication
    assert (replication.identity.replid, replication.identity.master_repl_offset) == (LEADER, 100 + len(SET))
    assert replication.feed.backlog.read(101, 100) == SET
    assert [path.name for path in tmp_path.iterdir()] == (["dump.rdb"] if load == "disabled" else [])
    assert world.stats.total_net_repl_input_bytes > 100


def test_the_received_file_may_be_removed(world, run_link, make_rdb, tmp_path):
    world.settings.rdb_del_sync_files = True
    world.settings.save = ()

    async def script(leader):
        await full_sync(leader, make_rdb({b"k": b"v"}), marked=True)
        await settled(0.2)
        assert world.replication.role.link is LinkState.CONNECTED

    run_link(script, autojump=False)
    assert list(tmp_path.iterdir()) == []
    assert keys(world) == {b"k"}


def connected(world, run_link, make_rdb, after, **kwargs):
    """Runs ``after(leader, connection)`` behind a full sync from the socket."""
    world.settings.repl_diskless_load = "on-empty-db"

    async def script(leader):
        connection = await full_sync(leader, make_rdb({}), **kwargs)
        while not world.replication.role.link_up:
            await settled()
        await after(leader, connection)

    run_link(script)


def test_an_ack_every_second_and_when_asked(world, run_link, make_rdb):
    async def after(leader, connection):
        start = trio.current_time()
        for _ in range(3):
            await connection.expect(b"REPLCONF", b"ACK", b"100")
        assert trio.current_time() - start == pytest.approx(3, abs=1.01)
        before = trio.current_time()
        await connection.say(GETACK)
        await connection.expect(b"REPLCONF", b"ACK", b"%d" % (100 + len(GETACK)))
        assert trio.current_time() - before < 0.5

    connected(world, run_link, make_rdb, after)


def test_a_lost_link_goes_on_where_it_stopped(world, run_link, make_rdb, commands, caplog):
    caplog.set_level(logging.INFO, logger="redrock")

    async def after(leader, connection):
        await connection.say(SET + SET[:10])
        await settled()
        lost_at = trio.current_time()
        await connection.close()
        again = await leader.accept()
        assert trio.current_time() - lost_at < 0.1, "at once"
        role = world.replication.role
        await again.greet((LEADER, b"%d" % (101 + len(SET))))
        assert not role.link_up
        await again.say(b"+CONTINUE\r\n" + SET)
        await again.expect(b"REPLCONF", b"ACK", b"%d" % (100 + 2 * len(SET)))
        assert role.link_up

    connected(world, run_link, make_rdb, after)
    assert commands.applied == [b"SET a 1", b"SET a 1"]
    assert world.replication.feed.backlog.read(101, 1000) == SET + SET
    texts = [record.getMessage() for record in caplog.records]
    for line in (
        "MASTER <-> REPLICA sync started",
        f"Full resync from master: {LEADER.decode()}:100",
        "MASTER <-> REPLICA sync: Finished with success",
        "Connection with master lost.",
        "Caching the disconnected master state.",
        "Reconnecting to MASTER leader:7000",
        f"Trying a partial resynchronization (request {LEADER.decode()}:{101 + len(SET)}).",
        "Successful partial resynchronization with master.",
        "MASTER <-> REPLICA sync: Master accepted a Partial Resynchronization.",
    ):
        assert line in texts


def test_half_a_transaction_is_asked_for_again(world, run_link, make_rdb, commands):
    multi, execute = encode_command(b"MULTI"), encode_command(b"EXEC")

    async def after(leader, connection):
        await connection.say(SET + multi + SET)
        await settled()
        await connection.close()
        again = await leader.accept()
        await again.greet((LEADER, b"%d" % (101 + len(SET))))
        await again.say(b"+CONTINUE\r\n" + multi + SET + execute)
        await settled()

    connected(world, run_link, make_rdb, after)
    assert commands.applied == [b"SET a 1", b"MULTI", b"SET a 1", b"EXEC"]
    assert commands.resets >= 2


def test_the_database_is_remembered(world, run_link, make_rdb, commands):
    async def after(leader, connection):
        await connection.say(encode_command(b"SELECT", b"7"))
        await settled()
        await connection.close()
        commands.dbid = 0
        again = await leader.accept()
        await again.greet((LEADER, b"%d" % (101 + 23)))
        await again.say(b"+CONTINUE\r\n")
        await settled()
        assert commands.dbid == 7

    connected(world, run_link, make_rdb, after)


def test_a_second_between_failed_attempts(world, run_link):
    async def script(leader):
        leader.refuse = 3
        await (await leader.accept()).expect(b"PING")
        times = [round(at - leader.attempts[0][0], 3) for at, _, _ in leader.attempts]
        assert times == [0, 1, 2, 3]
        assert leader.attempts[0][1:] == ("leader", 7000)

    run_link(script)


@pytest.mark.parametrize(
    "answer",
    [b"-NOMASTERLINK no\r\n", b"-LOADING wait\r\n", b"+WHAT\r\n\r\nis\r\n", b""],
    ids=["link", "loading", "x", "end"],
)
def test_an_answer_that_leads_nowhere_is_tried_again_later(world, run_link, answer):
    async def script(leader):
        connection = await leader.accept()
        await connection.greet()
        await connection.say(answer)
        if not answer or answer.startswith(b"+"):
            await connection.close()
        again = await leader.accept()
        await again.expect(b"PING")
        assert world.replication.role.link is LinkState.HANDSHAKE

    run_link(script)


def test_an_error_during_the_transfer_keeps_the_old_data(world, run_link, make_rdb):
    async def script(leader):
        world.keyspace.databases[0].put(b"old", StringValue(b"1"))
        connection = await leader.accept()
        await connection.greet()
        await connection.say(b"+FULLRESYNC %b 100\r\n" % LEADER)
        await connection.say(b"$1000\r\n" + b"x" * 500)
        await settled()
        assert world.replication.role.transfer_read == 500
        assert world.replication.role.transfer_total == 1000
        await connection.close()
        again = await leader.accept()
        await again.greet()

    run_link(script, autojump=False)
    assert keys(world) == {b"old"}


def test_a_broken_rdb_from_the_socket_is_tried_again(world, run_link, make_rdb):
    world.settings.repl_diskless_load = "on-empty-db"
    rdb = bytearray(make_rdb({b"k": b"v"}))
    rdb[-1] ^= 1

    async def script(leader):
        await full_sync(leader, bytes(rdb))
        await full_sync(leader, make_rdb({b"k": b"v"}))
        while not world.replication.role.link_up:
            await settled()

    run_link(script)
    assert keys(world) == {b"k"}


def test_silence_of_the_leader(world, run_link, make_rdb):
    world.settings.repl_timeout = 7

    async def after(leader, connection):
        before = trio.current_time()
        again = await leader.accept()
        assert trio.current_time() - before == pytest.approx(7, abs=0.5)
        await again.greet((LEADER, b"101"))

    connected(world, run_link, make_rdb, after)


def test_a_stream_out_of_step_costs_a_full_sync(world, run_link, make_rdb):
    async def after(leader, connection):
        await connection.say(b"hello\r\n")
        again = await leader.accept()
        await again.greet((b"?", b"-1"))

    connected(world, run_link, make_rdb, after)


def test_a_leader_without_psync_gets_no_acks(world, run_link, make_rdb):
    world.settings.repl_diskless_load = "on-empty-db"

    async def script(leader):
        connection = await leader.accept()
        await connection.greet()
        await connection.say(b"-ERR unknown command\r\n")
        await connection.expect(b"SYNC")
        rdb = make_rdb({b"k": b"v"})
        await connection.say(b"$%d\r\n%b" % (len(rdb), rdb) + SET)
        with trio.move_on_after(5) as waited:
            await connection.request()
        assert waited.cancelled_caught

    run_link(script)
    assert keys(world) == {b"k"}


def test_cold_values_are_waited_for(world, run_link, make_rdb, commands):
    async def after(leader, connection):
        commands.cold_once = True
        await connection.say(SET)
        await settled()
        assert commands.applied == []
        commands.waker.wake()
        await settled()
        assert commands.applied == [b"SET a 1"]

    connected(world, run_link, make_rdb, after)


def test_a_link_whose_role_is_over_applies_nothing(world, run_link, make_rdb, commands):
    async def after(leader, connection):
        world.replication.role.set_leader(LeaderAddress("another", 1))
        await connection.say(SET)
        await settled()
        assert commands.applied == []
        assert not world.replication.role.link_up

    connected(world, run_link, make_rdb, after)


def test_newlines_while_loading(world, run_link, make_rdb, monkeypatch):
    world.settings.repl_diskless_load = "on-empty-db"

    async def script(leader):
        connection = await leader.accept()
        await connection.greet()
        rdb = make_rdb({b"k%d" % number: b"v" for number in range(400)})
        await connection.say(b"+FULLRESYNC %b 100\r\n$%d\r\n" % (LEADER, len(rdb)))
        for start in range(0, len(rdb), 500):
            await connection.say(rdb[start : start + 500])
            await trio.sleep(1.1)
        await connection.expect(b"REPLCONF", b"ACK", b"100")
        assert connection.parser.blank_lines >= 2

    run_link(script)


def test_swapdb_keeps_the_old_data_but_not_in_memory_with_a_cold_tier(world, run_link, make_rdb, tmp_path):
    world.settings.repl_diskless_load = "swapdb"
    world.keyspace.databases[0].put(b"old", StringValue(b"1"))

    async def script(leader):
        rdb = make_rdb({b"k": b"v"})
        connection = await leader.accept()
        await connection.greet()
        await connection.say(b"+FULLRESYNC %b 100\r\n$%d\r\n%b" % (LEADER, len(rdb), rdb[:-1]))
        await settled(0.1)
        assert keys(world) == {b"old"}
        assert list(tmp_path.iterdir()) == []
        await connection.close()
        world.settings.maxrockmem = 1 << 20
        connection = await leader.accept()
        await connection.greet()
        await connection.say(b"+FULLRESYNC %b 100\r\n$%d\r\n%b" % (LEADER, len(rdb), rdb[:-1]))
        await settled(0.1)
        assert keys(world) == {b"old"}
        assert [path.name[:5] for path in tmp_path.iterdir()] == ["temp-"]
        await connection.say(rdb[-1:])
        await settled(0.1)

    run_link(script, autojump=False)
    assert keys(world) == {b"k"}
