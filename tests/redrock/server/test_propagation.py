"""The bytes that the AOF and the backlog get. What redis-server writes is compared in tests/differential."""

import pytest

from redrock.interfaces import StreamSink
from redrock.resp.encoder import encode_command
from redrock.server.propagation import Propagation

Unit = list[tuple[int, bytes]]


class Sink(StreamSink):
    def __init__(self, selected_dbid: int = -1, active: bool = True) -> None:
        super().__init__()
        self.active = active
        self.selected_dbid = selected_dbid
        self.data = b""

    def append(self, data: bytes) -> None:
        self.data += data


def in_resp(text: bytes) -> bytes:
    return b"".join([encode_command(command.split()) for command in text.split(b";")])


@pytest.mark.parametrize(
    ("selected", "units", "together", "expected"),
    [
        (-1, [[(0, b"SET a 1")]], True, b"SELECT 0;SET a 1"),
        (0, [[(0, b"SET a 1")]], True, b"SET a 1"),
        (0, [[(0, b"SET a 1")], [(0, b"SET b 2")]], True, b"SET a 1;SET b 2"),
        (0, [[(3, b"SET a 1")], [(3, b"SET b 2")], [(0, b"X")]], True, b"SELECT 3;SET a 1;SET b 2;SELECT 0;X"),
        # Several effects of one command are one transaction; its database is selected before it begins.
        (0, [[(0, b"SET a 1"), (0, b"DEL b")]], True, b"MULTI;SET a 1;DEL b;EXEC"),
        (-1, [[(2, b"SET a 1"), (2, b"DEL b")]], True, b"SELECT 2;MULTI;SET a 1;DEL b;EXEC"),
        (2, [[(2, b"A"), (5, b"B"), (2, b"C")], [(2, b"D")]], True, b"MULTI;A;SELECT 5;B;SELECT 2;C;EXEC;D"),
        # Effects that have nothing to do with one another, such as keys that expire.
        (0, [[(0, b"DEL a"), (0, b"DEL b")]], False, b"DEL a;DEL b"),
        (0, [[(0, b"DEL a"), (1, b"DEL b")]], False, b"DEL a;SELECT 1;DEL b"),
    ],
)
def test_what_a_sink_gets(selected: int, units: list[Unit], together: bool, expected: bytes) -> None:
    propagation = Propagation()
    sink = Sink(selected)
    propagation.attach([sink])
    for unit in units:
        for dbid, command in unit:
            propagation.add(dbid, command.split())
        assert not propagation.is_empty()
        propagation.flush(together)
        assert propagation.is_empty()
    assert sink.data == in_resp(expected)


def test_each_sink_has_its_own_selected_database() -> None:
    """A new AOF begins with SELECT, while the followers go on as they were."""
    propagation = Propagation()
    log, backlog = Sink(-1), Sink(4)
    propagation.attach([log, backlog])
    propagation.add(4, [b"SET", b"a", b"1"])
    propagation.flush()
    assert log.data == in_resp(b"SELECT 4;SET a 1")
    assert backlog.data == in_resp(b"SET a 1")
    log.selected_dbid = -1
    propagation.add(4, [b"DEL", b"a"])
    propagation.flush()
    assert log.data == in_resp(b"SELECT 4;SET a 1;SELECT 4;DEL a")
    assert backlog.data == in_resp(b"SET a 1;DEL a")


def test_who_is_not_active_gets_nothing() -> None:
    propagation = Propagation()
    idle, active = Sink(active=False), Sink(0)
    propagation.attach([idle, active])
    propagation.add(0, [b"A"])
    propagation.flush()
    assert (idle.data, active.data) == (b"", in_resp(b"A"))
    assert idle.selected_dbid == -1
    active.active = False
    propagation.add(0, [b"B"])
    # With nobody to send it to, nothing is kept.
    assert propagation.is_empty()
    active.active = True
    propagation.flush()
    assert active.data == in_resp(b"A")
