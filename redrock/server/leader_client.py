"""The leader as a client: what comes down the replication stream runs like any client's commands, but is obeyed.

It has no connection of its own in the executor's eyes: the link task feeds it. It is registered, so that CLIENT LIST
shows it, and so that it can be parked for cold values like anybody else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from redrock.clients.client import IS_LEADER_LINK, PARKED, READY, Client
from redrock.datatypes.value import ColdMarker
from redrock.interfaces import ColdLoader, PassHook
from redrock.keyspace.keyspace import Keyspace
from redrock.util.numbers import parse_integer
from replication.follower.apply import LeaderCommands
from replication.leader.followers import Waker

if TYPE_CHECKING:
    from redrock.clients.registry import ClientRegistry
    from redrock.commands.table import CommandTable
    from redrock.server.dispatcher import Dispatcher
    from redrock.server.serving import Serving


class LeaderClient(LeaderCommands):
    """One per server. `resumed` is to be called at the end of every pass."""

    def __init__(
        self,
        keyspace: Keyspace,
        clients: ClientRegistry,
        table: CommandTable,
        dispatcher: Dispatcher,
        serving: Serving,
        loader: ColdLoader,
    ) -> None:
        self._keyspace: Final = keyspace
        self._clients: Final = clients
        self._table: Final = table
        self._dispatcher: Final = dispatcher
        self._serving: Final = serving
        self._loader: Final = loader
        self._client = self._new_client()
        self._waker: Waker | None = None
        # Calls `resumed` after each pass while something is waited for.
        self.pass_hook = PassHook()

    def _new_client(self) -> Client:
        client = Client(self._clients.next_id(), None, self._keyspace.databases[0], self._keyspace.now_ms)
        client.set(IS_LEADER_LINK)
        return client

    def begin_pass(self) -> None:
        self._serving.begin_pass()

    def apply(self, argv: list[bytes]) -> None:
        self._keyspace.applying = True
        try:
            self._dispatcher.process(self._client, argv)
        finally:
            self._keyspace.applying = False

    def end_pass(self) -> None:
        self._serving.end_pass()

    def select(self, dbid: int) -> None:
        self._client.database = self._keyspace.databases[dbid]

    def selected_dbid(self) -> int:
        return self._client.database.dbid

    def reset(self) -> None:
        """A fresh client: of a half transaction or of a load that nobody waits for any more, nothing is left."""
        self._loader.forget_client(self._client.client_id)
        self._clients.remove(self._client)
        self._client = self._new_client()
        self._clients.add(self._client)
        self._waker = None
        self.pass_hook.wanted = False

    def connected(self, address: bytes) -> None:
        self._client.address = address

    def want_values(self, commands: list[list[bytes]], waker: Waker) -> bool:
        if not self._keyspace.cold_count():
            return False
        wanted = self._cold_keys(commands)
        if not wanted:
            return False
        dbids = list(wanted)
        for dbid in dbids[1:]:
            self._loader.prefetch(dbid, wanted[dbid])
        # The first database's are waited for; by then the others are here too, or will be read when they are met.
        self._waker = waker
        self.pass_hook.wanted = True
        self._client.state = PARKED
        self._loader.park(self._client.client_id, dbids[0], wanted[dbids[0]])
        return True

    def _cold_keys(self, commands: list[list[bytes]]) -> dict[int, list[bytes]]:
        """By database, the keys whose values the commands need and that are cold."""
        databases = self._keyspace.databases
        dbid = self._client.database.dbid
        wanted: dict[int, list[bytes]] = {}
        for argv in commands:
            command = self._table.find(argv)
            if command is None:
                continue
            if command.name == b"select" and len(argv) == 2:
                number = parse_integer(argv[1])
                if number is not None and 0 <= number < len(databases):
                    dbid = number
            elif command.needs_values and databases[dbid].cold_count:
                table = databases[dbid].table
                keys = [key for key in command.value_keys(argv) if isinstance(table.get(key), ColdMarker)]
                if keys:
                    wanted.setdefault(dbid, []).extend(keys)
        return wanted

    def resumed(self) -> None:
        """The values that were waited for may have come."""
        waker = self._waker
        if waker is not None and self._client.state == READY:
            self._waker = None
            self.pass_hook.wanted = False
            waker.wake()
