"""Saving, as a whole: which snapshot may run now, how it begins, what its end means, and what waits for it.

The synchronous half of persistence, called by commands, by the cron and by the tasks: at most one child runs at a time,
of BGSAVE, BGREWRITEAOF and full syncs. Forking happens here, in the main thread, within one synchronous step, so the
dataset of a snapshot is that of one instant between two commands. Waiting for the child is left to `tasks.snapshot`.

Source: Redis 7.0.15, rdb.c, aof.c and server.c (serverCron, finishShutdown). Times are seconds since the epoch.
"""

import logging
import os
import socket
from collections.abc import Callable
from typing import Final

from persistence.aof.format import temp_base_name
from persistence.append_only import AppendOnlyLog
from persistence.files import Disk, reason, unlink_if_there
from persistence.rdb.writer import ReplicationInfo
from persistence.save_rules import (
    RewriteLimiter,
    due_save_rule,
    may_try_save,
    rewrite_growth,
    wants_rewrite,
)
from persistence.snapshot.fork import ChildReport, ChildWork, ForkedChild, fork_child
from persistence.snapshot.targets import (
    AofBaseWork,
    Dataset,
    PipeWork,
    RdbFileWork,
    save_rdb_file,
    write_aof_base,
)
from persistence.status import (
    CHILD_AOF,
    CHILD_RDB,
    LOG_OFF,
    LOG_ON,
    LOG_WAIT_REWRITE,
    PersistenceStatus,
)
from redrock.cold.link import StoreLost
from redrock.cold.tier import SnapshotRefused
from redrock.config.values import SettingValues
from redrock.errors import MISCONF_RDB, FatalError, misconf_aof
from redrock.interfaces import DiskHealth
from redrock.keyspace.keyspace import Keyspace
from redrock.util.clock import Clock

logger: Final = logging.getLogger("redrock.persistence")

SIGUSR1: Final = 10


class SnapshotFacts:
    """What a snapshot needs of the rest of the server, at the instant it is taken."""

    def replication_info(self) -> ReplicationInfo | None:
        """Where in the replication stream the dataset stands; None if nobody could make use of it."""
        raise NotImplementedError

    def open_cold_snapshot(self) -> socket.socket | None:
        """A socket on which the cold store serves the rows of this instant; None if there are no cold values.

        Raises SnapshotRefused or StoreLost.
        """
        raise NotImplementedError

    def used_memory(self) -> int:
        """As INFO's used_memory."""
        raise NotImplementedError

    def in_transaction(self) -> bool:
        """Whether EXEC is running: a snapshot would show half of its effects."""
        raise NotImplementedError


class SnapshotListener:
    """Who wants to know when a child that makes an RDB has ended: followers may be waiting for it."""

    def rdb_child_ended(self, ok: bool, to_pipe: bool) -> None:
        """Called after the child is gone; another one may be started at once."""
        raise NotImplementedError


class Persistence(DiskHealth):
    """See the module. One object per server."""

    def __init__(
        self,
        keyspace: Keyspace,
        settings: SettingValues,
        clock: Clock,
        disk: Disk,
        facts: SnapshotFacts,
    ) -> None:
        self.status: Final = PersistenceStatus(clock.now_ms() // 1000)
        # Until the load at start is over: nobody may read or write a dataset that has yet to be loaded, and nothing may
        # be saved over the one on disk.
        self.status.load.loading = True
        self.disk: Final = disk
        self.log: Final = AppendOnlyLog(disk, settings, self.status, clock)
        self.child: ForkedChild | None = None
        self.listeners: Final[list[SnapshotListener]] = []
        # Set by the task: called when a child has been forked.
        self.child_forked: Callable[[], None] | None = None
        self._keyspace: Final = keyspace
        self._settings: Final = settings
        self._clock: Final = clock
        self._facts: Final = facts
        self._limiter: Final = RewriteLimiter()

    # --- Snapshots

    def save(self) -> bool:
        """SAVE: write the RDB now, while everybody waits. False, logged, if that failed."""
        self.status.rdb_saves += 1
        dataset = self._dataset()
        if dataset is None:
            return False
        try:
            ok = save_rdb_file(self.disk, dataset, self._settings.dbfilename, None)
        finally:
            dataset.close()
        if ok:
            self._keyspace.dirty = 0
            self._saved()
        return ok

    def start_bgsave(self) -> bool:
        """Fork a child that writes the RDB file. False, logged, if that is not possible now."""
        status = self.status
        if status.has_child:
            return False
        status.rdb_saves += 1
        status.dirty_before_bgsave = self._keyspace.dirty
        status.rdb_last_bgsave_try_s = self._now_s()
        dataset = self._dataset()
        if dataset is None:
            status.rdb_last_bgsave_ok = False
            return False
        child = self._fork(RdbFileWork(self.disk, dataset, self._settings.dbfilename), dataset, "RDB")
        if isinstance(child, OSError):
            status.rdb_last_bgsave_ok = False
            logger.warning("Can't save in background: fork: %s", reason(child))
            return False
        logger.info("Background saving started by pid %d", child.pid)
        self._follow(child, CHILD_RDB)
        return True

    def start_pipe_snapshot(self, prefix: bytes, suffix: bytes) -> int:
        """Fork a child that writes ``prefix``, an RDB and ``suffix`` into a pipe, for a full sync without a file.

        Returns the reading end, not blocking, which the caller reads to its end and closes; -1, logged, if that is not
        possible now. While nobody reads, the child waits. If the reading end is closed early, the child fails.
        """
        dataset = None if self.status.has_child else self._dataset()
        if dataset is None:
            return -1
        read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read_fd, False)
        child = self._fork(PipeWork(dataset, read_fd, write_fd, prefix, suffix), dataset, "RDB")
        os.close(write_fd)
        if isinstance(child, OSError):
            os.close(read_fd)
            logger.warning("Can't save in background: fork: %s", reason(child))
            return -1
        logger.info("Background RDB transfer started by pid %d", child.pid)
        self._follow(child, CHILD_RDB)
        self.status.child_is_for_followers = True
        return read_fd

    def start_rewrite(self) -> bool:
        """Fork a child that writes a new base for the log. False, logged, if that is not possible now."""
        status = self.status
        if status.has_child or not self.log.begin_rewrite():
            return False
        status.aof_rewrites += 1
        dataset = self._dataset()
        if dataset is None:
            status.aof_last_bgrewrite_ok = False
            return False
        work = AofBaseWork(self.disk, dataset, self._settings.aof_use_rdb_preamble)
        child = self._fork(work, dataset, "AOF rewrite")
        if isinstance(child, OSError):
            status.aof_last_bgrewrite_ok = False
            logger.warning("Can't rewrite append only file in background: fork: %s", reason(child))
            return False
        logger.info("Background append only file rewriting started by pid %d", child.pid)
        status.aof_rewrite_scheduled = False
        self._follow(child, CHILD_AOF)
        return True

    def _dataset(self) -> Dataset | None:
        """The dataset of this instant; None, logged, if its cold part cannot be read."""
        try:
            cold = self._facts.open_cold_snapshot()
        except (SnapshotRefused, StoreLost) as error:
            logger.warning("No snapshot can be taken: %s", error)
            return None
        replication = self._facts.replication_info()
        return Dataset(self._keyspace, self._settings, cold, replication, self._facts.used_memory())

    def _fork(self, work: ChildWork, dataset: Dataset, purpose: str) -> ForkedChild | OSError:
        try:
            return fork_child(work, purpose)
        except OSError as error:
            return error
        finally:
            dataset.close()  # the child has its own descriptor of the cold rows

    def _follow(self, child: ForkedChild, kind: int) -> None:
        self.child = child
        self.status.total_forks += 1
        self.status.latest_fork_usec = child.fork_usec
        self.status.child_started(kind, child.pid, self._now_s(), self._keyspace.key_count())
        if self.child_forked is not None:
            self.child_forked()

    # --- The end of a child

    def child_reported(self, report: ChildReport) -> None:
        """The child has told how far it is."""
        self.status.child_reported(report.keys, report.cow_bytes, report.final, self._now_s())

    def child_exited(self, code: int) -> None:
        """The child is gone. ``code``: its exit code, or minus the signal that ended it."""
        child = self.child
        assert child is not None
        kind = self.status.child_kind
        to_pipe = self.status.child_is_for_followers
        seconds = self._now_s() - self.status.child_started_at_s
        child.close()
        self.child = None
        if kind == CHILD_AOF:
            self._rewrite_ended(child.pid, code)
            self.status.aof_last_rewrite_time_sec = seconds
            self.status.child_ended()
            if self.status.aof_state == LOG_WAIT_REWRITE:
                self.status.aof_rewrite_scheduled = True
            return
        if to_pipe:
            self._transfer_ended(code)
        else:
            self._bgsave_ended(child.pid, code)
        self.status.rdb_last_bgsave_time_sec = seconds
        self.status.child_ended()
        for listener in self.listeners:
            listener.rdb_child_ended(code == 0, to_pipe)

    def _bgsave_ended(self, pid: int, code: int) -> None:
        status = self.status
        if code == 0:
            logger.info("Background saving terminated with success")
            self._keyspace.dirty -= status.dirty_before_bgsave
            self._saved()
        elif code > 0:
            logger.warning("Background saving error")
            status.rdb_last_bgsave_ok = False
        else:
            logger.warning("Background saving terminated by signal %d", -code)
            unlink_if_there(self.disk, f"temp-{pid}.rdb")
            # This signal says that the child was not wanted any more: no failure.
            if code != -SIGUSR1:
                status.rdb_last_bgsave_ok = False

    def _transfer_ended(self, code: int) -> None:
        if code == 0:
            logger.info("Background RDB transfer terminated with success")
        elif code > 0:
            logger.warning("Background transfer error")
        else:
            logger.warning("Background transfer terminated by signal %d", -code)

    def _rewrite_ended(self, pid: int, code: int) -> None:
        status = self.status
        ok = False
        if code == 0:
            logger.info("Background AOF rewrite terminated with success")
            ok = self.log.finish_rewrite(temp_base_name(pid))
        elif code > 0:
            logger.warning("Background AOF rewrite terminated with error")
        else:
            logger.warning("Background AOF rewrite terminated by signal %d", -code)
        if ok:
            status.aof_last_bgrewrite_ok = True
            status.aof_rewrites_consecutive_failures = 0
        else:
            if code != -SIGUSR1:
                status.aof_last_bgrewrite_ok = False
                status.aof_rewrites_consecutive_failures += 1
            self._remove_rewrite_files(pid)
            self.log.rewrite_failed()

    def _remove_rewrite_files(self, pid: int) -> None:
        unlink_if_there(self.disk, temp_base_name(pid))
        unlink_if_there(self.disk, f"temp-rewriteaof-{pid}.aof")

    def _saved(self) -> None:
        self.status.rdb_last_save_time = self._now_s()
        self.status.rdb_last_bgsave_ok = True

    def kill_rdb_child(self) -> None:
        """End a child that makes an RDB, if there is one; child_exited() follows when it is gone."""
        if self.child is not None and self.status.child_kind == CHILD_RDB:
            self.child.kill()

    def _kill_rewrite(self) -> None:
        """End a child that rewrites the log, and wait until it is gone."""
        child = self.child
        if child is None or self.status.child_kind != CHILD_AOF:
            return
        logger.info("Killing running AOF rewrite child: %d", child.pid)
        child.kill()
        child.wait()
        child.close()
        self.child = None
        self._remove_rewrite_files(child.pid)
        self.status.child_ended()

    # --- What happens by itself

    def tick(self) -> None:
        """Called by the cron: begin what is scheduled or due."""
        status = self.status
        if status.load.loading:
            return
        if not status.has_child and status.aof_rewrite_scheduled and not self._is_limited():
            self.start_rewrite()
        if not status.has_child:
            self._save_by_rule()
            self._rewrite_by_growth()
        if not status.has_child and status.rdb_bgsave_scheduled and self._may_try_save() and self.start_bgsave():
            status.rdb_bgsave_scheduled = False

    def _save_by_rule(self) -> None:
        since_save_s = self._now_s() - self.status.rdb_last_save_time
        rule = due_save_rule(self._settings.save, self._keyspace.dirty, since_save_s, self._may_try_save())
        if rule is not None:
            logger.info("%d changes in %d seconds. Saving...", rule[1], rule[0])
            self.start_bgsave()

    def _rewrite_by_growth(self) -> None:
        status = self.status
        settings = self._settings
        if status.aof_state != LOG_ON or status.has_child:
            return
        size, base = status.aof_current_size, status.aof_base_size
        percentage, minimum = settings.auto_aof_rewrite_percentage, settings.auto_aof_rewrite_min_size
        if wants_rewrite(size, base, percentage, minimum) and not self._is_limited():
            logger.info("Starting automatic rewriting of AOF on %d%% growth", rewrite_growth(size, base))
            self.start_rewrite()

    def _may_try_save(self) -> bool:
        return may_try_save(self.status.rdb_last_bgsave_ok, self._now_s() - self.status.rdb_last_bgsave_try_s)

    def _is_limited(self) -> bool:
        limited = self._limiter.is_limited(self.status.aof_rewrites_consecutive_failures, self._now_s())
        if self._limiter.announced_minutes:
            logger.warning(
                "Background AOF rewrite has repeatedly failed and triggered the limit, will retry in %d minutes",
                self._limiter.announced_minutes,
            )
        return limited

    # --- Start and stop

    def open_log(self) -> None:
        """After the load at start: begin to append, with a base of what was loaded if the log is new. Or FatalError."""
        if not self._settings.appendonly:
            return
        base = self.log.first_base_path()
        if base is not None:
            dataset = self._dataset()
            if dataset is None:
                raise FatalError("the first base of the AOF cannot be written")
            try:
                if not write_aof_base(self.disk, dataset, base, self._settings.aof_use_rdb_preamble, None):
                    raise FatalError("the first base of the AOF cannot be written")
            finally:
                dataset.close()
        self.log.open_at_start()

    def appendonly_changed(self) -> None:
        """CONFIG SET appendonly has changed the setting. Raises ValueError if that cannot be done."""
        if self._settings.appendonly and self.status.aof_state == LOG_OFF:
            if not self._start_log():
                raise ValueError("Unable to turn on AOF. Check server logs.")
        elif not self._settings.appendonly and self.status.aof_state != LOG_OFF:
            self.log.stop()
            self._kill_rewrite()

    def _start_log(self) -> bool:
        status = self.status
        self.log.wait_for_rewrite()
        if status.has_child and status.child_kind != CHILD_AOF:
            status.aof_rewrite_scheduled = True
            logger.warning(
                "AOF was enabled but there is already another background operation. An AOF background was scheduled to "
                "start when possible."
            )
            return True
        if self._facts.in_transaction():
            status.aof_rewrite_scheduled = True
            logger.warning(
                "AOF was enabled during a transaction. An AOF background was scheduled to start when possible."
            )
            return True
        if status.child_kind == CHILD_AOF:
            # It cannot be used: what is written meanwhile was not collected from its beginning on.
            logger.warning(
                "AOF was enabled but there is already an AOF rewriting in background. Stopping background AOF and "
                "starting a rewrite now."
            )
            self._kill_rewrite()
        if self.start_rewrite():
            return True
        self.log.give_up_starting()
        logger.warning(
            "Redis needs to enable the AOF but can't trigger a background AOF rewrite operation. Check the above logs "
            "for more info about the error."
        )
        return False

    def restart_log(self) -> None:
        """After the dataset was replaced (full sync, DEBUG RELOAD): the log begins anew with a rewrite."""
        if self.status.aof_state != LOG_OFF:
            self.log.stop()
            self._kill_rewrite()
        if self._settings.appendonly and not self._start_log():
            self.status.aof_rewrite_scheduled = True

    def stop_log(self) -> None:
        """Before the dataset is replaced: nothing of the load goes into the log."""
        if self.status.aof_state != LOG_OFF:
            self.log.stop()
            self._kill_rewrite()

    def shut_down(self, save: bool, nosave: bool, force: bool) -> bool:
        """The last writes. False, logged: the server must not stop now, or data would be lost.

        While a dataset is being loaded nothing is saved: half of it would take the place of the whole.
        """
        child = self.child
        if child is not None and self.status.child_kind == CHILD_RDB:
            logger.warning("There is a child saving an .rdb. Killing it!")
            child.kill()
            child.wait()
            unlink_if_there(self.disk, f"temp-{child.pid}.rdb")
        if child is not None and self.status.child_kind == CHILD_AOF:
            if self.status.aof_state == LOG_WAIT_REWRITE:
                if not force:
                    logger.warning("Writing initial AOF, can't exit.")
                    return False
                logger.warning("Writing initial AOF. Exit anyway.")
            logger.warning("There is a child rewriting the AOF. Killing it!")
            self._kill_rewrite()
        self.log.finish()
        if not self.status.load.loading and ((self._settings.save and not nosave) or save):
            logger.info("Saving the final RDB snapshot before exiting.")
            if not self.save():
                if not force:
                    logger.warning("Error trying to save the DB, can't exit.")
                    return False
                logger.warning("Error trying to save the DB. Exit anyway.")
        return True

    # --- Health

    def write_refusal(self) -> bytes | None:
        status = self.status
        if self._settings.stop_writes_on_bgsave_error and self._settings.save and not status.rdb_last_bgsave_ok:
            return MISCONF_RDB
        if status.aof_state != LOG_OFF and not (status.aof_last_write_ok and status.aof_last_fsync_ok):
            return misconf_aof(status.aof_last_error)
        return None

    def _now_s(self) -> int:
        return self._clock.now_ms() // 1000
