"""MEMORY and its subcommands, and the figures of memory that INFO shows too.

Source: Redis 7.0.15, object.c, memoryCommand and getMemoryOverheadData. What Redis asks its allocator, we take from the
accounting (`used`) and from the operating system (`resident`): there is no allocator in between that could tell more.
Sizes are bytes.
"""

from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.clients.listing import TYPE_LEADER, TYPE_REPLICA, type_of
from redrock.commands.command import Handler
from redrock.commands.help import help_reply
from redrock.datatypes.scan_dict import ENTRY_BYTES
from redrock.datatypes.value import Value
from redrock.errors import ReplyError
from redrock.keyspace.database import EXPIRE_BYTES, key_bytes
from redrock.monitoring.facts import BASE_BYTES
from redrock.monitoring.resident import resident_bytes
from redrock.resp.reply import OK, MapReply, Reply, Verbatim
from redrock.util.memory_trim import trim
from redrock.util.numbers import parse_integer

if TYPE_CHECKING:
    from redrock.commands.context import Context

_HELP: Final = (
    b"DOCTOR",
    b"    Look for trouble with memory and say what is found.",
    b"MALLOC-STATS",
    b"    Show what the allocator has to say.",
    b"PURGE",
    b"    Give free memory back to the operating system.",
    b"STATS",
    b"    Show what memory is used for.",
    b"USAGE <key> [SAMPLES <count>]",
    b"    Show the bytes that a key and its value take in memory. <count> is accepted",
    b"    and not needed, since sizes are kept exactly.",
)


class MemoryFigures:
    """A look at memory now. Names are those of MEMORY STATS, with ``_`` for ``.`` and ``-``."""

    def __init__(self, ctx: "Context") -> None:
        keyspace = ctx.keyspace
        stats = ctx.stats
        self.total_allocated: Final = ctx.server.used_memory()
        stats.peak_bytes = max(stats.peak_bytes, self.total_allocated)
        self.peak_allocated: Final[int] = stats.peak_bytes
        self.startup_allocated: Final = BASE_BYTES
        self.resident: Final = resident_bytes()
        self.replication_backlog: Final = ctx.replication.feed.memory_bytes()
        self.clients_slaves = 0
        self.clients_normal = 0
        for client in ctx.clients.all():
            kind = type_of(client)
            if kind == TYPE_REPLICA:
                self.clients_slaves += client.memory_bytes()
            elif kind != TYPE_LEADER:
                self.clients_normal += client.memory_bytes()
        self.aof_buffer: Final = ctx.persistence.status.aof_buffer_length
        self.databases: Final = [
            (database.dbid, database.table.memory_bytes(), database.expires.memory_bytes())
            for database in keyspace.databases
            if database.table.length()
        ]
        self.overhead_total: Final = (
            self.startup_allocated
            + self.replication_backlog
            + self.clients_slaves
            + self.clients_normal
            + self.aof_buffer
            + sum(main + expires for _, main, expires in self.databases)
        )
        self.keys_count: Final = keyspace.key_count()
        self.dataset_bytes: Final = max(0, self.total_allocated - self.overhead_total)
        net = max(0, self.total_allocated - self.startup_allocated)
        self.keys_bytes_per_key: Final = net // self.keys_count if self.keys_count else 0
        self.dataset_percentage: Final = self.dataset_bytes * 100 / (net or 1)
        self.peak_percentage: Final = self.total_allocated * 100 / self.peak_allocated
        self.fragmentation: Final = self.resident / self.total_allocated
        self.fragmentation_bytes: Final = self.resident - self.total_allocated


def memory_stats(ctx: "Context", argv: list[bytes]) -> Reply:
    """MEMORY STATS"""
    figures = MemoryFigures(ctx)
    items: list[Reply] = [
        b"peak.allocated",
        figures.peak_allocated,
        b"total.allocated",
        figures.total_allocated,
        b"startup.allocated",
        figures.startup_allocated,
        b"replication.backlog",
        figures.replication_backlog,
        b"clients.slaves",
        figures.clients_slaves,
        b"clients.normal",
        figures.clients_normal,
        b"cluster.links",
        0,
        b"aof.buffer",
        figures.aof_buffer,
        b"lua.caches",
        0,
        b"functions.caches",
        0,
    ]
    for dbid, main, expires in figures.databases:
        items.append(b"db.%d" % dbid)
        overhead: list[Reply] = [b"overhead.hashtable.main", main, b"overhead.hashtable.expires", expires]
        overhead += [b"overhead.hashtable.slot-to-keys", 0]
        items.append(MapReply(overhead))
    items += [
        b"overhead.total",
        figures.overhead_total,
        b"keys.count",
        figures.keys_count,
        b"keys.bytes-per-key",
        figures.keys_bytes_per_key,
        b"dataset.bytes",
        figures.dataset_bytes,
        b"dataset.percentage",
        figures.dataset_percentage,
        b"peak.percentage",
        figures.peak_percentage,
        b"allocator.allocated",
        figures.total_allocated,
        b"allocator.active",
        figures.resident,
        b"allocator.resident",
        figures.resident,
        b"allocator-fragmentation.ratio",
        figures.fragmentation,
        b"allocator-fragmentation.bytes",
        figures.fragmentation_bytes,
        b"allocator-rss.ratio",
        1.0,
        b"allocator-rss.bytes",
        0,
        b"rss-overhead.ratio",
        1.0,
        b"rss-overhead.bytes",
        0,
        b"fragmentation",
        figures.fragmentation,
        b"fragmentation.bytes",
        figures.fragmentation_bytes,
    ]
    return MapReply(items)


def memory_usage(ctx: "Context", argv: list[bytes]) -> Reply:
    """MEMORY USAGE key [SAMPLES count]: of a cold value, what remains of it in memory."""
    for at in range(3, len(argv), 2):
        if argv[at].upper() != b"SAMPLES" or at + 1 == len(argv):
            raise ReplyError(errors.SYNTAX)
        samples = parse_integer(argv[at + 1])
        if samples is None:
            raise ReplyError(errors.NOT_AN_INTEGER)
        if samples < 0:
            raise ReplyError(errors.SYNTAX)
    key = argv[2]
    # As in Redis, a key whose time is over is told of as long as it is there.
    value = ctx.db.table.get(key)
    if value is None:
        return None
    assert isinstance(value, Value)
    expires = EXPIRE_BYTES + ENTRY_BYTES if ctx.db.expire_at(key) >= 0 else 0
    return value.memory_bytes() + key_bytes(key) + ENTRY_BYTES + expires


# Below this, ratios say nothing.
_TALKING_BYTES_MIN: Final = 5 * 1024 * 1024


def memory_doctor(ctx: "Context", argv: list[bytes]) -> Reply:
    """MEMORY DOCTOR"""
    figures = MemoryFigures(ctx)
    if figures.total_allocated < _TALKING_BYTES_MIN:
        return Verbatim(b"There is too little in memory to tell whether anything is wrong with it.\n")
    found: list[bytes] = []
    if figures.peak_allocated > figures.total_allocated * 1.5:
        found.append(
            b"Peak: memory use was much higher in the past than it is now. The operating system may not have got all "
            b"of the difference back, which shows as fragmentation. MEMORY PURGE may help."
        )
    if figures.fragmentation > 1.6 and figures.fragmentation_bytes > (64 << 20):
        found.append(
            b"Fragmentation: resident memory is %.1f times what is accounted. Deleted and changed values leave holes."
            % figures.fragmentation
        )
    count = len(ctx.clients.all()) or 1
    if figures.clients_normal / count > 200 * 1024:
        found.append(
            b"Client buffers: clients take more than 200 KB each on average. Look for clients that read their replies "
            b"too slowly or send huge pipelines: CLIENT LIST shows them."
        )
    if figures.clients_slaves > (10 << 20):
        found.append(b"Replica buffers: replicas do not keep up with the stream, and what they lack is kept for them.")
    if not found:
        return Verbatim(b"Nothing is wrong with the memory of this server.\n")
    return Verbatim(b"".join([b" * " + line + b"\n\n" for line in found]))


def memory_malloc_stats(ctx: "Context", argv: list[bytes]) -> Reply:
    """MEMORY MALLOC-STATS"""
    return b"Stats not supported for the current allocator"


def memory_purge(ctx: "Context", argv: list[bytes]) -> Reply:
    """MEMORY PURGE: everybody waits for it, some tenths of a second if there is much to give back."""
    trim()
    return OK


def memory_help(ctx: "Context", argv: list[bytes]) -> Reply:
    """MEMORY HELP"""
    return help_reply(argv, _HELP)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"memory|doctor": memory_doctor,
    b"memory|help": memory_help,
    b"memory|malloc-stats": memory_malloc_stats,
    b"memory|purge": memory_purge,
    b"memory|stats": memory_stats,
    b"memory|usage": memory_usage,
}
