"""The owner of the one child process: follows what it reports, and reaps it.

Forking itself happens elsewhere, synchronously (`persistence.service`); this task is told, waits on the child's pipe,
and hands over its reports and its end. It never blocks, and it needs no SIGCHLD: the pipe ends with the child.
"""

import logging
from typing import Final

import trio

from persistence.service import Persistence
from persistence.snapshot.fork import ForkedChild

logger: Final = logging.getLogger("redrock.persistence")

# Between the end of the pipe and the moment when the process can be reaped there may be a little time: it has memory to
# give back. And should another process have inherited the pipe, looking now and then finds the end nevertheless.
_REAP_SECONDS: Final = 0.005
_LOOK_SECONDS: Final = 0.1


class SnapshotTask:
    """Run it in the persistence nursery."""

    def __init__(self, persistence: Persistence) -> None:
        self._persistence: Final = persistence
        self._forked = trio.Event()
        persistence.child_forked = self._child_forked

    def _child_forked(self) -> None:
        self._forked.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Follow one child after the other, until cancelled. A child that still runs then is killed."""
        task_status.started()
        try:
            while True:
                await self._forked.wait()
                self._forked = trio.Event()
                # A listener that is told of the end of one child may have started the next.
                while self._persistence.child is not None:
                    await self._follow(self._persistence.child)
        finally:
            child = self._persistence.child
            if child is not None:
                child.kill()

    async def _follow(self, child: ForkedChild) -> None:
        persistence = self._persistence
        pipe_open = True
        while persistence.child is child:
            if pipe_open:
                with trio.move_on_after(_LOOK_SECONDS):
                    await trio.lowlevel.wait_readable(child.report_fd)
                if persistence.child is not child:
                    return  # somebody else has ended it meanwhile
                reports, ended = child.read_reports()
                for report in reports:
                    persistence.child_reported(report)
                pipe_open = not ended
            else:
                await trio.sleep(_REAP_SECONDS)
            code = child.poll() if persistence.child is child else None
            if code is not None:
                reports, _ = child.read_reports()
                for report in reports:
                    persistence.child_reported(report)
                persistence.child_exited(code)
                return
