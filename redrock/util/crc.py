"""Checksums: CRC-64 of RDB files and DUMP payloads, CRC-16 of cluster slots. The only importer of their libraries.

Sources: Redis 7.0.15, crc64.c (Jones polynomial, reflected, no final inversion) and cluster.c, keyHashSlot.
"""

import binascii
from typing import Final, Union

import anycrc

SLOT_COUNT: Final = 16384

_CRC64 = anycrc.Model("CRC64-REDIS")
_BRACE_OPEN: Final = b"{"
_BRACE_CLOSE: Final = b"}"


def crc64(data: Union[bytes, memoryview], crc: int = 0) -> int:
    """The checksum of what ``crc`` covers, followed by ``data``; 0 <= result < 2**64. O(n), several GB/s."""
    return _CRC64.calc(data, crc)


def key_hash_slot(key: bytes) -> int:
    """The cluster slot of a key, 0 to 16383. Only the first ``{tag}`` counts, if it is closed and not empty."""
    opened = key.find(_BRACE_OPEN)
    if opened >= 0:
        closed = key.find(_BRACE_CLOSE, opened + 1)
        if closed > opened + 1:
            key = key[opened + 1 : closed]
    return binascii.crc_hqx(key, 0) % SLOT_COUNT
