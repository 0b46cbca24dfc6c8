from __future__ import annotations

from typing import TYPE_CHECKING

from redrock.monitoring.facts import BASE_BYTES
from redrock.server.memory_use import ServerBuffers

if TYPE_CHECKING:
    from tests.redrock.server.conftest import ServerWorld


class Log:
    """An append-only log with 30 bytes to be written."""

    def __init__(self) -> None:
        self.writer = self

    def buffered_bytes(self) -> int:
        return 30


class Feed:
    def memory_bytes(self) -> int:
        return 4000


def test_what_is_accounted_beside_the_keyspace(world: ServerWorld) -> None:
    buffers = ServerBuffers(world.clients)
    assert (buffers.buffer_bytes(), buffers.uncounted_bytes()) == (BASE_BYTES, 0)
    buffers.log = Log()  # type: ignore[assignment]
    buffers.feed = Feed()  # type: ignore[assignment]
    assert buffers.aof_bytes() == 30
    assert buffers.backlog_bytes() == 4000
    assert buffers.buffer_bytes() == BASE_BYTES + 4030
    # Eviction cannot make these smaller, so it does not try.
    assert buffers.uncounted_bytes() == 4030


def test_clients_are_summed_when_asked_to(world: ServerWorld) -> None:
    buffers = ServerBuffers(world.clients)
    connection = world.connect()
    connection.transport.room = 0
    world.put(b"k", b"x" * 10_000)
    connection.ask("GET", "k")
    assert buffers.client_bytes == 0
    buffers.sample()
    assert buffers.client_bytes == connection.client.memory_bytes() > 10_000
    assert buffers.buffer_bytes() == BASE_BYTES + buffers.client_bytes
