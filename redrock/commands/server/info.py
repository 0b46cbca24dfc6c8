"""INFO: a section per function, a field per line. Those about the dataset are in `info_dataset`.

Source: Redis 7.0.15, server.c, genRedisInfoString: sections, fields and their order are Redis's. What RedRock adds
stands at the end of a section, or in the section Rock, so that nothing moves.
"""

import os
import platform
import re
import resource
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from redrock.clients.client import BLOCKED, IS_REPLICA, POSTPONED, TRACKING
from redrock.commands.command import Command, Handler
from redrock.commands.connection import REDIS_VERSION
from redrock.commands.server.info_dataset import Lines, memory_lines, persistence_lines, replication_lines, rock_lines
from redrock.resp.reply import Reply, Verbatim

if TYPE_CHECKING:
    from redrock.commands.context import Context

# What would break a line of INFO in two, or a name off its value, and what stands for it.
_UNSAFE: Final = str.maketrans("#:\n\r", "____")


# --- Sections


def _server(ctx: "Context") -> Lines:
    settings, facts = ctx.settings, ctx.facts
    system = platform.uname()
    compiler = re.match(r"GCC (\d+\.\d+\.\d+)", platform.python_compiler())
    uptime = max(0, ctx.now_ms - ctx.stats.started_at_ms) // 1000
    lines: Lines = [
        ("redis_version", REDIS_VERSION.decode()),
        ("redis_git_sha1", "00000000"),
        ("redis_git_dirty", 0),
        ("redis_build_id", "0" * 16),
        ("redis_mode", "cluster" if settings.cluster_enabled else "standalone"),
        ("os", f"{system.system} {system.release} {system.machine}"),
        ("arch_bits", 64 if sys.maxsize > 2**32 else 32),
        ("monotonic_clock", "POSIX clock_gettime"),
        ("multiplexing_api", "epoll" if hasattr(select, "epoll") else "kqueue"),
        ("atomicvar_api", "gil"),
        ("gcc_version", compiler.group(1) if compiler else "0.0.0"),
        ("process_id", os.getpid()),
        ("process_supervised", settings.supervised if settings.supervised in ("upstart", "systemd") else "no"),
        ("run_id", facts.run_id.decode()),
        ("tcp_port", settings.port or settings.tls_port),
        ("server_time_usec", time.time_ns() // 1000),
        ("uptime_in_seconds", uptime),
        ("uptime_in_days", uptime // 86400),
        ("hz", settings.hz),
        ("configured_hz", settings.hz),
        ("lru_clock", ctx.keyspace.lru_clock),
        ("executable", facts.executable),
        ("config_file", settings.config_file),
        ("io_threads_active", 0),
    ]
    deadline_ms = ctx.server.shutdown_deadline_ms()
    if deadline_ms:
        lines.append(("shutdown_in_milliseconds", deadline_ms - ctx.now_ms))
    return [
        *lines,
        ("server_name", "redrock"),
        ("redrock_version", facts.version),
        ("redrock_compiled", "yes" if facts.compiled else "no"),
        ("python_version", platform.python_version()),
    ]


def _clients(ctx: "Context") -> Lines:
    clients = ctx.clients.all()
    return [
        ("connected_clients", sum(not client.has(IS_REPLICA) for client in clients)),
        ("cluster_connections", 0),
        ("maxclients", ctx.settings.maxclients),
        ("client_recent_max_input_buffer", max((client.parser.buffered_bytes() for client in clients), default=0)),
        ("client_recent_max_output_buffer", max((client.output.size() for client in clients), default=0)),
        ("blocked_clients", sum(client.state in (BLOCKED, POSTPONED) for client in clients)),
        ("tracking_clients", sum(client.has(TRACKING) for client in clients)),
        ("clients_in_timeout_table", sum(client.block_timeout_at_ms != 0 for client in clients)),
    ]


def _stats(ctx: "Context") -> Lines:
    stats, keyspace, status = ctx.stats, ctx.keyspace, ctx.persistence.status
    return [
        ("total_connections_received", stats.total_connections_received),
        ("total_commands_processed", stats.total_commands_processed),
        ("instantaneous_ops_per_sec", int(stats.commands_rate.per_second())),
        ("total_net_input_bytes", stats.total_net_input_bytes + stats.total_net_repl_input_bytes),
        ("total_net_output_bytes", stats.total_net_output_bytes + stats.total_net_repl_output_bytes),
        ("total_net_repl_input_bytes", stats.total_net_repl_input_bytes),
        ("total_net_repl_output_bytes", stats.total_net_repl_output_bytes),
        ("instantaneous_input_kbps", f"{stats.input_rate.per_second() / 1024:.2f}"),
        ("instantaneous_output_kbps", f"{stats.output_rate.per_second() / 1024:.2f}"),
        ("instantaneous_input_repl_kbps", f"{stats.input_replication_rate.per_second() / 1024:.2f}"),
        ("instantaneous_output_repl_kbps", f"{stats.output_replication_rate.per_second() / 1024:.2f}"),
        ("rejected_connections", stats.rejected_connections),
        ("sync_full", stats.sync_full),
        ("sync_partial_ok", stats.sync_partial_ok),
        ("sync_partial_err", stats.sync_partial_err),
        ("expired_keys", keyspace.expired_keys),
        ("expired_stale_perc", f"{stats.expired_stale_perc * 100:.2f}"),
        ("expired_time_cap_reached_count", stats.expired_time_cap_reached_count),
        ("expire_cycle_cpu_milliseconds", int(stats.expire_cycle_cpu_milliseconds)),
        ("evicted_keys", keyspace.evicted_keys),
        ("evicted_clients", stats.evicted_clients),
        ("total_eviction_exceeded_time", stats.total_eviction_exceeded_time_ms),
        ("current_eviction_exceeded_time", stats.current_eviction_exceeded_time_ms),
        ("keyspace_hits", keyspace.hits),
        ("keyspace_misses", keyspace.misses),
        ("pubsub_channels", 0),
        ("pubsub_patterns", 0),
        ("pubsubshard_channels", 0),
        ("latest_fork_usec", status.latest_fork_usec),
        ("total_forks", status.total_forks),
        ("migrate_cached_sockets", 0),
        ("slave_expires_tracked_keys", 0),
        ("active_defrag_hits", 0),
        ("active_defrag_misses", 0),
        ("active_defrag_key_hits", 0),
        ("active_defrag_key_misses", 0),
        ("total_active_defrag_time", 0),
        ("current_active_defrag_time", 0),
        ("tracking_total_keys", 0),
        ("tracking_total_items", 0),
        ("tracking_total_prefixes", 0),
        ("unexpected_error_replies", stats.unexpected_error_replies),
        ("total_error_replies", stats.total_error_replies),
        ("dump_payload_sanitizations", stats.dump_payload_sanitizations),
        ("total_reads_processed", stats.total_reads_processed),
        ("total_writes_processed", stats.total_writes_processed),
        ("io_threaded_reads_processed", 0),
        ("io_threaded_writes_processed", 0),
        ("reply_buffer_shrinks", 0),
        ("reply_buffer_expands", 0),
    ]


def _cpu(ctx: "Context") -> Lines:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines: Lines = [
        ("used_cpu_sys", f"{own.ru_stime:.6f}"),
        ("used_cpu_user", f"{own.ru_utime:.6f}"),
        ("used_cpu_sys_children", f"{children.ru_stime:.6f}"),
        ("used_cpu_user_children", f"{children.ru_utime:.6f}"),
    ]
    if hasattr(resource, "RUSAGE_THREAD"):
        thread = resource.getrusage(resource.RUSAGE_THREAD)
        lines += [
            ("used_cpu_sys_main_thread", f"{thread.ru_stime:.6f}"),
            ("used_cpu_user_main_thread", f"{thread.ru_utime:.6f}"),
        ]
    return lines


def _modules(ctx: "Context") -> Lines:
    return []  # none can be loaded


def _safe_name(command: Command) -> str:
    return command.name.decode("utf-8", "surrogateescape").translate(_UNSAFE)


def _commandstats(ctx: "Context") -> Lines:
    lines: Lines = []
    for command in ctx.table.everything():
        if command.calls or command.failed_calls or command.rejected_calls:
            per_call = int(command.microseconds) / int(command.calls) if command.calls else 0.0
            facts = f"calls={command.calls},usec={command.microseconds},usec_per_call={per_call:.2f}"
            facts += f",rejected_calls={command.rejected_calls},failed_calls={command.failed_calls}"
            lines.append((f"cmdstat_{_safe_name(command)}", facts))
    return lines


def _errorstats(ctx: "Context") -> Lines:
    return [
        (f"errorstat_{word.decode('utf-8', 'surrogateescape').translate(_UNSAFE)}", f"count={count}")
        for word, count in sorted(ctx.stats.error_counts.items())
    ]


def _short(number: float) -> str:
    """Six decimals, without zeros at the end."""
    return f"{number:f}".rstrip("0").rstrip(".")


def _latencystats(ctx: "Context") -> Lines:
    lines: Lines = []
    if not ctx.settings.latency_tracking:
        return lines
    for command in ctx.table.everything():
        histogram = command.latency
        if histogram is not None:
            facts = [
                f"p{_short(percentile)}={histogram.percentile_us(percentile):.3f}"
                for percentile in ctx.settings.latency_tracking_info_percentiles
            ]
            lines.append((f"latency_percentiles_usec_{_safe_name(command)}", ",".join(facts)))
    return lines


def _cluster(ctx: "Context") -> Lines:
    return [("cluster_enabled", 1 if ctx.settings.cluster_enabled else 0)]


def _keyspace(ctx: "Context") -> Lines:
    return [
        (
            f"db{database.dbid}",
            f"keys={database.table.length()},expires={database.expires.length()},avg_ttl={database.average_ttl_ms}",
        )
        for database in ctx.keyspace.databases
        if database.table.length() or database.expires.length()
    ]


# --- The command

Section = Callable[["Context"], Lines]

# In the order in which they are shown: the names that ask for it, its title, whether it is shown unasked, its lines.
_SECTIONS: Final[tuple[tuple[tuple[bytes, ...], str, bool, Section], ...]] = (
    ((b"server",), "Server", True, _server),
    ((b"clients",), "Clients", True, _clients),
    ((b"memory",), "Memory", True, memory_lines),
    ((b"persistence",), "Persistence", True, persistence_lines),
    ((b"stats",), "Stats", True, _stats),
    ((b"replication",), "Replication", True, replication_lines),
    ((b"cpu",), "CPU", True, _cpu),
    ((b"modules", b"module_list"), "Modules", True, _modules),
    ((b"commandstats",), "Commandstats", False, _commandstats),
    ((b"errorstats",), "Errorstats", True, _errorstats),
    ((b"latencystats",), "Latencystats", False, _latencystats),
    ((b"cluster",), "Cluster", True, _cluster),
    ((b"keyspace",), "Keyspace", True, _keyspace),
    ((b"rock",), "Rock", True, rock_lines),
)


def info_text(ctx: "Context", wanted: set[bytes]) -> bytes:
    """The sections that ``wanted`` names, in lower case; ``default`` and ``all`` (or ``everything``) name several."""
    everything = b"all" in wanted or b"everything" in wanted
    parts: list[str] = []
    for names, title, by_default, section in _SECTIONS:
        if everything or not wanted.isdisjoint(names) or (by_default and b"default" in wanted):
            parts.append(f"# {title}\r\n" + "".join([f"{name}:{value}\r\n" for name, value in section(ctx)]))
    return "\r\n".join(parts).encode("utf-8", "surrogateescape")


def info(ctx: "Context", argv: list[bytes]) -> Reply:
    """INFO [section [section ...]]"""
    wanted = {argument.lower() for argument in argv[1:]} or {b"default"}
    return Verbatim(info_text(ctx, wanted))


HANDLERS: Final[dict[bytes, Handler]] = {
    b"info": info,
}
