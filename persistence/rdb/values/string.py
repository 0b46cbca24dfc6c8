"""Strings: one RDB string. Source: Redis 7.0.15, rdb.c, rdbSaveObject and rdbLoadObject, RDB_TYPE_STRING."""

from typing import final

from librt.strings import BytesWriter
from mypy_extensions import i64

from persistence.rdb.format import TYPE_STRING
from persistence.rdb.primitives import ByteReader, write_string
from persistence.rdb.values.value_codec import LoadLimits, ValueCodec
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import Value


@final
class StringCodec(ValueCodec):
    """Which encoding the value had is not kept: it follows from the content, as after a load by Redis."""

    def type_byte(self, value: Value) -> i64:
        return TYPE_STRING

    def save(self, value: Value, out: BytesWriter, compress: bool) -> None:
        assert isinstance(value, StringValue)
        write_string(out, value.as_bytes(), compress)

    def load(self, reader: ByteReader, type_byte: i64, limits: LoadLimits) -> Value:
        return StringValue(reader.read_string())
