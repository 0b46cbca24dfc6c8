"""The only door to the disk for RDB and AOF. `Disk` is abstract, so that tests can put in one that fails or forgets.

Paths are relative to the server's working directory (the directive dir) or absolute. Errors are OSError, as the system
reports them: whoever calls decides which of them is fatal. Everything here blocks.

What a rename promises: the file under its final name is either the old one or the whole new one, *if* the new one was
fsynced before and the directory is fsynced after.
"""

import contextlib
import errno
import os
from typing import Final

from mypy_extensions import mypyc_attr

FILE_MODE: Final = 0o644


@mypyc_attr(allow_interpreted_subclasses=True)
class WriteFile:
    """A file open for writing."""

    def write(self, data: bytes) -> int:
        """Write from the present position (for an appended file: at its end). How many bytes were written: perhaps
        fewer than given, when the disk is full; OSError if none could be."""
        raise NotImplementedError

    def fsync(self) -> None:
        """Return when all that was written is on the disk. May be called from another thread."""
        raise NotImplementedError

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        raise NotImplementedError

    def close(self) -> None:
        """Close without fsync. Harmless the second time."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ReadFile:
    """A file open for reading, from its beginning."""

    def read(self, count: int) -> bytes:
        """The next bytes, at most ``count``; none at the end."""
        raise NotImplementedError

    def size(self) -> int:
        """Bytes in the file now."""
        raise NotImplementedError

    def close(self) -> None:
        """Harmless the second time."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class Disk:
    """A file system."""

    def open_append(self, path: str) -> WriteFile:
        """Open for appending; created if it is not there."""
        raise NotImplementedError

    def create(self, path: str) -> WriteFile:
        """Open for writing, empty; created if it is not there."""
        raise NotImplementedError

    def open_read(self, path: str) -> ReadFile:
        raise NotImplementedError

    def rename(self, source: str, target: str) -> None:
        """Atomic; replaces ``target``."""
        raise NotImplementedError

    def unlink(self, path: str) -> None:
        """Raises FileNotFoundError if it is not there."""
        raise NotImplementedError

    def truncate(self, path: str, size: int) -> None:
        """Cut a closed file to ``size`` bytes."""
        raise NotImplementedError

    def file_size(self, path: str) -> int:
        """Raises FileNotFoundError if it is not there."""
        raise NotImplementedError

    def exists(self, path: str) -> bool:
        """Whether there is a file or directory of this name that can be opened."""
        raise NotImplementedError

    def is_directory(self, path: str) -> bool:
        raise NotImplementedError

    def make_directory(self, path: str) -> None:
        """Harmless if it is there; NotADirectoryError if something else of that name is."""
        raise NotImplementedError

    def fsync_directory_of(self, path: str) -> None:
        """Make names in the directory that holds ``path`` durable."""
        raise NotImplementedError

    def describe_directory(self) -> str:
        """The working directory, for messages."""
        raise NotImplementedError


class RealWriteFile(WriteFile):
    """A descriptor, unbuffered."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def write(self, data: bytes) -> int:
        total = 0
        # A short write does not always mean a full disk: what it was, the next call tells.
        while total < len(data):
            try:
                total += os.write(self.fd, memoryview(data)[total:])
            except OSError:
                if total:
                    return total
                raise
        return total

    def fsync(self) -> None:
        # The data, and of the metadata what is needed to read it back (the size).
        os.fdatasync(self.fd)

    def truncate(self, size: int) -> None:
        os.ftruncate(self.fd, size)

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class RealReadFile(ReadFile):
    """A descriptor, unbuffered: the readers ask for large pieces."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def read(self, count: int) -> bytes:
        return os.read(self.fd, count)

    def size(self) -> int:
        return os.fstat(self.fd).st_size

    def close(self) -> None:
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)


class RealDisk(Disk):
    """The machine's."""

    def open_append(self, path: str) -> WriteFile:
        return RealWriteFile(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))

    def create(self, path: str) -> WriteFile:
        return RealWriteFile(os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT | os.O_CLOEXEC, FILE_MODE))

    def open_read(self, path: str) -> ReadFile:
        return RealReadFile(os.open(path, os.O_RDONLY | os.O_CLOEXEC))

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def truncate(self, path: str, size: int) -> None:
        os.truncate(path, size)

    def file_size(self, path: str) -> int:
        return os.stat(path).st_size

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def is_directory(self, path: str) -> bool:
        return os.path.isdir(path)

    def make_directory(self, path: str) -> None:
        try:
            os.mkdir(path, 0o755)
        except FileExistsError:
            if not os.path.isdir(path):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None

    def fsync_directory_of(self, path: str) -> None:
        try:
            fd = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_CLOEXEC)
        except IsADirectoryError:
            return  # some systems cannot open a directory, and then there is nothing to do
        try:
            os.fsync(fd)
        except OSError as error:
            # Some file systems cannot fsync a directory.
            if error.errno not in (errno.EBADF, errno.EINVAL):
                raise
        finally:
            os.close(fd)

    def describe_directory(self) -> str:
        try:
            return os.getcwd()
        except OSError:
            return "unknown"


def write_whole(file: WriteFile, data: bytes) -> None:
    """Write all of ``data``, or raise OSError."""
    if file.write(data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def unlink_if_there(disk: Disk, path: str) -> None:
    """Remove a file that may be absent, as a leftover of something that failed: errors do not matter here."""
    with contextlib.suppress(OSError):
        disk.unlink(path)


def reason(error: OSError) -> str:
    """What C's strerror would say."""
    return os.strerror(error.errno) if error.errno else str(error)
