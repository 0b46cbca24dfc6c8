"""What all values share: type, encoding name, accounted size, last use.

`Value` objects are the headers of the keyspace: one per hot key, so every byte of them counts (a StringValue is 48
bytes compiled). They are acyclic by construction and kept out of the garbage collector's sight.

`last_use` is one signed 32-bit word, owned by `redrock.keyspace.last_use`:
  >= 0   LRU: seconds (24 bits, wraps); LFU: minutes (16 bits) << 8 | counter (8 bits), as in Redis' object.c
  < 0    the value is on its way to the cold tier; any lookup that touches the word calls that off
`accounted` is what `used_memory` currently contains for this value, in bytes; -1 while the value is in no database.
"""

from typing import Final

from mypy_extensions import i32, i64, mypyc_attr

# Numbers of Redis' server.h (OBJ_*); TYPE prints the names. Never change: they are part of the cold tier's row keys.
TYPE_STRING: Final = 0
TYPE_LIST: Final = 1
TYPE_SET: Final = 2
TYPE_ZSET: Final = 3
TYPE_HASH: Final = 4
TYPE_MODULE: Final = 5
TYPE_STREAM: Final = 6

TYPE_NAMES: Final = (b"string", b"list", b"set", b"zset", b"hash", b"module", b"stream")


@mypyc_attr(acyclic=True)
class Value:
    """A value of the keyspace. Subclasses hold the data and set both words in their own ``__init__``."""

    __slots__ = ("accounted", "last_use")

    def __init__(self) -> None:
        self.last_use: i32 = 0
        self.accounted: i64 = -1

    def type_code(self) -> int:
        """One of the TYPE_ constants."""
        raise NotImplementedError

    def encoding(self) -> bytes:
        """What OBJECT ENCODING answers."""
        raise NotImplementedError

    def memory_bytes(self) -> int:
        """Bytes held by this value, its header included. O(1)."""
        raise NotImplementedError

    def copy(self) -> "Value":
        """An independent value with the same content and encoding, in no database yet. (COPY)"""
        raise NotImplementedError


@mypyc_attr(acyclic=True)
class ColdMarker(Value):
    """Stands in the table for a value that is in the cold tier. One shared object per type and encoding; see COLD."""

    __slots__ = ("encoding_name", "type_number")

    def __init__(self, type_number: int, encoding_name: bytes) -> None:
        self.last_use = 0
        self.accounted = 0
        self.type_number = type_number
        self.encoding_name = encoding_name

    def type_code(self) -> int:
        return self.type_number

    def encoding(self) -> bytes:
        return self.encoding_name

    def memory_bytes(self) -> int:
        return 0
