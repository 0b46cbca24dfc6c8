"""LevelDB itself, in a folder of the test's own."""

import os
from pathlib import Path

import pytest

from redrock.cold.leveldb import Rows, RowsError


@pytest.fixture
def rows(tmp_path: Path):
    opened = Rows(str(tmp_path))
    yield opened
    opened.close()


def put(rows: Rows, pairs: dict[bytes, bytes]) -> None:
    batch = rows.batch()
    for key, record in pairs.items():
        batch.put(key, record)
    batch.write()


def test_batches_are_applied_in_order(rows: Rows) -> None:
    put(rows, {b"a": b"1", b"b": b"2"})
    batch = rows.batch()
    batch.delete(b"a")
    batch.put(b"a", b"3")
    batch.put(b"b", b"4")
    batch.delete(b"b")
    batch.write()
    assert (rows.get(b"a"), rows.get(b"b")) == (b"3", None)


def test_a_row_gets_another_key(rows: Rows) -> None:
    put(rows, {b"a": b"1", b"b": b"2"})
    rows.move(b"a", b"b")
    assert (rows.get(b"a"), rows.get(b"b")) == (None, b"1")
    rows.move(b"missing", b"b")
    assert rows.get(b"b") == b"1"


def test_a_snapshot_keeps_its_moment(rows: Rows) -> None:
    put(rows, {b"k%03d" % i: b"v%d" % i for i in range(100)})
    snapshot = rows.snapshot()
    put(rows, {b"k000": b"new", b"k100": b"new"})
    found, more = snapshot.scan(b"k000", b"k050", 1 << 20)
    assert not more
    assert dict(zip(found[::2], found[1::2], strict=True)) == {b"k%03d" % i: b"v%d" % i for i in range(50)}
    assert snapshot.get(b"k000") == b"v0"
    assert snapshot.get(b"k100") is None
    snapshot.close()


def test_a_scan_goes_on_where_it_stopped(rows: Rows) -> None:
    expected = {b"k%03d" % i: b"v" * 50 for i in range(100)}
    put(rows, expected)
    snapshot = rows.snapshot()
    found: list[bytes] = []
    start, more, chunks = b"", True, 0
    while more:
        part, more = snapshot.scan(start, b"z", 500)
        assert part
        found += part
        start = part[-2] + b"\0"
        chunks += 1
    snapshot.close()
    assert dict(zip(found[::2], found[1::2], strict=True)) == expected
    assert 5 < chunks < 20


def test_keys_for_deleting(rows: Rows) -> None:
    put(rows, {b"a%d" % i: b"" for i in range(5)} | {b"b": b""})
    assert rows.keys_from(b"a", b"b", 3) == [b"a0", b"a1", b"a2"]
    assert rows.keys_from(b"a3", b"b", 100) == [b"a3", b"a4"]


def test_opened_again_nothing_is_lost(rows: Rows) -> None:
    put(rows, {b"k": b"v"})
    rows.reopen()
    assert rows.get(b"k") == b"v"
    rows.compact()
    assert rows.get(b"k") == b"v"


def test_the_write_buffer_is_written_out(rows: Rows, tmp_path: Path) -> None:
    put(rows, {b"k": b"v" * 1000})
    assert not [name for name in os.listdir(tmp_path) if name.endswith((".ldb", ".sst"))]
    rows.flush()
    assert [name for name in os.listdir(tmp_path) if name.endswith((".ldb", ".sst"))]
    assert rows.get(b"k") == b"v" * 1000


def test_a_folder_that_cannot_be_opened_says_which(tmp_path: Path) -> None:
    with pytest.raises(RowsError, match="missing/deep"):
        Rows(str(tmp_path / "missing/deep"))


def test_a_closed_database_is_an_error_not_a_crash(rows: Rows) -> None:
    rows.close()
    with pytest.raises(RowsError):
        rows.get(b"k")
    with pytest.raises(RowsError):
        rows.batch()
    with pytest.raises(RowsError):
        rows.snapshot()
