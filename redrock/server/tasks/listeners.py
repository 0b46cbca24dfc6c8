"""Listeners: accept connections and hand each to the executor as a client.

TCP on every `bind` address and port, and the unix socket; `bind` and `port` may change at run time. Accepting is
bounded per wake-up, so that a storm of connections does not keep the executor waiting. Source: Redis 7.0.15,
networking.c, acceptTcpHandler; anet.c; server.c, changeListenPort.
"""

import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import Final, TypeAlias

import trio

from redrock.config.settings import Settings

logger: Final = logging.getLogger("redrock")

Welcome: TypeAlias = Callable[[socket.socket, object], None]

_ACCEPTS_MAX: Final = 64
# Errors of accept() that concern one connection only, or pass by themselves.
_SURVIVED: Final = frozenset((errno.ECONNABORTED, errno.EINTR, errno.EPROTO, errno.EPERM, errno.ENETDOWN))
_EXHAUSTED: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class BindError(Exception):
    """An address cannot be listened on; the text says which and why."""


def open_tcp(addresses: list[str], port: int, backlog: int) -> list[socket.socket]:
    """Listening sockets for the addresses of the `bind` directive.

    ``-`` before an address: not an error if it is not available here. ``*``: all of IPv4; ``::*``: all of IPv6.
    Raises BindError.
    """
    opened: list[socket.socket] = []
    for written in addresses:
        optional = written.startswith("-")
        address = written.removeprefix("-")
        ipv6 = ":" in address
        host = {"*": "0.0.0.0", "::*": "::"}.get(address, address)
        try:
            family, _, _, _, target = socket.getaddrinfo(
                host, port, socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, socket.SOCK_STREAM)
        except OSError as error:
            if optional or _is_unsupported(error):
                continue
            _close(opened)
            raise BindError(f"Could not create server TCP listening socket {address}:{port}: {error}") from None
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(target)
            listener.listen(backlog)
        except OSError as error:
            listener.close()
            if _is_unsupported(error) or (optional and error.errno == errno.EADDRNOTAVAIL):
                continue
            _close(opened)
            reason = os.strerror(error.errno or 0)
            logger.warning(
                "Warning: Could not create server TCP listening socket %s:%d: bind: %s", address, port, reason
            )
            raise BindError(f"Failed listening on port {port} (TCP), aborting.") from None
        listener.setblocking(False)
        opened.append(listener)
    return opened


def open_unix(path: str, permissions: int, backlog: int) -> socket.socket:
    """The unix socket. A file left at ``path`` by an earlier run is removed. Raises BindError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if os.path.exists(path):
            os.unlink(path)
        listener.bind(path)
        if permissions:
            os.chmod(path, permissions)
        listener.listen(backlog)
    except OSError as error:
        listener.close()
        raise BindError(f"Failed opening Unix socket: bind: {error.strerror or error}") from None
    listener.setblocking(False)
    return listener


def _is_unsupported(error: OSError) -> bool:
    return error.errno in (errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.EPFNOSUPPORT, errno.ENOPROTOOPT)


def _close(sockets: list[socket.socket]) -> None:
    for opened in sockets:
        opened.close()


class Listening:
    """All that is listened on. ``opened`` are bound sockets, True for the unix socket; they are closed at the end."""

    def __init__(
        self,
        settings: Settings,
        opened: list[tuple[socket.socket, bool]],
        welcome_tcp: Welcome,
        welcome_unix: Welcome,
    ) -> None:
        self._settings: Final = settings
        self._unix: Final = [listener for listener, is_unix in opened if is_unix]
        self._tcp: list[socket.socket] = [listener for listener, is_unix in opened if not is_unix]
        self._welcome_tcp: Final = welcome_tcp
        self._welcome_unix: Final = welcome_unix
        self._port = settings.port
        self._bind = list(settings.bind)
        self._nursery: trio.Nursery | None = None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept until cancelled."""
        async with trio.open_nursery() as nursery:
            for listener in self._unix:
                nursery.start_soon(accept_forever, listener, self._welcome_unix)
            for listener in self._tcp:
                nursery.start_soon(accept_forever, listener, self._welcome_tcp)
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    def rebind(self) -> None:
        """Follow `port` and `bind`. Raises ValueError if that cannot be.

        Old addresses are given up first if the port stays, since they may be among the new ones; so after an error it
        is to be called again with the old settings, as CONFIG SET does.
        """
        settings = self._settings
        if (settings.port, list(settings.bind)) == (self._port, self._bind):
            return
        same_port = settings.port == self._port
        if same_port:
            self._close_tcp()
        opened: list[socket.socket] = []
        try:
            if settings.port:
                opened = open_tcp(list(settings.bind), settings.port, settings.tcp_backlog)
        except BindError as error:
            logger.warning("%s", error)
            self._bind = [] if same_port else self._bind
            text = "Failed to bind to specified addresses." if same_port else "Unable to listen on this port. "
            raise ValueError(text if same_port else text + "Check server logs.") from None
        self._close_tcp()
        self._tcp = opened
        self._port = settings.port
        self._bind = list(settings.bind)
        assert self._nursery is not None
        for listener in opened:
            self._nursery.start_soon(accept_forever, listener, self._welcome_tcp)

    def _close_tcp(self) -> None:
        for listener in self._tcp:
            trio.lowlevel.notify_closing(listener)
            listener.close()
        self._tcp = []


async def accept_forever(listener: socket.socket, welcome: Welcome) -> None:
    """Accept until cancelled or until ``listener`` is closed, which it is at the end.

    ``welcome`` gets each socket, non-blocking, and its peer.

    Errors of one connection are passed over. When descriptors run out it waits a moment and tries again, since closing
    the listener would turn a passing shortage into an outage.
    """
    try:
        while True:
            await trio.lowlevel.wait_readable(listener)
            for _ in range(_ACCEPTS_MAX):
                try:
                    connection, peer = listener.accept()
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno in _EXHAUSTED:
                        logger.warning("Accepting client connection: %s", os.strerror(error.errno))
                        await trio.sleep(0.1)
                    elif error.errno not in _SURVIVED:
                        raise
                    break
                connection.setblocking(False)
                welcome(connection, peer)
    except trio.ClosedResourceError:
        pass  # by `rebind`
    finally:
        listener.close()
