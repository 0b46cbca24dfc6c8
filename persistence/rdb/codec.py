"""One codec for every place where a value is bytes: RDB files, DUMP, full syncs, the AOF's base, and the cold tier.

A *payload* is a value as it stands in an RDB file behind its key; a *record* is its type byte followed by the payload.
A new Redis type adds a row to `_CODECS`, by its number in `redrock.datatypes.value`, and rows to `_CODEC_BY_RDB_TYPE`.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

from persistence.rdb.format import (
    TYPE_HASH,
    TYPE_HASH_LISTPACK,
    TYPE_HASH_LISTPACK_EX,
    TYPE_HASH_LISTPACK_EX_PRE_GA,
    TYPE_HASH_METADATA,
    TYPE_HASH_METADATA_PRE_GA,
    TYPE_HASH_ZIPLIST,
    TYPE_HASH_ZIPMAP,
    TYPE_MODULE,
    TYPE_MODULE_2,
    TYPE_STRING,
)
from persistence.rdb.primitives import ByteReader
from persistence.rdb.values.hash import HashCodec
from persistence.rdb.values.string import StringCodec
from persistence.rdb.values.value_codec import LoadLimits, ValueCodec
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import TYPE_HASH as VALUE_HASH
from redrock.datatypes.value import TYPE_STRING as VALUE_STRING
from redrock.datatypes.value import Value
from redrock.errors import CorruptionError

_STRING_CODEC: Final = StringCodec()
_HASH_CODEC: Final = HashCodec()

_CODECS: Final[dict[int, ValueCodec]] = {
    VALUE_STRING: _STRING_CODEC,
    VALUE_HASH: _HASH_CODEC,
}

_CODEC_BY_RDB_TYPE: Final[dict[int, ValueCodec]] = {
    TYPE_STRING: _STRING_CODEC,
    TYPE_HASH: _HASH_CODEC,
    TYPE_HASH_ZIPMAP: _HASH_CODEC,
    TYPE_HASH_ZIPLIST: _HASH_CODEC,
    TYPE_HASH_LISTPACK: _HASH_CODEC,
}

# What the codecs write: such a payload may be kept as it is. Older forms have to be decoded and encoded again.
_CURRENT_TYPES: Final = (TYPE_STRING, TYPE_HASH, TYPE_HASH_LISTPACK)

_FIELD_EXPIRY_TYPES: Final = (
    TYPE_HASH_METADATA_PRE_GA,
    TYPE_HASH_LISTPACK_EX_PRE_GA,
    TYPE_HASH_METADATA,
    TYPE_HASH_LISTPACK_EX,
)


def codec_for(value: Value) -> ValueCodec:
    """The codec of a hot value. Every type that a database can hold has one."""
    codec = _CODECS.get(value.type_code())
    assert codec is not None, f"no RDB codec for type {value.type_code()}"
    return codec


def is_known(type_byte: i64) -> bool:
    """Can values of this RDB type be decoded?"""
    return type_byte in _CODEC_BY_RDB_TYPE


def is_current(type_byte: i64) -> bool:
    """Is it a form that ``encode_record`` could have made, so that the cold tier may take it undecoded?"""
    return type_byte in _CURRENT_TYPES


def unknown_type(type_byte: i64) -> CorruptionError:
    """Why a value of this RDB type is refused."""
    if type_byte in (TYPE_MODULE, TYPE_MODULE_2):
        return CorruptionError("The RDB file contains module data I can't load: no matching module type")
    if type_byte in _FIELD_EXPIRY_TYPES:
        return CorruptionError(f"RDB encoding type {type_byte}, a hash with expiring fields, is not supported")
    return CorruptionError(f"Unknown RDB encoding type {type_byte}")


def save_value(value: Value, out: BytesWriter, compress: bool) -> None:
    """Appends the payload, without the type byte. O(n)."""
    codec_for(value).save(value, out, compress)


def encode_value(value: Value, compress: bool) -> tuple[int, bytes]:
    """RDB type byte and payload. O(n)."""
    codec = codec_for(value)
    out = BytesWriter()
    codec.save(value, out, compress)
    return codec.type_byte(value), out.getvalue()


def encode_record(value: Value, compress: bool = False) -> bytes:
    """Type byte and payload in one. Not compressed by default: the cold tier's store compresses blocks of records."""
    codec = codec_for(value)
    out = BytesWriter()
    out.append(codec.type_byte(value))
    codec.save(value, out, compress)
    return out.getvalue()


def decode_value(type_byte: i64, reader: ByteReader, limits: LoadLimits) -> Value:
    """The value whose payload begins at ``reader``, which ends up behind it. O(n). Raises CorruptionError."""
    codec = _CODEC_BY_RDB_TYPE.get(type_byte)
    if codec is None:
        raise unknown_type(type_byte)
    return codec.load(reader, type_byte, limits)


def decode_payload(type_byte: i64, payload: bytes, limits: LoadLimits) -> Value:
    """The same for a payload on its own, which must be used up. Raises CorruptionError."""
    return _decode_whole(type_byte, payload, 0, limits)


def decode_record(record: bytes, limits: LoadLimits) -> Value:
    """What ``encode_record`` has made. Raises CorruptionError."""
    if not record:
        raise CorruptionError("A record without its type byte")
    return _decode_whole(record[0], record, 1, limits)


def _decode_whole(type_byte: i64, data: bytes, start: i64, limits: LoadLimits) -> Value:
    if type_byte == TYPE_STRING and len(data) > start:
        # By far the most frequent: a short string as it is.
        length: i64 = data[start]
        if length < 64 and length == len(data) - start - 1:
            return StringValue(data[start + 1 :])
    reader = ByteReader(data, start)
    value = decode_value(type_byte, reader, limits)
    if reader.remaining():
        raise reader.error(f"{reader.remaining()} bytes too many behind a value")
    return value
