"""The typed attributes of the configuration: one per directive, its name with `_` for `-`. Nothing but declarations.

Kept apart from `Settings` so that the list can be read as a list, and compiled, so that reading a setting on the hot
path costs a load from a struct. Units are Redis's: sizes in bytes; times in the unit that conf/redrock.conf says. Texts
are str (paths as `os.fsdecode` makes them, "" for none), secrets are bytes (b"": none).
Aliases (`slave_priority`) have no attribute of their own.
"""

from typing import Final, TypeAlias, final

# Places in `client_output_buffer_limit`.
LIMIT_NORMAL: Final = 0
LIMIT_REPLICA: Final = 1
LIMIT_PUBSUB: Final = 2


@final
class OutputBufferLimit:
    """At `hard_bytes` a client is closed at once, at `soft_bytes` after `soft_seconds` above it; 0 means no limit."""

    def __init__(self, hard_bytes: int, soft_bytes: int, soft_seconds: int) -> None:
        self.hard_bytes: Final = hard_bytes
        self.soft_bytes: Final = soft_bytes
        self.soft_seconds: Final = soft_seconds

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, OutputBufferLimit)
            and self.hard_bytes == other.hard_bytes
            and self.soft_bytes == other.soft_bytes
            and self.soft_seconds == other.soft_seconds
        )

    def __hash__(self) -> int:
        return hash((self.hard_bytes, self.soft_bytes, self.soft_seconds))

    def __repr__(self) -> str:
        return f"OutputBufferLimit({self.hard_bytes}, {self.soft_bytes}, {self.soft_seconds})"


OutputBufferLimits: TypeAlias = tuple[OutputBufferLimit, OutputBufferLimit, OutputBufferLimit]


class SettingValues:
    """Every directive as a typed attribute. `Settings` fills them with the defaults of `directives`."""

    # Network
    bind: tuple[str, ...]
    bind_source_addr: str
    port: int
    tcp_backlog: int
    tcp_keepalive: int
    timeout: int
    unixsocket: str
    unixsocketperm: int
    protected_mode: bool
    socket_mark_id: int
    # TLS
    tls_port: int
    tls_session_cache_size: int
    tls_session_cache_timeout: int
    tls_cluster: bool
    tls_replication: bool
    tls_auth_clients: str
    tls_prefer_server_ciphers: bool
    tls_session_caching: bool
    tls_cert_file: str
    tls_key_file: str
    tls_key_file_pass: str
    tls_client_cert_file: str
    tls_client_key_file: str
    tls_client_key_file_pass: str
    tls_dh_params_file: str
    tls_ca_cert_file: str
    tls_ca_cert_dir: str
    tls_protocols: str
    tls_ciphers: str
    tls_ciphersuites: str
    # Process and log
    daemonize: bool
    pidfile: str
    supervised: str
    loglevel: str
    logfile: str
    syslog_enabled: bool
    syslog_ident: str
    syslog_facility: str
    databases: int
    dir: str
    always_show_logo: bool
    set_proc_title: bool
    proc_title_template: str
    crash_log_enabled: bool
    crash_memcheck_enabled: bool
    ignore_warnings: str
    shutdown_timeout: int
    shutdown_on_sigint: tuple[str, ...]
    shutdown_on_sigterm: tuple[str, ...]
    # Snapshots
    save: tuple[tuple[int, int], ...]
    dbfilename: str
    rdbcompression: bool
    rdbchecksum: bool
    stop_writes_on_bgsave_error: bool
    rdb_del_sync_files: bool
    rdb_save_incremental_fsync: bool
    sanitize_dump_payload: str
    # Append-only file
    appendonly: bool
    appendfilename: str
    appenddirname: str
    appendfsync: str
    no_appendfsync_on_rewrite: bool
    auto_aof_rewrite_percentage: int
    auto_aof_rewrite_min_size: int
    aof_load_truncated: bool
    aof_use_rdb_preamble: bool
    aof_timestamp_enabled: bool
    aof_rewrite_incremental_fsync: bool
    aof_disable_auto_gc: bool
    # Replication
    replicaof: tuple[str, int] | None
    masterauth: bytes
    masteruser: bytes
    replica_serve_stale_data: bool
    replica_read_only: bool
    replica_ignore_maxmemory: bool
    replica_ignore_disk_write_errors: bool
    replica_lazy_flush: bool
    replica_priority: int
    replica_announced: bool
    replica_announce_ip: str
    replica_announce_port: int
    repl_diskless_sync: bool
    repl_diskless_sync_delay: int
    repl_diskless_sync_max_replicas: int
    repl_diskless_load: str
    repl_ping_replica_period: int
    repl_timeout: int
    repl_disable_tcp_nodelay: bool
    repl_backlog_size: int
    repl_backlog_ttl: int
    min_replicas_to_write: int
    min_replicas_max_lag: int
    propagation_error_behavior: str
    # Security
    requirepass: bytes
    aclfile: str
    acl_pubsub_default: str
    acllog_max_len: int
    enable_protected_configs: str
    enable_debug_command: str
    enable_module_command: str
    # Clients
    maxclients: int
    client_output_buffer_limit: OutputBufferLimits
    client_query_buffer_limit: int
    proto_max_bulk_len: int
    maxmemory_clients: int
    tracking_table_max_keys: int
    # Memory
    maxmemory: int
    maxmemory_policy: str
    maxmemory_samples: int
    maxmemory_eviction_tenacity: int
    lfu_log_factor: int
    lfu_decay_time: int
    active_expire_effort: int
    lazyfree_lazy_eviction: bool
    lazyfree_lazy_expire: bool
    lazyfree_lazy_server_del: bool
    lazyfree_lazy_user_del: bool
    lazyfree_lazy_user_flush: bool
    # Cold tier
    maxrockmem: int
    maxpsmem: int
    rockdir: str
    rock_min_value_size: int
    rock_min_hot_keys: int
    hash_max_rock_entries: int
    snapshot_method: str
    statsd: str
    # Encodings of values
    hash_max_listpack_entries: int
    hash_max_listpack_value: int
    list_max_listpack_size: int
    list_compress_depth: int
    set_max_intset_entries: int
    zset_max_listpack_entries: int
    zset_max_listpack_value: int
    hll_sparse_max_bytes: int
    stream_node_max_bytes: int
    stream_node_max_entries: int
    # Scripts
    busy_reply_threshold: int
    # Cluster
    cluster_require_full_coverage: bool
    cluster_replica_no_failover: bool
    cluster_enabled: bool
    cluster_allow_reads_when_down: bool
    cluster_allow_pubsubshard_when_down: bool
    cluster_allow_replica_migration: bool
    cluster_announce_ip: str
    cluster_config_file: str
    cluster_announce_hostname: str
    cluster_preferred_endpoint_type: str
    cluster_replica_validity_factor: int
    cluster_migration_barrier: int
    cluster_port: int
    cluster_announce_bus_port: int
    cluster_announce_port: int
    cluster_announce_tls_port: int
    cluster_node_timeout: int
    cluster_link_sendbuf_limit: int
    # What happened
    slowlog_log_slower_than: int
    slowlog_max_len: int
    latency_monitor_threshold: int
    latency_tracking: bool
    latency_tracking_info_percentiles: tuple[float, ...]
    notify_keyspace_events: int
    # Time and the machine
    hz: int
    dynamic_hz: bool
    activerehashing: bool
    io_threads: int
    io_threads_do_reads: bool
    oom_score_adj: str
    oom_score_adj_values: tuple[int, int, int]
    disable_thp: bool
    jemalloc_bg_thread: bool
    server_cpulist: str
    bio_cpulist: str
    aof_rewrite_cpulist: str
    bgsave_cpulist: str
    # Defragmentation
    activedefrag: bool
    active_defrag_ignore_bytes: int
    active_defrag_threshold_lower: int
    active_defrag_threshold_upper: int
    active_defrag_cycle_min: int
    active_defrag_cycle_max: int
    active_defrag_max_scan_fields: int
    # For tests
    use_exit_on_panic: bool
    watchdog_period: int
    rdb_key_save_delay: int
    key_load_delay: int
    loading_process_events_interval_bytes: int
