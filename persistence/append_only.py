"""The append-only log on disk: its directory, its manifest, the increment being written, and rewrites.

The one owner of those files. Source: Redis 7.0.15, aof.c. States are `status.aof_state`:

  LOG_OFF           nothing is written
  LOG_ON            every command is appended to the last increment
  LOG_WAIT_REWRITE  just switched on: commands are collected in a temporary increment until there is a base

A rewrite: begin_rewrite() opens a new increment *before* the dataset is frozen, so that base plus increments from then
on are the dataset; finish_rewrite() makes the base part of the manifest, and what it replaces history. Every change to
the manifest is made on a copy, written beside, fsynced, renamed, and the directory fsynced; only then it is ours.

Invariant: whatever is read back after a crash at any moment is the dataset at some moment, and not before the last
fsync. Everything here blocks, except append(); fsyncs in the background are the task's (`tasks.append`), which sets
`fsync_running`. Errors are logged in Redis's words; those that Redis would not survive raise FatalError.
"""

import logging
import os
import time
from typing import Final

from persistence.aof.format import manifest_name, temp_increment_name, temp_manifest_name
from persistence.aof.manifest import Manifest, ManifestError, parse_manifest
from persistence.aof.writer import FSYNC_ALWAYS, AofWriter
from persistence.files import Disk, ReadFile, WriteFile, reason, unlink_if_there, write_whole
from persistence.status import LOG_OFF, LOG_ON, LOG_WAIT_REWRITE, PersistenceStatus
from redrock.config.values import SettingValues
from redrock.errors import FatalError
from redrock.interfaces import PassHook, StreamSink
from redrock.util.clock import Clock

logger: Final = logging.getLogger("redrock.persistence")

# While writes keep failing, say so once in a while only (AOF_WRITE_LOG_ERROR_RATE).
WRITE_ERROR_LOG_SECONDS: Final = 30


class AppendOnlyLog(StreamSink):
    """See the module. `active` is what propagation asks: does anybody want the bytes?"""

    def __init__(self, disk: Disk, settings: SettingValues, status: PersistenceStatus, clock: Clock) -> None:
        super().__init__()
        self.disk: Final = disk
        self.writer: Final = AofWriter()
        self.manifest = Manifest()
        self.file: WriteFile | None = None
        # What flushes the log at the end of a pass: told when the log is switched on or off.
        self.pass_hook: PassHook | None = None
        # Set by the task: an fsync of `file` or of a retired file is running in a thread.
        self.fsync_running = False
        # Increments no longer written: to be fsynced and closed, in this order, before anything newer counts as safe.
        self.retired: list[WriteFile] = []
        # Paths of files that nothing refers to any more: deleting a large file takes its time, so the task does it.
        self.garbage: list[str] = []
        # DEBUG AOF-FLUSH-SLEEP: how long to wait before each write, in microseconds.
        self.flush_sleep_us = 0
        self._closing: list[WriteFile] = []
        self._settings: Final = settings
        self._status: Final = status
        self._clock: Final = clock
        self._file_bytes = 0
        self._rewrite_as_rdb = True
        self._write_error_logged_at_s = 0

    # --- Paths

    def path(self, name: str) -> str:
        """Where a file of the log is."""
        return os.path.join(self._settings.appenddirname, name)

    # --- At start

    def load_manifest(self) -> None:
        """Read the manifest, if there is one. FatalError if it makes no sense."""
        path = self.path(manifest_name(self._settings.appendfilename))
        if not self.disk.is_directory(self._settings.appenddirname):
            logger.debug("The AOF directory %s doesn't exist", self._settings.appenddirname)
            return
        if not self.disk.exists(path):
            logger.debug("The AOF manifest file %s doesn't exist", manifest_name(self._settings.appendfilename))
            return
        try:
            data = _read_all(self.disk.open_read(path))
        except OSError as error:
            logger.warning("Fatal error: can't open the AOF manifest file %s for reading: %s", path, reason(error))
            raise FatalError("the AOF manifest cannot be read") from error
        try:
            self.manifest = parse_manifest(data)
        except ManifestError as invalid:
            logger.warning("\n*** FATAL AOF MANIFEST FILE ERROR ***\n")
            if invalid.line is not None:
                logger.warning("Reading the manifest file, at line %d\n", invalid.line_number)
                logger.warning(">>> '%s'\n", os.fsdecode(invalid.line))
            logger.warning("%s\n", invalid.reason)
            raise FatalError("the AOF manifest is invalid") from invalid

    def upgrade_old_style(self) -> None:
        """Before Redis 7 a log was a single file: make such a file the base, if there is nothing newer."""
        name = self._settings.appendfilename
        if not self.disk.exists(name):
            return
        base = self.manifest.base
        if base is None:
            upgrade = not self.manifest.increments
        else:
            # An upgrade that stopped between the manifest and the move.
            upgrade = base.name == name and not self.manifest.increments and not self.disk.exists(self.path(name))
        if not upgrade and self.disk.is_directory(self._settings.appenddirname):
            return
        self._make_directory_or_die()
        manifest = self.manifest.copy()
        manifest.adopt_base(name)
        if not self._persist(manifest):
            raise FatalError("the AOF manifest cannot be written")
        try:
            self.disk.rename(name, self.path(name))
        except OSError as error:
            logger.warning(
                "Error trying to move the old AOF file %s into dir %s: %s",
                name,
                self._settings.appenddirname,
                reason(error),
            )
            raise FatalError("the old AOF cannot be moved") from error
        logger.info(
            "Successfully migrated an old-style AOF file (%s) into the AOF directory (%s).",
            name,
            self._settings.appenddirname,
        )

    def first_base_path(self) -> str | None:
        """Where to write a base before open_at_start(), if the log is new; None if there is one, or an increment."""
        self._make_directory_or_die()
        if not self.manifest.is_empty():
            return None
        self.manifest = self.manifest.copy()
        name = self.manifest.add_base(self._settings.appendfilename, self._settings.aof_use_rdb_preamble)
        logger.info("Creating AOF base file %s on server start", name)
        return self.path(name)

    def open_at_start(self) -> None:
        """Open the last increment, or a first one, and go on writing there. FatalError if that is not possible."""
        has_increment = bool(self.manifest.increments)
        manifest = self.manifest.copy()
        name = manifest.increments[-1].name if has_increment else manifest.add_increment(self._settings.appendfilename)
        try:
            self.file = self.disk.open_append(self.path(name))
            self._file_bytes = self.disk.file_size(self.path(name))
        except OSError as error:
            logger.warning("Can't open the append-only file %s: %s", name, reason(error))
            raise FatalError("the AOF cannot be opened") from error
        if not self._persist(manifest):
            raise FatalError("the AOF manifest cannot be written")
        self._set_state(LOG_ON)
        if has_increment:
            logger.info("Opening AOF incr file %s on server start", name)
        else:
            logger.info("Creating AOF incr file %s on server start", name)

    # --- Appending

    def append(self, data: bytes) -> None:
        """Take the bytes of whole commands; they are written by the next flush()."""
        if self._settings.aof_timestamp_enabled:
            self.writer.annotate(self._clock.now_ms() // 1000)
        self.writer.append(data)

    def flush(self, force: bool = False) -> None:
        """Write what has been appended, if the fsync policy says so now; with ``force``, in any case."""
        if self.file is None or not self.writer.buffered_bytes():
            return
        now_s = self._clock.now_ms() // 1000
        delayed = self.writer.delayed_fsyncs
        if force or self.writer.wants_write(now_s, self._settings.appendfsync, self.fsync_running):
            if self.writer.delayed_fsyncs != delayed:
                self._status.aof_delayed_fsync += 1
                logger.info(
                    "Asynchronous AOF fsync is taking too long (disk is busy?). Writing the AOF buffer without waiting "
                    "for fsync to complete, this may slow down Redis."
                )
            self._write(self.file, now_s)
        self._status.aof_buffer_length = self.writer.buffered_bytes()

    def _write(self, file: WriteFile, now_s: int) -> None:
        data = self.writer.output()
        if self.flush_sleep_us > 0:
            time.sleep(self.flush_sleep_us / 1e6)
        may_log = now_s - self._write_error_logged_at_s > WRITE_ERROR_LOG_SECONDS
        try:
            count = file.write(data)
        except OSError as error:
            count = 0
            self._status.aof_last_error = reason(error)
            if may_log:
                logger.warning("Error writing to the AOF file: %s", reason(error))
        else:
            if count == len(data):
                self._wrote(count)
                if not self._status.aof_last_write_ok:
                    logger.warning("AOF write error looks solved, Redis can write again.")
                    self._status.aof_last_write_ok = True
                return
            self._status.aof_last_error = os.strerror(28)  # ENOSPC, whatever it was: as Redis
            if may_log:
                logger.warning(
                    "Short write while writing to the AOF file: (nwritten=%d, expected=%d)", count, len(data)
                )
            count = self._undo_short_write(file, count, may_log)
        if may_log:
            self._write_error_logged_at_s = now_s
        if self._settings.appendfsync == FSYNC_ALWAYS:
            logger.warning("Can't recover from AOF write error when the AOF fsync policy is 'always'. Exiting...")
            raise FatalError("the AOF cannot be written")
        self._status.aof_last_write_ok = False
        self._wrote(count)

    def _undo_short_write(self, file: WriteFile, count: int, may_log: bool) -> int:
        """Cut off half a command; how many of the bytes just written stay in the file."""
        try:
            file.truncate(self._file_bytes)
        except OSError as error:
            if may_log:
                logger.warning(
                    "Could not remove short write from the append-only file.  Redis may refuse to load the AOF the "
                    "next time it starts.  ftruncate: %s",
                    reason(error),
                )
            return count
        return 0

    def _wrote(self, count: int) -> None:
        if count:
            self.writer.written(count)
            self._file_bytes += count
            self._status.aof_current_size += count

    # --- Fsync: what the task asks and tells

    def wants_fsync(self) -> bool:
        """Whether an fsync is to be begun now."""
        if self.fsync_running:
            return False
        if self.retired:
            return True
        if self.file is None or self._fsync_is_suspended():
            return False
        now_s = self._clock.now_ms() // 1000
        return self.writer.wants_fsync(now_s, self._settings.appendfsync, False)

    def files_to_fsync(self) -> tuple[list[WriteFile], int]:
        """The files of an fsync that begins now, and the offset that is safe when all have succeeded."""
        offset = self.writer.fsync_started(self._clock.now_ms() // 1000)
        self.fsync_running = True
        self._status.aof_pending_bio_fsync = 1
        # A file that is retired while the fsync runs may have got more bytes since: it is not closed by this one.
        self._closing = list(self.retired)
        return [*self.retired, *([self.file] if self.file is not None else [])], offset

    def fsync_ended(self, offset: int, error: OSError | None) -> None:
        """The fsync that files_to_fsync() began is over. FatalError if it failed and somebody relies on it."""
        self.fsync_running = False
        self._status.aof_pending_bio_fsync = 0
        if error is not None:
            if self._settings.appendfsync == FSYNC_ALWAYS:
                logger.warning(
                    "Can't persist AOF for fsync error when the AOF fsync policy is 'always': %s. Exiting...",
                    reason(error),
                )
                raise FatalError("the AOF cannot be fsynced")
            if self._status.aof_last_fsync_ok:
                logger.warning("Fail to fsync the AOF file: %s", reason(error))
            self._status.aof_last_fsync_ok = False
            self._status.aof_last_error = reason(error)
        else:
            self._status.aof_last_fsync_ok = True
            self.writer.fsynced(offset)
        for file in self._closing:
            self.retired.remove(file)
            file.close()
        self._closing = []

    def is_healthy(self) -> bool:
        """Whether the last write and the last fsync succeeded."""
        return self._status.aof_last_write_ok and self._status.aof_last_fsync_ok

    def holds_replies(self) -> bool:
        """Whether replies to writes must wait for the disk."""
        return self.file is not None and self._settings.appendfsync == FSYNC_ALWAYS

    def release_offset(self) -> int:
        """Replies to writes that ended at or before this offset may go out."""
        if not self.holds_replies():
            return self.writer.appended_offset
        return self.writer.written_offset if self._fsync_is_suspended() else self.writer.fsynced_offset

    def _fsync_is_suspended(self) -> bool:
        return self._settings.no_appendfsync_on_rewrite and self._status.has_child

    # --- Rewriting

    def begin_rewrite(self) -> bool:
        """Open the increment that belongs to a base which is about to be made. False, logged, if it cannot be."""
        status = self._status
        if not self._make_directory():
            status.aof_last_bgrewrite_ok = False
            return False
        self.selected_dbid = -1
        self._rewrite_as_rdb = self._settings.aof_use_rdb_preamble
        if status.aof_state == LOG_OFF:
            return True
        self.flush(True)
        # Differs from Redis: what could not be written must not go to the new increment, since the base has it too.
        if self.writer.buffered_bytes() or not self._open_increment():
            status.aof_last_bgrewrite_ok = False
            return False
        return True

    def _open_increment(self) -> bool:
        waiting = self._status.aof_state == LOG_WAIT_REWRITE
        manifest = self.manifest.copy()
        filename = self._settings.appendfilename
        name = temp_increment_name(filename) if waiting else manifest.add_increment(filename)
        try:
            file = self.disk.create(self.path(name))
        except OSError as error:
            logger.warning("Can't open the append-only file %s: %s", name, reason(error))
            return False
        if not waiting and not self._persist(manifest):
            file.close()
            return False
        logger.info("Creating AOF incr file %s on background rewrite", name)
        self._retire_file()
        self.file = file
        self._file_bytes = 0
        self.active = True
        return True

    def _retire_file(self) -> None:
        if self.file is not None:
            self.retired.append(self.file)
            self.file = None

    def finish_rewrite(self, temp_base: str) -> bool:
        """The base that begin_rewrite() announced is in the file ``temp_base``, fsynced: adopt it.

        False, logged, if that failed; then the log is as it was, and `temp_base` is removed or useless.
        """
        status = self._status
        manifest = self.manifest.copy()
        filename = self._settings.appendfilename
        created: list[str] = []
        base = manifest.add_base(filename, self._rewrite_as_rdb)
        if not self._move_into_log(temp_base, base, "base"):
            return False
        created.append(self.path(base))
        logger.info("Successfully renamed the temporary AOF base file %s into %s", temp_base, base)
        if status.aof_state == LOG_WAIT_REWRITE:
            temp = temp_increment_name(filename)
            increment = manifest.add_increment(filename)
            if not self._move_into_log(self.path(temp), increment, "incr"):
                self._remove(created)
                return False
            created.append(self.path(increment))
            logger.info("Successfully renamed the temporary AOF incr file %s into %s", temp, increment)
        manifest.retire_increments(self.file is not None)
        # Should only the directory's fsync fail, then the new manifest is the one to be seen, and its files must stay.
        if not self._persist(manifest, accept_unsynced=True):
            self._remove(created)
            return False
        if status.aof_state != LOG_OFF:
            status.aof_current_size = self._size_of(base) + self._file_bytes
            status.aof_base_size = status.aof_current_size
        self.remove_history()
        logger.info("Background AOF rewrite finished successfully")
        if status.aof_state == LOG_WAIT_REWRITE:
            self._set_state(LOG_ON)
        return True

    def rewrite_failed(self) -> None:
        """The rewrite that was begun came to nothing; what it left behind is removed.

        In LOG_WAIT_REWRITE what was collected is worthless without its base, and collecting stops until the next try.
        """
        if self._status.aof_state != LOG_WAIT_REWRITE:
            return
        self.writer.discard()
        name = temp_increment_name(self._settings.appendfilename)
        logger.info("Removing the temp incr aof file %s in the background", name)
        # At once, in spite of the words: the next attempt takes the same name.
        self._remove([self.path(name)])
        self.active = False

    def remove_history(self) -> None:
        """Delete, in the background, what a base has replaced; and say so in the manifest."""
        if not self.manifest.history or self._settings.aof_disable_auto_gc:
            return
        manifest = self.manifest.copy()
        history = manifest.history
        manifest.history = []
        # Differs from Redis: the manifest first. While it cannot be made durable, an older one may come back after a
        # power failure, and it needs these files.
        if not self._persist(manifest):
            return
        for row in history:
            logger.info("Removing the history file %s in the background", row.name)
            self.garbage.append(self.path(row.name))

    def remove_garbage(self) -> None:
        """Delete what is listed. Called by the task in a thread, or at the end."""
        paths, self.garbage = self.garbage, []
        self._remove(paths)

    # --- Switching on and off

    def wait_for_rewrite(self) -> None:
        """Switched on at run time: the first rewrite will make the base."""
        assert self._status.aof_state == LOG_OFF
        self._set_state(LOG_WAIT_REWRITE)
        self.active = False  # until the rewrite has begun there is no file to write to
        if not self._status.aof_last_fsync_ok:
            logger.warning("AOF reopen, just ignore the AOF fsync error in bio job")
            self._status.aof_last_fsync_ok = True
        if not self._status.aof_last_write_ok:
            logger.warning("AOF reopen, just ignore the last error.")
            self._status.aof_last_write_ok = True

    def give_up_starting(self) -> None:
        """The first rewrite could not be begun: off again."""
        self._set_state(LOG_OFF)

    def stop(self) -> None:
        """Switched off at run time: what was appended is written and fsynced, then the file is closed.

        While an fsync runs in a thread, closing is left to the task, since the descriptor is in use.
        """
        self.flush(True)
        file = self.file
        if file is not None:
            try:
                file.fsync()
            except OSError as error:
                logger.warning("Fail to fsync the AOF file: %s", reason(error))
            else:
                self.writer.fsynced(self.writer.written_offset)
            self._retire_file()
        self.writer.discard()
        self.selected_dbid = -1
        self._file_bytes = 0
        self._status.aof_rewrite_scheduled = False
        self._set_state(LOG_OFF)

    def finish(self) -> None:
        """At shutdown: write and fsync everything. Errors are logged, since nothing else can be done about them."""
        if self._status.aof_state == LOG_OFF:
            return
        logger.info("Calling fsync() on the AOF file.")
        self.flush(True)
        for file in [*self.retired, *([self.file] if self.file is not None else [])]:
            try:
                file.fsync()
            except OSError as error:
                logger.warning("Fail to fsync the AOF file: %s.", reason(error))

    # --- Helpers

    def _set_state(self, state: int) -> None:
        if self.pass_hook is not None:
            self.pass_hook.wanted = True
        self._status.aof_state = state
        self.active = state != LOG_OFF

    def _make_directory(self) -> bool:
        name = self._settings.appenddirname
        try:
            self.disk.make_directory(name)
        except OSError as error:
            logger.warning("Can't open or create append-only dir %s: %s", name, reason(error))
            return False
        return True

    def _make_directory_or_die(self) -> None:
        if not self._make_directory():
            raise FatalError("the AOF directory cannot be made")

    def _move_into_log(self, source: str, name: str, kind: str) -> bool:
        target = self.path(name)
        try:
            self.disk.rename(source, target)
        except OSError as error:
            logger.warning(
                "Error trying to rename the temporary AOF %s file %s into %s: %s", kind, source, target, reason(error)
            )
            return False
        return True

    def _size_of(self, name: str) -> int:
        try:
            return self.disk.file_size(self.path(name))
        except OSError as error:
            logger.warning("Unable to obtain the AOF file %s length. stat: %s", name, reason(error))
            return 0

    def _remove(self, paths: list[str]) -> None:
        for path in paths:
            unlink_if_there(self.disk, path)

    def _persist(self, manifest: Manifest, accept_unsynced: bool = False) -> bool:
        """Write the manifest and make it ours; False, logged, if that failed at any step.

        ``accept_unsynced``: it is ours also if all but the fsync of the directory went well.
        """
        temp_name = temp_manifest_name(self._settings.appendfilename)
        name = manifest_name(self._settings.appendfilename)
        step = "Can't open the AOF manifest file %s: %s"
        renamed = False
        try:
            file = self.disk.create(self.path(temp_name))
            try:
                step = "Error trying to write the temporary AOF manifest file %s: %s"
                write_whole(file, manifest.format())
                step = "Fail to fsync the temp AOF file %s: %s."
                file.fsync()
            finally:
                file.close()
            step = f"Error trying to rename the temporary AOF manifest file %s into {name}: %s"
            self.disk.rename(self.path(temp_name), self.path(name))
            step = "Fail to fsync AOF directory %s: %s."
            temp_name = self.path(name)
            renamed = True
            self.disk.fsync_directory_of(self.path(name))
        except OSError as error:
            logger.warning(step, temp_name, reason(error))
            if not (renamed and accept_unsynced):
                return False
        self.manifest = manifest
        return True


def _read_all(file: ReadFile) -> bytes:
    try:
        return file.read(file.size())
    finally:
        file.close()
