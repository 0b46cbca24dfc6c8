"""The ROCK commands over a store in memory. (In a whole server: tests/integration)"""

from __future__ import annotations

import pytest

from redrock.clients.client import Client
from redrock.clients.registry import ClientRegistry
from redrock.clients.transaction import Transactions
from redrock.clients.waiter import Block
from redrock.cold import wire
from redrock.cold.link import StoreLauncher, StoreLink, StoreStartError
from redrock.commands import rock
from redrock.commands.context import Context, ServerControl
from redrock.commands.table import build_table
from redrock.config.settings import Settings
from redrock.errors import ReplyError
from redrock.keyspace.observers import Observers
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.resp.reply import OK, MapReply

BIG = b"v" * 500


class Control(ServerControl):
    """Remembers what blocked clients are answered."""

    def __init__(self) -> None:
        self.answers: list[tuple[Client, object]] = []

    def unblock(self, client: Client, reply) -> None:
        self.answers.append((client, reply))

    def used_memory(self) -> int:
        return 1_500_000


class Rock:
    def __init__(self, world) -> None:
        self.world = world
        self.control = Control()
        observers = Observers()
        self.ctx = Context(
            world.keyspace,
            Client(1, None, world.keyspace.databases[0], 0),
            Settings(),
            build_table(),
            ClientRegistry(),
            observers,
            Statistics(),
            Slowlog(10, -1),
            Transactions(world.keyspace, observers),
            self.control,
        )
        self.ctx.spilling = world.spilling
        self.ctx.cold_tier = world.tier

    def ask(self, *argv: bytes):
        """The reply, also of a command that blocks."""
        reply = rock.HANDLERS[argv[0].lower()](self.ctx, list(argv))
        if not isinstance(reply, Block):
            return reply
        for _ in range(1000):
            self.world.spilling.run_slice()
            self.world.settle()
            if self.control.answers:
                client, answer = self.control.answers.pop()
                assert client is self.ctx.client
                return answer
        raise AssertionError("the client waits for ever")


@pytest.fixture
def rocks(cold_world) -> Rock:
    return Rock(cold_world)


def test_rockevict_tells_what_has_become_of_each_key(rocks: Rock) -> None:
    world = rocks.world
    for key in (b"a", b"b", b"c"):
        world.put(key, BIG)
    world.put(b"small", b"x")
    world.spill(b"b")
    reply = rocks.ask(b"ROCKEVICT", b"a", b"b", b"small", b"missing")
    assert isinstance(reply, MapReply)
    assert list(reply.items) == [
        b"a",
        b"spilled",
        b"b",
        b"cold already",
        b"small",
        b"too small",
        b"missing",
        b"no such key",
    ]
    assert world.is_cold(b"a")
    assert world.get(b"c") == BIG


def test_rockevict_of_nothing_to_do_answers_at_once(rocks: Rock) -> None:
    assert list(rocks.ask(b"ROCKEVICT", b"missing").items) == [b"missing", b"no such key"]


def test_rockevict_of_a_value_that_is_used_meanwhile(rocks: Rock) -> None:
    world = rocks.world
    world.put(b"a", BIG)
    reply = rock.rockevict(rocks.ctx, [b"ROCKEVICT", b"a"])
    assert isinstance(reply, Block)
    world.db.lookup_read(b"a")
    world.settle()
    world.spilling.run_slice()
    assert b"used or changed" in rocks.control.answers[0][1].items[1]


def test_rockall_spills_everything_and_counts(rocks: Rock) -> None:
    world = rocks.world
    for i in range(300):
        world.put(b"k%d" % i, BIG, dbid=i % 3)
    assert rocks.ask(b"ROCKALL") == 300
    assert world.keyspace.cold_count() == 300
    assert rocks.ask(b"ROCKALL") == 0


def test_rockmem_frees_about_what_it_was_asked_for(rocks: Rock) -> None:
    world = rocks.world
    for i in range(1000):
        world.put(b"k%d" % i, BIG)
    before = world.keyspace.used_bytes()
    count = rocks.ask(b"ROCKMEM", b"100kb", b"10")
    assert 100 * 1024 <= before - world.keyspace.used_bytes() < 150 * 1024
    assert count == world.keyspace.cold_count()


def test_rockmem_stops_when_its_time_is_over(rocks: Rock) -> None:
    world = rocks.world
    world.keyspace.now_ms = 5000
    world.put(b"k", BIG)
    reply = rock.rockmem(rocks.ctx, [b"ROCKMEM", b"100kb", b"2"])
    assert isinstance(reply, Block)
    assert reply.timeout_at_ms == 7000
    assert reply.waiter.timed_out(rocks.ctx.client) == 0
    world.spilling.run_slice()
    world.settle()
    assert rocks.control.answers == []
    assert not world.is_cold(b"k")


def test_a_client_that_goes_away_ends_its_sweep(rocks: Rock) -> None:
    world = rocks.world
    world.put(b"k", BIG)
    reply = rock.rockall(rocks.ctx, [b"ROCKALL"])
    assert isinstance(reply, Block)
    reply.waiter.cancelled(rocks.ctx.client)
    world.spilling.run_slice()
    world.settle()
    assert not world.is_cold(b"k")


def test_inside_multi_nothing_blocks(rocks: Rock) -> None:
    world = rocks.world
    world.put(b"k", BIG)
    rocks.ctx.deny_blocking = True
    assert rocks.ask(b"ROCKALL") == 0
    assert rocks.ask(b"ROCKEVICT", b"k").items[0] == b"k"
    world.spilling.run_slice()
    world.settle()
    assert world.is_cold(b"k")


@pytest.mark.parametrize("argv", [(b"0",), (b"many",), (b"-5",), (b"1mb", b"-1"), (b"1mb", b"x"), (b"1mb", b"1", b"1")])
def test_rockmem_with_wrong_arguments(rocks: Rock, argv: tuple[bytes, ...]) -> None:
    with pytest.raises(ReplyError):
        rocks.ask(b"ROCKMEM", *argv)


def test_rockstat_has_every_field_of_the_server_in_c(rocks: Rock) -> None:
    world = rocks.world
    for key in (b"a", b"b"):
        world.put(key, BIG)
    world.spill(b"a")
    world.db.lookup_read(b"b")
    lines = rocks.ask(b"ROCKSTAT").decode().split("\r\n")
    fields = dict(line.split(":", 1) for line in lines if line)
    expected = (
        "used_human used_peak_human sys_human free_hmem max_ps_hmem max_rock_human rss_hmem no_zero_dbnum key_num "
        "evict_key_num key_in_disk_num evict_hash_num evict_field_num field_in_disk_num hash-max-ziplist-entries "
        "hash-max-rock-entries stat_key_total stat_key_rock key_percent stat_field_total stat_field_rock field_percent"
    )
    assert set(expected.split()) | {"rocksdb(and other)"} <= set(fields)
    assert fields["used_human"] == "1.43M"
    assert (fields["key_num"], fields["evict_key_num"], fields["key_in_disk_num"]) == ("2", "1", "1")
    assert fields["status"] == "ok"
    world.tier.failure = b"disk\nfull"
    assert "status:disk full\r\n" in rocks.ask(b"ROCKSTAT").decode()


def test_purging_goes_on_in_the_background(rocks: Rock) -> None:
    rocks.world.store.kinds.clear()
    assert rocks.ask(b"PURGEROCKSDB") is OK
    rocks.world.settle()
    assert wire.COMPACT in rocks.world.store.kinds


def test_without_a_tier_the_commands_say_so(rocks: Rock) -> None:
    rocks.ctx.spilling = None
    for argv in ([b"rockall"], [b"rockevict", b"k"], [b"rockmem", b"1mb"], [b"rockstat"], [b"purgerocksdb"]):
        with pytest.raises(ReplyError, match="no cold tier"):
            rock.HANDLERS[argv[0]](rocks.ctx, argv)


def test_a_tier_that_cannot_start_is_an_error_of_the_command(make_cold_world) -> None:
    class Broken(StoreLauncher):
        ready = True

        def launch(self) -> StoreLink:
            raise StoreStartError("rockdir 'x' cannot be used: Permission denied")

    world = make_cold_world.__new__(make_cold_world)
    with pytest.raises(StoreStartError):
        world.__init__(Broken())
    rocks = Rock(world)
    world.put(b"k", BIG)
    for argv in ([b"rockall"], [b"rockevict", b"k"]):
        with pytest.raises(ReplyError, match="Permission denied"):
            rock.HANDLERS[argv[0]](rocks.ctx, argv)
    assert world.get(b"k") == BIG
