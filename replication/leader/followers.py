"""Who follows this server, in which state, and how far each one is.

Source: Redis 7.0.15, server.h (SLAVE_STATE_*), replication.c, replicationGetSlaveName, refreshGoodSlavesCount,
sendBulkToSlave, replicaStartCommandStream; networking.c, checkClientOutputBufferLimits.

A follower's connection is read by the executor, as any client's, since all that comes from it is REPLCONF ACK. It is
written by nobody but `pump`, which sends in this order: lines of the handshake, the RDB, the stream from its place in
the backlog. `pump` never waits: the follower's sender task calls it when the socket has room again, and the executor at
the end of a pass when there is news in the stream.

Times are milliseconds since the epoch, offsets bytes of the stream.
"""

from collections.abc import Iterator
from enum import Enum, unique
from typing import Final

from persistence.files import ReadFile
from redrock.clients.client import Client
from replication.backlog import Backlog, Place
from replication.protocol.replconf import FollowerOptions
from replication.protocol.transfer import counted_header

# A follower takes what its socket buffer holds; more than this at once would only hold up the pass.
SEND_BYTES_MAX: Final = 256 * 1024
PUMP_BYTES_MAX: Final = 4 * 1024 * 1024


@unique
class FollowerState(Enum):
    """Redis' states. The value is INFO's word; a follower that has none is not listed there."""

    WAIT_BGSAVE_START = "wait_bgsave"
    WAIT_BGSAVE_END = "wait_bgsave "  # the blank keeps the two apart; see `info_word`
    SEND_BULK = "send_bulk"
    ONLINE = "online"
    RDB_TRANSMITTED = ""

    @property
    def info_word(self) -> str:
        return self.value.rstrip()


class Waker:
    """Wakes a follower's sender task."""

    def wake(self) -> None:
        """There may be something to send, or the follower is gone."""
        raise NotImplementedError


class Follower:
    """One follower as its leader sees it."""

    def __init__(self, client: Client, options: FollowerOptions, legacy: bool, now_ms: int) -> None:
        self.client: Final = client
        self.options: Final = options
        self.legacy: Final = legacy  # it came by SYNC: it sends no ACKs
        self.state = FollowerState.WAIT_BGSAVE_START
        self.since_ms: Final = now_ms
        self.initial_offset = -1  # the last byte that its snapshot contains
        self.place: Place | None = None
        self.start_on_ack = False  # after a streamed RDB the stream waits for the first ACK
        self.ack_offset = 0
        self.ack_ms = now_ms
        self.gone = False
        self.blocked = False  # its socket is full: the sender waits for room
        self.sent_bytes = 0
        self.last_progress_ms = now_ms
        self.waker: Waker | None = None
        self._lines = b""  # to be sent before anything else
        self._chunks: list[bytes] = []  # pieces of a streamed RDB
        self._chunk_bytes = 0
        self._rdb: ReadFile | None = None
        self._rdb_piece = b""  # read from the file and not sent
        self._rdb_left = 0
        self._over_soft_since_ms = 0

    # --- names

    @property
    def ip(self) -> str:
        """The announced address, or that of the connection."""
        if self.options.ip_address:
            return self.options.ip_address.decode("utf-8", "backslashreplace")
        host = self.client.address.rpartition(b":")[0]
        return host.removeprefix(b"[").removesuffix(b"]").decode("utf-8", "backslashreplace")

    @property
    def name(self) -> str:
        """For the log."""
        port = self.options.listening_port
        if not port:
            return f"{self.ip}:<unknown-replica-port>"
        return f"[{self.ip}]:{port}" if ":" in self.ip else f"{self.ip}:{port}"

    # --- what is to be sent

    def send_line(self, line: bytes) -> None:
        """A line of the handshake, or a newline to keep the connection alive. Not once the RDB or the stream runs."""
        self._lines += line

    def send_rdb(self, file: ReadFile) -> None:
        """The snapshot is on disk: send it, then the stream. The file is closed here."""
        self.state = FollowerState.SEND_BULK
        self._rdb_left = file.size()
        self._lines += counted_header(self._rdb_left)
        self._rdb = file

    def send_chunk(self, data: bytes) -> None:
        """A piece of a streamed RDB, its header and end mark included."""
        self._chunks.append(data)
        self._chunk_bytes += len(data)

    def chunk_bytes(self) -> int:
        """How much of a streamed RDB has been handed over and not been sent."""
        return self._chunk_bytes

    def start_stream(self, place: Place) -> None:
        """What this place is at is the first byte of the stream that the follower lacks."""
        self.place = place

    def is_streaming(self) -> bool:
        """Does it get the stream now, as it is produced?"""
        return self.state is FollowerState.ONLINE and not self.start_on_ack

    # --- sending

    def pump(self, backlog: Backlog | None, now_ms: int) -> bool:
        """Send what the socket takes. True: nothing is left for now. Raises OSError: the follower is lost."""
        before = self.sent_bytes
        finished = self._send_lines() and self._send_chunks() and self._send_rdb() and self._send_stream(backlog)
        self.blocked = not finished
        if self.sent_bytes != before:
            self.last_progress_ms = now_ms
        return finished

    def _send(self, data: bytes) -> int:
        transport = self.client.transport
        assert transport is not None
        sent = transport.send(data)
        self.sent_bytes += sent
        return sent

    def _send_lines(self) -> bool:
        if not self._lines:
            return True
        self._lines = self._lines[self._send(self._lines) :]
        return not self._lines

    def _send_chunks(self) -> bool:
        while self._chunks:
            chunk = self._chunks[0]
            sent = self._send(chunk)
            self._chunk_bytes -= sent
            if sent < len(chunk):
                self._chunks[0] = chunk[sent:]
                return False
            self._chunks.pop(0)
        return True

    def _send_rdb(self) -> bool:
        """Reads from the file what the socket takes: it has just been written, so the page cache holds it."""
        file = self._rdb
        if file is None:
            return True
        budget = PUMP_BYTES_MAX
        while self._rdb_left:
            if not self._rdb_piece:
                self._rdb_piece = file.read(min(SEND_BYTES_MAX, self._rdb_left))
                if not self._rdb_piece:
                    raise OSError("Read error sending DB to replica: premature EOF")
            sent = self._send(self._rdb_piece)
            whole = sent == len(self._rdb_piece)
            self._rdb_piece = self._rdb_piece[sent:]
            self._rdb_left -= sent
            budget -= sent
            if not whole or (budget <= 0 and self._rdb_left):
                return False
        file.close()
        self._rdb = None
        return True

    def rdb_is_sent(self) -> bool:
        """In the state SEND_BULK: has the last byte of the RDB gone out?"""
        return self.state is FollowerState.SEND_BULK and self._rdb is None and not self._lines

    def _send_stream(self, backlog: Backlog | None) -> bool:
        place = self.place
        if place is None or backlog is None or not self.is_streaming():
            return True
        budget = PUMP_BYTES_MAX
        while True:
            data = backlog.read(place.next_offset, SEND_BYTES_MAX)
            if not data:
                return True
            sent = self._send(data)
            place.next_offset += sent
            budget -= sent
            if sent < len(data) or budget <= 0:
                return False

    def wake(self) -> None:
        """There is something to send that does not come from the stream."""
        if self.waker is not None:
            self.waker.wake()

    # --- limits and acknowledgements

    def acknowledge(self, offset: int, now_ms: int) -> None:
        """REPLCONF ACK. An older offset than known is ignored, but shows that the follower lives."""
        self.ack_offset = max(self.ack_offset, offset)
        self.ack_ms = now_ms

    def is_over(self, unsent: int, hard_bytes: int, soft_bytes: int, soft_seconds: int, now_ms: int) -> bool:
        """Has it fallen behind further than client-output-buffer-limit allows?"""
        if hard_bytes and unsent >= hard_bytes:
            return True
        if soft_bytes and unsent >= soft_bytes:
            if self._over_soft_since_ms == 0:
                self._over_soft_since_ms = now_ms
                return False
            return now_ms - self._over_soft_since_ms > soft_seconds * 1000
        self._over_soft_since_ms = 0
        return False

    def drop(self) -> None:
        """The connection is gone, or has to go: let go of what it held, and of its sender."""
        self.gone = True
        if self._rdb is not None:
            self._rdb.close()
            self._rdb = None
        self._chunks.clear()
        self._chunk_bytes = 0
        self.wake()


class Followers:
    """All followers, in order of arrival."""

    def __init__(self, now_ms: int) -> None:
        self._by_client: dict[int, Follower] = {}
        self.none_since_ms = now_ms  # when the last one went, for repl-backlog-ttl

    def __len__(self) -> int:
        return len(self._by_client)

    def __iter__(self) -> Iterator[Follower]:
        """A copy: followers may be dropped meanwhile."""
        return iter(list(self._by_client.values()))

    def add(self, follower: Follower) -> None:
        self._by_client[follower.client.client_id] = follower

    def of_client(self, client: Client) -> Follower | None:
        return self._by_client.get(client.client_id)

    def remove(self, follower: Follower, now_ms: int) -> None:
        """Harmless the second time."""
        if self._by_client.pop(follower.client.client_id, None) is not None and not self._by_client:
            self.none_since_ms = now_ms

    def in_state(self, state: FollowerState) -> list[Follower]:
        return [follower for follower in self._by_client.values() if follower.state is state]

    def online(self) -> list[Follower]:
        return self.in_state(FollowerState.ONLINE)

    def good_count(self, max_lag_seconds: int, now_ms: int) -> int:
        """Those online whose last ACK is no older than min-replicas-max-lag."""
        oldest_ms = now_ms - max_lag_seconds * 1000
        return sum(follower.ack_ms // 1000 >= oldest_ms // 1000 for follower in self.online())

    def info_lines(self, now_ms: int) -> list[tuple[str, str]]:
        """INFO's ``slave0`` and so on."""
        lines: list[tuple[str, str]] = []
        for follower in self._by_client.values():
            word = follower.state.info_word
            if not word:
                continue
            lag = (now_ms // 1000 - follower.ack_ms // 1000) if follower.state is FollowerState.ONLINE else 0
            port = follower.options.listening_port
            facts = f"ip={follower.ip},port={port},state={word},offset={follower.ack_offset},lag={lag}"
            lines.append((f"slave{len(lines)}", facts))
        return lines
