"""MULTI's queue and WATCH's keys.

A watched key that changes, or expires, between WATCH and EXEC makes EXEC answer nil. Source: Redis 7.0.15, multi.c.
Knows the state of clients, not how commands run.
"""

from __future__ import annotations

from typing import Final, final

from mypy_extensions import i64

from redrock.clients.client import DIRTY_CAS, DIRTY_EXEC, IN_MULTI, Client
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import ChangeObserver, Observers


@final
class WatchedKey:
    """One key that one client watches.

    ``expired``: its time was over when WATCH was sent, so for this client it did not exist; that it is removed is no
    change.
    """

    def __init__(self, dbid: int, key: bytes, expired: bool) -> None:
        self.dbid: Final = dbid
        self.key: Final = key
        self.expired = expired


@final
class Transactions(ChangeObserver):
    """Attached to the observers only while somebody watches, so that an unwatched change costs nothing."""

    def __init__(self, keyspace: Keyspace, observers: Observers) -> None:
        self._keyspace: Final = keyspace
        self._observers: Final = observers
        self._watchers: Final[dict[tuple[int, bytes], list[Client]]] = {}

    # --- The queue

    def begin(self, client: Client) -> None:
        client.gate |= IN_MULTI

    def queue(self, client: Client, flags: i64, argv: list[bytes]) -> None:
        """Keep a command with these flags for EXEC; not if the transaction is going to abort anyway."""
        if client.gate & (DIRTY_CAS | DIRTY_EXEC):
            return
        client.queued.append(argv)
        client.queued_flags |= flags
        client.queued_inverse_flags |= ~flags
        client.queued_bytes += sum([len(argument) for argument in argv]) + 56 * len(argv)

    def discard(self, client: Client) -> None:
        """Leave the transaction, whatever was queued, and watch nothing any more."""
        client.queued = []
        client.queued_flags = 0
        client.queued_inverse_flags = 0
        client.queued_bytes = 0
        client.gate &= ~(IN_MULTI | DIRTY_CAS | DIRTY_EXEC)
        self.unwatch(client)

    # --- Watched keys

    def watch(self, client: Client, dbid: int, key: bytes) -> None:
        watchers = self._watchers.setdefault((dbid, key), [])
        if client in watchers:
            return
        watchers.append(client)
        self._observers.attach(self)
        client.watched.append(WatchedKey(dbid, key, self._time_is_over(dbid, key)))

    def unwatch(self, client: Client) -> None:
        if not client.watched:
            return
        for watched in client.watched:
            name = (watched.dbid, watched.key)
            watchers = self._watchers.get(name)
            if watchers is not None and client in watchers:
                watchers.remove(client)
                if not watchers:
                    del self._watchers[name]
        client.watched = []
        if not self._watchers:
            self._observers.detach(self)

    def has_expired_watch(self, client: Client) -> bool:
        """Whether a watched key's time has come since WATCH, though nobody has removed it yet."""
        for watched in client.watched:
            if not watched.expired and self._time_is_over(watched.dbid, watched.key):
                return True
        return False

    def _time_is_over(self, dbid: int, key: bytes) -> bool:
        keyspace = self._keyspace
        at = keyspace.databases[dbid].expire_at(key)
        return 0 <= at < keyspace.now_ms and not keyspace.loading

    # --- ChangeObserver

    def key_changed(self, dbid: int, key: bytes) -> None:
        watchers = self._watchers.get((dbid, key))
        if watchers is None:
            return
        for client in watchers:
            watched = _watched_by(client, dbid, key)
            if not watched.expired:
                client.gate |= DIRTY_CAS
            elif not self._keyspace.databases[dbid].table.contains(key):
                watched.expired = False

    def database_flushed(self, dbid: int) -> None:
        """Called before the keys go: only watchers of keys that exist are concerned."""
        for (watched_dbid, key), watchers in self._watchers.items():
            if dbid in (-1, watched_dbid) and self._keyspace.databases[watched_dbid].table.contains(key):
                for client in watchers:
                    watched = _watched_by(client, watched_dbid, key)
                    if watched.expired:
                        watched.expired = False
                    else:
                        client.gate |= DIRTY_CAS

    def databases_swapped(self, first: int, second: int) -> None:
        """Called before SWAPDB: watchers of a number are concerned if the key is in either database."""
        for (dbid, key), watchers in self._watchers.items():
            if dbid == first:
                self._replaced(dbid, second, key, watchers)
            elif dbid == second:
                self._replaced(dbid, first, key, watchers)

    def _replaced(self, dbid: int, by_dbid: int, key: bytes, watchers: list[Client]) -> None:
        """The watched key is going to be what it is in another database. An expired key counts as none."""
        databases = self._keyspace.databases
        is_there = databases[dbid].table.contains(key)
        will_be = databases[by_dbid].table.contains(key)
        if not is_there and not will_be:
            return
        will_be_expired = self._time_is_over(by_dbid, key)
        for client in watchers:
            watched = _watched_by(client, dbid, key)
            if watched.expired and not will_be:
                watched.expired = False
            elif watched.expired and will_be_expired:
                pass
            elif not watched.expired and not is_there and will_be_expired:
                watched.expired = True
            else:
                client.gate |= DIRTY_CAS


def _watched_by(client: Client, dbid: int, key: bytes) -> WatchedKey:
    """The entry of one who is known to watch the key."""
    for watched in client.watched:
        if watched.dbid == dbid and watched.key == key:
            return watched
    raise AssertionError("a watcher does not know what it watches")
