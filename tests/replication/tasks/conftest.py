"""A leader made of memory: what it hears and says is a script, over Trio's memory streams."""

import pytest
import trio
import trio.testing

from persistence.loader import LoadObserver
from redrock.resp.request_parser import RequestParser
from replication.follower.apply import LeaderCommands
from replication.tasks.link import Link


class AppliedCommands(LeaderCommands):
    """Records what the leader's stream makes of us."""

    def __init__(self, world):
        self.world = world
        self.applied = []
        self.dbid = 0
        self.cold_once = False
        self.waker = None
        self.resets = 0

    def begin_pass(self):
        self.world.host.begin_pass()

    def apply(self, argv):
        self.applied.append(b" ".join(argv))
        if argv[0] == b"SELECT":
            self.dbid = int(argv[1])
        if argv[0] == b"REPLCONF":
            self.world.replication.leader_wants_ack()

    def end_pass(self):
        self.world.host.end_pass()

    def select(self, dbid):
        self.dbid = dbid

    def selected_dbid(self):
        return self.dbid

    def want_values(self, commands, waker):
        wanted, self.cold_once = self.cold_once, False
        self.waker = waker
        return wanted

    def reset(self):
        self.resets += 1


class Connection:
    """The leader's end of one connection."""

    def __init__(self, stream):
        self.stream = stream
        self.parser = RequestParser()

    async def request(self):
        """The next request of the follower; None at the end of its input."""
        while (argv := self.parser.next_request()) is None:
            data = bytes(await self.stream.receive_some())
            if not data:
                return None
            self.parser.feed(data)
        return argv

    async def expect(self, *words):
        argv = await self.request()
        assert argv == list(words), argv

    async def say(self, data):
        await self.stream.send_all(data)

    async def greet(self, psync=(b"?", b"-1")):
        """The handshake up to PSYNC."""
        await self.expect(b"PING")
        await self.say(b"+PONG\r\n")
        await self.expect(b"REPLCONF", b"listening-port", b"%d" % 6379)
        await self.expect(b"REPLCONF", b"capa", b"eof", b"capa", b"psync2")
        await self.say(b"+OK\r\n+OK\r\n")
        await self.expect(b"PSYNC", *psync)

    async def close(self):
        await self.stream.aclose()


class MemoryLeader:
    """Accepts the connections of a Link; ``refuse`` makes the next ones fail."""

    def __init__(self):
        self.refuse = 0
        self.attempts = []
        self._send, self._receive = trio.open_memory_channel(100)

    async def connect(self, host, port):
        self.attempts.append((trio.current_time(), host, port))
        await trio.lowlevel.checkpoint()
        if self.refuse:
            self.refuse -= 1
            raise ConnectionRefusedError(111, "Connection refused")
        ours, theirs = trio.testing.memory_stream_pair()
        self._send.send_nowait(Connection(theirs))
        return ours

    async def accept(self):
        return await self._receive.receive()


@pytest.fixture
def commands(world):
    return AppliedCommands(world)


@pytest.fixture
def run_link(world, persistence, commands):
    """run_link(script): a link to a leader that follows the script, until the script ends."""

    def run(script, autojump=True):
        async def main():
            leader = MemoryLeader()
            world.settings.replicaof = ("leader", 7000)
            world.replication.start()
            link = Link(world.replication, commands, persistence, LoadObserver(), world.clock, connect=leader.connect)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(link.run)
                await script(leader)
                nursery.cancel_scope.cancel()

        clock = trio.testing.MockClock(autojump_threshold=0) if autojump else None
        trio.run(main, clock=clock)

    return run
