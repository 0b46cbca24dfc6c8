"""Clients without connections, on a keyspace of their own."""

import pytest

from redrock.clients.client import Client
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.util.random import RandomSource


@pytest.fixture
def keyspace() -> Keyspace:
    keyspace = Keyspace(3, RandomSource(1), KeyspaceListener(), ColdRows())
    keyspace.now_ms = 1_000_000
    return keyspace


@pytest.fixture
def two_clients(keyspace: Keyspace) -> tuple[Client, Client]:
    return Client(1, None, keyspace.databases[0], 0), Client(2, None, keyspace.databases[0], 0)
