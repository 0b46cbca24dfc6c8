import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from redrock.resp.incoming import IncomingBytes


def test_what_comes_first_is_kept_without_a_copy() -> None:
    incoming = IncomingBytes()
    data = b"some bytes"
    incoming.feed(data)
    assert incoming.open()
    assert incoming.buffer is data


def test_pieces_are_joined_when_opened() -> None:
    incoming = IncomingBytes()
    for piece in (b"ab", b"cd", b"ef"):
        incoming.feed(piece)
    incoming.position = 1
    assert incoming.held_bytes() == 5
    assert incoming.open()
    assert (incoming.buffer, incoming.position) == (b"bcdef", 0)
    assert (incoming.held_bytes(), incoming.fed) == (5, 6)


def test_asleep_until_the_byte_comes() -> None:
    incoming = IncomingBytes()
    incoming.feed(b"xxabc")
    incoming.position = 2
    incoming.sleep(b"\n", 1000)
    assert not incoming.open()
    incoming.feed(b"de")
    assert not incoming.open()
    incoming.feed(b"f\ng")
    assert incoming.open()
    assert incoming.buffer == b"abcdef\ng"


def test_asleep_until_there_are_enough() -> None:
    incoming = IncomingBytes()
    incoming.feed(b"abc")
    incoming.sleep(b"", 5)
    incoming.feed(b"\n")
    assert not incoming.open()
    incoming.feed(b"e")
    assert incoming.open()
    assert incoming.buffer == b"abc\ne"


@given(st.binary(min_size=1, max_size=50), st.integers(0, 50), st.lists(st.integers(1, 7), max_size=60))
def test_a_payload_in_any_pieces(stream: bytes, length: int, sizes: list[int]) -> None:
    length = min(length, len(stream))
    incoming = IncomingBytes()
    data = stream + b"\r\nrest"
    incoming.feed(data[:1])
    assert incoming.open()
    incoming.collect(length)
    position = 1
    payload = None
    for size in [*sizes, len(data)]:
        if payload is None and incoming.open():
            payload = incoming.collected()
        assert incoming.held_bytes() == position - (0 if payload is None else length + 2)
        incoming.feed(data[position : position + size])
        position = min(len(data), position + size)
    if payload is None:
        assert incoming.open()
        payload = incoming.collected()
    assert payload == stream[:length]
    assert not incoming.collecting
    assert incoming.take_rest() == data[length + 2 :]
    assert incoming.held_bytes() == 0


def test_tiny_pieces_cost_bytes_not_objects() -> None:
    incoming = IncomingBytes()
    incoming.feed(b"a")
    assert incoming.open()
    incoming.collect(1_000_000)
    tracemalloc.start()
    for _ in range(100_000):
        incoming.feed(b"%03d" % 5)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # As single objects they would be 36 bytes each, and 8 in the list: 4.4 MB.
    assert held < 600_000


def test_take_rest_while_asleep() -> None:
    incoming = IncomingBytes()
    incoming.feed(b"abc")
    incoming.sleep(b"\n", 100)
    incoming.feed(b"de")
    assert incoming.take_rest() == b"abcde"
    assert not incoming.held_bytes()
