"""Files of an append-only log: whole, byte by byte, cut at every length, and broken."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.aof.reader import AofEnd, AofReader
from persistence.rdb.events import KeyRecord, RdbEvent
from persistence.rdb.writer import RdbWriter, standard_aux
from redrock.datatypes.string import StringValue
from redrock.errors import CorruptionError
from redrock.resp.encoder import encode_command

SET_A = [b"SET", b"a", b"1"]
SET_B = [b"SET", b"b", b"\r\n*$#"]
EMPTY = [b"SET", b"", b""]
BIG = [b"SET", b"big", bytes(range(256)) * 40]


def encode(*commands):
    return b"".join(encode_command(command) for command in commands)


def rdb(**keys):
    writer = RdbWriter()
    writer.header(standard_aux(b"7.0.15", 1, 1, None, True))
    writer.select_db(0, len(keys), 0)
    for key, value in keys.items():
        writer.key(key.encode(), StringValue(value))
    writer.finish()
    return writer.take_output()


def read(pieces):
    """(commands, keys of the RDB part, end)"""
    reader = AofReader("test.aof")
    commands, keys, end = [], [], None

    def drain():
        nonlocal end
        while (event := reader.next_event()) is not None:
            if isinstance(event, list):
                commands.append(event)
            elif isinstance(event, AofEnd):
                assert end is None
                end = event
            else:
                assert isinstance(event, RdbEvent)
                if isinstance(event, KeyRecord):
                    keys.append(event.key)

    for piece in pieces:
        reader.feed(piece)
        drain()
    reader.end_of_input()
    drain()
    assert reader.next_event() is None
    return commands, keys, end


def three_ways(data):
    """Whole, byte by byte, and in uneven pieces: the same."""
    whole = read([data])
    for size in (1, 7):
        pieces = read([data[i : i + size] for i in range(0, len(data), size)])
        assert pieces[:2] == whole[:2]
        assert vars_of(pieces[2]) == vars_of(whole[2])
    return whole


def vars_of(end):
    return end.valid_up_to, end.truncated, end.open_transaction


CASES = [
    ("nothing", b"", [], (0, False, False)),
    ("one", encode(SET_A), [SET_A], (27, False, False)),
    ("several", encode(SET_A, SET_B, EMPTY, BIG), [SET_A, SET_B, EMPTY, BIG], None),
    ("annotations", b"#TS:1\r\n" + encode(SET_A) + b"#TS:2\r\n#other\r\n" + encode(SET_B), [SET_A, SET_B], None),
    ("transaction", encode([b"MULTI"], SET_A, SET_B, [b"EXEC"], SET_A), [SET_A, SET_B, SET_A], None),
    ("lower case", encode([b"multi"], SET_A, [b"exec"]), [SET_A], None),
    ("empty transaction", encode([b"MULTI"], [b"EXEC"], SET_A), [SET_A], None),
    ("annotation inside", encode([b"MULTI"], SET_A) + b"#TS:5\r\n" + encode([b"EXEC"]), [SET_A], None),
    ("no transaction", encode([b"EXEC"], [b"MULTI", b"x"]), [[b"EXEC"], [b"MULTI", b"x"]], None),
    # Redis does not mind what stands in the place of the line ends.
    ("line ends", b"*1\n$4\nPINGxx", [[b"PING"]], (12, False, False)),
    ("open transaction", encode(SET_A, [b"MULTI"], SET_B), [SET_A], (27, False, True)),
    ("only MULTI", encode([b"MULTI"]), [], (0, False, True)),
]


@pytest.mark.parametrize(("name", "data", "expected", "end"), CASES, ids=[case[0] for case in CASES])
def test_commands(name, data, expected, end):
    commands, _, found = three_ways(data)
    assert commands == expected
    assert vars_of(found) == (end or (len(data), False, False))


def test_cut_at_every_length():
    """However much is missing: what is whole is read, and the cut is where the last whole command ends."""
    units = [encode(SET_A), b"#TS:12\r\n" + encode(SET_B), encode([b"MULTI"], SET_A, SET_B, [b"EXEC"]), encode(EMPTY)]
    commands_of = [[SET_A], [SET_B], [SET_A, SET_B], [EMPTY]]
    data = b"".join(units)
    ends = [sum(map(len, units[: i + 1])) for i in range(len(units))]
    for length in range(len(data) + 1):
        commands, _, end = three_ways(data[:length])
        whole = sum(1 for position in ends if position <= length)
        assert commands == [command for unit in commands_of[:whole] for command in unit], length
        assert end.valid_up_to == (ends[whole - 1] if whole else 0), length
        between = length in (0, *ends)
        # After the annotation, or inside the transaction between two of its commands, nothing is torn.
        assert not (between and (end.truncated or end.open_transaction)), length
        if not between:
            after_annotation = length == ends[0] + len(b"#TS:12\r\n")
            assert end.truncated or end.open_transaction or after_annotation, length


def read_into(commands, reader, pieces):
    for piece in [*pieces, None]:
        if piece is None:
            reader.end_of_input()
        else:
            reader.feed(piece)
        while (event := reader.next_event()) is not None:
            commands.append(event)


@pytest.mark.parametrize(
    "broken",
    [
        b"SET a 1\r\n",
        b"*x\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*\r\n",
        b"*99999999999999999999\r\n",
        b"*1\r\n#4\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$999999999999999\r\n",
        b"*1\r\n$4\r\nPING\r\n\r\n",
        b"*" + b"1" * 2000,
        b"#" + b"x" * 2000,
        b"\0\0\0",
    ],
)
def test_broken(broken):
    good = encode(SET_A)
    for size in (1, 5, 10000):
        data = good + broken
        reader = AofReader("x.aof")
        commands = []
        with pytest.raises(CorruptionError) as caught:
            read_into(commands, reader, [data[i : i + size] for i in range(0, len(data), size)])
        assert commands[0] == SET_A
        assert caught.value.reason == "Bad file format"
        assert caught.value.source == "x.aof"
        assert caught.value.position >= len(good)


def test_a_length_beyond_the_end_is_a_cut_tail():
    commands, _, end = three_ways(encode(SET_A) + b"*1\r\n$1000000000\r\nabc")
    assert commands == [SET_A]
    assert vars_of(end) == (27, True, False)


def test_rdb_then_commands():
    """An old-style log with an RDB preamble; a base is the same without the tail."""
    preamble = rdb(k=b"v", other=b"w" * 300)
    for tail in (b"", encode(SET_A, SET_B)):
        commands, keys, end = three_ways(preamble + tail)
        assert keys == [b"k", b"other"]
        assert commands == ([SET_A, SET_B] if tail else [])
        assert vars_of(end) == (len(preamble) + len(tail), False, False)


def test_tail_cut_after_the_rdb_keeps_the_rdb():
    """Redis would cut the whole file to nothing here."""
    preamble = rdb(k=b"v")
    commands, keys, end = three_ways(preamble + encode(SET_A)[:-5])
    assert (commands, keys) == ([], [b"k"])
    assert vars_of(end) == (len(preamble), True, False)


def test_rdb_cut_at_every_length():
    preamble = rdb(k=b"v")
    for length in range(5, len(preamble)):
        reader = AofReader("base.rdb")
        reader.feed(preamble[:length])
        reader.end_of_input()
        with pytest.raises(CorruptionError):
            read_into([], reader, [])
        assert reader.is_in_rdb()


def test_rdb_signature_cut():
    """Fewer bytes than a signature are no RDB; and 'R' begins no command."""
    reader = AofReader("base.rdb")
    reader.feed(b"REDI")
    reader.end_of_input()
    with pytest.raises(CorruptionError, match="Bad file format"):
        reader.next_event()
    assert not reader.is_in_rdb()


def test_a_large_argument_is_gathered_once():
    """A value that comes in many pieces: linear work, so this ends at once."""
    command = [b"SET", b"k", b"x" * (32 << 20)]
    data = encode(command)
    commands, _, _ = read([data[i : i + 65536] for i in range(0, len(data), 65536)])
    assert commands == [command]


def test_very_many_arguments_in_small_pieces():
    command = [b"MSET", *[b"%d" % i for i in range(200_000)]]
    data = encode(command)
    commands, _, _ = read([data[i : i + 4096] for i in range(0, len(data), 4096)])
    assert commands == [command]


@given(
    commands=st.lists(st.lists(st.binary(max_size=40), min_size=1, max_size=4), max_size=8),
    cuts=st.lists(st.integers(0, 400), max_size=10),
)
def test_any_split_is_equal(commands, cuts):
    data = encode(*commands)
    places = sorted({0, len(data), *[cut for cut in cuts if cut < len(data)]})
    pieces = [data[a:b] for a, b in pairwise(places)]
    split, whole = read(pieces), read([data])
    assert split[0] == whole[0]
    assert vars_of(split[2]) == vars_of(whole[2])


@given(st.binary(max_size=200))
def test_any_bytes_end_or_fail(data):
    reader = AofReader("fuzz")
    reader.feed(data)
    reader.end_of_input()
    try:
        while not isinstance(reader.next_event(), AofEnd):
            pass
    except CorruptionError:
        pass
