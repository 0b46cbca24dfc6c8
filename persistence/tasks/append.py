"""The log's fsyncs, in a worker thread, and the end of every pass: write, then let replies go that are safe.

Under appendfsync always this is group commit: while one fsync runs, passes go on and append; the next fsync makes all
of them safe at once. Clients whose replies wait are held by the executor, which is told two offsets: how far the log
goes at the end of this pass, and up to where it is safe.

A thread hop costs about 150 microseconds, an fsync more: so there is one hop per fsync, never one per write.
"""

from typing import Final

import trio

from persistence.append_only import AppendOnlyLog
from persistence.files import WriteFile
from redrock.interfaces import PassHook

# How often to look for work that no pass has announced: a postponed write, a second that has gone by.
_LOOK_SECONDS: Final = 0.1


class ReplyGate:
    """Holds the replies to writes back. Implemented by the executor."""

    def hold(self, on: bool) -> None:
        """Whether replies to writes are to be held at all."""
        raise NotImplementedError

    def appended(self, offset: int) -> None:
        """The writes of this pass end at this offset of the log."""
        raise NotImplementedError

    def release(self, offset: int) -> None:
        """What was written up to this offset is as safe as the policy asks: replies may go.

        This holds for replies that are held later, too: a pass may end with nothing to wait for. Wake the executor.
        """
        raise NotImplementedError

    def health_changed(self) -> None:
        """Writing or fsyncing has begun to fail, or works again: writes are to be refused (MISCONF), or no longer."""
        raise NotImplementedError


class AppendTask(PassHook):
    """The hook for the executor's passes, and the task that fsyncs. Run it in the persistence nursery."""

    def __init__(self, log: AppendOnlyLog, gate: ReplyGate) -> None:
        self._log: Final = log
        self._gate: Final = gate
        self._wake = trio.Event()
        self._holding = False
        self._released = 0
        self._healthy = True
        log.pass_hook = self

    def end_of_pass(self) -> None:
        """Write what the pass has appended. Raises FatalError where the policy says that no write may be lost."""
        log = self._log
        if log.writer.buffered_bytes():
            log.flush()
        self._look_at_health()
        holds = log.holds_replies()
        if holds or self._holding:
            self._gate.appended(log.writer.appended_offset)
            self._release()
            if holds != self._holding:
                self._holding = holds
                self._gate.hold(holds)
        if log.wants_fsync() or log.garbage:
            self._wake.set()
        elif not log.active and not self._holding:
            self.wanted = False  # until the log is switched on

    def _look_at_health(self) -> None:
        healthy = self._log.is_healthy()
        if healthy != self._healthy:
            self._healthy = healthy
            self._gate.health_changed()

    def _release(self) -> None:
        offset = self._log.release_offset()
        if offset > self._released:
            self._released = offset
            self._gate.release(offset)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Fsync whenever it is time to, until cancelled."""
        task_status.started()
        log = self._log
        while True:
            with trio.move_on_after(_LOOK_SECONDS):
                await self._wake.wait()
            self._wake = trio.Event()
            log.flush()
            self._look_at_health()
            while log.wants_fsync():
                await self._fsync()
            if log.garbage:
                await trio.to_thread.run_sync(log.remove_garbage)

    async def _fsync(self) -> None:
        log = self._log
        files, offset = log.files_to_fsync()
        # Not to be given up on cancellation: the descriptors must not be closed while the thread uses them.
        error = await trio.to_thread.run_sync(_fsync_all, files, abandon_on_cancel=False)
        log.fsync_ended(offset, error)
        self._look_at_health()
        if self._holding:
            self._release()


def _fsync_all(files: list[WriteFile]) -> OSError | None:
    """In a thread. The first error, if any: what was before it is safe, but that is of no use alone."""
    for file in files:
        try:
            file.fsync()
        except OSError as error:
            return error
    return None
