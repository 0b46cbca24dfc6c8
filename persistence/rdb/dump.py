"""The payload of DUMP and RESTORE: one value with its RDB version and a checksum.

    <type byte> <payload> <RDB version, 2 bytes> <CRC-64 of all before it, 8 bytes>        numbers little endian

Source: Redis 7.0.15, cluster.c, createDumpPayload, verifyDumpPayload and restoreCommand.
Differs from Redis: versions 11 and 12 are accepted as well (7.0.15 stops at its own, 10).
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

from persistence.rdb.codec import codec_for, decode_value
from persistence.rdb.format import CHECKSUM_BYTES, VERSION_MAX, VERSION_WRITTEN
from persistence.rdb.primitives import ByteReader
from persistence.rdb.values.value_codec import LoadLimits
from redrock.datatypes.value import Value
from redrock.errors import BAD_DATA_FORMAT, DUMP_PAYLOAD_WRONG, CorruptionError, ReplyError
from redrock.util.crc import crc64

_VERSION_BYTES: Final = 2
_FOOTER_BYTES: Final = _VERSION_BYTES + CHECKSUM_BYTES


def dump_payload(value: Value, compress: bool) -> bytes:
    """What DUMP answers. ``compress`` is the directive rdbcompression. O(n)."""
    codec = codec_for(value)
    out = BytesWriter()
    out.append(codec.type_byte(value))
    codec.save(value, out, compress)
    return _with_footer(out)


def dump_record(record: bytes) -> bytes:
    """The same for a value that is encoded already (`codec.encode_record`). O(n)."""
    out = BytesWriter()
    out.write(record)
    return _with_footer(out)


def _with_footer(out: BytesWriter) -> bytes:
    out.append(VERSION_WRITTEN & 0xFF)
    out.append(VERSION_WRITTEN >> 8)
    body = out.getvalue()
    return body + crc64(body).to_bytes(CHECKSUM_BYTES, "little")


def is_intact(payload: bytes, verify_checksum: bool = True) -> bool:
    """Are version and checksum of a payload good? O(n). DEBUG SET-SKIP-CHECKSUM-VALIDATION leaves the latter out."""
    size: i64 = len(payload)
    if size < _FOOTER_BYTES:
        return False
    version: i64 = payload[size - _FOOTER_BYTES] | (payload[size - _FOOTER_BYTES + 1] << 8)
    if version > VERSION_MAX:
        return False
    if not verify_checksum:
        return True
    stored = int.from_bytes(payload[size - CHECKSUM_BYTES :], "little")
    return crc64(memoryview(payload)[: size - CHECKSUM_BYTES]) == stored


def restore_value(payload: bytes, limits: LoadLimits, verify_checksum: bool = True) -> Value:
    """The value in what DUMP has answered, here or on another server. O(n).

    ``limits.check`` is CHECK_DEEP unless ``sanitize-dump-payload`` says otherwise. Bytes between the value and the
    footer are ignored, as Redis does. Raises ReplyError with Redis's two texts.
    """
    if not is_intact(payload, verify_checksum):
        raise ReplyError(DUMP_PAYLOAD_WRONG)
    body = payload[:-_FOOTER_BYTES]
    if not body:
        raise ReplyError(BAD_DATA_FORMAT)
    try:
        return decode_value(body[0], ByteReader(body, 1), limits)
    except CorruptionError:
        raise ReplyError(BAD_DATA_FORMAT) from None
