"""All connected clients, by id and by descriptor.

Ids are never given twice. Iteration copies, since closing a client changes the tables.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from redrock.clients.client import Client


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientObserver:
    """Wants to know when a connection ends."""

    def client_gone(self, client: Client) -> None:
        """Called just before the connection is closed."""
        raise NotImplementedError


class ClientRegistry:
    def __init__(self) -> None:
        self._by_id: Final[dict[int, Client]] = {}
        self._by_fd: Final[dict[int, Client]] = {}
        self._last_id = 0

    def next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def add(self, client: Client) -> None:
        self._by_id[client.client_id] = client
        if client.transport is not None:
            self._by_fd[client.transport.fileno()] = client

    def remove(self, client: Client) -> None:
        self._by_id.pop(client.client_id, None)
        if client.transport is not None:
            self._by_fd.pop(client.transport.fileno(), None)

    def detach_transport(self, client: Client) -> None:
        """The connection stays open, but somebody else serves it from now on (a follower's sender task)."""
        if client.transport is not None:
            self._by_fd.pop(client.transport.fileno(), None)

    def by_id(self, client_id: int) -> Client | None:
        return self._by_id.get(client_id)

    def by_fd(self, fd: int) -> Client | None:
        return self._by_fd.get(fd)

    def all(self) -> list[Client]:
        """In order of arrival."""
        return list(self._by_id.values())

    def count(self) -> int:
        return len(self._by_id)
