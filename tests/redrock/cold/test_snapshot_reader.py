"""The reader of a snapshot against a store played by the test. (With a real store: test_store.py)"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable

import pytest

from redrock.cold import wire
from redrock.cold.layout import ROW_TYPES, row_key
from redrock.cold.snapshot_reader import SnapshotError, SnapshotReader
from redrock.datatypes.value import TYPE_HASH, TYPE_STRING


@pytest.fixture
def played():
    """Gives a reader whose requests a function answers; None ends the connection."""
    threads = []

    def make(answer: Callable[[int, bytes], tuple[int, bytes] | None]) -> SnapshotReader:
        ours, theirs = socket.socketpair()

        def serve() -> None:
            frames = wire.FrameReader()
            with theirs:
                while data := theirs.recv(4096):
                    for kind, request_id, payload in frames.feed(data):
                        reply = answer(kind, payload)
                        if reply is None:
                            return
                        theirs.sendall(wire.frame(reply[0], request_id, reply[1]))

        thread = threading.Thread(target=serve)
        thread.start()
        reader = SnapshotReader(ours)
        threads.append((thread, reader))
        return reader

    yield make
    for thread, reader in threads:
        reader.close()
        thread.join()


def chunk(more: bool, rows: dict[bytes, bytes]) -> tuple[int, bytes]:
    parts = [bytes((wire.MORE if more else wire.LAST,))]
    for key, record in rows.items():
        parts.append(struct.pack("<II", len(key), len(record)) + key + record)
    return wire.CHUNK, b"".join(parts)


def test_rows_come_type_by_type_and_chunk_by_chunk(played) -> None:
    rows = {row_key(5, TYPE_STRING, b"a%d" % i): b"s%d" % i for i in range(5)} | {row_key(5, TYPE_HASH, b"h"): b"hash"}
    starts: list[bytes] = []

    def answer(kind: int, payload: bytes) -> tuple[int, bytes]:
        assert kind == wire.SCAN
        start, stop = wire.read_pair(payload, 4)
        starts.append(start)
        wanted = [key for key in sorted(rows) if start <= key < stop]
        return chunk(len(wanted) > 2, {key: rows[key] for key in wanted[:2]})

    found = list(played(answer).rows(5))
    assert found == [(TYPE_STRING, b"a%d" % i, b"s%d" % i) for i in range(5)] + [(TYPE_HASH, b"h", b"hash")]
    assert len(starts) == len(ROW_TYPES) + 2


def test_a_failure_in_the_middle_is_an_error(played) -> None:
    reader = played(lambda kind, payload: (wire.FAILED, b"bad block"))
    with pytest.raises(SnapshotError, match="bad block"):
        list(reader.rows(1))


def test_a_store_that_goes_is_an_error(played) -> None:
    reader = played(lambda kind, payload: None)
    with pytest.raises(SnapshotError, match=r"closed|gone"):
        list(reader.rows(1))


def test_records_of_many_keys(played) -> None:
    sizes: list[int] = []

    def answer(kind: int, payload: bytes) -> tuple[int, bytes]:
        keys = wire.read_keys(payload)
        sizes.append(len(keys))
        return wire.ROWS, b"".join(struct.pack("<BI", wire.FOUND, len(key)) + key for key in keys)

    keys = [(TYPE_STRING, b"%d" % i) for i in range(600)]
    assert played(answer).records(9, keys) == [row_key(9, TYPE_STRING, b"%d" % i) for i in range(600)]
    assert sum(sizes) == 600
    assert max(sizes) <= 256


@pytest.mark.parametrize(("status", "text"), [(wire.MISSING, "missing"), (wire.UNREADABLE, "bad disk")])
def test_a_record_that_cannot_be_had_is_an_error(played, status: int, text: str) -> None:
    reader = played(lambda kind, payload: (wire.ROWS, struct.pack("<BI", status, 8) + b"bad disk"))
    with pytest.raises(SnapshotError, match=text):
        reader.records(1, [(TYPE_STRING, b"k")])
