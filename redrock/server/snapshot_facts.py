"""What a snapshot needs to know of the server at its instant."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from persistence.rdb.writer import ReplicationInfo
from persistence.service import SnapshotFacts
from redrock.cold.tier import ColdTier
from redrock.keyspace.keyspace import Keyspace

if TYPE_CHECKING:
    from redrock.commands.context import Context
    from redrock.keyspace.eviction import Eviction
    from replication.service import Replication


class ServerSnapshotFacts(SnapshotFacts):
    """``ctx``, ``eviction`` and ``replication`` are set when they exist."""

    def __init__(self, keyspace: Keyspace, tier: ColdTier) -> None:
        self._keyspace: Final = keyspace
        self._tier: Final = tier
        self.ctx: Context | None = None
        self.eviction: Eviction | None = None
        self.replication: Replication | None = None

    def replication_info(self) -> ReplicationInfo | None:
        return None if self.replication is None else self.replication.save_info()

    def open_cold_snapshot(self) -> socket.socket | None:
        if not self._tier.is_open() or not self._keyspace.cold_count():
            return None
        return self._tier.open_snapshot()

    def used_memory(self) -> int:
        return self._keyspace.used_bytes() if self.eviction is None else self.eviction.used_bytes()

    def in_transaction(self) -> bool:
        return self.ctx is not None and self.ctx.in_exec
