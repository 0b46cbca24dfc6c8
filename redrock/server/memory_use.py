"""Memory as a whole: what is accounted beside the keyspace, and what the processes really hold.

Buffers are summed by the cron, not at each question: eviction asks before every command.
"""

from typing import TYPE_CHECKING, Final

from redrock.clients.registry import ClientRegistry
from redrock.keyspace.eviction import BufferMemory
from redrock.monitoring.facts import BASE_BYTES

if TYPE_CHECKING:
    from persistence.append_only import AppendOnlyLog
    from replication.feed import Feed


class ServerBuffers(BufferMemory):
    """Client buffers, replication backlog, AOF buffer and what the server itself is taken to use, in bytes."""

    def __init__(self, clients: ClientRegistry) -> None:
        self._clients: Final = clients
        self.feed: "Feed | None" = None
        self.log: "AppendOnlyLog | None" = None
        self.client_bytes = 0

    def sample(self) -> None:
        """Walk the clients; called some ten times a second."""
        self.client_bytes = sum([client.memory_bytes() for client in self._clients.all()])

    def aof_bytes(self) -> int:
        return 0 if self.log is None else self.log.writer.buffered_bytes()

    def backlog_bytes(self) -> int:
        return 0 if self.feed is None else self.feed.memory_bytes()

    def buffer_bytes(self) -> int:
        return BASE_BYTES + self.client_bytes + self.backlog_bytes() + self.aof_bytes()

    def uncounted_bytes(self) -> int:
        return self.backlog_bytes() + self.aof_bytes()
