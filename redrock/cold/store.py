"""The cold store: the helper process that alone opens LevelDB. `python -m redrock.cold.store <descriptor> <folder>`.

A process of its own, so that the server can fork for a snapshot (LevelDB's threads and locks would not survive it), so
that reading and writing rows do not compete with commands for the interpreter lock, and so that it can be small: it
imports neither the server nor anything compiled. `wire` describes what is said over the socket.

Two threads. The main one reads rows, and answers; the writer applies everything that changes rows, in order, since
LevelDB may make a writer wait for its compaction. Reading goes on meanwhile. Background work (DROP) is done in slices
when nobody has asked for anything; COMPACT has a thread while it lasts.

It ends by itself when the server's end of the socket closes; signals to the process group are the server's affair.
"""

import array
import contextlib
import os
import queue
import selectors
import signal
import socket
import struct
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import Final

from redrock.cold import directory, wire
from redrock.cold.leveldb import RowBatch, Rows, RowsError, RowSnapshot
from redrock.util.memory_trim import trim

_RECEIVE_BYTES: Final = 256 * 1024
_PASSED_SOCKETS_MAX: Final = 8
# Deleted at a time in the background: about a millisecond, and one small batch for the writer.
_DROP_SLICE_ROWS: Final = 256
# After so much quiet, memory that a busy time has left behind is given back.
_QUIET_SECONDS: Final = 0.3
_BUSY_BYTES: Final = 8 << 20
_PAIR: Final = struct.Struct("<II")
_ROW_HEAD: Final = struct.Struct("<BI")
_FIGURES: Final = struct.Struct("<4Q")


class _Peer:
    """One socket: what has come in part, and what is still to be sent."""

    def __init__(self, end: socket.socket, snapshot: RowSnapshot | None) -> None:
        self.end = end
        self.reader = wire.FrameReader()
        self.outgoing: deque[memoryview] = deque()
        self.snapshot = snapshot
        self.watched = selectors.EVENT_READ


class _Writer(threading.Thread):
    """Runs jobs in order. A job answers by returning a frame (or None); frames go back through `answers`."""

    def __init__(self, wake: Callable[[], None]) -> None:
        super().__init__(daemon=True, name="writer")
        self.jobs: queue.SimpleQueue[Callable[[], bytes | None]] = queue.SimpleQueue()
        self.answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._wake = wake
        # The text of the first failed write, until a RETRY: see `wire` for why all later ones fail, too.
        self.failure: str | None = None

    def run(self) -> None:
        while True:
            answer = self.jobs.get()()
            self.answers.put(answer)
            if self.answers.qsize() == 1:
                self._wake()

    def guarded(self, request_id: int, change: Callable[[], None]) -> bytes:
        """Apply a change unless an earlier one has failed; the frame that answers it."""
        if self.failure is None:
            try:
                change()
                return wire.frame(wire.DONE, request_id)
            except RowsError as error:
                self.failure = str(error)
        return wire.frame(wire.FAILED, request_id, self.failure.encode())


class Store:
    """Serves one server until its socket closes."""

    def __init__(self, rows: Rows, end: socket.socket) -> None:
        self.rows = rows
        self.selector = selectors.DefaultSelector()
        self.wake_out, self.wake_in = socket.socketpair()
        self.wake_out.setblocking(False)
        self.wake_in.setblocking(False)
        self.selector.register(self.wake_out, selectors.EVENT_READ, None)
        self.writer = _Writer(self._wake)
        self.server = self._add_peer(end, None)
        self.passed: deque[int] = deque()
        self.drops: deque[tuple[bytes, bytes]] = deque()
        self.drop_running = False
        self.dropped_rows = 0
        # Two counters, since each thread may only write its own.
        self.moves_asked = 0
        self.moves_done = 0
        self.snapshots = 0
        self.snapshots_ready: deque[tuple[socket.socket, RowSnapshot]] = deque()
        self.compaction: threading.Thread | None = None
        self.received_bytes = 0
        self.bytes_since_quiet = 0
        self.closed = False

    def run(self) -> None:
        self.writer.start()
        self._send(self.server, wire.frame(wire.DONE, 0))
        while not self.closed:
            idle_work = bool(self.drops) and not self.drop_running and self.writer.failure is None
            untidy = self.bytes_since_quiet > _BUSY_BYTES
            events = self.selector.select(0 if idle_work else _QUIET_SECONDS if untidy else None)
            if not events and idle_work:
                self._drop_slice()
            elif not events:
                self.bytes_since_quiet = 0
                self.writer.jobs.put(self._tidy)
            for key, mask in events:
                if key.data is None:
                    self._take_answers()
                    continue
                peer: _Peer = key.data
                if mask & selectors.EVENT_WRITE:
                    self._send(peer, b"")
                if mask & selectors.EVENT_READ:
                    self._receive(peer)

    # --- Sockets

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.wake_in.send(b"\0")

    def _add_peer(self, end: socket.socket, snapshot: RowSnapshot | None) -> _Peer:
        end.setblocking(False)
        peer = _Peer(end, snapshot)
        self.selector.register(end, selectors.EVENT_READ, peer)
        return peer

    def _receive(self, peer: _Peer) -> None:
        try:
            if peer is self.server:
                data = self._receive_with_sockets()
            else:
                data = peer.end.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(peer)
            return
        self.bytes_since_quiet += len(data)
        for kind, request_id, payload in peer.reader.feed(data):
            if peer.snapshot is None:
                self._serve(kind, request_id, payload)
            elif not self._serve_snapshot(peer, peer.snapshot, kind, request_id, payload):
                self._close(peer)
                return

    def _receive_with_sockets(self) -> bytes:
        room = socket.CMSG_SPACE(_PASSED_SOCKETS_MAX * array.array("i").itemsize)
        data, ancillary, _, _ = self.server.end.recvmsg(_RECEIVE_BYTES, room)
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                passed = array.array("i")
                passed.frombytes(content[: len(content) - len(content) % passed.itemsize])
                self.passed.extend(passed)
        return data

    def _send(self, peer: _Peer, data: bytes) -> None:
        """Send, or keep what the socket does not take now."""
        if data:
            self.bytes_since_quiet += len(data)
            peer.outgoing.append(memoryview(data))
        try:
            while peer.outgoing:
                sent = peer.end.send(peer.outgoing[0])
                if sent == len(peer.outgoing[0]):
                    peer.outgoing.popleft()
                else:
                    peer.outgoing[0] = peer.outgoing[0][sent:]
        except BlockingIOError:
            pass
        except OSError:
            # The other end is gone: the read side will say so.
            peer.outgoing.clear()
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if peer.outgoing else 0)
        if wanted != peer.watched:
            peer.watched = wanted
            self.selector.modify(peer.end, wanted, peer)

    def _close(self, peer: _Peer) -> None:
        if peer is self.server:
            self.closed = True
            return
        self.selector.unregister(peer.end)
        peer.end.close()
        if peer.snapshot is not None:
            peer.snapshot.close()
            self.snapshots -= 1

    def _take_answers(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.wake_out.recv(4096)
        while self.snapshots_ready:
            self._add_peer(*self.snapshots_ready.popleft())
            self.snapshots += 1
        with contextlib.suppress(queue.Empty):
            while True:
                answer = self.writer.answers.get_nowait()
                if answer:
                    self._send(self.server, answer)

    # --- Requests of the server

    def _serve(self, kind: int, request_id: int, payload: bytes) -> None:
        if kind == wire.GET:
            if self.moves_asked != self.moves_done:
                # One of these keys may be the new name of a row that is still being renamed.
                self.writer.jobs.put(lambda: self._get(self.rows, request_id, payload))
            else:
                self._send(self.server, self._get(self.rows, request_id, payload))
        elif kind == wire.WRITE:
            self._write(request_id, payload)
        elif kind == wire.MOVE:
            key, new_key = wire.read_pair(payload)
            self.moves_asked += 1
            self.writer.jobs.put(lambda: self._move(request_id, key, new_key))
        elif kind == wire.DROP:
            start, stop = wire.read_pair(payload)
            self.writer.jobs.put(lambda: self._drop(request_id, start, stop))
        elif kind == wire.SNAPSHOT:
            end = socket.socket(fileno=self.passed.popleft())
            self.writer.jobs.put(lambda: self._open_snapshot(request_id, end))
        elif kind == wire.STATS:
            self._send(self.server, self._stats(request_id))
        elif kind == wire.COMPACT:
            # Behind the deletions that came before it.
            self.writer.jobs.put(lambda: self._start_compaction(request_id))
        elif kind == wire.RETRY:
            self._retry(request_id)
        else:
            raise AssertionError(f"a request of unknown kind {kind}")

    def _get(self, rows: Rows | RowSnapshot, request_id: int, payload: bytes) -> bytes:
        parts: list[bytes] = []
        for key in wire.read_keys(payload):
            try:
                record = rows.get(key)
            except RowsError as error:
                text = str(error).encode()
                parts += (_ROW_HEAD.pack(wire.UNREADABLE, len(text)), text)
                continue
            if record is None:
                parts.append(_ROW_HEAD.pack(wire.MISSING, 0))
            else:
                parts += (_ROW_HEAD.pack(wire.FOUND, len(record)), record)
        return wire.frame(wire.ROWS, request_id, b"".join(parts))

    def _write(self, request_id: int, payload: bytes) -> None:
        try:
            # Taken apart here: while the writer thread did this, reading would wait for the interpreter lock.
            batch: RowBatch | None = self._read_operations(payload)
        except RowsError as error:
            batch, self.writer.failure = None, self.writer.failure or str(error)

        def change() -> None:
            if batch is not None:
                batch.write()

        self.writer.jobs.put(lambda: self.writer.guarded(request_id, change))

    def _read_operations(self, payload: bytes) -> RowBatch:
        batch = self.rows.batch()
        position = 0
        unpack = _PAIR.unpack_from
        while position < len(payload):
            if payload[position] == wire.PUT:
                key_length, length = unpack(payload, position + 1)
                start = position + 9
                middle = start + key_length
                position = middle + length
                batch.put(payload[start:middle], payload[middle:position])
            else:
                start = position + 5
                position = start + wire.read_u32(payload, position + 1)
                batch.delete(payload[start:position])
        return batch

    def _move(self, request_id: int, key: bytes, new_key: bytes) -> bytes:
        answer = self.writer.guarded(request_id, lambda: self.rows.move(key, new_key))
        self.moves_done += 1
        return answer

    def _drop(self, request_id: int, start: bytes, stop: bytes) -> bytes:
        """Behind every earlier write, so that a row of the range cannot be written after it has been deleted."""
        self.drops.append((start, stop))
        return wire.frame(wire.DONE, request_id)

    def _drop_slice(self) -> None:
        start, stop = self.drops[0]
        try:
            keys = self.rows.keys_from(start, stop, _DROP_SLICE_ROWS)
            batch = self.rows.batch()
        except RowsError as error:
            self.writer.failure = self.writer.failure or str(error)
            return
        if not keys:
            self.drops.popleft()
            return
        for key in keys:
            batch.delete(key)
        self.drop_running = True

        def delete() -> None:
            batch.write()
            self.drops[0] = (keys[-1] + b"\0", stop)
            self.dropped_rows += len(keys)

        def job() -> None:
            self.writer.guarded(0, delete)
            self.drop_running = False

        self.writer.jobs.put(job)

    def _tidy(self) -> None:
        """Give back memory that a busy time has left behind: LevelDB's write buffer, and holes in the heap."""
        compacting = self.compaction is not None and self.compaction.is_alive()
        if self.writer.failure is None and not compacting:
            try:
                self.rows.flush()
            except RowsError as error:
                self.writer.failure = str(error)
        trim()

    def _open_snapshot(self, request_id: int, end: socket.socket) -> bytes:
        try:
            snapshot = self.rows.snapshot()
        except RowsError as error:
            # Closing it tells the reader.
            end.close()
            return wire.frame(wire.FAILED, request_id, str(error).encode())
        self.snapshots_ready.append((end, snapshot))
        return wire.frame(wire.DONE, request_id)

    def _stats(self, request_id: int) -> bytes:
        figures = (
            directory.used_bytes(self.rows.path),
            anonymous_bytes(),
            len(self.drops),
            self.dropped_rows,
        )
        return wire.frame(wire.FIGURES, request_id, _FIGURES.pack(*figures))

    def _start_compaction(self, request_id: int) -> bytes | None:
        if self.compaction is not None and self.compaction.is_alive():
            return wire.frame(wire.FAILED, request_id, b"a compaction is running already")
        self.compaction = threading.Thread(target=self._compact, args=(request_id,), daemon=True, name="compaction")
        self.compaction.start()
        return None

    def _compact(self, request_id: int) -> None:
        try:
            self.rows.compact()
            answer = wire.frame(wire.DONE, request_id)
        except RowsError as error:
            answer = wire.frame(wire.FAILED, request_id, str(error).encode())
        self.writer.answers.put(answer)
        self._wake()

    def _retry(self, request_id: int) -> None:
        # Whatever was sent before has failed already or fails at once, so the writer has soon nothing to do.
        reached = threading.Event()
        self.writer.jobs.put(reached.set)
        reached.wait()
        if self.writer.failure is not None:
            try:
                if self.snapshots or self.snapshots_ready:
                    raise RowsError("a snapshot is being read: LevelDB cannot be opened again now")
                if self.compaction is not None and self.compaction.is_alive():
                    raise RowsError("a compaction is running: LevelDB cannot be opened again now")
                self.rows.reopen()
                self.writer.failure = None
            except RowsError as error:
                self._send(self.server, wire.frame(wire.FAILED, request_id, str(error).encode()))
                return
        self._send(self.server, wire.frame(wire.DONE, request_id))

    # --- Requests of a reader of a snapshot

    def _serve_snapshot(self, peer: _Peer, snapshot: RowSnapshot, kind: int, request_id: int, payload: bytes) -> bool:
        """False: the snapshot is no use any more, or the peer is talking nonsense."""
        if kind == wire.GET:
            self._send(peer, self._get(snapshot, request_id, payload))
            return True
        if kind != wire.SCAN:
            return False
        bytes_max = wire.read_u32(payload, 0)
        start, stop = wire.read_pair(payload, 4)
        try:
            rows, more = snapshot.scan(start, stop, bytes_max)
        except RowsError as error:
            self._send(peer, wire.frame(wire.FAILED, request_id, str(error).encode()))
            return True
        parts = [bytes((wire.MORE if more else wire.LAST,))]
        for i in range(0, len(rows), 2):
            parts += (_PAIR.pack(len(rows[i]), len(rows[i + 1])), rows[i], rows[i + 1])
        self._send(peer, wire.frame(wire.CHUNK, request_id, b"".join(parts)))
        return True


def anonymous_bytes(process: str = "self") -> int:
    """Resident memory that is not a mapped file; 0 where the system does not say (it is not Linux)."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/status", "rb") as status:
        for line in status:
            if line.startswith(b"RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    """Claim the folder, open LevelDB, serve. What goes wrong at the start is told to the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    end = socket.socket(fileno=int(sys.argv[1]))
    path = sys.argv[2]
    try:
        lock = directory.claim(path)
        rows = Rows(path)
    except (directory.DirectoryError, RowsError) as error:
        end.setblocking(True)
        end.sendall(wire.frame(wire.FAILED, 0, str(error).encode()))
        sys.exit(1)
    status = 0
    try:
        Store(rows, end).run()
    except BaseException:
        traceback.print_exc()
        status = 1
    # The rows are of no use to anyone now. LevelDB's own threads may still be at work: leave without waiting for them.
    with contextlib.suppress(OSError):
        directory.empty(path)
        os.close(lock)
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    main()
