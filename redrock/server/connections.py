"""New connections: limits, protected mode, and the client that stands for each.

Source: Redis 7.0.15, networking.c, acceptCommonHandler and clientAcceptHandler.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING, Final

from redrock.clients.client import NEEDS_AUTH, Client
from redrock.clients.transport import SocketTransport, Transport
from redrock.commands.context import Context
from redrock.server.log import VERBOSE

if TYPE_CHECKING:
    from redrock.server.serving import Serving

logger: Final = logging.getLogger("redrock")

_MAX_CLIENTS: Final = b"-ERR max number of clients reached\r\n"
_PROTECTED: Final = (
    b"-DENIED Redis is running in protected mode because protected mode is enabled and no password is set for the "
    b"default user. In this mode connections are only accepted from the loopback interface. If you want to connect "
    b"from external computers to Redis you may adopt one of the following solutions: "
    b"1) Just disable protected mode sending the command 'CONFIG SET protected-mode no' from the loopback interface "
    b"by connecting to Redis from the same host the server is running, however MAKE SURE Redis is not publicly "
    b"accessible from internet if you do so. Use CONFIG REWRITE to make this change permanent. "
    b"2) Alternatively you can just disable the protected mode by editing the Redis configuration file, and setting "
    b"the protected mode option to 'no', and then restarting the server. "
    b"3) If you started the server manually just for testing, restart it with the '--protected-mode no' option. "
    b"4) Setup a an authentication password for the default user. "
    b"NOTE: You only need to do one of the above things in order for the server to start accepting connections from "
    b"the outside.\r\n"
)


class Connections:
    """Makes clients of accepted sockets."""

    def __init__(self, ctx: Context, serving: Serving) -> None:
        self._ctx: Final = ctx
        self._serving: Final = serving

    def welcome_tcp(self, connection: socket.socket, peer: object) -> None:
        """A socket from a TCP listener: non-blocking; ``peer`` is its address as accept() gives it."""
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        keepalive_seconds = self._ctx.settings.tcp_keepalive
        if keepalive_seconds:
            set_keepalive(connection, keepalive_seconds)
        try:
            remote = address_text(connection.getpeername())
            local = address_text(connection.getsockname())
        except OSError:
            connection.close()  # gone already
            return
        client = self.welcome(SocketTransport(connection), remote, local)
        if client is not None:
            client.is_local = is_loopback(remote)
            if not client.is_local and self._is_protected():
                self._refuse(client, _PROTECTED)
                self._ctx.stats.rejected_connections += 1

    def welcome_unix(self, connection: socket.socket, peer: object) -> None:
        """A socket from the unix listener."""
        path = self._ctx.settings.unixsocket.encode() + b":0"
        client = self.welcome(SocketTransport(connection), path, path)
        if client is not None:
            client.is_local = True
            client.is_unix_socket = True

    def welcome(self, transport: Transport, remote: bytes, local: bytes) -> Client | None:
        """A connection of any kind, with the addresses to show; None if there are too many."""
        ctx = self._ctx
        settings = ctx.settings
        if ctx.clients.count() >= settings.maxclients:
            try:
                transport.send(_MAX_CLIENTS)
            except OSError as error:
                logger.debug("Refusing a client: %s", error)
            transport.close()
            ctx.stats.rejected_connections += 1
            return None
        logger.log(VERBOSE, "Accepted %s", remote.decode())
        client = Client(ctx.clients.next_id(), transport, ctx.keyspace.databases[0], ctx.keyspace.now_ms)
        client.address = remote
        client.local_address = local
        if settings.requirepass:
            client.gate |= NEEDS_AUTH
            client.parser.authenticated = False
        else:
            client.parser.authenticated = True
        ctx.stats.total_connections_received += 1
        self._serving.add(client)
        return client

    def _is_protected(self) -> bool:
        settings = self._ctx.settings
        return settings.protected_mode and not settings.requirepass

    def _refuse(self, client: Client, text: bytes) -> None:
        client.output.writer.write(text)
        client.close_after_reply = True
        self._serving.queue_send(client)


def address_text(address: object) -> bytes:
    """ip:port as CLIENT LIST prints it; IPv6 in brackets."""
    assert isinstance(address, tuple)
    host, port = str(address[0]), int(address[1])
    return (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()


def is_loopback(address: bytes) -> bool:
    return address.startswith((b"127.", b"[::1]"))


def set_keepalive(connection: socket.socket, interval_seconds: int) -> None:
    """Probe idle peers every ``interval_seconds``; three probes without answer end the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, interval_seconds)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(1, interval_seconds // 3))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
