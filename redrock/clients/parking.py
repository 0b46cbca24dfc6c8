"""Which clients wait for which cold values, and when they may go on.

A parked client waits until the last of its loads has ended. A load that fails fails the command with its error; a value
that has gone meanwhile (deleted, renamed, flushed) is no error: the command looks again and finds what there is.

While a client waits, and until the pass in which it goes on is over, its values are not spilled again: a command that
needs more than memory allows would otherwise never find all of them at once.
"""

from __future__ import annotations

from typing import Final, final

from redrock.cold.tier import ColdTier
from redrock.datatypes.value import ColdMarker
from redrock.interfaces import ClientResumer, ColdLoader, PassHook
from redrock.keyspace.cold_values import LoadWaiters
from redrock.keyspace.keyspace import Keyspace


@final
class _Parked:
    """A client and the loads it waits for: ``missing`` of ``names`` have not ended."""

    def __init__(self, client_id: int) -> None:
        self.client_id: Final = client_id
        self.names: list[tuple[int, bytes]] = []
        self.missing = 0
        self.failure: bytes | None = None


class _Waiters(LoadWaiters):
    """What the cold values tell; a class of its own since a class has one base."""

    def __init__(self, parking: Parking) -> None:
        self._parking: Final = parking

    def load_ended(self, store_id: int, key: bytes, failure: bytes | None) -> None:
        self._parking.load_ended(store_id, key, failure)

    def is_awaited(self, store_id: int, key: bytes) -> bool:
        return self._parking.is_awaited(store_id, key)


class _EndOfPass(PassHook):
    """After the pass in which clients went on."""

    def __init__(self, parking: Parking) -> None:
        self._parking: Final = parking

    def end_of_pass(self) -> None:
        self._parking.forget_resumed()


@final
class Parking(ColdLoader):
    """See the module. ``waiters`` is for `ColdValues`, ``hook`` for the serving of passes."""

    def __init__(self, keyspace: Keyspace, tier: ColdTier, resumer: ClientResumer) -> None:
        self._keyspace: Final = keyspace
        self._tier: Final = tier
        self._resumer: Final = resumer
        self._waiting: dict[tuple[int, bytes], list[_Parked]] = {}
        self._clients: dict[int, _Parked] = {}
        # Names that have been loaded for a client: one that waits for more, or one that may go on and has not run yet.
        # Shared by two clients, a name may be given up too early: then it is loaded once more.
        self._gathered: set[tuple[int, bytes]] = set()
        self._resumed: set[tuple[int, bytes]] = set()
        self.waiters: Final[LoadWaiters] = _Waiters(self)
        self.hook: Final[PassHook] = _EndOfPass(self)
        self.parked_total = 0

    def parked_count(self) -> int:
        """Clients that wait now."""
        return len(self._clients)

    def park(self, client_id: int, dbid: int, keys: list[bytes]) -> None:
        database = self._keyspace.databases[dbid]
        store_id = database.store_id
        parked = _Parked(client_id)
        markers: list[tuple[bytes, ColdMarker]] = []
        for key in dict.fromkeys(keys):
            marker = database.table.get(key)
            if isinstance(marker, ColdMarker):
                markers.append((key, marker))
                parked.names.append((store_id, key))
                self._waiting.setdefault((store_id, key), []).append(parked)
        if not markers:
            self._resumer.resume(client_id, None)
            return
        parked.missing = len(markers)
        self._clients[client_id] = parked
        self.parked_total += 1
        # Only now: a load may fail at once.
        for key, marker in markers:
            self._tier.request_load(store_id, key, marker)

    def prefetch(self, dbid: int, keys: list[bytes]) -> None:
        database = self._keyspace.databases[dbid]
        for key in keys:
            marker = database.table.get(key)
            if isinstance(marker, ColdMarker):
                self._tier.request_load(database.store_id, key, marker)

    def forget_client(self, client_id: int) -> None:
        parked = self._clients.pop(client_id, None)
        if parked is None:
            return
        for name in parked.names:
            others = self._waiting.get(name)
            if others is not None and parked in others:
                others.remove(parked)
                if not others:
                    del self._waiting[name]
        self._gathered.difference_update(parked.names)

    def load_ended(self, store_id: int, key: bytes, failure: bytes | None) -> None:
        """See LoadWaiters."""
        name = (store_id, key)
        for parked in self._waiting.pop(name, []):
            parked.missing -= 1
            parked.failure = parked.failure or failure
            if parked.missing == 0:
                del self._clients[parked.client_id]
                self._gathered.difference_update(parked.names)
                self._resumed.update(parked.names)
                self._resumer.resume(parked.client_id, parked.failure)
            else:
                self._gathered.add(name)

    def is_awaited(self, store_id: int, key: bytes) -> bool:
        """See LoadWaiters."""
        return (store_id, key) in self._resumed or (store_id, key) in self._gathered

    def forget_resumed(self) -> None:
        """Those that could go on have run: from now on their values are like any others."""
        if self._resumed:
            self._resumed.clear()
