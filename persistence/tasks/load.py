"""Loading the dataset at start, in slices between which clients are answered: LOADING, or what works without data.

Which file: the append-only log if appendonly is on, else the RDB. No file is an empty dataset; a file that cannot be
read, or makes no sense, is a FatalError. Source: Redis 7.0.15, server.c, loadDataFromDisk.
"""

import logging
import time
from typing import Final

import trio

from persistence.files import reason
from persistence.loader import AofLoad, DatasetLoad, LoadObserver, RdbFileLoad, RdbLoader
from persistence.rdb.writer import ReplicationInfo
from persistence.service import Persistence
from redrock.config.values import SettingValues
from redrock.errors import FatalError
from redrock.interfaces import CommandExecutor
from redrock.keyspace.keyspace import Keyspace
from redrock.util.clock import Clock

logger: Final = logging.getLogger("redrock.persistence")

# How long clients wait at most while a slice runs.
_SLICE_NS: Final = 5_000_000
# How long to wait for the cold tier before looking again whether it has caught up.
_BRAKE_SECONDS: Final = 0.002


class LoadedDataset:
    """What the files said beside keys and values."""

    def __init__(self, replication: ReplicationInfo | None, functions: list[bytes]) -> None:
        # Where the RDB stands in a replication stream; None also when the log was loaded, which does not know.
        self.replication: Final = replication
        # Sources of function libraries.
        self.functions: Final = functions


class LoadTask:
    """The load at start. ``executor`` runs the log's commands."""

    def __init__(
        self,
        persistence: Persistence,
        keyspace: Keyspace,
        settings: SettingValues,
        clock: Clock,
        executor: CommandExecutor,
        observer: LoadObserver,
    ) -> None:
        self._persistence: Final = persistence
        self._keyspace: Final = keyspace
        self._settings: Final = settings
        self._clock: Final = clock
        self._executor: Final = executor
        self._observer: Final = observer

    async def load(self) -> LoadedDataset:
        """Load, then open the log for appending if appendonly is on. Raises FatalError, logged."""
        log = self._persistence.log
        log.load_manifest()
        self._keyspace.loading = True
        try:
            loaded = await (self._load_log() if self._settings.appendonly else self._load_rdb())
        finally:
            self._keyspace.loading = False
            self._persistence.status.load.end()
        self._persistence.open_log()
        log.remove_history()
        return loaded

    async def _load_log(self) -> LoadedDataset:
        started = time.monotonic()
        log = self._persistence.log
        log.upgrade_old_style()
        load = AofLoad(
            self._persistence.disk,
            log,
            self._keyspace,
            self._settings,
            self._persistence.status,
            self._executor,
            self._observer,
            self._clock.now_ms(),
        )
        if load.is_there:
            await self._run(load)
            logger.info("DB loaded from append only file: %.3f seconds", time.monotonic() - started)
        return LoadedDataset(None, load.functions)

    async def _load_rdb(self) -> LoadedDataset:
        started = time.monotonic()
        loader = RdbLoader(
            self._keyspace,
            self._settings,
            self._persistence.status,
            self._clock.now_ms(),
            self._keyspace.follower,
            self._observer,
        )
        try:
            load = RdbFileLoad(
                self._persistence.disk,
                self._settings.dbfilename,
                loader,
                self._persistence.status,
                self._settings.rdbchecksum,
            )
        except FileNotFoundError:
            return LoadedDataset(None, [])
        except OSError as error:
            logger.warning("Fatal error loading the DB: %s. Exiting.", reason(error))
            raise FatalError("the RDB file cannot be opened") from error
        await self._run(load)
        logger.info("DB loaded from disk: %.3f seconds", time.monotonic() - started)
        return LoadedDataset(loader.replication_info(), loader.functions)

    async def _run(self, load: DatasetLoad) -> None:
        try:
            while not load.step(time.monotonic_ns() + _SLICE_NS):
                await trio.lowlevel.checkpoint()
                while self._observer.must_wait():  # noqa: ASYNC110 - it is for the cold tier to catch up
                    await trio.sleep(_BRAKE_SECONDS)
        finally:
            load.close()
