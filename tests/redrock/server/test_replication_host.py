"""What replication asks of the server: closing, answering, roles, flushes."""

import pytest

from redrock.clients.blocking import BlockedClients
from redrock.clients.client import READY, Client
from redrock.clients.waiter import Waiter
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import ChangeObserver, Observers
from redrock.resp.reply import ErrorReply
from redrock.server.replication_host import ServerReplicationHost
from redrock.util.random import RandomSource


class Serving:
    def __init__(self, blocked):
        self.blocked = blocked
        self.log = []

    def close(self, client):
        self.log.append(("close", client))

    def queue_send(self, client):
        self.log.append(("send", client))

    def answer_blocked(self, client, reply):
        self.blocked.release(client)
        self.log.append(("answer", client, reply))

    def begin_pass(self):
        self.log.append("begin")

    def end_pass(self):
        self.log.append("end")


class RecordingWaiter(Waiter):
    cancellations = 0

    def cancelled(self, client):
        self.cancellations += 1


class Surroundings:
    def __init__(self):
        self.keyspace = Keyspace(16, RandomSource(1), KeyspaceListener(), ColdRows())
        self.observers = Observers()
        self.blocked = BlockedClients()
        self.serving = Serving(self.blocked)
        self.refreshed = 0
        self.woken = 0
        self.host = ServerReplicationHost(
            self.keyspace, self.observers, self.serving, self.blocked, self.refresh, self.wake
        )

    def refresh(self):
        self.refreshed += 1

    def wake(self):
        self.woken += 1

    def client(self):
        return Client(7, None, self.keyspace.databases[0], 0)


@pytest.fixture
def around():
    return Surroundings()


def test_closing_and_refusing(around):
    client = around.client()
    around.host.close_client(client)
    around.host.refuse_client(client, b"ERR no")
    assert client.output.writer.getvalue() == b"-ERR no\r\n"
    assert client.close_after_reply
    assert around.serving.log == [("close", client), ("send", client)]


def test_a_new_follower_sends_its_blocked_clients_away(around):
    client, waiter = around.client(), RecordingWaiter()
    around.blocked.block(client, waiter, 0)
    around.host.role_changed(True)
    assert around.keyspace.follower
    assert waiter.cancellations == 1
    kind, who, reply = around.serving.log[0]
    assert (kind, who) == ("answer", client)
    assert isinstance(reply, ErrorReply)
    assert reply.text == (
        b"UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)"
    )
    assert client.close_after_reply
    assert client.state == READY
    assert around.refreshed == 1


def test_a_new_leader_disturbs_nobody(around):
    client = around.client()
    around.blocked.block(client, RecordingWaiter(), 0)
    around.host.role_changed(False)
    assert not around.keyspace.follower
    assert around.serving.log == []


def test_changes_refresh_admission(around):
    around.host.link_changed()
    around.host.loading_changed()
    assert around.refreshed == 2
    around.host.wake_executor()
    assert around.woken == 1


def test_a_flush_is_told_to_whoever_watches(around):
    class Watcher(ChangeObserver):
        flushed = []

        def database_flushed(self, dbid):
            self.flushed.append(dbid)

    around.host.dataset_flushed()
    around.observers.attach(Watcher())
    around.host.dataset_flushed()
    assert Watcher.flushed == [-1]


def test_passes(around):
    around.host.begin_pass()
    around.host.end_pass()
    assert around.serving.log == ["begin", "end"]
