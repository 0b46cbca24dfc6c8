"""One row per directive: name, kind with its bounds, default, flags. Redis's own 178, then those of RedRock.

Source: Redis 7.0.15, config.c (static_configs), and CONFIG GET of the redis-server that Debian 12 ships, whose
`always-show-logo` is off. Sizes are in bytes.
"""

from typing import Final

import attrs

from redrock.config.kinds import Choice, Choices, Integer, Kind, Memory, Octal, Secret, SecretText, Text, YesNo
from redrock.config.numbers import INT_MAX, INT_MIN, LLONG_MAX, UINT_MAX, ULLONG_MAX
from redrock.config.special_kinds import (
    DEFAULT_BIND,
    DEFAULT_OUTPUT_BUFFER_LIMITS,
    Addresses,
    Directory,
    Leader,
    NotifyEvents,
    OomScores,
    OutputBufferLimits,
    Percentiles,
    SavePoints,
)
from redrock.config.text_checks import (
    aof_directory_name_refusal,
    aof_file_name_refusal,
    db_file_name_refusal,
    host_name_refusal,
    shutdown_options_refusal,
    statsd_refusal,
    title_template_refusal,
)

IMMUTABLE: Final = 1 << 0  # only at start
PROTECTED: Final = 1 << 1  # at run time only if enable-protected-configs allows it
SENSITIVE: Final = 1 << 2  # its value is kept out of MONITOR and the slow log
HIDDEN: Final = 1 << 3  # CONFIG GET shows it only by its full name
MULTI_ARG: Final = 1 << 4  # several words; CONFIG SET gets them in one argument
DENY_LOADING: Final = 1 << 5  # not while a dataset is being loaded
VOLATILE: Final = 1 << 6  # setting it to what it is counts as a change: the file that it names may be a new one
OWN: Final = 1 << 7  # RedRock's own, unknown to Redis
NO_EFFECT: Final = 1 << 8  # accepted, kept and printed, but nothing reads it so far; see docs/configuration.md

NO_DEFRAGMENTATION: Final = (
    "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the "
    "one shipped by default with the Redis source distribution"
)
MAXMEMORY_POLICIES: Final = (
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
)
WHO_MAY: Final = ("no", "yes", "local")
SHUTDOWN_OPTIONS: Final = ("default", "save", "nosave", "now", "force")
SYSLOG_FACILITIES: Final = ("user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7")


@attrs.frozen
class Directive:
    """What is known of a directive. `alias` is a second name, under which it is listed and set too."""

    name: str
    kind: Kind
    default: object
    flags: int = 0
    alias: str = ""

    @property
    def attribute(self) -> str:
        """The name of its attribute in `SettingValues`."""
        return self.name.replace("-", "_")


# In the order in which conf/redrock.conf explains them.
GROUPS: Final = (
    (
        "Network",
        (
            Directive("bind", Addresses(), DEFAULT_BIND, MULTI_ARG),
            Directive("bind-source-addr", Text(), ""),
            Directive("port", Integer(0, 65535), 6379),
            Directive("tcp-backlog", Integer(0, INT_MAX), 511, IMMUTABLE),
            Directive("tcp-keepalive", Integer(0, INT_MAX), 300),
            Directive("timeout", Integer(0, INT_MAX), 0),
            Directive("unixsocket", Text(), "", IMMUTABLE),
            Directive("unixsocketperm", Octal(0, 0o777), 0, IMMUTABLE),
            Directive("protected-mode", YesNo(), True),
            Directive("socket-mark-id", Integer(0, UINT_MAX), 0, IMMUTABLE | NO_EFFECT),
        ),
    ),
    (
        "TLS",
        (
            Directive("tls-port", Integer(0, 65535), 0, NO_EFFECT),
            Directive("tls-session-cache-size", Integer(0, INT_MAX), 20 << 10, NO_EFFECT),
            Directive("tls-session-cache-timeout", Integer(0, INT_MAX), 300, NO_EFFECT),
            Directive("tls-cluster", YesNo(), False, NO_EFFECT),
            Directive("tls-replication", YesNo(), False, NO_EFFECT),
            Directive("tls-auth-clients", Choice("no", "yes", "optional"), "yes", NO_EFFECT),
            Directive("tls-prefer-server-ciphers", YesNo(), False, NO_EFFECT),
            Directive("tls-session-caching", YesNo(), True, NO_EFFECT),
            Directive("tls-cert-file", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-key-file", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-key-file-pass", Text(), "", NO_EFFECT),
            Directive("tls-client-cert-file", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-client-key-file", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-client-key-file-pass", Text(), "", NO_EFFECT),
            Directive("tls-dh-params-file", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-ca-cert-file", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-ca-cert-dir", Text(), "", VOLATILE | NO_EFFECT),
            Directive("tls-protocols", Text(), "", NO_EFFECT),
            Directive("tls-ciphers", Text(), "", NO_EFFECT),
            Directive("tls-ciphersuites", Text(), "", NO_EFFECT),
        ),
    ),
    (
        "Process and log",
        (
            Directive("daemonize", YesNo(), False, IMMUTABLE),
            Directive("pidfile", Text(), "", IMMUTABLE),
            Directive("supervised", Choice("upstart", "systemd", "auto", "no"), "no", IMMUTABLE),
            Directive("loglevel", Choice("debug", "verbose", "notice", "warning"), "notice"),
            Directive("logfile", Text(may_be_empty=True), "", IMMUTABLE),
            Directive("syslog-enabled", YesNo(), False, IMMUTABLE | NO_EFFECT),
            Directive("syslog-ident", Text(may_be_empty=True), "redis", IMMUTABLE | NO_EFFECT),
            Directive("syslog-facility", Choice(*SYSLOG_FACILITIES), "local0", IMMUTABLE | NO_EFFECT),
            Directive("databases", Integer(1, INT_MAX), 16, IMMUTABLE),
            Directive("dir", Directory(), "", PROTECTED | DENY_LOADING),
            Directive("always-show-logo", YesNo(), False, IMMUTABLE),
            Directive("set-proc-title", YesNo(), True, IMMUTABLE | NO_EFFECT),
            Directive(
                "proc-title-template",
                Text(title_template_refusal, may_be_empty=True),
                "{title} {listen-addr} {server-mode}",
                NO_EFFECT,
            ),
            Directive("crash-log-enabled", YesNo(), True, NO_EFFECT),
            Directive("crash-memcheck-enabled", YesNo(), True, NO_EFFECT),
            Directive("ignore-warnings", Text(may_be_empty=True), "", NO_EFFECT),
            Directive("shutdown-timeout", Integer(0, INT_MAX), 10),
            Directive(
                "shutdown-on-sigint",
                Choices(*SHUTDOWN_OPTIONS, check=shutdown_options_refusal),
                ("default",),
                MULTI_ARG,
            ),
            Directive(
                "shutdown-on-sigterm",
                Choices(*SHUTDOWN_OPTIONS, check=shutdown_options_refusal),
                ("default",),
                MULTI_ARG,
            ),
        ),
    ),
    (
        "Snapshots",
        (
            Directive("save", SavePoints(), ((3600, 1), (300, 100), (60, 10000)), MULTI_ARG),
            Directive("dbfilename", Text(db_file_name_refusal, may_be_empty=True), "dump.rdb", PROTECTED),
            Directive("rdbcompression", YesNo(), True),
            Directive("rdbchecksum", YesNo(), True, IMMUTABLE),
            Directive("stop-writes-on-bgsave-error", YesNo(), True),
            Directive("rdb-del-sync-files", YesNo(), False),
            Directive("rdb-save-incremental-fsync", YesNo(), True, NO_EFFECT),
            Directive("sanitize-dump-payload", Choice("no", "yes", "clients"), "no"),
        ),
    ),
    (
        "Append-only file",
        (
            Directive("appendonly", YesNo(), False, DENY_LOADING),
            Directive("appendfilename", Text(aof_file_name_refusal, may_be_empty=True), "appendonly.aof", IMMUTABLE),
            Directive("appenddirname", Text(aof_directory_name_refusal, may_be_empty=True), "appendonlydir", IMMUTABLE),
            Directive("appendfsync", Choice("everysec", "always", "no"), "everysec"),
            Directive("no-appendfsync-on-rewrite", YesNo(), False),
            Directive("auto-aof-rewrite-percentage", Integer(0, INT_MAX), 100),
            Directive("auto-aof-rewrite-min-size", Memory(0, LLONG_MAX), 64 << 20),
            Directive("aof-load-truncated", YesNo(), True),
            Directive("aof-use-rdb-preamble", YesNo(), True),
            Directive("aof-timestamp-enabled", YesNo(), False),
            Directive("aof-rewrite-incremental-fsync", YesNo(), True, NO_EFFECT),
            Directive("aof-disable-auto-gc", YesNo(), False),
        ),
    ),
    (
        "Replication",
        (
            Directive("replicaof", Leader(), None, IMMUTABLE | MULTI_ARG, alias="slaveof"),
            Directive("masterauth", Secret(), b"", SENSITIVE),
            Directive("masteruser", SecretText(), b"", SENSITIVE),
            Directive("replica-serve-stale-data", YesNo(), True, alias="slave-serve-stale-data"),
            Directive("replica-read-only", YesNo(), True, alias="slave-read-only"),
            Directive("replica-ignore-maxmemory", YesNo(), True, alias="slave-ignore-maxmemory"),
            Directive("replica-ignore-disk-write-errors", YesNo(), False, NO_EFFECT),
            Directive("replica-lazy-flush", YesNo(), False, NO_EFFECT, alias="slave-lazy-flush"),
            Directive("replica-priority", Integer(0, INT_MAX), 100, alias="slave-priority"),
            Directive("replica-announced", YesNo(), True),
            Directive("replica-announce-ip", Text(), "", alias="slave-announce-ip"),
            Directive("replica-announce-port", Integer(0, 65535), 0, alias="slave-announce-port"),
            Directive("repl-diskless-sync", YesNo(), True),
            Directive("repl-diskless-sync-delay", Integer(0, INT_MAX), 5),
            Directive("repl-diskless-sync-max-replicas", Integer(0, INT_MAX), 0),
            Directive("repl-diskless-load", Choice("disabled", "on-empty-db", "swapdb"), "disabled", DENY_LOADING),
            Directive("repl-ping-replica-period", Integer(1, INT_MAX), 10, alias="repl-ping-slave-period"),
            Directive("repl-timeout", Integer(1, INT_MAX), 60),
            Directive("repl-disable-tcp-nodelay", YesNo(), False, NO_EFFECT),
            Directive("repl-backlog-size", Memory(1, LLONG_MAX), 1 << 20),
            Directive("repl-backlog-ttl", Integer(0, LLONG_MAX), 3600),
            Directive("min-replicas-to-write", Integer(0, INT_MAX), 0, alias="min-slaves-to-write"),
            Directive("min-replicas-max-lag", Integer(0, INT_MAX), 10, alias="min-slaves-max-lag"),
            Directive(
                "propagation-error-behavior", Choice("ignore", "panic", "panic-on-replicas"), "ignore", NO_EFFECT
            ),
        ),
    ),
    (
        "Security",
        (
            Directive("requirepass", Secret(), b"", SENSITIVE),
            Directive("aclfile", Text(may_be_empty=True), "", IMMUTABLE | NO_EFFECT),
            Directive("acl-pubsub-default", Choice("allchannels", "resetchannels"), "resetchannels", NO_EFFECT),
            Directive("acllog-max-len", Integer(0, LLONG_MAX), 128, NO_EFFECT),
            Directive("enable-protected-configs", Choice(*WHO_MAY), "no", IMMUTABLE),
            Directive("enable-debug-command", Choice(*WHO_MAY), "no", IMMUTABLE),
            Directive("enable-module-command", Choice(*WHO_MAY), "no", IMMUTABLE),
        ),
    ),
    (
        "Clients",
        (
            Directive("maxclients", Integer(1, UINT_MAX), 10000),
            Directive("client-output-buffer-limit", OutputBufferLimits(), DEFAULT_OUTPUT_BUFFER_LIMITS, MULTI_ARG),
            Directive("client-query-buffer-limit", Memory(1 << 20, LLONG_MAX), 1 << 30),
            Directive("proto-max-bulk-len", Memory(1 << 20, LLONG_MAX), 512 << 20),
            Directive("maxmemory-clients", Memory(-100, LLONG_MAX, percent=True), 0, NO_EFFECT),
            Directive("tracking-table-max-keys", Integer(0, LLONG_MAX), 1000000, NO_EFFECT),
        ),
    ),
    (
        "Memory",
        (
            Directive("maxmemory", Memory(0, ULLONG_MAX), 0),
            Directive("maxmemory-policy", Choice(*MAXMEMORY_POLICIES), "noeviction"),
            Directive("maxmemory-samples", Integer(1, INT_MAX), 5),
            Directive("maxmemory-eviction-tenacity", Integer(0, 100), 10),
            Directive("lfu-log-factor", Integer(0, INT_MAX), 10),
            Directive("lfu-decay-time", Integer(0, INT_MAX), 1),
            Directive("active-expire-effort", Integer(1, 10), 1),
            Directive("lazyfree-lazy-eviction", YesNo(), False),
            Directive("lazyfree-lazy-expire", YesNo(), False),
            Directive("lazyfree-lazy-server-del", YesNo(), False, NO_EFFECT),
            Directive("lazyfree-lazy-user-del", YesNo(), False),
            Directive("lazyfree-lazy-user-flush", YesNo(), False, NO_EFFECT),
        ),
    ),
    (
        "Cold tier (RedRock's own)",
        (
            Directive("maxrockmem", Memory(0, ULLONG_MAX), 0, OWN),
            Directive("maxpsmem", Memory(0, LLONG_MAX, minus_one=True), -1, OWN),
            Directive("rockdir", Text(), "", OWN | IMMUTABLE),
            Directive("rock-min-value-size", Memory(0, LLONG_MAX), 64, OWN),
            Directive("rock-min-hot-keys", Integer(0, LLONG_MAX), 1000, OWN),
            Directive("hash-max-rock-entries", Integer(0, LLONG_MAX), 0, OWN | NO_EFFECT),
            Directive("snapshot-method", Choice("fork", "inline", "auto"), "auto", OWN | NO_EFFECT),
            Directive("statsd", Text(statsd_refusal), "", OWN | NO_EFFECT),
        ),
    ),
    (
        "Encodings of values",
        (
            Directive("hash-max-listpack-entries", Integer(0, LLONG_MAX), 512, alias="hash-max-ziplist-entries"),
            Directive("hash-max-listpack-value", Memory(0, LLONG_MAX), 64, alias="hash-max-ziplist-value"),
            Directive(
                "list-max-listpack-size", Integer(INT_MIN, INT_MAX), -2, NO_EFFECT, alias="list-max-ziplist-size"
            ),
            Directive("list-compress-depth", Integer(0, INT_MAX), 0, NO_EFFECT),
            Directive("set-max-intset-entries", Integer(0, LLONG_MAX), 512, NO_EFFECT),
            Directive(
                "zset-max-listpack-entries", Integer(0, LLONG_MAX), 128, NO_EFFECT, alias="zset-max-ziplist-entries"
            ),
            Directive("zset-max-listpack-value", Memory(0, LLONG_MAX), 64, NO_EFFECT, alias="zset-max-ziplist-value"),
            Directive("hll-sparse-max-bytes", Memory(0, LLONG_MAX), 3000, NO_EFFECT),
            Directive("stream-node-max-bytes", Memory(0, LLONG_MAX), 4096, NO_EFFECT),
            Directive("stream-node-max-entries", Integer(0, LLONG_MAX), 100, NO_EFFECT),
        ),
    ),
    (
        "Scripts",
        (Directive("busy-reply-threshold", Integer(0, LLONG_MAX), 5000, NO_EFFECT, alias="lua-time-limit"),),
    ),
    (
        "Cluster",
        (
            Directive("cluster-require-full-coverage", YesNo(), True, NO_EFFECT),
            Directive("cluster-replica-no-failover", YesNo(), False, NO_EFFECT, alias="cluster-slave-no-failover"),
            Directive("cluster-enabled", YesNo(), False, IMMUTABLE | NO_EFFECT),
            Directive("cluster-allow-reads-when-down", YesNo(), False, NO_EFFECT),
            Directive("cluster-allow-pubsubshard-when-down", YesNo(), True, NO_EFFECT),
            Directive("cluster-allow-replica-migration", YesNo(), True, NO_EFFECT),
            Directive("cluster-announce-ip", Text(), "", NO_EFFECT),
            Directive("cluster-config-file", Text(may_be_empty=True), "nodes.conf", IMMUTABLE | NO_EFFECT),
            Directive("cluster-announce-hostname", Text(host_name_refusal), "", NO_EFFECT),
            Directive("cluster-preferred-endpoint-type", Choice("ip", "hostname", "unknown-endpoint"), "ip", NO_EFFECT),
            Directive(
                "cluster-replica-validity-factor",
                Integer(0, INT_MAX),
                10,
                NO_EFFECT,
                alias="cluster-slave-validity-factor",
            ),
            Directive("cluster-migration-barrier", Integer(0, INT_MAX), 1, NO_EFFECT),
            Directive("cluster-port", Integer(0, 65535), 0, IMMUTABLE | NO_EFFECT),
            Directive("cluster-announce-bus-port", Integer(0, 65535), 0, NO_EFFECT),
            Directive("cluster-announce-port", Integer(0, 65535), 0, NO_EFFECT),
            Directive("cluster-announce-tls-port", Integer(0, 65535), 0, NO_EFFECT),
            Directive("cluster-node-timeout", Integer(0, LLONG_MAX), 15000, NO_EFFECT),
            Directive("cluster-link-sendbuf-limit", Memory(0, ULLONG_MAX), 0, NO_EFFECT),
        ),
    ),
    (
        "What happened",
        (
            Directive("slowlog-log-slower-than", Integer(-1, LLONG_MAX), 10000),
            Directive("slowlog-max-len", Integer(0, LLONG_MAX), 128),
            Directive("latency-monitor-threshold", Integer(0, LLONG_MAX), 0, NO_EFFECT),
            Directive("latency-tracking", YesNo(), True),
            Directive("latency-tracking-info-percentiles", Percentiles(), (50.0, 99.0, 99.9), MULTI_ARG),
            Directive("notify-keyspace-events", NotifyEvents(), 0),
        ),
    ),
    (
        "Time and the machine",
        (
            Directive("hz", Integer(0, INT_MAX, clamp=(1, 500)), 10),
            Directive("dynamic-hz", YesNo(), True, NO_EFFECT),
            Directive("activerehashing", YesNo(), True, NO_EFFECT),
            Directive("io-threads", Integer(1, 128), 1, IMMUTABLE | NO_EFFECT),
            Directive("io-threads-do-reads", YesNo(), False, IMMUTABLE | NO_EFFECT),
            Directive(
                "oom-score-adj",
                Choice("no", "yes", "relative", "absolute", synonyms={"relative": "yes"}),
                "no",
                NO_EFFECT,
            ),
            Directive("oom-score-adj-values", OomScores(), (0, 200, 800), MULTI_ARG | NO_EFFECT),
            Directive("disable-thp", YesNo(), True, IMMUTABLE | NO_EFFECT),
            Directive("jemalloc-bg-thread", YesNo(), True, NO_EFFECT),
            Directive("server_cpulist", Text(), "", IMMUTABLE | NO_EFFECT),
            Directive("bio_cpulist", Text(), "", IMMUTABLE | NO_EFFECT),
            Directive("aof_rewrite_cpulist", Text(), "", IMMUTABLE | NO_EFFECT),
            Directive("bgsave_cpulist", Text(), "", IMMUTABLE | NO_EFFECT),
        ),
    ),
    (
        "Defragmentation",
        (
            Directive("activedefrag", YesNo(yes_refused=NO_DEFRAGMENTATION), False, NO_EFFECT),
            Directive("active-defrag-ignore-bytes", Memory(1, LLONG_MAX), 100 << 20, NO_EFFECT),
            Directive("active-defrag-threshold-lower", Integer(0, 1000), 10, NO_EFFECT),
            Directive("active-defrag-threshold-upper", Integer(0, 1000), 100, NO_EFFECT),
            Directive("active-defrag-cycle-min", Integer(1, 99), 1, NO_EFFECT),
            Directive("active-defrag-cycle-max", Integer(1, 99), 25, NO_EFFECT),
            Directive("active-defrag-max-scan-fields", Integer(1, LLONG_MAX), 1000, NO_EFFECT),
        ),
    ),
    (
        "For tests",
        (
            Directive("use-exit-on-panic", YesNo(), False, HIDDEN | NO_EFFECT),
            Directive("watchdog-period", Integer(0, INT_MAX), 0, HIDDEN | NO_EFFECT),
            Directive("rdb-key-save-delay", Integer(INT_MIN, INT_MAX), 0, HIDDEN),
            Directive("key-load-delay", Integer(INT_MIN, INT_MAX), 0, HIDDEN),
            Directive("loading-process-events-interval-bytes", Integer(1024, INT_MAX), 2 << 20, HIDDEN | NO_EFFECT),
        ),
    ),
)

DIRECTIVES: Final = tuple(directive for _, directives in GROUPS for directive in directives)
# Names that Redis still reads in a file, with one argument, and ignores.
RETIRED_NAMES: Final = frozenset((b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"))
