"""DEBUG RELOAD and DEBUG LOADAOF: the dataset is emptied and loaded again from its files, while everybody waits.

Source: Redis 7.0.15, debug.c. A file that makes no sense ends the server, as it does at start.
"""

import logging
from typing import Final

from persistence.loader import NEVER_NS, AofLoad, DatasetLoad, LoadObserver, RdbFileLoad, RdbLoader
from persistence.service import Persistence
from redrock import errors
from redrock.config.values import SettingValues
from redrock.errors import ReplyError
from redrock.interfaces import CommandExecutor
from redrock.keyspace.keyspace import Keyspace
from replication.feed import Feed

logger: Final = logging.getLogger("redrock")


class Reload:
    """``executor`` runs the commands of the log."""

    def __init__(
        self,
        keyspace: Keyspace,
        settings: SettingValues,
        persistence: Persistence,
        feed: Feed,
        executor: CommandExecutor,
    ) -> None:
        self._keyspace: Final = keyspace
        self._settings: Final = settings
        self._persistence: Final = persistence
        self._feed: Final = feed
        self._executor: Final = executor

    def rdb(self, save: bool, flush: bool, merge: bool) -> None:
        """Save if wanted, empty the dataset if wanted, and load the RDB file. Raises ReplyError."""
        persistence = self._persistence
        if save and not persistence.save():
            raise ReplyError(errors.SAVE_FAILED)
        if flush:
            self._empty()
        loader = RdbLoader(
            self._keyspace,
            self._settings,
            persistence.status,
            self._keyspace.now_ms,
            self._keyspace.follower,
            LoadObserver(),
            merge,
        )
        try:
            load = RdbFileLoad(
                persistence.disk,
                self._settings.dbfilename,
                loader,
                persistence.status,
                self._settings.rdbchecksum,
            )
        except OSError:
            raise ReplyError(errors.RELOAD_FAILED) from None
        self._run(load)
        logger.warning("DB reloaded by DEBUG RELOAD")

    def log(self) -> None:
        """Write out what the log still holds in memory, empty the dataset, and load the log."""
        persistence = self._persistence
        persistence.log.flush(force=True)
        # The files are read as at a start: by what the manifest on the disk says, and old ones are removed.
        persistence.log.load_manifest()
        persistence.log.remove_history()
        self._empty()
        # What the log's commands do is not to be propagated again.
        sinks = [sink for sink in (persistence.log, self._feed) if sink.active]
        for sink in sinks:
            sink.active = False
        try:
            load = AofLoad(
                persistence.disk,
                persistence.log,
                self._keyspace,
                self._settings,
                persistence.status,
                self._executor,
                LoadObserver(),
                self._keyspace.now_ms,
            )
            if load.is_there:
                self._run(load)
        finally:
            for sink in sinks:
                sink.active = True
        self._keyspace.dirty = 0
        logger.warning("Append Only File loaded by DEBUG LOADAOF")

    def _empty(self) -> None:
        for database in self._keyspace.databases:
            database.clear()

    def _run(self, load: DatasetLoad) -> None:
        self._keyspace.loading = True
        try:
            load.step(NEVER_NS)
        finally:
            load.close()
            self._keyspace.loading = False
            self._persistence.status.load.end()
