"""Builds the parts, owns the root nursery, and fixes the order of start and stop.

Start: sockets are bound, then the executor and the listeners run, then the dataset is loaded (clients are told LOADING
meanwhile), then replication begins. Stop: replication, listeners and cron first, then the last save and the last fsync,
the executor at the very end. A child that ends by an exception names itself in the log and takes the server down.
"""

from __future__ import annotations

import gc
import logging
import os
import socket
from collections.abc import Callable
from typing import Final

import trio

from redrock.clients.blocking import BlockedClients
from redrock.clients.client import IS_SCRIPT, Client
from redrock.clients.registry import ClientRegistry
from redrock.clients.transaction import Transactions
from redrock.commands.context import Context
from redrock.commands.table import build_table
from redrock.config.settings import Settings
from redrock.keyspace.expiry import ActiveExpiry
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import Observers
from redrock.monitoring.monitor import Monitors
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.server.banner import announce
from redrock.server.connections import Connections
from redrock.server.control import Control, KeyspaceEvents
from redrock.server.dispatcher import Dispatcher
from redrock.server.execution import Execution
from redrock.server.log import start_logging
from redrock.server.pause import Pause
from redrock.server.poller import make_poller
from redrock.server.propagation import Propagation
from redrock.server.serving import Serving
from redrock.server.standins import HealthyDisk, NoColdRows, NoFollowers, NoLoader, NoMemoryLimit, NoSink
from redrock.server.tasks.cron import Cron
from redrock.server.tasks.executor import Executor
from redrock.server.tasks.listeners import BindError, accept_forever, open_tcp, open_unix
from redrock.server.tasks.signals import Signals
from redrock.server.tasks.task import Task
from redrock.util.clock import Clock, SystemClock
from redrock.util.random import RandomSource

logger: Final = logging.getLogger("redrock")


class Server:
    """One server. Everything it consists of is an attribute; nothing is kept in modules."""

    def __init__(self, settings: Settings, clock: Clock, random: RandomSource) -> None:
        self.settings: Final = settings
        self.clock: Final = clock
        self.stats: Final = Statistics()
        self.stats.started_at_ms = clock.now_ms()
        self.events: Final = KeyspaceEvents()
        self.keyspace: Final = Keyspace(settings.databases, random, self.events, NoColdRows())
        self.keyspace.now_ms = clock.now_ms()
        self.observers: Final = Observers()
        self.clients: Final = ClientRegistry()
        self.table: Final = build_table()
        for old, new in settings.renamed_commands:
            self.table.rename(old, new)
        self.blocked: Final = BlockedClients()
        self.control: Final = Control(self.settings_changed, self.request_shutdown)
        self._to_send: Final[list[Client]] = []
        internal = Client(0, None, self.keyspace.databases[0], self.keyspace.now_ms)
        internal.gate = IS_SCRIPT
        self.ctx: Final = Context(
            self.keyspace,
            internal,
            settings,
            self.table,
            self.clients,
            self.observers,
            self.stats,
            Slowlog(settings.slowlog_max_len, settings.slowlog_log_slower_than),
            Transactions(self.keyspace, self.observers),
            self.control,
        )
        self.events.attach(self.ctx)
        aof = NoSink()
        backlog = NoSink()
        self.propagation: Final = Propagation(aof, backlog)
        self.execution: Final = Execution(self.ctx, self.propagation, aof, Monitors(self._to_send))
        self.dispatcher: Final = Dispatcher(
            self.execution,
            self.table,
            settings,
            self.blocked,
            NoLoader(),
            NoMemoryLimit(),
            HealthyDisk(),
            NoFollowers(),
            backlog,
        )
        self.poller: Final = make_poller()
        self.serving: Final = Serving(
            self.dispatcher, self.clients, self.blocked, self.poller, clock, settings, self._to_send
        )
        self.pause: Final = Pause(self.dispatcher, self.serving, self.keyspace)
        self.control.execution = self.execution
        self.control.serving = self.serving
        self.control.pause = self.pause
        self.executor: Final = Executor(self.serving, self.poller)
        self.connections: Final = Connections(self.ctx, self.serving)
        self.cron: Final = Cron(
            self.serving,
            self.keyspace,
            ActiveExpiry(self.keyspace, self.stats),
            self.clients,
            self.stats,
            settings,
            self.executor.wake,
        )
        self.cron.ticks.append(self.pause.tick)
        self._shutdown_wanted: trio.Event | None = None
        self._exit_code = 0
        self.settings_changed()

    # --- Settings

    def settings_changed(self) -> None:
        """Hand the settings to the places that keep them in a faster form."""
        settings = self.settings
        self.serving.settings_changed()
        self.events.lazy_expire = settings.lazyfree_lazy_expire
        self.events.lazy_eviction = settings.lazyfree_lazy_eviction
        self.ctx.slowlog.length_max = settings.slowlog_max_len
        self.ctx.slowlog.threshold_us = settings.slowlog_log_slower_than

    # --- Life

    def request_shutdown(self, save: bool, nosave: bool, now: bool, force: bool) -> None:
        if self._shutdown_wanted is not None:
            self._shutdown_wanted.set()

    async def run(self, listeners: list[tuple[socket.socket, bool]]) -> int:
        """Serve on the bound sockets (True: unix) until shutdown; the exit code of the process."""
        self._shutdown_wanted = trio.Event()
        async with trio.open_nursery() as nursery:
            await nursery.start(self._named, "executor", self.executor)
            for listener, is_unix in listeners:
                welcome = self.connections.welcome_unix if is_unix else self.connections.welcome_tcp
                await nursery.start(self._named, "listener", _Listener(listener, welcome))
            await nursery.start(self._named, "cron", self.cron)
            await nursery.start(self._named, "signals", Signals(self._begin_shutdown, _exit_at_once))
            gc.collect()
            gc.freeze()
            logger.info("Ready to accept connections")
            await self._shutdown_wanted.wait()
            nursery.cancel_scope.cancel()
        logger.warning("RedRock is now ready to exit, bye bye...")
        return self._exit_code

    async def _named(
        self,
        name: str,
        part: Task,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run a part of the server; if it fails, its name is in the log."""
        try:
            await part.run(task_status=task_status)
        except Exception:
            logger.critical("The %s has failed; the server stops.", name, exc_info=True)
            raise

    def _begin_shutdown(self) -> None:
        self.request_shutdown(False, False, False, False)


class _Listener:
    def __init__(self, listener: socket.socket, welcome: Callable[[socket.socket, object], None]) -> None:
        self._listener: Final = listener
        self._welcome: Final = welcome

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await accept_forever(self._listener, self._welcome, task_status=task_status)


def _exit_at_once() -> None:
    os._exit(1)


def open_listeners(settings: Settings) -> list[tuple[socket.socket, bool]]:
    """Bind everything that the settings name. Raises BindError."""
    opened: list[tuple[socket.socket, bool]] = []
    if settings.port:
        opened += [(listener, False) for listener in open_tcp(list(settings.bind), settings.port, settings.tcp_backlog)]
    if settings.unixsocket:
        opened.append((open_unix(settings.unixsocket, settings.unixsocketperm, settings.tcp_backlog), True))
    if not opened:
        raise BindError("Configured to not listen anywhere, exiting.")
    return opened


def run_server(settings: Settings) -> int:
    """Serve until shutdown; the exit code of the process."""
    announce(settings, start_logging(settings.logfile, settings.loglevel))
    try:
        listeners = open_listeners(settings)
    except BindError as error:
        logger.warning("%s", error)
        return 1
    server = Server(settings, SystemClock(), RandomSource(None))
    return trio.run(server.run, listeners)
