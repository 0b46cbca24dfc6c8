"""The folder of the cold tier (`rockdir`): claimed by one server, emptied at start, never anybody else's files.

The tier is an extension of memory, so whatever is left of an earlier run is worthless and is deleted. To be sure that
it is ours, the folder must hold a marker file before anything in it is deleted, and nothing but the marker and files
named as LevelDB names its own. The marker is also the lock (flock), which the operating system takes back when the
process ends.
"""

import fcntl
import os
import re
from typing import Final

MARKER: Final = "REDROCK-COLD-TIER"
_MARKER_TEXT: Final = b"RedRock keeps cold values here. It empties this folder at each start.\n"
# LevelDB, db/filename.h; and the file that tries how much room there is.
_LEVELDB_FILE: Final = re.compile(r"CURRENT|LOCK|LOG|LOG\.old|MANIFEST-\d+|\d+\.(ldb|sst|log|dbtmp)")
_PROBE: Final = "room.probe"


class DirectoryError(Exception):
    """The folder cannot be used; the text says why and names it."""


def claim(path: str) -> int:
    """Make the folder ours and empty. Returns the descriptor that holds the lock. Raises DirectoryError."""
    try:
        os.makedirs(path, exist_ok=True)
        foreign = [name for name in sorted(os.listdir(path)) if not _is_ours(name)]
        if foreign:
            raise DirectoryError(
                f"rockdir '{path}' holds files that are not RedRock's ('{foreign[0]}'): not emptying it"
            )
        others = [name for name in os.listdir(path) if name != MARKER]
        if others and not os.path.exists(os.path.join(path, MARKER)):
            raise DirectoryError(f"rockdir '{path}' holds a LevelDB database that is not RedRock's: not emptying it")
        lock = os.open(os.path.join(path, MARKER), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise DirectoryError(f"rockdir '{path}' cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(lock, _MARKER_TEXT)
        empty(path)
    except BlockingIOError as error:
        os.close(lock)
        raise DirectoryError(f"rockdir '{path}' is in use by another server") from error
    except OSError as error:
        os.close(lock)
        raise DirectoryError(f"rockdir '{path}' cannot be used: {error.strerror}") from error
    return lock


def empty(path: str) -> None:
    """Delete LevelDB's files; the marker stays. Only for a folder that has been claimed."""
    for name in os.listdir(path):
        if _is_ours(name) and name != MARKER:
            os.unlink(os.path.join(path, name))


def used_bytes(path: str) -> int:
    """Size of all files of the folder."""
    total = 0
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                total += entry.stat().st_size
            except FileNotFoundError:
                # A compaction has just deleted it.
                continue
    return total


def has_room(path: str, size: int) -> bool:
    """Whether ``size`` bytes can be written there now."""
    name = os.path.join(path, _PROBE)
    try:
        with open(name, "wb", buffering=0) as probe:
            left = size
            while left > 0:
                left -= probe.write(bytes(min(left, 1 << 20)))
    except OSError:
        return False
    finally:
        if os.path.exists(name):
            os.unlink(name)
    return True


def _is_ours(name: str) -> bool:
    return name in (MARKER, _PROBE) or _LEVELDB_FILE.fullmatch(name) is not None
