"""What an RDB file consists of, as `RdbReader` reports it."""

from typing import Final, final

from mypy_extensions import i64, mypyc_attr

from persistence.rdb.codec import decode_payload
from persistence.rdb.format import TYPE_STRING
from persistence.rdb.values.value_codec import LoadLimits
from redrock.datatypes import listpack
from redrock.datatypes.value import Value

# A count of zero, and an empty listpack as a string.
_EMPTY_PAYLOADS: Final = (b"\x00", b"\x07" + listpack.EMPTY)

_MODULE_NAME_CHARACTERS: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@mypyc_attr(acyclic=True)
class RdbEvent:
    """The base of all."""

    __slots__ = ()


@final
@mypyc_attr(acyclic=True)
class Aux(RdbEvent):
    """A fact about the file: redis-ver, ctime, repl-id and so on. Unknown names are to be ignored."""

    __slots__ = ("name", "value")

    def __init__(self, name: bytes, value: bytes) -> None:
        self.name = name
        self.value = value


@final
@mypyc_attr(acyclic=True)
class SelectDb(RdbEvent):
    """The following keys belong to this database. The number is not checked against ``databases``."""

    __slots__ = ("dbid",)

    def __init__(self, dbid: i64) -> None:
        self.dbid: i64 = dbid


@final
@mypyc_attr(acyclic=True)
class ResizeDb(RdbEvent):
    """How many keys, and how many of them with an expiry, are to follow in this database: a hint, not to be trusted."""

    __slots__ = ("expires", "keys")

    def __init__(self, keys: i64, expires: i64) -> None:
        self.keys: i64 = keys
        self.expires: i64 = expires


@final
@mypyc_attr(acyclic=True)
class KeyRecord(RdbEvent):
    """A key with its value, which is still encoded. What the file does not say is -1.

    ``expire_at_ms`` is in milliseconds since the epoch, ``lru_idle`` in seconds, ``lfu_freq`` from 0 to 255.
    """

    __slots__ = ("expire_at_ms", "key", "lfu_freq", "lru_idle", "payload", "type_byte")

    def __init__(
        self, key: bytes, type_byte: i64, payload: bytes, expire_at_ms: i64, lru_idle: i64, lfu_freq: i64
    ) -> None:
        self.key = key
        self.type_byte: i64 = type_byte
        self.payload = payload
        self.expire_at_ms: i64 = expire_at_ms
        self.lru_idle: i64 = lru_idle
        self.lfu_freq: i64 = lfu_freq

    def decode(self, limits: LoadLimits) -> Value:
        """Raises CorruptionError, for an empty collection EmptyValueError (which loading passes over)."""
        return decode_payload(self.type_byte, self.payload, limits)

    def is_empty(self) -> bool:
        """Is it a collection without elements, to be passed over? For values that are kept encoded; O(1)."""
        return self.type_byte != TYPE_STRING and self.payload in _EMPTY_PAYLOADS

    def record(self) -> bytes:
        """Type byte and payload in one, as the cold tier keeps it (`codec.decode_record`)."""
        return bytes([self.type_byte]) + self.payload


@final
@mypyc_attr(acyclic=True)
class FunctionPayload(RdbEvent):
    """The source of a function library, ``#!`` line included."""

    __slots__ = ("code",)

    def __init__(self, code: bytes) -> None:
        self.code = code


@final
@mypyc_attr(acyclic=True)
class ModuleAux(RdbEvent):
    """Data of a module beside the keyspace. Redis refuses the file when it lacks the module."""

    __slots__ = ("module_name",)

    def __init__(self, module_name: bytes) -> None:
        self.module_name = module_name


@final
@mypyc_attr(acyclic=True)
class EndOfFile(RdbEvent):
    """The file is whole, and ``position`` bytes long. ``checked``: a checksum was there, and it was right."""

    __slots__ = ("checked", "position")

    def __init__(self, position: i64, checked: bool) -> None:
        self.position: i64 = position
        self.checked = checked


def module_name(module_id: int) -> bytes:
    """The nine characters of a module type's 64-bit id, six bits each; the lowest ten bits are its version."""
    return bytes([_MODULE_NAME_CHARACTERS[(module_id >> (58 - 6 * index)) & 63] for index in range(9)])
