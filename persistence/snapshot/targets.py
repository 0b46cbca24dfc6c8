"""Where a snapshot goes: an RDB file, the base of an AOF, or a pipe whose reader serves followers.

A file is written beside its target under a name of its own, fsynced, renamed, and the directory fsynced: so the target
is always a whole snapshot, the last or the one before. What fails is logged in Redis's words, and leaves the target as
it was. Source: Redis 7.0.15, rdb.c (rdbSave, rdbSaveRioWithEOFMark) and aof.c (rewriteAppendOnlyFile).
"""

import logging
import os
import socket
import time
from typing import Final, final

from persistence.aof.format import temp_base_name
from persistence.files import Disk, WriteFile, reason, unlink_if_there, write_whole
from persistence.rdb.writer import ReplicationInfo, standard_aux
from persistence.snapshot.engine import (
    LAST_USE_LFU,
    LAST_USE_LRU,
    LAST_USE_NONE,
    CommandEncoder,
    DatasetEncoder,
    RdbEncoder,
    SnapshotSink,
    SnapshotWriter,
)
from persistence.snapshot.fork import ChildWork, Reporter
from redrock.cold.snapshot_reader import SnapshotError, SnapshotReader
from redrock.config.values import SettingValues
from redrock.keyspace.keyspace import Keyspace

logger: Final = logging.getLogger("redrock.persistence")

REDIS_VERSION: Final = b"7.0.15"


class FileSink(SnapshotSink):
    """Into a file, unbuffered: the pieces are large."""

    def __init__(self, file: WriteFile) -> None:
        self._file: Final = file

    def write(self, data: bytes) -> None:
        write_whole(self._file, data)


class DescriptorSink(SnapshotSink):
    """Into a pipe that blocks while its reader is behind."""

    def __init__(self, fd: int) -> None:
        self._fd: Final = fd

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]


@final
class Dataset:
    """What is to be written: the keyspace as it is, its cold rows at the same instant, and facts about both."""

    def __init__(
        self,
        keyspace: Keyspace,
        settings: SettingValues,
        cold: socket.socket | None,
        replication: ReplicationInfo | None,
        used_memory: int,
    ) -> None:
        self._keyspace: Final = keyspace
        self._settings: Final = settings
        self._cold_socket: Final = cold
        self._replication: Final = replication
        self._used_memory: Final = used_memory

    def descriptors(self) -> list[int]:
        """Sockets that a child needs for it."""
        return [] if self._cold_socket is None else [self._cold_socket.fileno()]

    def close(self) -> None:
        """Give up the cold rows."""
        if self._cold_socket is not None:
            self._cold_socket.close()

    def write(self, sink: SnapshotSink, as_rdb: bool, aof_base: bool, reporter: Reporter | None) -> None:
        """Write all of it. Raises OSError or SnapshotError."""
        now_s = int(time.time())
        encoder: DatasetEncoder
        if as_rdb:
            encoder = RdbEncoder(self._settings.rdbcompression, self._settings.rdbchecksum)
        else:
            encoder = CommandEncoder(now_s if self._settings.aof_timestamp_enabled else -1)
        cold = None if self._cold_socket is None else SnapshotReader(self._cold_socket)
        writer = SnapshotWriter(
            self._keyspace, encoder, sink, cold, self._last_use(), reporter, self._settings.rdb_key_save_delay
        )
        replication = None if aof_base else self._replication
        writer.run(standard_aux(REDIS_VERSION, now_s, self._used_memory, replication, aof_base))
        if reporter is not None:
            reporter.finished(writer.written_bytes)

    def _last_use(self) -> int:
        policy = self._settings.maxmemory_policy
        if "lru" in policy:
            return LAST_USE_LRU
        return LAST_USE_LFU if "lfu" in policy else LAST_USE_NONE


def save_rdb_file(disk: Disk, dataset: Dataset, filename: str, reporter: Reporter | None) -> bool:
    """Write an RDB file; False, logged, if that failed."""
    temp = f"temp-{os.getpid()}.rdb"
    try:
        file = disk.create(temp)
    except OSError as error:
        logger.warning(
            "Failed opening the temp RDB file %s (in server root dir %s) for saving: %s",
            temp,
            disk.describe_directory(),
            reason(error),
        )
        return False
    step = "rdbSaveRio"
    try:
        try:
            dataset.write(FileSink(file), True, False, reporter)
            step = "fsync"
            file.fsync()
        finally:
            file.close()
        step = "rename"
        disk.rename(temp, filename)
        step = "fsyncFileDir"
        disk.fsync_directory_of(filename)
    except OSError as error:
        if step == "rename":
            logger.warning(
                "Error moving temp DB file %s on the final destination %s (in server root dir %s): %s",
                temp,
                filename,
                disk.describe_directory(),
                reason(error),
            )
        else:
            logger.warning("Write error saving DB on disk(%s): %s", step, reason(error))
        unlink_if_there(disk, temp)
        return False
    except SnapshotError as error:
        logger.warning("Write error saving DB on disk(%s): %s", step, error)
        unlink_if_there(disk, temp)
        return False
    logger.info("DB saved on disk")
    return True


def write_aof_base(disk: Disk, dataset: Dataset, path: str, as_rdb: bool, reporter: Reporter | None) -> bool:
    """Write the base of an AOF, whole or not at all; False, logged, if that failed."""
    temp = f"temp-rewriteaof-{os.getpid()}.aof"
    try:
        file = disk.create(temp)
    except OSError as error:
        logger.warning("Opening the temp file for AOF rewrite in rewriteAppendOnlyFile(): %s", reason(error))
        return False
    renaming = False
    try:
        try:
            dataset.write(FileSink(file), as_rdb, True, reporter)
            file.fsync()
        finally:
            file.close()
        renaming = True
        disk.rename(temp, path)
    except (OSError, SnapshotError) as error:
        text = reason(error) if isinstance(error, OSError) else str(error)
        if renaming:
            logger.warning("Error moving temp append only file on the final destination: %s", text)
        else:
            logger.warning("Write error writing append only file on disk: %s", text)
        unlink_if_there(disk, temp)
        return False
    return True


class RdbFileWork(ChildWork):
    """BGSAVE."""

    def __init__(self, disk: Disk, dataset: Dataset, filename: str) -> None:
        self._disk: Final = disk
        self._dataset: Final = dataset
        self._filename: Final = filename

    def run(self, reporter: Reporter) -> bool:
        return save_rdb_file(self._disk, self._dataset, self._filename, reporter)

    def descriptors(self) -> list[int]:
        return self._dataset.descriptors()


class AofBaseWork(ChildWork):
    """BGREWRITEAOF. The name of the file is made of the child's own pid: see `aof.format.temp_base_name`."""

    def __init__(self, disk: Disk, dataset: Dataset, as_rdb: bool) -> None:
        self._disk: Final = disk
        self._dataset: Final = dataset
        self._as_rdb: Final = as_rdb

    def run(self, reporter: Reporter) -> bool:
        path = temp_base_name(os.getpid())
        if not write_aof_base(self._disk, self._dataset, path, self._as_rdb, reporter):
            return False
        logger.info("Successfully created the temporary AOF base file %s", path)
        return True

    def descriptors(self) -> list[int]:
        return self._dataset.descriptors()


class PipeWork(ChildWork):
    """A full sync without a file: the snapshot, between a prefix and a suffix, into a pipe."""

    def __init__(self, dataset: Dataset, read_fd: int, write_fd: int, prefix: bytes, suffix: bytes) -> None:
        self._dataset: Final = dataset
        self._read_fd: Final = read_fd
        self._fd: Final = write_fd
        self._prefix: Final = prefix
        self._suffix: Final = suffix

    def run(self, reporter: Reporter) -> bool:
        # Else this child would keep alive the reading end that it writes to, and never notice that its parent is gone.
        os.close(self._read_fd)
        sink = DescriptorSink(self._fd)
        try:
            sink.write(self._prefix)
            self._dataset.write(sink, True, False, reporter)
            sink.write(self._suffix)
        except (OSError, SnapshotError) as error:
            logger.warning("Write error sending the dataset to the replicas: %s", error)
            return False
        finally:
            os.close(self._fd)
        return True

    def descriptors(self) -> list[int]:
        return self._dataset.descriptors()
