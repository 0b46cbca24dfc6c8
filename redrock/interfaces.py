"""The few abstract classes through which a lower floor calls a higher one. The parts are handed over at construction.

Abstract methods raise NotImplementedError instead of using ABCMeta: compiled classes have no metaclass of their own,
and a call through a native base class is four to six times faster than through a Protocol.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from redrock.datatypes.value import Value

# Classes of keyspace events, `notify-keyspace-events` letters (Redis: server.h, NOTIFY_*).
NOTIFY_KEYSPACE: Final = 1 << 0  # K
NOTIFY_KEYEVENT: Final = 1 << 1  # E
NOTIFY_GENERIC: Final = 1 << 2  # g
NOTIFY_STRING: Final = 1 << 3  # $
NOTIFY_LIST: Final = 1 << 4  # l
NOTIFY_SET: Final = 1 << 5  # s
NOTIFY_HASH: Final = 1 << 6  # h
NOTIFY_ZSET: Final = 1 << 7  # z
NOTIFY_EXPIRED: Final = 1 << 8  # x
NOTIFY_EVICTED: Final = 1 << 9  # e
NOTIFY_STREAM: Final = 1 << 10  # t
NOTIFY_KEY_MISS: Final = 1 << 11  # m
NOTIFY_LOADED: Final = 1 << 12  # never sent; used by modules
NOTIFY_MODULE: Final = 1 << 13  # d
NOTIFY_NEW: Final = 1 << 14  # n


@mypyc_attr(allow_interpreted_subclasses=True)
class KeyspaceListener:
    """What the keyspace tells the floors above it. Implemented by the server; called synchronously."""

    def key_expired(self, dbid: int, key: bytes) -> None:
        """A key has just been removed because of time: propagate the deletion, notify, invalidate."""
        raise NotImplementedError

    def key_evicted(self, dbid: int, key: bytes) -> None:
        """A key has just been removed because of maxmemory: propagate the deletion, notify, invalidate."""
        raise NotImplementedError

    def key_missed(self, dbid: int, key: bytes) -> None:
        """A read looked for a key that is not there (keyspace event ``m``)."""
        raise NotImplementedError

    def key_added(self, dbid: int, key: bytes) -> None:
        """A key that did not exist now does (keyspace event ``n``)."""
        raise NotImplementedError

    def key_ready(self, dbid: int, key: bytes, value: Value) -> None:
        """A key that did not exist now does: clients may be blocked on it."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ColdRows:
    """The cold tier as the keyspace sees it: rows named by (type, store id, key). Only `load_inline` waits."""

    def forget(self, store_id: int, type_code: int, key: bytes) -> None:
        """The marker of this row was overwritten or deleted: its row and any load in flight are void."""
        raise NotImplementedError

    def move_row(self, type_code: int, from_store: int, from_key: bytes, to_store: int, to_key: bytes) -> None:
        """The marker was renamed or moved: the row follows, in order with all other writes."""
        raise NotImplementedError

    def drop_store(self, store_id: int) -> None:
        """Every row of this store id is void (FLUSHDB). The id is never used again."""
        raise NotImplementedError

    def load_inline(self, store_id: int, type_code: int, key: bytes) -> Value:
        """The value, at the price of making everybody wait. Raises ReplyError if it cannot be read."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class CommandExecutor:
    """Runs a command that no client sent: from the leader's stream, an AOF or a script."""

    def apply(self, argv: list[bytes]) -> None:
        """Run one command of the AOF or of the leader. Its reply is dropped; an error is logged."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class StreamSink:
    """A receiver of propagated commands: the AOF or the replication backlog.

    ``active`` says whether anything wants the bytes at all. ``selected_dbid`` is the database that the last command
    sent was for, -1 when the next command must be preceded by SELECT.
    """

    def __init__(self) -> None:
        self.active = False
        self.selected_dbid = -1

    def append(self, data: bytes) -> None:
        """Take the bytes of whole commands, in RESP."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class DiskHealth:
    """Whether persistence can write. Implemented by the persistence package."""

    def write_refusal(self) -> bytes | None:
        """The error text with which writes are to be refused (MISCONF ...), None while all is well."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class FollowerHealth:
    """What admission must know of replication. Implemented by the replication package."""

    def good_replica_count(self) -> int:
        """Followers whose last ACK is younger than min-replicas-max-lag."""
        raise NotImplementedError

    def link_is_up(self) -> bool:
        """As a follower: whether the leader's stream is being received."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class MemoryGate:
    """Whether memory allows another write. Implemented by eviction."""

    def make_room(self) -> bytes | None:
        """Evict as far as the policy allows. The error text for commands that may grow memory; None: there is room."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ClientResumer:
    """Lets a client whose command was put off try it again."""

    def resume(self, client_id: int, failure: bytes | None) -> None:
        """The client's cold values have come. ``failure``: the error to answer instead of running the command."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class ColdLoader:
    """Parks clients until their cold values are in memory."""

    def park(self, client_id: int, dbid: int, keys: list[bytes]) -> None:
        """Load the cold values of these keys (each is cold now), then resume the client."""
        raise NotImplementedError

    def prefetch(self, dbid: int, keys: list[bytes]) -> None:
        """Begin to load the cold values of these keys; nobody waits for them yet."""
        raise NotImplementedError

    def forget_client(self, client_id: int) -> None:
        """The client is gone: nobody waits for its loads any more."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class PassHook:
    """Has something to do once after each pass of the executor, before replies are sent.

    ``wanted`` False: nothing for now, so that a pass of one request does not pay for features that are not in use.
    """

    wanted: bool = True

    def end_of_pass(self) -> None:
        """Synchronous and short."""
        raise NotImplementedError
