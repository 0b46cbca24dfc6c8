"""One client's state. The executor serves it; there is no task behind it.

`gate` is the one word that the dispatcher tests per command: 0 means an ordinary, authenticated client with nothing
special going on, for which no check of its own state is needed. Knows no socket calls and runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mypy_extensions import i64

from redrock.clients.output import CLASS_NORMAL, OutputBuffer
from redrock.clients.transport import Transport
from redrock.keyspace.database import Database
from redrock.resp.request_parser import RequestParser

if TYPE_CHECKING:
    from redrock.clients.transaction import WatchedKey

# Bits of `gate`.
NEEDS_AUTH: Final = 1 << 0
IN_MULTI: Final = 1 << 1
DIRTY_CAS: Final = 1 << 2  # a watched key has changed: EXEC will abort
DIRTY_EXEC: Final = 1 << 3  # an error while queueing: EXEC will abort
IS_REPLICA: Final = 1 << 4
IS_MONITOR: Final = 1 << 5
IS_LEADER_LINK: Final = 1 << 6  # what it sends must be obeyed
IN_PUBSUB: Final = 1 << 7
REPLY_OFF: Final = 1 << 8
REPLY_SKIP_NEXT: Final = 1 << 9
REPLY_SKIP: Final = 1 << 10
TRACKING: Final = 1 << 11
RESTRICTED: Final = 1 << 12  # its ACL user may not do everything
IS_SCRIPT: Final = 1 << 13  # the pseudo client of scripts, the AOF loader and the like
NO_EVICT: Final = 1 << 14
# A client whose reply must not be written, or not now.
REPLY_MASK: Final = REPLY_OFF | REPLY_SKIP

# With its header, a bytes object of this size is the largest that Python makes without asking malloc.
RECEIVE_BYTES_MIN: Final = 479

# Why a client's further commands wait.
READY: Final = 0
PARKED: Final = 1  # for cold values
BLOCKED: Final = 2  # as BLPOP and WAIT do
POSTPONED: Final = 3  # by CLIENT PAUSE


class Client:
    """A connection (or a pseudo client without one) and what it is in the middle of."""

    def __init__(self, client_id: int, transport: Transport | None, database: Database, now_ms: int) -> None:
        self.client_id: Final = client_id
        self.transport = transport
        self.parser = RequestParser()
        self.output = OutputBuffer()
        self.database = database
        self.gate: i64 = 0
        self.resp: i64 = 2
        # The command that waits to be run again, when state is PARKED or POSTPONED.
        self.waiting_argv: list[bytes] | None = None
        self.state = READY
        self.wait_failure: bytes | None = None  # error text: why the cold values could not be read
        self.block_timeout_at_ms: i64 = 0  # 0: never
        # Connection facts.
        self.address = b""
        self.local_address = b""
        self.is_unix_socket = False
        self.is_local = False
        self.created_at_ms: Final = now_ms
        self.last_interaction_ms: i64 = now_ms
        self.name = b""
        self.user_name = b"default"
        self.last_command = b"NULL"
        self.output_class = CLASS_NORMAL
        self.peer_listening_port = 0
        # How much to receive at a time: little at first, since small bytes objects are cheap to make; see `serving`.
        self.receive_bytes: i64 = RECEIVE_BYTES_MIN
        # Closing.
        self.close_asap = False
        self.close_after_reply = False
        self.wants_writable = False  # registered with the poller for writability
        self.in_send_list = False
        # Transactions.
        self.queued: list[list[bytes]] = []
        self.queued_flags: i64 = 0
        self.queued_inverse_flags: i64 = 0
        self.queued_bytes = 0
        self.watched: list[WatchedKey] = []
        # Requests parsed ahead of their turn, when the client was parked: their cold values are loading already.
        self.ahead: list[list[bytes]] = []
        self.writes = False  # its last command was one that writes
        self.held = False  # its replies wait for the AOF's fsync,
        self.held_offset: i64 = 0  # which has to reach this offset of the AOF
        self.reading_paused = False  # meanwhile it has sent much: it is not read until they have gone
        # Offset of the stream after this client's last write, for WAIT; of the AOF, for appendfsync always.
        self.write_offset: i64 = 0
        self.argument_bytes = 0

    def has(self, bit: int) -> bool:
        return (self.gate & bit) != 0

    def set(self, bit: int) -> None:
        self.gate |= bit

    def unset(self, bit: int) -> None:
        self.gate &= ~bit

    def memory_bytes(self) -> int:
        """Bytes of buffers and queued commands, for CLIENT LIST's tot-mem and the accounting."""
        return 2048 + self.output.size() + self.parser.buffered_bytes() + self.queued_bytes
