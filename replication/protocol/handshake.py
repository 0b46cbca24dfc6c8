"""The follower's side of the PSYNC handshake: from the connected socket to the leader's answer to PSYNC.

Source: Redis 7.0.15, replication.c, syncWithMaster and slaveTryPartialResynchronization. What goes over the wire:

    PING                                       alone, because a leader may want a password before anything else
    AUTH [user] password                       only with masterauth     } sent together, answered one by one
    REPLCONF listening-port <port>                                      }
    REPLCONF ip-address <address>              only with an announced address }
    REPLCONF capa eof capa psync2                                       }
    PSYNC <replid> <offset>                    `? -1` when nothing is known of the leader's history

A reply is one line, ended by LF, with or without CR. Only AUTH and PING can fail the handshake: REPLCONF is refused by
old leaders and goes on. While it works on PSYNC the leader may send bare newlines to keep the connection alive.

Offsets are bytes of the replication stream; `offset` in a request is the first byte that the follower lacks.
Knows nothing of sockets, of time and of what follows the answer: bytes behind it are handed out by `take_rest`.
"""

from enum import Enum, unique
from itertools import pairwise
from typing import Final

from attrs import frozen

from redrock.errors import ProtocolError

REPLID_BYTES: Final = 40
LINE_BYTES_MAX: Final = 16 * 1024  # Redis reads 256; an error text may quote a long user name


@unique
class HandshakeState(Enum):
    """Whose reply is awaited, or how it ended."""

    START = "start"
    PING = "ping"
    AUTH = "auth"
    LISTENING_PORT = "listening-port"
    IP_ADDRESS = "ip-address"
    CAPA = "capa"
    PSYNC = "psync"
    DONE = "done"
    FAILED = "failed"


@unique
class Answer(Enum):
    """What kind of line came."""

    POSITIVE = "positive"
    NEEDS_AUTH = "needs auth"
    ERROR = "error"
    OTHER = "other"
    EMPTY = "empty"
    FULLRESYNC = "fullresync"
    CONTINUE = "continue"
    NOT_NOW = "not now"
    END = "end of input"


@frozen
class PsyncRequest:
    """Where the follower wants to go on: the history's id and the first byte it lacks."""

    replid: bytes
    offset: int


@frozen
class HandshakeSettings:
    """What the follower tells of itself. ``announce_ip`` empty: not told. ``password`` empty: no AUTH."""

    listening_port: int
    announce_ip: bytes = b""
    user: bytes = b""
    password: bytes = b""
    psync: PsyncRequest | None = None


@frozen
class Note:
    """A line for the log; nothing to act on."""

    text: str
    warning: bool = False


@frozen
class KeepAlive:
    """The leader is alive, but has no answer yet."""


@frozen
class FullResync:
    """An RDB comes next. ``replid`` is None if the leader's line could not be understood, or after SYNC."""

    replid: bytes | None
    offset: int


@frozen
class Continue:
    """The stream goes on at the requested offset. ``replid`` is None with leaders older than Redis 4."""

    replid: bytes | None


@frozen
class Unsupported:
    """The leader does not know PSYNC. SYNC has been sent instead: an RDB comes next, and no offset is known."""


@frozen
class TryLater:
    """Close the connection and start again in a second."""

    reason: str


Event = Note | KeepAlive | FullResync | Continue | Unsupported | TryLater

_S = HandshakeState
_A = Answer

# (state, answer) -> does the handshake go on? The next state is the next step of this handshake's own list, because
# AUTH and ip-address are not always part of it. A pair without a row is a ProtocolError.
_GOES_ON: Final[dict[tuple[HandshakeState, Answer], bool]] = {
    (_S.PING, _A.POSITIVE): True,
    (_S.PING, _A.FULLRESYNC): True,  # Redis looks only at the plus sign
    (_S.PING, _A.CONTINUE): True,
    (_S.PING, _A.NEEDS_AUTH): True,
    (_S.PING, _A.ERROR): False,
    (_S.PING, _A.NOT_NOW): False,
    (_S.PING, _A.OTHER): False,
    (_S.PING, _A.EMPTY): False,
    (_S.AUTH, _A.POSITIVE): True,
    (_S.AUTH, _A.NEEDS_AUTH): False,
    (_S.AUTH, _A.ERROR): False,
    (_S.AUTH, _A.NOT_NOW): False,
    (_S.PSYNC, _A.FULLRESYNC): True,
    (_S.PSYNC, _A.CONTINUE): True,
    (_S.PSYNC, _A.NOT_NOW): False,
    (_S.PSYNC, _A.ERROR): True,
    (_S.PSYNC, _A.NEEDS_AUTH): True,
    (_S.PSYNC, _A.OTHER): True,
    (_S.PSYNC, _A.POSITIVE): True,
}
for _state in (_S.LISTENING_PORT, _S.IP_ADDRESS, _S.CAPA):
    for _answer in (_A.POSITIVE, _A.NEEDS_AUTH, _A.ERROR, _A.NOT_NOW, _A.OTHER):
        _GOES_ON[_state, _answer] = True


def _classify(line: bytes) -> Answer:
    if not line:
        return Answer.EMPTY
    if line.startswith(b"+FULLRESYNC"):
        return Answer.FULLRESYNC
    if line.startswith(b"+CONTINUE"):
        return Answer.CONTINUE
    if line.startswith(b"+"):
        return Answer.POSITIVE
    if line.startswith((b"-NOAUTH", b"-NOPERM", b"-ERR operation not permitted")):
        return Answer.NEEDS_AUTH
    if line.startswith((b"-NOMASTERLINK", b"-LOADING")):
        return Answer.NOT_NOW
    if line.startswith(b"-"):
        return Answer.ERROR
    return Answer.OTHER


def encode_command(*argv: bytes) -> bytes:
    """The command as a RESP array of bulk strings, as it stands in the stream."""
    parts = [b"*%d\r\n" % len(argv)]
    parts += [b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in argv]
    return b"".join(parts)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")


class FollowerHandshake:
    """Feed it what the leader sends, act on the events, send what `take_output` returns."""

    def __init__(self, settings: HandshakeSettings) -> None:
        self._settings = settings
        self._state = HandshakeState.START
        self._buffer = b""
        self._output = b""
        self._events: list[Event] = []
        steps = [HandshakeState.PING]
        if settings.password:
            steps.append(HandshakeState.AUTH)
        steps.append(HandshakeState.LISTENING_PORT)
        if settings.announce_ip:
            steps.append(HandshakeState.IP_ADDRESS)
        steps += [HandshakeState.CAPA, HandshakeState.PSYNC, HandshakeState.DONE]
        self._next_step = dict(pairwise(steps))

    @property
    def state(self) -> HandshakeState:
        return self._state

    def start(self) -> None:
        """The connection stands: PING is put out."""
        if self._state is not HandshakeState.START:
            raise self._illegal("start")
        self._state = HandshakeState.PING
        self._output += encode_command(b"PING")

    def feed(self, data: bytes) -> None:
        """Bytes from the leader. ProtocolError if a line is too long or makes no sense in this state."""
        self._buffer += data
        while self._state not in (HandshakeState.DONE, HandshakeState.FAILED):
            end = self._buffer.find(b"\n")
            if end < 0:
                if len(self._buffer) > LINE_BYTES_MAX:
                    raise ProtocolError(b"reply of the master in state %b is too long" % self._state.value.encode())
                return
            line = self._buffer[:end]
            self._buffer = self._buffer[end + 1 :]
            self._line(line.removesuffix(b"\r"))

    def next_event(self) -> Event | None:
        """The next event, or None: feed more."""
        return self._events.pop(0) if self._events else None

    def take_output(self) -> bytes:
        """What is to be sent to the leader now."""
        output, self._output = self._output, b""
        return output

    def end_of_input(self) -> None:
        """The leader has closed the connection. ProtocolError unless the handshake was over."""
        if self._state not in (HandshakeState.DONE, HandshakeState.FAILED):
            raise self._illegal(Answer.END.value)

    def take_rest(self) -> bytes:
        """Bytes received behind the answer to PSYNC: they belong to the transfer or to the stream."""
        rest, self._buffer = self._buffer, b""
        return rest

    def _illegal(self, event: str) -> ProtocolError:
        return ProtocolError(b"replication handshake: %b in state %b" % (event.encode(), self._state.value.encode()))

    def _line(self, line: bytes) -> None:
        answer = _classify(line)
        state = self._state
        if state is HandshakeState.PSYNC and answer is Answer.EMPTY:
            self._events.append(KeepAlive())
            return
        goes_on = _GOES_ON.get((state, answer))
        if goes_on is None:
            raise self._illegal(answer.value)
        if not goes_on:
            self._fail(state, line)
            return
        self._state = self._next_step[state]
        if state is HandshakeState.PING:
            self._events.append(Note("Master replied to PING, replication can continue..."))
            self._introduce()
        elif state is HandshakeState.PSYNC:
            self._psync_answer(answer, line)
        elif line.startswith(b"-"):
            what = f"(Non critical) Master does not understand REPLCONF {state.value}: {_text(line)}"
            self._events.append(Note(what))
        if self._state is HandshakeState.PSYNC:
            self._ask()

    def _fail(self, state: HandshakeState, line: bytes) -> None:
        self._state = HandshakeState.FAILED
        if state is HandshakeState.PING:
            reason = f"Error reply to PING from master: '{_text(line)}'"
        elif state is HandshakeState.AUTH:
            reason = f"Unable to AUTH to MASTER: {_text(line)}"
        else:
            reason = f"Master is currently unable to PSYNC but should be in the future: {_text(line)}"
        self._events.append(TryLater(reason))

    def _introduce(self) -> None:
        settings = self._settings
        if settings.password:
            user = (settings.user,) if settings.user else ()
            self._output += encode_command(b"AUTH", *user, settings.password)
        self._output += encode_command(b"REPLCONF", b"listening-port", b"%d" % settings.listening_port)
        if settings.announce_ip:
            self._output += encode_command(b"REPLCONF", b"ip-address", settings.announce_ip)
        self._output += encode_command(b"REPLCONF", b"capa", b"eof", b"capa", b"psync2")

    def _ask(self) -> None:
        psync = self._settings.psync
        if psync is None:
            self._events.append(Note("Partial resynchronization not possible (no cached master)"))
            self._output += encode_command(b"PSYNC", b"?", b"-1")
            return
        request = f"{psync.replid.decode('ascii', 'replace')}:{psync.offset}"
        self._events.append(Note(f"Trying a partial resynchronization (request {request})."))
        self._output += encode_command(b"PSYNC", psync.replid, b"%d" % psync.offset)

    def _psync_answer(self, answer: Answer, line: bytes) -> None:
        if answer is Answer.FULLRESYNC:
            self._events += _full_resync(line)
        elif answer is Answer.CONTINUE:
            self._events.append(Note("Successful partial resynchronization with master."))
            words = line.split(b" ")
            known = len(words) > 1 and len(words[1]) == REPLID_BYTES
            self._events.append(Continue(words[1] if known else None))
        else:
            if line.startswith(b"-ERR"):
                note = Note(f"Master does not support PSYNC or is in error state (reply: {_text(line)})")
            else:
                note = Note(f"Unexpected reply to PSYNC from master: {_text(line)}", warning=True)
            self._output += b"SYNC\r\n"
            self._events += [note, Note("Retrying with SYNC..."), Unsupported()]


def _full_resync(line: bytes) -> list[Event]:
    """``+FULLRESYNC <40 hex digits> <offset>``. An RDB follows even if the line is malformed."""
    words = line.split(b" ")
    if len(words) < 3 or len(words[1]) != REPLID_BYTES or not words[2].removeprefix(b"-").isdigit():
        # Without a usable id the next PSYNC must fail: None makes it ask for `? -1`.
        return [Note("Master replied with wrong +FULLRESYNC syntax.", warning=True), FullResync(None, -1)]
    replid, offset = words[1], int(words[2])
    return [Note(f"Full resync from master: {_text(replid)}:{offset}"), FullResync(replid, offset)]
