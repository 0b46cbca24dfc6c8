"""Reading a file of an append-only log: bytes in, commands out, and where a cut tail begins.

Source: Redis 7.0.15, aof.c, loadSingleAppendOnlyFile. A file is either commands, or an RDB, or (old-style logs) an RDB
followed by commands. Events, in the order of the file:

  Aux, KeyRecord, ..., EndOfFile   whatever `persistence.rdb.reader` says, if the file begins as an RDB
  list[bytes]                      a command to run
  AofEnd                           once, after end_of_input(): how much of the file was whole

Invariants: the commands of a MULTI are given out only when its EXEC has been read, without the two; so what is given
out never has to be taken back. `AofEnd.valid_up_to` is the position after the last command, or transaction, given out.
Differs from Redis: a file cut inside a command inside a MULTI is cut before the MULTI (Redis cuts after the last whole
command, and what it appends later lands inside the transaction); and after an RDB the count starts at the RDB's end.

Positions are bytes from the beginning of the file. Knows nothing of files, and not what commands mean.
"""

from __future__ import annotations

from typing import Final

from mypy_extensions import i64

from persistence.aof.format import LINE_BYTES_MAX, RDB_SIGNATURE
from persistence.rdb.events import EndOfFile, RdbEvent
from persistence.rdb.reader import RdbReader
from redrock.errors import CorruptionError

# A corrupted count must not make us wait for, or allocate, absurd numbers of arguments or bytes. Redis' own bounds are
# memory; a request from a client has at most 1024*1024 arguments, and one from a script or from MSET no more.
ARGUMENT_COUNT_MAX: Final = 1 << 31
ARGUMENT_BYTES_MAX: Final = 1 << 40

BAD_FORMAT: Final = "Bad file format"


class AofEnd:
    """The end of the file. Neither flag: it was whole. ``valid_up_to``: where to cut it, if it was not."""

    def __init__(self, valid_up_to: int, truncated: bool, open_transaction: bool) -> None:
        self.valid_up_to: Final = valid_up_to
        # The file ends inside a command (or an annotation).
        self.truncated: Final = truncated
        # The file ends between commands, but inside a MULTI.
        self.open_transaction: Final = open_transaction


class AofReader:
    """See the module. Raises CorruptionError if the bytes are not an append-only file; then it is of no more use."""

    def __init__(self, source: str, verify_checksum: bool = True, decodable_only: bool = True) -> None:
        self.source: Final = source
        self._decodable_only: Final = decodable_only
        self._verify_checksum: Final = verify_checksum
        self._chunks: list[bytes] = []
        self._chunks_bytes: i64 = 0
        self._buffer = b""
        self._position: i64 = 0  # in the buffer
        self._buffer_at: i64 = 0  # of the buffer's first byte in the file
        self._wanted: i64 = len(RDB_SIGNATURE)  # no use trying before this many bytes are in the buffer
        self._at_start = True
        self._rdb: RdbReader | None = None
        self._ended = False
        self._end_given = False
        self._transaction: list[list[bytes]] | None = None
        self._ready: list[list[bytes]] = []  # in reverse order
        self._valid_up_to: i64 = 0

    def feed(self, data: bytes) -> None:
        """The next bytes of the file."""
        if self._rdb is not None:
            self._rdb.feed(data)
            return
        self._chunks.append(data)
        self._chunks_bytes += len(data)

    def end_of_input(self) -> None:
        """There are no more bytes."""
        self._ended = True

    def is_in_rdb(self) -> bool:
        """Whether the present position is inside of an RDB: then it is that which an error is about."""
        return self._rdb is not None

    def next_event(self) -> RdbEvent | list[bytes] | AofEnd | None:
        """The next event; None: feed more, or nothing follows AofEnd."""
        if self._rdb is not None:
            return self._next_rdb_event(self._rdb)
        if self._ready:
            return self._ready.pop()
        if self._chunks:
            if self._gather():
                rdb = self._begin() if self._at_start else None
                if rdb is not None:
                    return self._next_rdb_event(rdb)
            elif self._wanted:
                return None  # what is in the buffer has been looked at
        while True:
            before = self._position
            argv = self._next_command()
            if argv is None:
                if self._position > before:
                    continue  # an annotation
                return self._end() if self._ended and not self._end_given else None
            event = self._admit(argv)
            if event is not None:
                return event

    def _admit(self, argv: list[bytes]) -> list[bytes] | None:
        """What to give out now that a command has been read: transactions are held back until they are whole."""
        if len(argv) == 1:
            name = argv[0].upper()
            if name == b"MULTI" and self._transaction is None:
                self._transaction = []
                return None
            if name == b"EXEC" and self._transaction is not None:
                self._ready = self._transaction
                self._ready.reverse()
                self._transaction = None
                self._valid_up_to = self._buffer_at + self._position
                return self._ready.pop() if self._ready else None
        if self._transaction is not None:
            self._transaction.append(argv)
            return None
        self._valid_up_to = self._buffer_at + self._position
        return argv

    def _end(self) -> AofEnd:
        self._end_given = True
        left = len(self._buffer) - self._position
        return AofEnd(self._valid_up_to, left > 0, left == 0 and self._transaction is not None)

    def _gather(self) -> bool:
        """Put what was fed into the buffer, if it is enough to go on. Thus a huge argument is copied once."""
        if not self._ended and len(self._buffer) - self._position + self._chunks_bytes < self._wanted:
            return False
        self._buffer_at += self._position
        self._chunks.insert(0, self._buffer[self._position :])
        self._buffer = b"".join(self._chunks)
        self._position = 0
        self._chunks = []
        self._chunks_bytes = 0
        self._wanted = 0
        return True

    def _begin(self) -> RdbReader | None:
        """Decide, on the first bytes, what kind of file this is: a reader if it begins as an RDB."""
        self._at_start = False
        if not self._buffer.startswith(RDB_SIGNATURE):
            return None
        rdb = RdbReader(self._verify_checksum, self._decodable_only)
        rdb.feed(self._buffer)
        self._buffer = b""
        self._rdb = rdb
        return rdb

    def _next_rdb_event(self, rdb: RdbReader) -> RdbEvent | None:
        event = rdb.next_event()
        if isinstance(event, EndOfFile):
            # What follows the RDB in the same file are commands.
            self._rdb = None
            self._buffer = rdb.leftover()
            self._buffer_at = event.position
            self._position = 0
            self._wanted = 0
            self._valid_up_to = event.position
        elif event is None and self._ended:
            rdb.end_of_input()
        return event

    def _next_command(self) -> list[bytes] | None:
        """The next command; None if it is not whole yet, or if an annotation was skipped (the position tells)."""
        buffer = self._buffer
        position: i64 = self._position
        if position >= len(buffer):
            return None
        first: i64 = buffer[position]
        if first == 35:  # '#'
            end = self._line_end(position)
            if end < 0:
                return self._incomplete(0)
            self._position = end + 1
            return None
        if first != 42:  # '*'
            raise self._corrupt(position)
        end = self._line_end(position)
        if end < 0:
            return self._incomplete(0)
        count = self._number(position + 1, end)
        if count < 1 or count > ARGUMENT_COUNT_MAX:
            raise self._corrupt(position)
        argv: list[bytes] = []
        position = end + 1
        while count > 0:
            if position >= len(buffer):
                return self._incomplete(0)
            if buffer[position] != 36:  # '$'
                raise self._corrupt(position)
            end = self._line_end(position)
            if end < 0:
                return self._incomplete(0)
            length = self._number(position + 1, end)
            if length < 0 or length > ARGUMENT_BYTES_MAX:
                raise self._corrupt(position)
            position = end + 1
            end = position + length
            if end + 2 > len(buffer):
                return self._incomplete(end + 2)
            argv.append(buffer[position:end])
            position = end + 2
            count -= 1
        self._position = position
        return argv

    def _incomplete(self, needed_up_to: i64) -> list[bytes] | None:
        """Not to be tried again before there is as much again: so a command of n bytes is parsed log(n) times."""
        available = len(self._buffer) - self._position
        self._wanted = max(needed_up_to - self._position, 2 * available)
        return None

    def _line_end(self, position: i64) -> i64:
        """Where the line that begins at ``position`` has its LF; -1 if that has not come yet."""
        end: i64 = self._buffer.find(b"\n", position, position + LINE_BYTES_MAX)
        if end < 0 and len(self._buffer) - position >= LINE_BYTES_MAX:
            raise self._corrupt(position)
        return end

    def _number(self, start: i64, end: i64) -> i64:
        """The decimal number from ``start`` to the CR or LF at ``end``."""
        buffer = self._buffer
        if end > start and buffer[end - 1] == 13:
            end -= 1
        if end == start or end - start > 15:
            raise self._corrupt(start)
        number: i64 = 0
        for i in range(start, end):
            digit: i64 = buffer[i] - 48
            if digit < 0 or digit > 9:
                raise self._corrupt(start)
            number = number * 10 + digit
        return number

    def _corrupt(self, position: i64) -> CorruptionError:
        return CorruptionError(BAD_FORMAT, self.source, self._buffer_at + position)
