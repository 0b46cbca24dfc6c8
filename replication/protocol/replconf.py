"""REPLCONF: what a follower tells of itself before PSYNC, and the two commands that count offsets afterwards.

Source: Redis 7.0.15, replication.c, replconfCommand. Options come in pairs and take effect one by one, so those before
a wrong one stay in force. `ack` and `getack` end the command and are never answered.
"""

from enum import Enum, unique
from typing import Final

from attrs import define

from redrock import errors
from redrock.errors import ReplyError
from redrock.util.numbers import parse_integer
from redrock.util.quoting import split_args

HOST_BYTES_MAX: Final = 256  # Redis: NET_HOST_STR_LEN, its terminating zero included


@define
class FollowerOptions:
    """What a leader knows of a connection that is, or may become, a follower."""

    listening_port: int = 0
    ip_address: bytes = b""
    capa_eof: bool = False
    capa_psync2: bool = False
    rdb_only: bool = False
    exclude_data: bool = False
    exclude_functions: bool = False

    @property
    def filtered(self) -> bool:
        """Is only a part of the dataset wanted?"""
        return self.exclude_data or self.exclude_functions

    @property
    def requirements(self) -> tuple[bool, bool]:
        """Followers share a snapshot only if these are equal."""
        return (self.exclude_data, self.exclude_functions)

    def has_capa_of(self, other: "FollowerOptions") -> bool:
        """Can this follower read whatever the other one can?"""
        return (self.capa_eof or not other.capa_eof) and (self.capa_psync2 or not other.capa_psync2)


@unique
class ReplconfKind(Enum):
    """What the receiver has to do."""

    OK = "answer OK"
    ACK = "note the offset, answer nothing"
    GETACK = "send an ACK to the leader, answer nothing"


@define(frozen=True)
class Replconf:
    """``offset`` is that of ACK; -1 if it was no number, which Redis ignores."""

    kind: ReplconfKind
    offset: int = -1


def read_replconf(argv: list[bytes], options: FollowerOptions) -> Replconf:
    """Read REPLCONF into ``options``. ReplyError names the first wrong option."""
    if len(argv) % 2 == 0:
        raise ReplyError(errors.SYNTAX)
    for index in range(1, len(argv), 2):
        name, value = argv[index].lower(), argv[index + 1]
        if name == b"ack":
            offset = parse_integer(value)
            return Replconf(ReplconfKind.ACK, -1 if offset is None else offset)
        if name == b"getack":
            return Replconf(ReplconfKind.GETACK)
        _read_option(name, value, options, argv[index])
    return Replconf(ReplconfKind.OK)


def _read_option(name: bytes, value: bytes, options: FollowerOptions, name_as_sent: bytes) -> None:
    if name == b"listening-port":
        options.listening_port = _integer(value)
    elif name == b"ip-address":
        if len(value) >= HOST_BYTES_MAX:
            raise ReplyError(errors.replconf_ip_too_long(len(value)))
        options.ip_address = value
    elif name == b"capa":
        capability = value.lower()
        if capability == b"eof":
            options.capa_eof = True
        elif capability == b"psync2":
            options.capa_psync2 = True
    elif name == b"rdb-only":
        number = _integer(value)
        if number not in (0, 1):
            raise ReplyError(errors.REPLCONF_RDB_ONLY_RANGE)
        options.rdb_only = number == 1
    elif name == b"rdb-filter-only":
        _read_filter(value, options)
    else:
        raise ReplyError(errors.replconf_unrecognized(name_as_sent))


def _read_filter(value: bytes, options: FollowerOptions) -> None:
    """The list names what to include; an empty one asks for an RDB without content."""
    words = split_args(value)
    if words is None:
        raise ReplyError(errors.REPLCONF_FILTER_MISSING)
    options.exclude_data = True
    options.exclude_functions = True
    for word in words:
        if word.lower() != b"functions":
            raise ReplyError(errors.replconf_filter(word))
        options.exclude_functions = False


def _integer(value: bytes) -> int:
    number = parse_integer(value)
    if number is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    return number
