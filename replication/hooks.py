"""Replication under the names by which the executor and admission know it.

Separate objects, because the interfaces are compiled classes, which allow one base class only.
"""

from typing import TYPE_CHECKING, Final

from persistence.service import SnapshotListener
from redrock.interfaces import FollowerHealth, PassHook

if TYPE_CHECKING:
    from replication.leader.snapshots import PersistenceSnapshots
    from replication.service import Replication


class ReplicationPass(PassHook):
    """At the end of each pass the stream goes out."""

    def __init__(self, replication: "Replication") -> None:
        self._replication: Final = replication
        self.wanted = False  # until there is a follower
        replication.pass_hook = self

    def end_of_pass(self) -> None:
        self._replication.end_of_pass()


class ReplicationHealth(FollowerHealth):
    """What admission asks before writes, and before reads on a follower."""

    def __init__(self, replication: "Replication") -> None:
        self._replication: Final = replication

    def good_replica_count(self) -> int:
        return self._replication.good_replica_count()

    def link_is_up(self) -> bool:
        return self._replication.link_is_up()


class ReplicationSnapshotEnds(SnapshotListener):
    """The end of a child that made an RDB: followers may have waited for it."""

    def __init__(self, snapshots: "PersistenceSnapshots") -> None:
        self._snapshots: Final = snapshots

    def rdb_child_ended(self, ok: bool, to_pipe: bool) -> None:
        self._snapshots.child_ended(ok, to_pipe)
