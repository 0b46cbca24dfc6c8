"""Bytes of a client's connection to requests (argv), incremental and without I/O.

Source: Redis 7.0.15, networking.c: processInputBuffer, processInlineBuffer, processMultibulkBuffer. Two forms:
  *<count>CRLF and count times $<length>CRLF<length bytes>CRLF      from clients, followers, the leader's stream
  <words, quoted as in `quoting`>LF                                 inline, from people; an empty line is skipped
Quirks kept: the LF behind a CR and the CRLF behind an argument are skipped unseen, and a NUL hides what stands behind
it from the search for the end of a line (Redis searches with strchr), so such a line ends as one that is too long.

Invariant: each byte is copied out once, into its argument. See `incoming` for what holds of incomplete requests.
Lengths and positions are in bytes. Knows nothing of commands, sockets or time.
"""

from typing import Final, final

from mypy_extensions import i64

from redrock import errors
from redrock.errors import ProtocolError
from redrock.resp.incoming import IncomingBytes
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
        self._incoming: Final = IncomingBytes()
        # The request being read.
        self._argv: list[bytes] = []
        self._arguments_left: i64 = 0

    # --- what comes in

    def feed(self, data: bytes) -> None:
        """Take over received bytes; if nothing was held, without copying them."""
        self._incoming.feed(data)

    def buffered_bytes(self) -> int:
        """Bytes held that are not parsed into arguments yet."""
        return self._incoming.held_bytes()

    def missing_bytes(self) -> int:
        """How many bytes the argument being received still lacks, its CRLF included; 0 if none is under way."""
        missing: int = self._incoming.missing
        return missing + 2 if missing > 0 else 0

    def pending_argv_bytes(self) -> int:
        """Bytes of the arguments already parsed of a request that is not complete. O(arguments)."""
        total = 0
        for argument in self._argv:
            total += len(argument)
        return total

    # --- what comes out

    def next_request(self) -> list[bytes] | None:
        """The next request, never empty; None: feed more. A ProtocolError is raised again by every later call."""
        incoming = self._incoming
        if not incoming.open():
            return None
        if incoming.collecting:
            argument = incoming.collected()
            if argument is None:
                return None
            self._argv.append(argument)
            self._arguments_left -= 1
        buffer = incoming.buffer
        position: i64 = incoming.position
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
                    incoming.position = position
                    self.consumed = incoming.fed - (end - position)
                    return argv
                # --- the count of arguments
                if position >= end:
                    incoming.buffer = b""
                    incoming.position = 0
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
                    incoming.position = position
                    if buffer[position] == _STAR:
                        left = self._read_count()
                        if left < 0:
                            return None
                    else:
                        words = self._read_inline()
                        if words is None:
                            return None
                        argv = words
                    position = incoming.position
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
                incoming.position = position
                number = self._read_length()
                if number < 0:
                    return None
                position = incoming.position
            if number <= end - position - 2:
                argv.append(buffer[position : position + number])
                position += number + 2
                left -= 1
                continue
            # --- an argument that is not here whole
            self._argv = argv
            self._arguments_left = left
            incoming.position = position
            incoming.collect(number)
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
        self._incoming.position += len(text) + 2
        return count if count > 0 else 0

    def _read_length(self) -> i64:
        """Read ``$<length>`` and step over it; -1: the line is not complete."""
        text = self._read_line(errors.PROTOCOL_BIG_BULK_COUNT)
        if text is None:
            return -1
        if text[:1] != b"$":
            raise ProtocolError(errors.protocol_expected_bulk(self._incoming.buffer[self._incoming.position]))
        length = parse_integer(text[1:])
        if length is None or length < 0 or (length > self.proto_max_bulk_len and not self.trusted):
            raise ProtocolError(errors.PROTOCOL_BULK_LENGTH)
        if length > UNAUTHENTICATED_BULK_BYTES_MAX and not self.authenticated:
            raise ProtocolError(errors.PROTOCOL_UNAUTHENTICATED_BULK)
        self._incoming.position += len(text) + 2
        return length

    def _read_line(self, too_long: bytes) -> bytes | None:
        """What stands before the next CR, if a byte stands behind that; else None, and sleep until more can be said."""
        buffer = self._incoming.buffer
        position = self._incoming.position
        end: i64 = len(buffer)
        line_end: i64 = buffer.find(b"\r", position)
        hidden = buffer.find(b"\0", position, end if line_end < 0 else line_end) >= 0
        if line_end < 0 or hidden:
            self._sleep_for_line(_NEVER if hidden else b"\r", too_long)
            return None
        if line_end + 2 > end:
            self._incoming.sleep(_NEVER, line_end + 2 - position)
            return None
        return buffer[position:line_end]

    def _read_inline(self) -> list[bytes] | None:
        """Read a line of words and step over it; empty: a blank line; None: the line is not complete."""
        buffer = self._incoming.buffer
        position = self._incoming.position
        end: i64 = len(buffer)
        line_end: i64 = buffer.find(b"\n", position)
        hidden = buffer.find(b"\0", position, end if line_end < 0 else line_end) >= 0
        if line_end < 0 or hidden:
            self._sleep_for_line(_NEVER if hidden else b"\n", errors.PROTOCOL_BIG_INLINE)
            return None
        behind = line_end + 1
        if line_end > position and buffer[line_end - 1] == _CR:
            line_end -= 1
        if line_end == position:
            self._incoming.position = behind
            self.blank_lines += 1
            return []
        # Stepped over only if it is in order: whoever asks again gets the same complaint.
        words = split_args(buffer[position:line_end])
        if words is None:
            raise ProtocolError(errors.PROTOCOL_UNBALANCED_QUOTES)
        if self.trusted:
            # A leader may send a bare newline to keep the link open; anything else means that we lost our place.
            raise ProtocolError(errors.PROTOCOL_LEADER_INLINE)
        self._incoming.position = behind
        return words

    def _sleep_for_line(self, wake_byte: bytes, too_long: bytes) -> None:
        held: i64 = len(self._incoming.buffer) - self._incoming.position
        if held > LINE_BYTES_MAX:
            raise ProtocolError(too_long)
        self._incoming.sleep(wake_byte, LINE_BYTES_MAX + 1)
