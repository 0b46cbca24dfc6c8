"""A forked child that writes the dataset as it was at the fork, and how its parent follows what it does.

The child runs one function and then ends by os._exit: it never returns into the event loop it was forked from, never
touches LevelDB (whose threads did not survive the fork), and keeps no socket open that its parent may want to close. It
reports through a pipe: how many keys are done, how much memory it has had copied, and, as the last word, the end. The
pipe's end of file tells the parent that the child is gone, whatever the reason.

Memory: a child that only *reads* a value changes its reference count, so the pages of all it walks over are copied.
Nothing can be done about that here, but the garbage collector is kept from copying the rest: it is off in the child,
and in the parent everything is frozen first, so that a collection does not touch it while the child lives.

Source of the behaviour: Redis 7.0.15, server.c (redisFork), childinfo.c. Synchronous and POSIX; the parent's waiting is
in `tasks.snapshot`.
"""

import contextlib
import gc
import logging
import os
import signal
import stat
import struct
import time
from typing import Final

logger: Final = logging.getLogger("redrock.persistence")

# Whether this is the last report; keys done; bytes written; bytes copied on write.
_REPORT: Final = struct.Struct("<BQQQ")

# Reading the copied bytes walks the page tables: at most this share of the child's time goes into it.
_COW_DUTY_CYCLE: Final = 100
_REPORT_SECONDS: Final = 1.0
_LOG_VERBOSE: Final = 15


class Reporter:
    """The child's end of the pipe."""

    def __init__(self, fd: int, purpose: str) -> None:
        self._fd: Final = fd
        self._purpose: Final = purpose
        self._reported_at = 0.0
        self._cow_read_at = 0.0
        self._cow_cost = 0.0
        self._cow = 0
        self._peak = 0
        self._sum = 0
        self._count = 0

    def progress(self, keys: int, written_bytes: int) -> None:
        """To be called now and then; tells the parent about once a second."""
        now = time.monotonic()
        if now - self._reported_at >= _REPORT_SECONDS:
            self._reported_at = now
            if self._cow_read_at == 0.0 or now - self._cow_read_at > self._cow_cost * _COW_DUTY_CYCLE:
                self._read_cow(_LOG_VERBOSE)
            self._send(0, keys, written_bytes)

    def finished(self, written_bytes: int) -> None:
        """The last word of a child that has done its work."""
        self._read_cow(logging.INFO)
        self._send(1, 0, written_bytes)

    def _read_cow(self, level: int) -> None:
        before = time.monotonic()
        self._cow = private_dirty_bytes()
        self._cow_read_at = time.monotonic()
        self._cow_cost = self._cow_read_at - before
        self._peak = max(self._peak, self._cow)
        self._sum += self._cow
        self._count += 1
        logger.log(
            level,
            "Fork CoW for %s: current %d MB, peak %d MB, average %d MB",
            self._purpose,
            self._cow >> 20,
            self._peak >> 20,
            (self._sum // self._count) >> 20,
        )

    def _send(self, final: int, keys: int, written_bytes: int) -> None:
        # Shorter than PIPE_BUF, so it goes through whole. A parent that is gone is an error: nobody wants the file.
        os.write(self._fd, _REPORT.pack(final, keys, written_bytes, self._cow))


class ChildWork:
    """What a child does."""

    def run(self, reporter: Reporter) -> bool:
        """In the child. False, logged, if it failed. Runs with the garbage collector off and without an event loop."""
        raise NotImplementedError

    def descriptors(self) -> list[int]:
        """Sockets that the work needs: all others are closed in the child."""
        return []


class ChildReport:
    """One report of the child, as the parent sees it."""

    def __init__(self, final: bool, keys: int, written_bytes: int, cow_bytes: int) -> None:
        self.final: Final = final
        self.keys: Final = keys
        self.written_bytes: Final = written_bytes
        self.cow_bytes: Final = cow_bytes


class ForkedChild:
    """The parent's view. ``report_fd`` becomes readable when there is a report, and when the child has ended."""

    def __init__(self, pid: int, report_fd: int, fork_usec: int) -> None:
        self.pid: Final = pid
        self.report_fd = report_fd
        self.fork_usec: Final = fork_usec
        self._buffer = b""
        self._exit_status: int | None = None

    def read_reports(self) -> tuple[list[ChildReport], bool]:
        """The reports that have come, and whether these were the last because the child is gone. Never blocks."""
        ended = False
        while True:
            try:
                data = os.read(self.report_fd, 4096)
            except BlockingIOError:
                break
            if not data:
                ended = True
                break
            self._buffer += data
        reports = []
        while len(self._buffer) >= _REPORT.size:
            final, keys, written_bytes, cow_bytes = _REPORT.unpack_from(self._buffer)
            reports.append(ChildReport(bool(final), keys, written_bytes, cow_bytes))
            self._buffer = self._buffer[_REPORT.size :]
        return reports, ended

    def poll(self) -> int | None:
        """None while it runs; then its exit code, or minus the signal that ended it. Never blocks."""
        if self._exit_status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._exit_status = os.waitstatus_to_exitcode(status)
        return self._exit_status

    def wait(self) -> int:
        """As poll(), but blocks: for the end of the server, and for children that were killed."""
        if self._exit_status is None:
            self._exit_status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._exit_status

    def kill(self) -> None:
        """End it as something that is not wanted any more: by SIGUSR1, which counts as no failure."""
        if self._exit_status is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGUSR1)

    def close(self) -> None:
        """Give up the pipe."""
        fd, self.report_fd = self.report_fd, -1
        if fd >= 0:
            os.close(fd)


def fork_child(work: ChildWork, purpose: str) -> ForkedChild:
    """Fork a child that does ``work``; OSError if the system refuses. ``purpose`` is for the log (RDB, AOF rewrite)."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    gc.freeze()
    started = time.monotonic_ns()
    try:
        pid = os.fork()
    except OSError:
        os.close(read_fd)
        os.close(write_fd)
        raise
    if pid == 0:
        _run_child(work, purpose, read_fd, write_fd)
    os.close(write_fd)
    return ForkedChild(pid, read_fd, (time.monotonic_ns() - started) // 1000)


def _run_child(work: ChildWork, purpose: str, read_fd: int, write_fd: int) -> None:
    """The child, from the fork to its end. Does not return."""
    code = 1
    try:
        gc.disable()
        os.close(read_fd)
        _forget_signals()
        _close_sockets(work.descriptors())
        if work.run(Reporter(write_fd, purpose)):
            code = 0
    except BaseException:
        # Also KeyboardInterrupt and the like: nothing may unwind from here into the event loop.
        logger.exception("The child process has failed")
    finally:
        os._exit(code)


def _forget_signals() -> None:
    """The parent's handlers mean nothing here: what ends a process shall end this one, without a core."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A consumer that has gone is an error like any other: os.write reports it.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)


def _close_sockets(keep: list[int]) -> None:
    """Close listeners and clients: else a port stays bound, and a peer sees no end, while the child lives."""
    try:
        numbers = [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        numbers = list(range(3, 1024))
    for fd in numbers:
        if fd <= 2 or fd in keep:
            continue
        try:
            if stat.S_ISSOCK(os.fstat(fd).st_mode):
                os.close(fd)
        except OSError:
            continue  # the descriptor of the listing itself


def private_dirty_bytes() -> int:
    """How many bytes of this process's memory are its own, written pages: of a child, what had to be copied."""
    try:
        with open("/proc/self/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Private_Dirty:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return 0
