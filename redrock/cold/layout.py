"""The LevelDB key layout of the cold tier. Every prefix is listed here, in key order.

    'S' store id, key          a string         (type codes are those of redrock.datatypes.value)
    'f' store id, key, field   a field of a hash that is spilled field by field   (reserved)
    'h' store id, key          a hash
    'l' store id, key          a list
    's' store id, key          a set
    'x' store id, key          a stream
    'z' store id, key          a sorted set

A store id is four bytes, big endian, so that the rows of one database stand together and one range names them. The key
is the rest of the row's key, as it is. A row's value is a record: see `record`.

The tier is emptied at each start, so no layout has to be read by a later version.
"""

from typing import Final

from redrock.datatypes.value import TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_STRING, TYPE_ZSET

STORE_ID_MAX: Final = 0xFFFFFFFF
HEADER_BYTES: Final = 5

# By type code; an empty one has no rows (modules are not supported).
_PREFIXES: Final = (b"S", b"l", b"s", b"z", b"h", b"", b"x")
_TYPES: Final = {
    ord("S"): TYPE_STRING,
    ord("l"): TYPE_LIST,
    ord("s"): TYPE_SET,
    ord("z"): TYPE_ZSET,
    ord("h"): TYPE_HASH,
    ord("x"): TYPE_STREAM,
}
ROW_TYPES: Final = (TYPE_STRING, TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_STREAM, TYPE_ZSET)


def row_key(store_id: int, type_code: int, key: bytes) -> bytes:
    """The row of a key's value."""
    return _PREFIXES[type_code] + store_id.to_bytes(4, "big") + key


def row_range(store_id: int, type_code: int) -> tuple[bytes, bytes]:
    """The rows of one type in one database: the first possible row key, and the first behind the last."""
    assert store_id < STORE_ID_MAX
    return row_key(store_id, type_code, b""), row_key(store_id + 1, type_code, b"")


def split_row_key(row: bytes) -> tuple[int, int, bytes]:
    """(store id, type code, key) of a row key."""
    return int.from_bytes(row[1:HEADER_BYTES], "big"), _TYPES[row[0]], row[HEADER_BYTES:]
