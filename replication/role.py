"""Leader or follower, and what INFO and ROLE say of it.

Source: Redis 7.0.15, server.h (REPL_STATE_*), replication.c, roleCommand; server.c, section Replication of INFO.
Commands set the wanted role here and wake the supervisor; the link task reports its progress here. Times are
milliseconds since the epoch; offsets are bytes of the stream.
"""

from enum import Enum, unique

from attrs import define, frozen

from replication.follower.cached_leader import CachedLeader


@unique
class LinkState(Enum):
    """How far the link to the leader is; the value is ROLE's word for it."""

    NONE = "none"
    CONNECT = "connect"
    CONNECTING = "connecting"
    HANDSHAKE = "handshake"
    TRANSFER = "sync"
    CONNECTED = "connected"


@frozen
class LeaderAddress:
    """As REPLICAOF named it; the host is resolved at each connection."""

    host: str
    port: int


@define
class Role:
    """``leader`` None: this server leads. ``generation`` grows with each change, so that a stale link knows itself."""

    leader: LeaderAddress | None = None
    generation: int = 0
    link: LinkState = LinkState.NONE
    # Of the link, while it is up.
    link_up: bool = False
    read_offset: int = -1
    applied_offset: int = -1
    selected_dbid: int = -1
    last_io_ms: int = 0
    link_down_since_ms: int = 0  # 0: it has never been up as this role
    # Of the transfer. ``transfer_total`` is 0 if the leader did not say.
    transfer_total: int = -1
    transfer_read: int = 0
    transfer_last_io_ms: int = 0
    cached: CachedLeader | None = None

    @property
    def is_follower(self) -> bool:
        return self.leader is not None

    def known_offsets(self) -> tuple[int, int] | None:
        """(read, applied) of the present leader or of the cached one; None if there is neither."""
        if self.link_up:
            return (self.read_offset, self.applied_offset)
        if self.cached is not None:
            return (self.cached.offset, self.cached.offset)
        return None

    def set_leader(self, leader: LeaderAddress | None) -> None:
        """Another role, or another leader: whatever is known of the link is void."""
        self.leader = leader
        self.generation += 1
        self.link = LinkState.NONE if leader is None else LinkState.CONNECT
        self.link_up = False
        if leader is None:
            self.cached = None
            self.link_down_since_ms = 0

    def link_is_up(self, replid: bytes, offset: int, dbid: int, now_ms: int) -> None:
        """The stream of ``replid`` is being received from behind ``offset``."""
        self.cached = CachedLeader(replid, offset, dbid)
        self.link = LinkState.CONNECTED
        self.link_up = True
        self.read_offset = offset
        self.applied_offset = offset
        self.selected_dbid = dbid
        self.last_io_ms = now_ms
        self.link_down_since_ms = 0

    def link_is_down(self, now_ms: int) -> None:
        """The connection is lost, or could not be made. What was applied remains as `cached`."""
        if self.link_up:
            assert self.cached is not None
            self.cached = CachedLeader(self.cached.replid, self.applied_offset, self.selected_dbid)
            self.link_down_since_ms = now_ms
        self.link_up = False
        if self.leader is not None:
            self.link = LinkState.CONNECT
