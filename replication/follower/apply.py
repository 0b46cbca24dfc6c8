"""The leader's stream, applied: bytes come in, the dataset follows, the same bytes go on to our own followers.

Source: Redis 7.0.15, networking.c, commandProcessed and processInputBuffer (CLIENT_MASTER).
Work is done in slices, each a pass of its own: the executor serves clients in between. A slice ends between two units
(a command, or a transaction), so no client ever sees half a transaction.
Looking ahead: all commands that have been received are parsed before the first of them runs, and their cold values are
asked for in one batch; the first slice waits until they are there.
Invariant: what has been handed to the feed is the stream up to `applied_offset`, and nothing behind it.
"""

from collections import deque
from typing import Final

from mypy_extensions import mypyc_attr

from redrock.util.clock import Clock
from replication.feed import Feed
from replication.leader.followers import Waker
from replication.protocol.stream import StreamReader, StreamUnit
from replication.role import Role

# How long clients wait at most while a slice runs.
SLICE_NS: Final = 2_000_000
_UNITS_PER_LOOK: Final = 16


@mypyc_attr(allow_interpreted_subclasses=True)
class LeaderCommands:
    """The leader as a client of this server: whatever it sends is obeyed, and nothing is answered."""

    def begin_pass(self) -> None:
        """Commands follow: the time is read."""
        raise NotImplementedError

    def apply(self, argv: list[bytes]) -> None:
        """Run one command. An error reply is logged, not raised."""
        raise NotImplementedError

    def end_pass(self) -> None:
        """No more commands for now: the AOF is written, replies and the stream go out."""
        raise NotImplementedError

    def select(self, dbid: int) -> None:
        """The stream goes on in this database."""
        raise NotImplementedError

    def selected_dbid(self) -> int:
        """The database that the stream has selected."""
        raise NotImplementedError

    def want_values(self, commands: list[list[bytes]], waker: Waker) -> bool:
        """Begin to load the cold values that these commands need. True: there are some, ``waker`` is told when all

        are there (or cannot be read: then the command that needs them reads them itself, and fails).
        """
        raise NotImplementedError

    def reset(self) -> None:
        """The link is lost: a transaction under way is forgotten."""
        raise NotImplementedError

    def connected(self, address: bytes) -> None:
        """The link is up: the leader is shown under this address."""


class StreamApplier:
    """One connection's stream. ``offset`` is the last byte applied before it."""

    def __init__(self, offset: int, commands: LeaderCommands, feed: Feed, role: Role, clock: Clock) -> None:
        self._reader: Final = StreamReader(offset)
        self._commands: Final = commands
        self._feed: Final = feed
        self._role: Final = role
        self._clock: Final = clock
        self._units: Final[deque[StreamUnit]] = deque()

    def feed(self, data: bytes) -> None:
        """The next bytes of the stream. ProtocolError: the place in the stream is lost, and the history with it."""
        reader = self._reader
        reader.feed(data)
        self._role.read_offset = reader.read_offset
        while True:
            unit = reader.next_unit()
            if unit is None:
                return
            self._units.append(unit)

    def want_values(self, waker: Waker) -> bool:
        """Ask for the cold values of everything received. True: wait for ``waker`` before the next slice."""
        commands = [argv for unit in self._units for argv in unit.commands]
        return bool(commands) and self._commands.want_values(commands, waker)

    def apply_slice(self) -> bool:
        """Apply for a while. True: nothing is left of what was received."""
        units, commands = self._units, self._commands
        if not units:
            return True
        deadline_ns = self._clock.monotonic_ns() + SLICE_NS
        commands.begin_pass()
        count = 0
        while units:
            unit = units.popleft()
            for argv in unit.commands:
                commands.apply(argv)
            self._reader.applied(unit)
            self._role.applied_offset = unit.end_offset
            count += 1
            if count % _UNITS_PER_LOOK == 0 and self._clock.monotonic_ns() >= deadline_ns:
                break
        self._role.selected_dbid = commands.selected_dbid()
        self._feed.append(self._reader.take_applied())
        commands.end_pass()
        return not units

    @property
    def applied_offset(self) -> int:
        return self._reader.applied_offset
