"""Received bytes on their way into a parser: cheap to hold, whatever pieces they arrive in.

Three states. *Open*: the parser reads ``buffer`` from ``position`` on, and moves ``position``. *Asleep*: what is held
is the start of a line, and nothing is looked at before a certain byte or a certain length arrives. *Collecting*: what
is held is the start of a payload of known length; its pieces are kept in a list and joined once.

Invariants: a payload is copied once when it comes in pieces; a byte is searched for a line's end once per line; a
peer that sends byte by byte costs O(n); nothing is allocated because of a length that was only announced.
"""

from typing import Final, final

from mypy_extensions import i64

# Pieces below this size are joined in groups, so that a peer that sends byte by byte costs us bytes, not objects.
_SMALL_PIECE_BYTES: Final = 1024
_SMALL_PIECES_MAX: Final = 256


@final
class IncomingBytes:
    """The bytes that one parser has been fed and has not parsed. ``fed`` counts all of them since the start."""

    def __init__(self) -> None:
        self.fed: i64 = 0
        self.buffer: bytes = b""
        self.position: i64 = 0
        # Collecting: the payload's length is known; `missing` of its bytes are still to come.
        self.collecting: bool = False
        self.missing: i64 = 0
        self._payload: list[bytes] = []
        self._payload_bytes: i64 = 0
        # What came behind `buffer` and is not joined to it yet.
        self._pieces: list[bytes] = []
        self._pieces_bytes: i64 = 0
        self._small_pieces: i64 = 0
        self._asleep: bool = False
        self._wake_byte: bytes = b""
        self._wake_bytes: i64 = 0

    def feed(self, data: bytes) -> None:
        """Take over received bytes; if nothing was held, without copying them."""
        length: i64 = len(data)
        self.fed += length
        if self.missing > 0:
            taken = self.missing
            if length <= taken:
                self.missing = taken - length
                self._payload_bytes += length
                self._small_pieces = _append_piece(self._payload, data, self._small_pieces)
                return
            self.missing = 0
            self._payload_bytes += taken
            self._payload.append(data[:taken])
            self.buffer = data
            self.position = taken
            return
        held: i64 = len(self.buffer) - self.position
        if held == 0 and not self._pieces:
            self.buffer = data
            self.position = 0
            self._asleep = False
            return
        self._small_pieces = _append_piece(self._pieces, data, self._small_pieces)
        self._pieces_bytes += length
        if self._asleep and (
            held + self._pieces_bytes >= self._wake_bytes
            or (len(self._wake_byte) > 0 and data.find(self._wake_byte) >= 0)
        ):
            self._asleep = False

    def held_bytes(self) -> i64:
        """Bytes fed and not parsed, those of a payload under way included."""
        return len(self.buffer) - self.position + self._pieces_bytes + self._payload_bytes

    def open(self) -> bool:
        """Whether there may be something to parse; if so, all that is held is in ``buffer``, but for a payload."""
        if self._asleep or self.missing > 0:
            return False
        if self._pieces:
            self._pieces.insert(0, self.buffer[self.position :])
            self.buffer = b"".join(self._pieces)
            self.position = 0
            self._pieces = []
            self._pieces_bytes = 0
            self._small_pieces = 0
        return True

    def take_rest(self) -> bytes:
        """All bytes that are not parsed; none are left. Not while collecting."""
        assert not self.collecting
        self._asleep = False
        self.open()
        rest = self.buffer[self.position :]
        self.buffer = b""
        self.position = 0
        return rest

    def sleep(self, wake_byte: bytes, wake_bytes: i64) -> None:
        """Open no more before ``wake_byte`` (empty: none) arrives or ``wake_bytes`` are held in all."""
        if self.position > 0:
            # Whoever sends half a line must not make us keep what stood before it.
            self.buffer = self.buffer[self.position :]
            self.position = 0
        self._asleep = True
        self._wake_byte = wake_byte
        self._wake_bytes = wake_bytes

    def collect(self, length: i64) -> None:
        """Collect a payload of ``length`` bytes that starts at ``position``; see `collected`."""
        buffer = self.buffer
        held: i64 = len(buffer) - self.position
        self.collecting = True
        if held >= length:
            self._payload = [buffer[self.position : self.position + length]]
            self._payload_bytes = length
            self.position += length
            return
        self._payload = [buffer[self.position :]]
        self._payload_bytes = held
        self.missing = length - held
        self._small_pieces = 0
        self.buffer = b""
        self.position = 0

    def collected(self) -> bytes | None:
        """The payload, once it and the two bytes of its CRLF are here; steps over these, unseen. Ends collecting."""
        if self.missing > 0 or len(self.buffer) - self.position < 2:
            return None
        self.position += 2
        payload = self._payload[0] if len(self._payload) == 1 else b"".join(self._payload)
        self._payload = []
        self._payload_bytes = 0
        self._small_pieces = 0
        self.collecting = False
        return payload


def _append_piece(pieces: list[bytes], data: bytes, small: i64) -> i64:
    """Append, and join the last small pieces when there are many. ``small`` counts them; returns the new count."""
    pieces.append(data)
    if len(data) >= _SMALL_PIECE_BYTES:
        return 0
    small += 1
    if small < _SMALL_PIECES_MAX:
        return small
    joined = b"".join(pieces[-_SMALL_PIECES_MAX:])
    del pieces[-_SMALL_PIECES_MAX:]
    pieces.append(joined)
    return 0
