"""The kinds of reply that a command can return. A reply is a value; `encoder` turns it into RESP2 or RESP3 bytes.

=================  =============================  ==================================
returned           RESP2                          RESP3
=================  =============================  ==================================
int                ``:n``                         ``:n``
bytes              bulk string                    bulk string
None               null bulk ``$-1``              null ``_``
float              bulk string, %.17g             double ``,``
bool               ``:1`` / ``:0``                ``#t`` / ``#f``
list, tuple        array                          array
Status             ``+text``                      ``+text``
ErrorReply         ``-text``                      ``-text`` (inside EXEC and scripts)
MapReply           flat array of pairs            map ``%``
SetReply           array                          set ``~``
PushReply          array                          push ``>``
Verbatim           bulk string                    verbatim ``=`` with 3-letter format
BigNumber          bulk string                    big number ``(``
NULL_ARRAY         ``*-1``                        ``_``
Attributed         the reply alone                attribute ``|`` and the reply
Encoded            its bytes, as they are         its bytes, as they are
NO_REPLY           nothing                        nothing
=================  =============================  ==================================

Source: Redis 7.0.15, networking.c, addReply*.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias, Union


class ReplyNode:
    """Base of the replies that plain Python values cannot express."""


class Status(ReplyNode):
    """A simple string. Build them as module constants, not per call; ``wire`` is the encoded form."""

    def __init__(self, text: bytes) -> None:
        self.text: Final = text
        self.wire: Final = b"+" + text + b"\r\n"


class ErrorReply(ReplyNode):
    """An error as a value: an element of EXEC's array, or a script's result."""

    def __init__(self, text: bytes) -> None:
        self.text: Final = text


class MapReply(ReplyNode):
    """``items`` is key, value, key, value, ...: flat, as RESP2 shows it."""

    def __init__(self, items: "Sequence[Reply]") -> None:
        self.items: Final = items


class SetReply(ReplyNode):
    """An unordered collection."""

    def __init__(self, items: "Sequence[Reply]") -> None:
        self.items: Final = items


class PushReply(ReplyNode):
    """An out-of-band message."""

    def __init__(self, items: "Sequence[Reply]") -> None:
        self.items: Final = items


class Verbatim(ReplyNode):
    """A text to be shown as it is; ``kind`` is three bytes, ``txt`` or ``mkd``."""

    def __init__(self, text: bytes, kind: bytes = b"txt") -> None:
        self.text: Final = text
        self.kind: Final = kind


class BigNumber(ReplyNode):
    """Decimal digits of a number of any size."""

    def __init__(self, digits: bytes) -> None:
        self.digits: Final = digits


class Attributed(ReplyNode):
    """A reply with attributes about it in front; ``attributes`` is key, value, key, value, ..."""

    def __init__(self, attributes: "Sequence[Reply]", reply: "Reply") -> None:
        self.attributes: Final = attributes
        self.reply: Final = reply


class NullArray(ReplyNode):
    """Use the constant NULL_ARRAY."""


class Encoded(ReplyNode):
    """Bytes that are encoded already, for the protocol version of the client that gets them."""

    def __init__(self, wire: bytes) -> None:
        self.wire: Final = wire


class NoReply(ReplyNode):
    """Use the constant NO_REPLY: the command answers nothing now (or has written its answer itself)."""


Reply: TypeAlias = Union[int, bytes, float, bool, "Sequence[Reply]", ReplyNode, None]

OK: Final = Status(b"OK")
QUEUED: Final = Status(b"QUEUED")
PONG: Final = Status(b"PONG")
NULL_ARRAY: Final = NullArray()
NO_REPLY: Final = NoReply()
