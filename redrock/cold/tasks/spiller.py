"""The spiller: gives the spilling its slices, sends what the socket did not take at once, and looks after the store.

It runs only while there is something to do; otherwise it sleeps until it is woken, or until the next look at the
store's figures. A tier whose store cannot be started (at run time: by CONFIG SET or a command) is reported and tried
again after a while; memory then stays as full as it is.
"""

import logging
from collections.abc import Callable
from typing import Final, Protocol

import trio

from redrock.cold.link import SpillWaker, StoreStartError
from redrock.cold.tier import ColdTier

logger: Final = logging.getLogger("redrock")

_LOOK_SECONDS: Final = 0.1
_FIGURES_SECONDS: Final = 1.0
_RESTART_SECONDS: Final = 5.0


class SliceWork(Protocol):
    """What is to be done in slices; see `redrock.keyspace.spilling`."""

    def run_slice(self) -> int:
        """0: nothing to do, 1: more to do, 2: wait for the store."""


class Spiller(SpillWaker):
    """``opened`` is called when the tier has its store; ``worked`` after each slice that did something."""

    def __init__(
        self, tier: ColdTier, work: list[SliceWork], opened: Callable[[], None], worked: Callable[[], None]
    ) -> None:
        self._tier: Final = tier
        self._work: Final = work
        self._opened: Final = opened
        self._worked: Final = worked
        self._wakeup = trio.Event()

    def wake(self) -> None:
        """There is something to do, or an answer has come."""
        self._wakeup.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        figures_at = trio.current_time()
        while True:
            self._wakeup = trio.Event()
            try:
                states = [work.run_slice() for work in self._work]
            except StoreStartError as error:
                logger.error("The cold tier cannot be used: %s", error)
                await trio.sleep(_RESTART_SECONDS)
                continue
            tier = self._tier
            if tier.is_open():
                self._opened()
                if trio.current_time() >= figures_at:
                    figures_at = trio.current_time() + _FIGURES_SECONDS
                    tier.retry()
                    tier.request_figures()
                tier.flush()
            if 1 in states:
                self._worked()
                await trio.lowlevel.checkpoint()
            else:
                await self._wait()

    async def _wait(self) -> None:
        """Until woken, until the socket takes more, or for a short while."""
        with trio.move_on_after(_LOOK_SECONDS):
            if self._tier.has_unsent():
                await trio.lowlevel.wait_writable(self._tier.fileno())
            else:
                await self._wakeup.wait()
