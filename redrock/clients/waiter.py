"""What a blocked client waits for, as an object; and the reply by which a command blocks its client."""

from typing import Final

from mypy_extensions import mypyc_attr

from redrock.clients.client import Client
from redrock.resp.reply import Reply, ReplyNode


@mypyc_attr(allow_interpreted_subclasses=True)
class Waiter:
    """Kept by `clients.blocking` until the client is served, timed out or cancelled."""

    def timed_out(self, client: Client) -> Reply:
        """The reply when the time is over."""
        raise NotImplementedError

    def cancelled(self, client: Client) -> None:
        """The client is gone or was unblocked by force: forget it."""
        raise NotImplementedError

    def keys(self) -> list[bytes]:
        """The keys it waits for; none if it waits for something else."""
        return []


class Block(ReplyNode):
    """Returned by a command that cannot answer yet. ``timeout_at_ms`` 0 waits for ever."""

    def __init__(self, waiter: Waiter, timeout_at_ms: int) -> None:
        self.waiter: Final = waiter
        self.timeout_at_ms: Final = timeout_at_ms
