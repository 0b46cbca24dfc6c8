"""What replication asks of the server, over the parts that the server has built."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.clients.client import BLOCKED, Client
from redrock.resp.encoder import write_error
from redrock.resp.reply import ErrorReply, Reply
from replication.service import ReplicationHost

if TYPE_CHECKING:
    from redrock.clients.blocking import BlockedClients
    from redrock.keyspace.keyspace import Keyspace
    from redrock.keyspace.observers import Observers
    from redrock.server.serving import Serving

logger: Final = logging.getLogger("redrock.replication")


class ServerReplicationHost(ReplicationHost):
    """``refresh_gate`` makes admission look again at role, link and load; ``wake`` has a pass made soon."""

    def __init__(
        self,
        keyspace: Keyspace,
        observers: Observers,
        serving: Serving,
        blocked: BlockedClients,
        refresh_gate: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        self._keyspace: Final = keyspace
        self._observers: Final = observers
        self._serving: Final = serving
        self._blocked: Final = blocked
        self._refresh_gate: Final = refresh_gate
        self._wake: Final = wake

    def close_client(self, client: Client) -> None:
        self._serving.close(client)

    def refuse_client(self, client: Client, error: bytes) -> None:
        write_error(client.output.writer, error)
        client.close_after_reply = True
        self._serving.queue_send(client)

    def answer_blocked(self, client: Client, reply: Reply) -> None:
        self._serving.answer_blocked(client, reply)

    def role_changed(self, follower: bool) -> None:
        self._keyspace.follower = follower
        self._refresh_gate()
        if not follower:
            return
        # Whatever they wait for, as a follower nobody here could give it to them.
        for client in self._blocked.all():
            if client.state == BLOCKED:
                waiter = self._blocked.waiter_of(client)
                assert waiter is not None
                waiter.cancelled(client)
                self._serving.answer_blocked(client, ErrorReply(errors.UNBLOCKED_BY_ROLE))
                client.close_after_reply = True

    def link_changed(self) -> None:
        self._refresh_gate()

    def loading_changed(self) -> None:
        self._refresh_gate()

    def dataset_flushed(self) -> None:
        if self._observers.watching:
            self._observers.database_flushed(-1)

    def begin_pass(self) -> None:
        self._serving.begin_pass()

    def end_pass(self) -> None:
        self._serving.end_pass()

    def wake_executor(self) -> None:
        self._wake()
