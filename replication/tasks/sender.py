"""One follower's sender: waits for room in its socket, or for something to send.

The sending itself is `Replication.pump`, which the executor calls too, at the end of a pass. So in the steady state
this task sleeps: it wakes for the handshake, for an RDB, and when a socket is full.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from replication.leader.followers import Follower, Waker
from replication.service import Replication


class Sender(Waker):
    """Ends when the follower is gone. ``wait_writable`` is trio's, but where there are no sockets (the simulation)."""

    def __init__(
        self,
        replication: Replication,
        follower: Follower,
        wait_writable: Callable[[int], Awaitable[None]] = trio.lowlevel.wait_writable,
    ) -> None:
        self._replication: Final = replication
        self._follower: Final = follower
        self._wait_writable: Final = wait_writable
        self._event = trio.Event()
        self._waiting: trio.CancelScope | None = None

    def wake(self) -> None:
        self._event.set()
        if self._follower.gone and self._waiting is not None:
            # At once, since the descriptor is about to be closed, and must not be waited for then.
            self._waiting.cancel()

    async def run(self) -> None:
        """Serve the follower until it is gone."""
        follower = self._follower
        follower.waker = self
        while True:
            finished = self._replication.pump(follower)
            if follower.gone:
                return
            if finished:
                await self._event.wait()
                self._event = trio.Event()
                continue
            transport = follower.client.transport
            assert transport is not None
            with trio.CancelScope() as self._waiting:
                await self._wait_writable(transport.fileno())
            self._waiting = None
