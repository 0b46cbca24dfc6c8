"""DUMP and RESTORE: one value as bytes. The payload itself is in `persistence.rdb.dump`.

Source: Redis 7.0.15, cluster.c, dumpCommand and restoreCommand.
"""

from typing import Final, final

from persistence.rdb.dump import dump_payload, restore_value
from persistence.rdb.values.value_codec import CHECK_DEEP, CHECK_STRUCTURE, LoadLimits
from redrock import errors
from redrock.clients.client import IS_LEADER_LINK
from redrock.commands.arguments import integer
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.commands.generic.keys import find_for_write
from redrock.datatypes.value import Value
from redrock.errors import ReplyError
from redrock.interfaces import NOTIFY_GENERIC
from redrock.keyspace.last_use import LFU_COUNTER_MAX, lru_word_of_idle
from redrock.resp.reply import OK, Reply


def dump(ctx: Context, argv: list[bytes]) -> Reply:
    """DUMP key"""
    value = ctx.db.lookup_read(argv[1])
    return None if value is None else dump_payload(value, ctx.settings.rdbcompression)


@final
class _RestoreOptions:
    """-1: not given."""

    def __init__(self, argv: list[bytes]) -> None:
        self.replace = False
        self.absolute_ttl = False
        self.idle_seconds = -1
        self.frequency = -1
        at = 4
        while at < len(argv):
            option = argv[at].upper()
            has_argument = at + 1 < len(argv)
            if option == b"REPLACE":
                self.replace = True
            elif option == b"ABSTTL":
                self.absolute_ttl = True
            elif option == b"IDLETIME" and has_argument and self.frequency == -1:
                at += 1
                self.idle_seconds = integer(argv[at])
                if self.idle_seconds < 0:
                    raise ReplyError(errors.RESTORE_IDLETIME)
            elif option == b"FREQ" and has_argument and self.idle_seconds == -1:
                at += 1
                self.frequency = integer(argv[at])
                if self.frequency < 0 or self.frequency > LFU_COUNTER_MAX:
                    raise ReplyError(errors.RESTORE_FREQ)
            else:
                raise ReplyError(errors.SYNTAX)
            at += 1


def restore(ctx: Context, argv: list[bytes]) -> Reply:
    """RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency], and RESTORE-ASKING"""
    options = _RestoreOptions(argv)
    db = ctx.db
    key = argv[1]
    if not options.replace and find_for_write(db, key) is not None:
        raise ReplyError(errors.BUSYKEY)
    ttl_ms = integer(argv[2])
    if ttl_ms < 0:
        raise ReplyError(errors.RESTORE_TTL)
    value = restore_value(argv[3], _limits(ctx), not ctx.facts.skip_checksums)

    # From here on there are changes. What REPLACE replaces may have expired already: that makes no difference.
    is_replaced = options.replace and db.remove(key)
    keyspace = ctx.keyspace
    at_ms = ttl_ms
    if ttl_ms and not options.absolute_ttl:
        at_ms += keyspace.now_ms
    if at_ms and at_ms <= keyspace.now_ms and not keyspace.loading and not keyspace.follower:
        if is_replaced:
            ctx.propagate_as([b"DEL", key])
            ctx.touch(key, NOTIFY_GENERIC, b"del")
        return OK
    db.put(key, value)
    if at_ms:
        db.set_expire(key, at_ms)
        if not options.absolute_ttl:
            ctx.propagate_as([*argv[:2], b"%d" % at_ms, *argv[3:], b"ABSTTL"])
    _set_last_use(ctx, value, options)
    ctx.touch(key, NOTIFY_GENERIC, b"restore")
    return OK


def _limits(ctx: Context) -> LoadLimits:
    settings = ctx.settings
    sanitize = settings.sanitize_dump_payload
    is_deep = sanitize == "yes" or (
        sanitize == "clients" and not ctx.client.gate & IS_LEADER_LINK and not ctx.keyspace.loading
    )
    return LoadLimits(
        settings.hash_max_listpack_entries,
        settings.hash_max_listpack_value,
        settings.list_max_listpack_size,
        settings.set_max_intset_entries,
        settings.zset_max_listpack_entries,
        settings.zset_max_listpack_value,
        CHECK_DEEP if is_deep else CHECK_STRUCTURE,
    )


def _set_last_use(ctx: Context, value: Value, options: _RestoreOptions) -> None:
    """The option that does not belong to the policy is ignored."""
    keyspace = ctx.keyspace
    if keyspace.lfu:
        if options.frequency >= 0:
            value.last_use = keyspace.lfu_clock.of_counter(options.frequency)
    elif options.idle_seconds >= 0:
        value.last_use = lru_word_of_idle(options.idle_seconds, keyspace.lru_clock)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"dump": dump,
    b"restore": restore,
    b"restore-asking": restore,
}
