"""The framing of an RDB on its way: both forms, whatever the pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.errors import ProtocolError
from replication.protocol.transfer import (
    EOF_MARK_BYTES,
    HEADER_BYTES_MAX,
    Payload,
    TransferEnd,
    TransferKeepAlive,
    TransferReceiver,
    TransferStart,
    TransferState,
    counted_header,
    marked_header,
)

MARK = bytes(range(65, 65 + EOF_MARK_BYTES))
PAYLOADS = [b"", b"x", b"REDIS0010" * 100, MARK[:-1], MARK[1:], b"A" * 100, MARK[:20] + MARK[:39]]


def receive(data, piece):
    """(keepalives, announced length, payload, ended, rest)"""
    receiver = TransferReceiver()
    keepalives, length, payload = 0, "none", b""
    for start in range(0, len(data), piece):
        receiver.feed(data[start : start + piece])
        while (event := receiver.next_event()) is not None:
            if isinstance(event, TransferKeepAlive):
                keepalives += 1
            elif isinstance(event, TransferStart):
                length = event.length
            elif isinstance(event, Payload):
                assert event.data
                payload += event.data
            else:
                assert isinstance(event, TransferEnd)
    ended = receiver.state is TransferState.DONE
    return keepalives, length, payload, ended, receiver.take_rest() if ended else None


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_counted(payload, piece):
    data = b"\n\r\n" + counted_header(len(payload)) + payload + b"*1\r\n"
    assert receive(data, piece) == (2, len(payload), payload, True, b"*1\r\n")


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("piece", [1, 7, 10_000])
def test_marked(payload, piece):
    data = b"\n" + marked_header(MARK) + payload + MARK + b"rest"
    assert receive(data, piece) == (1, None, payload, True, b"rest")


@given(st.binary(max_size=200), st.integers(1, 60), st.booleans())
def test_any_payload_in_any_pieces(payload, piece, marked):
    if marked and MARK in payload + MARK[:-1]:
        return
    data = marked_header(MARK) + payload + MARK if marked else counted_header(len(payload)) + payload
    assert receive(data, piece) == (0, None if marked else len(payload), payload, True, b"")


@pytest.mark.parametrize("whole", [counted_header(5) + b"12345", marked_header(MARK) + b"12345" + MARK])
def test_cut_short_is_noticed(whole):
    for end in range(len(whole)):
        receiver = TransferReceiver()
        receiver.feed(whole[:end])
        while receiver.next_event() is not None:
            pass
        with pytest.raises(ProtocolError):
            receiver.end_of_input()


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"-ERR no\r\n", b"MASTER aborted replication with an error: ERR no"),
        (
            b"+OK\r\n",
            b"Bad protocol from MASTER, the first byte is not '$' (we received '+OK'), are you sure the host and port "
            b"are right?",
        ),
        (b"$12x\r\n", b"RDB transfer: invalid length '12x'"),
        (b"$-1\r\n", b"RDB transfer: invalid length '-1'"),
        (b"$EOF:short\r\n", b"RDB transfer: invalid length 'EOF:short'"),
        (b"$" + b"9" * 30 + b"\r\n", b"RDB transfer: invalid length '" + b"9" * 30 + b"'"),
        (b"x" * (HEADER_BYTES_MAX + 1), b"RDB transfer: header too long"),
    ],
)
def test_headers_that_are_refused(header, text):
    receiver = TransferReceiver()
    receiver.feed(header)
    with pytest.raises(ProtocolError) as caught:
        receiver.next_event()
    assert caught.value.text == text


def test_which_form_it_was():
    receiver = TransferReceiver()
    receiver.feed(marked_header(MARK))
    assert not receiver.marked
    receiver.next_event()
    assert receiver.marked
