from redrock.clients.client import Client
from redrock.clients.registry import ClientRegistry
from redrock.clients.transport import Transport
from redrock.keyspace.keyspace import Keyspace


class Numbered(Transport):
    def __init__(self, fd: int) -> None:
        self.fd = fd

    def fileno(self) -> int:
        return self.fd


def test_clients_by_id_and_descriptor(keyspace: Keyspace) -> None:
    clients = ClientRegistry()
    first = Client(clients.next_id(), Numbered(7), keyspace.databases[0], 0)
    pseudo = Client(clients.next_id(), None, keyspace.databases[0], 0)
    for client in (first, pseudo):
        clients.add(client)
    assert (first.client_id, pseudo.client_id) == (1, 2)
    assert clients.by_id(1) is first
    assert clients.by_fd(7) is first
    assert clients.by_fd(-1) is None
    assert clients.all() == [first, pseudo]
    assert clients.count() == 2
    for client in clients.all():
        clients.remove(client)
        clients.remove(client)  # twice does no harm
    assert clients.count() == 0
    assert clients.by_id(1) is None
    assert clients.by_fd(7) is None
    # The number of one who is gone is not given again.
    assert clients.next_id() == 3


def test_a_connection_that_somebody_else_serves(keyspace: Keyspace) -> None:
    clients = ClientRegistry()
    follower = Client(clients.next_id(), Numbered(7), keyspace.databases[0], 0)
    clients.add(follower)
    clients.detach_transport(follower)
    assert clients.by_fd(7) is None
    assert clients.by_id(follower.client_id) is follower
