"""The cold tier as the server sees it: which values are cold or moving, and the ordered queue of changes to their rows.

A value's life:
    hot --spill()--> its row is being written --confirmed--> cold: a marker is in the table
    cold --request_load()--> its row is being read --answered--> hot; the row is stale and deleted
No value leaves memory before its row is written, and no row is read before its writing is confirmed.

Invariants:
  - a row that is being written is in `_spills`, and is not written again before the answer: otherwise the answer to the
    older write would be taken for the newer;
  - a row that is being read is in `_loads`; forgetting, moving or dropping the row takes it out, and an answer for a
    load that is not there (or is another) is ignored;
  - changes reach the store in the order in which they were asked for. Reads go ahead of them, unless a row is being
    renamed (see `wire`).

When writing fails (disk full), the values concerned stay hot and spilling pauses; deletions and renamings are kept and
repeated, in order, once a RETRY has succeeded. Until then a renamed row is read under its old name.

Synchronous: `flush` sends what the socket takes, `feed` acts on what has come. Knows rows by store id, type and key,
and nothing of databases, clients or policies.
"""

from __future__ import annotations

import logging
import socket
from typing import Final, final

from librt.strings import BytesWriter, write_i32_le
from mypy_extensions import i32, i64, mypyc_attr

from redrock import errors
from redrock.cold import record, wire
from redrock.cold.layout import ROW_TYPES, row_key, row_range
from redrock.cold.link import StoreLauncher, StoreLink, StoreLost, StoreStartError
from redrock.cold.owner import ColdOwner
from redrock.datatypes.value import ColdMarker, Value
from redrock.errors import CorruptionError, ReplyError
from redrock.interfaces import ColdRows

logger: Final = logging.getLogger("redrock")

# A batch of writes is closed when it has so many bytes: about what LevelDB writes at once without a stall.
BATCH_BYTES: Final = 256 * 1024
# Spilling waits while so much is on its way: enough to keep the store busy, little enough to bound memory.
IN_FLIGHT_BYTES_MAX: Final = 4 << 20
# Rows asked for in one GET: its answer comes in one piece, so a smaller one lets the first clients go on earlier.
_GET_ROWS_MAX: Final = 128
_SEND_BYTES: Final = 256 * 1024


class SnapshotRefused(Exception):
    """The rows cannot be read as of now; the text says why."""


@mypyc_attr(allow_interpreted_subclasses=True)
class CompactionListener:
    """Waits for the end of a compaction."""

    def compacted(self, failure: bytes | None) -> None:
        """``failure``: why it did not work."""
        raise NotImplementedError


@final
class _Load:
    """A row that is being read."""

    __slots__ = ("key", "marker", "row", "sent", "store_id")

    def __init__(self, row: bytes, store_id: int, key: bytes, marker: ColdMarker) -> None:
        self.row: Final = row
        self.store_id: Final = store_id
        self.key: Final = key
        self.marker: Final = marker
        self.sent = row  # the name under which it is read, if a renaming has not been applied


@final
class _Spill:
    """A row that is being written."""

    __slots__ = ("accounted", "key", "marker", "row", "size", "store_id", "superseded", "value")

    def __init__(self, row: bytes, store_id: int, key: bytes, value: Value, marker: ColdMarker, size: i64) -> None:
        self.row: Final = row
        self.store_id: Final = store_id
        self.key: Final = key
        self.value: Final = value
        self.marker: Final = marker
        self.size: i64 = size
        self.accounted: i64 = value.accounted
        # Another row has been given this name since: the row is not this one's to delete.
        self.superseded = False


@final
class _Request:
    """What was asked for in one frame, until it is answered."""

    def __init__(self, kind: int) -> None:
        self.kind: Final = kind
        self.loads: list[_Load] = []
        self.spills: list[_Spill] = []
        # Changes that must be repeated if they fail: (row, "") deletes it, (row, new row) renames it.
        self.changes: list[tuple[bytes, bytes]] = []
        self.listener: CompactionListener | None = None


@final
class ColdTier(ColdRows):
    """See the module. Fields without a comment are figures for INFO and ROCKSTAT; sizes are of records, in bytes."""

    def __init__(self, launcher: StoreLauncher) -> None:
        self._launcher: Final = launcher
        self.owner: ColdOwner = ColdOwner()  # set by whoever builds the server: the owner needs the tier, too
        self._link: StoreLink | None = None
        self.lost: str = ""  # why the store is gone; empty while it is not
        self._markers: dict[tuple[int, bytes], ColdMarker] = {}
        self._next_id: i64 = 1
        self._requests: dict[int, _Request] = {}
        self._loads: dict[bytes, _Load] = {}
        self._spills: dict[bytes, _Spill] = {}
        # What has been asked for since the last frame.
        self._wanted: list[_Load] = []
        self._batch = BytesWriter()
        self._batch_request = _Request(wire.WRITE)
        # Frames to send: reads first, changes in order, and the rest of the frame that has been sent in part.
        self._reads: list[bytes] = []
        self._changes: list[bytes] = []
        self._sending = b""
        self._sent: i64 = 0
        self._moves_pending: i64 = 0
        # What has been received.
        self._input = BytesWriter()
        self._input_wanted: i64 = wire.HEADER_BYTES
        self._deferred: list[tuple[int, int, bytes]] = []
        # After a failed write.
        self.failure = b""  # the text; empty while all is well
        self._unapplied: list[tuple[bytes, bytes]] = []
        self._held: list[tuple[bytes, bytes]] = []
        self._held_drops: list[int] = []
        self._risky_drops: list[int] = []  # dropped while a renaming had not been confirmed
        self._retrying = False
        # Figures.
        self.in_flight_bytes: i64 = 0
        self.leaving_bytes: i64 = 0  # accounted, of the values that are being written
        self.spills_begun: i64 = 0
        self.spills_ended: i64 = 0  # confirmed or failed; they end in the order in which they began
        self.spilled_values: i64 = 0
        self.spilled_bytes: i64 = 0
        self.loaded_values: i64 = 0
        self.loaded_bytes: i64 = 0
        self.inline_loads: i64 = 0
        self.failed_loads: i64 = 0
        self.failed_writes: i64 = 0
        self.store_disk_bytes: i64 = 0
        self.store_anonymous_bytes: i64 = 0
        self.store_drops_pending: i64 = 0
        self.store_dropped_rows: i64 = 0

    # --- Opening and closing

    def is_open(self) -> bool:
        return self._link is not None

    def open(self) -> None:
        """Start the store, if that has not been done. Takes some 100 ms. Raises StoreStartError."""
        if self._link is None:
            if self.lost:
                raise StoreStartError(self.lost)
            self._link = self._launcher.launch()

    def close(self) -> None:
        """The server ends: cold values are of no use any more."""
        if self._link is not None:
            self._link.close()
            self._link = None
            self.lost = self.lost or "the cold tier has been closed"

    def fileno(self) -> int:
        """To wait for answers, or for room to send; -1 while there is no store."""
        return -1 if self._link is None else self._link.fileno()

    # --- What the keyspace says (ColdRows)

    def forget(self, store_id: int, type_code: int, key: bytes) -> None:
        row = row_key(store_id, type_code, key)
        self._void_load(row)
        self._delete_row(row)

    def move_row(self, type_code: int, from_store: int, from_key: bytes, to_store: int, to_key: bytes) -> None:
        row = row_key(from_store, type_code, from_key)
        new_row = row_key(to_store, type_code, to_key)
        self._void_load(row)
        spill = self._spills.get(new_row)
        if spill is not None:
            spill.superseded = True
        if self.failure:
            self._held.append((row, new_row))
            return
        self._send_move(row, new_row)

    def drop_store(self, store_id: int) -> None:
        if self._link is None:
            return
        for load in [load for load in self._loads.values() if load.store_id == store_id]:
            self._void_load(load.row)
        if self.failure:
            # A row may have been moved out of it, on paper.
            self._held_drops.append(store_id)
        else:
            if self._moves_pending:
                # If one of them fails, it may bring a row into this store when it is repeated.
                self._risky_drops.append(store_id)
            self._send_drop(store_id)

    def load_inline(self, store_id: int, type_code: int, key: bytes) -> Value:
        value = self.read_inline(store_id, type_code, key)
        row = row_key(store_id, type_code, key)
        self._void_load(row)
        self._delete_row(row)
        return value

    def read_inline(self, store_id: int, type_code: int, key: bytes) -> Value:
        """As `load_inline`, but the value stays cold: for a look past memory."""
        row = row_key(store_id, type_code, key)
        try:
            name = self._name_on_disk(row)
            content = self._read_inline(name)
            if content is None and self._name_on_disk(row) != name:
                # While it was waited for, a renaming asked for before turned out to have failed.
                content = self._read_inline(self._name_on_disk(row))
            if content is None:
                raise CorruptionError("its row is missing", "cold tier")
            value = record.decode(content, self.owner.encoding_of(store_id, key))
        except CorruptionError as error:
            self.failed_loads += 1
            logger.error("A cold value cannot be read: %s", error)
            raise ReplyError(errors.cold_read_failed(error.reason.encode())) from error
        except StoreLost as loss:
            self._lose(str(loss))
            raise ReplyError(errors.cold_read_failed(self.lost.encode())) from loss
        self.inline_loads += 1
        self.loaded_values += 1
        self.loaded_bytes += len(content)
        return value

    # --- What loader and spiller say

    def marker_for(self, value: Value) -> ColdMarker:
        """The marker that all values of this type and encoding share."""
        name = (value.type_code(), value.encoding())
        marker = self._markers.get(name)
        if marker is None:
            marker = ColdMarker(name[0], name[1])
            self._markers[name] = marker
        return marker

    def request_load(self, store_id: int, key: bytes, marker: ColdMarker) -> None:
        """Read the value of a marker; the owner is told. One read, however often it is asked for meanwhile."""
        row = row_key(store_id, marker.type_code(), key)
        if row in self._loads:
            return
        load = _Load(row, store_id, key, marker)
        if self.lost:
            self._load_failed(load, self.lost.encode())
            return
        self._loads[row] = load
        self._wanted.append(load)

    def can_spill(self) -> bool:
        """Whether the store can take another value now: it is open and well, and has not too much to do."""
        return self._link is not None and not self.failure and self.in_flight_bytes < IN_FLIGHT_BYTES_MAX

    def spill(self, store_id: int, key: bytes, value: Value) -> bool:
        """Begin to write a value's row. False: it is too big, or an older write of the same row is still under way.

        The caller marks the value as in transit. `can_spill` must hold.
        """
        row = row_key(store_id, value.type_code(), key)
        if row in self._spills:
            return False
        content = record.encode(value)
        size: i64 = len(content)
        if size > record.RECORD_BYTES_MAX:
            return False
        spill = _Spill(row, store_id, key, value, self.marker_for(value), size)
        self._spills[row] = spill
        batch = self._batch
        batch.append(wire.PUT)
        write_i32_le(batch, len(row))
        write_i32_le(batch, i32(size))
        batch.write(row)
        batch.write(content)
        self._batch_request.spills.append(spill)
        self.in_flight_bytes += size
        self.leaving_bytes += spill.accounted
        self.spills_begun += 1
        if len(batch) >= BATCH_BYTES:
            self._close_batch()
        return True

    def request_figures(self) -> None:
        """Ask the store for its figures (`store_...`), which come some time later."""
        self._reads.append(self._frame(_Request(wire.STATS), b""))

    def compact(self, listener: CompactionListener | None) -> None:
        """Have the tables rewritten without deleted rows. Reading and writing go on."""
        request = _Request(wire.COMPACT)
        request.listener = listener
        self._close_batch()
        self._changes.append(self._frame(request, b""))

    def retry(self) -> None:
        """After a failed write: try again. To be called now and then while there is a `failure`."""
        if not self.failure or self._retrying or self.lost:
            return
        self._close_batch()
        for request in self._requests.values():
            if request.kind == wire.WRITE or request.kind == wire.MOVE:
                # It fails, too, and must be known to have failed before anything is repeated.
                return
        self._retrying = True
        self._changes.append(self._frame(_Request(wire.RETRY), b""))

    def open_snapshot(self) -> socket.socket:
        """A socket on which the rows of this moment can be read (see `snapshot_reader`). May wait for the socket.

        For the rows of values that were cold at this moment; a row that was being written may be there or not.
        Raises SnapshotRefused if some of them stand under another name on disk.
        """
        link = self._link
        if link is None or self.lost:
            raise StoreLost(self.lost or "there is no cold store")
        if self._names_on_disk():
            raise SnapshotRefused("rows are still to be renamed, for writing to the cold tier has failed")
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._send_all_waiting(link)
                link.send_socket(self._frame(_Request(wire.SNAPSHOT), b""), theirs)
        except StoreLost as error:
            ours.close()
            self._lose(str(error))
            raise
        return ours

    # --- Figures

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        self.spilled_values = 0
        self.spilled_bytes = 0
        self.loaded_values = 0
        self.loaded_bytes = 0
        self.inline_loads = 0
        self.failed_loads = 0
        self.failed_writes = 0

    def loads_in_flight(self) -> int:
        return len(self._loads)

    def spills_in_flight(self) -> int:
        return len(self._spills)

    # --- Sending

    def flush(self) -> None:
        """Send what has been asked for, as far as the socket takes it now."""
        if self._deferred:
            deferred = self._deferred
            self._deferred = []
            for kind, request_id, payload in deferred:
                self._handle(kind, request_id, payload)
        link = self._link
        if link is None or self.lost:
            return
        self._close_frames()
        try:
            while self._next_frame():
                taken = link.send(self._sending[self._sent : self._sent + _SEND_BYTES])
                self._sent += taken
                if taken == 0:
                    return
        except StoreLost as error:
            self._lose(str(error))

    def has_unsent(self) -> bool:
        """Whether the socket has not taken all: flush again when it can be written."""
        return self._sent < len(self._sending) or bool(self._reads) or bool(self._changes)

    def _close_frames(self) -> None:
        self._close_batch()
        if self._wanted:
            self._request_wanted()

    def _next_frame(self) -> bool:
        """Whether there is something to send in `_sending`."""
        if self._sent < len(self._sending):
            return True
        self._sending = b""
        self._sent = 0
        if self._reads:
            self._sending = b"".join(self._reads)
            self._reads = []
        elif self._changes:
            self._sending = b"".join(self._changes)
            self._changes = []
        return self._sending != b""

    def _send_all_waiting(self, link: StoreLink) -> None:
        self._close_frames()
        while self._next_frame():
            link.send_waiting(self._sending[self._sent :])
            self._sent = len(self._sending)

    def _frame(self, request: _Request, payload: bytes) -> bytes:
        request_id = self._next_id
        self._next_id = request_id + 1 if request_id < 0x7FFFFFFF else 1
        self._requests[request_id] = request
        head = BytesWriter()
        write_i32_le(head, len(payload) + wire.HEADER_REST)
        head.append(request.kind)
        write_i32_le(head, i32(request_id))
        head.write(payload)
        return head.getvalue()

    def _request_wanted(self) -> None:
        """Turn the loads asked for into frames."""
        wanted = self._wanted
        self._wanted = []
        names = self._names_on_disk()
        position: i64 = 0
        while position < len(wanted):
            request = _Request(wire.GET)
            payload = BytesWriter()
            while position < len(wanted) and len(request.loads) < _GET_ROWS_MAX:
                load = wanted[position]
                position += 1
                if self._loads.get(load.row) is load:
                    load.sent = names.get(load.row, load.row)
                    request.loads.append(load)
                    write_i32_le(payload, len(load.sent))
                    payload.write(load.sent)
            if not request.loads:
                continue
            frame = self._frame(request, payload.getvalue())
            if self._moves_pending:
                # One of the rows may be getting its name by a renaming that is still in the queue.
                self._changes.append(frame)
            else:
                self._reads.append(frame)

    def _delete_row(self, row: bytes) -> None:
        if self.failure:
            self._held.append((row, b""))
            return
        batch = self._batch
        batch.append(wire.DELETE)
        write_i32_le(batch, len(row))
        batch.write(row)
        self._batch_request.changes.append((row, b""))
        if len(batch) >= BATCH_BYTES:
            self._close_batch()

    def _close_batch(self) -> None:
        if len(self._batch):
            self._changes.append(self._frame(self._batch_request, self._batch.getvalue()))
            self._batch = BytesWriter()
            self._batch_request = _Request(wire.WRITE)

    def _send_move(self, row: bytes, new_row: bytes) -> None:
        self._close_batch()
        request = _Request(wire.MOVE)
        request.changes.append((row, new_row))
        self._moves_pending += 1
        self._changes.append(self._frame(request, wire.with_length(row) + new_row))

    def _send_drop(self, store_id: int) -> None:
        self._close_batch()
        for type_code in ROW_TYPES:
            start, stop = row_range(store_id, type_code)
            self._changes.append(self._frame(_Request(wire.DROP), wire.with_length(start) + stop))

    # --- Receiving

    def feed(self, data: bytes) -> None:
        """Act on what has come from the store."""
        for kind, request_id, payload in self._frames_of(data):
            self._handle(kind, request_id, payload)

    def receive(self) -> bool:
        """Receive once and act on it; whether anything had come. Raises StoreLost."""
        link = self._link
        if link is None:
            return False
        try:
            data = link.receive()
        except StoreLost as error:
            self._lose(str(error))
            raise
        self.feed(data)
        return data != b""

    def _frames_of(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """(kind, request id, payload) of every frame that is complete now. A long one is put together once."""
        buffer = self._input
        if len(buffer):
            buffer.write(data)
            if len(buffer) < self._input_wanted:
                return []
            data = buffer.getvalue()
            self._input = BytesWriter()
        frames: list[tuple[int, int, bytes]] = []
        self._input_wanted = wire.HEADER_BYTES
        position: i64 = 0
        length: i64 = len(data)
        while length - position >= wire.HEADER_BYTES:
            end = position + 4 + _read_u32(data, position)
            if end > length:
                self._input_wanted = end - position
                break
            frames.append((data[position + 4], _read_u32(data, position + 5), data[position + wire.HEADER_BYTES : end]))
            position = end
        if position < length:
            self._input.write(data[position:])
        return frames

    def _handle(self, kind: int, request_id: int, payload: bytes) -> None:
        request = self._requests.pop(request_id)
        if kind == wire.ROWS:
            self._take_rows(request, payload)
        elif request.kind == wire.WRITE:
            self._take_written(request, kind == wire.DONE, payload)
        elif request.kind == wire.MOVE:
            self._moves_pending -= 1
            if kind == wire.FAILED:
                self._fail(payload)
                self._unapplied.extend(request.changes)
            if self.failure:
                self._held_drops.extend(self._risky_drops)
                self._risky_drops.clear()
            elif not self._moves_pending:
                self._risky_drops.clear()
        elif request.kind == wire.RETRY:
            self._take_retry(kind == wire.DONE, payload)
        elif kind == wire.FIGURES:
            self.store_disk_bytes = _read_u64(payload, 0)
            self.store_anonymous_bytes = _read_u64(payload, 8)
            self.store_drops_pending = _read_u64(payload, 16)
            self.store_dropped_rows = _read_u64(payload, 24)
        elif request.kind == wire.COMPACT:
            if request.listener is not None:
                request.listener.compacted(payload if kind == wire.FAILED else None)
        elif kind == wire.FAILED:
            # A snapshot that could not be opened: its reader sees its socket close.
            logger.warning("The cold store reports: %s", payload.decode("utf-8", "replace"))

    def _take_rows(self, request: _Request, payload: bytes) -> None:
        position: i64 = 0
        for load in request.loads:
            status = payload[position]
            start = position + 5
            position = start + _read_u32(payload, position + 1)
            if self._loads.get(load.row) is load:
                self._take_row(load, status, payload[start:position])

    def _take_row(self, load: _Load, status: int, content: bytes) -> None:
        if status == wire.MISSING and self._name_on_disk(load.row) != load.sent:
            # A renaming that had been asked for before has failed meanwhile.
            self._wanted.append(load)
            return
        del self._loads[load.row]
        if status == wire.FOUND:
            try:
                value = record.decode(content, load.marker.encoding())
            except CorruptionError as error:
                self._load_failed(load, error.reason.encode())
                return
            self.loaded_values += 1
            self.loaded_bytes += len(content)
            self.owner.value_loaded(load.store_id, load.key, value)
            self._delete_row(load.row)
        elif status == wire.MISSING:
            self._load_failed(load, b"its row is missing")
        else:
            self._load_failed(load, content)

    def _load_failed(self, load: _Load, reason: bytes) -> None:
        self.failed_loads += 1
        logger.error("A cold value cannot be read: %s", reason.decode("utf-8", "replace"))
        self.owner.load_failed(load.store_id, load.key, errors.cold_read_failed(reason))

    def _void_load(self, row: bytes) -> None:
        load = self._loads.pop(row, None)
        if load is not None:
            self.owner.load_void(load.store_id, load.key)

    def _take_written(self, request: _Request, done: bool, payload: bytes) -> None:
        if not done:
            self._fail(payload)
            self._unapplied.extend(request.changes)
        for spill in request.spills:
            del self._spills[spill.row]
            self.in_flight_bytes -= spill.size
            self.leaving_bytes -= spill.accounted
            self.spills_ended += 1
            if not done:
                self.owner.write_failed(spill.value)
            elif self.owner.value_written(spill.store_id, spill.key, spill.value, spill.marker):
                self.spilled_values += 1
                self.spilled_bytes += spill.size
            elif not spill.superseded:
                self._delete_row(spill.row)

    def _read_inline(self, name: bytes) -> bytes | None:
        """The record of a row, waiting for it; None if there is no such row.

        Other answers that come meanwhile are acted on later: a command runs.
        """
        link = self._link
        if link is None:
            raise StoreLost(self.lost)
        self._send_all_waiting(link)
        request = _Request(wire.GET)
        frame = self._frame(request, wire.with_length(name))
        wanted: i64 = self._next_id - 1
        link.send_waiting(frame)
        while True:
            found: bytes | None = None
            for kind, request_id, payload in self._frames_of(link.receive_waiting()):
                if request_id == wanted:
                    del self._requests[request_id]
                    found = payload
                else:
                    self._deferred.append((kind, request_id, payload))
            if found is not None:
                if found[0] == wire.FOUND:
                    return found[5:]
                if found[0] == wire.MISSING:
                    return None
                raise CorruptionError(found[5:].decode("utf-8", "replace"), "cold tier")

    # --- When things go wrong

    def _fail(self, text: bytes) -> None:
        """A write has failed: nothing is written until a retry succeeds."""
        self.failed_writes += 1
        if not self.failure:
            self.failure = text or b"unknown reason"
            logger.error(
                "Writing to the cold tier failed, spilling pauses: %s", self.failure.decode("utf-8", "replace")
            )

    def _take_retry(self, done: bool, text: bytes) -> None:
        self._retrying = False
        if not done:
            self.failure = text or self.failure
            return
        logger.warning("Writing to the cold tier works again")
        self.failure = b""
        changes = self._unapplied + self._held
        drops = self._held_drops
        self._unapplied = []
        self._held = []
        self._held_drops = []
        for row, new_row in changes:
            if new_row:
                self._send_move(row, new_row)
            else:
                self._delete_row(row)
        for store_id in drops:
            self._send_drop(store_id)

    def _names_on_disk(self) -> dict[bytes, bytes]:
        """By row: the name that it still has on disk, where that is another one. Empty unless writing has failed."""
        names: dict[bytes, bytes] = {}
        for changes in (self._unapplied, self._failed_meanwhile(), self._held):
            for row, new_row in changes:
                if new_row:
                    names[new_row] = names.pop(row, row)
                else:
                    names.pop(row, None)
        return names

    def _failed_meanwhile(self) -> list[tuple[bytes, bytes]]:
        """Changes that have failed, according to answers that came during an inline read and wait to be acted on."""
        failed: list[tuple[bytes, bytes]] = []
        for kind, request_id, _ in self._deferred:
            if kind == wire.FAILED:
                failed.extend(self._requests[request_id].changes)
        return failed

    def _name_on_disk(self, row: bytes) -> bytes:
        if not self._unapplied and not self._held and not self._deferred:
            return row
        return self._names_on_disk().get(row, row)

    def _lose(self, reason: str) -> None:
        """The store is gone: everything that waits for it fails. The server is about to stop."""
        if self.lost:
            return
        self.lost = reason or "the cold store is gone"
        logger.critical("%s: cold values are lost, the server cannot go on", self.lost)
        loads = list(self._loads.values())
        self._loads.clear()
        for load in loads:
            self._load_failed(load, self.lost.encode())
        spills = list(self._spills.values())
        self._spills.clear()
        self._requests.clear()
        self.failure = self.lost.encode()
        for spill in spills:
            self.owner.write_failed(spill.value)


def _read_u32(data: bytes, position: i64) -> i64:
    value: i64 = data[position]
    value |= i64(data[position + 1]) << 8
    value |= i64(data[position + 2]) << 16
    return value | (i64(data[position + 3]) << 24)


def _read_u64(data: bytes, position: i64) -> i64:
    return _read_u32(data, position) | (_read_u32(data, position + 4) << 32)
