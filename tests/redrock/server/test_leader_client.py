"""The leader as a client: obeyed, never answered, parked for cold values in one batch."""

import pytest

from redrock.clients.client import IS_LEADER_LINK, PARKED, READY
from redrock.clients.registry import ClientRegistry
from redrock.commands.table import build_table
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import ColdMarker
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.server.leader_client import LeaderClient
from redrock.util.random import RandomSource


class Loader:
    def __init__(self):
        self.parked = []
        self.prefetched = []
        self.forgotten = []

    def park(self, client_id, dbid, keys):
        self.parked.append((client_id, dbid, keys))

    def prefetch(self, dbid, keys):
        self.prefetched.append((dbid, keys))

    def forget_client(self, client_id):
        self.forgotten.append(client_id)


class Passes:
    log = []

    def begin_pass(self):
        self.log.append("begin")

    def end_pass(self):
        self.log.append("end")


class Dispatcher:
    """Sees what the dispatcher would; SELECT is obeyed."""

    def __init__(self, keyspace):
        self.keyspace = keyspace
        self.seen = []

    def process(self, client, argv):
        self.seen.append((argv, client.has(IS_LEADER_LINK), self.keyspace.applying))
        if argv[0] == b"SELECT":
            client.database = self.keyspace.databases[int(argv[1])]


class Waker:
    count = 0

    def wake(self):
        self.count += 1


@pytest.fixture
def loader():
    return Loader()


@pytest.fixture
def keyspace():
    return Keyspace(16, RandomSource(1), KeyspaceListener(), ColdRows())


@pytest.fixture
def clients():
    return ClientRegistry()


@pytest.fixture
def leader(keyspace, clients, loader):
    client = LeaderClient(keyspace, clients, build_table(), Dispatcher(keyspace), Passes(), loader)
    client.reset()
    return client


def make_cold(database, key):
    value = StringValue(b"v")
    database.put(key, value)
    database.swap_out(key, value, ColdMarker(value.type_code(), value.encoding()))


def test_what_it_sends_is_obeyed(keyspace, leader):
    leader.begin_pass()
    leader.apply([b"SET", b"a", b"1"])
    leader.end_pass()
    assert leader._dispatcher.seen == [([b"SET", b"a", b"1"], True, True)]
    assert not keyspace.applying
    assert Passes.log[-2:] == ["begin", "end"]


def test_the_database_it_has_selected(leader):
    assert leader.selected_dbid() == 0
    leader.apply([b"SELECT", b"3"])
    assert leader.selected_dbid() == 3
    leader.select(5)
    assert leader.selected_dbid() == 5
    leader.reset()
    assert leader.selected_dbid() == 0


def test_nothing_is_left_of_it_after_a_reset(clients, leader, loader):
    (before,) = clients.all()
    leader.reset()
    (after,) = clients.all()
    assert after is not before
    assert loader.forgotten[-1] == before.client_id


def test_without_cold_values_nothing_is_wanted(leader, loader):
    assert not leader.want_values([[b"GET", b"a"], [b"APPEND", b"b", b"x"]], Waker())
    assert loader.parked == []


def test_cold_values_of_all_databases_that_the_stream_names(keyspace, clients, leader, loader):
    databases = keyspace.databases
    for database, key in ((databases[0], b"a"), (databases[0], b"b"), (databases[2], b"c"), (databases[0], b"d")):
        make_cold(database, key)
    waker = Waker()
    stream = [
        [b"APPEND", b"a", b"x"],
        [b"SET", b"d", b"needs no value"],
        [b"MULTI"],
        [b"INCR", b"b"],
        [b"SELECT", b"2"],
        [b"APPEND", b"c", b"x"],
        [b"APPEND", b"a", b"another a"],
        [b"EXEC"],
        [b"NOSUCH", b"command"],
        [b"SELECT", b"99"],
    ]
    assert leader.want_values(stream, waker)
    client_id = clients.all()[-1].client_id
    assert loader.parked == [(client_id, 0, [b"a", b"b"])]
    assert loader.prefetched == [(2, [b"c"])]
    client = clients.by_id(client_id)
    assert client.state == PARKED
    leader.resumed()
    assert waker.count == 0
    client.state = READY
    leader.resumed()
    leader.resumed()
    assert waker.count == 1
