"""The clockwork: `hz` times a second, whatever must happen without a client asking for it.

Active expiry, freeing of flushed tables, idle clients, sampled statistics; other parts add their own tick. A tick is
synchronous and short; the sleep in between is the only place where it awaits.
Source: Redis 7.0.15, server.c, serverCron.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import trio

from redrock.clients.client import IN_PUBSUB, IS_LEADER_LINK, IS_MONITOR, IS_REPLICA, READY
from redrock.clients.registry import ClientRegistry
from redrock.keyspace.expiry import ActiveExpiry
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.resident import resident_bytes
from redrock.monitoring.stats import Statistics
from redrock.server.log import VERBOSE
from redrock.server.serving import Serving

if TYPE_CHECKING:
    from redrock.config.settings import Settings

logger: Final = logging.getLogger("redrock")

_DISCARDED_BUCKETS: Final = 2000  # freed per tick: some 100,000 objects, about 5 ms


class Cron:
    """``ticks`` are further functions to call at each tick."""

    def __init__(
        self,
        serving: Serving,
        keyspace: Keyspace,
        expiry: ActiveExpiry,
        clients: ClientRegistry,
        stats: Statistics,
        settings: "Settings",
        wake_executor: Callable[[], None],
    ) -> None:
        self._serving: Final = serving
        self._keyspace: Final = keyspace
        self._expiry: Final = expiry
        self._clients: Final = clients
        self._stats: Final = stats
        self._settings: Final = settings
        self._wake_executor: Final = wake_executor
        self.ticks: Final[list[Callable[[], None]]] = []
        self._count = 0
        self.paused = False  # DEBUG PAUSE-CRON

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        while True:
            hz = max(1, min(self._settings.hz, 500))
            await trio.sleep(1 / hz)
            if not self.paused:
                self.tick(hz)

    def tick(self, hz: int) -> None:
        """One tick; effects of expiry go to followers and the AOF before it returns."""
        self._count += 1
        self._serving.begin_pass()
        self._keyspace.lfu_clock.tick(self._keyspace.now_ms)
        self._expiry.cycle(hz, self._settings.active_expire_effort)
        self._free_discarded()
        if self._count % max(1, hz // 10) == 0:
            self._sample()
        if self._count % hz == 0:
            self._close_idle()
        for tick in self.ticks:
            tick()
        self._serving.end_pass()

    def _free_discarded(self) -> None:
        discarded = self._keyspace.discarded
        if not discarded:
            return
        if discarded[-1].drop_buckets(_DISCARDED_BUCKETS) == 0:
            discarded.pop()

    def _sample(self) -> None:
        stats = self._stats
        now_ms = self._keyspace.now_ms
        stats.commands_rate.sample(stats.total_commands_processed, now_ms)
        stats.input_rate.sample(stats.total_net_input_bytes, now_ms)
        stats.output_rate.sample(stats.total_net_output_bytes, now_ms)
        stats.input_replication_rate.sample(stats.total_net_repl_input_bytes, now_ms)
        stats.output_replication_rate.sample(stats.total_net_repl_output_bytes, now_ms)
        stats.resident_bytes = resident_bytes()

    def _close_idle(self) -> None:
        timeout_seconds = self._settings.timeout
        if not timeout_seconds:
            return
        oldest_ms = self._keyspace.now_ms - timeout_seconds * 1000
        for client in self._clients.all():
            if client.gate & (IS_REPLICA | IS_MONITOR | IS_LEADER_LINK | IN_PUBSUB) or client.state != READY:
                continue
            if client.last_interaction_ms < oldest_ms:
                logger.log(VERBOSE, "Closing idle client")
                self._serving.close(client)
