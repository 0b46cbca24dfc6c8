"""Numbers of the RDB format, versions 1 to 12. They reach the disk and the wire: never change any.

Sources: rdb.h of Redis 7.0.15 (up to version 10), of 7.2 (version 11) and of 7.4 (version 12).
"""

from typing import Final

MAGIC: Final = b"REDIS"
# What is written: every Redis from 7.0 on and Valkey read it.
VERSION_WRITTEN: Final = 10
VERSION_MAX: Final = 12
# From this version on the file ends in a CRC-64.
VERSION_WITH_CHECKSUM: Final = 5
HEADER_BYTES: Final = 9
CHECKSUM_BYTES: Final = 8

# --- Types of values

TYPE_STRING: Final = 0
TYPE_LIST: Final = 1
TYPE_SET: Final = 2
TYPE_ZSET: Final = 3
TYPE_HASH: Final = 4
TYPE_ZSET_2: Final = 5
TYPE_MODULE: Final = 6
TYPE_MODULE_2: Final = 7
TYPE_HASH_ZIPMAP: Final = 9
TYPE_LIST_ZIPLIST: Final = 10
TYPE_SET_INTSET: Final = 11
TYPE_ZSET_ZIPLIST: Final = 12
TYPE_HASH_ZIPLIST: Final = 13
TYPE_LIST_QUICKLIST: Final = 14
TYPE_STREAM_LISTPACKS: Final = 15
TYPE_HASH_LISTPACK: Final = 16
TYPE_ZSET_LISTPACK: Final = 17
TYPE_LIST_QUICKLIST_2: Final = 18
TYPE_STREAM_LISTPACKS_2: Final = 19
TYPE_SET_LISTPACK: Final = 20
TYPE_STREAM_LISTPACKS_3: Final = 21
# Hashes whose fields expire one by one: 7.4 release candidates, then 7.4.
TYPE_HASH_METADATA_PRE_GA: Final = 22
TYPE_HASH_LISTPACK_EX_PRE_GA: Final = 23
TYPE_HASH_METADATA: Final = 24
TYPE_HASH_LISTPACK_EX: Final = 25

# --- Opcodes of the file

OPCODE_SLOT_INFO: Final = 244
OPCODE_FUNCTION2: Final = 245
OPCODE_FUNCTION_PRE_GA: Final = 246
OPCODE_MODULE_AUX: Final = 247
OPCODE_IDLE: Final = 248
OPCODE_FREQ: Final = 249
OPCODE_AUX: Final = 250
OPCODE_RESIZEDB: Final = 251
OPCODE_EXPIRETIME_MS: Final = 252
OPCODE_EXPIRETIME: Final = 253
OPCODE_SELECTDB: Final = 254
OPCODE_EOF: Final = 255

# --- Lengths: the first byte

LENGTH_6BIT_MAX: Final = 1 << 6
LENGTH_14BIT_MAX: Final = 1 << 14
LENGTH_14BIT: Final = 0x40
LENGTH_32BIT: Final = 0x80
LENGTH_64BIT: Final = 0x81
LENGTH_ENCODED: Final = 0xC0

# --- Strings whose first byte is LENGTH_ENCODED | one of these

ENCODING_INT8: Final = 0
ENCODING_INT16: Final = 1
ENCODING_INT32: Final = 2
ENCODING_LZF: Final = 3

# --- Inside the value of a module, version 2

MODULE_EOF: Final = 0
MODULE_SINT: Final = 1
MODULE_UINT: Final = 2
MODULE_FLOAT: Final = 3
MODULE_DOUBLE: Final = 4
MODULE_STRING: Final = 5
