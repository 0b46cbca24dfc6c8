"""The cold store in memory, in LevelDB's place: slow, sometimes full, and reachable by the protocol of the real one.

Requests are worked off by a task, one after another with pauses from the seeded source. GETs overtake writes, but no
MOVE. The rows of a snapshot are served by a thread over the socket that came with the request: it runs only while the
server reads from that socket and waits for it, so the order of events stays the same.
"""

from __future__ import annotations

import os
import random
import socket
import struct
import threading
from collections import deque

import trio

from redrock.cold import wire
from redrock.cold.link import StoreLauncher, StoreLink

_CHUNK_BYTES = 20_000


class MemoryStore(StoreLink, StoreLauncher):
    """``failure``: the text with which writes fail from now on, until a RETRY finds it empty."""

    def __init__(self, source: random.Random, delay_max: float) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.failure = ""
        self._random = source
        self._delay_max = delay_max
        self._broken = ""
        self._reader = wire.FrameReader()
        self._queue: deque[tuple[int, int, bytes]] = deque()
        self._answers: deque[bytes] = deque()
        self._passed: deque[socket.socket] = deque()
        self._news = trio.Event()
        self._ready_out, self._ready_in = os.pipe()
        os.set_blocking(self._ready_out, False)

    # --- The server's end

    def launch(self) -> StoreLink:
        return self

    def send(self, data: bytes) -> int:
        for kind, request_id, payload in self._reader.feed(data):
            if kind == wire.GET and not any(other == wire.MOVE for other, _, _ in self._queue):
                self._queue.appendleft((kind, request_id, payload))
            else:
                self._queue.append((kind, request_id, payload))
        self._news.set()
        return len(data)

    def send_waiting(self, data: bytes) -> None:
        self.send(data)

    def send_socket(self, data: bytes, end: socket.socket) -> None:
        self._passed.append(end.dup())
        self.send(data)
        while self._passed:
            self._work()

    def receive(self) -> bytes:
        if not self._answers:
            return b""
        answer = self._answers.popleft()
        if not self._answers:
            os.read(self._ready_out, 1000)
        return answer

    def receive_waiting(self) -> bytes:
        while not self._answers:
            assert self._queue, "nothing will ever come"
            self._work()
        return self.receive()

    def fileno(self) -> int:
        return self._ready_out

    def close(self) -> None:
        if self._ready_out >= 0:
            os.close(self._ready_out)
            os.close(self._ready_in)
            self._ready_out = -1

    # --- The store

    async def run(self) -> None:
        """Work off what comes, until cancelled."""
        while True:
            self._news = trio.Event()
            while self._queue:
                await trio.sleep(self._random.random() * self._delay_max)
                if self._queue:
                    self._work()
            await self._news.wait()

    def _answer(self, data: bytes) -> None:
        if not self._answers:
            os.write(self._ready_in, b"x")
        self._answers.append(data)

    def _work(self) -> None:
        kind, request_id, payload = self._queue.popleft()
        if kind == wire.GET:
            self._answer(wire.frame(wire.ROWS, request_id, _found(self.rows, payload)))
        elif kind in (wire.WRITE, wire.MOVE):
            self._broken = self._broken or self.failure
            if self._broken:
                self._answer(wire.frame(wire.FAILED, request_id, self._broken.encode()))
                return
            if kind == wire.MOVE:
                key, new_key = wire.read_pair(payload)
                if key in self.rows:
                    self.rows[new_key] = self.rows.pop(key)
            else:
                self._write(payload)
            self._answer(wire.frame(wire.DONE, request_id))
        elif kind == wire.RETRY:
            self._broken = self.failure
            answer = wire.FAILED if self.failure else wire.DONE
            self._answer(wire.frame(answer, request_id, self.failure.encode()))
        elif kind == wire.STATS:
            self._answer(wire.frame(wire.FIGURES, request_id, struct.pack("<4Q", 0, 0, 0, 0)))
        elif kind == wire.DROP:
            start, stop = wire.read_pair(payload)
            for row in [row for row in self.rows if start <= row < stop]:
                del self.rows[row]
            self._answer(wire.frame(wire.DONE, request_id))
        elif kind == wire.SNAPSHOT:
            threading.Thread(
                target=_serve_snapshot, args=(self._passed.popleft(), dict(self.rows)), daemon=True
            ).start()
            self._answer(wire.frame(wire.DONE, request_id))
        else:
            assert kind == wire.COMPACT
            self._answer(wire.frame(wire.DONE, request_id))

    def _write(self, payload: bytes) -> None:
        position = 0
        while position < len(payload):
            if payload[position] == wire.PUT:
                key_length, length = struct.unpack_from("<II", payload, position + 1)
                start = position + 9
                position = start + key_length + length
                self.rows[payload[start : start + key_length]] = payload[start + key_length : position]
            else:
                start = position + 5
                position = start + wire.read_u32(payload, position + 1)
                self.rows.pop(payload[start:position], None)


def _found(rows: dict[bytes, bytes], payload: bytes) -> bytes:
    """The payload that answers a GET."""
    parts: list[bytes] = []
    for key in wire.read_keys(payload):
        record = rows.get(key)
        status = wire.MISSING if record is None else wire.FOUND
        parts.append(struct.pack("<BI", status, len(record or b"")) + (record or b""))
    return b"".join(parts)


def _serve_snapshot(end: socket.socket, rows: dict[bytes, bytes]) -> None:
    """Until the reader closes its end."""
    names = sorted(rows)
    reader = wire.FrameReader()
    with end:
        end.setblocking(True)
        while True:
            try:
                data = end.recv(65536)
            except OSError:
                return
            if not data:
                return
            for kind, request_id, payload in reader.feed(data):
                if kind == wire.GET:
                    end.sendall(wire.frame(wire.ROWS, request_id, _found(rows, payload)))
                    continue
                assert kind == wire.SCAN
                start, stop = wire.read_pair(payload, 4)
                parts: list[bytes] = []
                total = 0
                more = False
                for name in names:
                    if start <= name < stop:
                        if total >= _CHUNK_BYTES:
                            more = True
                            break
                        parts.append(struct.pack("<II", len(name), len(rows[name])) + name + rows[name])
                        total += len(parts[-1])
                last = bytes([wire.MORE if more else wire.LAST])
                end.sendall(wire.frame(wire.CHUNK, request_id, last + b"".join(parts)))
