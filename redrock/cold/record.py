"""A cold value as bytes: the RDB form of the value, type byte first. One codec for disk, DUMP, RDB and replication.

Not compressed: LevelDB compresses blocks of rows, and snapshots must be able to pass a record on as it is.
"""

from typing import Final

from persistence.rdb.codec import decode_record, encode_record
from persistence.rdb.values.value_codec import CHECK_NONE, LoadLimits
from redrock.datatypes.string import FloatString, RawString, StringValue
from redrock.datatypes.value import Value

# LevelDB holds a row in memory in one piece several times over, and the wire's lengths are 32 bits wide.
RECORD_BYTES_MAX: Final = 1 << 30

_ANY: Final = 0x7FFFFFFF
# A packed value stays packed, and one that has outgrown it does not go back, whatever the config says by now: only a
# command converts a value.
_PACKED: Final = LoadLimits(_ANY, _ANY, _ANY, _ANY, _ANY, _ANY, CHECK_NONE)
_UNPACKED: Final = LoadLimits(0, 0, 0, 0, 0, 0, CHECK_NONE)
_UNPACKED_ENCODINGS: Final = (b"hashtable", b"skiplist", b"quicklist")


def encode(value: Value) -> bytes:
    """The record of a hot value. O(n)."""
    return encode_record(value)


def decode(record: bytes, encoding: bytes) -> Value:
    """The value, in the encoding that it had when it went cold. O(n). Raises CorruptionError.

    Encodings never go back in Redis: a short string that APPEND has made stays raw, a number from INCRBYFLOAT embstr.
    """
    value = decode_record(record, _UNPACKED if encoding in _UNPACKED_ENCODINGS else _PACKED)
    if type(value) is StringValue and value.encoding() != encoding:
        return RawString(value.data) if encoding == b"raw" else FloatString(value.data)
    return value
