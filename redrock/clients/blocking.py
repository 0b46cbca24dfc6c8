"""Clients that wait as BLPOP and WAIT do, and until when.

Who serves them knows why they wait (a Waiter); here is only the clock and the way out. Timeouts are looked through at
each cron tick and whenever the executor asks: a heap gives the next one in O(1).
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Final

from redrock.clients.client import BLOCKED, READY, Client

if TYPE_CHECKING:
    from redrock.clients.waiter import Waiter


class BlockedClients:
    def __init__(self) -> None:
        self._waiters: Final[dict[int, Waiter]] = {}
        self._clients: Final[dict[int, Client]] = {}
        self._deadlines: Final[list[tuple[int, int]]] = []  # (at ms, client id); entries of the served stay until due

    def count(self) -> int:
        return len(self._waiters)

    def block(self, client: Client, waiter: Waiter, timeout_at_ms: int) -> None:
        """The client's next commands wait until `release`."""
        assert client.state == READY
        client.state = BLOCKED
        client.block_timeout_at_ms = timeout_at_ms
        self._waiters[client.client_id] = waiter
        self._clients[client.client_id] = client
        if timeout_at_ms:
            heapq.heappush(self._deadlines, (timeout_at_ms, client.client_id))

    def waiter_of(self, client: Client) -> Waiter | None:
        return self._waiters.get(client.client_id)

    def release(self, client: Client) -> Waiter | None:
        """The client waits no longer; what it waited for, None if it did not wait."""
        waiter = self._waiters.pop(client.client_id, None)
        if waiter is not None:
            del self._clients[client.client_id]
            client.state = READY
            client.block_timeout_at_ms = 0
        return waiter

    def next_timeout_at_ms(self) -> int:
        """When the first timeout is due; 0 if there is none."""
        while self._deadlines:
            at, client_id = self._deadlines[0]
            client = self._clients.get(client_id)
            if client is not None and client.block_timeout_at_ms == at:
                return at
            heapq.heappop(self._deadlines)
        return 0

    def due(self, now_ms: int) -> list[Client]:
        """The clients whose time is over; the caller releases each."""
        over: list[Client] = []
        while True:
            at = self.next_timeout_at_ms()
            if not at or at > now_ms:
                return over
            _, client_id = heapq.heappop(self._deadlines)
            over.append(self._clients[client_id])

    def all(self) -> list[Client]:
        return list(self._clients.values())
