"""WAIT: who waits for what, and when it has come."""

from replication.leader.acks import Acknowledgements
from replication.leader.followers import FollowerState


def test_count_and_serve(world):
    acks = world.replication.acks
    one, two = world.online_follower(), world.online_follower()
    client, other = world.client(), world.client()
    one.acknowledge(100, 0)
    assert [acks.count(offset) for offset in (0, 100, 101)] == [2, 1, 0]
    acks.wait(client, 100, 2)
    acks.wait(other, 100, 3)
    assert acks.getack_wanted
    assert acks.served() == []
    two.acknowledge(150, 0)
    assert acks.served() == [(client, 2)]
    assert acks.served() == []
    assert acks.anybody_waits


def test_a_follower_that_is_not_online_does_not_count(world):
    follower = world.online_follower()
    follower.acknowledge(100, 0)
    follower.state = FollowerState.SEND_BULK
    assert world.replication.acks.count(100) == 0


def test_time_over_and_gone(world):
    acks = Acknowledgements(world.replication.followers)
    waiter = acks.wait(world.client(), 5, 1)
    assert waiter.timed_out(waiter.client) == 0
    assert not acks.anybody_waits
    waiter = acks.wait(world.client(), 5, 1)
    waiter.cancelled(waiter.client)
    waiter.cancelled(waiter.client)
    assert not acks.anybody_waits
