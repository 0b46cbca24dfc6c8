"""INFO's section Replication.

Source: Redis 7.0.15, server.c, genRedisInfoString. Fields in Redis' order; times in seconds, as they are printed.
"""

from attrs import frozen

from redrock.config.values import SettingValues
from replication.backlog import Backlog
from replication.identity import ReplicationIdentity
from replication.leader.followers import Followers
from replication.role import LinkState, Role


@frozen
class LeaderFacts:
    """What concerns our own stream: every server has one, in either role."""

    followers: Followers
    identity: ReplicationIdentity
    backlog: Backlog | None
    good_replicas: int


def info_fields(role: Role, facts: LeaderFacts, settings: SettingValues, now_ms: int) -> list[tuple[str, str]]:
    """(name, value), one pair for each line."""
    fields = [("role", "slave" if role.is_follower else "master")]
    if role.leader is not None:
        fields += _link_fields(role, role.leader.host, role.leader.port, now_ms // 1000)
        fields += [
            ("slave_priority", str(settings.replica_priority)),
            ("slave_read_only", str(int(settings.replica_read_only))),
            ("replica_announced", str(int(settings.replica_announced))),
        ]
    fields.append(("connected_slaves", str(len(facts.followers))))
    if settings.min_replicas_to_write and settings.min_replicas_max_lag:
        fields.append(("min_slaves_good_slaves", str(facts.good_replicas)))
    identity, backlog = facts.identity, facts.backlog
    return [
        *fields,
        *facts.followers.info_lines(now_ms),
        ("master_failover_state", "no-failover"),
        ("master_replid", identity.replid.decode("ascii", "replace")),
        ("master_replid2", identity.replid2.decode("ascii", "replace")),
        ("master_repl_offset", str(identity.master_repl_offset)),
        ("second_repl_offset", str(identity.second_repl_offset)),
        ("repl_backlog_active", str(int(backlog is not None))),
        ("repl_backlog_size", str(settings.repl_backlog_size)),
        ("repl_backlog_first_byte_offset", str(0 if backlog is None else backlog.first_byte_offset)),
        ("repl_backlog_histlen", str(0 if backlog is None else backlog.histlen)),
    ]


def _link_fields(role: Role, host: str, port: int, now_s: int) -> list[tuple[str, str]]:
    # Before anything is known of a leader, Redis prints 1 for both offsets.
    read, applied = role.known_offsets() or (1, 1)
    fields = [
        ("master_host", host),
        ("master_port", str(port)),
        ("master_link_status", "up" if role.link_up else "down"),
        ("master_last_io_seconds_ago", str(now_s - role.last_io_ms // 1000 if role.link_up else -1)),
        ("master_sync_in_progress", str(int(role.link is LinkState.TRANSFER))),
        ("slave_read_repl_offset", str(read)),
        ("slave_repl_offset", str(applied)),
    ]
    if role.link is LinkState.TRANSFER:
        total, received = role.transfer_total, role.transfer_read
        percent = received / total * 100 if total else 0.0
        fields += [
            ("master_sync_total_bytes", str(total)),
            ("master_sync_read_bytes", str(received)),
            ("master_sync_left_bytes", str(total - received)),
            ("master_sync_perc", f"{percent:.2f}"),
            ("master_sync_last_io_seconds_ago", str(now_s - role.transfer_last_io_ms // 1000)),
        ]
    if not role.link_up:
        since_ms = role.link_down_since_ms
        fields.append(("master_link_down_since_seconds", str(now_s - since_ms // 1000 if since_ms else -1)))
    return fields
