"""What the root nursery starts: a long-lived part of the server."""

from typing import Protocol

import trio


class Task(Protocol):
    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say `started` when ready, then work until cancelled."""
