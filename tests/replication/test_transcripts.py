"""Leader and followers joined in memory, as transcripts: steps, and behind each what both sides then say.

A step is a line that starts with `>`; what it printed is indented behind it. Histories are named id1, id2, ... in order
of appearance. With REWRITE_TRANSCRIPTS=1 in the environment the files are written anew: review the diff.

  > connect NAME [eof]       NAME connects (again) and shakes hands; it asks for what it has not got
  > write WORDS              a command is propagated
  > snapshot ended|failed    the child of the present snapshot ends
  > ack NAME, > cut NAME     NAME acknowledges; its connection breaks
  > tick N                   N seconds go by
  > promote, > follow        REPLICAOF NO ONE, REPLICAOF somebody else
  > link N                   as a follower: a full sync with that leader has ended at offset N
  > state                    INFO, in short
"""

import os
from pathlib import Path

import pytest

from replication.leader.full_sync import Running
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

FOLDER = Path(__file__).parent / "transcripts"


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


def transcripts():
    return sorted(FOLDER.glob("*.txt"))


@pytest.mark.parametrize("path", transcripts(), ids=lambda path: path.stem)
def test_transcript(path, world):
    play = Play(world)
    for line in path.read_text().splitlines():
        if line.startswith(">"):
            play.lines.append(line)
            play.run(line[1:])
        elif not line.startswith("    "):
            play.lines.append(line)
    played = "\n".join(play.lines) + "\n"
    if os.environ.get("REWRITE_TRANSCRIPTS"):
        path.write_text(played)
    assert played == path.read_text()


def test_there_are_transcripts():
    assert len(transcripts()) >= 5
