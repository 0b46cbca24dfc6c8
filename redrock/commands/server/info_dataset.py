"""INFO's sections about the dataset: how much of it is in memory, in files, with followers, in the cold tier.

Source: Redis 7.0.15, server.c, genRedisInfoString. Fields and their order are Redis's, but for the section Rock.
"""

import os
from typing import TYPE_CHECKING, Final

from persistence.status import CHILD_AOF, CHILD_RDB, LOG_OFF
from redrock.commands.server.memory import MemoryFigures
from replication.role import LinkState

if TYPE_CHECKING:
    from redrock.commands.context import Context

# Name and value of each field.
Lines = list[tuple[str, object]]

_UNITS: Final = ((1 << 10, "K"), (1 << 20, "M"), (1 << 30, "G"), (1 << 40, "T"), (1 << 50, "P"))


def human_bytes(size: int) -> str:
    """As the ``_human`` fields show a size: ``991.82K``."""
    for unit, letter in _UNITS:
        if unit <= size < unit << 10:
            return f"{size / unit:.2f}{letter}"
    return f"{size}B"


def _bit(value: object) -> int:
    return 1 if value else 0


def _ok(value: bool) -> str:
    return "ok" if value else "err"


def memory_lines(ctx: "Context") -> Lines:
    figures = MemoryFigures(ctx)
    settings = ctx.settings
    system = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    used, resident = figures.total_allocated, figures.resident
    return [
        ("used_memory", used),
        ("used_memory_human", human_bytes(used)),
        ("used_memory_rss", resident),
        ("used_memory_rss_human", human_bytes(resident)),
        ("used_memory_peak", figures.peak_allocated),
        ("used_memory_peak_human", human_bytes(figures.peak_allocated)),
        ("used_memory_peak_perc", f"{figures.peak_percentage:.2f}%"),
        ("used_memory_overhead", figures.overhead_total),
        ("used_memory_startup", figures.startup_allocated),
        ("used_memory_dataset", figures.dataset_bytes),
        ("used_memory_dataset_perc", f"{figures.dataset_percentage:.2f}%"),
        ("allocator_allocated", used),
        ("allocator_active", resident),
        ("allocator_resident", resident),
        ("total_system_memory", system),
        ("total_system_memory_human", human_bytes(system)),
        ("used_memory_lua", 0),
        ("used_memory_vm_eval", 0),
        ("used_memory_lua_human", human_bytes(0)),
        ("used_memory_scripts_eval", 0),
        ("number_of_cached_scripts", 0),
        ("number_of_functions", 0),
        ("number_of_libraries", 0),
        ("used_memory_vm_functions", 0),
        ("used_memory_vm_total", 0),
        ("used_memory_vm_total_human", human_bytes(0)),
        ("used_memory_functions", 0),
        ("used_memory_scripts", 0),
        ("used_memory_scripts_human", human_bytes(0)),
        ("maxmemory", settings.maxmemory),
        ("maxmemory_human", human_bytes(settings.maxmemory)),
        ("maxmemory_policy", settings.maxmemory_policy),
        ("allocator_frag_ratio", f"{figures.fragmentation:.2f}"),
        ("allocator_frag_bytes", figures.fragmentation_bytes),
        ("allocator_rss_ratio", "1.00"),
        ("allocator_rss_bytes", 0),
        ("rss_overhead_ratio", "1.00"),
        ("rss_overhead_bytes", 0),
        ("mem_fragmentation_ratio", f"{figures.fragmentation:.2f}"),
        ("mem_fragmentation_bytes", figures.fragmentation_bytes),
        ("mem_not_counted_for_evict", ctx.server.uncounted_memory()),
        ("mem_replication_backlog", figures.replication_backlog),
        ("mem_total_replication_buffers", figures.replication_backlog),
        ("mem_clients_slaves", figures.clients_slaves),
        ("mem_clients_normal", figures.clients_normal),
        ("mem_cluster_links", 0),
        ("mem_aof_buffer", figures.aof_buffer),
        ("mem_allocator", "pymalloc"),
        ("active_defrag_running", 0),
        # Flushed tables that have not been freed yet: their buckets.
        ("lazyfree_pending_objects", sum(table.bucket_count() for table in ctx.keyspace.discarded)),
        ("lazyfreed_objects", 0),
    ]


def persistence_lines(ctx: "Context") -> Lines:
    status = ctx.persistence.status
    load = status.load
    now_s = ctx.now_ms // 1000
    cow_age = now_s - status.current_cow_updated_at_s if status.current_cow_updated_at_s else 0
    lines: Lines = [
        ("loading", _bit(load.loading and not load.async_loading)),
        ("async_loading", _bit(load.async_loading)),
        ("current_cow_peak", status.current_cow_peak),
        ("current_cow_size", status.current_cow_size),
        ("current_cow_size_age", cow_age),
        ("current_fork_perc", f"{status.fork_percent():.2f}"),
        ("current_save_keys_processed", status.current_save_keys_processed),
        ("current_save_keys_total", status.current_save_keys_total),
        ("rdb_changes_since_last_save", ctx.keyspace.dirty),
        ("rdb_bgsave_in_progress", _bit(status.child_kind == CHILD_RDB)),
        ("rdb_last_save_time", status.rdb_last_save_time),
        ("rdb_last_bgsave_status", _ok(status.rdb_last_bgsave_ok)),
        ("rdb_last_bgsave_time_sec", status.rdb_last_bgsave_time_sec),
        ("rdb_current_bgsave_time_sec", status.child_seconds(CHILD_RDB, now_s)),
        ("rdb_saves", status.rdb_saves),
        ("rdb_last_cow_size", status.rdb_last_cow_size),
        ("rdb_last_load_keys_expired", status.rdb_last_load_keys_expired),
        ("rdb_last_load_keys_loaded", status.rdb_last_load_keys_loaded),
        ("aof_enabled", _bit(status.aof_state != LOG_OFF)),
        ("aof_rewrite_in_progress", _bit(status.child_kind == CHILD_AOF)),
        ("aof_rewrite_scheduled", _bit(status.aof_rewrite_scheduled)),
        ("aof_last_rewrite_time_sec", status.aof_last_rewrite_time_sec),
        ("aof_current_rewrite_time_sec", status.child_seconds(CHILD_AOF, now_s)),
        ("aof_last_bgrewrite_status", _ok(status.aof_last_bgrewrite_ok)),
        ("aof_rewrites", status.aof_rewrites),
        ("aof_rewrites_consecutive_failures", status.aof_rewrites_consecutive_failures),
        ("aof_last_write_status", _ok(status.aof_last_write_ok and status.aof_last_fsync_ok)),
        ("aof_last_cow_size", status.aof_last_cow_size),
        ("module_fork_in_progress", 0),
        ("module_fork_last_cow_size", 0),
    ]
    if ctx.settings.appendonly:
        lines += [
            ("aof_current_size", status.aof_current_size),
            ("aof_base_size", status.aof_base_size),
            ("aof_pending_rewrite", _bit(status.aof_rewrite_scheduled)),
            ("aof_buffer_length", status.aof_buffer_length),
            ("aof_pending_bio_fsync", status.aof_pending_bio_fsync),
            ("aof_delayed_fsync", status.aof_delayed_fsync),
        ]
    if load.loading:
        lines += [
            ("loading_start_time", load.start_time),
            ("loading_total_bytes", load.total_bytes),
            ("loading_rdb_used_mem", load.rdb_used_mem),
            ("loading_loaded_bytes", load.loaded_bytes),
            ("loading_loaded_perc", f"{load.percent():.2f}"),
            ("loading_eta_seconds", load.eta_seconds(now_s)),
        ]
    return lines


def replication_lines(ctx: "Context") -> Lines:
    replication = ctx.replication
    settings, identity, backlog = ctx.settings, replication.identity, replication.feed.backlog
    lines: Lines = [("role", "slave" if replication.role.is_follower else "master")]
    lines += _leader_lines(ctx)
    lines.append(("connected_slaves", len(replication.followers)))
    if settings.min_replicas_to_write and settings.min_replicas_max_lag:
        good = replication.followers.good_count(settings.min_replicas_max_lag, ctx.now_ms)
        lines.append(("min_slaves_good_slaves", good))
    lines += replication.followers.info_lines(ctx.now_ms)
    return [
        *lines,
        ("master_failover_state", "no-failover"),
        ("master_replid", identity.replid.decode()),
        ("master_replid2", identity.replid2.decode()),
        ("master_repl_offset", identity.master_repl_offset),
        ("second_repl_offset", identity.second_repl_offset),
        ("repl_backlog_active", _bit(backlog is not None)),
        ("repl_backlog_size", settings.repl_backlog_size),
        ("repl_backlog_first_byte_offset", 0 if backlog is None else backlog.first_byte_offset),
        ("repl_backlog_histlen", 0 if backlog is None else backlog.histlen),
    ]


def _leader_lines(ctx: "Context") -> Lines:
    """What a follower says of its leader."""
    role, settings = ctx.replication.role, ctx.settings
    if role.leader is None:
        return []
    now_s = ctx.now_ms // 1000
    transferring = role.link is LinkState.TRANSFER
    read_offset, applied_offset = role.known_offsets() or (1, 1)
    lines: Lines = [
        ("master_host", role.leader.host),
        ("master_port", role.leader.port),
        ("master_link_status", "up" if role.link_up else "down"),
        ("master_last_io_seconds_ago", now_s - role.last_io_ms // 1000 if role.link_up else -1),
        ("master_sync_in_progress", _bit(transferring)),
        ("slave_read_repl_offset", read_offset),
        ("slave_repl_offset", applied_offset),
    ]
    if transferring:
        done = role.transfer_read * 100 / role.transfer_total if role.transfer_total > 0 else 0.0
        lines += [
            ("master_sync_total_bytes", role.transfer_total),
            ("master_sync_read_bytes", role.transfer_read),
            ("master_sync_left_bytes", role.transfer_total - role.transfer_read),
            ("master_sync_perc", f"{done:.2f}"),
            ("master_sync_last_io_seconds_ago", now_s - role.transfer_last_io_ms // 1000),
        ]
    if not role.link_up:
        since = role.link_down_since_ms
        lines.append(("master_link_down_since_seconds", now_s - since // 1000 if since else -1))
    return [
        *lines,
        ("slave_priority", settings.replica_priority),
        ("slave_read_only", _bit(settings.replica_read_only)),
        ("replica_announced", _bit(settings.replica_announced)),
    ]


def rock_lines(ctx: "Context") -> Lines:
    """The cold tier. Sizes are of records, as they are stored."""
    settings, keyspace, tier, parking = ctx.settings, ctx.keyspace, ctx.cold_tier, ctx.parking
    cold = keyspace.cold_count()
    lines: Lines = [
        ("rock_enabled", _bit(settings.maxrockmem)),
        ("maxrockmem", settings.maxrockmem),
        ("maxrockmem_human", human_bytes(settings.maxrockmem)),
        ("maxpsmem", settings.maxpsmem),
        ("rock_hot_keys", keyspace.key_count() - cold),
        ("rock_cold_keys", cold),
        ("rock_hot_bytes", keyspace.used_bytes()),
    ]
    if tier is None:
        return lines
    lines += [
        ("rock_status", tier.lost or tier.failure.decode("utf-8", "replace") or "ok"),
        ("rock_spilled_values", tier.spilled_values),
        ("rock_spilled_bytes", tier.spilled_bytes),
        ("rock_spills_in_flight", tier.spills_in_flight()),
        ("rock_in_flight_bytes", tier.in_flight_bytes),
        ("rock_loaded_values", tier.loaded_values),
        ("rock_loaded_bytes", tier.loaded_bytes),
        ("rock_loads_in_flight", tier.loads_in_flight()),
        ("rock_inline_loads", tier.inline_loads),
        ("rock_failed_loads", tier.failed_loads),
        ("rock_failed_writes", tier.failed_writes),
        ("rock_disk_bytes", tier.store_disk_bytes),
        ("rock_disk_human", human_bytes(tier.store_disk_bytes)),
        ("rock_store_memory", tier.store_anonymous_bytes),
        ("rock_stale_stores", tier.store_drops_pending),
        ("rock_dropped_rows", tier.store_dropped_rows),
    ]
    if parking is not None:
        lines += [("rock_parked_clients", parking.parked_count()), ("rock_parked_total", parking.parked_total)]
    return lines
