"""Running one command: the only place where handlers are called.

Around the handler: time, statistics, slow log, MONITOR, accounting of what it changed in place, and propagation of its
effects. Source: Redis 7.0.15, server.c, call.

An exception that is neither ReplyError nor ColdRead is a bug. If the command has changed nothing yet, its client gets
an error and the log the traceback; if it has, the dataset may be half changed and would drift from the AOF and the
followers: DatasetInDoubt is raised, which ends the server as a failed assertion would.
"""

from __future__ import annotations

import logging
import traceback
from typing import Final, final

from librt.time import time
from mypy_extensions import i64

from redrock import errors
from redrock.clients.client import Client
from redrock.commands.command import ADMIN, SKIP_MONITOR, SKIP_SLOWLOG, TOUCHES_ARBITRARY_KEYS, Command
from redrock.commands.context import Context
from redrock.errors import ReplyError
from redrock.keyspace.database import ColdRead
from redrock.monitoring.latency_histogram import LatencyHistogram
from redrock.monitoring.monitor import Monitors
from redrock.resp.reply import ErrorReply, Reply
from redrock.server.propagation import Propagation
from replication.identity import ReplicationIdentity

logger: Final = logging.getLogger("redrock")


class DatasetInDoubt(BaseException):
    """A handler failed in the middle of its changes: the server must not go on with this dataset."""


@final
class Execution:
    """Calls handlers on behalf of the dispatcher, EXEC and scripts. ``depth`` is how many calls are nested."""

    def __init__(self, ctx: Context, propagation: Propagation, monitors: Monitors) -> None:
        self.ctx: Final = ctx
        self._keyspace: Final = ctx.keyspace
        self._stats: Final = ctx.stats
        self._slowlog: Final = ctx.slowlog
        self._propagation: Final = propagation
        self.monitors: Final = monitors
        self.depth = 0
        self.identity: ReplicationIdentity | None = None  # whose offset tells WAIT what a client has written
        self.track_latency = True  # latency-tracking
        self.hold_replies = False  # appendfsync always: replies to writers wait for the disk
        self._incidents = 0

    def call(self, client: Client, command: Command, argv: list[bytes]) -> Reply:
        """Run the command; its errors come back as ErrorReply. Raises ColdRead if it has to be put off."""
        ctx = self.ctx
        keyspace = self._keyspace
        if ctx.also and self.depth == 0:
            self.flush_effects()  # what was evicted to make room for this command is no part of it
        database = client.database
        ctx.client = client
        ctx.db = database
        dbid = database.dbid
        outer_rewritten = ctx.rewritten
        outer_suppressed = ctx.suppressed
        outer_forced = ctx.forced
        ctx.rewritten = None
        ctx.suppressed = False
        ctx.forced = False
        dirty: i64 = keyspace.dirty
        mutations: i64 = keyspace.mutations
        handler = command.handler
        assert handler is not None
        self.depth += 1
        started = time()
        try:
            reply = handler(ctx, argv)
        except ReplyError as error:
            reply = self._failed(command, error.text)
        except ColdRead:
            # Values looked up before the cold one have not been changed, nor are they to be taken for that later.
            keyspace.settle()
            self._leave(outer_rewritten, outer_suppressed, outer_forced)
            raise
        except Exception as bug:  # another name than above: compiled, a variable has one type in all of the function
            reply = self._failed(command, self._internal_error(command, mutations, bug))
        duration_us: i64 = int((time() - started) * 1000000.0)
        if duration_us < 0:
            duration_us = 0  # the clock was set back
        if keyspace.written:
            keyspace.settle()
        command.calls += 1
        command.microseconds += duration_us
        if self.track_latency:
            latency = command.latency
            if latency is None:
                latency = LatencyHistogram()
                command.latency = latency
            latency.record(duration_us)
        self._stats.total_commands_processed += 1
        slowlog = self._slowlog
        if duration_us >= slowlog.threshold_us >= 0 and not command.flags & SKIP_SLOWLOG:
            slowlog.add(int(started), duration_us, argv, client.address, client.name)
        if self.monitors.any and not command.flags & (SKIP_MONITOR | ADMIN):
            self.monitors.show(client.database.dbid, client, argv)
        # The last test is for EXEC, which changes nothing itself, though a read within may have removed an expired key.
        # Less dirty than before, by a save, is no change.
        if keyspace.dirty > dirty or ctx.forced or ctx.also or not self._propagation.is_empty():
            self._propagate(client, command, dbid, argv, keyspace.dirty > dirty)
        self._leave(outer_rewritten, outer_suppressed, outer_forced)
        return reply

    def _leave(self, rewritten: list[bytes] | None, suppressed: bool, forced: bool) -> None:
        ctx = self.ctx
        ctx.rewritten = rewritten
        ctx.suppressed = suppressed
        ctx.forced = forced
        self.depth -= 1

    def _propagate(self, client: Client, command: Command, dbid: int, argv: list[bytes], changed: bool) -> None:
        ctx = self.ctx
        propagation = self._propagation
        if ctx.also:
            for also_dbid, also_argv in ctx.also:
                propagation.add(also_dbid, also_argv)
            ctx.also.clear()
        if (changed or ctx.forced) and not ctx.suppressed:
            rewritten = ctx.rewritten
            propagation.add(dbid, argv if rewritten is None else rewritten)
        if self.depth == 1:
            # The keys that SCAN and RANDOMKEY find expired have nothing to do with one another.
            propagation.flush(not command.flags & TOUCHES_ARBITRARY_KEYS)
            identity = self.identity
            if identity is not None:
                client.write_offset = identity.master_repl_offset
            if self.hold_replies:
                client.held = True

    def flush_effects(self) -> None:
        """Send off what was propagated outside of any command: expired and evicted keys of the cron."""
        ctx = self.ctx
        if ctx.also and self.depth == 0:
            for also_dbid, also_argv in ctx.also:
                self._propagation.add(also_dbid, also_argv)
            ctx.also.clear()
            self._propagation.flush(False)

    def _failed(self, command: Command, text: bytes) -> ErrorReply:
        command.failed_calls += 1
        self._stats.count_error(text)
        return ErrorReply(text)

    def _internal_error(self, command: Command, mutations: int, error: Exception) -> bytes:
        self._incidents += 1
        trace = "".join(traceback.format_exception(error))
        logger.critical("Internal error %d in command %s:\n%s", self._incidents, command.name.decode(), trace)
        if self._keyspace.mutations != mutations or self._keyspace.written:
            raise DatasetInDoubt(
                f"command {command.name.decode()} failed after it had begun to change the dataset"
            ) from error
        return errors.internal_error(self._incidents)
