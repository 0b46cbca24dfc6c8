"""The numbers are on disks out there: they are repeated here, so that changing one takes two hands."""

from persistence.rdb import format as rdb_format


def test_types() -> None:
    numbers = {name: value for name, value in vars(rdb_format).items() if name.startswith("TYPE_")}
    assert numbers == {
        "TYPE_STRING": 0,
        "TYPE_LIST": 1,
        "TYPE_SET": 2,
        "TYPE_ZSET": 3,
        "TYPE_HASH": 4,
        "TYPE_ZSET_2": 5,
        "TYPE_MODULE": 6,
        "TYPE_MODULE_2": 7,
        "TYPE_HASH_ZIPMAP": 9,
        "TYPE_LIST_ZIPLIST": 10,
        "TYPE_SET_INTSET": 11,
        "TYPE_ZSET_ZIPLIST": 12,
        "TYPE_HASH_ZIPLIST": 13,
        "TYPE_LIST_QUICKLIST": 14,
        "TYPE_STREAM_LISTPACKS": 15,
        "TYPE_HASH_LISTPACK": 16,
        "TYPE_ZSET_LISTPACK": 17,
        "TYPE_LIST_QUICKLIST_2": 18,
        "TYPE_STREAM_LISTPACKS_2": 19,
        "TYPE_SET_LISTPACK": 20,
        "TYPE_STREAM_LISTPACKS_3": 21,
        "TYPE_HASH_METADATA_PRE_GA": 22,
        "TYPE_HASH_LISTPACK_EX_PRE_GA": 23,
        "TYPE_HASH_METADATA": 24,
        "TYPE_HASH_LISTPACK_EX": 25,
    }


def test_opcodes() -> None:
    numbers = {name: value for name, value in vars(rdb_format).items() if name.startswith("OPCODE_")}
    assert numbers == {
        "OPCODE_SLOT_INFO": 244,
        "OPCODE_FUNCTION2": 245,
        "OPCODE_FUNCTION_PRE_GA": 246,
        "OPCODE_MODULE_AUX": 247,
        "OPCODE_IDLE": 248,
        "OPCODE_FREQ": 249,
        "OPCODE_AUX": 250,
        "OPCODE_RESIZEDB": 251,
        "OPCODE_EXPIRETIME_MS": 252,
        "OPCODE_EXPIRETIME": 253,
        "OPCODE_SELECTDB": 254,
        "OPCODE_EOF": 255,
    }


def test_version_written_is_read_by_redis_7() -> None:
    assert rdb_format.VERSION_WRITTEN == 10
    assert rdb_format.MAGIC == b"REDIS"
