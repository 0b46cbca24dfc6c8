"""Every error text a client can receive, byte for byte as Redis 7.0.15 sends it, and the kinds of error.

Texts are constants without the leading ``-`` and the trailing CRLF, grouped as the command groups are.
A text with a variable part is a function that returns the bytes.
"""

from typing import Final


class ReplyError(Exception):
    """The client's mistake: answered with ``-<text>``. Raised before anything has been changed."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class ProtocolError(Exception):
    """The peer broke a protocol: answer with the text if possible, then close the connection."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class CorruptionError(Exception):
    """Bytes on disk or in a payload are wrong.

    ``source`` names the file or payload, ``position`` is the byte at which it was noticed, ``lost_bytes`` is how much
    cannot be used (-1: unknown). Whoever loads decides what to do about it.
    """

    def __init__(self, reason: str, source: str = "payload", position: int = 0, lost_bytes: int = -1) -> None:
        super().__init__(f"{source}, byte {position}: {reason}")
        self.reason = reason
        self.source = source
        self.position = position
        self.lost_bytes = lost_bytes


# --- Shared by all groups

SYNTAX: Final = b"ERR syntax error"
WRONGTYPE: Final = b"WRONGTYPE Operation against a key holding the wrong kind of value"
NO_SUCH_KEY: Final = b"ERR no such key"
NOT_AN_INTEGER: Final = b"ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = b"ERR value is not a valid float"
INDEX_OUT_OF_RANGE: Final = b"ERR index out of range"
BUSYKEY: Final = b"BUSYKEY Target key name already exists."


def wrong_arity(name: bytes) -> bytes:
    """``name`` is the full name in lower case, with ``|subcommand`` where there is one."""
    return b"ERR wrong number of arguments for '%b' command" % name
