"""What the module of every type provides, and what it is told when it loads.

A `ValueCodec` per Redis type is listed in `persistence.rdb.codec`; a new type is a module here and one row there.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64, mypyc_attr

from persistence.rdb.primitives import ByteReader
from redrock.datatypes.value import Value
from redrock.errors import CorruptionError

# How far a packed value (listpack, intset) is looked through when it is loaded.
CHECK_NONE: Final = 0
"""Not at all: what this process wrote to the cold tier."""
CHECK_STRUCTURE: Final = 1
"""Every entry lies within its bounds. For files, beside their checksum; Redis looks at the header only."""
CHECK_DEEP: Final = 2
"""And none occurs twice: for what a client sent, as long as ``sanitize-dump-payload`` is not ``no``."""


class EmptyValueError(CorruptionError):
    """A collection without elements, which old bugs of Redis have left in files.

    Whoever loads a file skips the key and goes on; RESTORE refuses it.
    """


@mypyc_attr(acyclic=True)
class LoadLimits:
    """Up to which size a loaded value stays packed: the directives of the same names, and the depth of the check."""

    __slots__ = (
        "check",
        "hash_max_listpack_entries",
        "hash_max_listpack_value",
        "list_max_listpack_size",
        "set_max_intset_entries",
        "zset_max_listpack_entries",
        "zset_max_listpack_value",
    )

    def __init__(
        self,
        hash_max_listpack_entries: i64 = 128,
        hash_max_listpack_value: i64 = 64,
        list_max_listpack_size: i64 = -2,
        set_max_intset_entries: i64 = 512,
        zset_max_listpack_entries: i64 = 128,
        zset_max_listpack_value: i64 = 64,
        check: i64 = CHECK_STRUCTURE,
    ) -> None:
        self.hash_max_listpack_entries: i64 = hash_max_listpack_entries
        self.hash_max_listpack_value: i64 = hash_max_listpack_value
        self.list_max_listpack_size: i64 = list_max_listpack_size
        self.set_max_intset_entries: i64 = set_max_intset_entries
        self.zset_max_listpack_entries: i64 = zset_max_listpack_entries
        self.zset_max_listpack_value: i64 = zset_max_listpack_value
        self.check: i64 = check


class ValueCodec:
    """One Redis type as RDB shows it, both ways."""

    def type_byte(self, value: Value) -> i64:
        """The RDB type that ``save`` will write. Redis 7.0.15 would choose the same for a value of this encoding."""
        raise NotImplementedError

    def save(self, value: Value, out: BytesWriter, compress: bool) -> None:
        """The value without type byte and key. O(n)."""
        raise NotImplementedError

    def load(self, reader: ByteReader, type_byte: i64, limits: LoadLimits) -> Value:
        """What ``save`` or an older version has written; ``reader`` ends up behind it.

        Raises CorruptionError, for an empty collection EmptyValueError.
        """
        raise NotImplementedError
