"""Which history of the dataset this server follows, and how far it is: replid, replid2 and their offsets.

Source: Redis 7.0.15, replication.c, changeReplicationId, clearReplicationId2, shiftReplicationId.
A history is named by 40 hex digits, drawn anew whenever the dataset may go another way than before. Offsets count the
bytes of the replication stream from 1; `master_repl_offset` is the last byte produced (leader) or applied (follower).
`replid2` is the history that ours came out of: valid for requests up to `second_repl_offset`, -1 when there is none.
Chance is passed in.
"""

from typing import Final

from redrock.util.random import RandomSource

REPLID_BYTES: Final = 40
NO_REPLID: Final = b"0" * REPLID_BYTES


class ReplicationIdentity:
    """The two ids and the offsets. One object per server."""

    def __init__(self, random: RandomSource) -> None:
        self._random = random
        self.replid = random.hex_id(REPLID_BYTES)
        self.replid2 = NO_REPLID
        self.second_repl_offset = -1
        self.master_repl_offset = 0

    def fresh_id(self) -> bytes:
        """40 random hex digits, for whatever must not be met by chance."""
        return self._random.hex_id(REPLID_BYTES)

    def new_history(self) -> None:
        """From here on nobody else's offsets mean anything to us, nor ours to anybody."""
        self.replid = self._random.hex_id(REPLID_BYTES)
        self.forget_second()

    def forget_second(self) -> None:
        """There is no history before this one that we could serve."""
        self.replid2 = NO_REPLID
        self.second_repl_offset = -1

    def shift(self) -> None:
        """A follower becomes a leader: its leader's history becomes the second one, and a new one begins.

        The limit is the offset plus one, because a request names the first byte that the asker lacks. Example: having
        applied 50 bytes of the old history, we can serve a former fellow follower that has 50 bytes of it too; it asks
        for byte 51, the first of the bytes that it lacks, and gets the new history from there.
        """
        self.replid2 = self.replid
        self.second_repl_offset = self.master_repl_offset + 1
        self.replid = self._random.hex_id(REPLID_BYTES)

    def adopt(self, replid: bytes, offset: int) -> None:
        """A full resync has ended: the history is the leader's, up to ``offset``."""
        self.replid = replid
        self.master_repl_offset = offset
        self.forget_second()

    def rename(self, replid: bytes, old_replid: bytes) -> None:
        """A partial resync was answered with a new id: the leader, known as ``old_replid``, was promoted since."""
        self.replid2 = old_replid
        self.second_repl_offset = self.master_repl_offset + 1
        self.replid = replid
