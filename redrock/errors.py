"""Every error text a client can receive, byte for byte as Redis 7.0.15 sends it, and the kinds of error.

Texts are constants without the leading ``-`` and the trailing CRLF, grouped as the command groups are.
A text with a variable part is a function that returns the bytes.
"""

from typing import Final


class ReplyError(Exception):
    """The client's mistake: answered with ``-<text>``. Raised before anything has been changed."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class ProtocolError(Exception):
    """The peer broke a protocol: answer with the text if possible, then close the connection."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class CorruptionError(Exception):
    """Bytes on disk or in a payload are wrong.

    ``source`` names the file or payload, ``position`` is the byte at which it was noticed, ``lost_bytes`` is how much
    cannot be used (-1: unknown). Whoever loads decides what to do about it.
    """

    def __init__(self, reason: str, source: str = "payload", position: int = 0, lost_bytes: int = -1) -> None:
        super().__init__(f"{source}, byte {position}: {reason}")
        self.reason = reason
        self.source = source
        self.position = position
        self.lost_bytes = lost_bytes


class FatalError(Exception):
    """The server cannot go on, and the log says why: it exits with status 1, as Redis does in such a case."""


# --- Shared by all groups

SYNTAX: Final = b"ERR syntax error"
WRONGTYPE: Final = b"WRONGTYPE Operation against a key holding the wrong kind of value"
NO_SUCH_KEY: Final = b"ERR no such key"
NOT_AN_INTEGER: Final = b"ERR value is not an integer or out of range"
NOT_A_FLOAT: Final = b"ERR value is not a valid float"
INDEX_OUT_OF_RANGE: Final = b"ERR index out of range"
BUSYKEY: Final = b"BUSYKEY Target key name already exists."


def wrong_arity(name: bytes) -> bytes:
    """``name`` is the full name in lower case, with ``|subcommand`` where there is one."""
    return b"ERR wrong number of arguments for '%b' command" % name


# --- Replication

REPLCONF_RDB_ONLY_RANGE: Final = b"ERR value is out of range, value must between 0 and 1"
REPLCONF_FILTER_MISSING: Final = b"ERR Missing rdb-filter-only values"
REPLICAOF_IN_CLUSTER: Final = b"ERR REPLICAOF not allowed in cluster mode."
REPLICAOF_FROM_REPLICA: Final = b"ERR Command is not valid when client is a replica."
REPLICAOF_BAD_PORT: Final = b"ERR Invalid master port"
SYNC_NO_MASTER_LINK: Final = b"NOMASTERLINK Can't SYNC while not connected with my master"
SYNC_PENDING_OUTPUT: Final = b"ERR SYNC and PSYNC are invalid with pending output"
SYNC_FILTER_NEEDS_EOF: Final = b"ERR Filtered replica requires EOF capability"
SYNC_BGSAVE_FAILED: Final = b"ERR BGSAVE failed, replication can't continue"
PSYNC_FAILOVER_TO_MASTER: Final = b"ERR PSYNC FAILOVER can't be sent to a master."
PSYNC_FAILOVER_REPLID: Final = b"ERR PSYNC FAILOVER replid must match my replid."
UNBLOCKED_BY_ROLE: Final = (
    b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
)
TIMEOUT_NOT_AN_INTEGER: Final = b"ERR timeout is not an integer or out of range"
TIMEOUT_NEGATIVE: Final = b"ERR timeout is negative"
WAIT_ON_REPLICA: Final = (
    b"ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a replica is configured "
    b"to be writable (which is not the default) writes to replicas are just local and are not propagated."
)


def replconf_ip_too_long(length: int) -> bytes:
    return b"ERR REPLCONF ip-address provided by replica instance is too long: %d bytes" % length


def replconf_unrecognized(option: bytes) -> bytes:
    return b"ERR Unrecognized REPLCONF option: %b" % option


def replconf_filter(option: bytes) -> bytes:
    return b"ERR Unsupported rdb-filter-only option: %b" % option


# --- Commands: lookup, COMMAND and its subcommands

NO_SUCH_COMMAND_TO_INSPECT: Final = b"ERR Invalid command specified"
NO_KEY_ARGUMENTS: Final = b"ERR The command has no key arguments"
WRONG_ARITY_TO_INSPECT: Final = b"ERR Invalid number of arguments specified for command"
WRONG_ARGUMENTS_TO_INSPECT: Final = b"ERR Invalid arguments specified for command"

# No line break of the client's may get into an error reply: it would end it.
_LINE_BREAKS_TO_BLANKS: Final = bytes.maketrans(b"\r\n", b"  ")


def _as_c_string(text: bytes, size_max: int) -> bytes:
    """What C's ``%.<n>s`` prints: up to the first NUL, at most n bytes."""
    return text[:size_max].partition(b"\0")[0]


def unknown_command(argv: list[bytes]) -> bytes:
    """``argv`` as the client sent it; about 128 bytes of the arguments are repeated."""
    shown = b""
    for argument in argv[1:]:
        if len(shown) >= 128:
            break
        shown += b"'%b' " % _as_c_string(argument, 128 - len(shown))
    text = b"ERR unknown command '%b', with args beginning with: %b" % (_as_c_string(argv[0], 128), shown)
    return text.translate(_LINE_BREAKS_TO_BLANKS)


def unknown_subcommand(container: bytes, subcommand: bytes) -> bytes:
    """Both names as the client sent them."""
    text = b"ERR unknown subcommand '%b'. Try %b HELP." % (_as_c_string(subcommand, 128), container.upper())
    return text.translate(_LINE_BREAKS_TO_BLANKS)


def subcommand_syntax(container: bytes, subcommand: bytes) -> bytes:
    """For subcommands that check their own arguments. Both names as the client sent them."""
    return b"ERR unknown subcommand or wrong number of arguments for '%b'. Try %b HELP." % (
        _as_c_string(subcommand, 128),
        container.upper(),
    )


# --- Protocol: requests that cannot be parsed; the connection is closed behind the answer

PROTOCOL_MULTIBULK_LENGTH: Final = b"ERR Protocol error: invalid multibulk length"
PROTOCOL_BULK_LENGTH: Final = b"ERR Protocol error: invalid bulk length"
PROTOCOL_UNAUTHENTICATED_MULTIBULK: Final = b"ERR Protocol error: unauthenticated multibulk length"
PROTOCOL_UNAUTHENTICATED_BULK: Final = b"ERR Protocol error: unauthenticated bulk length"
PROTOCOL_BIG_MULTIBULK_COUNT: Final = b"ERR Protocol error: too big mbulk count string"
PROTOCOL_BIG_BULK_COUNT: Final = b"ERR Protocol error: too big bulk count string"
PROTOCOL_BIG_INLINE: Final = b"ERR Protocol error: too big inline request"
PROTOCOL_UNBALANCED_QUOTES: Final = b"ERR Protocol error: unbalanced quotes in request"
# Never sent: Redis logs this and drops the link.
PROTOCOL_LEADER_INLINE: Final = b"Master using the inline protocol. Desync?"


def protocol_expected_bulk(got: int) -> bytes:
    """``got`` is the byte found where ``$`` had to be; line ends are shown as a space, as in any error text."""
    return b"ERR Protocol error: expected '$', got '%c'" % (32 if got in (10, 13) else got)


# --- Admission: what the dispatcher answers before a command runs (Redis: server.c, processCommand)

NOAUTH: Final = b"NOAUTH Authentication required."
NOT_IN_MULTI: Final = b"ERR Command not allowed inside a transaction"
OOM: Final = b"OOM command not allowed when used memory > 'maxmemory'."
NOREPLICAS: Final = b"NOREPLICAS Not enough good replicas to write."
READONLY: Final = b"READONLY You can't write against a read only replica."
MASTERDOWN: Final = b"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'."
LOADING: Final = b"LOADING Redis is loading the dataset in memory"
REPLICA_KEYSPACE: Final = b"ERR Replica can't interact with the keyspace"


def internal_error(incident: int) -> bytes:
    """Not of Redis: a bug was met before anything was changed. The log has the traceback under the same number."""
    return b"ERR internal error %d, see the server's log" % incident


def protected_command(name: bytes, directive: bytes) -> bytes:
    """DEBUG and MODULE, unless the directive allows them."""
    return (
        b'ERR %b command not allowed. If the %b option is set to "local", you can run it from a local connection, '
        b"otherwise you need to set this option in the configuration file, and then restart the server."
        % (name, directive)
    )


def pubsub_context(name: bytes) -> bytes:
    """A RESP2 client with subscriptions may do little else."""
    return (
        b"ERR Can't execute '%b': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in "
        b"this context" % name
    )


# --- Configuration

CONFIG_NO_FILE: Final = b"ERR The server is running without a config file"


def config_unknown(name: bytes) -> bytes:
    """``name`` as the client wrote it."""
    text = b"ERR Unknown option or number of arguments for CONFIG SET - '%b'" % name.partition(b"\0")[0]
    return text.translate(_LINE_BREAKS_TO_BLANKS)


def config_set_failed(name: bytes, reason: str) -> bytes:
    return b"ERR CONFIG SET failed (possibly related to argument '%b') - %b" % (name, reason.encode())


def config_rewrite_failed(reason: str) -> bytes:
    return b"ERR Rewriting config file: %b" % reason.encode()


# --- Transactions

MULTI_NESTED: Final = b"ERR MULTI calls can not be nested"
DISCARD_WITHOUT_MULTI: Final = b"ERR DISCARD without MULTI"
EXEC_WITHOUT_MULTI: Final = b"ERR EXEC without MULTI"
WATCH_IN_MULTI: Final = b"ERR WATCH inside MULTI is not allowed"
EXECABORT: Final = b"EXECABORT Transaction discarded because of previous errors."


# --- DUMP and RESTORE: the payload (persistence.rdb.dump)

DUMP_PAYLOAD_WRONG: Final = b"ERR DUMP payload version or checksum are wrong"
BAD_DATA_FORMAT: Final = b"ERR Bad data format"


# --- Cold tier (RedRock's own)

OOM_PROCESS_MEMORY: Final = b"OOM command not allowed when process memory is more than 'maxpsmem'."

NO_COLD_TIER: Final = b"ERR this server has no cold tier"
ROCKMEM_SIZE: Final = b"ERR size must be a positive number of bytes, like 100mb"
ROCKMEM_TIMEOUT: Final = b"ERR timeout is negative"


def cold_tier_unusable(reason: str) -> bytes:
    """The store could not be started."""
    return b"ERR the cold tier cannot be used: %b" % reason.encode().translate(_LINE_BREAKS_TO_BLANKS)


def cold_read_failed(reason: bytes) -> bytes:
    """A value could not be read back; other keys are not concerned."""
    return b"ERR the cold value of a key of this command cannot be read: %b" % reason.translate(_LINE_BREAKS_TO_BLANKS)


# --- Connections

WRONGPASS: Final = b"WRONGPASS invalid username-password pair or user is disabled."
AUTH_WITHOUT_PASSWORD: Final = (
    b"ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration "
    b"is correct?"
)
HELLO_VERSION_NOT_AN_INTEGER: Final = b"ERR Protocol version is not an integer or out of range"
NOPROTO: Final = b"NOPROTO unsupported protocol version"
HELLO_NOAUTH: Final = (
    b"NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO AUTH <user> <pass> option "
    b"can be used to authenticate the client and select the RESP protocol version at the same time"
)
SELECT_IN_CLUSTER: Final = b"ERR SELECT is not allowed in cluster mode"
RESET_OF_REPLICA: Final = b"ERR can only reset normal client connections"
BAD_CLIENT_NAME: Final = b"ERR Client names cannot contain spaces, newlines or special characters."
BAD_CLIENT_ID: Final = b"ERR Invalid client ID"
CLIENT_ID_NOT_POSITIVE: Final = b"ERR client-id should be greater than 0"
NO_SUCH_CLIENT: Final = b"ERR No such client"
UNBLOCK_REASON: Final = b"ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"
UNBLOCKED_BY_CLIENT: Final = b"UNBLOCKED client unblocked via CLIENT UNBLOCK"
PAUSE_MODE: Final = b"ERR CLIENT PAUSE mode must be WRITE or ALL"
MONITOR_IN_EXEC: Final = b"ERR MONITOR isn't allowed for DENY BLOCKING client"


def hello_option(option: bytes) -> bytes:
    """``option`` as the client wrote it."""
    text = b"ERR Syntax error in HELLO option '%b'" % option.partition(b"\0")[0]
    return text.translate(_LINE_BREAKS_TO_BLANKS)


def unknown_client_type(name: bytes) -> bytes:
    """``name`` as the client wrote it."""
    return (b"ERR Unknown client type '%b'" % name.partition(b"\0")[0]).translate(_LINE_BREAKS_TO_BLANKS)


def no_such_user(name: bytes) -> bytes:
    """``name`` as the client wrote it."""
    return (b"ERR No such user '%b'" % name.partition(b"\0")[0]).translate(_LINE_BREAKS_TO_BLANKS)


# --- Server: SLOWLOG, DEBUG, SHUTDOWN

SLOWLOG_COUNT: Final = b"ERR count should be greater than or equal to -1"
NO_SHUTDOWN: Final = b"ERR No shutdown in progress."
SHUTDOWN_IN_EXEC: Final = b"ERR SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client"
RELOAD_FAILED: Final = b"ERR Error trying to load the RDB dump"
DEBUG_RELOAD_OPTIONS: Final = b"ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."
DEBUG_NOT_SDS: Final = b"ERR Not an sds encoded string."
DEBUG_NOT_LISTPACK: Final = b"ERR Not a listpack encoded object."
DEBUG_NOT_A_TABLE: Final = b"ERR The value stored at the specified key is not represented using an hash table"
DEBUG_BAD_DATABASE: Final = b"ERR Out of range database"
DEBUG_NOT_POSITIVE: Final = b"ERR value is out of range, must be positive"
DEBUG_PUSH_NEEDS_RESP3: Final = b"ERR RESP2 is not supported by this command"
DEBUG_PROTOCOL_TYPE: Final = (
    b"ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|null|array|set|map|"
    b"attrib|push|verbatim|true|false"
)


def config_force_all_failed(reason: str) -> bytes:
    """``reason`` is what the system says."""
    return b"ERR CONFIG-REWRITE-FORCE-ALL failed: %b" % reason.encode()


# --- Hashes, and the SCAN family

INVALID_CURSOR: Final = b"ERR invalid cursor"
OUT_OF_RANGE: Final = b"ERR value is out of range"
RANDOM_COUNT_RANGE: Final = (
    b"ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
)
HASH_VALUE_NOT_AN_INTEGER: Final = b"ERR hash value is not an integer"
HASH_VALUE_NOT_A_FLOAT: Final = b"ERR hash value is not a float"
HASH_INCREMENT_OVERFLOW: Final = b"ERR increment or decrement would overflow"
HASH_INCREMENT_NOT_FINITE: Final = b"ERR value is NaN or Infinity"
HASH_TOTAL_NOT_FINITE: Final = b"ERR increment would produce NaN or Infinity"


# --- Strings

STRING_TOO_LONG: Final = b"ERR string exceeds maximum allowed size (proto-max-bulk-len)"
OFFSET_OUT_OF_RANGE: Final = b"ERR offset is out of range"
INCREMENT_OVERFLOW: Final = b"ERR increment or decrement would overflow"
DECREMENT_OVERFLOW: Final = b"ERR decrement would overflow"
INCREMENT_NOT_FINITE: Final = b"ERR increment would produce NaN or Infinity"
LCS_NOT_STRINGS: Final = b"ERR The specified keys must contain string values"
LCS_LENGTH_AND_INDEXES: Final = b"ERR If you want both the length and indexes, please just use IDX."
LCS_STRING_TOO_LONG: Final = b"ERR String too long for LCS"
LCS_TOO_MUCH_MEMORY: Final = b"ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"


# --- Keys and databases

NOT_AN_INT32: Final = b"ERR value is out of range, value must between -2147483648 and 2147483647"
DB_INDEX_OUT_OF_RANGE: Final = b"ERR DB index is out of range"
SWAPDB_FIRST_INDEX: Final = b"ERR invalid first DB index"
SWAPDB_SECOND_INDEX: Final = b"ERR invalid second DB index"
SWAPDB_IN_CLUSTER: Final = b"ERR SWAPDB is not allowed in cluster mode"
MOVE_IN_CLUSTER: Final = b"ERR MOVE is not allowed in cluster mode"
COPY_IN_CLUSTER: Final = b"ERR Copying to another database is not allowed in cluster mode"
SAME_OBJECT: Final = b"ERR source and destination objects are the same"
EXPIRE_NX_AND_OTHERS: Final = b"ERR NX and XX, GT or LT options at the same time are not compatible"
EXPIRE_GT_AND_LT: Final = b"ERR GT and LT options at the same time are not compatible"
IDLETIME_UNDER_LFU: Final = (
    b"ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when switching between policies "
    b"at runtime LRU and LFU data will take some time to adjust."
)
FREQ_WITHOUT_LFU: Final = (
    b"ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when switching "
    b"between policies at runtime LRU and LFU data will take some time to adjust."
)
RESTORE_IDLETIME: Final = b"ERR Invalid IDLETIME value, must be >= 0"
RESTORE_FREQ: Final = b"ERR Invalid FREQ value, must be >= 0 and <= 255"
RESTORE_TTL: Final = b"ERR Invalid TTL value, must be >= 0"


def invalid_expire_time(name: bytes) -> bytes:
    """``name`` of the command, in lower case."""
    return b"ERR invalid expire time in '%b' command" % name


def expire_option(option: bytes) -> bytes:
    """``option`` as the client wrote it."""
    text = b"ERR Unsupported option %b" % option.partition(b"\0")[0]
    return text.translate(_LINE_BREAKS_TO_BLANKS)


# --- Persistence

MISCONF_RDB: Final = (
    b"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that "
    b"may modify the data set are disabled, because this instance is configured to report errors during writes if RDB "
    b"snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB "
    b"error."
)
BGSAVE_IN_PROGRESS: Final = b"ERR Background save already in progress"
BGSAVE_OTHER_CHILD: Final = (
    b"ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a "
    b"BGSAVE whenever possible."
)
BGREWRITEAOF_IN_PROGRESS: Final = b"ERR Background append only file rewriting already in progress"
BGREWRITEAOF_FAILED: Final = (
    b"ERR Can't execute an AOF background rewriting. Please check the server logs for more information."
)
SAVE_FAILED: Final = b"ERR"


def misconf_aof(reason: str) -> bytes:
    """``reason`` is what the system said about the last write or fsync."""
    return b"MISCONF Errors writing to the AOF file: %b" % reason.encode()


# --- Shutdown

SHUTDOWN_FAILED: Final = b"ERR Errors trying to SHUTDOWN. Check logs."
