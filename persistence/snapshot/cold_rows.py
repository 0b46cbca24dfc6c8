"""Reading the cold rows of one instant from the cold store, over a socket opened before the fork.

The rows come in pieces, in key order, so that cold values are never in memory all at once; the next piece is asked for
before the present one is used. Blocks: for a forked child, or for SAVE, which makes everybody wait anyway.
The protocol is `redrock.cold.wire`'s: SCAN on a snapshot's socket.
"""

import socket
from typing import Final

from redrock.cold import wire
from redrock.cold.layout import row_range, split_row_key

# Large enough that a round trip does not matter, small enough to be nothing beside a child's own memory.
PIECE_BYTES: Final = 512 * 1024
_RECEIVE_BYTES: Final = 256 * 1024


class ColdRowsError(Exception):
    """The rows cannot be read: the snapshot must fail."""


class ColdRowReader:
    """One piece after the other: scan(), then next_rows() until it is empty."""

    def __init__(self, end: socket.socket) -> None:
        self._end: Final = end
        self._end.setblocking(True)
        self._frames = wire.FrameReader()
        self._ready: list[tuple[int, int, bytes]] = []
        self._start = b""
        self._stop = b""
        self._more = False
        self._request_id = 0

    def fileno(self) -> int:
        return self._end.fileno()

    def close(self) -> None:
        """The store lets go of its snapshot."""
        self._end.close()

    def scan(self, store_id: int, type_code: int) -> None:
        """Begin with the rows of one type in one database."""
        self._start, self._stop = row_range(store_id, type_code)
        self._more = True
        self._ask()

    def next_rows(self) -> list[tuple[bytes, bytes]]:
        """The next keys with their records; none at the end. Raises ColdRowsError."""
        if not self._more:
            return []
        kind, request_id, payload = self._receive()
        if kind != wire.CHUNK or request_id != self._request_id:
            raise ColdRowsError(payload.decode(errors="replace") if kind == wire.FAILED else "unexpected answer")
        self._more, rows = wire.read_chunk(payload)
        if self._more:
            if not rows:
                raise ColdRowsError("an empty piece that is not the last")
            self._start = rows[-1][0] + b"\0"
            self._ask()
        return [(split_row_key(row)[2], record) for row, record in rows]

    def _ask(self) -> None:
        self._request_id += 1
        payload = PIECE_BYTES.to_bytes(4, "little") + wire.with_length(self._start) + self._stop
        try:
            self._end.sendall(wire.frame(wire.SCAN, self._request_id, payload))
        except OSError as error:
            raise ColdRowsError(f"the cold store is gone: {error}") from error

    def _receive(self) -> tuple[int, int, bytes]:
        while not self._ready:
            try:
                data = self._end.recv(_RECEIVE_BYTES)
            except OSError as error:
                raise ColdRowsError(f"the cold store is gone: {error}") from error
            if not data:
                raise ColdRowsError("the cold store has closed the snapshot")
            self._ready = self._frames.feed(data)
        return self._ready.pop(0)
