"""MONITOR: every command that is run, as a line, to the clients that asked.

Line: ``+<seconds>.<microseconds> [<db> <address>] "arg" "arg"...``. Source: Redis 7.0.15, replication.c,
replicationFeedMonitors.
"""

from time import time
from typing import Final

from redrock.clients.client import IS_SCRIPT, Client
from redrock.util.quoting import quote


class Monitors:
    """``any`` is what the hot path tests. ``to_send`` collects clients that have got output outside of their turn."""

    def __init__(self, to_send: list[Client]) -> None:
        self.any = False
        self._clients: Final[list[Client]] = []
        self._to_send: Final = to_send

    def add(self, client: Client) -> None:
        if client not in self._clients:
            self._clients.append(client)
        self.any = True

    def remove(self, client: Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
        self.any = bool(self._clients)

    def show(self, dbid: int, client: Client, argv: list[bytes]) -> None:
        """Send one line to all monitors."""
        now = time()
        seconds = int(now)
        if client.has(IS_SCRIPT):
            source = b"lua"
        elif client.is_unix_socket:
            source = b"unix:" + client.address.rsplit(b":", 1)[0]
        else:
            source = client.address
        head = b"+%d.%06d [%d %b] " % (seconds, int((now - seconds) * 1000000), dbid, source)
        line = head + b" ".join([quote(argument) for argument in argv]) + b"\r\n"
        for monitor in self._clients:
            monitor.output.writer.write(line)
            if not monitor.in_send_list:
                monitor.in_send_list = True
                self._to_send.append(monitor)
