"""The ids and offsets of a history through promotions and resyncs."""

from redrock.util.random import RandomSource
from replication.identity import NO_REPLID, ReplicationIdentity

LEADER = b"a" * 40


def identity():
    return ReplicationIdentity(RandomSource(1))


def test_a_fresh_one():
    fresh = identity()
    assert len(fresh.replid) == 40
    int(fresh.replid, 16)
    assert (fresh.replid2, fresh.second_repl_offset, fresh.master_repl_offset) == (NO_REPLID, -1, 0)
    assert fresh.fresh_id() != fresh.fresh_id()


def test_promotion_after_50_bytes_serves_requests_for_byte_51():
    promoted = identity()
    promoted.adopt(LEADER, 50)
    promoted.shift()
    assert promoted.replid not in (LEADER, NO_REPLID)
    assert (promoted.replid2, promoted.second_repl_offset, promoted.master_repl_offset) == (LEADER, 51, 50)


def test_a_full_resync_forgets_the_second_history():
    promoted = identity()
    promoted.shift()
    promoted.adopt(LEADER, 10)
    assert (promoted.replid, promoted.replid2, promoted.second_repl_offset) == (LEADER, NO_REPLID, -1)


def test_the_leader_was_promoted_meanwhile():
    follower = identity()
    follower.adopt(LEADER, 30)
    follower.rename(b"b" * 40, LEADER)
    assert (follower.replid, follower.replid2, follower.second_repl_offset) == (b"b" * 40, LEADER, 31)


def test_a_new_history():
    changed = identity()
    changed.shift()
    before = changed.replid
    changed.new_history()
    assert changed.replid != before
    assert (changed.replid2, changed.second_repl_offset) == (NO_REPLID, -1)
