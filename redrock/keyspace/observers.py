"""A key changed: WATCH, keyspace events, client-side caching, blocked clients are told from here.

`watching` and `event_classes` are what the hot path tests before it calls anything: with nobody interested a change
costs two tests. The features attach themselves; today WATCH and keyspace events.
"""

from typing import Final

from mypy_extensions import mypyc_attr

from redrock.interfaces import NOTIFY_KEYEVENT, NOTIFY_KEYSPACE


@mypyc_attr(allow_interpreted_subclasses=True)
class ChangeObserver:
    """Wants to know of changed keys."""

    def key_changed(self, dbid: int, key: bytes) -> None:
        raise NotImplementedError

    def database_flushed(self, dbid: int) -> None:
        """Every key of the database is gone; -1: of every database."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)
class EventPublisher:
    """Delivers keyspace events to subscribers."""

    def publish_event(self, channel: bytes, message: bytes) -> None:
        raise NotImplementedError


class Observers:
    """Passes changes on to whoever attached."""

    def __init__(self) -> None:
        self.watching = False
        self.event_classes = 0  # bits of notify-keyspace-events; 0 without K or E
        self._observers: Final[list[ChangeObserver]] = []
        self._publisher: EventPublisher | None = None

    def attach(self, observer: ChangeObserver) -> None:
        if observer not in self._observers:
            self._observers.append(observer)
        self.watching = True

    def detach(self, observer: ChangeObserver) -> None:
        if observer in self._observers:
            self._observers.remove(observer)
        self.watching = bool(self._observers)

    def set_publisher(self, publisher: EventPublisher) -> None:
        self._publisher = publisher

    def set_event_classes(self, classes: int) -> None:
        """Bits as `notify-keyspace-events` gives them."""
        self.event_classes = classes if classes & (NOTIFY_KEYSPACE | NOTIFY_KEYEVENT) else 0

    def key_changed(self, dbid: int, key: bytes) -> None:
        for observer in self._observers:
            observer.key_changed(dbid, key)

    def database_flushed(self, dbid: int) -> None:
        for observer in self._observers:
            observer.database_flushed(dbid)

    def key_event(self, event_class: int, event: bytes, dbid: int, key: bytes) -> None:
        """Publish on both channels of a keyspace event, as configured."""
        publisher = self._publisher
        if publisher is None or not self.event_classes & event_class:
            return
        if self.event_classes & NOTIFY_KEYSPACE:
            publisher.publish_event(b"__keyspace@%d__:%b" % (dbid, key), event)
        if self.event_classes & NOTIFY_KEYEVENT:
            publisher.publish_event(b"__keyevent@%d__:%b" % (dbid, event), key)
