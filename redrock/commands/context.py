"""All that a command may touch.

One Context per server, lent to each command in turn: `client`, `db` and `argv` are those of the command that runs.
A command reads time as `now_ms`, chance as `random`; it changes the keyspace through `db`; it tells its effects through
`touch` and, where a follower could not repeat the command, `propagate_as`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from mypy_extensions import mypyc_attr

from redrock.clients.client import Client
from redrock.clients.transaction import Transactions
from redrock.errors import ReplyError
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import Observers
from redrock.monitoring.facts import ServerFacts
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.resp.reply import Reply
from redrock.util.random import RandomSource

if TYPE_CHECKING:
    from persistence.service import Persistence
    from redrock.clients.parking import Parking
    from redrock.clients.registry import ClientRegistry
    from redrock.cold.tier import ColdTier
    from redrock.commands.table import CommandTable
    from redrock.config.settings import Settings
    from redrock.keyspace.expiry import ActiveExpiry
    from redrock.keyspace.spilling import Spilling
    from replication.service import Replication


@mypyc_attr(allow_interpreted_subclasses=True)
class ServerControl:
    """What commands ask of the server as a whole. Implemented above, in redrock.server."""

    def run(self, argv: list[bytes]) -> Reply:
        """Run a queued command inside of EXEC, as the present client; errors come back as ErrorReply."""
        raise NotImplementedError

    def close_client(self, client: Client) -> None:
        """Close a connection as soon as the pass allows; output not yet sent is dropped."""
        raise NotImplementedError

    def unblock(self, client: Client, reply: Reply) -> None:
        """Give a blocked client its reply and let it go on."""
        raise NotImplementedError

    def add_monitor(self, client: Client) -> None:
        """From now on, show the client every command (MONITOR)."""
        raise NotImplementedError

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT."""
        raise NotImplementedError

    def settings_changed(self) -> None:
        """Re-read whatever of the settings is kept in faster places."""
        raise NotImplementedError

    def dataset_flushed(self) -> None:
        """FLUSHALL has emptied every database: a save under way is obsolete, and an empty dataset is saved at once."""
        raise NotImplementedError

    def request_shutdown(self, save: bool, nosave: bool, now: bool, force: bool) -> Reply:
        """SHUTDOWN: what the client gets, if anything. Raises ReplyError if it cannot be begun."""
        raise NotImplementedError

    def shutdown_deadline_ms(self) -> int:
        """Until when a shutdown under way waits for followers; 0 if none does."""
        raise NotImplementedError

    def abort_shutdown(self) -> bool:
        """SHUTDOWN ABORT; whether one was under way."""
        raise NotImplementedError

    def remove_monitor(self, client: Client) -> None:
        """RESET of a monitor."""
        raise NotImplementedError

    def end_blocking(self, client: Client, error: bytes | None) -> bool:
        """CLIENT UNBLOCK: as if the client's time were over, or with an error. False: it is not blocked."""
        raise NotImplementedError

    def pause_clients(self, writes_only: bool, until_ms: int) -> None:
        """CLIENT PAUSE: commands (or those that write) wait until then. A longer or stricter pause stays."""
        raise NotImplementedError

    def unpause_clients(self) -> None:
        """CLIENT UNPAUSE."""
        raise NotImplementedError

    def used_memory(self) -> int:
        """INFO's used_memory, in bytes: everything accounted. The very figure that maxmemory is compared with."""
        raise NotImplementedError

    def uncounted_memory(self) -> int:
        """The part of used_memory that eviction does not count: output of followers, the AOF's buffer."""
        raise NotImplementedError

    def pause_cron(self, paused: bool) -> None:
        """DEBUG PAUSE-CRON."""
        raise NotImplementedError

    def reload_rdb(self, save: bool, flush: bool, merge: bool) -> None:
        """DEBUG RELOAD: save the RDB, empty the dataset, load it again. Raises ReplyError."""
        raise NotImplementedError

    def reload_aof(self) -> None:
        """DEBUG LOADAOF: write the log out, empty the dataset, load it again."""
        raise NotImplementedError


@final
class Context:
    """See the module. Parts are set once by the server when it is built."""

    # Built after the context, and set by the server before the first command.
    persistence: Persistence
    replication: Replication
    active_expiry: ActiveExpiry

    def __init__(
        self,
        keyspace: Keyspace,
        client: Client,
        settings: Settings,
        table: CommandTable,
        clients: ClientRegistry,
        observers: Observers,
        stats: Statistics,
        slowlog: Slowlog,
        transactions: Transactions,
        server: ServerControl,
    ) -> None:
        self.keyspace: Final = keyspace
        self.settings: Final = settings
        self.table: Final = table
        self.clients: Final = clients
        self.observers: Final = observers
        self.stats: Final = stats
        self.slowlog: Final = slowlog
        self.transactions: Final = transactions
        self.server: Final = server
        self.random: RandomSource = keyspace.random
        self.client = client
        self.db: Database = client.database
        # How the running command is to be propagated; see `server.propagation`.
        self.rewritten: list[bytes] | None = None
        self.suppressed = False
        self.forced = False
        self.also: list[tuple[int, list[bytes]]] = []
        # True inside EXEC and scripts: a blocking command must answer at once.
        self.deny_blocking = False
        self.in_exec = False
        self.facts: Final = ServerFacts(keyspace.random)
        # Set if there is a cold tier.
        self.cold_tier: ColdTier | None = None
        self.parking: Parking | None = None
        self.spilling: Spilling | None = None

    @property
    def now_ms(self) -> int:
        return self.keyspace.now_ms

    def touch(self, key: bytes, event_class: int, event: bytes, changes: int = 1) -> None:
        """The key was changed: count it, break WATCH, invalidate caches, send the keyspace event."""
        self.keyspace.dirty += changes
        observers = self.observers
        if observers.watching:
            observers.key_changed(self.db.dbid, key)
        if observers.event_classes & event_class:
            observers.key_event(event_class, event, self.db.dbid, key)

    def notify(self, key: bytes, event_class: int, event: bytes) -> None:
        """A keyspace event beside the one of `touch`."""
        observers = self.observers
        if observers.event_classes & event_class:
            observers.key_event(event_class, event, self.db.dbid, key)

    def propagate_as(self, argv: list[bytes]) -> None:
        """Followers and the AOF get this instead of the command as it came. The last call counts."""
        self.rewritten = argv

    def also_propagate(self, argv: list[bytes], dbid: int = -1) -> None:
        """Followers and the AOF get this too, before the command itself. ``dbid`` -1: the selected database."""
        self.also.append((self.db.dbid if dbid < 0 else dbid, argv))

    def propagate_nothing(self) -> None:
        """The command itself is not propagated, though it changed something (what `also_propagate` took, is)."""
        self.suppressed = True

    def propagate_always(self) -> None:
        """The command is propagated although it changed nothing in the dataset (PUBLISH)."""
        self.forced = True

    def database(self, dbid: int, error: bytes) -> Database:
        """The database of that number; raises ``error`` if there is none."""
        databases = self.keyspace.databases
        if dbid < 0 or dbid >= len(databases):
            raise ReplyError(error)
        return databases[dbid]
