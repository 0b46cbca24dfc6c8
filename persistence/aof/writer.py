"""What has been appended to the log, what of it is written, what is safe: the decisions of the three fsync policies.

Source: Redis 7.0.15, aof.c, flushAppendOnlyFile.

  always     written and fsynced before any client sees the reply to its write (group commit: one fsync for all of them)
  everysec   written after every pass, fsynced once a second in the background; a write waits for a running fsync, up to
             two seconds, since the kernel would make it wait anyway
  no         written after every pass; the kernel decides

Offsets count bytes since the log was switched on and only grow; they say nothing of places in files.
Invariant: fsynced_offset <= written_offset <= appended_offset.
Times are in seconds since the epoch, as Redis compares them. Knows nothing of files, threads or clients.
"""

from typing import Final

from persistence.aof.format import timestamp_annotation

POSTPONE_SECONDS_MAX: Final = 2


# The values of the directive appendfsync.
FSYNC_ALWAYS: Final = "always"
FSYNC_EVERYSEC: Final = "everysec"
FSYNC_NO: Final = "no"


class AofWriter:
    """The buffer between the executor and the file."""

    def __init__(self) -> None:
        self.appended_offset = 0
        self.written_offset = 0
        self.fsynced_offset = 0
        # Fsyncs that took so long that a write went ahead: INFO aof_delayed_fsync.
        self.delayed_fsyncs = 0
        self._chunks: list[bytes] = []
        self._annotated_at_s = 0
        self._postponed_at_s = 0
        self._fsynced_at_s = 0

    # --- The buffer

    def append(self, data: bytes) -> None:
        """Take the bytes of whole commands."""
        self._chunks.append(data)
        self.appended_offset += len(data)

    def annotate(self, now_s: int) -> None:
        """Say when the commands that follow were written, once per second (aof-timestamp-enabled)."""
        if self._annotated_at_s < now_s:
            self._annotated_at_s = now_s
            self.append(timestamp_annotation(now_s))

    def buffered_bytes(self) -> int:
        return self.appended_offset - self.written_offset

    def output(self) -> bytes:
        """All that is to be written; it stays until written() says otherwise."""
        if len(self._chunks) != 1:
            self._chunks = [b"".join(self._chunks)]
        return self._chunks[0]

    def written(self, count: int) -> None:
        """The first ``count`` bytes of output() are in the file."""
        self.written_offset += count
        rest = self.output()[count:]
        self._chunks = [rest] if rest else []
        self._postponed_at_s = 0

    def discard(self) -> None:
        """Forget what was not written: the log is switched off, or its rewrite has failed before it was complete."""
        self._chunks = []
        self.appended_offset = self.written_offset

    # --- The policies

    def wants_write(self, now_s: int, policy: str, fsync_running: bool) -> bool:
        """Whether to write now. Counts a delayed fsync when it says yes in spite of one."""
        if self.appended_offset == self.written_offset:
            return False
        if policy != FSYNC_EVERYSEC or not fsync_running:
            return True
        if self._postponed_at_s == 0:
            self._postponed_at_s = now_s
            return False
        if now_s - self._postponed_at_s < POSTPONE_SECONDS_MAX:
            return False
        self.delayed_fsyncs += 1
        return True

    def is_postponed(self) -> bool:
        """Whether a write waits for a running fsync."""
        return self._postponed_at_s != 0

    def wants_fsync(self, now_s: int, policy: str, fsync_running: bool) -> bool:
        """Whether to begin an fsync now; the caller reports by fsync_started()."""
        if fsync_running or self.fsynced_offset == self.written_offset:
            return False
        if policy == FSYNC_ALWAYS:
            return True
        return policy == FSYNC_EVERYSEC and now_s > self._fsynced_at_s

    def fsync_started(self, now_s: int) -> int:
        """The offset that will be safe when the fsync that begins now has succeeded."""
        self._fsynced_at_s = now_s
        return self.written_offset

    def fsynced(self, offset: int) -> None:
        """Everything before ``offset`` is on the disk."""
        self.fsynced_offset = max(self.fsynced_offset, offset)

    def check_invariants(self) -> None:
        """For tests."""
        assert 0 <= self.fsynced_offset <= self.written_offset <= self.appended_offset
        assert sum(len(chunk) for chunk in self._chunks) == self.buffered_bytes()
