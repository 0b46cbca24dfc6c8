"""One command's facts: arity, keys, which of them must be in memory, statistics."""

import pytest

from redrock.commands.command import READONLY, Command, legacy_key_range
from redrock.commands.key_specs import KEY_NOT_KEY, KEY_OW, KEY_RO, KEY_UPDATE
from redrock.commands.table import build_table

TABLE = build_table()


def find(*argv: bytes) -> Command:
    command = TABLE.find(list(argv))
    assert command is not None
    return command


@pytest.mark.parametrize(
    ("call", "keys", "value_keys"),
    [
        (b"get k", b"k", b"k"),
        (b"get", b"", b""),
        (b"set k v", b"k", b""),
        (b"set k v get", b"k", b""),
        (b"mget a b c", b"a b c", b"a b c"),
        (b"mget", b"", b""),
        (b"mset a 1 b 2", b"a b", b""),
        (b"mset a 1 b", b"a b", b""),
        (b"del a b", b"a b", b""),
        (b"rename a b", b"a b", b""),
        (b"copy a b db 1", b"a b", b"a"),
        (b"lmove a b left right", b"a b", b"a b"),
        (b"blpop a b 0", b"a b", b"a b"),
        (b"sdiffstore d a b", b"d a b", b"a b"),
        (b"zunionstore d 2 a b weights 1 2", b"d a b", b"a b"),
        (b"bitop and d a b", b"d a b", b"a b"),
        (b"object freq k", b"k", b""),
        (b"memory usage k", b"k", b""),
        (b"xread count 1 streams s t 0 0", b"s t", b"s t"),
        (b"eval script 2 a b arg", b"a b", b"a b"),
        (b"eval script 0 a b", b"", b""),
        (b"sort k by w_* get # store d", b"k d", b"k"),
        (b"migrate host 1 k 0 10", b"k", b"k"),
        (b"spublish channel message", b"", b""),
        (b"watch a b", b"a b", b""),
        (b"pfmerge d", b"d", b"d"),
        (b"rockevict a b", b"a b", b""),
        (b"ping", b"", b""),
        (b"config get x", b"", b""),
    ],
)
def test_keys(call: bytes, keys: bytes, value_keys: bytes) -> None:
    argv = call.split()
    command = find(*argv)
    assert command.keys(argv) == keys.split()
    assert sorted(command.value_keys(argv)) == sorted(value_keys.split())
    assert bool(value_keys) <= command.needs_values


def test_the_fast_ways_to_find_keys_agree_with_the_specs() -> None:
    for command in TABLE.everything():
        name = command.name.split(b"|")
        for extra in range(7):
            argv = name + [b"%d" % number for number in range(2, 2 + extra)]
            found = command.keys(argv)
            # PFMERGE without a source: Redis's specs find no key at all then, ours must still name the destination.
            if command.accepts(len(argv)) and argv != [b"pfmerge", b"2"]:
                assert found == [argv[place] for place, _flags in command.key_places(argv)], argv


def test_what_only_chooses_the_slot_is_found_on_request() -> None:
    argv = [b"spublish", b"channel", b"message"]
    assert find(*argv).key_places(argv, include_not_keys=True) == [(1, KEY_NOT_KEY)]


def test_flags_of_keys_depend_on_the_arguments_where_they_must() -> None:
    assert find(b"set").keys_with_flags([b"set", b"k", b"v"]) == [(b"k", KEY_OW | KEY_UPDATE)]
    [(key, flags)] = find(b"set").keys_with_flags([b"set", b"k", b"v", b"ex", b"1", b"Get"])
    assert key == b"k"
    assert not flags & KEY_OW


@pytest.mark.parametrize(("arity", "accepted"), [(2, [2]), (-2, [2, 3, 4]), (1, [1]), (-1, [1, 2, 3, 4])])
def test_arity(arity: int, accepted: list[int]) -> None:
    command = Command(b"x", arity, READONLY, 0, [], 0, 0, 0, [], b"generic", b"1.0.0")
    assert [argc for argc in range(1, 5) if command.accepts(argc)] == accepted


def test_metadata_commands_read_no_values() -> None:
    reading = {command.name for command in TABLE.everything() if command.needs_values}
    assert {b"get", b"hget", b"incr", b"getdel", b"getex", b"copy", b"dump", b"strlen", b"sort", b"hdel"} <= reading
    assert not reading & {b"exists", b"ttl", b"expire", b"persist", b"object|encoding", b"touch", b"unlink", b"scan"}
    assert not reading & {b"renamenx", b"move", b"keys", b"restore", b"setnx", b"msetnx", b"randomkey", b"rockall"}


def test_statistics_are_reset() -> None:
    command = find(b"get")
    command.calls += 3
    command.microseconds += 4
    command.rejected_calls += 5
    command.failed_calls += 6
    command.reset_statistics()
    assert (command.calls, command.microseconds, command.rejected_calls, command.failed_calls) == (0, 0, 0, 0)


def test_legacy_range_without_specs() -> None:
    assert legacy_key_range([]) == (0, 0, 0, False)


def test_read_only_key_flag_is_not_the_command_flag() -> None:
    """Two families of bits with equal numbers: mixing them up would go unnoticed by the type checker."""
    assert find(b"get").key_specs[0].flags & KEY_RO
    assert find(b"get").flags & READONLY
