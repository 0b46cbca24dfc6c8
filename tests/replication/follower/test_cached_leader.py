"""What is asked for after a lost link."""

from replication.follower.cached_leader import CachedLeader
from replication.protocol.handshake import PsyncRequest


def test_the_first_byte_that_is_missing_is_asked_for():
    assert CachedLeader(b"1" * 40, 50, 0).request() == PsyncRequest(b"1" * 40, 51)
