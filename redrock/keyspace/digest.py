"""DEBUG DIGEST: twenty bytes that are equal for equal datasets, whatever the order of keys and members.

Source: Redis 7.0.15, debug.c, computeDatasetDigest, xorObjectDigest, xorDigest and mixDigest. Computed as there, so
that the digest of a dataset here equals that of a real redis-server.

Two operations on a digest, both with SHA-1: *xor* in the hash of an element, where order does not count, and *mix*,
which hashes the outcome once more, where it does. A digest is kept as a 160-bit integer. Encodings do not matter: what
counts is type, content, and whether there is an expiry (not when). Knows nothing of databases and cold values: they
come as triples of key, value in memory, and time of expiry.
"""

from collections.abc import Iterable
from hashlib import sha1
from typing import Final

from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import Value

DIGEST_BYTES: Final = 20
_EXPIRE_MARK: Final = b"!!expire!!"

# Key, value, and time of expiry in milliseconds since the epoch or -1.
KeyTriple = tuple[bytes, Value, int]


def xored(digest: int, data: bytes) -> int:
    """``digest`` with one element more, in any order."""
    return digest ^ int.from_bytes(sha1(data).digest(), "big")


def mixed(digest: int, data: bytes) -> int:
    """``digest`` with one element more, whose place counts."""
    return int.from_bytes(sha1(xored(digest, data).to_bytes(DIGEST_BYTES, "big")).digest(), "big")


def _string_content(digest: int, value: StringValue) -> int:
    return mixed(digest, value.as_bytes())


def _hash_content(digest: int, value: HashValue) -> int:
    for field, content in value.items():
        pair = mixed(mixed(0, field), content)
        digest = xored(digest, pair.to_bytes(DIGEST_BYTES, "big"))
    return digest


def _content(digest: int, value: Value) -> int:
    """``digest`` with the content of a value; a new type adds a line."""
    if isinstance(value, StringValue):
        return _string_content(digest, value)
    if isinstance(value, HashValue):
        return _hash_content(digest, value)
    raise AssertionError(f"no digest for type {value.type_code()}")


def _value_digest(digest: int, value: Value, expires: bool) -> int:
    """``digest`` with type, content, and whether there is an expiry."""
    digest = _content(mixed(digest, value.type_code().to_bytes(4, "big")), value)
    return xored(digest, _EXPIRE_MARK) if expires else digest


def value_digest(value: Value, expires: bool) -> bytes:
    """What DEBUG DIGEST-VALUE answers for one key, as 40 hexadecimal digits. O(n)."""
    return _hexadecimal(_value_digest(0, value, expires))


def key_digest(key: bytes, value: Value, expires: bool) -> int:
    """What one key adds to the digest of its dataset, by ``^``. O(n)."""
    digest = _value_digest(mixed(0, key), value, expires)
    return xored(0, digest.to_bytes(DIGEST_BYTES, "big"))


def dataset_digest(databases: Iterable[tuple[int, Iterable[KeyTriple]]]) -> bytes:
    """What DEBUG DIGEST answers, as 40 hexadecimal digits. O(everything).

    ``databases`` are number and keys of each database that has keys, by rising number.
    """
    final = 0
    for dbid, keys in databases:
        final = mixed(final, dbid.to_bytes(4, "big"))
        for key, value, expire_at_ms in keys:
            final ^= key_digest(key, value, expire_at_ms != -1)
    return _hexadecimal(final)


def _hexadecimal(digest: int) -> bytes:
    return b"%040x" % digest
