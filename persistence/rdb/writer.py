"""Makes an RDB file, version 10: for SAVE and BGSAVE, a full sync, and the AOF's base.

Source: Redis 7.0.15, rdb.c, rdbSaveRio. Version 10 is read by every Redis from 7.0 on and by Valkey.

    writer.header(standard_aux(...))
    writer.function(code)                    for every library
    writer.select_db(dbid, keys, expires)    for every database that has keys, then
    writer.key(...) or writer.key_record(...)
    writer.finish()

and, whenever ``pending_bytes()`` is large enough, ``take_output()``. The order of calls is the caller's responsibility.
Knows nothing of files, databases and time.
"""

from typing import Optional, final

from librt.strings import BytesWriter, write_i64_le
from mypy_extensions import i64

from persistence.rdb.codec import codec_for
from persistence.rdb.format import (
    CHECKSUM_BYTES,
    MAGIC,
    OPCODE_AUX,
    OPCODE_EOF,
    OPCODE_EXPIRETIME_MS,
    OPCODE_FREQ,
    OPCODE_FUNCTION2,
    OPCODE_IDLE,
    OPCODE_RESIZEDB,
    OPCODE_SELECTDB,
    VERSION_WRITTEN,
)
from persistence.rdb.primitives import write_length, write_string
from redrock.datatypes.value import Value
from redrock.util.crc import crc64

AuxPairs = list[tuple[bytes, bytes]]


@final
class ReplicationInfo:
    """Where in the replication stream the file stands: what a leader needs to resume it after a restart.

    ``stream_db`` is the database that the stream has selected, -1 if none.
    """

    def __init__(self, stream_db: int, replid: bytes, offset: int) -> None:
        self.stream_db = stream_db
        self.replid = replid
        self.offset = offset


def standard_aux(
    redis_version: bytes, ctime: int, used_memory: int, replication: Optional[ReplicationInfo], aof_base: bool
) -> AuxPairs:
    """What Redis writes, in its order. ``ctime`` is in seconds, ``used_memory`` in bytes."""
    pairs = [
        (b"redis-ver", redis_version),
        (b"redis-bits", b"64"),
        (b"ctime", b"%d" % ctime),
        (b"used-mem", b"%d" % used_memory),
    ]
    if replication is not None:
        pairs.append((b"repl-stream-db", b"%d" % replication.stream_db))
        pairs.append((b"repl-id", replication.replid))
        pairs.append((b"repl-offset", b"%d" % replication.offset))
    pairs.append((b"aof-base", b"1" if aof_base else b"0"))
    return pairs


@final
class RdbWriter:
    """See the module's docstring. ``compress`` and ``checksum`` are the directives rdbcompression and rdbchecksum."""

    def __init__(self, compress: bool = True, checksum: bool = True) -> None:
        self._compress = compress
        self._checksum = checksum
        self._out: BytesWriter = BytesWriter()
        # Covers what take_output has handed out.
        self._crc: int = 0
        self._taken: i64 = 0

    def pending_bytes(self) -> i64:
        """What ``take_output`` would return now."""
        return len(self._out)

    def position(self) -> i64:
        """Bytes of the file so far, whether taken or not."""
        return self._taken + len(self._out)

    def take_output(self) -> bytes:
        """What has been written since the last time."""
        chunk = self._out.getvalue()
        self._out = BytesWriter()
        self._taken += len(chunk)
        if self._checksum:
            self._crc = crc64(chunk, self._crc)
        return chunk

    def header(self, aux: AuxPairs) -> None:
        """Magic, version and facts about the file (``standard_aux``)."""
        self._out.write(MAGIC + b"%04d" % VERSION_WRITTEN)
        for name, value in aux:
            self._out.append(OPCODE_AUX)
            write_string(self._out, name, self._compress)
            write_string(self._out, value, self._compress)

    def function(self, code: bytes) -> None:
        """The source of a function library."""
        self._out.append(OPCODE_FUNCTION2)
        write_string(self._out, code, self._compress)

    def select_db(self, dbid: i64, keys: i64, expires: i64) -> None:
        """The following keys belong to this database; their number, and how many have an expiry, help who reads it."""
        out = self._out
        out.append(OPCODE_SELECTDB)
        write_length(out, dbid)
        out.append(OPCODE_RESIZEDB)
        write_length(out, keys)
        write_length(out, expires)

    def key(self, key: bytes, value: Value, expire_at_ms: i64 = -1, lru_idle: i64 = -1, lfu_freq: i64 = -1) -> None:
        """A key with a hot value. -1: no expiry; ``lru_idle`` (seconds) or ``lfu_freq`` if the policy is LRU or LFU."""
        codec = codec_for(value)
        self._key(codec.type_byte(value), key, expire_at_ms, lru_idle, lfu_freq)
        codec.save(value, self._out, self._compress)

    def key_record(
        self, key: bytes, record: bytes, expire_at_ms: i64 = -1, lru_idle: i64 = -1, lfu_freq: i64 = -1
    ) -> None:
        """The same with a value that is encoded already (`codec.encode_record`), as the cold tier has it."""
        self._key(record[0], key, expire_at_ms, lru_idle, lfu_freq)
        self._out.write(record[1:])

    def _key(self, type_byte: i64, key: bytes, expire_at_ms: i64, lru_idle: i64, lfu_freq: i64) -> None:
        out = self._out
        if expire_at_ms != -1:
            out.append(OPCODE_EXPIRETIME_MS)
            write_i64_le(out, expire_at_ms)
        if lru_idle >= 0:
            out.append(OPCODE_IDLE)
            write_length(out, lru_idle)
        if lfu_freq >= 0:
            out.append(OPCODE_FREQ)
            out.append(lfu_freq)
        out.append(type_byte)
        write_string(out, key, self._compress)

    def finish(self) -> None:
        """The end mark and the checksum, or zeros in its place. Nothing may follow."""
        self._out.append(OPCODE_EOF)
        if not self._checksum:
            self._out.write(bytes(CHECKSUM_BYTES))
            return
        crc = crc64(self._out.getvalue(), self._crc)
        self._out.write(crc.to_bytes(CHECKSUM_BYTES, "little"))
