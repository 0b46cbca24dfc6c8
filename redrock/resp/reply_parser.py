"""Bytes of a server's answers to replies, RESP2 and RESP3, incremental and without I/O.

Source: the RESP3 specification and Redis 7.0.15, networking.c, addReply*. What `encoder` writes comes back as the same
reply, but for what the wire does not tell apart (RESP2 knows no map, and RESP3 no null array).
Not understood: RESP3's streamed strings and aggregates (``$?``), which Redis never sends.

Unlike `request_parser` it is strict: a line ends with CRLF and so does a bulk string. Nothing is allocated because of a
length that was only announced, and nesting is bounded.
"""

from typing import Final, TypeAlias, Union, final

from mypy_extensions import i64

from redrock.errors import ProtocolError
from redrock.resp.incoming import IncomingBytes
from redrock.resp.reply import (
    NULL_ARRAY,
    OK,
    Attributed,
    BigNumber,
    ErrorReply,
    MapReply,
    PushReply,
    Reply,
    ReplyNode,
    SetReply,
    Status,
    Verbatim,
)
from redrock.util.numbers import parse_float, parse_integer

# A status or error in one line. Redis cuts what it quotes; scripts may return more.
LINE_BYTES_MAX: Final = 1024 * 1024
# As proto-max-bulk-len, the biggest string that a server holds.
BULK_BYTES_MAX: Final = 512 * 1024 * 1024
ELEMENTS_MAX: Final = 2**31 - 1
# Deeper than any answer of Redis, whose Lua refuses much less.
DEPTH_MAX: Final = 1024

_PLUS: Final = 43
_MINUS: Final = 45
_COLON: Final = 58
_DOLLAR: Final = 36
_STAR: Final = 42
_UNDERSCORE: Final = 95
_COMMA: Final = 44
_HASH: Final = 35
_OPEN: Final = 40
_BANG: Final = 33
_EQUALS: Final = 61
_PERCENT: Final = 37
_TILDE: Final = 126
_GREATER: Final = 62
_BAR: Final = 124


class NeedMore:
    """Use the constant NEED_MORE: no reply is complete. (None is a reply.)"""


NEED_MORE: Final = NeedMore()

ReplyOrMore: TypeAlias = Union[Reply, NeedMore]


@final
class ReplyParser:
    """Feed it what was received, take replies until NEED_MORE. After a ProtocolError it is not usable.

    ``consumed`` counts the bytes up to the end of the last reply returned, since the start.
    """

    def __init__(self) -> None:
        self.consumed: i64 = 0
        self._incoming: Final = IncomingBytes()
        # The bulk string being collected: its first byte.
        self._bulk_mark: i64 = 0
        # The aggregates that are open, outermost first: first byte, what they have, how many elements they lack.
        self._marks: list[int] = []
        self._elements: list[list[Reply]] = []
        self._lacking: list[int] = []

    def feed(self, data: bytes) -> None:
        """Take over received bytes; if nothing was held, without copying them."""
        self._incoming.feed(data)

    def buffered_bytes(self) -> int:
        """Bytes held that are not parsed yet."""
        return self._incoming.held_bytes()

    def missing_bytes(self) -> int:
        """How many bytes the bulk string being received still lacks, its CRLF included; 0 if none is under way."""
        missing: int = self._incoming.missing
        return missing + 2 if missing > 0 else 0

    def take_rest(self) -> bytes:
        """All bytes behind the last reply, for who reads something else from there on. Only between replies."""
        assert not self._marks
        assert not self._incoming.collecting
        return self._incoming.take_rest()

    def next_reply(self) -> ReplyOrMore:
        """The next reply, complete with all its elements, or NEED_MORE."""
        incoming = self._incoming
        if not incoming.open():
            return NEED_MORE
        if incoming.collecting:
            payload = self._collected()
            if payload is None:
                return NEED_MORE
            reply = self._nest(_from_bulk(self._bulk_mark, payload))
            if not isinstance(reply, NeedMore):
                return reply
        while True:
            line = self._read_line()
            if line is None:
                return NEED_MORE
            if not line:
                raise ProtocolError(b"a reply without a type")
            mark = line[0]
            if mark in (_DOLLAR, _EQUALS, _BANG):
                length = _parse_length(line, BULK_BYTES_MAX)
                if length < 0:
                    value: Reply = None
                else:
                    self._bulk_mark = mark
                    incoming.collect(length)
                    payload = self._collected()
                    if payload is None:
                        return NEED_MORE
                    value = _from_bulk(mark, payload)
            elif mark in (_STAR, _PERCENT, _TILDE, _GREATER, _BAR):
                count = _parse_length(line, ELEMENTS_MAX)
                if count < 0:
                    value = NULL_ARRAY
                else:
                    if mark in (_PERCENT, _BAR):
                        count *= 2
                    if mark == _BAR:
                        # The reply that the attributes are about counts as one more element.
                        count += 1
                    if count > 0:
                        self._open_aggregate(mark, count)
                        continue
                    value = _from_elements(mark, [])
            else:
                value = _from_line(mark, line[1:])
            reply = self._nest(value)
            if not isinstance(reply, NeedMore):
                return reply

    def _open_aggregate(self, mark: int, count: int) -> None:
        if len(self._marks) >= DEPTH_MAX:
            raise ProtocolError(b"a reply nested too deep")
        self._marks.append(mark)
        self._elements.append([])
        self._lacking.append(count)

    def _nest(self, value: Reply) -> ReplyOrMore:
        """Put a complete value where it belongs; if that completes the outermost reply, return that."""
        while self._marks:
            self._elements[-1].append(value)
            self._lacking[-1] -= 1
            if self._lacking[-1] > 0:
                return NEED_MORE
            self._lacking.pop()
            value = _from_elements(self._marks.pop(), self._elements.pop())
        self.consumed = self._incoming.fed - self._incoming.held_bytes()
        return value

    def _read_line(self) -> bytes | None:
        """The next line without its CRLF; None: it is not complete."""
        incoming = self._incoming
        buffer = incoming.buffer
        position = incoming.position
        line_end: i64 = buffer.find(b"\n", position)
        length: i64 = (line_end if line_end >= 0 else len(buffer)) - position
        if length > LINE_BYTES_MAX:
            raise ProtocolError(b"a reply line is too long")
        if line_end < 0:
            if length == 0:
                incoming.buffer = b""
                incoming.position = 0
            else:
                incoming.sleep(b"\n", LINE_BYTES_MAX + 1)
            return None
        if line_end == position or buffer[line_end - 1] != 13:
            raise ProtocolError(b"a reply line without CR")
        incoming.position = line_end + 1
        return buffer[position : line_end - 1]

    def _collected(self) -> bytes | None:
        """The bulk string, if it is here, and its CRLF."""
        incoming = self._incoming
        payload = incoming.collected()
        if payload is not None and incoming.buffer[incoming.position - 2 : incoming.position] != b"\r\n":
            raise ProtocolError(b"a bulk string without CRLF")
        return payload


def _parse_length(line: bytes, length_max: int) -> int:
    """The number behind the first byte; -1 stands for null."""
    length = parse_integer(line[1:])
    if length is None or length < -1 or length > length_max:
        raise ProtocolError(b"invalid length in a reply")
    if length == -1 and line[0] not in (_DOLLAR, _STAR):
        raise ProtocolError(b"null of a type that has none")
    return length


def _from_line(mark: int, text: bytes) -> Reply:
    if mark == _PLUS:
        return OK if text == b"OK" else Status(text)
    if mark == _MINUS:
        return ErrorReply(text)
    if mark == _COLON:
        number = parse_integer(text)
        if number is not None:
            return number
    elif mark == _UNDERSCORE:
        if not text:
            return None
    elif mark == _COMMA:
        if text in (b"nan", b"-nan"):
            return float(text)
        double = parse_float(text)
        if double is not None:
            return double
    elif mark == _HASH:
        if text in (b"t", b"f"):
            return text == b"t"
    elif mark == _OPEN:
        digits = text[1:] if text[:1] in (b"-", b"+") else text
        if digits.isdigit():
            return BigNumber(text)
    raise ProtocolError(b"invalid reply of type '%c'" % mark)


def _from_bulk(mark: i64, payload: bytes) -> Reply:
    if mark == _DOLLAR:
        return payload
    if mark == _BANG:
        return ErrorReply(payload)
    if len(payload) < 4 or payload[3] != _COLON:
        raise ProtocolError(b"a verbatim string without format")
    return Verbatim(payload[4:], payload[:3])


def _from_elements(mark: int, elements: list[Reply]) -> Reply:
    if mark == _STAR:
        return elements
    node: ReplyNode
    if mark == _PERCENT:
        node = MapReply(elements)
    elif mark == _TILDE:
        node = SetReply(elements)
    elif mark == _GREATER:
        node = PushReply(elements)
    else:
        node = Attributed(elements[:-1], elements[-1])
    return node
