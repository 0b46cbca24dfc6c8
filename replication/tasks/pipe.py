"""The pipe of a streamed snapshot: from the child that writes it to the sockets of the followers that share it.

The slowest follower sets the pace, as in Redis: what it has not taken is kept in memory, so the pipe is not read while
that is much. A follower that takes nothing for `repl-timeout` is dropped by `Replication.tick`.
"""

import logging
import os
from typing import Final

import trio

from replication.leader.followers import Waker
from replication.leader.snapshots import PersistenceSnapshots
from replication.service import Replication

logger: Final = logging.getLogger("redrock.replication")

READ_BYTES: Final = 256 * 1024
# Enough that the sockets never run dry while the pipe is read.
UNSENT_BYTES_MAX: Final = 1024 * 1024


class PipeReader(Waker):
    """Reads ``fd`` to its end and closes it."""

    def __init__(self, replication: Replication, snapshots: PersistenceSnapshots, fd: int) -> None:
        self._replication: Final = replication
        self._snapshots: Final = snapshots
        self._fd: Final = fd
        self._event = trio.Event()

    def wake(self) -> None:
        self._event.set()

    async def run(self) -> None:
        full_sync = self._replication.full_sync
        full_sync.pipe_waker = self
        try:
            while full_sync.anybody_streams():
                await trio.lowlevel.wait_readable(self._fd)
                data = os.read(self._fd, READ_BYTES)
                if not data:
                    break
                full_sync.chunk(data)
                await self._drained(UNSENT_BYTES_MAX)
            await self._drained(0)
            logger.warning(
                "Diskless rdb transfer, done reading from pipe, %d replicas still up.", full_sync.streaming_count()
            )
        finally:
            # If nobody is left, this ends the child as well: it cannot write any more.
            os.close(self._fd)
            full_sync.pipe_waker = None
        self._snapshots.pipe_read()

    async def _drained(self, bytes_max: int) -> None:
        """Wait until no follower has more than this to send."""
        while self._replication.full_sync.unsent_chunk_bytes() > bytes_max:
            self._event = trio.Event()
            await self._event.wait()
