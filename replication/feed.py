"""The stream that this server produces: whatever goes to its followers passes through here, and is counted.

As a leader it takes the propagated commands, as a follower the bytes of its own leader's stream, unchanged, so that its
followers may later follow anybody in the same history. Source: Redis 7.0.15, replication.c, feedReplicationBuffer,
replicationFeedStreamFromMasterStream.
Invariants: without a backlog nothing is counted, and then no follower is attached; with one, its next offset is
master_repl_offset + 1.
"""

from typing import Final, final

from redrock.interfaces import StreamSink
from replication.backlog import Backlog
from replication.identity import ReplicationIdentity


@final
class Feed(StreamSink):
    """``active`` is true while commands of our own are to be propagated: as a leader with a backlog."""

    def __init__(self, identity: ReplicationIdentity) -> None:
        super().__init__()
        self.identity: Final = identity
        self.backlog: Backlog | None = None
        self.leading = True
        self.has_news = False  # bytes have come since the senders were last told

    def append(self, data: bytes) -> None:
        backlog = self.backlog
        if backlog is None:
            return
        backlog.append(data)
        self.identity.master_repl_offset += len(data)
        self.has_news = True

    def create_backlog(self, size: int) -> None:
        """Virtually its first byte is the next one to be produced."""
        assert self.backlog is None
        self.backlog = Backlog(size, self.identity.master_repl_offset + 1)
        self.selected_dbid = -1
        self.active = self.leading

    def drop_backlog(self) -> None:
        """No follower can go on where it stopped any more; offsets stand still from here on."""
        self.backlog = None
        self.active = False

    def set_leading(self, leading: bool) -> None:
        """The role has changed. A new leader begins with SELECT, since its followers know another stream."""
        self.leading = leading
        self.active = leading and self.backlog is not None
        self.selected_dbid = -1

    def memory_bytes(self) -> int:
        """For used_memory."""
        return 0 if self.backlog is None else self.backlog.memory_bytes()
