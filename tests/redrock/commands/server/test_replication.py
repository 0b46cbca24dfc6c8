"""REPLICAOF, ROLE, PSYNC, SYNC, REPLCONF, WAIT: replies, refusals, and what they ask of replication."""

import pytest

from redrock.clients.client import IS_REPLICA
from redrock.clients.transport import Transport
from redrock.clients.waiter import Block
from redrock.resp.reply import NO_REPLY, OK, Status
from redrock.util.random import RandomSource
from replication.leader.followers import FollowerState
from replication.leader.full_sync import Running, Snapshots
from replication.role import LinkState
from replication.service import Replication, ReplicationHost

NOT_AN_INTEGER = b"ERR value is not an integer or out of range"


class Host(ReplicationHost):
    def __init__(self):
        self.roles = []
        self.answers = []

    def role_changed(self, follower):
        self.roles.append(follower)

    def answer_blocked(self, client, reply):
        self.answers.append((client, reply))


class NoSnapshots(Snapshots):
    """Another child is always at work, so followers wait."""

    def running(self):
        return Running.OTHER


class Pipe(Transport):
    def send(self, data):
        return len(data)


@pytest.fixture
def host():
    return Host()


@pytest.fixture
def replication(runner, host):
    runner.ctx.replication = Replication(
        runner.settings, runner.keyspace, runner.ctx.stats, RandomSource(1), host, NoSnapshots()
    )
    return runner.ctx.replication


def make_follower(runner, replication, ack=0):
    """An online follower on a connection of its own."""
    client = runner.new_client()
    client.address = b"10.0.0.9:55555"
    client.transport = Pipe()
    assert runner.run("REPLCONF", "listening-port", "6380", "capa", "psync2", client=client) is OK
    assert runner.run("PSYNC", "?", "-1", client=client) is NO_REPLY
    follower = replication.followers.of_client(client)
    follower.state = FollowerState.ONLINE
    follower.acknowledge(ack, runner.now_ms)
    return follower


def text(reply):
    assert isinstance(reply, Status)
    return reply.text


class TestReplicaof:
    def test_there_and_back(self, runner, replication, host):
        assert text(runner.run("REPLICAOF", "example.org", "7000")) == b"OK"
        assert (replication.role.leader.host, replication.role.leader.port) == ("example.org", 7000)
        assert text(runner.run("SLAVEOF", "no", "one")) == b"OK"
        assert replication.role.leader is None
        assert host.roles == [True, False]
        assert runner.propagated() == []

    def test_no_one_as_leader_already(self, runner, replication, host):
        assert text(runner.run("REPLICAOF", "NO", "ONE")) == b"OK"
        assert host.roles == []

    def test_the_same_leader(self, runner, replication):
        runner.run("REPLICAOF", "example.org", "7000")
        generation = replication.role.generation
        answer = runner.run("REPLICAOF", "EXAMPLE.org", "7000")
        assert text(answer) == b"OK Already connected to specified master"
        assert replication.role.generation == generation

    @pytest.mark.parametrize("port", ["x", "-1", "65536", ""])
    def test_ports(self, runner, replication, port):
        assert runner.run("REPLICAOF", "h", port) == b"ERR Invalid master port"
        assert not replication.role.is_follower

    def test_port_0_is_a_port(self, runner, replication):
        assert text(runner.run("REPLICAOF", "h", "0")) == b"OK"

    def test_not_from_a_follower(self, runner, replication):
        follower = make_follower(runner, replication)
        answer = runner.run("REPLICAOF", "h", "1", client=follower.client)
        assert answer == b"ERR Command is not valid when client is a replica."

    def test_not_in_a_cluster(self, runner, replication):
        runner.settings.cluster_enabled = True
        assert runner.run("REPLICAOF", "h", "1") == b"ERR REPLICAOF not allowed in cluster mode."


class TestRole:
    def test_leader(self, runner, replication):
        assert runner.run("ROLE") == [b"master", 0, []]
        make_follower(runner, replication, ack=12)
        waiting = make_follower(runner, replication)
        waiting.state = FollowerState.WAIT_BGSAVE_START
        replication.identity.master_repl_offset = 15
        assert runner.run("ROLE") == [b"master", 15, [[b"10.0.0.9", b"6380", b"12"]]]

    @pytest.mark.parametrize("state", list(LinkState))
    def test_follower(self, runner, replication, state):
        runner.run("REPLICAOF", "h", "7")
        replication.role.link = state
        assert runner.run("ROLE") == [b"slave", b"h", 7, state.value.encode(), -1]

    def test_follower_whose_link_is_up(self, runner, replication):
        runner.run("REPLICAOF", "h", "7")
        replication.full_sync_done(b"1" * 40, 99, 0)
        assert runner.run("ROLE") == [b"slave", b"h", 7, b"connected", 99]


class TestPsync:
    def test_it_makes_a_follower(self, runner, replication):
        follower = make_follower(runner, replication)
        assert follower.client.has(IS_REPLICA)
        assert follower.options.listening_port == 6380
        assert follower.client.peer_listening_port == 6380
        assert runner.run("PSYNC", "?", "-1", client=follower.client) is NO_REPLY
        assert runner.run("SYNC", client=follower.client) is NO_REPLY
        assert len(replication.followers) == 1

    def test_sync(self, runner, replication):
        client = runner.new_client()
        assert runner.run("SYNC", client=client) is NO_REPLY
        assert replication.followers.of_client(client).legacy

    def test_an_offset_that_is_none(self, runner, replication):
        assert runner.run("PSYNC", "?", "x") == NOT_AN_INTEGER
        assert len(replication.followers) == 0

    def test_failover_requests(self, runner, replication):
        replid = replication.identity.replid
        answer = runner.run("PSYNC", replid, "1", "FAILOVER")
        assert answer == b"ERR PSYNC FAILOVER can't be sent to a master."
        runner.run("REPLICAOF", "h", "1")
        answer = runner.run("PSYNC", b"f" * 40, "1", "failover")
        assert answer == b"ERR PSYNC FAILOVER replid must match my replid."
        assert runner.run("PSYNC", replid, "1", "failover") is NO_REPLY
        assert not replication.role.is_follower
        assert len(replication.followers) == 1


class TestReplconf:
    def test_refusals_are_the_parsers(self, runner, replication):
        assert runner.run("REPLCONF", "what", "ever") == b"ERR Unrecognized REPLCONF option: what"
        assert runner.run("REPLCONF", "capa") == b"ERR syntax error"
        assert runner.run("REPLCONF") is OK

    def test_acks_are_never_answered(self, runner, replication):
        assert runner.run("REPLCONF", "ACK", "5") is NO_REPLY
        follower = make_follower(runner, replication)
        assert runner.run("REPLCONF", "ACK", "5", client=follower.client) is NO_REPLY
        assert runner.run("REPLCONF", "ACK", "x", client=follower.client) is NO_REPLY
        assert follower.ack_offset == 5

    def test_getack_wakes_the_link(self, runner, replication):
        class Link:
            woken = 0

            def wake(self):
                self.woken += 1

        assert runner.run("REPLCONF", "GETACK", "*") is NO_REPLY
        replication.link_waker = Link()
        assert runner.run("REPLCONF", "GETACK", "*") is NO_REPLY
        assert replication.link_waker.woken == 1


class TestWait:
    def test_at_once(self, runner, replication):
        assert runner.run("WAIT", "0", "0") == 0
        assert runner.run("WAIT", "-1", "0") == 0
        make_follower(runner, replication, ack=10)
        runner.client.write_offset = 10
        assert runner.run("WAIT", "1", "0") == 1
        assert not replication.acks.getack_wanted

    def test_blocking(self, runner, replication, host):
        follower = make_follower(runner, replication, ack=10)
        runner.client.write_offset = 11
        block = runner.run("WAIT", "1", "500")
        assert isinstance(block, Block)
        assert block.timeout_at_ms == runner.now_ms + 500
        assert replication.acks.getack_wanted
        runner.run("REPLCONF", "ACK", "11", client=follower.client)
        assert host.answers == [(runner.client, 1)]

    @pytest.mark.parametrize(("timeout", "until"), [("0", 0), (str(2**63 - 1), 2**63 - 1)])
    def test_for_ever(self, runner, replication, timeout, until):
        assert runner.run("WAIT", "1", timeout).timeout_at_ms == until

    def test_in_a_transaction_it_does_not_wait(self, runner, replication):
        runner.ctx.deny_blocking = True
        assert runner.run("WAIT", "1", "0") == 0

    @pytest.mark.parametrize(
        ("replicas", "timeout", "error"),
        [
            ("x", "0", NOT_AN_INTEGER),
            ("1", "x", b"ERR timeout is not an integer or out of range"),
            ("1", "1.5", b"ERR timeout is not an integer or out of range"),
            ("1", "-1", b"ERR timeout is negative"),
        ],
    )
    def test_refusals(self, runner, replication, replicas, timeout, error):
        assert runner.run("WAIT", replicas, timeout) == error

    def test_not_on_a_follower(self, runner, replication):
        runner.run("REPLICAOF", "h", "1")
        assert runner.run("WAIT", "x", "x").startswith(b"ERR WAIT cannot be used with replica instances. Please also")
