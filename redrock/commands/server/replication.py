"""Replication: REPLICAOF, ROLE, PSYNC and SYNC, REPLCONF, WAIT. What they do is in the package `replication`.

Source: Redis 7.0.15, replication.c, replicaofCommand, roleCommand, syncCommand, replconfCommand, waitCommand.
"""

import logging
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.clients.client import IS_REPLICA
from redrock.clients.waiter import Block
from redrock.commands.command import Handler
from redrock.errors import ReplyError
from redrock.resp.reply import NO_REPLY, OK, Reply, Status
from redrock.util.numbers import INT64_MAX, parse_integer
from replication.leader.followers import FollowerState
from replication.protocol.handshake import PsyncRequest
from replication.protocol.replconf import ReplconfKind, read_replconf

if TYPE_CHECKING:
    from redrock.commands.context import Context

logger: Final = logging.getLogger("redrock.replication")

_ALREADY_CONNECTED: Final = Status(b"OK Already connected to specified master")


def replicaof(ctx: "Context", argv: list[bytes]) -> Reply:
    """REPLICAOF host port | NO ONE"""
    if ctx.settings.cluster_enabled:
        raise ReplyError(errors.REPLICAOF_IN_CLUSTER)
    replication = ctx.replication
    if argv[1].lower() == b"no" and argv[2].lower() == b"one":
        if replication.role.is_follower:
            replication.lead()
            logger.info("MASTER MODE enabled (user request from '%s')", _client_text(ctx))
        return OK
    if ctx.client.has(IS_REPLICA):
        raise ReplyError(errors.REPLICAOF_FROM_REPLICA)
    port = parse_integer(argv[2])
    if port is None or not 0 <= port <= 65535:
        raise ReplyError(errors.REPLICAOF_BAD_PORT)
    host = argv[1].decode("utf-8", "surrogateescape")
    present = replication.role.leader
    if present is not None and present.host.lower() == host.lower() and present.port == port:
        logger.info(
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation "
            "performed."
        )
        return _ALREADY_CONNECTED
    replication.follow(host, port)
    logger.info("REPLICAOF %s:%d enabled (user request from '%s')", host, port, _client_text(ctx))
    return OK


def _client_text(ctx: "Context") -> str:
    client = ctx.client
    return f"id={client.client_id} addr={client.address.decode('utf-8', 'backslashreplace')}"


def role(ctx: "Context", argv: list[bytes]) -> Reply:
    """ROLE"""
    replication = ctx.replication
    leader = replication.role.leader
    if leader is None:
        followers: list[Reply] = [
            [follower.ip.encode(), b"%d" % follower.options.listening_port, b"%d" % follower.ack_offset]
            for follower in replication.followers
            if follower.state is FollowerState.ONLINE
        ]
        return [b"master", replication.identity.master_repl_offset, followers]
    offset = replication.role.applied_offset if replication.role.link_up else -1
    host = leader.host.encode("utf-8", "surrogateescape")
    return [b"slave", host, leader.port, replication.role.link.value.encode(), offset]


def psync(ctx: "Context", argv: list[bytes]) -> Reply:
    """PSYNC replid offset [FAILOVER]"""
    replication = ctx.replication
    if ctx.client.has(IS_REPLICA):
        return NO_REPLY
    if len(argv) > 3 and argv[3].lower() == b"failover":
        if not replication.role.is_follower:
            raise ReplyError(errors.PSYNC_FAILOVER_TO_MASTER)
        if argv[1].lower() != replication.identity.replid.lower():
            raise ReplyError(errors.PSYNC_FAILOVER_REPLID)
        replication.lead()
        logger.info("MASTER MODE enabled (failover request from '%s')", _client_text(ctx))
    replication.check_sync(ctx.client)
    offset = parse_integer(argv[2])
    if offset is None:
        name = replication.name_of(ctx.client)
        logger.warning("Replica %s asks for synchronization but with a wrong offset", name)
        raise ReplyError(errors.NOT_AN_INTEGER)
    replication.sync(ctx.client, PsyncRequest(argv[1], offset))
    return NO_REPLY


def sync(ctx: "Context", argv: list[bytes]) -> Reply:
    """SYNC"""
    if ctx.client.has(IS_REPLICA):
        return NO_REPLY
    ctx.replication.check_sync(ctx.client)
    ctx.replication.sync(ctx.client, None)
    return NO_REPLY


def replconf(ctx: "Context", argv: list[bytes]) -> Reply:
    """REPLCONF [option value [option value ...]]"""
    client = ctx.client
    replication = ctx.replication
    told = read_replconf(argv, replication.options_of(client))
    if told.kind is ReplconfKind.ACK:
        if client.has(IS_REPLICA) and told.offset >= 0:
            replication.acknowledged(client, told.offset)
        return NO_REPLY
    if told.kind is ReplconfKind.GETACK:
        replication.leader_wants_ack()
        return NO_REPLY
    client.peer_listening_port = replication.options_of(client).listening_port
    return OK


def wait(ctx: "Context", argv: list[bytes]) -> Reply:
    """WAIT numreplicas timeout"""
    replication = ctx.replication
    if replication.role.is_follower:
        raise ReplyError(errors.WAIT_ON_REPLICA)
    replicas = parse_integer(argv[1])
    if replicas is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    timeout_ms = parse_integer(argv[2])
    if timeout_ms is None:
        raise ReplyError(errors.TIMEOUT_NOT_AN_INTEGER)
    if timeout_ms < 0:
        raise ReplyError(errors.TIMEOUT_NEGATIVE)
    client = ctx.client
    acknowledged = replication.count_acks(client.write_offset)
    if acknowledged >= replicas or ctx.deny_blocking:
        return acknowledged
    waiter = replication.acks.wait(client, client.write_offset, replicas)
    return Block(waiter, min(ctx.now_ms + timeout_ms, INT64_MAX) if timeout_ms else 0)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"replicaof": replicaof,
    b"slaveof": replicaof,
    b"role": role,
    b"psync": psync,
    b"sync": sync,
    b"replconf": replconf,
    b"wait": wait,
}
