"""The replication stream: commands as RESP arrays, and the offset that counts its bytes.

Source: Redis 7.0.15, networking.c, processInputBuffer and commandProcessed; replication.c, replicationFeedSlaves.
A follower counts every byte it receives (`read_offset`) and, apart from that, those of the units that it has applied
(`applied_offset`): a unit is one command, or everything from MULTI to EXEC. Only whole units are handed out, so the
applied offset never points into a transaction, and a lost link costs no half transaction. A bare newline is a sign of
life and counts like any byte.
Invariant: the bytes returned by `take_applied`, one after the other, are the stream up to `applied_offset`.
Knows nothing of sockets, time, or of what commands mean, MULTI and EXEC excepted.
"""

from typing import Final

from redrock.errors import ProtocolError
from redrock.resp.request_parser import RequestParser

PING: Final = b"*1\r\n$4\r\nPING\r\n"
GETACK: Final = b"*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"


def ack_command(offset: int) -> bytes:
    """What a follower sends to its leader: every byte up to ``offset`` is applied."""
    digits = b"%d" % offset
    return b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$%d\r\n%b\r\n" % (len(digits), digits)


class StreamUnit:
    """Commands to be applied in one go, and the offset of the last of their bytes."""

    __slots__ = ("commands", "end_offset")

    def __init__(self, commands: list[list[bytes]], end_offset: int) -> None:
        self.commands = commands
        self.end_offset = end_offset


class StreamReader:
    """``offset`` is the last byte that the follower has of this history: the first byte fed is the next one."""

    def __init__(self, offset: int) -> None:
        self._parser = RequestParser()
        self._parser.trusted = True
        self._start = offset
        self.read_offset = offset
        self.applied_offset = offset
        self._raw: list[bytes] = []  # received and not taken as applied
        self._raw_start = offset  # the offset before the first of these bytes
        self._open: list[list[bytes]] = []  # a transaction whose EXEC has not come

    def feed(self, data: bytes) -> None:
        """The next bytes of the stream."""
        self._parser.feed(data)
        self._raw.append(data)
        self.read_offset += len(data)

    def next_unit(self) -> StreamUnit | None:
        """The next commands to apply, or None: feed more. ProtocolError: the place in the stream is lost."""
        while True:
            argv = self._parser.next_request()
            if argv is None:
                return None
            name = argv[0].upper()
            if self._open or name == b"MULTI":
                if self._open and name == b"MULTI":
                    raise ProtocolError(b"replication stream: MULTI inside of MULTI")
                self._open.append(argv)
                if name != b"EXEC":
                    continue
                commands, self._open = self._open, []
            else:
                commands = [argv]
            return StreamUnit(commands, self._start + self._parser.consumed)

    def applied(self, unit: StreamUnit) -> None:
        """The unit is part of the dataset now. Units are applied in the order of `next_unit`."""
        assert self.applied_offset < unit.end_offset <= self.read_offset
        self.applied_offset = unit.end_offset

    def take_applied(self) -> bytes:
        """The bytes applied since the last call, as they were received: what goes to our own followers."""
        length = self.applied_offset - self._raw_start
        if length == 0:
            return b""
        raw = self._raw[0] if len(self._raw) == 1 else b"".join(self._raw)
        self._raw_start = self.applied_offset
        rest = raw[length:]
        self._raw = [rest] if rest else []
        return raw[:length]
