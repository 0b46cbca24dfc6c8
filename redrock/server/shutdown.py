"""How the server stops: followers are given a moment to catch up, the last save and fsync are made, the tasks end.

Source: Redis 7.0.15, server.c, prepareForShutdown, isReadyToShutdown, finishShutdown.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.clients.client import Client
from redrock.clients.waiter import Block, Waiter
from redrock.errors import ReplyError
from redrock.resp.reply import ErrorReply, Reply
from replication.leader.followers import Follower, FollowerState

if TYPE_CHECKING:
    from persistence.service import Persistence
    from redrock.config.settings import Settings
    from redrock.keyspace.keyspace import Keyspace
    from redrock.server.pause import Pause
    from redrock.server.serving import Serving
    from replication.service import Replication

logger: Final = logging.getLogger("redrock")

# The pause ends with the shutdown, one way or the other.
_FOR_EVER_MS: Final = 1 << 62


class ShutdownWaiter(Waiter):
    """A client that has sent SHUTDOWN: it hears of it only if the shutdown fails."""

    def __init__(self, waiting: list[Client]) -> None:
        self._waiting: Final = waiting

    def timed_out(self, client: Client) -> Reply:
        return ErrorReply(errors.SHUTDOWN_FAILED)

    def cancelled(self, client: Client) -> None:
        if client in self._waiting:
            self._waiting.remove(client)


class Shutdown:
    """``tick`` is for the cron; ``done`` is called when nothing stands in the way of the end any more."""

    def __init__(
        self,
        settings: Settings,
        keyspace: Keyspace,
        persistence: Persistence,
        replication: Replication,
        pause: Pause,
        serving: Serving,
        done: Callable[[], None],
    ) -> None:
        self._settings: Final = settings
        self._keyspace: Final = keyspace
        self._persistence: Final = persistence
        self._replication: Final = replication
        self._pause: Final = pause
        self._serving: Final = serving
        self._done: Final = done
        self._until_ms = 0  # 0: no shutdown is waiting for followers
        self._save = False
        self._nosave = False
        self._force = False
        self.waiting_clients: Final[list[Client]] = []

    def is_waiting(self) -> bool:
        return self._until_ms != 0

    def request(self, save: bool, nosave: bool, now: bool, force: bool) -> bool:
        """Begin. True: it waits for followers; False: the server is ending. Raises ReplyError if it must not end."""
        if self.is_waiting():
            return True
        self._save, self._nosave, self._force = save, nosave, force
        logger.warning("User requested shutdown...")
        timeout_seconds = self._settings.shutdown_timeout
        if not now and timeout_seconds and self._lagging():
            self._until_ms = self._keyspace.now_ms + timeout_seconds * 1000
            # No more writes: the followers are to catch up with what there is, and to say so.
            self._replication.acks.getack_wanted = True
            self._pause.begin(True, _FOR_EVER_MS)
            logger.info("Waiting for replicas before shutting down.")
            return True
        self._finish()
        return False

    def wait_for_end(self, client: Client) -> Reply:
        """What blocks a client that has sent SHUTDOWN, while followers are waited for."""
        self.waiting_clients.append(client)
        return Block(ShutdownWaiter(self.waiting_clients), 0)

    def deadline_ms(self) -> int:
        """Until when followers are waited for; 0 if they are not."""
        return self._until_ms

    def abort(self) -> bool:
        """SHUTDOWN ABORT; whether there was one to abort."""
        if not self.is_waiting():
            return False
        logger.info("Shutdown manually aborted.")
        self._stop_waiting()
        return True

    def tick(self) -> None:
        if not self.is_waiting():
            return
        if self._lagging() and self._keyspace.now_ms < self._until_ms:
            return
        try:
            self._until_ms = 0
            self._finish()
        except ReplyError:
            self._stop_waiting()

    def _stop_waiting(self) -> None:
        self._until_ms = 0
        self._pause.end()
        for client in self.waiting_clients.copy():
            self._serving.answer_blocked(client, ErrorReply(errors.SHUTDOWN_FAILED))
        self.waiting_clients.clear()

    def _finish(self) -> None:
        self._log_followers()
        if not self._persistence.shut_down(self._save, self._nosave, self._force):
            logger.warning("Errors trying to shut down the server. Check the logs for more information.")
            raise ReplyError(errors.SHUTDOWN_FAILED)
        self._done()

    def _lagging(self) -> list[Follower]:
        """Those that have not said that they have everything."""
        offset = self._replication.identity.master_repl_offset
        return [follower for follower in self._replication.followers if follower.ack_offset != offset]

    def _log_followers(self) -> None:
        lagging = self._lagging()
        for follower in lagging:
            online = follower.state is FollowerState.ONLINE
            logger.warning(
                "Lagging replica %s reported offset %d behind master, lag=%d, state=%s.",
                follower.name,
                self._replication.identity.master_repl_offset - follower.ack_offset,
                (self._keyspace.now_ms - follower.ack_ms) // 1000 if online else 0,
                follower.state.info_word,
            )
        count = len(self._replication.followers)
        if count:
            logger.info("%d of %d replicas are in sync when shutting down.", count - len(lagging), count)
