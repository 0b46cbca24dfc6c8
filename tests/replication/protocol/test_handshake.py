"""The follower's handshake: what goes out at which reply, and how each kind of answer ends it."""

import pytest

from redrock.errors import ProtocolError
from replication.protocol.handshake import (
    LINE_BYTES_MAX,
    Continue,
    FollowerHandshake,
    FullResync,
    HandshakeSettings,
    HandshakeState,
    KeepAlive,
    Note,
    PsyncRequest,
    TryLater,
    Unsupported,
    encode_command,
)

REPLID = b"0123456789abcdef0123456789abcdef01234567"
PLAIN = HandshakeSettings(6380)
FULL = HandshakeSettings(6380, b"10.0.0.1", b"user", b"pass", PsyncRequest(REPLID, 101))
PONG = b"+PONG\r\n"
OKS = b"+OK\r\n+OK\r\n"


def started(settings=PLAIN):
    handshake = FollowerHandshake(settings)
    handshake.start()
    assert handshake.take_output() == b"*1\r\n$4\r\nPING\r\n"
    return handshake


def events_of(handshake):
    events = []
    while (event := handshake.next_event()) is not None:
        events.append(event)
    return events


def answers(events):
    return [event for event in events if not isinstance(event, Note)]


def test_all_that_is_said_with_a_password_an_address_and_a_history():
    handshake = started(FULL)
    handshake.feed(b"-NOAUTH Authentication required.\r\n")
    assert handshake.take_output() == (
        encode_command(b"AUTH", b"user", b"pass")
        + encode_command(b"REPLCONF", b"listening-port", b"6380")
        + encode_command(b"REPLCONF", b"ip-address", b"10.0.0.1")
        + encode_command(b"REPLCONF", b"capa", b"eof", b"capa", b"psync2")
    )
    handshake.feed(b"+OK\r\n+OK\r\n+OK\r\n")
    assert handshake.take_output() == b""
    handshake.feed(b"+OK\r\n")
    assert handshake.take_output() == encode_command(b"PSYNC", REPLID, b"101")
    assert handshake.state is HandshakeState.PSYNC


def test_without_history_a_full_resync_is_asked_for():
    handshake = started()
    handshake.feed(PONG + OKS)
    output = handshake.take_output()
    assert output == (
        encode_command(b"REPLCONF", b"listening-port", b"6380")
        + encode_command(b"REPLCONF", b"capa", b"eof", b"capa", b"psync2")
        + b"*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n"
    )
    assert [event.text for event in events_of(handshake)] == [
        "Master replied to PING, replication can continue...",
        "Partial resynchronization not possible (no cached master)",
    ]


def test_a_password_without_a_user():
    handshake = started(HandshakeSettings(1, password=b"secret"))
    handshake.feed(PONG)
    assert handshake.take_output().startswith(encode_command(b"AUTH", b"secret"))


ANSWERS = [
    (b"+FULLRESYNC " + REPLID + b" 77\r\n", FullResync(REPLID, 77), b""),
    (b"+FULLRESYNC " + REPLID + b" 77\n", FullResync(REPLID, 77), b""),
    (b"+FULLRESYNC tooshort 77\r\n", FullResync(None, -1), b""),
    (b"+FULLRESYNC\r\n", FullResync(None, -1), b""),
    (b"+CONTINUE " + REPLID + b"\r\n", Continue(REPLID), b""),
    (b"+CONTINUE\r\n", Continue(None), b""),
    (b"-ERR unknown command 'PSYNC'\r\n", Unsupported(), b"SYNC\r\n"),
    (b":1\r\n", Unsupported(), b"SYNC\r\n"),
    (b"+OK\r\n", Unsupported(), b"SYNC\r\n"),
    (
        b"-NOMASTERLINK Can't SYNC while not connected with my master\r\n",
        TryLater(
            "Master is currently unable to PSYNC but should be in the future: "
            "-NOMASTERLINK Can't SYNC while not connected with my master"
        ),
        b"",
    ),
    (
        b"-LOADING Redis is loading the dataset in memory\r\n",
        TryLater(
            "Master is currently unable to PSYNC but should be in the future: "
            "-LOADING Redis is loading the dataset in memory"
        ),
        b"",
    ),
]


@pytest.mark.parametrize(("line", "event", "output"), ANSWERS)
@pytest.mark.parametrize("piece", [1, 3, 1000])
def test_the_answer_to_psync(line, event, output, piece):
    handshake = started()
    handshake.feed(PONG + OKS)
    handshake.take_output()
    events_of(handshake)
    data = b"\n\n" + line + b"*1\r\n$4\r\nPI"
    for start in range(0, len(data), piece):
        handshake.feed(data[start : start + piece])
    assert answers(events_of(handshake)) == [KeepAlive(), KeepAlive(), event]
    assert handshake.take_output() == output
    assert handshake.take_rest() == b"*1\r\n$4\r\nPI"
    handshake.end_of_input()


@pytest.mark.parametrize(
    ("settings", "replies", "reason"),
    [
        (PLAIN, b"-ERR max number of clients reached\r\n", "Error reply to PING from master: '-ERR max number of"),
        (PLAIN, b"-LOADING now\r\n", "Error reply to PING from master: '-LOADING now'"),
        (PLAIN, b"$5\r\n", "Error reply to PING from master: '$5'"),
        (FULL, PONG + b"-WRONGPASS invalid\r\n", "Unable to AUTH to MASTER: -WRONGPASS invalid"),
    ],
)
def test_what_ends_the_attempt(settings, replies, reason):
    handshake = started(settings)
    handshake.feed(replies)
    last = events_of(handshake)[-1]
    assert isinstance(last, TryLater)
    assert last.reason.startswith(reason)
    assert handshake.state is HandshakeState.FAILED


def test_replconf_may_be_refused():
    handshake = started()
    handshake.feed(PONG + b"-ERR unknown\r\n-ERR unknown\r\n")
    texts = [event.text for event in events_of(handshake)]
    assert texts[1:3] == [
        "(Non critical) Master does not understand REPLCONF listening-port: -ERR unknown",
        "(Non critical) Master does not understand REPLCONF capa: -ERR unknown",
    ]
    assert handshake.state is HandshakeState.PSYNC


@pytest.mark.parametrize(
    ("replies", "text"),
    [
        (PONG + b"\r\n", b"replication handshake: empty in state listening-port"),
        (PONG + b"+FULLRESYNC x 1\r\n", b"replication handshake: fullresync in state listening-port"),
    ],
)
def test_a_reply_that_makes_no_sense_names_state_and_reply(replies, text):
    with pytest.raises(ProtocolError) as caught:
        started().feed(replies)
    assert caught.value.text == text


def test_the_end_of_input_names_the_state():
    handshake = started()
    handshake.feed(PONG)
    with pytest.raises(ProtocolError) as caught:
        handshake.end_of_input()
    assert caught.value.text == b"replication handshake: end of input in state listening-port"


def test_a_line_without_end_is_refused():
    handshake = started()
    with pytest.raises(ProtocolError):
        handshake.feed(b"x" * (LINE_BYTES_MAX + 1))


def test_start_is_for_once():
    with pytest.raises(ProtocolError):
        started().start()
