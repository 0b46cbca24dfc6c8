"""The owner of all tasks of replication: keepalive, a sender per follower, the pipe, the link to the leader.

Commands only set the role and wake this; it ends the scope of the old role's link and starts the new one's when the
old one is over. Senders belong to no role: a leader that becomes a follower keeps its followers, as Redis does, and
one that is promoted sends them away itself.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from replication.leader.followers import Waker
from replication.leader.snapshots import PersistenceSnapshots
from replication.service import Replication
from replication.tasks.keepalive import keep_alive
from replication.tasks.link import Link
from replication.tasks.pipe import PipeReader
from replication.tasks.sender import Sender


class ReplicationSupervisor(Waker):
    """Run it in the server's nursery. ``make_link`` makes the link of a follower's role; for the rest see Sender."""

    def __init__(
        self,
        replication: Replication,
        snapshots: PersistenceSnapshots,
        make_link: Callable[[], Link],
        wait_writable: Callable[[int], Awaitable[None]] = trio.lowlevel.wait_writable,
    ) -> None:
        self._wait_writable: Final = wait_writable
        self._replication: Final = replication
        self._snapshots: Final = snapshots
        self._make_link: Final = make_link
        self._event = trio.Event()

    def wake(self) -> None:
        self._event.set()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled."""
        replication = self._replication
        generation = 0
        link = _LinkScope()
        async with trio.open_nursery() as nursery:
            replication.supervisor = self
            nursery.start_soon(keep_alive, replication)
            task_status.started()
            while True:
                self._event = trio.Event()
                for follower in replication.take_newcomers():
                    nursery.start_soon(Sender(replication, follower, self._wait_writable).run)
                pipe_fd = self._snapshots.take_pipe()
                if pipe_fd >= 0:
                    nursery.start_soon(PipeReader(replication, self._snapshots, pipe_fd).run)
                if replication.role.generation != generation:
                    await link.end()
                    # Only now: the role may have changed again while the old link was ending.
                    generation = replication.role.generation
                    if replication.role.is_follower:
                        link = _LinkScope()
                        link.start(nursery, self._make_link())
                await self._event.wait()


class _LinkScope:
    """One role's link, and the way to end it."""

    def __init__(self) -> None:
        self._scope: Final = trio.CancelScope()
        self._over: trio.Event | None = None

    def start(self, nursery: trio.Nursery, link: Link) -> None:
        """Run the link in its owner's nursery."""
        self._over = trio.Event()
        nursery.start_soon(self._run, link, self._over)

    async def _run(self, link: Link, over: trio.Event) -> None:
        try:
            with self._scope:
                await link.run()
        finally:
            over.set()

    async def end(self) -> None:
        """Cancel, and wait until nothing of it is left."""
        self._scope.cancel()
        if self._over is not None:
            await self._over.wait()
