"""Acknowledged offsets: WAIT, and who has to be asked for an ACK.

Source: Redis 7.0.15, replication.c, waitCommand, replicationCountAcksByOffset, processClientsWaitingReplicas,
replicationRequestAckFromSlaves. A client that waits is blocked like any other; here is what it waits for.
Offsets are bytes of the stream.
"""

from typing import Final

from redrock.clients.client import Client
from redrock.clients.waiter import Waiter
from redrock.resp.reply import Reply
from replication.leader.followers import Followers


class WaitForAcks(Waiter):
    """One client in WAIT."""

    def __init__(self, client: Client, offset: int, replicas: int, acks: "Acknowledgements") -> None:
        self.client: Final = client
        self.offset: Final = offset
        self.replicas: Final = replicas
        self._acks: Final = acks

    def timed_out(self, client: Client) -> Reply:
        self._acks.forget(self)
        return self._acks.count(self.offset)

    def cancelled(self, client: Client) -> None:
        self._acks.forget(self)


class Acknowledgements:
    """``getack_wanted``: a GETACK is to be put into the stream at the end of the pass, one for all that wait."""

    def __init__(self, followers: Followers) -> None:
        self._followers: Final = followers
        self._waiting: list[WaitForAcks] = []
        self.getack_wanted = False

    def count(self, offset: int) -> int:
        """How many followers have applied the stream up to ``offset``."""
        return sum(follower.ack_offset >= offset for follower in self._followers.online())

    def wait(self, client: Client, offset: int, replicas: int) -> WaitForAcks:
        """The client blocks until so many followers are at ``offset``."""
        waiter = WaitForAcks(client, offset, replicas, self)
        self._waiting.append(waiter)
        self.getack_wanted = True
        return waiter

    def forget(self, waiter: WaitForAcks) -> None:
        """Harmless the second time."""
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def served(self) -> list[tuple[Client, int]]:
        """Those who need not wait any longer, each with its answer; they are forgotten."""
        done: list[tuple[Client, int]] = []
        for waiter in self._waiting.copy():
            count = self.count(waiter.offset)
            if count >= waiter.replicas:
                self._waiting.remove(waiter)
                done.append((waiter.client, count))
        return done

    @property
    def anybody_waits(self) -> bool:
        return bool(self._waiting)
