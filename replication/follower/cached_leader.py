"""What a follower keeps of its leader when the link is lost, so that it can go on where it stopped.

Source: Redis 7.0.15, replication.c, replicationCacheMaster, replicationCacheMasterUsingMyself; rdb.c, rdbSaveInfo.
Three ways to get one: the link broke; a leader turns follower and asks its new leader for its own history; a restart
found the ids in the RDB. Bytes received but not applied, a half transaction among them, are not kept: the request names
the first byte that was not applied, and the leader sends them again.
"""

from attrs import frozen

from replication.protocol.handshake import PsyncRequest


@frozen
class CachedLeader:
    """``offset`` is the last byte applied; ``dbid`` the database that the stream had selected, -1 if it will say so."""

    replid: bytes
    offset: int
    dbid: int

    def request(self) -> PsyncRequest:
        """Ask for the first byte that is missing, hence the plus one."""
        return PsyncRequest(self.replid, self.offset + 1)
