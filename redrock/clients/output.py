"""A client's output buffer, and the limits on it (`client-output-buffer-limit`).

Commands write into `writer`; the pass moves that to the socket. What the socket does not take stays in `chunks`, and is
sent when the socket is writable again. Sizes are bytes. Source of the limits: Redis 7.0.15, networking.c,
checkClientOutputBufferLimits.
"""

from typing import Final

from librt.strings import BytesWriter
from mypy_extensions import i64

from redrock.clients.transport import Transport

# Indexes into the setting client-output-buffer-limit.
CLASS_NORMAL: Final = 0
CLASS_REPLICA: Final = 1
CLASS_PUBSUB: Final = 2
# A send larger than this only makes the kernel copy what it will not take; and one slow client must not hold the pass.
_SEND_BYTES_MAX: Final = 256 * 1024


class OutputLimit:
    """One row of client-output-buffer-limit: bytes, bytes, seconds; 0 means no limit."""

    def __init__(self, hard_bytes: int, soft_bytes: int, soft_seconds: int) -> None:
        self.hard_bytes: Final = hard_bytes
        self.soft_bytes: Final = soft_bytes
        self.soft_seconds: Final = soft_seconds


class OutputBuffer:
    """Bytes on their way to one client."""

    def __init__(self) -> None:
        self.writer = BytesWriter()
        self._chunks: list[bytes] = []
        self._first = 0  # index of the first chunk not sent whole
        self._position = 0  # bytes of that chunk already sent
        self._unsent: i64 = 0
        self._over_soft_since_ms: i64 = 0

    def size(self) -> int:
        """Bytes not yet taken by the socket."""
        return self._unsent + len(self.writer)

    def is_empty(self) -> bool:
        return self._unsent == 0 and len(self.writer) == 0

    def send_to(self, transport: Transport) -> bool:
        """Send as much as the socket takes now. True if nothing is left. Raises OSError if the connection broke."""
        writer = self.writer
        waiting: i64 = len(writer)
        if self._unsent == 0:
            if waiting == 0:
                return True
            data = writer.getvalue()
            if waiting > 65536:
                self.writer = BytesWriter()  # a big reply does not keep its room for ever
            else:
                writer.truncate(0)
            if waiting <= _SEND_BYTES_MAX:
                sent: i64 = transport.send(data)
                if sent == waiting:
                    return True
            else:
                sent = 0
            self._chunks.append(data)
            self._position = sent
            self._unsent = waiting - sent
            if sent:
                return False
        elif waiting:
            self._chunks.append(writer.getvalue())
            self.writer = BytesWriter()
            self._unsent += waiting
        return self._send_chunks(transport)

    def _send_chunks(self, transport: Transport) -> bool:
        while self._unsent:
            chunk = self._chunks[self._first]
            end = self._position + _SEND_BYTES_MAX
            piece = chunk if self._position == 0 and end >= len(chunk) else chunk[self._position : end]
            sent = transport.send(piece)
            if sent == 0:
                return False
            self._unsent -= sent
            self._position += sent
            if self._position == len(chunk):
                self._chunks[self._first] = b""
                self._first += 1
                self._position = 0
            if sent < len(piece):
                return False
        self._chunks.clear()
        self._first = 0
        return True

    def clear(self) -> None:
        """Drop everything: the connection is gone."""
        self.writer = BytesWriter()
        self._chunks.clear()
        self._first = 0
        self._position = 0
        self._unsent = 0

    def is_over(self, limit: OutputLimit, now_ms: int) -> bool:
        """Whether the client has to go: over the hard limit, or over the soft one for longer than it allows."""
        size = self.size()
        if limit.hard_bytes and size >= limit.hard_bytes:
            return True
        if limit.soft_bytes and size >= limit.soft_bytes:
            if self._over_soft_since_ms == 0:
                self._over_soft_since_ms = now_ms
                return False
            return now_ms - self._over_soft_since_ms > limit.soft_seconds * 1000
        self._over_soft_since_ms = 0
        return False
