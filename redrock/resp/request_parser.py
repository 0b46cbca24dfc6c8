"""Bytes of a client's connection to requests (argv), incremental and without I/O.

Source: Redis 7.0.15, networking.c: processInputBuffer, processInlineBuffer, processMultibulkBuffer. Two forms:
  *<count>CRLF and count times $<length>CRLF<length bytes>CRLF      from clients, followers, the leader's stream
  <words, quoted as in `quoting`>LF                                 inline, from people; an empty line is skipped
Quirks kept: the LF behind a CR and the CRLF behind an argument are skipped unseen, and a NUL hides what stands behind
it from the search for the end of a line (Redis searches with strchr), so such a line ends as one that is too long.

Invariants: each byte is copied out once, into its argument; a byte is searched for a line's end at most once while a
line is incomplete; nothing is allocated because of a length that was only announced.
Lengths and positions are in bytes. Knows nothing of commands, sockets or time.
"""

from typing import Final, final

from mypy_extensions import i64

from redrock import errors
from redrock.errors import ProtocolError
from redrock.util.numbers import parse_integer
from redrock.util.quoting import split_args

# PROTO_INLINE_MAX_SIZE: what may be held without the end of a line in it, inline or one of the two kinds of count.
LINE_BYTES_MAX: Final = 64 * 1024
# INT_MAX: the biggest count of arguments.
ARGUMENTS_MAX: Final = 2**31 - 1
# While a client has to authenticate, it cannot make the server hold more than this.
UNAUTHENTICATED_ARGUMENTS_MAX: Final = 10
UNAUTHENTICATED_BULK_BYTES_MAX: Final = 16384
# proto-max-bulk-len by default
BULK_BYTES_MAX: Final = 512 * 1024 * 1024

_STAR: Final = 42
_DOLLAR: Final = 36
_CR: Final = 13
_ZERO: Final = 48
_NINE: Final = 57
# Counts of up to this many digits are read on the fast path; they are below every fixed limit.
_FAST_DIGITS: Final = 9

# Pieces below this size are joined in groups, so that a peer that sends byte by byte costs us bytes, not objects.
_SMALL_PIECE_BYTES: Final = 1024
_SMALL_PIECES_MAX: Final = 256

_NEVER: Final = b""


@final
class RequestParser:
    """Feed it what was received, take requests until None.

    Attributes that the server sets, at any time: ``authenticated`` (False: the tighter limits hold),
    ``proto_max_bulk_len``, ``trusted`` (the leader's stream: arguments of any length, but no inline commands).
    ``consumed`` counts the bytes up to the end of the last request returned, since the start. ``blank_lines`` counts
    empty lines: a follower sends them as signs of life.
    """

    def __init__(self) -> None:
        self.authenticated: bool = True
        self.trusted: bool = False
        self.proto_max_bulk_len: i64 = BULK_BYTES_MAX
        self.consumed: i64 = 0
        self.blank_lines: i64 = 0
        self._fed: i64 = 0
        # Unparsed: _buffer from _position on, then _pieces.
        self._buffer: bytes = b""
        self._position: i64 = 0
        self._pieces: list[bytes] = []
        self._pieces_bytes: i64 = 0
        self._small_pieces: i64 = 0
        # Asleep: the unparsed bytes are the start of a line. What wakes us is the byte _wake_byte, or a total length.
        self._asleep: bool = False
        self._wake_byte: bytes = _NEVER
        self._wake_bytes: i64 = 0
        # The request being read.
        self._argv: list[bytes] = []
        self._arguments_left: i64 = 0
        # An argument whose length is known and that has not arrived whole: its pieces are collected beside the buffer,
        # which is empty until all of the argument is there.
        self._collecting: bool = False
        self._collected: list[bytes] = []
        self._collected_bytes: i64 = 0
        self._missing: i64 = 0

    # --- what comes in

    def feed(self, data: bytes) -> None:
        """Take over received bytes. O(1) but for an argument's own bytes; copies nothing if nothing was held."""
        length: i64 = len(data)
        self._fed += length
        if self._missing > 0:
            if length <= self._missing:
                self._missing -= length
                self._collected_bytes += length
                self._collect(data)
                return
            taken = self._missing
            self._missing = 0
            self._collected_bytes += taken
            self._collect(data[:taken])
            self._buffer = data
            self._position = taken
            return
        held: i64 = len(self._buffer) - self._position
        if held == 0 and not self._pieces:
            self._buffer = data
            self._position = 0
            self._asleep = False
            return
        self._small_pieces = _append_piece(self._pieces, data, self._small_pieces)
        self._pieces_bytes += length
        if self._asleep and (
            held + self._pieces_bytes >= self._wake_bytes
            or (len(self._wake_byte) > 0 and data.find(self._wake_byte) >= 0)
        ):
            self._asleep = False

    def buffered_bytes(self) -> int:
        """Bytes held that are not parsed into arguments yet."""
        return len(self._buffer) - self._position + self._pieces_bytes + self._collected_bytes

    def missing_bytes(self) -> int:
        """How many bytes the argument being received still lacks, its CRLF included; 0 if none is under way."""
        return self._missing + 2 if self._missing > 0 else 0

    def pending_argv_bytes(self) -> int:
        """Bytes of the arguments already parsed of a request that is not complete. O(arguments)."""
        total = 0
        for argument in self._argv:
            total += len(argument)
        return total

    # --- what comes out

    def next_request(self) -> list[bytes] | None:
        """The next request, never empty; None: feed more. After a ProtocolError the parser is not usable."""
        if self._asleep or self._missing > 0:
            return None
        if self._pieces:
            self._join()
        if self._collecting and not self._finish_collecting():
            return None
        buffer = self._buffer
        position: i64 = self._position
        end: i64 = len(buffer)
        argv = self._argv
        left: i64 = self._arguments_left
        number: i64 = 0
        cursor: i64 = 0
        digit: i64 = 0
        while True:
            if left == 0:
                if argv:
                    self._argv = []
                    self._arguments_left = 0
                    self._position = position
                    self.consumed = self._fed - (end - position)
                    return argv
                # --- the count of arguments
                if position >= end:
                    self._buffer = b""
                    self._position = 0
                    return None
                number = 0
                cursor = position + 1
                if buffer[position] == _STAR:
                    while cursor < end and cursor <= position + _FAST_DIGITS:
                        digit = buffer[cursor]
                        if digit < _ZERO or digit > _NINE:
                            break
                        number = number * 10 + (digit - _ZERO)
                        cursor += 1
                if (
                    number > 0
                    and number <= UNAUTHENTICATED_ARGUMENTS_MAX
                    and buffer[position + 1] != _ZERO
                    and cursor + 1 < end
                    and buffer[cursor] == _CR
                ):
                    position = cursor + 2
                    left = number
                else:
                    # Rare: inline, many arguments, nothing to do, incomplete, wrong.
                    self._position = position
                    if buffer[position] == _STAR:
                        left = self._read_count()
                        if left < 0:
                            return None
                    else:
                        words = self._read_inline()
                        if words is None:
                            return None
                        argv = words
                    position = self._position
                continue
            # --- an argument
            number = 0
            cursor = position + 1
            if position < end and buffer[position] == _DOLLAR:
                while cursor < end and cursor <= position + _FAST_DIGITS:
                    digit = buffer[cursor]
                    if digit < _ZERO or digit > _NINE:
                        break
                    number = number * 10 + (digit - _ZERO)
                    cursor += 1
            if (
                cursor > position + 1
                and (buffer[position + 1] != _ZERO or cursor == position + 2)
                and number <= UNAUTHENTICATED_BULK_BYTES_MAX
                and number <= self.proto_max_bulk_len
                and cursor + 1 < end
                and buffer[cursor] == _CR
            ):
                position = cursor + 2
            else:
                self._argv = argv
                self._arguments_left = left
                self._position = position
                number = self._read_length()
                if number < 0:
                    return None
                position = self._position
            if number + 2 <= end - position:
                argv.append(buffer[position : position + number])
                position += number + 2
                left -= 1
                continue
            # --- an argument that is not here whole
            self._argv = argv
            self._arguments_left = left
            self._collecting = True
            if number <= end - position:
                # Only its CRLF is missing.
                self._collected = [buffer[position : position + number]]
                self._collected_bytes = number
                self._missing = 0
                self._position = position + number
                return None
            self._collected = [buffer[position:]]
            self._collected_bytes = end - position
            self._missing = number - (end - position)
            self._small_pieces = 0
            self._buffer = b""
            self._position = 0
            return None

    # --- lines

    def _read_count(self) -> i64:
        """Read ``*<count>`` and step over it: 0 means nothing to do, -1 that the line is not complete."""
        text = self._read_line(errors.PROTOCOL_BIG_MULTIBULK_COUNT)
        if text is None:
            return -1
        count = parse_integer(text[1:])
        if count is None or count > ARGUMENTS_MAX:
            raise ProtocolError(errors.PROTOCOL_MULTIBULK_LENGTH)
        if count > UNAUTHENTICATED_ARGUMENTS_MAX and not self.authenticated:
            raise ProtocolError(errors.PROTOCOL_UNAUTHENTICATED_MULTIBULK)
        self._position += len(text) + 2
        return count if count > 0 else 0

    def _read_length(self) -> i64:
        """Read ``$<length>`` and step over it; -1: the line is not complete."""
        text = self._read_line(errors.PROTOCOL_BIG_BULK_COUNT)
        if text is None:
            return -1
        if text[:1] != b"$":
            raise ProtocolError(errors.protocol_expected_bulk(self._buffer[self._position]))
        length = parse_integer(text[1:])
        if length is None or length < 0 or (length > self.proto_max_bulk_len and not self.trusted):
            raise ProtocolError(errors.PROTOCOL_BULK_LENGTH)
        if length > UNAUTHENTICATED_BULK_BYTES_MAX and not self.authenticated:
            raise ProtocolError(errors.PROTOCOL_UNAUTHENTICATED_BULK)
        self._position += len(text) + 2
        return length

    def _read_line(self, too_long: bytes) -> bytes | None:
        """What stands before the next CR, if a byte stands behind that; else None, and sleep until more can be said."""
        buffer = self._buffer
        position = self._position
        end: i64 = len(buffer)
        line_end: i64 = buffer.find(b"\r", position)
        hidden = buffer.find(b"\0", position, end if line_end < 0 else line_end) >= 0
        if line_end < 0 or hidden:
            self._sleep_for_line(_NEVER if hidden else b"\r", too_long)
            return None
        if line_end + 2 > end:
            self._sleep(_NEVER, line_end + 2 - position)
            return None
        return buffer[position:line_end]

    def _read_inline(self) -> list[bytes] | None:
        """Read a line of words and step over it; empty: a blank line; None: the line is not complete."""
        buffer = self._buffer
        position = self._position
        end: i64 = len(buffer)
        line_end: i64 = buffer.find(b"\n", position)
        hidden = buffer.find(b"\0", position, end if line_end < 0 else line_end) >= 0
        if line_end < 0 or hidden:
            self._sleep_for_line(_NEVER if hidden else b"\n", errors.PROTOCOL_BIG_INLINE)
            return None
        self._position = line_end + 1
        if line_end > position and buffer[line_end - 1] == _CR:
            line_end -= 1
        if line_end == position:
            self.blank_lines += 1
            return []
        words = split_args(buffer[position:line_end])
        if words is None:
            raise ProtocolError(errors.PROTOCOL_UNBALANCED_QUOTES)
        if self.trusted:
            # A leader may send a bare newline to keep the link open; anything else means that we lost our place.
            raise ProtocolError(errors.PROTOCOL_LEADER_INLINE)
        return words

    def _sleep_for_line(self, wake_byte: bytes, too_long: bytes) -> None:
        held: i64 = len(self._buffer) - self._position
        if held > LINE_BYTES_MAX:
            raise ProtocolError(too_long)
        self._sleep(wake_byte, LINE_BYTES_MAX + 1)

    def _sleep(self, wake_byte: bytes, wake_bytes: i64) -> None:
        """Look at nothing before ``wake_byte`` arrives or ``wake_bytes`` are held in all."""
        if self._position > 0:
            # Whoever sends half a line must not make us keep what stood before it.
            self._buffer = self._buffer[self._position :]
            self._position = 0
        self._asleep = True
        self._wake_byte = wake_byte
        self._wake_bytes = wake_bytes

    # --- pieces

    def _join(self) -> None:
        self._pieces.insert(0, self._buffer[self._position :])
        self._buffer = b"".join(self._pieces)
        self._position = 0
        self._pieces = []
        self._pieces_bytes = 0
        self._small_pieces = 0

    def _collect(self, data: bytes) -> None:
        self._small_pieces = _append_piece(self._collected, data, self._small_pieces)

    def _finish_collecting(self) -> bool:
        """Append the collected argument to argv if its CRLF has arrived too."""
        if len(self._buffer) - self._position < 2:
            return False
        self._position += 2
        if len(self._collected) == 1:
            self._argv.append(self._collected[0])
        else:
            self._argv.append(b"".join(self._collected))
        self._collected = []
        self._collected_bytes = 0
        self._small_pieces = 0
        self._collecting = False
        self._arguments_left -= 1
        return True


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
