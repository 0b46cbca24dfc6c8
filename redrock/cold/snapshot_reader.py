"""Reads the rows of one moment, over the socket that `ColdTier.open_snapshot` returns. Blocking.

For a forked child that writes a snapshot of memory and needs the cold values of the same moment, or for a snapshot
taken without a fork, in a worker thread. It neither touches LevelDB nor the tier's own socket. While one chunk is being
used the next is already being read. Records are as `record` makes them; stale rows may be among them, so the reader
must check that the key is cold in the table that it is saving.
"""

import socket
import struct
from collections.abc import Iterator
from typing import Final

from redrock.cold import wire
from redrock.cold.layout import HEADER_BYTES, ROW_TYPES, row_key, row_range

_CHUNK_BYTES: Final = 256 * 1024
_RECEIVE_BYTES: Final = 256 * 1024
_BATCH_KEYS: Final = 256


class SnapshotError(Exception):
    """The rows cannot be read (any more); the text says why."""


class SnapshotReader:
    """One reader of one snapshot. Closing it lets LevelDB forget what only the snapshot needs."""

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._end: Final = end
        self._frames = wire.FrameReader()
        self._next_id = 1

    def rows(self, store_id: int) -> Iterator[tuple[int, bytes, bytes]]:
        """(type code, key, record) of every row of a database, by type and then in key order."""
        for type_code in ROW_TYPES:
            start, stop = row_range(store_id, type_code)
            self._ask_scan(start, stop)
            more = True
            while more:
                more, chunk = wire.read_chunk(self._answer(wire.CHUNK))
                if more:
                    # The first possible key behind the last one.
                    self._ask_scan(chunk[-1][0] + b"\0", stop)
                for row, content in chunk:
                    yield type_code, row[HEADER_BYTES:], content

    def records(self, store_id: int, keys: list[tuple[int, bytes]]) -> list[bytes]:
        """The records of these (type code, key), in their order. Raises SnapshotError if one cannot be read."""
        found: list[bytes] = []
        for first in range(0, len(keys), _BATCH_KEYS):
            payload = [
                wire.with_length(row_key(store_id, code, key)) for code, key in keys[first : first + _BATCH_KEYS]
            ]
            self._ask(wire.GET, b"".join(payload))
            for status, content in wire.read_rows(self._answer(wire.ROWS)):
                if status == wire.MISSING:
                    raise SnapshotError("the row of a cold value is missing")
                if status == wire.UNREADABLE:
                    raise SnapshotError(content.decode(errors="replace"))
                found.append(content)
        return found

    def close(self) -> None:
        self._end.close()

    def __enter__(self) -> "SnapshotReader":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _ask_scan(self, start: bytes, stop: bytes) -> None:
        self._ask(wire.SCAN, struct.pack("<I", _CHUNK_BYTES) + wire.with_length(start) + stop)

    def _ask(self, kind: int, payload: bytes) -> None:
        try:
            self._end.sendall(wire.frame(kind, self._next_id, payload))
        except OSError as error:
            raise SnapshotError(f"the cold store is gone: {error}") from error
        self._next_id += 1

    def _answer(self, expected: int) -> bytes:
        while True:
            try:
                data = self._end.recv(_RECEIVE_BYTES)
            except OSError as error:
                raise SnapshotError(f"the cold store is gone: {error}") from error
            if not data:
                raise SnapshotError("the cold store has closed the snapshot")
            frames = self._frames.feed(data)
            if frames:
                # One request at a time: there is one answer.
                kind, _, payload = frames[0]
                if kind != expected:
                    raise SnapshotError(payload.decode(errors="replace"))
                return payload
