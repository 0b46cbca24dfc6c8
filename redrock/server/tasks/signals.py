"""Signals: SIGTERM and SIGINT shut the server down as SHUTDOWN does; a second one does not wait.

SIGHUP is ignored, as Redis does. Source: Redis 7.0.15, server.c, sigShutdownHandler.
"""

import logging
import signal
from collections.abc import Callable
from typing import Final

import trio

logger: Final = logging.getLogger("redrock")


class Signals:
    """Calls ``shutdown`` (True: by SIGINT) at SIGTERM or SIGINT, and ``exit_at_once`` at a SIGINT after another."""

    def __init__(self, shutdown: Callable[[bool], None], exit_at_once: Callable[[], None]) -> None:
        self._shutdown: Final = shutdown
        self._exit_at_once: Final = exit_at_once

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        seen = False
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            task_status.started()
            async for number in signals:
                if number == signal.SIGINT and seen:
                    logger.warning("You insist... exiting now.")
                    self._exit_at_once()
                name = "SIGINT" if number == signal.SIGINT else "SIGTERM"
                logger.warning("Received %s scheduling shutdown...", name)
                seen = True
                self._shutdown(number == signal.SIGINT)
