"""Resident memory of this process, as the operating system counts it.

Anonymous memory only where the system tells (Linux): mapped files are given back when memory is short.
"""

import resource
import sys


def resident_bytes() -> int:
    """Anonymous resident bytes now; the peak of all resident memory where only that is known."""
    return _field(b"RssAnon:") or _peak()


def total_resident_bytes() -> int:
    """All resident bytes, mapped files included."""
    return _field(b"VmRSS:") or _peak()


def _field(name: bytes) -> int:
    try:
        # As bytes: for each text file opened, CPython 3.11 keeps a small string in its cache of attribute names; ten a
        # second of them, all over the arenas, would keep memory from being given back after a mass spill.
        with open("/proc/self/status", "rb") as status:
            for line in status:
                if line.startswith(name):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _peak() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
