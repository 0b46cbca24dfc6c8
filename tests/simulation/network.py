"""Connections in memory, with a network's faults: they delay, split, stall and break in the middle of anything.

One end of a connection is a `Transport`, which an executor polls, the other a Trio stream, which a task awaits. Bytes
are never reordered or changed, as TCP promises; what has not arrived when a connection breaks is lost.

All chance comes from one seeded source, and time is Trio's: so the same seed does the same.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import trio

from redrock.clients.transport import Transport, WouldBlock
from redrock.server.poller import BROKEN, READABLE, WRITABLE, Poller

# What one direction holds before its sender has to wait: little, so that waiting happens.
CAPACITY_BYTES = 20_000


class Direction:
    """The way of the bytes from one end of a connection to the other."""

    def __init__(self, source: random.Random, delay_max: float) -> None:
        self._random = source
        self.delay_max = delay_max
        self._under_way = b""
        self.arrived = b""
        self.broken = False
        self.ended = False  # the sender has closed, and everything has arrived
        self.stalled = False
        self._closing = False
        self._news = trio.Event()
        # Called when something has arrived, there is room again, or it is over.
        self.receiver_changed: Callable[[], None] = lambda: None
        self.sender_changed: Callable[[], None] = lambda: None

    def room(self) -> int:
        return 0 if self.broken else max(0, CAPACITY_BYTES - len(self._under_way) - len(self.arrived))

    def send(self, data: bytes) -> int:
        """Take what there is room for, sometimes less. Raises OSError if the connection is broken."""
        if self.broken or self._closing:
            raise BrokenPipeError(32, "Broken pipe")
        count = min(len(data), self.room())
        if count > 1 and self._random.random() < 0.1:
            count = self._random.randrange(1, count)
        self._under_way += data[:count]
        self._news.set()
        return count

    def take(self, count: int) -> bytes:
        data, self.arrived = self.arrived[:count], self.arrived[count:]
        if data:
            self.sender_changed()
        return data

    def close(self) -> None:
        """The sender sends nothing more."""
        self._closing = True
        self._news.set()

    def break_off(self) -> None:
        """What is under way is lost."""
        if not self.broken:
            self.broken = True
            self._under_way = b""
            self._news.set()
            self.receiver_changed()
            self.sender_changed()

    async def carry(self) -> None:
        """Until it is over."""
        while not self.broken:
            if not self._under_way:
                if self._closing:
                    self.ended = True
                    self.receiver_changed()
                    return
                self._news = trio.Event()
                await self._news.wait()
                continue
            await trio.sleep(self._random.random() * self.delay_max)
            while self.stalled and not self.broken:  # noqa: ASYNC110 - simulated time costs nothing
                await trio.sleep(0.05)
            if self.broken:
                return
            # In one piece, or in two, or byte by byte for a while.
            length = len(self._under_way)
            style = self._random.random()
            count = length if style < 0.7 else self._random.randrange(length) + 1 if style < 0.95 else 1
            self.arrived += self._under_way[:count]
            self._under_way = self._under_way[count:]
            self.receiver_changed()


class MemoryTransport(Transport):
    """The end that a server's executor polls. ``fd`` is only a number."""

    def __init__(self, fd: int, incoming: Direction, outgoing: Direction) -> None:
        self._fd = fd
        self.incoming = incoming
        self.outgoing = outgoing
        self.changed: Callable[[], None] = lambda: None
        incoming.receiver_changed = self._tell
        outgoing.sender_changed = self._tell

    def _tell(self) -> None:
        self.changed()

    def fileno(self) -> int:
        return self._fd

    def recv(self, bytes_max: int) -> bytes:
        incoming = self.incoming
        if incoming.arrived:
            return incoming.take(bytes_max)
        if incoming.broken:
            raise ConnectionResetError(104, "Connection reset by peer")
        if incoming.ended:
            return b""
        raise WouldBlock

    def send(self, data: bytes) -> int:
        return self.outgoing.send(data)

    def close(self) -> None:
        self.outgoing.close()
        self.incoming.break_off()

    def readable(self) -> bool:
        return bool(self.incoming.arrived) or self.incoming.broken or self.incoming.ended

    def writable(self) -> bool:
        return self.outgoing.broken or self.outgoing.room() > 0


class MemoryStream(trio.abc.Stream):
    """The end of a task: a client's, or a follower's link."""

    def __init__(self, incoming: Direction, outgoing: Direction) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._changed = trio.Event()
        incoming.receiver_changed = self._tell
        outgoing.sender_changed = self._tell

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await trio.lowlevel.checkpoint()
        rest = bytes(data)
        while rest:
            try:
                rest = rest[self._outgoing.send(rest) :]
            except OSError as error:
                raise trio.BrokenResourceError from error
            if rest and not self._outgoing.room():
                await self._changed.wait()

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        incoming = self._incoming
        while not incoming.arrived:
            if incoming.broken:
                raise trio.BrokenResourceError
            if incoming.ended:
                return b""
            await self._changed.wait()
        return incoming.take(max_bytes or 65536)

    async def aclose(self) -> None:
        self._outgoing.close()
        self._incoming.break_off()
        await trio.lowlevel.checkpoint()


class Connection:
    """Both directions, and what may happen to them."""

    def __init__(self, client: str, server: str, upward: Direction, downward: Direction) -> None:
        self.client = client
        self.server = server
        self.directions = (upward, downward)

    def is_over(self) -> bool:
        return all(direction.broken or direction.ended for direction in self.directions)

    def cut(self) -> None:
        for direction in self.directions:
            direction.break_off()

    def stall(self, stalled: bool) -> None:
        for direction in self.directions:
            direction.stalled = stalled

    def slow_down(self, delay_max: float) -> None:
        for direction in self.directions:
            direction.delay_max = delay_max


Welcome = Callable[[MemoryTransport, bytes, bytes], object]


class Network:
    """Who listens under which name, and all connections. ``nursery`` is for the bytes that are under way."""

    def __init__(self, nursery: trio.Nursery, source: random.Random) -> None:
        self._nursery = nursery
        self._random = source
        self._listeners: dict[str, Welcome] = {}
        self._connections: list[Connection] = []
        self._last_fd = 1_000_000  # far from real ones
        self.delay_max = 0.003
        self.unreachable: set[frozenset[str]] = set()

    def listen(self, name: str, welcome: Welcome) -> None:
        self._listeners[name] = welcome

    def stop_listening(self, name: str) -> None:
        """A node is gone: all its connections break."""
        self._listeners.pop(name, None)
        for connection in self.connections_of(name):
            connection.cut()

    def connections(self) -> list[Connection]:
        self._connections = [connection for connection in self._connections if not connection.is_over()]
        return self._connections

    def connections_of(self, name: str) -> list[Connection]:
        return [connection for connection in self.connections() if name in (connection.client, connection.server)]

    def separate(self, one: str, other: str) -> None:
        """Nothing goes between the two, and they cannot connect, until `heal`."""
        self.unreachable.add(frozenset((one, other)))
        for connection in self.connections():
            if {connection.client, connection.server} == {one, other}:
                connection.stall(True)

    def heal(self) -> None:
        self.unreachable.clear()
        for connection in self.connections():
            connection.stall(False)
            connection.slow_down(self.delay_max)

    async def connect(self, client: str, server: str) -> MemoryStream:
        """Raises OSError if nobody listens there."""
        await trio.sleep(self._random.random() * self.delay_max)
        if frozenset((client, server)) in self.unreachable:
            await trio.sleep(2)
            raise TimeoutError(110, "Connection timed out")
        welcome = self._listeners.get(server)
        if welcome is None:
            raise ConnectionRefusedError(111, "Connection refused")
        upward = Direction(self._random, self.delay_max)
        downward = Direction(self._random, self.delay_max)
        self._last_fd += 1
        transport = MemoryTransport(self._last_fd, upward, downward)
        stream = MemoryStream(downward, upward)
        self._connections.append(Connection(client, server, upward, downward))
        self._nursery.start_soon(upward.carry)
        self._nursery.start_soon(downward.carry)
        welcome(transport, client.encode() + b":1", server.encode() + b":1")
        return stream


class MemoryPoller(Poller):
    """Level-triggered, as epoll, over in-memory transports. ``wake`` is called when something may be ready."""

    def __init__(self) -> None:
        self._masks: dict[int, int] = {}
        self._transports: dict[int, MemoryTransport] = {}
        self.wake: Callable[[], None] = lambda: None

    def know(self, transport: MemoryTransport) -> None:
        """Before it is registered: the executor names it by its number only."""
        self._transports[transport.fileno()] = transport
        transport.changed = self._changed

    def _changed(self) -> None:
        self.wake()

    def fileno(self) -> int:
        raise AssertionError("there is nothing to wait for outside of this process")

    def register(self, fd: int, mask: int) -> None:
        self._masks[fd] = mask

    def modify(self, fd: int, mask: int) -> None:
        assert fd in self._masks
        self._masks[fd] = mask
        self.wake()

    def unregister(self, fd: int) -> None:
        del self._masks[fd]

    def poll(self) -> list[tuple[int, int]]:
        events: list[tuple[int, int]] = []
        for fd, mask in self._masks.items():
            transport = self._transports[fd]
            ready = (READABLE if transport.readable() else 0) | (WRITABLE if transport.writable() else 0)
            ready &= mask
            if transport.incoming.broken:
                ready |= BROKEN  # told without being asked for
            if ready:
                events.append((fd, ready))
        return events

    async def wait_writable(self, fd: int) -> None:
        """For the tasks that send to followers."""
        transport = self._transports[fd]
        await trio.lowlevel.checkpoint()
        while not transport.writable():  # noqa: ASYNC110 - the transport tells its executor, not this task
            await trio.sleep(0.001)

    def close(self) -> None:
        pass
