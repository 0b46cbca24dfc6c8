"""The stream as units, and its offsets: byte by byte, with transactions, with newlines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.errors import ProtocolError
from replication.protocol.handshake import encode_command
from replication.protocol.stream import GETACK, PING, StreamReader, ack_command

SET = encode_command(b"SET", b"a", b"1")
MULTI = encode_command(b"multi")
EXEC = encode_command(b"EXEC")


def units(data, piece=None, offset=0):
    reader = StreamReader(offset)
    found = []
    for start in range(0, len(data), piece or len(data)):
        reader.feed(data[start : start + (piece or len(data))])
        while (unit := reader.next_unit()) is not None:
            found.append((unit.end_offset, unit.commands))
    return found, reader


@pytest.mark.parametrize("piece", [1, 5, None])
def test_units_and_their_ends(piece):
    data = SET + PING + MULTI + SET + SET + EXEC + SET
    found, reader = units(data, piece, offset=1000)
    set_argv = [b"SET", b"a", b"1"]
    ends = [1000 + len(SET), 1000 + len(SET + PING), 1000 + len(data) - len(SET), 1000 + len(data)]
    assert found == [
        (ends[0], [set_argv]),
        (ends[1], [[b"PING"]]),
        (ends[2], [[b"multi"], set_argv, set_argv, [b"EXEC"]]),
        (ends[3], [set_argv]),
    ]
    assert reader.read_offset == ends[3]
    assert reader.applied_offset == 1000


def test_a_half_transaction_is_not_a_unit():
    found, reader = units(SET + MULTI + SET)
    assert len(found) == 1
    reader.feed(EXEC)
    unit = reader.next_unit()
    assert unit is not None
    assert len(unit.commands) == 3


def test_newlines_count():
    found, reader = units(b"\n" + SET + b"\r\n")
    assert found == [(1 + len(SET), [[b"SET", b"a", b"1"]])]
    assert reader.read_offset == len(SET) + 3


@given(st.lists(st.lists(st.binary(max_size=12), min_size=1, max_size=4), max_size=8), st.integers(1, 40))
def test_what_is_taken_is_the_stream(commands, piece):
    data = b"".join(encode_command(b"X" + argv[0], *argv[1:]) for argv in commands)
    reader = StreamReader(7)
    taken = b""
    for start in range(0, len(data), piece):
        reader.feed(data[start : start + piece])
        waiting = []
        while (unit := reader.next_unit()) is not None:
            waiting.append(unit)
        for unit in waiting:
            reader.applied(unit)
            if unit.end_offset % 2:
                taken += reader.take_applied()
                assert len(taken) == reader.applied_offset - 7
    taken += reader.take_applied()
    assert taken == data
    assert reader.take_applied() == b""


def test_losing_the_place_is_noticed():
    reader = StreamReader(0)
    reader.feed(b"SET a 1\r\n")
    with pytest.raises(ProtocolError):
        reader.next_unit()
    reader = StreamReader(0)
    reader.feed(MULTI + MULTI)
    with pytest.raises(ProtocolError):
        reader.next_unit()


def test_fixed_commands():
    assert ack_command(0) == encode_command(b"REPLCONF", b"ACK", b"0")
    assert ack_command(12345) == encode_command(b"REPLCONF", b"ACK", b"12345")
    assert encode_command(b"PING") == PING
    assert encode_command(b"REPLCONF", b"GETACK", b"*") == GETACK
