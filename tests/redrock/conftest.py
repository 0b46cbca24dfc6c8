"""A cold tier without a process: a store in memory that speaks the protocol, with faults, and a world around it."""

from __future__ import annotations

import socket
import struct
from collections import deque

import pytest

from redrock.clients.parking import Parking
from redrock.cold import wire
from redrock.cold.link import StoreLauncher, StoreLink, StoreLost
from redrock.cold.tier import ColdTier
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import ColdMarker
from redrock.interfaces import ClientResumer, KeyspaceListener
from redrock.keyspace.cold_values import ColdValues
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.spilling import Spilling
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource


class MemoryStore(StoreLink, StoreLauncher):
    """What LevelDB's process would do, in a dict, one request per `work`. GETs overtake writes, but no MOVE.

    Faults: ``failure`` fails writes from now on until a RETRY finds it empty; rows in ``unreadable`` cannot be read;
    ``room`` bytes are taken by the socket before it is full; ``is_gone`` ends it all.
    """

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.failure = ""
        self.unreadable: set[bytes] = set()
        self.room = 1 << 30
        self.is_gone = False
        self.kinds: list[int] = []  # of all frames, in the order of their arrival
        self.gets: list[list[bytes]] = []
        self.snapshots: list[dict[bytes, bytes]] = []
        self._broken = ""
        self._reader = wire.FrameReader()
        self._queue: deque[tuple[int, int, bytes]] = deque()
        self._answers: deque[bytes] = deque()

    def launch(self) -> StoreLink:
        return self

    def send(self, data: bytes) -> int:
        if self.is_gone:
            raise StoreLost("the cold store is gone")
        taken = data[: self.room]
        self.room -= len(taken)
        for kind, request_id, payload in self._reader.feed(taken):
            self.kinds.append(kind)
            if kind == wire.GET and not any(other == wire.MOVE for other, _, _ in self._queue):
                self._get(request_id, payload)
            else:
                self._queue.append((kind, request_id, payload))
        return len(taken)

    def send_waiting(self, data: bytes) -> None:
        self.room = 1 << 30
        self.send(data)

    def send_socket(self, data: bytes, end: socket.socket) -> None:
        self.send_waiting(data)

    def receive(self) -> bytes:
        if self.is_gone:
            raise StoreLost("the cold store has ended")
        return self._answers.popleft() if self._answers else b""

    def receive_waiting(self) -> bytes:
        while not self._answers and not self.is_gone:
            assert self.work(), "nothing will ever come"
        return self.receive()

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.is_gone = True

    def has_work(self) -> bool:
        return bool(self._queue)

    def work(self) -> bool:
        """Do the next thing in the queue."""
        if not self._queue:
            return False
        kind, request_id, payload = self._queue.popleft()
        if kind == wire.GET:
            self._get(request_id, payload)
        elif kind in (wire.WRITE, wire.MOVE):
            self._broken = self._broken or self.failure
            if self._broken:
                self._answers.append(wire.frame(wire.FAILED, request_id, self._broken.encode()))
            else:
                self._change(kind, payload)
                self._answers.append(wire.frame(wire.DONE, request_id))
        elif kind == wire.RETRY:
            self._broken = self.failure
            self._answers.append(
                wire.frame(wire.FAILED if self.failure else wire.DONE, request_id, self.failure.encode())
            )
        elif kind == wire.STATS:
            self._answers.append(wire.frame(wire.FIGURES, request_id, struct.pack("<4Q", 11, 22, 33, 44)))
        else:
            if kind == wire.DROP:
                start, stop = wire.read_pair(payload)
                for row in [row for row in self.rows if start <= row < stop]:
                    del self.rows[row]
            elif kind == wire.SNAPSHOT:
                self.snapshots.append(dict(self.rows))
            self._answers.append(wire.frame(wire.DONE, request_id))
        return True

    def _get(self, request_id: int, payload: bytes) -> None:
        keys = wire.read_keys(payload)
        self.gets.append(keys)
        parts = []
        for key in keys:
            if key in self.unreadable:
                parts.append(struct.pack("<BI", wire.UNREADABLE, 8) + b"bad disk")
            elif key in self.rows:
                parts.append(struct.pack("<BI", wire.FOUND, len(self.rows[key])) + self.rows[key])
            else:
                parts.append(struct.pack("<BI", wire.MISSING, 0))
        self._answers.append(wire.frame(wire.ROWS, request_id, b"".join(parts)))

    def _change(self, kind: int, payload: bytes) -> None:
        if kind == wire.MOVE:
            key, new_key = wire.read_pair(payload)
            record = self.rows.pop(key, None)
            if record is not None:
                self.rows[new_key] = record
            return
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


class Resumer(ClientResumer):
    """Remembers who may go on, and with what failure."""

    def __init__(self) -> None:
        self.resumed: list[tuple[int, bytes | None]] = []

    def resume(self, client_id: int, failure: bytes | None) -> None:
        self.resumed.append((client_id, failure))


class Listener(KeyspaceListener):
    """Remembers which keys have been evicted."""

    def __init__(self) -> None:
        self.evicted: list[tuple[int, bytes]] = []

    def key_evicted(self, dbid: int, key: bytes) -> None:
        self.evicted.append((dbid, key))


class ColdWorld:
    """A keyspace with a tier over a MemoryStore."""

    def __init__(self, launcher: StoreLauncher | None = None) -> None:
        self.store = MemoryStore()
        self.tier = ColdTier(launcher or self.store)
        self.listener = Listener()
        self.keyspace = Keyspace(4, RandomSource(11), self.listener, self.tier)
        self.keyspace.lru_clock = 1000
        self.values = ColdValues(self.keyspace)
        self.tier.owner = self.values
        self.clock = ManualClock()
        self.spilling = Spilling(self.keyspace, self.tier, self.values, self.clock)
        self.spilling.configure(0, 64, 0)
        self.resumer = Resumer()
        self.parking = Parking(self.keyspace, self.tier, self.resumer)
        self.values.waiters = self.parking.waiters
        self.tier.open()

    @property
    def db(self) -> Database:
        return self.keyspace.databases[0]

    def put(self, key: bytes, data: bytes, dbid: int = 0) -> StringValue:
        value = StringValue(data)
        self.keyspace.databases[dbid].put(key, value)
        return value

    def get(self, key: bytes, dbid: int = 0) -> bytes | None:
        """The string that is in memory; None if there is none, or it is cold."""
        found = self.keyspace.databases[dbid].table.get(key)
        return found.as_bytes() if isinstance(found, StringValue) else None

    def is_cold(self, key: bytes, dbid: int = 0) -> bool:
        return isinstance(self.keyspace.databases[dbid].table.get(key), ColdMarker)

    def spill(self, *keys: bytes, dbid: int = 0) -> None:
        """Spill these and wait."""
        for key in keys:
            assert self.spilling.spill_key(self.keyspace.databases[dbid], key) == b"spilling"
        self.settle()
        for key in keys:
            assert self.is_cold(key, dbid)

    def load(self, key: bytes, dbid: int = 0) -> None:
        """Ask for a load; it is sent, not waited for."""
        database = self.keyspace.databases[dbid]
        marker = database.table.get(key)
        assert isinstance(marker, ColdMarker)
        self.tier.request_load(database.store_id, key, marker)
        self.tier.flush()

    def settle(self) -> None:
        """Until nothing is on its way."""
        while True:
            self.tier.flush()
            worked = self.store.work()
            if not self.tier.receive() and not worked and not self.tier.has_unsent():
                return

    def check(self) -> None:
        """What must hold when nothing is on its way: every marker has its row, and there is no other row."""
        from redrock.cold.layout import row_key

        rows = set()
        for database in self.keyspace.databases:
            cold = 0
            for key, value in database.table.items():
                if isinstance(value, ColdMarker):
                    cold += 1
                    rows.add(row_key(database.store_id, value.type_code(), key))
                else:
                    assert value.last_use >= 0
            assert cold == database.cold_count
        assert rows == set(self.store.rows)
        assert self.tier.in_flight_bytes == 0
        assert self.tier.leaving_bytes == 0
        assert self.tier.loads_in_flight() == 0
        assert self.tier.spills_in_flight() == 0
        assert self.tier.spills_begun == self.tier.spills_ended


@pytest.fixture
def cold_world() -> ColdWorld:
    return ColdWorld()


@pytest.fixture
def make_cold_world() -> type[ColdWorld]:
    """For tests that need a fresh one per example."""
    return ColdWorld
