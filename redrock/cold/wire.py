"""The stream between the server and the cold store: frames over a socket pair. Numbers are little endian.

    frame      length of what follows (u32), kind (u8), request id (u32), payload
    WRITE      operations, applied as one: PUT (u8), key length (u32), value length (u32), key, value;
               or DELETE (u8), key length (u32), key                                    -> DONE or FAILED
    GET        for each: key length (u32), key                                          -> ROWS
    MOVE       key length (u32), key, new key: the row gets another key                 -> DONE or FAILED
    DROP       start length (u32), start, stop: delete these rows when there is time    -> DONE, at once
    SNAPSHOT   (empty; a socket comes with it): serve the rows of this moment on that socket   -> DONE or FAILED
    STATS      (empty)                                                                  -> FIGURES
    COMPACT    (empty): rewrite the tables without deleted rows                         -> DONE or FAILED, when done
    RETRY      (empty): writing has failed; try again                                   -> DONE or FAILED
    SCAN       only on a snapshot's socket: bytes wanted (u32), start length (u32), start, stop   -> CHUNK

    DONE       (empty)
    FAILED     a text for the log
    ROWS       for each key asked for: FOUND, MISSING or UNREADABLE (u8), length (u32), the record or a text
    FIGURES    four u64: see FIGURE_NAMES
    CHUNK      MORE or LAST (u8), then for each row: key length (u32), record length (u32), key, record

Order. WRITE, MOVE, DROP and SNAPSHOT take effect in the order sent. A GET may overtake a WRITE, so that reading does
not wait for writing, but never a MOVE: the server asks only for rows whose writing has been confirmed. After a FAILED
write every later WRITE and MOVE fails, too, until a RETRY succeeds: so the server knows exactly what has been applied.

The store's first frame has request id 0: DONE when it is open, or FAILED with the reason.
"""

import struct
from typing import Final

WRITE: Final = 1
GET: Final = 2
MOVE: Final = 3
DROP: Final = 4
SNAPSHOT: Final = 5
STATS: Final = 6
COMPACT: Final = 7
RETRY: Final = 8
SCAN: Final = 9

DONE: Final = 64
FAILED: Final = 65
ROWS: Final = 66
FIGURES: Final = 67
CHUNK: Final = 68

PUT: Final = 1
DELETE: Final = 2

FOUND: Final = 0
MISSING: Final = 1
UNREADABLE: Final = 2

LAST: Final = 0
MORE: Final = 1

FIGURE_NAMES: Final = ("disk_bytes", "anonymous_bytes", "drops_pending", "dropped_rows")

# Length, kind and request id.
HEADER_BYTES: Final = 9
# What the length field of the smallest frame holds.
HEADER_REST: Final = 5

_FRAME_HEAD: Final = struct.Struct("<IBI")
_U32: Final = struct.Struct("<I")


def frame(kind: int, request_id: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return _FRAME_HEAD.pack(len(payload) + HEADER_REST, kind, request_id) + payload


def with_length(data: bytes) -> bytes:
    """A byte string behind its length."""
    return _U32.pack(len(data)) + data


class FrameReader:
    """Cuts a byte stream into frames. A long frame is put together once, not over and over."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._held = 0
        self._wanted = HEADER_BYTES

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """(kind, request id, payload) of every frame that is complete now."""
        self._parts.append(data)
        self._held += len(data)
        if self._held < self._wanted:
            return []
        if len(self._parts) > 1:
            data = b"".join(self._parts)
        frames: list[tuple[int, int, bytes]] = []
        position = 0
        self._wanted = HEADER_BYTES
        while len(data) - position >= HEADER_BYTES:
            rest, kind, request_id = _FRAME_HEAD.unpack_from(data, position)
            end = position + 4 + rest
            if end > len(data):
                self._wanted = 4 + rest
                break
            frames.append((kind, request_id, data[position + HEADER_BYTES : end]))
            position = end
        data = data[position:]
        self._parts = [data] if data else []
        self._held = len(data)
        return frames


def read_keys(payload: bytes) -> list[bytes]:
    """The keys of a GET."""
    keys: list[bytes] = []
    position = 0
    while position < len(payload):
        start = position + 4
        position = start + _U32.unpack_from(payload, position)[0]
        keys.append(payload[start:position])
    return keys


def read_pair(payload: bytes, position: int = 0) -> tuple[bytes, bytes]:
    """A byte string behind its length, and the rest: MOVE, DROP and SCAN."""
    start = position + 4
    end = start + int(_U32.unpack_from(payload, position)[0])
    return payload[start:end], payload[end:]


def read_u32(payload: bytes, position: int) -> int:
    return int(_U32.unpack_from(payload, position)[0])


def read_chunk(payload: bytes) -> tuple[bool, list[tuple[bytes, bytes]]]:
    """(whether there are more, [(row key, record)]) of a CHUNK."""
    rows: list[tuple[bytes, bytes]] = []
    position = 1
    while position < len(payload):
        middle = position + 8 + read_u32(payload, position)
        end = middle + read_u32(payload, position + 4)
        rows.append((payload[position + 8 : middle], payload[middle:end]))
        position = end
    return payload[0] == MORE, rows


def read_rows(payload: bytes) -> list[tuple[int, bytes]]:
    """[(FOUND, MISSING or UNREADABLE, record or text)] of a ROWS."""
    rows: list[tuple[int, bytes]] = []
    position = 0
    while position < len(payload):
        start = position + 5
        end = start + read_u32(payload, position + 1)
        rows.append((payload[position], payload[start:end]))
        position = end
    return rows
