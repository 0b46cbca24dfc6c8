"""Filling the keyspace from an RDB or from the append-only log: in steps, so that clients can be served meanwhile.

`RdbLoader` puts what an RDB reader says into the keyspace; full syncs use it directly. `RdbFileLoad` and `AofLoad` are
whole loads, files included: step() goes on for a while, until it says that it is done. Both log in Redis's words.

Rules (Redis 7.0.15, rdb.c, rdbLoadRioWithLoadingCtx; aof.c, loadAppendOnlyFiles): a leader leaves out keys that have
expired, a follower keeps them for its leader to remove, and so does the log's base, since the commands after it count
on them. A key that occurs twice means a broken file. Collections without elements are left out.

Errors: what a server must not start on is logged and raised as FatalError; in a full sync the caller decides, so
`RdbLoader` and its reader raise CorruptionError too. Times are milliseconds since the epoch, if not said otherwise.
"""

import logging
import time
from typing import Final, final

from mypy_extensions import i32, i64, mypyc_attr

from persistence.aof.reader import AofEnd, AofReader
from persistence.append_only import AppendOnlyLog
from persistence.files import Disk, ReadFile, reason
from persistence.rdb.events import (
    Aux,
    EndOfFile,
    FunctionPayload,
    KeyRecord,
    ModuleAux,
    RdbEvent,
    SelectDb,
)
from persistence.rdb.reader import RdbReader
from persistence.rdb.values.value_codec import EmptyValueError, LoadLimits
from persistence.rdb.writer import ReplicationInfo
from persistence.snapshot.engine import debug_delay
from persistence.status import PersistenceStatus
from redrock.config.values import SettingValues
from redrock.errors import CorruptionError, FatalError, ReplyError
from redrock.interfaces import CommandExecutor
from redrock.keyspace.database import Database
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.last_use import lru_word_of_idle

logger: Final = logging.getLogger("redrock.persistence")

READ_BYTES: Final = 512 * 1024
# How many events are handled between two looks at the clock; fewer if each of them is slow (key-load-delay).
_EVENTS_PER_LOOK: Final = 64
_EVENTS_PER_LOOK_DELAYED: Final = 1
_EMPTY_KEYS_LOGGED_MAX: Final = 10

NEVER_NS: Final = 1 << 62
"""A deadline that never comes: load in one step."""


@mypyc_attr(allow_interpreted_subclasses=True)
class LoadObserver:
    """Has something to do with keys as they are loaded. The default does nothing."""

    def key_expired(self, dbid: int, key: bytes) -> None:
        """A leader has left out a key whose time is over: followers that resume from before must be told."""

    def key_added(self, database: Database, key: bytes) -> None:
        """A key is in the keyspace."""

    def must_wait(self) -> bool:
        """Whether the load has to pause for a moment: memory is short, and values are on their way to the disk."""
        return False


def load_limits(settings: SettingValues) -> LoadLimits:
    """The limits that decide about encodings, from the directives of the same names."""
    return LoadLimits(
        settings.hash_max_listpack_entries,
        settings.hash_max_listpack_value,
        settings.list_max_listpack_size,
        settings.set_max_intset_entries,
        settings.zset_max_listpack_entries,
        settings.zset_max_listpack_value,
    )


@final
class RdbLoader:
    """Takes the events of one RDB. ``keep_expired``: leave no key out because of time."""

    def __init__(
        self,
        keyspace: Keyspace,
        settings: SettingValues,
        status: PersistenceStatus,
        now_ms: int,
        keep_expired: bool,
        observer: LoadObserver,
        allow_duplicates: bool = False,
    ) -> None:
        self._keyspace: Final = keyspace
        self._status: Final = status
        self._limits: Final = load_limits(settings)
        self._now_ms: i64 = now_ms
        self._keep_expired: Final = keep_expired
        self._observer: Final = observer
        self._allow_duplicates: Final = allow_duplicates
        self._delay_us: Final = settings.key_load_delay
        self._database: Database = keyspace.databases[0]
        self._empty_keys = 0
        self._stream_db = -1
        self._replid = b""
        self._repl_offset = -1
        # Sources of function libraries, in order: for whoever knows what to do with them.
        self.functions: Final[list[bytes]] = []
        self.finished = False
        self.events_per_look: Final = _EVENTS_PER_LOOK_DELAYED if self._delay_us > 0 else _EVENTS_PER_LOOK

    def replication_info(self) -> ReplicationInfo | None:
        """What the file says of the stream it belongs to, if it says all of it."""
        if not self._replid or self._repl_offset < 0 or self._stream_db < 0:
            return None
        return ReplicationInfo(self._stream_db, self._replid, self._repl_offset)

    def handle(self, event: RdbEvent) -> None:
        """One event of the reader, in order. Raises FatalError or CorruptionError if it cannot be obeyed."""
        if isinstance(event, KeyRecord):
            self._add(event)
        elif isinstance(event, SelectDb):
            if event.dbid >= len(self._keyspace.databases):
                logger.warning(
                    "FATAL: Data file was created with a Redis server configured to handle more than %d databases. "
                    "Exiting\n",
                    len(self._keyspace.databases),
                )
                raise FatalError("too many databases in the data file")
            self._database = self._keyspace.databases[event.dbid]
        elif isinstance(event, Aux):
            self._take_fact(event.name, event.value)
        elif isinstance(event, FunctionPayload):
            self.functions.append(event.code)
        elif isinstance(event, ModuleAux):
            logger.warning(
                "The RDB file contains AUX module data I can't load: no matching module '%s'",
                event.module_name.decode(),
            )
            raise FatalError("module data in the data file")
        elif isinstance(event, EndOfFile):
            self._finish()

    def _add(self, record: KeyRecord) -> None:
        status = self._status
        try:
            value = record.decode(self._limits)
        except EmptyValueError:
            if self._empty_keys < _EMPTY_KEYS_LOGGED_MAX:
                logger.warning("rdbLoadObject skipping empty key: %s", record.key.decode(errors="replace"))
            self._empty_keys += 1
            return
        database = self._database
        at = record.expire_at_ms
        if at != -1 and at < self._now_ms and not self._keep_expired:
            status.rdb_last_load_keys_expired += 1
            self._observer.key_expired(database.dbid, record.key)
            return
        if not database.add_loaded(record.key, value, at):
            if not self._allow_duplicates:
                key = record.key.decode(errors="replace")
                logger.warning("RDB has duplicated key '%s' in DB %d", key, database.dbid)
                raise FatalError("duplicated key in the data file")
            database.remove(record.key)
            database.add_loaded(record.key, value, at)
        status.rdb_last_load_keys_loaded += 1
        keyspace = self._keyspace
        if keyspace.lfu:
            if record.lfu_freq >= 0:
                value.last_use = keyspace.lfu_clock.of_counter(i32(record.lfu_freq))
        elif record.lru_idle >= 0:
            value.last_use = lru_word_of_idle(record.lru_idle, keyspace.lru_clock)
        self._observer.key_added(database, record.key)
        if self._delay_us:
            debug_delay(self._delay_us, keyspace.random)

    def _take_fact(self, name: bytes, value: bytes) -> None:
        text = value.decode(errors="replace")
        fact = name.lower()
        if name.startswith(b"%"):
            # Facts meant to be seen.
            logger.info("RDB '%s': %s", name.decode(errors="replace"), text)
        elif fact == b"repl-stream-db":
            self._stream_db = _number(value)
        elif fact == b"repl-id":
            if len(value) == 40:
                self._replid = value
        elif fact == b"repl-offset":
            self._repl_offset = _number(value)
        elif fact == b"redis-ver":
            logger.info("Loading RDB produced by version %s", text)
        elif fact == b"ctime":
            logger.info("RDB age %d seconds", max(self._now_ms // 1000 - _number(value), 0))
        elif fact == b"used-mem":
            used = _number(value)
            logger.info("RDB memory usage when created %.2f Mb", used / (1024 * 1024))
            self._status.load.rdb_used_mem = used
        elif fact == b"aof-preamble":
            if _number(value):
                logger.info("RDB has an AOF tail")
        elif fact == b"aof-base":
            if _number(value):
                logger.info("RDB is base AOF")
        elif fact not in (b"redis-bits", b"lua"):
            logger.debug("Unrecognized RDB AUX field: '%s'", name.decode(errors="replace"))

    def _finish(self) -> None:
        self.finished = True
        loaded = self._status.rdb_last_load_keys_loaded
        expired = self._status.rdb_last_load_keys_expired
        if self._empty_keys:
            logger.warning(
                "Done loading RDB, keys loaded: %d, keys expired: %d, empty keys skipped: %d.",
                loaded,
                expired,
                self._empty_keys,
            )
        else:
            logger.info("Done loading RDB, keys loaded: %d, keys expired: %d.", loaded, expired)


def _number(text: bytes) -> int:
    """A decimal number in a fact; 0 if it is none, as C's atoi."""
    try:
        return int(text)
    except ValueError:
        return 0


@mypyc_attr(allow_interpreted_subclasses=True)
class DatasetLoad:
    """A load in steps."""

    def step(self, deadline_ns: int) -> bool:
        """Go on until the load is over (True), or the monotonic clock has reached ``deadline_ns`` (False)."""
        raise NotImplementedError

    def close(self) -> None:
        """Give up files that are open. Harmless the second time."""
        raise NotImplementedError


@final
class RdbFileLoad(DatasetLoad):
    """Load an RDB file. OSError at construction if it cannot be opened."""

    def __init__(self, disk: Disk, path: str, loader: RdbLoader, status: PersistenceStatus, verify: bool) -> None:
        self.loader: Final = loader
        self._file: Final = disk.open_read(path)
        self._reader: Final = RdbReader(verify)
        self._status: Final = status
        status.load.begin(int(time.time()), self._file.size())
        status.rdb_last_load_keys_expired = 0
        status.rdb_last_load_keys_loaded = 0

    def step(self, deadline_ns: int) -> bool:
        reader = self._reader
        try:
            while True:
                for _ in range(self.loader.events_per_look):
                    event = reader.next_event()
                    if event is None:
                        data = self._file.read(READ_BYTES)
                        if not data:
                            reader.end_of_input()
                        reader.feed(data)
                        self._status.load.loaded_bytes = reader.position()
                        break
                    self.loader.handle(event)
                    if self.loader.finished:
                        self._status.load.loaded_bytes = reader.position()
                        return True
                if time.monotonic_ns() >= deadline_ns:
                    return False
        except CorruptionError as corruption:
            raise report_broken_rdb(corruption) from corruption
        except OSError as error:
            logger.warning("Fatal error loading the DB: %s. Exiting.", reason(error))
            raise FatalError("the RDB file cannot be read") from error

    def close(self) -> None:
        self._file.close()


def report_broken_rdb(error: CorruptionError) -> FatalError:
    """Log what is wrong with an RDB file that the server was to start on."""
    if error.reason.startswith(("Wrong signature", "Can't handle RDB format version")):
        logger.warning("%s", error.reason)
        logger.warning("Fatal error loading the DB: Invalid argument. Exiting.")
    elif error.reason.startswith("Wrong RDB checksum"):
        logger.warning("%s. Aborting now.", error.reason)
        _report_internal(error.position, "RDB CRC error")
    elif error.reason.startswith("Unexpected"):
        logger.warning("Short read or OOM loading DB. Unrecoverable error, aborting now.")
        _report_internal(error.position, error.reason)
    else:
        _report_internal(error.position, error.reason)
    return FatalError("the RDB file is broken")


def _report_internal(position: int, text: str) -> None:
    logger.warning("Internal error in RDB reading offset %d -> %s", position, text)
    logger.warning("Terminating server after rdb file reading failure.")


@final
class AofLoad(DatasetLoad):
    """Load the append-only log: its base and its increments. ``is_there`` is False if there is nothing to load."""

    def __init__(
        self,
        disk: Disk,
        log: AppendOnlyLog,
        keyspace: Keyspace,
        settings: SettingValues,
        status: PersistenceStatus,
        executor: CommandExecutor,
        observer: LoadObserver,
        now_ms: int,
    ) -> None:
        self._disk: Final = disk
        self._log: Final = log
        self._keyspace: Final = keyspace
        self._settings: Final = settings
        self._status: Final = status
        self._executor: Final = executor
        self._observer: Final = observer
        self._now_ms: Final = now_ms
        self._events_per_look: Final = _EVENTS_PER_LOOK_DELAYED if settings.key_load_delay > 0 else _EVENTS_PER_LOOK
        self._file: ReadFile | None = None
        self._reader: AofReader | None = None
        self._loader: RdbLoader | None = None
        self._started_ns = 0
        self._file_started_at = 0
        self.functions: Final[list[bytes]] = []
        self._sizes = [self._size_of(row.name) for row in log.manifest.files_to_load()]
        self._next = 0
        self.is_there = bool(self._sizes)
        total = sum(self._sizes)
        if self.is_there and total:
            status.load.begin(int(time.time()), total)
            status.rdb_last_load_keys_expired = 0
            status.rdb_last_load_keys_loaded = 0
        status.aof_current_size = total
        status.aof_base_size = self._sizes[0] if log.manifest.base is not None else 0

    def _size_of(self, name: str) -> int:
        try:
            return self._disk.file_size(self._log.path(name))
        except OSError as error:
            logger.warning("Unable to obtain the AOF file %s length. stat: %s", name, reason(error))
            raise FatalError("a file of the AOF is missing") from error

    def step(self, deadline_ns: int) -> bool:
        while True:
            if self._reader is None and not self._open_next():
                return True
            reader = self._reader
            assert reader is not None
            try:
                for _ in range(self._events_per_look):
                    event = reader.next_event()
                    if event is None:
                        self._feed(reader)
                        break
                    if isinstance(event, list):
                        self._apply(event)
                    elif isinstance(event, AofEnd):
                        self._file_ended(event)
                        break
                    else:
                        self._take_rdb_event(event)
            except CorruptionError as error:
                raise self._report_broken(error) from error
            if time.monotonic_ns() >= deadline_ns:
                return False

    def _open_next(self) -> bool:
        """Go on with the next file that is not empty; False if there is none."""
        rows = self._log.manifest.files_to_load()
        while self._next < len(rows):
            name = rows[self._next].name
            self._next += 1
            if self._sizes[self._next - 1] == 0:
                continue
            try:
                self._file = self._disk.open_read(self._log.path(name))
            except OSError as error:
                logger.warning("Fatal error: can't open the append log file %s for reading: %s", name, reason(error))
                raise FatalError("a file of the AOF cannot be opened") from error
            self._reader = AofReader(name, self._settings.rdbchecksum)
            self._loader = None
            self._started_ns = time.monotonic_ns()
            self._file_started_at = self._status.load.loaded_bytes
            # Every file begins at database 0, whatever was selected at the end of the one before.
            self._executor.apply([b"SELECT", b"0"])
            return True
        return False

    def _feed(self, reader: AofReader) -> None:
        assert self._file is not None
        try:
            data = self._file.read(READ_BYTES)
        except OSError as error:
            logger.warning("Unrecoverable error reading the append only file %s: %s", reader.source, reason(error))
            raise FatalError("a file of the AOF cannot be read") from error
        if data:
            reader.feed(data)
            self._status.load.loaded_bytes += len(data)
        else:
            reader.end_of_input()

    def _apply(self, argv: list[bytes]) -> None:
        try:
            self._executor.apply(argv)
        except ReplyError as error:
            assert self._reader is not None
            logger.warning(
                "Unknown command '%s' reading the append only file %s",
                argv[0].decode(errors="replace"),
                self._reader.source,
            )
            raise FatalError("unknown command in the AOF") from error
        if self._settings.key_load_delay:
            debug_delay(self._settings.key_load_delay, self._keyspace.random)

    def _take_rdb_event(self, event: RdbEvent) -> None:
        loader = self._loader
        reader = self._reader
        assert reader is not None
        old_style = reader.source == self._settings.appendfilename
        if loader is None:
            if old_style:
                logger.info("Reading RDB preamble from AOF file...")
            else:
                logger.info("Reading RDB base file on AOF loading...")
            loader = RdbLoader(self._keyspace, self._settings, self._status, self._now_ms, True, self._observer)
            self._loader = loader
        loader.handle(event)
        if loader.finished:
            self.functions.extend(loader.functions)
            if old_style:
                logger.info("Reading the remaining AOF tail...")

    def _file_ended(self, end: AofEnd) -> None:
        reader = self._reader
        file = self._file
        assert reader is not None
        assert file is not None
        file.close()
        name = reader.source
        is_last = self._next == len(self._sizes)
        if end.open_transaction:
            logger.warning("Revert incomplete MULTI/EXEC transaction in AOF file %s", name)
        if end.truncated or end.open_transaction:
            self._cut(name, end.valid_up_to)
            if not is_last:
                logger.warning("Fatal error: the truncated file is not the last file")
                raise FatalError("the AOF is broken")
        kind = "base" if self._next == 1 and self._log.manifest.base is not None else "incr"
        seconds = (time.monotonic_ns() - self._started_ns) / 1e9
        logger.info("DB loaded from %s file %s: %.3f seconds", kind, name, seconds)
        self._reader = None
        self._file = None

    def _cut(self, name: str, valid_up_to: int) -> None:
        """The end of the file is missing: cut it after its last whole command, if that is allowed."""
        if self._settings.aof_load_truncated:
            logger.warning("!!! Warning: short read while loading the AOF file %s!!!", name)
            logger.warning("!!! Truncating the AOF %s at offset %d !!!", name, valid_up_to)
            try:
                self._disk.truncate(self._log.path(name), valid_up_to)
            except OSError as error:
                logger.warning("Error truncating the AOF file %s: %s", name, reason(error))
            else:
                lost = self._sizes[self._next - 1] - valid_up_to
                self._status.aof_current_size -= lost
                logger.warning("AOF %s loaded anyway because aof-load-truncated is enabled", name)
                return
        logger.warning(
            "Unexpected end of file reading the append only file %s. You can: 1) Make a backup of your AOF file, then "
            "use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' "
            "configuration option to yes and restart the server.",
            name,
        )
        raise FatalError("the AOF is truncated")

    def _report_broken(self, error: CorruptionError) -> FatalError:
        reader = self._reader
        assert reader is not None
        name = reader.source
        if reader.is_in_rdb():
            report_broken_rdb(error)
            if name == self._settings.appendfilename:
                logger.warning("Error reading the RDB preamble of the AOF file %s, AOF loading aborted", name)
            else:
                logger.warning("Error reading the RDB base file %s, AOF loading aborted", name)
        else:
            logger.warning(
                "Bad file format reading the append only file %s: make a backup of your AOF file, then use "
                "./redis-check-aof --fix <filename.manifest>",
                name,
            )
        return FatalError("the AOF is broken")

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
