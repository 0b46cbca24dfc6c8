"""CLIENT PAUSE: for a while, commands (or those that write) stay with their clients, and nothing changes by itself.

Source: Redis 7.0.15, networking.c, pauseClients and unpauseClients. The dispatcher postpones the commands, by its gate;
here is until when, and that they go on afterwards. Whoever rebuilds the gate keeps GATE_PAUSED_ALL and
GATE_PAUSED_WRITES as they are.
"""

from typing import Final

from redrock.keyspace.keyspace import Keyspace
from redrock.server.dispatcher import GATE_PAUSED_ALL, GATE_PAUSED_WRITES, Dispatcher
from redrock.server.serving import Serving

_PAUSED: Final = GATE_PAUSED_ALL | GATE_PAUSED_WRITES


class Pause:
    """``tick`` is for the cron. Times are milliseconds since the epoch."""

    def __init__(self, dispatcher: Dispatcher, serving: Serving, keyspace: Keyspace) -> None:
        self._dispatcher: Final = dispatcher
        self._serving: Final = serving
        self._keyspace: Final = keyspace
        self.until_ms = 0

    def is_on(self) -> bool:
        return (self._dispatcher.gate & _PAUSED) != 0

    def begin(self, writes_only: bool, until_ms: int) -> None:
        """From now on. A pause under way is only made longer and stricter, not shorter or milder."""
        if until_ms <= self._keyspace.now_ms and not self.is_on():
            return
        self._dispatcher.gate |= GATE_PAUSED_WRITES if writes_only else GATE_PAUSED_ALL
        self._keyspace.expiry_paused = True
        self.until_ms = max(self.until_ms, until_ms)

    def end(self) -> None:
        """At once: the commands that wait are run in the next pass, in the order in which they came."""
        self._dispatcher.gate &= ~_PAUSED
        self._keyspace.expiry_paused = False
        self.until_ms = 0
        waiting = self._dispatcher.postponed.copy()
        self._dispatcher.postponed.clear()
        for client in waiting:
            self._serving.resume(client.client_id, None)

    def tick(self) -> None:
        if self.until_ms and self.until_ms <= self._keyspace.now_ms:
            self.end()
