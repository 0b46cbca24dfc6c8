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
from typing import Final

import trio

from persistence.files import Disk, RealDisk
from persistence.service import Persistence
from persistence.tasks.append import AppendTask
from persistence.tasks.load import LoadTask
from persistence.tasks.snapshot import SnapshotTask
from redrock.clients.blocking import BlockedClients
from redrock.clients.client import IS_SCRIPT, Client
from redrock.clients.parking import Parking
from redrock.clients.registry import ClientRegistry
from redrock.clients.transaction import Transactions
from redrock.cold.link import StoreLauncher, StoreStartError
from redrock.cold.process import StoreProcess
from redrock.cold.tasks.loader import Loader
from redrock.cold.tasks.spiller import Spiller
from redrock.cold.tier import ColdTier
from redrock.commands.context import Context
from redrock.commands.table import build_table
from redrock.config.settings import Settings
from redrock.errors import FatalError, ReplyError
from redrock.interfaces import NOTIFY_KEY_MISS, NOTIFY_NEW
from redrock.keyspace.cold_values import ColdValues
from redrock.keyspace.compaction import MemoryCompaction
from redrock.keyspace.eviction import Eviction
from redrock.keyspace.expiry import ActiveExpiry
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import Observers
from redrock.keyspace.spilling import Spilling
from redrock.monitoring.monitor import Monitors
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.server.adapters import (
    LeaderPass,
    LoadAtStart,
    LoadBrake,
    ReplicationClients,
    Replies,
    SaveHealth,
    process_limit_bytes,
)
from redrock.server.aof_client import AofClient
from redrock.server.banner import announce, show_where
from redrock.server.connections import Connections
from redrock.server.control import Control, KeyspaceEvents
from redrock.server.dispatcher import (
    GATE_ASYNC_LOADING,
    GATE_DISK,
    GATE_FOLLOWER,
    GATE_LOADING,
    GATE_MEMORY,
    GATE_PAUSED_ALL,
    GATE_PAUSED_WRITES,
    GATE_REPLICAS,
    GATE_STALE,
    Dispatcher,
)
from redrock.server.execution import DatasetInDoubt, Execution
from redrock.server.leader_client import LeaderClient
from redrock.server.log import RedisFormatter, set_level, start_logging
from redrock.server.memory_use import ServerBuffers
from redrock.server.pause import Pause
from redrock.server.poller import Poller, make_poller
from redrock.server.process import become_daemon, remove_files, tell_supervisor, write_pidfile
from redrock.server.propagation import Propagation
from redrock.server.reload import Reload
from redrock.server.replication_host import ServerReplicationHost
from redrock.server.serving import Serving
from redrock.server.shutdown import Shutdown
from redrock.server.snapshot_facts import ServerSnapshotFacts
from redrock.server.tasks.cron import Cron
from redrock.server.tasks.executor import Executor
from redrock.server.tasks.listeners import BindError, Listening, open_tcp, open_unix
from redrock.server.tasks.signals import Signals
from redrock.server.tasks.task import Task
from redrock.server.throttle import Throttle
from redrock.util.clock import Clock, SystemClock
from redrock.util.random import RandomSource
from replication.hooks import ReplicationHealth, ReplicationPass, ReplicationSnapshotEnds
from replication.leader.snapshots import PersistenceSnapshots
from replication.service import Replication
from replication.tasks.link import Link
from replication.tasks.supervisor import ReplicationSupervisor

logger: Final = logging.getLogger("redrock")


class Server:
    """One server. Everything it consists of is an attribute; nothing is kept in modules.

    The constructor builds the parts from the lowest floor upwards; where two need each other, the later one is
    attached to the earlier.
    """

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        random: RandomSource,
        disk: Disk,
        store: StoreLauncher,
        formatter: RedisFormatter,
    ) -> None:
        self.settings: Final = settings
        self.clock: Final = clock
        self.formatter: Final = formatter
        self.stats: Final = Statistics()
        self.stats.started_at_ms = clock.now_ms()
        self._to_send: Final[list[Client]] = []
        self._shutdown_done: trio.Event | None = None
        self._build_keyspace(random, store)
        self._build_serving()
        self._build_persistence(disk)
        self._build_replication(random)
        self._build_cold_tasks()
        self._build_clockwork()
        self._hook_settings()
        self.settings_changed()

    def _build_keyspace(self, random: RandomSource, store: StoreLauncher) -> None:
        settings, clock = self.settings, self.clock
        self.events = KeyspaceEvents()
        self.tier = ColdTier(store)
        self.keyspace = Keyspace(settings.databases, random, self.events, self.tier)
        self.keyspace.now_ms = clock.now_ms()
        self.cold_values = ColdValues(self.keyspace)
        self.tier.owner = self.cold_values
        self.spilling = Spilling(self.keyspace, self.tier, self.cold_values, clock)
        self.compaction = MemoryCompaction(self.keyspace, self.tier, clock)
        self.observers = Observers()
        self.clients = ClientRegistry()
        self.buffers = ServerBuffers(self.clients)
        self.eviction = Eviction(self.keyspace, self.buffers, clock)

    def _build_serving(self) -> None:
        settings = self.settings
        self.table = build_table()
        for old, new in settings.renamed_commands:
            self.table.rename(old, new)
        self.blocked = BlockedClients()
        self.control = Control(self.settings_changed, self.request_shutdown)
        internal = Client(0, None, self.keyspace.databases[0], self.keyspace.now_ms)
        internal.gate = IS_SCRIPT
        slowlog = Slowlog(settings.slowlog_max_len, settings.slowlog_log_slower_than)
        transactions = Transactions(self.keyspace, self.observers)
        self.ctx = Context(
            self.keyspace,
            internal,
            settings,
            self.table,
            self.clients,
            self.observers,
            self.stats,
            slowlog,
            transactions,
            self.control,
        )
        self.events.attach(self.ctx)
        self.propagation = Propagation()
        self.execution = Execution(self.ctx, self.propagation, Monitors(self._to_send))
        self.dispatcher = Dispatcher(self.execution, self.table, settings, self.blocked)
        self.poller = self._make_poller()
        self.serving = Serving(
            self.dispatcher, self.clients, self.blocked, self.poller, self.clock, settings, self._to_send
        )
        self.pause = Pause(self.dispatcher, self.serving, self.keyspace)
        self.control.execution = self.execution
        self.control.serving = self.serving
        self.control.pause = self.pause
        self.control.eviction = self.eviction
        self.control.buffers = self.buffers
        self.executor = self._make_executor()
        self.connections = Connections(self.ctx, self.serving)
        self.parking = Parking(self.keyspace, self.tier, self.serving)
        self.cold_values.waiters = self.parking.waiters
        self.ctx.cold_tier = self.tier
        self.ctx.parking = self.parking
        self.ctx.spilling = self.spilling

    def _build_persistence(self, disk: Disk) -> None:
        self.snapshot_facts = ServerSnapshotFacts(self.keyspace, self.tier)
        self.persistence = Persistence(self.keyspace, self.settings, self.clock, disk, self.snapshot_facts)
        self.snapshot_facts.ctx = self.ctx
        self.snapshot_facts.eviction = self.eviction
        self.append_task = AppendTask(
            self.persistence.log, Replies(self.execution, self.serving, self.executor.wake, self.refresh_gate)
        )
        self.persistence.listeners.append(SaveHealth(self.refresh_gate))
        self.snapshot_task = SnapshotTask(self.persistence)
        self.aof_client = AofClient(self.keyspace, self.table, self.execution)
        self.buffers.log = self.persistence.log
        self.ctx.persistence = self.persistence

    def _build_replication(self, random: RandomSource) -> None:
        host = ServerReplicationHost(
            self.keyspace, self.observers, self.serving, self.blocked, self.refresh_gate, self.executor.wake
        )
        snapshots = self._make_snapshots()
        self.replication = Replication(self.settings, self.keyspace, self.stats, random, host, snapshots)
        snapshots.attach(self.replication)
        self.persistence.listeners.append(ReplicationSnapshotEnds(snapshots))
        self.snapshot_facts.replication = self.replication
        self.buffers.feed = self.replication.feed
        self.control.reload = Reload(
            self.keyspace, self.settings, self.persistence, self.replication.feed, self.aof_client
        )
        self.ctx.replication = self.replication
        self.execution.identity = self.replication.identity
        self.leader_client = LeaderClient(
            self.keyspace, self.clients, self.table, self.dispatcher, self.serving, self.parking
        )
        self.supervisor = self._make_supervisor(snapshots)
        self.propagation.attach([self.persistence.log, self.replication.feed])
        self.dispatcher.attach(self.parking, self.eviction, self.persistence, ReplicationHealth(self.replication))
        self.serving.add_observer(ReplicationClients(self.replication))

    # Parts that touch the machine; the simulation has others.

    def _make_poller(self) -> Poller:
        return make_poller()

    def _make_executor(self) -> Executor:
        return Executor(self.serving, self.poller)

    def _make_snapshots(self) -> PersistenceSnapshots:
        return PersistenceSnapshots(self.persistence, self.settings)

    def _make_supervisor(self, snapshots: PersistenceSnapshots) -> ReplicationSupervisor:
        return ReplicationSupervisor(self.replication, snapshots, self._make_link)

    def _make_link(self) -> Link:
        return Link(self.replication, self.leader_client, self.persistence, LoadBrake(self.spilling), self.clock)

    def _build_cold_tasks(self) -> None:
        self.loader = Loader(self.tier, self._cold_answered)
        self.spiller = Spiller(
            self.tier,
            [self.spilling, self.compaction, self.eviction],
            self.loader.opened,
            self.executor.wake,
        )
        self.spilling.waker = self.spiller

    def _cold_answered(self) -> None:
        self.spiller.wake()
        self.executor.wake()

    def _build_clockwork(self) -> None:
        self.expiry = ActiveExpiry(self.keyspace, self.stats)
        self.ctx.active_expiry = self.expiry
        self.cron = Cron(
            self.serving, self.keyspace, self.expiry, self.clients, self.stats, self.settings, self.executor.wake
        )
        self.control.cron = self.cron
        self.shutdown = Shutdown(
            self.settings,
            self.keyspace,
            self.persistence,
            self.replication,
            self.pause,
            self.serving,
            self._end,
        )
        self.control.shutdown = self.shutdown
        self.cron.ticks.extend(
            [
                self.pause.tick,
                self.persistence.tick,
                self.shutdown.tick,
                self._sample_memory,
                self.refresh_gate,
                self._answer_timed_out,
            ]
        )
        # In this order: what the pass did is written and sent to followers before its replies go.
        self.serving.add_hook(LeaderPass(self.leader_client))
        self.serving.add_hook(self.append_task)
        self.serving.add_hook(ReplicationPass(self.replication))
        self.serving.add_hook(self.parking.hook)
        self.serving.add_hook(self.spilling)
        self.serving.add_hook(Throttle(self.spilling, self.serving))

    # --- Settings and gate

    def _hook_settings(self) -> None:
        self.settings.on_change("appendonly", self.persistence.appendonly_changed)
        self.settings.on_change("aof-disable-auto-gc", self.persistence.log.remove_history)
        self.settings.on_change("loglevel", self._loglevel_changed)

    def _loglevel_changed(self) -> None:
        set_level(self.settings.loglevel)

    def settings_changed(self) -> None:
        """Hand the settings to the places that keep them in a faster form."""
        settings = self.settings
        self.serving.settings_changed()
        self.events.lazy_expire = settings.lazyfree_lazy_expire
        self.events.lazy_eviction = settings.lazyfree_lazy_eviction
        self.ctx.slowlog.length_max = settings.slowlog_max_len
        self.ctx.slowlog.threshold_us = settings.slowlog_log_slower_than
        self.execution.track_latency = settings.latency_tracking
        keyspace = self.keyspace
        keyspace.lfu = "lfu" in settings.maxmemory_policy
        keyspace.lfu_clock.log_factor = settings.lfu_log_factor
        keyspace.lfu_clock.decay_minutes = settings.lfu_decay_time
        keyspace.writable_follower = not settings.replica_read_only
        classes = settings.notify_keyspace_events
        self.observers.set_event_classes(classes)
        keyspace.miss_events = bool(self.observers.event_classes & NOTIFY_KEY_MISS)
        keyspace.new_events = bool(self.observers.event_classes & NOTIFY_NEW)
        self.spilling.configure(settings.maxrockmem, settings.rock_min_value_size, settings.rock_min_hot_keys)
        self.eviction.configure(
            settings.maxmemory,
            settings.maxmemory_policy.encode(),
            settings.maxmemory_samples,
            settings.maxmemory_eviction_tenacity,
        )
        self.eviction.process_limit_bytes = process_limit_bytes(settings.maxpsmem)
        self.eviction.exempt_as_follower = settings.replica_ignore_maxmemory
        self.refresh_gate()

    def refresh_gate(self) -> None:
        """Which of the server-wide checks can matter now. Pauses are kept as they are."""
        settings = self.settings
        gate = self.dispatcher.gate & (GATE_PAUSED_ALL | GATE_PAUSED_WRITES)
        load = self.persistence.status.load
        if load.loading:
            gate |= GATE_ASYNC_LOADING if load.async_loading else GATE_LOADING
        if self.eviction.has_limit():
            gate |= GATE_MEMORY
        if self.persistence.write_refusal() is not None:
            gate |= GATE_DISK
        if settings.min_replicas_to_write and settings.min_replicas_max_lag:
            gate |= GATE_REPLICAS
        if self.keyspace.follower:
            gate |= GATE_FOLLOWER
            if not settings.replica_serve_stale_data:
                gate |= GATE_STALE
        self.dispatcher.read_only_follower = settings.replica_read_only
        self.dispatcher.gate = gate
        self.dispatcher.cold_tier = self.tier.is_open()
        self.formatter.role = "S" if self.keyspace.follower else "M"

    def _sample_memory(self) -> None:
        self.buffers.sample()
        stats = self.stats
        used = self.eviction.used_bytes()
        stats.peak_bytes = max(stats.peak_bytes, used)
        self.eviction.process_bytes = stats.resident_bytes + self.tier.store_anonymous_bytes

    def _answer_timed_out(self) -> None:
        for client in self.blocked.due(self.keyspace.now_ms):
            waiter = self.blocked.waiter_of(client)
            assert waiter is not None
            self.serving.answer_blocked(client, waiter.timed_out(client))

    # --- Life

    def request_shutdown(self, save: bool, nosave: bool, now: bool, force: bool) -> None:
        """SHUTDOWN. Raises ReplyError if the server must not end."""
        self.shutdown.request(save, nosave, now, force)

    def _end(self) -> None:
        assert self._shutdown_done is not None
        self._shutdown_done.set()

    async def run(self, listeners: list[tuple[socket.socket, bool]]) -> int:
        """Serve on the bound sockets (True: unix) until shutdown; the exit code of the process."""
        self._shutdown_done = trio.Event()
        if self.settings.maxrockmem:
            self.tier.open()
        async with trio.open_nursery() as nursery:
            # First of all, since a signal that nobody awaits ends the process, with files half written.
            await nursery.start(self._named, "signals", Signals(self._signalled, _exit_at_once))
            await nursery.start(self._named, "executor", self.executor)
            await nursery.start(self._named, "listeners", self._listening(listeners))
            await nursery.start(self._named, "cron", self.cron)
            await nursery.start(self._named, "loader of the cold tier", self.loader)
            await nursery.start(self._named, "spiller of the cold tier", self.spiller)
            await nursery.start(self._named, "snapshots", self.snapshot_task)
            await self._load()
            await nursery.start(self._named, "append-only log", self.append_task)
            await nursery.start(self._named, "replication", self.supervisor)
            self.replication.start()
            gc.collect()
            gc.freeze()
            logger.info("Ready to accept connections")
            tell_supervisor(self.settings, "STATUS=Ready to accept connections\nREADY=1\n")
            await self._shutdown_done.wait()
            nursery.cancel_scope.cancel()
        self.tier.close()
        logger.warning("RedRock is now ready to exit, bye bye...")
        return 0

    def _listening(self, listeners: list[tuple[socket.socket, bool]]) -> Listening:
        listening = Listening(self.settings, listeners, self.connections.welcome_tcp, self.connections.welcome_unix)
        for name in ("port", "bind"):
            self.settings.on_change(name, listening.rebind)
        return listening

    async def _load(self) -> None:
        """Load the dataset; clients are answered LOADING meanwhile."""
        self.keyspace.follower = self.settings.replicaof is not None
        observer = LoadAtStart(self.spilling, self.settings.repl_backlog_size)
        load = LoadTask(
            self.persistence,
            self.keyspace,
            self.settings,
            self.clock,
            self.aof_client,
            observer,
        )
        self.persistence.status.load.loading = True
        self.refresh_gate()
        try:
            loaded = await load.load()
        finally:
            self.persistence.status.load.loading = False
            self.refresh_gate()
        info = loaded.replication
        if info is None or observer.too_many:
            return
        self.replication.restore(info.replid, info.offset, info.stream_db)
        name = b"UNLINK" if self.settings.lazyfree_lazy_expire else b"DEL"
        for dbid, key in observer.expired:
            self.ctx.also_propagate([name, key], dbid)
        self.execution.flush_effects()

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
        except FatalError:
            raise  # where it was met, Redis's words for it have been logged
        except DatasetInDoubt as error:
            logger.critical("The server stops, since its dataset is in doubt: %s", error)
            raise
        except Exception:
            logger.critical("The %s has failed; the server stops.", name, exc_info=True)
            raise

    def _signalled(self, interrupted: bool) -> None:
        """SIGINT or SIGTERM: as SHUTDOWN with the flags that `shutdown-on-sigint` or `-sigterm` names."""
        flags = self.settings.shutdown_on_sigint if interrupted else self.settings.shutdown_on_sigterm
        try:
            self.request_shutdown("save" in flags, "nosave" in flags, "now" in flags, "force" in flags)
        except ReplyError as error:
            logger.warning("The server goes on: %s", error.text.decode())


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
    become_daemon(settings)
    formatter = start_logging(settings.logfile, settings.loglevel)
    announce(settings, formatter)
    try:
        listeners = open_listeners(settings)
    except BindError as error:
        logger.warning("%s", error)
        return 1
    write_pidfile(settings)
    show_where(settings)
    rockdir = settings.rockdir or f"./rock{settings.port}"
    store = StoreProcess(os.path.abspath(rockdir))
    server = Server(settings, SystemClock(), RandomSource(None), RealDisk(), store, formatter)
    code = 1
    try:
        code = trio.run(server.run, listeners)
        remove_files(settings)
    except* StoreStartError as group:
        for failure in group.exceptions:
            logger.critical("%s", failure)
    except* FatalError:
        pass  # Logged in Redis's words where it was met; scripts look for them in the log's last line.
    except* DatasetInDoubt:
        pass  # The log has it from where it was met.
    finally:
        store.stop()
    return code
