"""A small server around replication: everything but the sockets, the snapshots' children and the executor."""

import io

import pytest

from persistence.files import ReadFile, RealDisk
from persistence.rdb.writer import RdbWriter, ReplicationInfo, standard_aux
from persistence.service import Persistence, SnapshotFacts
from redrock.clients.client import Client
from redrock.clients.transport import Transport
from redrock.commands.server import replication as commands
from redrock.config.settings import Settings
from redrock.datatypes.string import StringValue
from redrock.errors import ReplyError
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.stats import Statistics
from redrock.resp.encoder import write_error, write_reply
from redrock.resp.request_parser import RequestParser
from redrock.util.clock import ManualClock
from redrock.util.random import RandomSource
from replication.leader.followers import Waker
from replication.leader.full_sync import Running, Snapshots
from replication.protocol.handshake import (
    Continue,
    FollowerHandshake,
    FullResync,
    HandshakeSettings,
    Note,
    PsyncRequest,
    encode_command,
)
from replication.protocol.stream import StreamReader, ack_command
from replication.protocol.transfer import Payload, TransferReceiver, TransferStart
from replication.service import Replication, ReplicationHost


class MemoryTransport(Transport):
    """Takes ``room`` bytes, keeps them in ``out``; ``broken`` makes the next send fail."""

    def __init__(self):
        self.out = b""
        self.room = 1 << 30
        self.broken = False
        self.closed = False

    def fileno(self):
        return id(self)

    def send(self, data):
        if self.broken or self.closed:
            raise BrokenPipeError("the connection is gone")
        sent = min(len(data), self.room)
        self.room -= sent
        self.out += data[:sent]
        return sent

    def take(self):
        out, self.out = self.out, b""
        return out

    def close(self):
        self.closed = True


class MemoryFile(ReadFile):
    def __init__(self, data):
        self.data = io.BytesIO(data)
        self.length = len(data)
        self.closed = False

    def read(self, count):
        assert not self.closed
        return self.data.read(count)

    def size(self):
        return self.length

    def close(self):
        self.closed = True


class FakeSnapshots(Snapshots):
    """``state`` is what runs; `finish_disk` and `finish_pipe` end it."""

    def __init__(self):
        self.state = Running.NOTHING
        self.dump = b"REDIS0010 the dump"
        self.started = []
        self.can_start = True
        self.cancelled = 0
        self.save_points = False
        self.files = []

    def running(self):
        return self.state

    def start_to_disk(self):
        self.started.append("disk")
        if self.can_start:
            self.state = Running.RDB_TO_DISK
        return self.can_start

    def start_to_followers(self, prefix, suffix):
        self.started.append("followers")
        self.prefix, self.suffix = prefix, suffix
        if self.can_start:
            self.state = Running.RDB_TO_FOLLOWERS
        return self.can_start

    def open_dump(self):
        self.files.append(MemoryFile(self.dump))
        return self.files[-1]

    def cancel(self):
        self.cancelled += 1

    def remove_dump(self):
        self.dump = None

    def has_save_points(self):
        return self.save_points


class FakeHost(ReplicationHost):
    """Remembers what it was asked for; a closed client is gone at once, as at the end of a pass."""

    def __init__(self):
        self.replication = None
        self.closed = []
        self.roles = []
        self.answers = []
        self.calls = []

    def close_client(self, client):
        if client not in self.closed:
            self.closed.append(client)
            client.close_asap = True
            self.replication.client_gone(client)
            client.transport.close()

    def refuse_client(self, client, error):
        client.transport.send(b"-" + error + b"\r\n")
        self.close_client(client)

    def answer_blocked(self, client, reply):
        self.answers.append((client, reply))

    def role_changed(self, follower):
        self.roles.append("follower" if follower else "leader")

    def link_changed(self):
        self.calls.append("link_changed")

    def loading_changed(self):
        self.calls.append("loading_changed")

    def dataset_flushed(self):
        self.calls.append("dataset_flushed")

    def begin_pass(self):
        self.calls.append("begin_pass")

    def end_pass(self):
        self.replication.end_of_pass()

    def wake_executor(self):
        pass


class CountingWaker(Waker):
    def __init__(self):
        self.count = 0

    def wake(self):
        self.count += 1


class FakeContext:
    """As much of a Context as the commands of replication use."""

    def __init__(self, world, client):
        self.client = client
        self.settings = world.settings
        self.replication = world.replication
        self.now_ms = world.keyspace.now_ms
        self.deny_blocking = False


class NoRows(ColdRows):
    def drop_store(self, store_id):
        pass


class World:
    def __init__(self, seed=1):
        self.clock = ManualClock()
        self.settings = Settings(enter_directory=lambda path: None)
        self.keyspace = Keyspace(16, RandomSource(seed), KeyspaceListener(), NoRows())
        self.keyspace.now_ms = self.clock.now_ms()
        self.stats = Statistics()
        self.host = FakeHost()
        self.snapshots = FakeSnapshots()
        self.replication = Replication(
            self.settings, self.keyspace, self.stats, RandomSource(seed), self.host, self.snapshots
        )
        self.host.replication = self.replication
        self.ids = 0
        self.parsers = {}

    # --- time and the stream

    def advance(self, seconds):
        self.clock.advance_ms(int(seconds * 1000))
        self.keyspace.now_ms = self.clock.now_ms()

    def tick(self, count=1):
        """Seconds go by, each with its tick."""
        for _ in range(count):
            self.advance(1)
            self.replication.tick()
            self.replication.end_of_pass()

    def write(self, *argv):
        """A command of a client is propagated, as `redrock.server.propagation` does."""
        feed = self.replication.feed
        if feed.active:
            if feed.selected_dbid != 0:
                feed.append(encode_command(b"SELECT", b"0"))
                feed.selected_dbid = 0
            feed.append(encode_command(*argv))
        self.replication.end_of_pass()

    # --- clients

    def client(self, address=b"127.0.0.1:50000"):
        self.ids += 1
        client = Client(self.ids, MemoryTransport(), self.keyspace.databases[0], self.keyspace.now_ms)
        client.address = address
        self.parsers[self.ids] = RequestParser()
        return client

    def run(self, client, *argv):
        """Run one command; the reply. ReplyError goes through."""
        return commands.HANDLERS[argv[0].lower()](FakeContext(self, client), list(argv))

    def receive(self, client, data):
        """As the executor does: requests are parsed and run, replies sent."""
        parser = self.parsers[client.client_id]
        parser.feed(data)
        while (argv := parser.next_request()) is not None:
            if argv[0].upper() == b"PING":
                client.output.writer.write(b"+PONG\r\n")
                continue
            try:
                write_reply(client.output.writer, self.run(client, *argv), 2)
            except ReplyError as error:
                write_error(client.output.writer, error.text)
            client.output.send_to(client.transport)
        if not client.transport.closed:
            client.output.send_to(client.transport)
        self.serve_newcomers()

    def serve_newcomers(self):
        """What the senders do at first."""
        for follower in self.replication.take_newcomers():
            self.replication.pump(follower)

    def follower(self, *options, psync=(b"?", b"-1"), **kwargs):
        """A connection that has sent REPLCONF and PSYNC; returns the follower's record."""
        client = self.client(**kwargs)
        self.run(client, b"REPLCONF", b"listening-port", b"6380", b"capa", b"psync2", *options)
        self.run(client, b"PSYNC", *psync)
        self.serve_newcomers()
        return self.replication.followers.of_client(client)

    def online_follower(self, **kwargs):
        """One that has its dataset, by way of the disk."""
        diskless = self.settings.repl_diskless_sync
        self.settings.repl_diskless_sync = False
        follower = self.follower(**kwargs)
        self.finish_disk()
        self.settings.repl_diskless_sync = diskless
        self.replication.pump(follower)
        follower.client.transport.take()
        return follower

    # --- snapshots

    def finish_disk(self, ok=True):
        self.snapshots.state = Running.NOTHING
        self.replication.full_sync.disk_ended(ok)

    def finish_pipe(self, ok=True):
        self.snapshots.state = Running.NOTHING
        self.replication.full_sync.pipe_ended(ok, self.keyspace.now_ms)


@pytest.fixture
def world():
    return World()


@pytest.fixture
def make_world():
    return World


@pytest.fixture
def waker():
    return CountingWaker()


@pytest.fixture
def transport_of():
    return lambda follower: follower.client.transport


# --- datasets


class Facts(SnapshotFacts):
    def replication_info(self):
        return None

    def open_cold_snapshot(self):
        return None

    def used_memory(self):
        return 0

    def in_transaction(self):
        return False


@pytest.fixture
def persistence(world, tmp_path, monkeypatch):
    """A Persistence whose files are in a directory of their own."""
    monkeypatch.chdir(tmp_path)
    return Persistence(world.keyspace, world.settings, world.clock, RealDisk(), Facts())


@pytest.fixture
def make_rdb():
    """make_rdb(pairs, stream_db) -> an RDB with these strings in database 0, as a leader sends it."""

    def make(pairs, stream_db=0):
        writer = RdbWriter(True, True)
        writer.header(standard_aux(b"7.0.15", 0, 0, ReplicationInfo(stream_db, b"1" * 40, 0), False))
        writer.select_db(0, len(pairs), 0)
        for key, value in pairs.items():
            writer.key(key, StringValue(value), -1, -1, -1)
        writer.finish()
        return writer.take_output()

    return make


# --- transcripts: see transcripts/README.md


class FollowerModel:
    """The follower's side: the real protocol, and a log of what it makes of it."""

    def __init__(self, play, name):
        self.play, self.name = play, name
        self.port = 7000 + len(play.followers)
        self.replid, self.offset = None, 0
        self.client = None

    def connect(self, eof):
        request = None if self.replid is None else PsyncRequest(self.replid, self.offset + 1)
        self.eof = eof
        self.client = self.play.world.client()
        self.handshake = FollowerHandshake(HandshakeSettings(self.port, psync=request))
        self.handshake.start()
        self.transfer = None
        self.stream = None

    def exchange(self):
        """Carry bytes both ways until nothing moves any more."""
        world = self.play.world
        while self.client is not None:
            output = self.handshake.take_output()
            if not self.eof:
                output = output.replace(b"*5", b"*3").replace(b"$4\r\ncapa\r\n$3\r\neof\r\n", b"")
            if output:
                world.receive(self.client, output)
            data = self.client.transport.take()
            if self.client.transport.closed:
                self.client = None
                self.play.say(f"{self.name}: the leader has closed the connection")
            if not data and not output:
                return
            if data:
                self.receive(data)

    def receive(self, data):
        if self.stream is None and self.transfer is None:
            self.handshake.feed(data)
            while (event := self.handshake.next_event()) is not None:
                self.handshake_event(event)
            return
        if self.stream is None:
            self.transfer_bytes(data)
        else:
            self.stream_bytes(data)

    def handshake_event(self, event):
        if isinstance(event, Note):
            return
        if isinstance(event, FullResync):
            # Until the dataset is here, there is nothing to go on from.
            self.replid, self.next_replid, self.offset = None, event.replid, event.offset
            self.play.say(f"{self.name}: full resync of {self.play.name_of(event.replid)} from {event.offset}")
            self.transfer = TransferReceiver()
            self.transfer_bytes(self.handshake.take_rest())
        elif isinstance(event, Continue):
            self.replid = event.replid or self.replid
            self.play.say(f"{self.name}: goes on with {self.play.name_of(self.replid)} behind {self.offset}")
            self.stream = StreamReader(self.offset)
            self.stream_bytes(self.handshake.take_rest())
        else:
            self.play.say(f"{self.name}: {event}")

    def transfer_bytes(self, data):
        self.transfer.feed(data)
        while (event := self.transfer.next_event()) is not None:
            if isinstance(event, TransferStart):
                length = "an unknown number of" if event.length is None else event.length
                self.play.say(f"{self.name}: receives {length} bytes")
            elif isinstance(event, Payload):
                self.play.say(f"{self.name}: payload {event.data.decode()!r}")
        if self.transfer.state.value == "done":
            self.play.say(f"{self.name}: has the dataset of offset {self.offset}")
            self.replid = self.next_replid
            rest = self.transfer.take_rest()
            self.stream = StreamReader(self.offset)
            self.stream_bytes(rest)

    def stream_bytes(self, data):
        self.stream.feed(data)
        while (unit := self.stream.next_unit()) is not None:
            self.stream.applied(unit)
            self.offset = unit.end_offset
            for argv in unit.commands:
                self.play.say(f"{self.name}: applies {b' '.join(argv).decode()} ({self.offset})")


class Play:
    def __init__(self, world):
        self.world = world
        self.followers = {}
        self.names = {}
        self.lines = []

    def say(self, text):
        self.lines.append(f"    {text}")

    def name_of(self, replid):
        if replid == b"0" * 40:
            return "none"
        return self.names.setdefault(replid, f"id{len(self.names) + 1}")

    def settle(self):
        self.world.serve_newcomers()
        for model in self.followers.values():
            model.exchange()
        for follower in self.world.replication.followers:
            self.world.replication.pump(follower)
        for model in self.followers.values():
            model.exchange()

    def run(self, step):
        words = step.split()
        getattr(self, f"do_{words[0]}")(*words[1:])
        self.settle()

    def do_connect(self, name, *options):
        model = self.followers.setdefault(name, None) or FollowerModel(self, name)
        self.followers[name] = model
        model.connect("eof" in options)

    def do_write(self, *words):
        self.world.write(*(word.encode() for word in words))

    def do_snapshot(self, how):
        world = self.world
        if world.snapshots.state is Running.RDB_TO_FOLLOWERS:
            world.replication.full_sync.chunk(world.snapshots.prefix + b"streamed" + world.snapshots.suffix)
            for follower in world.replication.followers:
                world.replication.pump(follower)
            world.finish_pipe(how == "ended")
        else:
            world.snapshots.dump = b"from disk"
            world.finish_disk(how == "ended")

    def do_ack(self, name):
        model = self.followers[name]
        self.world.receive(model.client, ack_command(model.offset))

    def do_cut(self, name):
        model = self.followers[name]
        self.world.host.close_client(model.client)
        model.client = None

    def do_tick(self, count):
        self.world.tick(int(count))

    def do_promote(self):
        self.world.replication.lead()

    def do_follow(self):
        self.world.replication.follow("leader", 6379)

    def do_link(self, offset):
        self.world.replication.full_sync_done(b"9" * 40, int(offset), 0)

    def do_proxy(self, *words):
        self.world.replication.feed.append(encode_command(*(word.encode() for word in words)))
        self.world.replication.end_of_pass()

    def do_set(self, name, value):
        self.world.settings.set_many([(name.encode(), value.encode())])

    def do_state(self):
        info = dict(self.world.replication.info_fields())
        first, second = (self.name_of(info[name].encode()) for name in ("master_replid", "master_replid2"))
        self.say(f"{info['role']} of {first} at {info['master_repl_offset']}, {second} to {info['second_repl_offset']}")
        backlog = f"{info['repl_backlog_first_byte_offset']} + {info['repl_backlog_histlen']}"
        self.say(f"backlog {backlog if info['repl_backlog_active'] == '1' else 'none'}")
        for name in info:
            if name.startswith("slave") and name[5:].isdigit():
                self.say(f"{name} {info[name].split(',', 1)[1]}")


@pytest.fixture
def play(world):
    """Runs the steps of a transcript."""
    return Play(world)
