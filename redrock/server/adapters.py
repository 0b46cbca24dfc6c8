"""Parts under the names by which other parts know them: small objects that only pass a call on.

They are objects of their own because the interfaces are compiled classes, which allow one base class only.
"""

import os
from collections.abc import Callable
from typing import Final

from persistence.loader import LoadObserver
from persistence.service import SnapshotListener
from persistence.tasks.append import ReplyGate
from redrock.clients.client import Client
from redrock.clients.registry import ClientObserver
from redrock.interfaces import PassHook
from redrock.keyspace.spilling import Spilling
from redrock.server.execution import Execution
from redrock.server.leader_client import LeaderClient
from redrock.server.serving import Serving
from replication.service import Replication


class Replies(ReplyGate):
    """Replies to writes, held back until the append-only log is safe."""

    def __init__(
        self,
        execution: Execution,
        serving: Serving,
        wake_executor: Callable[[], None],
        refresh_gate: Callable[[], None],
    ) -> None:
        self._refresh_gate: Final = refresh_gate
        self._execution: Final = execution
        self._serving: Final = serving
        self._wake_executor: Final = wake_executor

    def hold(self, on: bool) -> None:
        self._execution.hold_replies = on

    def appended(self, offset: int) -> None:
        self._serving.appended_offset = offset

    def release(self, offset: int) -> None:
        self._serving.release_held(offset)
        self._wake_executor()

    def health_changed(self) -> None:
        self._refresh_gate()


class SaveHealth(SnapshotListener):
    """A save that has failed, or one that succeeds after that, decides whether writes are refused (MISCONF)."""

    def __init__(self, refresh_gate: Callable[[], None]) -> None:
        self._refresh_gate: Final = refresh_gate

    def rdb_child_ended(self, ok: bool, to_pipe: bool) -> None:
        self._refresh_gate()


class LoadBrake(LoadObserver):
    """Makes a load wait while the cold tier cannot take values as fast as they come."""

    def __init__(self, spilling: Spilling) -> None:
        self._spilling: Final = spilling

    def must_wait(self) -> bool:
        self._spilling.end_of_pass()
        return self._spilling.must_throttle()


class LoadAtStart(LoadBrake):
    """Also remembers the keys that were left out since their time was over: followers that go on from here have them.

    More than the backlog could hold is of no use to anybody: then `too_many` is set.
    """

    def __init__(self, spilling: Spilling, bytes_max: int) -> None:
        super().__init__(spilling)
        self._bytes_left = bytes_max
        self.expired: list[tuple[int, bytes]] = []
        self.too_many = False

    def key_expired(self, dbid: int, key: bytes) -> None:
        self._bytes_left -= len(key)
        if self._bytes_left < 0:
            self.too_many = True
            self.expired.clear()
        elif not self.too_many:
            self.expired.append((dbid, key))


class ReplicationClients(ClientObserver):
    """A follower's connection that ends is no follower any more."""

    def __init__(self, replication: Replication) -> None:
        self._replication: Final = replication

    def client_gone(self, client: Client) -> None:
        self._replication.client_gone(client)


class LeaderPass(PassHook):
    """The leader's commands may have waited for cold values that this pass has brought."""

    def __init__(self, leader: LeaderClient) -> None:
        self._leader: Final = leader
        self.wanted = False
        leader.pass_hook = self

    def end_of_pass(self) -> None:
        self._leader.resumed()


def process_limit_bytes(maxpsmem: int) -> int:
    """The limit that the directive `maxpsmem` means: -1 none (returned as 0), 0 nine tenths of the machine's memory."""
    if maxpsmem < 0:
        return 0
    if maxpsmem == 0:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10
    return maxpsmem
