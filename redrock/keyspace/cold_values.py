"""The cold tier's answers, applied to the databases: a value takes its marker's place, or the marker the value's.

Rows are named by store id, which survives SWAPDB and changes with FLUSHDB; so an answer for a store id that no database
has any more is for nobody.
"""

from typing import Final, final

from mypy_extensions import mypyc_attr

from redrock.cold.owner import ColdOwner
from redrock.datatypes.value import ColdMarker, Value
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.last_use import settled


@mypyc_attr(allow_interpreted_subclasses=True)
class LoadWaiters:
    """Who waits for values to be loaded. Implemented by `clients.parking`."""

    def load_ended(self, store_id: int, key: bytes, failure: bytes | None) -> None:
        """The value is there, or there is no cold value any more, or it cannot be read (the error text)."""
        raise NotImplementedError

    def is_awaited(self, store_id: int, key: bytes) -> bool:
        """Whether a client is waiting for this key, or has not yet run since it was: do not spill it now."""
        raise NotImplementedError


class NobodyWaits(LoadWaiters):
    """Until the waiting room has been built, and in tests."""

    def load_ended(self, store_id: int, key: bytes, failure: bytes | None) -> None:
        pass

    def is_awaited(self, store_id: int, key: bytes) -> bool:
        return False


@final
class ColdValues(ColdOwner):
    """See the module. ``waiters`` is told of every load's end."""

    def __init__(self, keyspace: Keyspace) -> None:
        self._keyspace: Final = keyspace
        self.waiters: LoadWaiters = NobodyWaits()

    def database_of(self, store_id: int) -> Database | None:
        """The database whose rows have this store id now."""
        for database in self._keyspace.databases:
            if database.store_id == store_id:
                return database
        return None

    def value_loaded(self, store_id: int, key: bytes, value: Value) -> None:
        database = self.database_of(store_id)
        if database is not None and isinstance(database.table.get(key), ColdMarker):
            database.swap_in(key, value)
        self.waiters.load_ended(store_id, key, None)

    def load_failed(self, store_id: int, key: bytes, text: bytes) -> None:
        self.waiters.load_ended(store_id, key, text)

    def load_void(self, store_id: int, key: bytes) -> None:
        self.waiters.load_ended(store_id, key, None)

    def value_written(self, store_id: int, key: bytes, value: Value, marker: ColdMarker) -> bool:
        if value.last_use < 0:
            database = self.database_of(store_id)
            if database is not None and database.table.get(key) is value:
                database.swap_out(key, value, marker)
                return True
            # It lives elsewhere now, or nowhere.
            value.last_use = settled(value.last_use)
        return False

    def write_failed(self, value: Value) -> None:
        value.last_use = settled(value.last_use)

    def encoding_of(self, store_id: int, key: bytes) -> bytes:
        database = self.database_of(store_id)
        found = None if database is None else database.table.get(key)
        return found.encoding() if isinstance(found, ColdMarker) else b""
