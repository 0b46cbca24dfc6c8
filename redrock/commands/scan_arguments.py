"""The cursor and the options that SCAN, HSCAN, SSCAN and ZSCAN share.

Source: Redis 7.0.15, db.c, parseScanCursorOrReply and scanGenericCommand.
"""

from typing import Final, final

from redrock import errors
from redrock.errors import ReplyError
from redrock.util.numbers import UINT64_MAX, parse_integer

_SPACES: Final = b" \t\n\v\f\r"


def parse_cursor(text: bytes) -> int:
    """An unsigned 64-bit number as strtoul reads it: a sign is taken (``-1`` is the highest), no text at all is 0."""
    text = text.partition(b"\0")[0]
    if not text:
        return 0
    negative = text[:1] == b"-"
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    significant = digits.lstrip(b"0")
    if text[:1] in _SPACES or not digits.isdigit() or len(significant) > 20:
        raise ReplyError(errors.INVALID_CURSOR)
    cursor = int(significant) if significant else 0
    if cursor > UINT64_MAX:
        raise ReplyError(errors.INVALID_CURSOR)
    return (-cursor) & UINT64_MAX if negative else cursor


@final
class ScanArguments:
    """``pattern`` None: everything matches. ``type_name`` None: any type. Raises ReplyError at construction."""

    def __init__(self, argv: list[bytes], first: int, takes_type: bool) -> None:
        """The options begin at ``argv[first]``; ``takes_type``: TYPE is one of them (SCAN alone)."""
        self.count = 10
        self.pattern: bytes | None = None
        self.type_name: bytes | None = None
        at = first
        argc = len(argv)
        while at < argc:
            option = argv[at].upper()
            if at + 1 == argc:
                raise ReplyError(errors.SYNTAX)
            argument = argv[at + 1]
            if option == b"COUNT":
                count = parse_integer(argument)
                if count is None:
                    raise ReplyError(errors.NOT_AN_INTEGER)
                if count < 1:
                    raise ReplyError(errors.SYNTAX)
                self.count = count
            elif option == b"MATCH":
                self.pattern = None if argument == b"*" else argument
            elif option == b"TYPE" and takes_type:
                self.type_name = argument
            else:
                raise ReplyError(errors.SYNTAX)
            at += 2
