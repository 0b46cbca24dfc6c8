"""Applying the stream: order, offsets, slices, and what goes on to our own followers."""

import pytest

from redrock.errors import ProtocolError
from replication.follower.apply import SLICE_NS, LeaderCommands, StreamApplier
from replication.protocol.handshake import encode_command

SET = encode_command(b"SET", b"a", b"1")
SELECT = encode_command(b"SELECT", b"3")
MULTI = encode_command(b"MULTI")
EXEC = encode_command(b"EXEC")


class Recorder(LeaderCommands):
    """Records; each command takes ``cost_ns``."""

    def __init__(self, clock):
        self.clock = clock
        self.cost_ms = 0
        self.log = []
        self.dbid = 0
        self.cold = False

    def begin_pass(self):
        self.log.append("begin")

    def apply(self, argv):
        self.log.append(b" ".join(argv))
        if argv[0] == b"SELECT":
            self.dbid = int(argv[1])
        self.clock.advance_ms(self.cost_ms)

    def end_pass(self):
        self.log.append("end")

    def selected_dbid(self):
        return self.dbid

    def want_values(self, commands, waker):
        self.log.append(("values", len(commands)))
        return self.cold


@pytest.fixture
def applying(world):
    world.replication.follow("h", 1)
    world.replication.full_sync_done(b"1" * 40, 1000, 0)
    commands = Recorder(world.clock)
    applier = StreamApplier(1000, commands, world.replication.feed, world.replication.role, world.clock)
    return world, applier, commands


def proxied(world):
    backlog = world.replication.feed.backlog
    return backlog.read(backlog.first_byte_offset, 1 << 20)


def test_commands_run_in_one_pass_and_go_on_byte_for_byte(applying):
    world, applier, commands = applying
    applier.feed(SELECT + SET + SET[:-3])
    assert applier.apply_slice()
    assert commands.log == ["begin", b"SELECT 3", b"SET a 1", "end"]
    role = world.replication.role
    applied = 1000 + len(SELECT + SET)
    assert (role.applied_offset, role.read_offset) == (applied, applied + len(SET) - 3)
    assert applier.applied_offset == applied
    assert role.selected_dbid == 3
    assert proxied(world) == SELECT + SET
    assert world.replication.identity.master_repl_offset == applied
    applier.feed(SET[-3:])
    assert applier.apply_slice()
    assert proxied(world) == SELECT + SET + SET


def test_half_a_transaction_waits(applying):
    world, applier, commands = applying
    applier.feed(MULTI + SET)
    assert applier.apply_slice()
    assert commands.log == []
    assert proxied(world) == b""
    applier.feed(EXEC)
    assert applier.apply_slice()
    assert commands.log == ["begin", b"MULTI", b"SET a 1", b"EXEC", "end"]
    assert proxied(world) == MULTI + SET + EXEC


def test_slices_end_between_units(applying):
    _world, applier, commands = applying
    commands.cost_ms = SLICE_NS // 1_000_000
    applier.feed((MULTI + SET + EXEC) * 40)
    slices = 1
    while not applier.apply_slice():
        slices += 1
        assert commands.log[-2:] == [b"EXEC", "end"]
    assert slices == 3
    assert commands.log.count(b"EXEC") == 40


def test_cold_values_are_asked_for_all_at_once(applying, waker):
    _world, applier, commands = applying
    assert not applier.want_values(waker)
    applier.feed(SET * 5 + MULTI + SET + EXEC)
    commands.cold = True
    assert applier.want_values(waker)
    assert commands.log == [("values", 8)]


def test_a_stream_out_of_step_is_an_error(applying):
    _world, applier, _commands = applying
    with pytest.raises(ProtocolError):
        applier.feed(b"hello\r\n")
