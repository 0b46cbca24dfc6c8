"""The stream's counter and its backlog go together."""

from redrock.util.random import RandomSource
from replication.feed import Feed
from replication.identity import ReplicationIdentity


def make_feed(offset=50):
    identity = ReplicationIdentity(RandomSource(1))
    identity.master_repl_offset = offset
    return Feed(identity)


def test_without_backlog_nothing_is_counted():
    feed = make_feed()
    feed.append(b"lost")
    assert (feed.identity.master_repl_offset, feed.has_news, feed.memory_bytes()) == (50, False, 0)


def test_with_backlog():
    feed = make_feed()
    feed.create_backlog(1000)
    assert feed.active
    feed.append(b"12345")
    assert feed.has_news
    assert feed.identity.master_repl_offset == 55
    assert feed.backlog.end_offset() == 56
    assert feed.backlog.read(51, 10) == b"12345"
    assert feed.memory_bytes() > 0


def test_a_follower_takes_bytes_but_no_commands_of_its_own():
    feed = make_feed()
    feed.set_leading(False)
    feed.create_backlog(1000)
    assert not feed.active
    feed.append(b"proxied")
    assert feed.identity.master_repl_offset == 57
    feed.selected_dbid = 3
    feed.set_leading(True)
    assert feed.active
    assert feed.selected_dbid == -1, "a new leader begins with SELECT"


def test_dropping_the_backlog():
    feed = make_feed()
    feed.create_backlog(1000)
    feed.drop_backlog()
    assert not feed.active
    feed.append(b"lost")
    assert feed.identity.master_repl_offset == 50
    feed.set_leading(True)
    assert not feed.active
