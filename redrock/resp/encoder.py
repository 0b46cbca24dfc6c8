"""Replies to bytes, RESP2 and RESP3; and commands to the bytes that the AOF and followers get.

Everything is written straight into a BytesWriter, the output of one client. Source: Redis 7.0.15, networking.c,
addReply*. Nesting is walked with an explicit stack: scripts can nest deeper than the C stack bears.
Knows nothing of clients, limits or sockets.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

from redrock.resp.reply import (
    Attributed,
    BigNumber,
    Encoded,
    ErrorReply,
    MapReply,
    NoReply,
    NullArray,
    PushReply,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from redrock.util.numbers import format_float

# Ready-made: most lengths and integers are small.
_PREBUILT: Final = 1024
_BULK_HEADERS: Final = tuple([b"$%d\r\n" % n for n in range(_PREBUILT)])
_ARRAY_HEADERS: Final = tuple([b"*%d\r\n" % n for n in range(_PREBUILT)])
_INTEGERS: Final = tuple([b":%d\r\n" % n for n in range(_PREBUILT)])

_CRLF: Final = b"\r\n"


def write_reply(out: BytesWriter, reply: Reply, resp: int) -> None:
    """Append ``reply`` as protocol version ``resp`` (2 or 3). O(size of the reply)."""
    if isinstance(reply, bytes):
        length: i64 = len(reply)
        if length < _PREBUILT:
            out.write(_BULK_HEADERS[length])
        else:
            out.write(b"$%d\r\n" % length)
        out.write(reply)
        out.write(_CRLF)
    elif isinstance(reply, Status):
        out.write(reply.wire)
    elif reply is None:
        out.write(b"$-1\r\n" if resp == 2 else b"_\r\n")
    else:
        children = _write_other(out, reply, resp)
        if children is not None:
            _write_children(out, children, resp)


def _write_children(out: BytesWriter, items: list[Reply], resp: int) -> None:
    """Append the elements of a collection whose header is written, and theirs."""
    stack: list[list[Reply]] = []
    positions: list[int] = []
    position: i64 = 0
    while True:
        end: i64 = len(items)
        while position < end:
            item = items[position]
            position += 1
            if isinstance(item, bytes):
                length: i64 = len(item)
                if length < _PREBUILT:
                    out.write(_BULK_HEADERS[length])
                else:
                    out.write(b"$%d\r\n" % length)
                out.write(item)
                out.write(_CRLF)
                continue
            children = _write_other(out, item, resp)
            if children is not None:
                stack.append(items)
                positions.append(position)
                items = children
                position = 0
                end = len(items)
        if not stack:
            return
        items = stack.pop()
        position = positions.pop()


def _write_other(out: BytesWriter, reply: Reply, resp: int) -> list[Reply] | None:
    """Append anything but bytes; of a collection only the header, and its elements are returned."""
    if isinstance(reply, bool):
        if resp == 2:
            out.write(b":1\r\n" if reply else b":0\r\n")
        else:
            out.write(b"#t\r\n" if reply else b"#f\r\n")
    elif isinstance(reply, int):
        if 0 <= reply < _PREBUILT:
            out.write(_INTEGERS[reply])
        else:
            out.write(b":%d\r\n" % reply)
    elif isinstance(reply, list):
        _write_header(out, 42, len(reply))
        return reply
    elif isinstance(reply, Status):
        out.write(reply.wire)
    elif reply is None:
        out.write(b"$-1\r\n" if resp == 2 else b"_\r\n")
    elif isinstance(reply, float):
        number = format_float(reply)
        if resp == 2:
            _write_bulk(out, number)
        else:
            out.append(44)
            out.write(number)
            out.write(_CRLF)
    elif isinstance(reply, tuple):
        _write_header(out, 42, len(reply))
        return list(reply)
    elif isinstance(reply, MapReply):
        if resp == 2:
            _write_header(out, 42, len(reply.items))
        else:
            _write_header(out, 37, len(reply.items) // 2)
        return list(reply.items)
    elif isinstance(reply, SetReply):
        _write_header(out, 42 if resp == 2 else 126, len(reply.items))
        return list(reply.items)
    elif isinstance(reply, PushReply):
        _write_header(out, 42 if resp == 2 else 62, len(reply.items))
        return list(reply.items)
    elif isinstance(reply, ErrorReply):
        write_error(out, reply.text)
    elif isinstance(reply, NullArray):
        out.write(b"*-1\r\n" if resp == 2 else b"_\r\n")
    elif isinstance(reply, Verbatim):
        if resp == 2:
            _write_bulk(out, reply.text)
        else:
            out.write(b"=%d\r\n" % (len(reply.text) + 4))
            out.write(reply.kind)
            out.append(58)
            out.write(reply.text)
            out.write(_CRLF)
    elif isinstance(reply, BigNumber):
        if resp == 2:
            _write_bulk(out, reply.digits)
        else:
            out.append(40)
            out.write(reply.digits)
            out.write(_CRLF)
    elif isinstance(reply, Attributed):
        if resp == 2:
            return [reply.reply]
        _write_header(out, 124, len(reply.attributes) // 2)
        return [*reply.attributes, reply.reply]
    elif isinstance(reply, Encoded):
        out.write(reply.wire)
    elif not isinstance(reply, NoReply):
        raise TypeError(f"not a reply: {reply!r}")
    return None


def _write_header(out: BytesWriter, mark: int, length: i64) -> None:
    if mark == 42 and length < _PREBUILT:
        out.write(_ARRAY_HEADERS[length])
    else:
        out.append(mark)
        out.write(b"%d\r\n" % length)


def _write_bulk(out: BytesWriter, text: bytes) -> None:
    length: i64 = len(text)
    if length < _PREBUILT:
        out.write(_BULK_HEADERS[length])
    else:
        out.write(b"$%d\r\n" % length)
    out.write(text)
    out.write(_CRLF)


def write_error(out: BytesWriter, text: bytes) -> None:
    """Append ``-text``. Line ends at its end are dropped and others become spaces, or the protocol would break."""
    if text.find(b"\n") >= 0 or text.find(b"\r") >= 0:
        text = text.strip(_CRLF).replace(b"\r", b" ").replace(b"\n", b" ")
    out.append(45)
    out.write(text)
    out.write(_CRLF)


def encode_reply(reply: Reply, resp: int) -> bytes:
    """The bytes of one reply as protocol version ``resp`` (2 or 3)."""
    out = BytesWriter()
    write_reply(out, reply, resp)
    return out.getvalue()


def write_command(out: BytesWriter, argv: list[bytes]) -> None:
    """Append a command as an array of bulk strings: the form of requests, AOF and replication stream."""
    _write_header(out, 42, len(argv))
    for argument in argv:
        length: i64 = len(argument)
        if length < _PREBUILT:
            out.write(_BULK_HEADERS[length])
        else:
            out.write(b"$%d\r\n" % length)
        out.write(argument)
        out.write(_CRLF)


def encode_command(argv: list[bytes]) -> bytes:
    """The bytes of one command; see `write_command`."""
    out = BytesWriter()
    write_command(out, argv)
    return out.getvalue()
