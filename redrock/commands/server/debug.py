"""DEBUG: what tests and the curious want of a server.

Source: Redis 7.0.15, debug.c. Of its subcommands, those are here that mean something in this server.
"""

import logging
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from persistence.rdb.codec import encode_value
from redrock import errors
from redrock.commands.command import Handler
from redrock.commands.help import help_reply
from redrock.config.rewrite import rewrite_config_file
from redrock.datatypes.allocation import bytes_memory
from redrock.datatypes.hash import HashValue
from redrock.datatypes.listpack import to_list
from redrock.datatypes.scan_dict import ENTRY_BYTES, ScanDict
from redrock.datatypes.string import STRING_HEADER_BYTES, StringValue
from redrock.datatypes.value import ColdMarker, Value
from redrock.errors import ReplyError
from redrock.keyspace.database import Database
from redrock.keyspace.digest import DIGEST_BYTES, KeyTriple, dataset_digest, value_digest
from redrock.keyspace.last_use import idle_ms
from redrock.resp.encoder import encode_command, encode_reply
from redrock.resp.reply import (
    OK,
    Attributed,
    BigNumber,
    Encoded,
    ErrorReply,
    MapReply,
    PushReply,
    Reply,
    SetReply,
    Status,
    Verbatim,
)
from redrock.util.numbers import parse_integer

if TYPE_CHECKING:
    from redrock.commands.context import Context

logger: Final = logging.getLogger("redrock")

_NO_DIGEST: Final = b"0" * (2 * DIGEST_BYTES)
_HELP: Final = (
    b"AOF-FLUSH-SLEEP <microsec>",
    b"    Let the server sleep whenever it writes the AOF.",
    b"ASSERT",
    b"    End the server as a failed assertion does.",
    b"CHANGE-REPL-ID",
    b"    Take a new replication id and forget the second one.",
    b"CONFIG-REWRITE-FORCE-ALL",
    b"    As CONFIG REWRITE, but write directives that have their default, too.",
    b"DIGEST",
    b"    Show 40 hexadecimal digits that are equal for equal datasets.",
    b"DIGEST-VALUE <key> [<key> ...]",
    b"    Show such digits for the value of each key.",
    b"ERROR <string>",
    b"    Answer with the error <string>.",
    b"HTSTATS <dbid>",
    b"    Describe the tables of a database.",
    b"HTSTATS-KEY <key>",
    b"    Describe the table in which the value of a key is kept.",
    b"LISTPACK <key>",
    b"    Write the elements of a listpack to the server's log.",
    b"LOADAOF",
    b"    Write out the AOF, empty the dataset and load the AOF.",
    b"LOG <message>",
    b"    Write <message> to the server's log.",
    b"OBJECT <key>",
    b"    Describe the value of a key.",
    b"PANIC",
    b"    End the server as a panic does.",
    b"PAUSE-CRON <0|1>",
    b"    Stop what happens by itself at regular times, or let it go on.",
    b"POPULATE <count> [<prefix>] [<size>]",
    b"    Make <count> string keys <prefix>:<number>, without telling replicas.",
    b"PROTOCOL <type>",
    b"    Answer with a reply of that type: string, integer, double, bignum, null, array,",
    b"    set, map, attrib, push, verbatim, true, false.",
    b"RELOAD [option ...]",
    b"    Save the RDB, empty the dataset and load the RDB. Options:",
    b"    * MERGE: a key that is there already is replaced.",
    b"    * NOFLUSH: do not empty the dataset.",
    b"    * NOSAVE: load the file that there is.",
    b"REPLICATE <string> [<string> ...]",
    b"    Send a command to the replicas without running it here.",
    b"SDSLEN <key>",
    b"    Show the sizes of a key and of its string.",
    b"SEGFAULT",
    b"    End the server by SIGSEGV.",
    b"SET-ACTIVE-EXPIRE <0|1>",
    b"    Whether keys expire although nobody asks for them.",
    b"SET-SKIP-CHECKSUM-VALIDATION <0|1>",
    b"    Whether RESTORE believes payloads whose checksum is wrong.",
    b"SLEEP <seconds>",
    b"    Let everything stand still for <seconds>, which may be a fraction.",
    b"STRUCTSIZE",
    b"    Show what objects cost.",
)


def _leading_number(text: bytes) -> float:
    """What C's atoi and strtod make of a text: the number that it begins with, or 0."""
    found = re.match(rb"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE)
    return float(found.group()) if found else 0.0


def _switch(text: bytes) -> bool:
    return int(_leading_number(text)) != 0


# --- Values, wherever they are


def _stored(database: Database, key: bytes) -> Value | None:
    """The value or its marker, also of a key whose time is over: nothing is changed by looking."""
    value = database.table.get(key)
    assert value is None or isinstance(value, Value)
    return value


def _past_memory(ctx: "Context", database: Database, key: bytes, value: Value) -> Value:
    """The value itself. A cold one is read for this once and stays cold."""
    if not isinstance(value, ColdMarker):
        return value
    assert ctx.cold_tier is not None
    return ctx.cold_tier.read_inline(database.store_id, value.type_code(), key)


def _triples(ctx: "Context", database: Database) -> Iterator[KeyTriple]:
    for bucket in range(database.table.bucket_count()):
        for key, value in database.table.bucket_items(bucket):
            assert isinstance(value, Value)
            yield key, _past_memory(ctx, database, key, value), database.expire_at(key)


def _digest(ctx: "Context", argv: list[bytes]) -> Reply:
    databases = [database for database in ctx.keyspace.databases if database.table.length()]
    return Status(dataset_digest((database.dbid, _triples(ctx, database)) for database in databases))


def _digest_value(ctx: "Context", argv: list[bytes]) -> Reply:
    digests: list[Reply] = []
    for key in argv[2:]:
        value = _stored(ctx.db, key)
        if value is None:
            digests.append(Status(_NO_DIGEST))
        else:
            expires = ctx.db.expire_at(key) != -1
            digests.append(Status(value_digest(_past_memory(ctx, ctx.db, key, value), expires)))
    return digests


def _object(ctx: "Context", argv: list[bytes]) -> Reply:
    key = argv[2]
    stored = _stored(ctx.db, key)
    if stored is None:
        raise ReplyError(errors.NO_SUCH_KEY)
    value = _past_memory(ctx, ctx.db, key, stored)
    _, serialized = encode_value(value, ctx.settings.rdbcompression)
    word = stored.last_use & 0xFFFFFF
    return Status(
        b"Value at:%#x refcount:1 encoding:%b serializedlength:%d lru:%d lru_seconds_idle:%d"
        % (id(stored), stored.encoding(), len(serialized), word, idle_ms(word, ctx.keyspace.lru_clock) // 1000)
    )


def _sdslen(ctx: "Context", argv: list[bytes]) -> Reply:
    key = argv[2]
    stored = _stored(ctx.db, key)
    if stored is None:
        raise ReplyError(errors.NO_SUCH_KEY)
    if not isinstance(stored, StringValue) or stored.encoding() == b"int":
        raise ReplyError(errors.DEBUG_NOT_SDS)
    length = stored.length()
    sizes = (len(key), bytes_memory(len(key)), length, bytes_memory(length))
    text = b"key_sds_len:%d, key_sds_avail:0, key_zmalloc: %d, val_sds_len:%d, val_sds_avail:0, val_zmalloc: %d"
    return Status(text % sizes)


def _listpack(ctx: "Context", argv: list[bytes]) -> Reply:
    stored = ctx.db.peek(argv[2])
    if stored is None:
        raise ReplyError(errors.NO_SUCH_KEY)
    packed = stored.listpack_bytes() if isinstance(stored, HashValue) else None
    if packed is None:
        raise ReplyError(errors.DEBUG_NOT_LISTPACK)
    logger.warning("Listpack of %d bytes: %s", len(packed), to_list(packed))
    return Status(b"Listpack structure printed on stdout")


def _table_text(title: str, table: ScanDict) -> str:
    return (
        f"[{title}]\n table size: {table.bucket_count()} buckets\n number of elements: {table.length()}\n"
        f" memory: {table.memory_bytes()} bytes\n"
    )


def _htstats(ctx: "Context", argv: list[bytes]) -> Reply:
    dbid = parse_integer(argv[2])
    if dbid is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    database = ctx.database(dbid, errors.DEBUG_BAD_DATABASE)
    text = _table_text("Dictionary HT", database.table) + _table_text("Expires HT", database.expires)
    return Verbatim(text.encode())


def _htstats_key(ctx: "Context", argv: list[bytes]) -> Reply:
    stored = ctx.db.peek(argv[2])
    if stored is None:
        raise ReplyError(errors.NO_SUCH_KEY)
    table = stored.table if isinstance(stored, HashValue) else None
    if table is None:
        raise ReplyError(errors.DEBUG_NOT_A_TABLE)
    return Verbatim(_table_text("Hash table", table).encode())


def _populate(ctx: "Context", argv: list[bytes]) -> Reply:
    count = parse_integer(argv[2])
    size: int | None = parse_integer(argv[4]) if len(argv) == 5 else 0
    if count is None or count < 0 or size is None or size < 0:
        raise ReplyError(errors.DEBUG_NOT_POSITIVE)
    prefix = argv[3] if len(argv) > 3 else b"key"
    database = ctx.db
    for number in range(count):
        key = b"%b:%d" % (prefix, number)
        if database.peek_write(key) is not None:
            continue
        content = b"value:%d" % number
        if size:
            content = content[:size].ljust(size, b"\0")
        database.put(key, StringValue(content))
        if ctx.observers.watching:
            ctx.observers.key_changed(database.dbid, key)
    return OK


# --- Files


def _reload(ctx: "Context", argv: list[bytes]) -> Reply:
    options = {argument.upper() for argument in argv[2:]}
    if options - {b"MERGE", b"NOFLUSH", b"NOSAVE"}:
        raise ReplyError(errors.DEBUG_RELOAD_OPTIONS)
    ctx.server.reload_rdb(b"NOSAVE" not in options, b"NOFLUSH" not in options, b"MERGE" in options)
    return OK


def _loadaof(ctx: "Context", argv: list[bytes]) -> Reply:
    ctx.server.reload_aof()
    return OK


def _aof_flush_sleep(ctx: "Context", argv: list[bytes]) -> Reply:
    ctx.persistence.log.flush_sleep_us = int(_leading_number(argv[2]))
    return OK


def _config_rewrite_force_all(ctx: "Context", argv: list[bytes]) -> Reply:
    if not ctx.settings.config_file:
        raise ReplyError(errors.CONFIG_NO_FILE)
    try:
        rewrite_config_file(ctx.settings, everything=True)
    except OSError as error:
        raise ReplyError(errors.config_force_all_failed(os.strerror(error.errno or 0))) from None
    return OK


def _set_skip_checksum_validation(ctx: "Context", argv: list[bytes]) -> Reply:
    ctx.facts.skip_checksums = _switch(argv[2])
    return OK


# --- Replies


def _protocol(ctx: "Context", argv: list[bytes]) -> Reply:
    kind = argv[2].lower()
    if kind == b"attrib":
        popularity: list[Reply] = [b"key-popularity", [b"key:123", 90]]
        return Attributed(popularity, b"Some real reply following the attribute")
    if kind == b"push":
        if ctx.client.resp < 3:
            raise ReplyError(errors.DEBUG_PUSH_NEEDS_RESP3)
        # No answer by itself: one follows.
        message = encode_reply(PushReply([b"server-cpu-usage", 42]), 3)
        return Encoded(message + encode_reply(b"Some real reply following the push reply", 3))
    if kind not in _PROTOCOL_REPLIES:
        raise ReplyError(errors.DEBUG_PROTOCOL_TYPE)
    return _PROTOCOL_REPLIES[kind]


_PROTOCOL_REPLIES: Final[dict[bytes, Reply]] = {
    b"string": b"Hello World",
    b"integer": 12345,
    b"double": 3.141,
    b"bignum": BigNumber(b"1234567999999999999999999999999999999"),
    b"null": None,
    b"array": [0, 1, 2],
    b"set": SetReply([0, 1, 2]),
    b"map": MapReply([0, False, 1, True, 2, False]),
    b"true": True,
    b"false": False,
    b"verbatim": Verbatim(b"This is a verbatim\nstring"),
}


def _error(ctx: "Context", argv: list[bytes]) -> Reply:
    return ErrorReply(argv[2].replace(b"\n", b" ").replace(b"\r", b" "))


# --- The server


def _sleep(ctx: "Context", argv: list[bytes]) -> Reply:
    time.sleep(max(0.0, _leading_number(argv[2])))
    return OK


def _set_active_expire(ctx: "Context", argv: list[bytes]) -> Reply:
    ctx.active_expiry.enabled = _switch(argv[2])
    return OK


def _pause_cron(ctx: "Context", argv: list[bytes]) -> Reply:
    ctx.server.pause_cron(_switch(argv[2]))
    return OK


def _log(ctx: "Context", argv: list[bytes]) -> Reply:
    logger.warning("DEBUG LOG: %s", argv[2].decode("utf-8", "backslashreplace"))
    return OK


def _structsize(ctx: "Context", argv: list[bytes]) -> Reply:
    return b"bits:64 robj:%d dictentry:%d bytes:%d " % (STRING_HEADER_BYTES, ENTRY_BYTES, bytes_memory(0))


def _change_repl_id(ctx: "Context", argv: list[bytes]) -> Reply:
    logger.warning("Changing replication IDs after receiving DEBUG change-repl-id")
    ctx.replication.identity.new_history()
    return OK


def _replicate(ctx: "Context", argv: list[bytes]) -> Reply:
    feed = ctx.replication.feed
    if feed.active:
        feed.append(encode_command(argv[2:]))
    return OK


def _segfault(ctx: "Context", argv: list[bytes]) -> Reply:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("SIGSEGV is blocked")


def _panic(ctx: "Context", argv: list[bytes]) -> Reply:
    logger.critical("DEBUG %s called at Unix time %d", argv[1].upper().decode("utf-8", "replace"), int(time.time()))
    os.abort()


def _help(ctx: "Context", argv: list[bytes]) -> Reply:
    return help_reply(argv, _HELP)


# Name: fewest and most words, the container's and the subcommand's names counted; None: no limit.
_SUBCOMMANDS: Final[dict[bytes, tuple[int, int | None, Callable[["Context", list[bytes]], Reply]]]] = {
    b"aof-flush-sleep": (3, 3, _aof_flush_sleep),
    b"assert": (2, None, _panic),
    b"change-repl-id": (2, 2, _change_repl_id),
    b"config-rewrite-force-all": (2, 2, _config_rewrite_force_all),
    b"digest": (2, 2, _digest),
    b"digest-value": (2, None, _digest_value),
    b"error": (3, 3, _error),
    b"help": (2, 2, _help),
    b"htstats": (3, 3, _htstats),
    b"htstats-key": (3, 3, _htstats_key),
    b"listpack": (3, 3, _listpack),
    b"loadaof": (2, None, _loadaof),
    b"log": (3, 3, _log),
    b"object": (3, 3, _object),
    b"panic": (2, None, _panic),
    b"pause-cron": (3, 3, _pause_cron),
    b"populate": (3, 5, _populate),
    b"protocol": (3, 3, _protocol),
    b"reload": (2, None, _reload),
    b"replicate": (3, None, _replicate),
    b"sdslen": (3, 3, _sdslen),
    b"segfault": (2, None, _segfault),
    b"set-active-expire": (3, 3, _set_active_expire),
    b"set-skip-checksum-validation": (3, 3, _set_skip_checksum_validation),
    b"sleep": (3, 3, _sleep),
    b"structsize": (2, 2, _structsize),
}


def debug(ctx: "Context", argv: list[bytes]) -> Reply:
    """DEBUG subcommand [argument ...]"""
    entry = _SUBCOMMANDS.get(argv[1].lower())
    if entry is None:
        raise ReplyError(errors.subcommand_syntax(argv[0], argv[1]))
    fewest, most, subcommand = entry
    if len(argv) < fewest or (most is not None and len(argv) > most):
        raise ReplyError(errors.subcommand_syntax(argv[0], argv[1]))
    return subcommand(ctx, argv)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"debug": debug,
}
