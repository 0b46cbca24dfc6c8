"""Admission, in Redis' order of checks, and what happens to the reply.

A command goes: find it, check arity, admit, load the cold values it needs (the client is parked meanwhile and the
command comes through here again), run, encode. `gate` says whether any server-wide check can matter at all; it is
refreshed when settings, role or load state change, so that an ordinary command costs one test.
Source: Redis 7.0.15, server.c, processCommand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from mypy_extensions import i64

from redrock import errors
from redrock.clients.blocking import BlockedClients
from redrock.clients.client import (
    DIRTY_EXEC,
    IN_MULTI,
    IN_PUBSUB,
    IS_LEADER_LINK,
    IS_REPLICA,
    NEEDS_AUTH,
    PARKED,
    POSTPONED,
    REPLY_MASK,
    REPLY_SKIP,
    REPLY_SKIP_NEXT,
    Client,
)
from redrock.clients.waiter import Block
from redrock.commands.command import (
    DENYOOM,
    LOADING,
    MAY_REPLICATE,
    NO_ASYNC_LOADING,
    NO_AUTH,
    NO_MULTI,
    PROTECTED,
    READONLY,
    STALE,
    WRITE,
    Command,
)
from redrock.commands.table import CommandTable
from redrock.datatypes.value import ColdMarker
from redrock.interfaces import ColdLoader, DiskHealth, FollowerHealth, MemoryGate
from redrock.keyspace.database import ColdRead
from redrock.resp.encoder import write_reply
from redrock.resp.reply import QUEUED, ErrorReply, Reply
from redrock.server.execution import Execution

if TYPE_CHECKING:
    from redrock.commands.context import Context
    from redrock.config.settings import Settings

# Bits of `gate`.
GATE_LOADING: Final = 1 << 0
GATE_MEMORY: Final = 1 << 1  # maxmemory or maxpsmem is set
GATE_DISK: Final = 1 << 2  # writes are refused because the last save or the AOF failed
GATE_REPLICAS: Final = 1 << 3  # min-replicas-to-write
GATE_FOLLOWER: Final = 1 << 4
GATE_STALE: Final = 1 << 5  # replica-serve-stale-data no
GATE_PAUSED_WRITES: Final = 1 << 6
GATE_PAUSED_ALL: Final = 1 << 7
GATE_ASYNC_LOADING: Final = 1 << 8

# In a transaction these run at once; everything else is queued.
_NOT_QUEUED: Final = frozenset((b"exec", b"discard", b"multi", b"watch", b"quit", b"reset"))
# In a transaction everything else is refused when memory is short, since a queue costs memory too.
_ALWAYS_AFFORDED: Final = frozenset((b"exec", b"discard", b"quit", b"reset"))
_IN_PUBSUB: Final = frozenset(
    b"ping subscribe ssubscribe unsubscribe sunsubscribe psubscribe punsubscribe quit reset".split()
)


@final
class Dispatcher:
    """Takes each request of each client to its reply."""

    def __init__(
        self,
        execution: Execution,
        table: CommandTable,
        settings: Settings,
        blocked: BlockedClients,
    ) -> None:
        self._execution: Final = execution
        self._table: Final = table
        self._settings: Final = settings
        self._stats: Final = execution.ctx.stats
        self._keyspace: Final = execution.ctx.keyspace
        self._blocked: Final = blocked
        # Set by `attach`: they are built later than this, since they need what serves clients.
        self._loader = ColdLoader()
        self._memory = MemoryGate()
        self._disk = DiskHealth()
        self._followers = FollowerHealth()
        self.gate: i64 = 0
        self.cold_tier = False  # there may be cold values
        self.read_only_follower = False
        self.exec_command: Final = table.by_name(b"exec")
        self.postponed: Final[list[Client]] = []

    def attach(self, loader: ColdLoader, memory: MemoryGate, disk: DiskHealth, followers: FollowerHealth) -> None:
        """The parts that admission asks."""
        self._loader = loader
        self._memory = memory
        self._disk = disk
        self._followers = followers

    def context(self) -> Context:
        return self._execution.ctx

    def flush_effects(self) -> None:
        """Propagate what happened outside of commands since the last pass."""
        self._execution.flush_effects()

    def client_gone(self, client: Client) -> None:
        """Forget a client whose connection ends."""
        if client.gate or client.watched:
            self._execution.ctx.transactions.discard(client)
            self._execution.monitors.remove(client)
        if client.state == PARKED:
            self._loader.forget_client(client.client_id)
        elif client.state == POSTPONED:
            self.postponed.remove(client)

    # --- The way of a request

    def process(self, client: Client, argv: list[bytes]) -> None:
        """Run one request, or put it off; the reply goes into the client's output."""
        command = self._table.find(argv)
        if command is None:
            client.last_command = b"NULL"
            self._reject(client, argv, self._table.missing_error(argv), None)
            return
        if command.handler is None and not command.available:
            self._reject(client, argv, self._table.missing_error(argv), None)
            return
        client.last_command = command.name
        client.writes = (command.flags & WRITE) != 0
        if not command.accepts(len(argv)) or command.handler is None:
            self._reject(client, argv, errors.wrong_arity(command.name), command)
            return
        if client.gate or self.gate or command.flags & PROTECTED:
            refusal = self._refusal(client, command)
            if refusal is not None:
                self._reject(client, argv, refusal, command)
                return
            if self._must_wait(client, command):
                client.state = POSTPONED
                client.waiting_argv = argv
                self.postponed.append(client)
                return
            if client.gate & IN_MULTI and command.name not in _NOT_QUEUED:
                self._queue(client, command, argv)
                return
        self._run(client, command, argv)

    def _run(self, client: Client, command: Command, argv: list[bytes]) -> None:
        keyspace = self._keyspace
        if self.cold_tier and not client.gate & IS_LEADER_LINK:
            if self._park_for_values(client, command, argv):
                return
            # EXEC cannot stop in the middle; its stragglers are read inline.
            keyspace.may_park = command is not self.exec_command
        try:
            reply = self._execution.call(client, command, argv)
        except ColdRead as cold:
            keyspace.may_park = False
            self._park(client, argv, cold.database.dbid, [cold.key])
            return
        keyspace.may_park = False
        if isinstance(reply, Block):
            self._blocked.block(client, reply.waiter, reply.timeout_at_ms)
            return
        self.answer(client, reply)

    def answer(self, client: Client, reply: Reply) -> None:
        """Encode the reply into the client's output, unless CLIENT REPLY says otherwise."""
        gate = client.gate
        if gate & (REPLY_MASK | IS_LEADER_LINK | REPLY_SKIP_NEXT):
            if gate & REPLY_SKIP_NEXT:
                # CLIENT REPLY SKIP itself is silent and so is the next command.
                client.gate = (gate & ~REPLY_SKIP_NEXT) | REPLY_SKIP
                return
            if gate & REPLY_SKIP:
                client.gate = gate & ~REPLY_SKIP
                return
            return
        write_reply(client.output.writer, reply, client.resp)

    # --- Admission

    def _reject(self, client: Client, argv: list[bytes], text: bytes, command: Command | None) -> None:
        """Answer with an error before the command runs; a transaction under way will abort."""
        if command is not None and command is self.exec_command:
            # Even if there is no transaction. Redis has no code in front of what it makes up on the spot.
            self._execution.ctx.transactions.discard(client)
            text = b"EXECABORT Transaction discarded because of: " + text.removeprefix(b"ERR ")
            monitors = self._execution.monitors
            if monitors.any:
                # They have been shown MULTI: they are to see that the transaction is over.
                monitors.show(client.database.dbid, client, argv)
        elif client.gate & IN_MULTI:
            client.gate |= DIRTY_EXEC
        if command is not None:
            command.rejected_calls += 1
        self._stats.count_error(text)
        self.answer(client, ErrorReply(text))

    def _refusal(self, client: Client, command: Command) -> bytes | None:
        """The error with which the command is refused now; None: it may run (or be queued)."""
        flags = command.flags
        inverse: i64 = ~flags
        if command is self.exec_command and client.gate & IN_MULTI:
            # EXEC is judged by what it is going to run.
            flags |= client.queued_flags & (WRITE | READONLY | DENYOOM | MAY_REPLICATE | NO_ASYNC_LOADING)
            inverse |= client.queued_inverse_flags & (STALE | LOADING)
        obeyed = (client.gate & IS_LEADER_LINK) != 0
        if flags & PROTECTED and not self._protected_allowed(client, command):
            name = b"DEBUG" if command.name.startswith(b"debug") else b"MODULE"
            return errors.protected_command(name, b"enable-%b-command" % name.lower())
        if client.gate & NEEDS_AUTH and not flags & NO_AUTH and self._settings.requirepass:
            return errors.NOAUTH
        if client.gate & IN_MULTI and flags & NO_MULTI:
            return errors.NOT_IN_MULTI
        gate = self.gate
        if gate & GATE_MEMORY:
            refusal = self._memory.make_room()
            if refusal is not None:
                queueing = client.gate & IN_MULTI and command.name not in _ALWAYS_AFFORDED
                if flags & DENYOOM or queueing:
                    return refusal
        if gate & GATE_DISK and (flags & WRITE or command.name == b"ping") and not obeyed:
            refusal = self._disk.write_refusal()
            if refusal is not None:
                return refusal
        if flags & WRITE and gate & (GATE_REPLICAS | GATE_FOLLOWER):
            refusal = self._write_refusal(obeyed)
            if refusal is not None:
                return refusal
        if client.gate & IN_PUBSUB and client.resp == 2 and command.name not in _IN_PUBSUB:
            return errors.pubsub_context(command.name)
        if gate & GATE_STALE and inverse & STALE and not self._followers.link_is_up():
            return errors.MASTERDOWN
        if gate & GATE_LOADING and inverse & LOADING:
            return errors.LOADING
        if gate & GATE_ASYNC_LOADING and flags & NO_ASYNC_LOADING:
            return errors.LOADING
        if client.gate & IS_REPLICA and flags & (MAY_REPLICATE | WRITE | READONLY):
            return errors.REPLICA_KEYSPACE
        return None

    def _write_refusal(self, obeyed: bool) -> bytes | None:
        settings = self._settings
        if self.gate & GATE_REPLICAS and not self.gate & GATE_FOLLOWER:
            if self._followers.good_replica_count() < settings.min_replicas_to_write:
                return errors.NOREPLICAS
        if self.gate & GATE_FOLLOWER and self.read_only_follower and not obeyed:
            return errors.READONLY
        return None

    def _protected_allowed(self, client: Client, command: Command) -> bool:
        settings = self._settings
        debug = command.name.startswith(b"debug")
        allowed = settings.enable_debug_command if debug else settings.enable_module_command
        return allowed == "yes" or (allowed == "local" and client.is_local)

    def _must_wait(self, client: Client, command: Command) -> bool:
        """CLIENT PAUSE: the command stays with the client until the pause is over."""
        if not self.gate & (GATE_PAUSED_ALL | GATE_PAUSED_WRITES) or client.gate & (IS_REPLICA | IS_LEADER_LINK):
            return False
        if self.gate & GATE_PAUSED_ALL:
            return True
        flags = command.flags
        if command is self.exec_command:
            flags |= client.queued_flags
        return (flags & (WRITE | MAY_REPLICATE)) != 0

    def _queue(self, client: Client, command: Command, argv: list[bytes]) -> None:
        self._execution.ctx.transactions.queue(client, command.flags, argv)
        self.answer(client, QUEUED)

    # --- Cold values

    def _park_for_values(self, client: Client, command: Command, argv: list[bytes]) -> bool:
        """Park the client if the command needs values that are cold."""
        if command is self.exec_command:
            if not client.gate & IN_MULTI:
                return False
            keys: list[bytes] = []
            for queued in client.queued:
                inner = self._table.find(queued)
                if inner is not None and inner.needs_values:
                    keys += inner.value_keys(queued)
        elif command.needs_values:
            keys = command.value_keys(argv)
        else:
            return False
        database = client.database
        if not database.cold_count:
            return False
        table = database.table
        cold: list[bytes] = []
        for key in keys:
            if isinstance(table.get(key), ColdMarker):
                cold.append(key)
        if not cold:
            return False
        self._park(client, argv, database.dbid, cold)
        return True

    def _park(self, client: Client, argv: list[bytes], dbid: int, keys: list[bytes]) -> None:
        client.state = PARKED
        client.waiting_argv = argv
        self._loader.park(client.client_id, dbid, keys)

    def look_ahead(self, client: Client, requests: list[list[bytes]]) -> None:
        """Ask for the cold values of requests that will run soon, so that they come in one batch."""
        database = client.database
        if not database.cold_count:
            return
        table = database.table
        wanted: list[bytes] = []
        for argv in requests:
            command = self._table.find(argv)
            if command is not None and command.needs_values:
                for key in command.value_keys(argv):
                    if isinstance(table.get(key), ColdMarker):
                        wanted.append(key)
        if wanted:
            self._loader.prefetch(database.dbid, wanted)
