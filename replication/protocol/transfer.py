"""RDB transfer, leader to follower: the framing around the payload.

Source: Redis 7.0.15, replication.c, readSyncBulkPayload, sendBulkToSlave. Two forms:
  $<length>CRLF<length bytes>                       snapshot on disk
  $EOF:<40 bytes>CRLF<payload><the same 40 bytes>   snapshot streamed, length unknown
Before either, any number of bare newlines: the leader is still preparing and keeps the connection alive. A line
that starts with a minus is the leader giving up.
Invariant: each payload byte is returned once, in order, and no byte after it is consumed.
Lengths are in bytes. Knows nothing of what an RDB contains, of sockets or of time.
"""

from enum import Enum, unique
from typing import Final

from attrs import frozen

from redrock.errors import ProtocolError

EOF_MARK_BYTES: Final = 40
HEADER_BYTES_MAX: Final = 1024


@unique
class TransferState(Enum):
    """Which part is being received."""

    HEADER = "header"
    COUNTED = "payload of known length"
    MARKED = "payload up to the end mark"
    DONE = "done"


@frozen
class TransferKeepAlive:
    """A bare newline: the snapshot is not ready yet."""


@frozen
class TransferStart:
    """``length`` in bytes; None if the payload ends with a mark."""

    length: int | None


@frozen
class Payload:
    """The next bytes of the RDB."""

    data: bytes


@frozen
class TransferEnd:
    """Every payload byte has been returned; what follows is the stream (see `take_rest`)."""


TransferEvent = TransferKeepAlive | TransferStart | Payload | TransferEnd


def counted_header(length: int) -> bytes:
    """What a leader sends before ``length`` bytes of RDB."""
    return b"$%d\r\n" % length


def marked_header(mark: bytes) -> bytes:
    """What a leader sends before an RDB of unknown length, which it ends with ``mark``."""
    assert len(mark) == EOF_MARK_BYTES
    return b"$EOF:%b\r\n" % mark


class TransferReceiver:
    """The follower's side. ``next_event`` may raise ProtocolError; the connection is to be closed then."""

    def __init__(self) -> None:
        self._state = TransferState.HEADER
        self._buffer = b""
        self._left = 0
        self._mark = b""

    @property
    def state(self) -> TransferState:
        return self._state

    @property
    def marked(self) -> bool:
        """Was the streamed form announced?"""
        return bool(self._mark)

    def feed(self, data: bytes) -> None:
        """Bytes from the leader. Take all events before feeding more, so that the buffer stays small."""
        self._buffer = self._buffer + data if self._buffer else data

    def next_event(self) -> TransferEvent | None:
        """The next event, or None: feed more."""
        if self._state is TransferState.HEADER:
            return self._header()
        if self._state is TransferState.COUNTED:
            return self._counted()
        if self._state is TransferState.MARKED:
            return self._marked()
        return None

    def end_of_input(self) -> None:
        """The leader closed the connection: a ProtocolError unless all was received."""
        if self._state is not TransferState.DONE:
            raise ProtocolError(b"RDB transfer: connection lost in state %b" % self._state.value.encode())

    def take_rest(self) -> bytes:
        """Bytes received after the payload."""
        assert self._state is TransferState.DONE
        rest, self._buffer = self._buffer, b""
        return rest

    def _header(self) -> TransferEvent | None:
        end = self._buffer.find(b"\n")
        if end < 0:
            if len(self._buffer) > HEADER_BYTES_MAX:
                raise ProtocolError(b"RDB transfer: header too long")
            return None
        line = self._buffer[:end].removesuffix(b"\r")
        self._buffer = self._buffer[end + 1 :]
        if not line:
            return TransferKeepAlive()
        if line.startswith(b"-"):
            raise ProtocolError(b"MASTER aborted replication with an error: %b" % line[1:])
        if line.startswith(b"$EOF:") and len(line) >= 5 + EOF_MARK_BYTES:
            self._mark = line[5 : 5 + EOF_MARK_BYTES]
            self._state = TransferState.MARKED
            return TransferStart(None)
        if not line.startswith(b"$"):
            raise ProtocolError(
                b"Bad protocol from MASTER, the first byte is not '$' (we received '%b'), are you sure the host and "
                b"port are right?" % line
            )
        # Differs from Redis: a length that is no number is refused; Redis takes it as 0 and fails on the RDB.
        if not line[1:].isdigit() or len(line) > 20:
            raise ProtocolError(b"RDB transfer: invalid length '%b'" % line[1:])
        self._left = int(line[1:])
        self._state = TransferState.COUNTED
        return TransferStart(self._left)

    def _counted(self) -> TransferEvent | None:
        if self._left == 0:
            self._state = TransferState.DONE
            return TransferEnd()
        if not self._buffer:
            return None
        if len(self._buffer) <= self._left:
            data, self._buffer = self._buffer, b""
        else:
            data, self._buffer = self._buffer[: self._left], self._buffer[self._left :]
        self._left -= len(data)
        return Payload(data)

    def _marked(self) -> TransferEvent | None:
        at = self._buffer.find(self._mark)
        if at == 0:
            self._buffer = self._buffer[EOF_MARK_BYTES:]
            self._state = TransferState.DONE
            return TransferEnd()
        if at > 0:
            data, self._buffer = self._buffer[:at], self._buffer[at:]
            return Payload(data)
        # The last 39 bytes may be the beginning of the mark: they wait for what comes.
        safe = len(self._buffer) - (EOF_MARK_BYTES - 1)
        if safe <= 0:
            return None
        data, self._buffer = self._buffer[:safe], self._buffer[safe:]
        return Payload(data)
