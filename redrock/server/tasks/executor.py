"""The executor task: waits for client sockets and makes the passes. It owns the keyspace.

The poller's descriptor is itself pollable, so that Trio wakes this one task when any client is ready. While there is
work, passes follow each other without going through Trio's scheduler; after `_YIELD_AFTER` seconds the other tasks get
their turn, so that a flood of requests starves nobody.
"""

import time
from typing import Final

import trio

from redrock.server.poller import Poller
from redrock.server.serving import Serving

_YIELD_AFTER: Final = 0.002
_THROTTLE_SECONDS: Final = 0.001


class Executor:
    def __init__(self, serving: Serving, poller: Poller) -> None:
        self._serving: Final = serving
        self._poller: Final = poller
        self._asleep: trio.CancelScope | None = None
        self._woken = False

    def wake(self) -> None:
        """Make a pass soon although no client socket is ready: some client can go on."""
        self._woken = True
        if self._asleep is not None:
            self._asleep.cancel()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        task_status.started()
        serving = self._serving
        poller = self._poller
        perf_counter = time.perf_counter
        yield_at = perf_counter() + _YIELD_AFTER
        while True:
            events = poller.poll()
            if events or self._woken or serving.has_work():
                self._woken = False
                serving.serve(events)
                if serving.passed_over:
                    # Their sockets stay ready: without a pause this would be a busy loop.
                    await trio.sleep(_THROTTLE_SECONDS)
                elif perf_counter() < yield_at:
                    continue
                else:
                    await trio.lowlevel.checkpoint()
            else:
                with trio.CancelScope() as scope:
                    self._asleep = scope
                    try:
                        await trio.lowlevel.wait_readable(poller.fileno())
                    finally:
                        self._asleep = None
            yield_at = perf_counter() + _YIELD_AFTER
