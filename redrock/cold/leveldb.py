"""LevelDB, as the cold store uses it. The only module that imports plyvel.

Every read verifies the checksum of its block (2 microseconds): a damaged row is an error, never a wrong value.

Settings are chosen for a small process: what a bigger write buffer or block cache would buy, the operating system's
page cache gives as well, and that memory is not ours to pay for.

`RowsError` is any failure of LevelDB, with its text. Reading works from several threads; writing is for one at a time.
After a failed write LevelDB refuses every later one until it is opened again (its background error sticks).
"""

from typing import Final

import plyvel

from redrock.cold import directory

# Two of these are in memory while one is being written out. Half of it costs a third more of processor time for the
# same rows (compaction), twice as much saves another third.
WRITE_BUFFER_BYTES: Final = 8 << 20
BLOCK_CACHE_BYTES: Final = 4 << 20
# LevelDB maps up to 1000 tables: with its default of 2 MB, 2 GB of rows would be read through the map and the rest not.
TABLE_FILE_BYTES: Final = 8 << 20
TABLES_OPEN_MAX: Final = 1000
# About 1 % false positives; a row that is asked for mostly exists, and the filter says in which tables it is not.
BLOOM_BITS: Final = 10
# What opening again needs: the log of the write buffer goes into a table.
ROOM_TO_OPEN_BYTES: Final = 2 * WRITE_BUFFER_BYTES


class RowsError(Exception):
    """LevelDB has failed; the text is for the log and for the client."""


def _failure(error: Exception) -> RowsError:
    """plyvel hands LevelDB's texts on as bytes."""
    text = error.args[0] if error.args else ""
    return RowsError(text.decode(errors="replace") if isinstance(text, bytes) else str(error))


class RowBatch:
    """Puts and deletes that are applied as one."""

    def __init__(self, db: plyvel.DB) -> None:
        self._batch = db.write_batch()
        self.put = self._batch.put
        self.delete = self._batch.delete

    def write(self) -> None:
        try:
            self._batch.write()
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error


class RowSnapshot:
    """The rows as they were when it was taken."""

    def __init__(self, db: plyvel.DB) -> None:
        self._snapshot = db.snapshot()

    def scan(self, start: bytes, stop: bytes, bytes_max: int) -> tuple[list[bytes], bool]:
        """Rows from ``start`` up to but not including ``stop``: row key, record, row key, record, ...

        Ends behind the row with which ``bytes_max`` is reached; the second value says whether there are more.
        """
        rows: list[bytes] = []
        total = 0
        try:
            # A whole pass over the rows would drive everything else out of the block cache.
            cursor = self._snapshot.raw_iterator(verify_checksums=True, fill_cache=False)
            try:
                cursor.seek(start)
                while cursor.valid():
                    key = cursor.key()
                    if key >= stop:
                        return rows, False
                    if total >= bytes_max:
                        return rows, True
                    record = cursor.value()
                    rows += (key, record)
                    total += len(key) + len(record)
                    cursor.next()
            finally:
                cursor.close()
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error
        return rows, False

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._snapshot.get(key, verify_checksums=True, fill_cache=False)
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error

    def close(self) -> None:
        self._snapshot.close()


class Rows:
    """All rows of the tier, in a folder that this process has claimed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._db: plyvel.DB | None = self._open()

    def get(self, key: bytes) -> bytes | None:
        try:
            return self._opened().get(key, verify_checksums=True)
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error

    def batch(self) -> RowBatch:
        return RowBatch(self._opened())

    def move(self, key: bytes, new_key: bytes) -> None:
        """The row of ``key`` becomes that of ``new_key``. If it is missing, whoever reads it will say so."""
        record = self.get(key)
        if record is None:
            return
        batch = self.batch()
        batch.put(new_key, record)
        batch.delete(key)
        batch.write()

    def snapshot(self) -> RowSnapshot:
        try:
            return RowSnapshot(self._opened())
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error

    def keys_from(self, start: bytes, stop: bytes, count: int) -> list[bytes]:
        """Up to ``count`` row keys in the range, for deleting it bit by bit."""
        keys: list[bytes] = []
        try:
            cursor = self._opened().raw_iterator(fill_cache=False)
            try:
                cursor.seek(start)
                while len(keys) < count and cursor.valid():
                    key = cursor.key()
                    if key >= stop:
                        break
                    keys.append(key)
                    cursor.next()
            finally:
                cursor.close()
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error
        return keys

    def compact(self) -> None:
        """Rewrite the tables without what has been deleted. Takes as long as reading and writing all rows."""
        try:
            # Without bounds plyvel 1.5.1 compacts from "" to "", which is nothing. Row keys begin with a letter.
            # Twice: LevelDB looks for the deepest level with files before it writes its buffer out, so what that adds
            # is only seen the second time.
            for _ in range(2):
                self._opened().compact_range(start=b"", stop=b"\xff")
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error

    def flush(self) -> None:
        """Write the buffer out, which empties it: a compaction of no rows does that first."""
        try:
            self._opened().compact_range(start=b"\0", stop=b"\0\0")
        except (plyvel.Error, RuntimeError, OSError) as error:
            raise _failure(error) from error

    def reopen(self) -> None:
        """Recover from a failed write. Nothing that was written is lost: it is in LevelDB's log.

        If there is no room, opening would fail and no row could be read any more: so that is tried first.
        """
        if not directory.has_room(self.path, ROOM_TO_OPEN_BYTES):
            raise RowsError(f"no room to write in '{self.path}'")
        if self._db is not None:
            self._db.close()
            self._db = None
        self._db = self._open()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> plyvel.DB:
        if self._db is None:
            raise RowsError("LevelDB could not be opened again")
        return self._db

    def _open(self) -> plyvel.DB:
        try:
            return plyvel.DB(
                self.path,
                create_if_missing=True,
                write_buffer_size=WRITE_BUFFER_BYTES,
                lru_cache_size=BLOCK_CACHE_BYTES,
                max_file_size=TABLE_FILE_BYTES,
                max_open_files=TABLES_OPEN_MAX,
                compression="snappy",
                bloom_filter_bits=BLOOM_BITS,
            )
        except (plyvel.Error, OSError) as error:
            raise RowsError(f"LevelDB in '{self.path}' cannot be opened: {_failure(error)}") from error
