"""RedRock's own commands: spill on demand, and figures about the cold tier. None of them makes other clients wait.

A command that takes long blocks its client until the last row has been written; inside MULTI, where nothing can block,
it answers at once and the work goes on behind.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Final, final

from redrock import errors
from redrock.clients.client import Client
from redrock.clients.waiter import Block, Waiter
from redrock.cold.link import StoreStartError
from redrock.cold.tier import ColdTier, CompactionListener
from redrock.commands.arguments import integer
from redrock.commands.command import Handler
from redrock.datatypes.value import ColdMarker
from redrock.errors import ReplyError
from redrock.keyspace.spilling import SPILLING, Spilling, Sweep, SweepListener
from redrock.resp.reply import OK, MapReply, Reply
from redrock.util.memory_trim import anonymous_bytes
from redrock.util.numbers import parse_memory

if TYPE_CHECKING:
    from redrock.commands.context import Context
    from redrock.keyspace.database import Database

logger: Final = logging.getLogger("redrock")

_SPILLED: Final = b"spilled"
_NOT_SPILLED: Final = b"used or changed meanwhile, or not writable"


# --- Waiting for the end of a sweep


class _SweepEnd(SweepListener):
    """Gives the blocked client its reply. A class of its own, since a class has one base."""

    def __init__(self, waiter: _SweepWaiter) -> None:
        self._waiter: Final = waiter

    def swept(self, spilled: int, freed_bytes: int) -> None:
        self._waiter.finished()


class _SweepWaiter(Waiter):
    """A client that waits for a sweep. `reply` says what it is told, in the end or when its time is over."""

    def __init__(self, ctx: Context) -> None:
        self._ctx: Final = ctx
        self._client: Client | None = ctx.client
        self.sweep: Sweep | None = None
        self.listener: Final[SweepListener] = _SweepEnd(self)

    def reply(self) -> Reply:
        assert self.sweep is not None
        return self.sweep.spilled

    def finished(self) -> None:
        client = self._client
        self._client = None
        if client is not None:
            self._ctx.server.unblock(client, self.reply())

    def timed_out(self, client: Client) -> Reply:
        self._stop()
        return self.reply()

    def cancelled(self, client: Client) -> None:
        self._stop()

    def _stop(self) -> None:
        self._client = None
        if self.sweep is not None:
            self.sweep.cancelled = True


@final
class _EvictWaiter(_SweepWaiter):
    """ROCKEVICT: how each key has fared is seen when its row has been written, or has not."""

    def __init__(self, ctx: Context, fates: list[tuple[Database, bytes, bytes]]) -> None:
        super().__init__(ctx)
        self._fates: Final = fates

    def reply(self) -> Reply:
        items: list[Reply] = []
        for database, key, fate in self._fates:
            if fate is SPILLING:
                fate = _SPILLED if isinstance(database.table.get(key), ColdMarker) else _NOT_SPILLED
            items += (key, fate)
        return MapReply(items)


def _spilling(ctx: Context) -> Spilling:
    spilling = ctx.spilling
    if spilling is None:
        raise ReplyError(errors.NO_COLD_TIER)
    return spilling


def _run_sweep(ctx: Context, waiter: _SweepWaiter, wanted_bytes: int, timeout_ms: int) -> Reply:
    spilling = _spilling(ctx)
    try:
        sweep = spilling.start_sweep(wanted_bytes, waiter.listener)
    except StoreStartError as error:
        raise ReplyError(errors.cold_tier_unusable(str(error))) from error
    waiter.sweep = sweep
    if ctx.deny_blocking:
        # The sweep goes on; nobody waits for it.
        waiter.cancelled(ctx.client)
        sweep.cancelled = False
        return waiter.reply()
    return Block(waiter, ctx.now_ms + timeout_ms if timeout_ms else 0)


# --- Commands


def rockevict(ctx: Context, argv: list[bytes]) -> Reply:
    """ROCKEVICT key [key ...]: spill these; answers for each key what has become of it."""
    spilling = _spilling(ctx)
    fates: list[tuple[Database, bytes, bytes]] = []
    try:
        for key in argv[1:]:
            fates.append((ctx.db, key, spilling.spill_key(ctx.db, key)))
    except StoreStartError as error:
        raise ReplyError(errors.cold_tier_unusable(str(error))) from error
    waiter = _EvictWaiter(ctx, fates)
    if ctx.deny_blocking or not any(fate is SPILLING for _, _, fate in fates):
        return MapReply([item for _, key, fate in fates for item in (key, fate)])
    # A sweep that wants nothing ends when all that has been begun has been written.
    return _run_sweep(ctx, waiter, 0, 0)


def rockall(ctx: Context, argv: list[bytes]) -> Reply:
    """ROCKALL: spill every value that can be; answers how many that were."""
    return _run_sweep(ctx, _SweepWaiter(ctx), -1, 0)


def rockmem(ctx: Context, argv: list[bytes]) -> Reply:
    """ROCKMEM size [timeout-seconds]: spill the coldest values, about ``size`` bytes of them; how many that were."""
    if len(argv) > 3:
        raise ReplyError(errors.wrong_arity(b"rockmem"))
    size = parse_memory(argv[1])
    if size is None or size <= 0:
        raise ReplyError(errors.ROCKMEM_SIZE)
    timeout_seconds = integer(argv[2]) if len(argv) == 3 else 0
    if timeout_seconds < 0:
        raise ReplyError(errors.ROCKMEM_TIMEOUT)
    return _run_sweep(ctx, _SweepWaiter(ctx), size, timeout_seconds * 1000)


class _LogCompaction(CompactionListener):
    def compacted(self, failure: bytes | None) -> None:
        if failure is None:
            logger.info("The cold tier has been purged")
        else:
            logger.warning("Purging the cold tier failed: %s", failure.decode("utf-8", "replace"))


def purgerocksdb(ctx: Context, argv: list[bytes]) -> Reply:
    """PURGEROCKSDB: give back the disk space of rows that are stale. Goes on in the background."""
    tier = _spilling(ctx).tier
    if tier.is_open():
        tier.compact(_LogCompaction())
    return OK


def rockstat(ctx: Context, argv: list[bytes]) -> Reply:
    """ROCKSTAT: one figure per line. Names are those of the RedRock server in C, with ours beside where they differ."""
    spilling = _spilling(ctx)
    lines = _memory_lines(ctx, spilling.tier) + _key_lines(ctx, spilling.tier)
    return b"".join([b"%b:%b\r\n" % (name, value) for name, value in lines])


def _memory_lines(ctx: Context, tier: ColdTier) -> list[tuple[bytes, bytes]]:
    used = ctx.server.used_memory()
    resident = anonymous_bytes()
    process_limit = ctx.settings.maxpsmem
    system = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return [
        (b"used_human", _human(used)),
        (b"used_peak_human", _human(max(used, ctx.stats.peak_bytes))),
        (b"sys_human", _human(system)),
        (b"free_hmem", _human(free)),
        (b"max_ps_hmem", _human(process_limit) if process_limit > 0 else b"%d" % process_limit),
        (b"max_rock_human", _human(ctx.settings.maxrockmem)),
        (b"rss_hmem", _human(resident + tier.store_anonymous_bytes)),
        (b"rocksdb(and other)", _human(max(0, resident + tier.store_anonymous_bytes - used))),
        (b"leveldb_hmem", _human(tier.store_anonymous_bytes)),
    ]


def _key_lines(ctx: Context, tier: ColdTier) -> list[tuple[bytes, bytes]]:
    keyspace = ctx.keyspace
    keys, cold = keyspace.key_count(), keyspace.cold_count()
    visits = keyspace.hits + keyspace.misses
    figures: list[tuple[bytes, int]] = [
        (b"no_zero_dbnum", sum([1 for database in keyspace.databases if database.table.length()])),
        (b"key_num", keys),
        (b"evict_key_num", keys - cold),
        (b"key_in_disk_num", cold),
        # Hashes are spilled whole, never field by field.
        (b"evict_hash_num", 0),
        (b"evict_field_num", 0),
        (b"field_in_disk_num", 0),
        (b"hash-max-ziplist-entries", ctx.settings.hash_max_listpack_entries),
        (b"hash-max-listpack-entries", ctx.settings.hash_max_listpack_entries),
        (b"hash-max-rock-entries", ctx.settings.hash_max_rock_entries),
        (b"stat_key_total", visits),
        (b"stat_key_rock", tier.loaded_values),
        (b"key_percent", tier.loaded_values * 100 // visits if visits else 0),
        (b"stat_field_total", 0),
        (b"stat_field_rock", 0),
        (b"field_percent", 0),
        (b"spills_in_flight", tier.spills_in_flight()),
        (b"loads_in_flight", tier.loads_in_flight()),
        (b"failed_loads", tier.failed_loads),
        (b"failed_writes", tier.failed_writes),
        (b"estimate_rocksdb_disk_size", tier.store_disk_bytes),
        (b"leveldb_disk_bytes", tier.store_disk_bytes),
        (b"estimate_rocksdb_key_number", cold),
        (b"leveldb_rows", cold),
    ]
    lines = [(name, b"%d" % figure) for name, figure in figures]
    lines.append((b"status", (tier.lost.encode() or tier.failure or b"ok").replace(b"\r", b" ").replace(b"\n", b" ")))
    return lines


def _human(size: int) -> bytes:
    """As Redis prints sizes for people (bytesToHuman): ``1.50M``."""
    if size < 1024:
        return b"%dB" % size
    amount = float(size)
    for unit in (b"K", b"M", b"G"):
        amount /= 1024
        if amount < 1024:
            return b"%.2f%b" % (amount, unit)
    return b"%.2fT" % (amount / 1024)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"rockevict": rockevict,
    b"rockall": rockall,
    b"rockmem": rockmem,
    b"rockstat": rockstat,
    b"purgerocksdb": purgerocksdb,
}
