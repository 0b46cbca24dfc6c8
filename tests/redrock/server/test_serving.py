"""Passes over connections in memory: pipelines, slow readers, clients that wait, replies that wait, limits, ends."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from redrock.clients.client import BLOCKED, PARKED, READY, Client
from redrock.clients.output import CLASS_PUBSUB
from redrock.clients.registry import ClientObserver
from redrock.clients.waiter import Block, Waiter
from redrock.interfaces import PassHook
from redrock.resp.encoder import encode_command
from redrock.resp.reply import Reply
from redrock.server.poller import READABLE, WRITABLE

if TYPE_CHECKING:
    from redrock.commands.context import Context
    from tests.redrock.server.conftest import Connection, ServerWorld

PONG = b"+PONG\r\n"
OK = b"+OK\r\n"


def is_open(connection: Connection, world: ServerWorld) -> bool:
    """Whether it is served still; if it is not, nothing may be left of it."""
    known = world.clients.by_id(connection.client.client_id) is not None
    assert known == (not connection.transport.is_closed)
    assert known == (connection.transport.fileno() in world.poller.interests)
    return known


# --- Receiving and sending


def test_a_pipeline_is_answered_in_order_and_at_once(world: ServerWorld) -> None:
    connection = world.connect()
    connection.send([b"SET", b"k", b"1"], [b"INCR", b"k"], b"PING\r\n", [b"GET", b"k"], [b"NOSUCH"])
    world.run_pass()
    expected = OK + b":2\r\n" + PONG + b"$1\r\n2\r\n-ERR unknown command 'NOSUCH', with args beginning with: \r\n"
    assert connection.received() == expected
    assert connection.transport.sends == 1
    assert world.stats.total_net_output_bytes == len(expected)
    assert world.stats.total_reads_processed == world.stats.total_writes_processed == 1
    assert is_open(connection, world)


PIPELINE = b"".join(
    [
        encode_command([b"SET", b"k", b"x" * 300]),
        b"PING\r\n",
        b"\r\n*0\r\n",
        encode_command([b"APPEND", b"k", b"\r\n*1"]),
        encode_command([b"STRLEN", b"k"]),
        encode_command([b"ECHO", b""]),
    ]
)


@given(cuts=st.lists(st.integers(1, len(PIPELINE) - 1)))
@settings(max_examples=40)
def test_any_split_of_the_same_bytes_is_answered_equally(make_world: type[ServerWorld], cuts: list[int]) -> None:
    world = make_world()
    connection = world.connect()
    places = [0, *sorted(set(cuts)), len(PIPELINE)]
    for start, end in itertools.pairwise(places):
        connection.send(PIPELINE[start:end])
        world.run_pass()
    assert connection.received() == OK + PONG + b":304\r\n:304\r\n$0\r\n\r\n"
    assert world.stats.total_net_input_bytes == len(PIPELINE)


def test_a_slow_reader_gets_everything_when_it_can(world: ServerWorld) -> None:
    connection, other = world.connect(), world.connect()
    fd = connection.transport.fileno()
    connection.transport.room = 3
    connection.send([b"ECHO", b"a" * 50], [b"PING"])
    world.run_pass()
    assert connection.received() == b"$50"
    assert world.poller.interests[fd] == READABLE | WRITABLE
    # Its next requests are served, others are not disturbed.
    connection.send([b"SET", b"k", b"v"])
    assert other.ask("GET", "k") == b"$1\r\nv\r\n"
    rest = b""
    while connection.client.output.size():
        connection.transport.room = 7
        world.run_pass()
        rest += connection.received()
    assert rest == b"\r\n" + b"a" * 50 + b"\r\n" + PONG + OK
    assert world.poller.interests[fd] == READABLE
    world.run()
    assert is_open(connection, world)


def test_much_output_is_sent_in_the_middle_of_the_pipeline(world: ServerWorld) -> None:
    connection = world.connect()
    world.put(b"big", b"x" * 700_000)
    connection.send(*[[b"GET", b"big"]] * 5)
    world.run()
    assert len(connection.received()) == 5 * (700_000 + 11)
    assert connection.transport.sends > 2


def test_the_time_is_read_once_a_pass(world: ServerWorld) -> None:
    connection = world.connect()
    world.clock.advance_ms(5000)
    assert connection.ask("SET", "k", "v", "PX", "100") == OK
    assert world.keyspace.now_ms == world.clock.now_ms()
    assert world.keyspace.lru_clock == (world.clock.now_ms() // 1000) & 0xFFFFFF
    assert world.keyspace.databases[0].expire_at(b"k") == world.clock.now_ms() + 100
    assert connection.client.last_interaction_ms == world.clock.now_ms()


def test_hooks_run_before_the_replies_are_sent(world: ServerWorld) -> None:
    connection = world.connect()
    seen: list[tuple[str, bytes]] = []

    class Hook(PassHook):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def end_of_pass(self) -> None:
            seen.append((self.name, connection.transport.taken))

    world.serving.add_hook(Hook("first"))
    world.serving.add_hook(Hook("second"))
    connection.send(b"PING\r\n")
    world.run_pass()
    assert seen == [("first", b""), ("second", b"")]
    assert connection.received() == PONG


def test_when_the_cold_tier_cannot_keep_up_writers_are_read_later(world: ServerWorld) -> None:
    writer, reader = world.connect(), world.connect()
    assert writer.ask("SET", "k", "v") == OK
    assert reader.ask("GET", "k") == b"$1\r\nv\r\n"
    world.serving.throttled = True
    for connection in (writer, reader):
        connection.send(b"PING\r\n")
    world.run_pass()
    assert (writer.received(), reader.received()) == (b"", PONG)
    assert world.serving.passed_over
    world.serving.throttled = False
    world.run_pass()
    assert writer.received() == PONG
    assert not world.serving.passed_over


# --- Ends


class Farewell(ClientObserver):
    def __init__(self) -> None:
        self.gone: list[int] = []

    def client_gone(self, client: Client) -> None:
        assert client.transport is not None
        self.gone.append(client.client_id)


@pytest.mark.parametrize("how", ["end of input", "reset", "QUIT", "killed"])
def test_the_ends_of_a_connection(world: ServerWorld, how: str) -> None:
    connection, other = world.connect(), world.connect()
    farewell = Farewell()
    world.serving.add_observer(farewell)
    assert connection.ask("WATCH", "k") == OK
    assert connection.ask("MULTI") == OK
    if how == "end of input":
        connection.transport.has_ended = True
    elif how == "reset":
        connection.transport.is_broken = True
    elif how == "QUIT":
        connection.send([b"QUIT"], [b"SET", b"k", b"not to be run"])
    else:
        world.serving.close(connection.client)
        world.serving.close(connection.client)
    world.run()
    assert not is_open(connection, world)
    assert connection.received() == (OK if how == "QUIT" else b"")
    assert farewell.gone == [connection.client.client_id]
    assert not world.observers.watching
    assert other.ask("GET", "k") == b"$-1\r\n"


def test_after_quit_all_that_was_answered_is_sent_first(world: ServerWorld) -> None:
    connection = world.connect()
    connection.transport.room = 10
    connection.send([b"ECHO", b"x" * 100], [b"QUIT"], [b"PING"])
    world.run_pass()
    assert is_open(connection, world)
    connection.send(b"PING\r\n")
    world.run_pass()
    connection.transport.room = 1000
    world.run()
    assert connection.received() == b"$100\r\n" + b"x" * 100 + b"\r\n" + OK
    assert not is_open(connection, world)


def test_a_connection_that_breaks_while_being_sent_to(world: ServerWorld) -> None:
    connection = world.connect()
    connection.transport.room = 0
    connection.send(b"PING\r\n")
    world.run_pass()
    connection.transport.is_broken = True
    connection.transport.room = 10
    world.run()
    assert not is_open(connection, world)


def test_events_of_a_connection_that_was_closed_in_the_same_pass(world: ServerWorld) -> None:
    connection = world.connect()
    world.serving.close(connection.client)
    connection.send([b"SET", b"k", b"v"])
    world.run()
    assert not is_open(connection, world)
    assert world.keyspace.key_count() == 0
    world.serving.serve([(connection.transport.fileno(), READABLE)])


# --- Protocol errors, limits, CLIENT REPLY


@pytest.mark.parametrize(
    ("wrong", "answer"),
    [
        (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
        (b"*1\r\n!", b""),  # the line is not complete: nothing can be said yet
        (b"*1\r\n!4\r\n", b"-ERR Protocol error: expected '$', got '!'\r\n"),
        (b"set 'k\r\n", b"-ERR Protocol error: unbalanced quotes in request\r\n"),
    ],
)
def test_protocol_errors_end_the_connection(world: ServerWorld, wrong: bytes, answer: bytes) -> None:
    connection = world.connect()
    connection.send(b"PING\r\n", wrong, b"PING\r\n" if answer else b"")
    world.run()
    assert connection.received() == PONG + answer
    assert is_open(connection, world) == (not answer)
    assert world.stats.total_error_replies == bool(answer)


def test_a_protocol_error_of_one_who_wants_no_replies(world: ServerWorld) -> None:
    connection = world.connect()
    connection.send([b"CLIENT", b"REPLY", b"OFF"], b"*x\r\n")
    world.run()
    assert connection.received() == b""
    assert not is_open(connection, world)


@pytest.mark.parametrize(
    ("commands", "answer"),
    [
        ([b"CLIENT REPLY OFF", b"PING", b"NOSUCH", b"GET", b"PING"], b""),
        ([b"CLIENT REPLY OFF", b"PING", b"CLIENT REPLY ON", b"PING"], OK + PONG),
        ([b"CLIENT REPLY SKIP", b"ECHO a", b"PING"], PONG),
        ([b"CLIENT REPLY SKIP", b"NOSUCH", b"PING"], PONG),
        ([b"CLIENT REPLY SKIP", b"CLIENT REPLY SKIP", b"ECHO a", b"PING"], PONG),
        ([b"CLIENT REPLY OFF", b"CLIENT REPLY SKIP", b"PING", b"CLIENT REPLY ON"], OK),
        ([b"CLIENT REPLY SKIP", b"MULTI", b"SET k v", b"EXEC"], b"+QUEUED\r\n*1\r\n" + OK),
    ],
)
def test_replies_that_nobody_wants(world: ServerWorld, commands: list[bytes], answer: bytes) -> None:
    connection = world.connect()
    connection.send(*[command + b"\r\n" for command in commands])
    world.run()
    assert connection.received() == answer


def test_the_query_buffer_limit(world: ServerWorld, caplog: pytest.LogCaptureFixture) -> None:
    connection = world.connect()
    world.settings.client_query_buffer_limit = 1 << 20
    world.serving.settings_changed()
    connection.send(b"*2\r\n$4\r\nECHO\r\n$2000000\r\n" + b"x" * 1_000_000)
    world.run()
    assert is_open(connection, world)
    connection.send(b"x" * 100_000)
    with caplog.at_level(logging.WARNING, "redrock"):
        world.run()
    assert not is_open(connection, world)
    assert "max query buffer length" in caplog.text


def test_the_output_limit(world: ServerWorld, caplog: pytest.LogCaptureFixture) -> None:
    limits = world.settings.client_output_buffer_limit
    assert [limit.hard_bytes for limit in limits] == [0, 256 << 20, 32 << 20]
    connection = world.connect()
    connection.client.output_class = CLASS_PUBSUB
    connection.transport.room = 0
    world.put(b"k", b"x" * (9 << 20))
    connection.send([b"GET", b"k"])  # over the soft limit of 8 MB, which it may be for 60 seconds
    world.run()
    world.clock.advance_ms(59_000)
    connection.send(b"PING\r\n")
    world.run()
    assert is_open(connection, world)
    world.clock.advance_ms(2_000)
    connection.send(b"PING\r\n")
    with caplog.at_level(logging.WARNING, "redrock"):
        world.run()
    assert not is_open(connection, world)
    assert "closed for overcoming of output buffer limits" in caplog.text


# --- Clients that wait for cold values


def test_a_parked_client_waits_and_goes_on_in_order(world: ServerWorld) -> None:
    connection, other = world.connect(), world.connect()
    world.make_cold(b"cold", b"cold value")
    connection.send([b"SET", b"a", b"1"], [b"GET", b"cold"], [b"INCR", b"a"], [b"GET", b"a"])
    world.run()
    assert connection.received() == OK
    assert connection.client.state == PARKED
    assert world.loader.parked == [(connection.client.client_id, 0, [b"cold"])]
    # Everyone else goes on; what it sends meanwhile waits.
    connection.send([b"INCR", b"a"])
    assert other.ask("GET", "a") == b"$1\r\n1\r\n"
    assert connection.received() == b""
    world.load(b"cold")
    world.serving.resume(connection.client.client_id, None)
    assert world.serving.has_work()
    # Bytes that come in the very pass in which it goes on are behind what has waited.
    connection.send([b"GET", b"a"])
    world.run()
    assert connection.received() == b"$10\r\ncold value\r\n:2\r\n$1\r\n2\r\n:3\r\n$1\r\n3\r\n"
    assert connection.client.state == READY


def test_a_value_that_has_gone_meanwhile(world: ServerWorld) -> None:
    connection, other = world.connect(), world.connect()
    world.make_cold(b"cold")
    connection.send([b"GET", b"cold"], [b"PING"])
    world.run()
    assert other.ask("DEL", "cold") == b":1\r\n"
    world.serving.resume(connection.client.client_id, None)
    world.run()
    assert connection.received() == b"$-1\r\n" + PONG


def test_a_value_that_has_gone_cold_again(world: ServerWorld) -> None:
    connection = world.connect()
    world.make_cold(b"cold", b"x")
    connection.send([b"GET", b"cold"])
    world.run()
    world.serving.resume(connection.client.client_id, None)
    world.run()
    assert connection.client.state == PARKED
    assert len(world.loader.parked) == 2
    world.load(b"cold")
    world.serving.resume(connection.client.client_id, None)
    world.run()
    assert connection.received() == b"$1\r\nx\r\n"


def test_a_value_that_cannot_be_read(world: ServerWorld) -> None:
    connection = world.connect()
    world.make_cold(b"cold")
    connection.send([b"GET", b"cold"], [b"PING"])
    world.run()
    world.serving.resume(connection.client.client_id, b"ERR cold store")
    world.run()
    assert connection.received() == b"-ERR cold store\r\n" + PONG
    assert world.stats.total_error_replies == 1


def test_cold_values_of_the_pipeline_are_asked_for_together(world: ServerWorld) -> None:
    connection = world.connect()
    for name in (b"a", b"b", b"c", b"d"):
        world.make_cold(name)
    connection.send([b"GET", b"a"], [b"SET", b"d", b"needs no value"], [b"GET", b"b"], [b"PING"], [b"STRLEN", b"c"])
    world.run()
    assert world.loader.parked == [(connection.client.client_id, 0, [b"a"])]
    assert world.loader.prefetched == [(0, [b"b", b"c"])]
    for name in (b"a", b"b", b"c"):
        world.load(name)
    world.serving.resume(connection.client.client_id, None)
    world.run()
    assert connection.received() == b"$1\r\nv\r\n" + OK + b"$1\r\nv\r\n" + PONG + b":1\r\n"


def test_no_more_than_a_thousand_requests_are_looked_through(world: ServerWorld) -> None:
    connection = world.connect()
    world.make_cold(b"a")
    connection.client.receive_bytes = 1 << 16
    connection.send([b"GET", b"a"], *[[b"PING"]] * 3000)
    world.run()
    assert len(connection.client.ahead) == 1024
    world.load(b"a")
    world.serving.resume(connection.client.client_id, None)
    world.run()
    assert connection.received() == b"$1\r\nv\r\n" + PONG * 3000


@pytest.mark.parametrize("wrong", [b"*x\r\n", b"set 'k\r\n"])
def test_a_protocol_error_behind_a_request_that_waits(world: ServerWorld, wrong: bytes) -> None:
    connection = world.connect()
    world.make_cold(b"cold")
    connection.send([b"GET", b"cold"], [b"PING"], wrong, [b"PING"])
    world.run()
    assert connection.received() == b""
    world.load(b"cold")
    world.serving.resume(connection.client.client_id, None)
    world.run()
    answer = connection.received()
    assert answer.startswith(b"$1\r\nv\r\n" + PONG + b"-ERR Protocol error: ")
    assert answer.count(b"\r\n") == 4
    assert not is_open(connection, world)


def test_a_parked_client_that_goes_away(world: ServerWorld) -> None:
    connection = world.connect()
    world.make_cold(b"cold")
    connection.send([b"GET", b"cold"])
    world.run()
    connection.transport.has_ended = True
    world.run()
    assert not is_open(connection, world)
    assert world.loader.forgotten == [connection.client.client_id]
    world.serving.resume(connection.client.client_id, None)
    world.run()


# --- Clients that are blocked


class Queue(Waiter):
    def __init__(self) -> None:
        self.cancellations = 0

    def timed_out(self, client: Client) -> Reply:
        return b"too late"

    def cancelled(self, client: Client) -> None:
        self.cancellations += 1


@pytest.fixture
def queue(world: ServerWorld) -> Queue:
    """What clients wait for that send STRLEN in this world."""
    queue = Queue()

    def strlen(ctx: Context, argv: list[bytes]) -> Reply:
        return Block(queue, 0)

    world.bind(b"strlen", strlen)
    return queue


def test_a_blocked_client_waits_for_its_answer(world: ServerWorld, queue: Queue) -> None:
    connection, other = world.connect(), world.connect()
    connection.send([b"PING"], [b"STRLEN", b"k"], [b"ECHO", b"a"])
    world.run()
    assert connection.received() == PONG
    assert connection.client.state == BLOCKED
    connection.send([b"ECHO", b"b"])
    assert other.ask("PING") == PONG
    world.serving.answer_blocked(connection.client, 5)
    world.run()
    assert connection.received() == b":5\r\n$1\r\na\r\n$1\r\nb\r\n"
    assert queue.cancellations == 0


@pytest.mark.parametrize(("error", "answer"), [(None, b"$8\r\ntoo late\r\n"), (b"UNBLOCKED x", b"-UNBLOCKED x\r\n")])
def test_blocking_that_is_ended_by_force(world: ServerWorld, queue: Queue, error: bytes | None, answer: bytes) -> None:
    connection = world.connect()
    assert not world.serving.end_blocking(connection.client, error)
    assert connection.ask("STRLEN", "k") == b""
    assert world.serving.end_blocking(connection.client, error)
    world.run()
    assert connection.received() == answer
    assert queue.cancellations == 1
    assert connection.ask("PING") == PONG


def test_a_blocked_client_that_goes_away(world: ServerWorld, queue: Queue) -> None:
    connection = world.connect()
    assert connection.ask("STRLEN", "k") == b""
    connection.transport.has_ended = True
    world.run()
    assert not is_open(connection, world)
    assert queue.cancellations == 1
    assert world.blocked.count() == 0


# --- Replies that wait for the append-only log (appendfsync always)


@pytest.fixture
def appended(world: ServerWorld) -> list[int]:
    """Plays the log: each pass that has propagated something appends it; how far is the last entry."""
    offsets = [0]
    world.execution.hold_replies = True

    class Log(PassHook):
        def end_of_pass(self) -> None:
            offsets.append(offsets[-1] + len(world.stream.data))
            world.stream.data = b""
            world.serving.appended_offset = offsets[-1]

    world.serving.add_hook(Log())
    return offsets


def test_replies_to_writers_wait_for_the_disk(world: ServerWorld, appended: list[int]) -> None:
    writer, reader = world.connect(), world.connect()
    writer.send([b"SET", b"k", b"v"], [b"GET", b"k"])
    reader.send([b"PING"])
    world.run()
    assert writer.received() == b""
    assert reader.received() == PONG
    world.serving.release_held(appended[-1] - 1)
    world.run()
    assert writer.received() == b""
    world.serving.release_held(appended[-1])
    world.run()
    assert writer.received() == OK + b"$1\r\nv\r\n"
    # A read alone waits for nothing.
    assert writer.ask("GET", "k") == b"$1\r\nv\r\n"


def test_what_is_safe_already_is_not_waited_for(world: ServerWorld, appended: list[int]) -> None:
    writer = world.connect()
    world.serving.release_held(1 << 40)
    assert writer.ask("SET", "k", "v") == OK


def test_a_slow_reader_does_not_get_a_reply_too_early(world: ServerWorld, appended: list[int]) -> None:
    """Writability found in the pass after the write must not send what the disk does not have."""
    writer = world.connect()
    writer.transport.room = 2
    writer.send([b"ECHO", b"x" * 10])
    world.run()
    writer.send([b"SET", b"k", b"v"])
    world.run()
    early = writer.received()
    writer.transport.room = 1000
    world.run()  # and it ends: nobody spins on a socket that may not be written to
    early += writer.received()
    assert OK not in early
    world.serving.release_held(appended[-1])
    world.run()
    assert early + writer.received() == b"$10\r\n" + b"x" * 10 + b"\r\n" + OK


def test_a_writer_that_goes_away_while_its_reply_is_held(world: ServerWorld, appended: list[int]) -> None:
    writer = world.connect()
    writer.send([b"SET", b"k", b"v"])
    world.run()
    writer.transport.has_ended = True
    world.run()
    assert not is_open(writer, world)
    world.serving.release_held(appended[-1])
    world.run()


def test_a_writer_that_has_quit_gets_its_replies_first(world: ServerWorld, appended: list[int]) -> None:
    writer = world.connect()
    writer.send([b"SET", b"k", b"v"], [b"QUIT"])
    world.run()
    assert is_open(writer, world)
    world.serving.release_held(appended[-1])
    world.run()
    assert writer.received() == OK + OK
    assert not is_open(writer, world)


def test_one_who_never_stops_writing_gets_its_replies(world: ServerWorld, appended: list[int]) -> None:
    """The disk is always one pass behind: what comes meanwhile is not run before the replies have gone."""
    writer = world.connect()
    received = b""
    for i in range(20):
        writer.send([b"SET", b"k", b"%d" % i])
        world.run()
        if i % 2:
            world.serving.release_held(appended[-1])
            world.run()
            received += writer.received()
            assert received.count(OK) >= i // 2
    for _ in range(3):
        world.serving.release_held(appended[-1])
        world.run()
    assert received + writer.received() == OK * 20


def test_one_who_sends_much_while_its_reply_is_held_is_not_read(world: ServerWorld, appended: list[int]) -> None:
    writer = world.connect()
    writer.send([b"SET", b"k", b"v"])
    world.run()
    for _ in range(100):
        writer.send([b"ECHO", b"x" * 10_000])
    world.run()
    assert writer.client.parser.buffered_bytes() < 100_000
    assert world.poller.interests[writer.transport.fileno()] == 0
    world.serving.release_held(appended[-1])
    world.run()
    assert writer.received().count(b"$10000") == 100
    assert world.poller.interests[writer.transport.fileno()] == READABLE
