import pytest
from librt.strings import BytesWriter

from persistence.rdb.primitives import ByteReader
from persistence.rdb.values.value_codec import CHECK_STRUCTURE, EmptyValueError, LoadLimits, ValueCodec
from redrock.datatypes.string import StringValue
from redrock.errors import CorruptionError


def test_limits_default_to_those_of_redis_conf() -> None:
    limits = LoadLimits()
    assert (limits.hash_max_listpack_entries, limits.hash_max_listpack_value) == (128, 64)
    assert (limits.zset_max_listpack_entries, limits.zset_max_listpack_value) == (128, 64)
    assert (limits.list_max_listpack_size, limits.set_max_intset_entries) == (-2, 512)
    assert limits.check == CHECK_STRUCTURE


def test_an_empty_value_is_a_kind_of_corruption() -> None:
    assert issubclass(EmptyValueError, CorruptionError)


def test_every_type_has_to_provide_all_three() -> None:
    codec = ValueCodec()
    with pytest.raises(NotImplementedError):
        codec.type_byte(StringValue(b""))
    with pytest.raises(NotImplementedError):
        codec.save(StringValue(b""), BytesWriter(), True)
    with pytest.raises(NotImplementedError):
        codec.load(ByteReader(b""), 0, LoadLimits())
