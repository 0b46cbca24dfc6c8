"""How many bytes CPython's allocator takes for an object, so that memory can be accounted without asking for it.

Holds for 64-bit CPython 3.11 on glibc: blocks of up to 512 bytes come from pymalloc in steps of 16, larger ones from
malloc, in steps of 16 with an 8-byte header. Elsewhere it is an estimate.
"""

from typing import Final

from mypy_extensions import i64

BYTES_HEADER: Final = 33
"""Of a bytes object: reference count, type, length, cached hash, and the zero at the end."""


def allocated(size: i64) -> i64:
    """Bytes taken for a request of ``size`` bytes."""
    if size <= 512:
        return (size + 15) & ~15
    return (size + 23) & ~15


def bytes_memory(length: i64) -> i64:
    """Bytes taken by a bytes object of ``length`` bytes."""
    return allocated(length + 33)
