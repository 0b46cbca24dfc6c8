"""Arguments that several groups read: integers in Redis's words, and the options of SET and GETEX.

Source: Redis 7.0.15, object.c (getLongLongFromObjectOrReply, getIntFromObjectOrReply) and t_string.c
(parseExtendedStringArgumentsOrReply, getExpireMillisecondsOrReply). Those of the SCAN family are in `scan_arguments`.
"""

from typing import Final, final

from redrock import errors
from redrock.errors import ReplyError
from redrock.util.numbers import INT64_MAX, parse_integer

INT32_MIN: Final = -(2**31)
INT32_MAX: Final = 2**31 - 1

NX: Final = 1 << 0
XX: Final = 1 << 1
GET: Final = 1 << 2
KEEPTTL: Final = 1 << 3
PERSIST: Final = 1 << 4
EX: Final = 1 << 5
PX: Final = 1 << 6
EXAT: Final = 1 << 7
PXAT: Final = 1 << 8

_TIMES: Final = {b"EX": EX, b"PX": PX, b"EXAT": EXAT, b"PXAT": PXAT}
_ANY_TIME: Final = EX | PX | EXAT | PXAT


def integer(text: bytes) -> int:
    """A signed 64-bit integer."""
    value = parse_integer(text)
    if value is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    return value


def int32(text: bytes, error: bytes | None = None) -> int:
    """A signed 32-bit integer. ``error``: the one text for whatever is wrong with it; else Redis's two usual ones."""
    value = parse_integer(text)
    if value is None:
        raise ReplyError(errors.NOT_AN_INTEGER if error is None else error)
    if value < INT32_MIN or value > INT32_MAX:
        raise ReplyError(errors.NOT_AN_INT32 if error is None else error)
    return value


def expire_at_ms(amount: bytes, seconds: bool, base_ms: int, name: bytes) -> int:
    """When something expires that was given a positive time: ms since the epoch.

    ``base_ms`` is the present for a relative time, 0 for an absolute one. ``name``: the command's, for the error.
    """
    value = integer(amount)
    if value <= 0 or (seconds and value > INT64_MAX // 1000):
        raise ReplyError(errors.invalid_expire_time(name))
    if seconds:
        value *= 1000
    value += base_ms
    if value > INT64_MAX:
        raise ReplyError(errors.invalid_expire_time(name))
    return value


@final
class StringOptions:
    """The options of SET (``for_set``) or GETEX from ``argv[first]`` on. Raises ReplyError at construction.

    A time may be given twice in the same unit, and then the last one counts; any other combination of times, KEEPTTL
    and PERSIST is an error, as are NX and XX together. The time's value is looked at later, by `expire_at_ms`: Redis
    reports errors in that order.
    """

    def __init__(self, argv: list[bytes], first: int, for_set: bool) -> None:
        self.flags = 0
        self._amount = b""
        flags = 0
        at = first
        argc = len(argv)
        while at < argc:
            option = argv[at].upper()
            time = _TIMES.get(option)
            if time is not None:
                if flags & (KEEPTTL | PERSIST | (_ANY_TIME & ~time)) or at + 1 == argc:
                    raise ReplyError(errors.SYNTAX)
                flags |= time
                at += 1
                self._amount = argv[at]
            elif for_set and option == b"NX" and not flags & XX:
                flags |= NX
            elif for_set and option == b"XX" and not flags & NX:
                flags |= XX
            elif for_set and option == b"GET":
                flags |= GET
            elif for_set and option == b"KEEPTTL" and not flags & _ANY_TIME:
                flags |= KEEPTTL
            elif not for_set and option == b"PERSIST" and not flags & _ANY_TIME:
                flags |= PERSIST
            else:
                raise ReplyError(errors.SYNTAX)
            at += 1
        self.flags = flags

    def expire_at_ms(self, now_ms: int, name: bytes) -> int:
        """The time given, in ms since the epoch; -1 if none was. Raises ReplyError; ``name`` as above."""
        flags = self.flags
        if not flags & _ANY_TIME:
            return -1
        base_ms = now_ms if flags & (EX | PX) else 0
        return expire_at_ms(self._amount, flags & (EX | EXAT) != 0, base_ms, name)
