"""How the tier reaches its store: the abstract link, so that tests can put a store in memory in LevelDB's place.

Not compiled, so that tasks and tests may implement these classes.
"""

import socket

from redrock.errors import FatalError


class StoreLost(FatalError):
    """The cold store is gone, and the cold values with it: the server cannot go on."""


class StoreLink:
    """An ordered, reliable byte stream to one store. Any method raises StoreLost when the other end is gone."""

    def send(self, data: bytes) -> int:
        """Send what can be sent without waiting; how many bytes that was."""
        raise NotImplementedError

    def send_waiting(self, data: bytes) -> None:
        """Send all, however long it takes."""
        raise NotImplementedError

    def send_socket(self, data: bytes, end: socket.socket) -> None:
        """Send all, and with it one end of another socket pair, which the store is to keep."""
        raise NotImplementedError

    def receive(self) -> bytes:
        """What has come, without waiting; empty if nothing has."""
        raise NotImplementedError

    def receive_waiting(self) -> bytes:
        """What has come, waiting for it; never empty."""
        raise NotImplementedError

    def fileno(self) -> int:
        """For waiting until it can be read or written; -1 if it cannot be waited for."""
        raise NotImplementedError

    def close(self) -> None:
        """The store ends when it notices."""
        raise NotImplementedError


class StoreLauncher:
    """Starts a store when the tier is first needed."""

    def launch(self) -> StoreLink:
        """Wait until it is ready. Raises StoreStartError with a clear text."""
        raise NotImplementedError


class StoreStartError(Exception):
    """The store could not be started; the text says why."""


class SpillWaker:
    """Wakes the spiller task."""

    def wake(self) -> None:
        """Soon, `run_slice` has something to do."""
