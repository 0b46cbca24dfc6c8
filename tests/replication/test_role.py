"""The facts of the role through connects, losses and changes."""

from replication.role import LeaderAddress, LinkState, Role

REPLID = b"1" * 40


def test_up_and_down():
    role = Role()
    assert not role.is_follower
    assert role.known_offsets() is None
    role.set_leader(LeaderAddress("h", 1))
    assert (role.link, role.generation) == (LinkState.CONNECT, 1)
    role.link_is_down(5)
    assert (role.link_down_since_ms, role.cached) == (0, None), "it has never been up"
    role.link_is_up(REPLID, 10, 2, 6)
    assert (role.link, role.link_up, role.last_io_ms) == (LinkState.CONNECTED, True, 6)
    role.read_offset, role.applied_offset, role.selected_dbid = 30, 20, 4
    assert role.known_offsets() == (30, 20)
    role.link_is_down(7)
    assert (role.link, role.link_up, role.link_down_since_ms) == (LinkState.CONNECT, False, 7)
    assert (role.cached.replid, role.cached.offset, role.cached.dbid) == (REPLID, 20, 4)
    assert role.known_offsets() == (20, 20)
    role.link_is_down(8)
    assert role.link_down_since_ms == 7


def test_leading_forgets_the_leader():
    role = Role()
    role.set_leader(LeaderAddress("h", 1))
    role.link_is_up(REPLID, 10, 2, 6)
    role.set_leader(None)
    assert (role.link, role.link_up, role.cached, role.generation) == (LinkState.NONE, False, None, 2)
    role.link_is_down(9)
    assert role.link is LinkState.NONE


def test_words_of_role():
    words = ["none", "connect", "connecting", "handshake", "sync", "connected"]
    assert [state.value for state in LinkState] == words
