"""What the C library's allocator holds without need, given back to the system; and how much memory is resident.

Only for glibc on Linux: elsewhere `trim` does nothing and `anonymous_bytes` returns 0, which means unknown.
"""

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def _find_malloc_trim() -> Callable[[int], int] | None:
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


# Looked for once: each CDLL object makes classes, which would be in the way of what this is for.
_MALLOC_TRIM: Final = _find_malloc_trim()


def trim() -> bool:
    """Give back every free page of the heap, also in its middle; False if there is no way to.

    Takes some tenths of a second after a gigabyte has been freed in small pieces, and lets go of the interpreter lock.
    """
    if _MALLOC_TRIM is None:
        return False
    _MALLOC_TRIM(0)
    return True


def anonymous_bytes() -> int:
    """Resident bytes of this process that are not a mapped file; 0 if unknown. Some microseconds."""
    try:
        with open("/proc/self/statm", "rb", buffering=0) as statm:
            fields = statm.read(128).split()
    except OSError:
        return 0
    return (int(fields[1]) - int(fields[2])) * _PAGE_BYTES
