"""The loader: receives what the store answers, and lets those go on who waited for it.

Ends only by cancellation, or by StoreLost: without its store the server has lost its cold values and must stop.
"""

from collections.abc import Callable
from typing import Final

import trio

from redrock.cold.link import StoreLost
from redrock.cold.tier import ColdTier

# Received in one go before other tasks have their turn: about a megabyte, which takes some milliseconds to decode.
_RECEIVES_IN_A_ROW: Final = 4
# For the clients that were waiting to be told so, before the server stops.
_LAST_WORDS_SECONDS: Final = 0.2


class Loader:
    """``answered`` is called when answers have been acted on: executor and spiller may have something to do."""

    def __init__(self, tier: ColdTier, answered: Callable[[], None]) -> None:
        self._tier: Final = tier
        self._answered: Final = answered
        self._opened = trio.Event()

    def opened(self) -> None:
        """The tier has its store now."""
        self._opened.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        if not self._tier.is_open():
            await self._opened.wait()
        try:
            while True:
                await trio.lowlevel.wait_readable(self._tier.fileno())
                self._receive()
        except StoreLost:
            self._answered()
            await trio.sleep(_LAST_WORDS_SECONDS)
            raise

    def _receive(self) -> None:
        for _ in range(_RECEIVES_IN_A_ROW):
            if not self._tier.receive():
                break
        # Loaded rows are stale now, and are deleted.
        self._tier.flush()
        self._answered()
