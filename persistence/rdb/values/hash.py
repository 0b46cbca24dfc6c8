"""Hashes: a listpack as one string, or the number of fields and then fields and values.

Source: Redis 7.0.15, rdb.c, rdbSaveObject and rdbLoadObject. Written as RDB_TYPE_HASH_LISTPACK (16) or RDB_TYPE_HASH
(4); read as well as zipmap (9, up to Redis 2.4) and ziplist (13, up to 6.2), which are turned into a listpack.
"""

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from persistence.rdb.format import TYPE_HASH, TYPE_HASH_LISTPACK, TYPE_HASH_ZIPLIST, TYPE_HASH_ZIPMAP
from persistence.rdb.primitives import ByteReader, write_length, write_string
from persistence.rdb.values.legacy import ziplist_entries, zipmap_entries
from persistence.rdb.values.value_codec import CHECK_DEEP, CHECK_NONE, EmptyValueError, LoadLimits, ValueCodec
from redrock.datatypes import listpack
from redrock.datatypes.hash import HashValue
from redrock.datatypes.value import Value
from redrock.errors import CorruptionError

# Redis looks at the size of single entries when it loads types 4 and 9, but not where they come packed.
_ANY_SIZE: Final = 0x7FFFFFFF


@final
class HashCodec(ValueCodec):
    """Differs from Redis: no field may occur twice in any form; Redis lets it pass in some, depending on settings."""

    def type_byte(self, value: Value) -> i64:
        assert isinstance(value, HashValue)
        return TYPE_HASH if value.listpack_bytes() is None else TYPE_HASH_LISTPACK

    def save(self, value: Value, out: BytesWriter, compress: bool) -> None:
        assert isinstance(value, HashValue)
        packed = value.listpack_bytes()
        if packed is not None:
            write_string(out, packed, compress)
            return
        write_length(out, value.length())
        for field, content in value.items():
            write_string(out, field, compress)
            write_string(out, content, compress)

    def load(self, reader: ByteReader, type_byte: i64, limits: LoadLimits) -> Value:
        if type_byte == TYPE_HASH_LISTPACK:
            return _from_listpack(reader.read_string(), limits)
        max_value: i64 = limits.hash_max_listpack_value
        if type_byte == TYPE_HASH:
            flat = _read_pairs(reader)
        elif type_byte == TYPE_HASH_ZIPMAP:
            flat = zipmap_entries(reader.read_string())
        else:
            assert type_byte == TYPE_HASH_ZIPLIST
            flat = ziplist_entries(reader.read_string())
            max_value = _ANY_SIZE
        if not flat:
            raise EmptyValueError("Hash without fields")
        if len(flat) % 2:
            raise CorruptionError("Hash with a field that has no value")
        value = HashValue.from_flat(flat, limits.hash_max_listpack_entries, max_value)
        if 2 * value.length() != len(flat):
            raise CorruptionError("Duplicate hash fields detected")
        return value


def _read_pairs(reader: ByteReader) -> list[bytes]:
    count = reader.read_length()
    flat: list[bytes] = []
    while count:
        flat.append(reader.read_string())
        flat.append(reader.read_string())
        count -= 1
    return flat


def _from_listpack(data: bytes, limits: LoadLimits) -> HashValue:
    if limits.check != CHECK_NONE:
        count = listpack.validate(data, "Hash listpack")
        if count % 2:
            raise CorruptionError("Hash listpack integrity check failed.")
        if count == 0:
            raise EmptyValueError("Hash without fields")
        if limits.check == CHECK_DEEP:
            fields = listpack.to_list(data)[::2]
            if len(set(fields)) != len(fields):
                raise CorruptionError("Hash listpack with dup elements")
    return HashValue.from_listpack(data, limits.hash_max_listpack_entries)
