"""Bytes reach the client once and in order, however little the socket takes at a time; and the limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.clients.output import OutputBuffer, OutputLimit
from redrock.clients.transport import Transport

BIG = bytes(range(256)) * 3000  # more than one send takes


class Narrow(Transport):
    """Takes ``room`` bytes, then none."""

    def __init__(self) -> None:
        self.room = 0
        self.received = b""
        self.largest = 0

    def send(self, data: bytes) -> int:
        assert data, "nothing to be sent"
        self.largest = max(self.largest, len(data))
        sent = min(self.room, len(data))
        self.room -= sent
        self.received += data[:sent]
        return sent


STEPS = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=30),
        st.sampled_from([BIG, BIG[:262144], BIG[:262145], BIG[:65537]]),
        st.integers(0, 40),
        st.sampled_from([65536, 262144, 262145, 1 << 30]),
    ),
    max_size=30,
)


@given(STEPS)
def test_any_pattern_of_sends_delivers_all_bytes_in_order(steps: list[bytes | int]) -> None:
    output = OutputBuffer()
    transport = Narrow()
    written = b""
    for step in steps:
        if isinstance(step, bytes):
            output.writer.write(step)
            written += step
        else:
            transport.room = step
            finished = output.send_to(transport)
            assert finished == output.is_empty()
        assert output.size() == len(written) - len(transport.received)
        assert written.startswith(transport.received)
    transport.room = 1 << 30
    while not output.send_to(transport):
        pass
    assert transport.received == written
    assert output.is_empty()
    assert output.size() == 0
    # One client does not make the kernel look at megabytes that it will not take.
    assert transport.largest <= 262144


def test_a_connection_that_breaks_is_the_callers_matter() -> None:
    class Broken(Transport):
        def send(self, data: bytes) -> int:
            raise ConnectionResetError

    output = OutputBuffer()
    output.writer.write(b"abc")
    with pytest.raises(ConnectionResetError):
        output.send_to(Broken())


def test_clear() -> None:
    output = OutputBuffer()
    transport = Narrow()
    output.writer.write(b"abcdef")
    transport.room = 2
    assert not output.send_to(transport)
    output.writer.write(b"ghi")
    output.clear()
    assert output.is_empty()
    transport.room = 100
    output.writer.write(b"new")
    assert output.send_to(transport)
    assert transport.received == b"abnew"


@pytest.mark.parametrize(
    ("limit", "sizes_at_ms", "over"),
    [
        ((0, 0, 0), [(10**6, 0), (10**6, 10**9)], [False, False]),
        ((100, 0, 0), [(99, 1), (100, 2)], [False, True]),
        # Over the soft limit for longer than two seconds; being below it once begins anew.
        ((0, 50, 2), [(50, 1000), (60, 3000), (60, 3001)], [False, False, True]),
        ((0, 50, 2), [(50, 1000), (49, 2000), (50, 3500), (50, 5500), (50, 5501)], [False] * 4 + [True]),
        ((100, 50, 2), [(50, 1000), (100, 1001)], [False, True]),
    ],
)
def test_limits(limit: tuple[int, int, int], sizes_at_ms: list[tuple[int, int]], over: list[bool]) -> None:
    output = OutputBuffer()
    found = []
    for size, at_ms in sizes_at_ms:
        output.clear()
        output.writer.write(b"x" * size)
        found.append(output.is_over(OutputLimit(*limit), at_ms))
    assert found == over


def test_what_the_socket_has_not_taken_counts_for_the_limit() -> None:
    output = OutputBuffer()
    transport = Narrow()
    output.writer.write(b"x" * 90)
    transport.room = 1
    output.send_to(transport)
    output.writer.write(b"y" * 10)
    assert not output.is_over(OutputLimit(100, 0, 0), 0)
    output.writer.write(b"z")
    assert output.is_over(OutputLimit(100, 0, 0), 0)
