import pytest

from redrock.interfaces import (
    NOTIFY_EXPIRED,
    NOTIFY_GENERIC,
    NOTIFY_KEYEVENT,
    NOTIFY_KEYSPACE,
    NOTIFY_STRING,
)
from redrock.keyspace.observers import ChangeObserver, EventPublisher, Observers


class Recorder(ChangeObserver):
    def __init__(self) -> None:
        self.seen: list[tuple[int, bytes]] = []

    def key_changed(self, dbid: int, key: bytes) -> None:
        self.seen.append((dbid, key))

    def database_flushed(self, dbid: int) -> None:
        self.seen.append((dbid, b"flushed"))


class Publisher(EventPublisher):
    def __init__(self) -> None:
        self.published: list[tuple[bytes, bytes]] = []

    def publish_event(self, channel: bytes, message: bytes) -> None:
        self.published.append((channel, message))


def test_changes_go_to_whoever_is_attached() -> None:
    observers = Observers()
    one, other = Recorder(), Recorder()
    watching = [observers.watching]
    observers.attach(one)
    observers.attach(other)
    observers.attach(one)  # once is enough
    observers.key_changed(3, b"k")
    observers.database_flushed(-1)
    watching.append(observers.watching)
    observers.detach(one)
    observers.detach(one)
    watching.append(observers.watching)
    observers.key_changed(0, b"l")
    observers.detach(other)
    watching.append(observers.watching)
    assert one.seen == [(3, b"k"), (-1, b"flushed")]
    assert other.seen == [(3, b"k"), (-1, b"flushed"), (0, b"l")]
    # What the hot path tests.
    assert watching == [False, True, True, False]


@pytest.mark.parametrize(
    ("classes", "event_class", "channels"),
    [
        (0, NOTIFY_STRING, []),
        # Without K or E nothing is ever sent.
        (NOTIFY_STRING, NOTIFY_STRING, []),
        (NOTIFY_KEYSPACE | NOTIFY_STRING, NOTIFY_STRING, [(b"__keyspace@2__:k", b"set")]),
        (NOTIFY_KEYEVENT | NOTIFY_STRING, NOTIFY_STRING, [(b"__keyevent@2__:set", b"k")]),
        (
            NOTIFY_KEYSPACE | NOTIFY_KEYEVENT | NOTIFY_STRING,
            NOTIFY_STRING,
            [(b"__keyspace@2__:k", b"set"), (b"__keyevent@2__:set", b"k")],
        ),
        (NOTIFY_KEYSPACE | NOTIFY_GENERIC | NOTIFY_EXPIRED, NOTIFY_STRING, []),
    ],
)
def test_keyspace_events(classes: int, event_class: int, channels: list[tuple[bytes, bytes]]) -> None:
    observers = Observers()
    observers.set_event_classes(classes)
    observers.key_event(event_class, b"set", 2, b"k")  # nobody publishes yet
    publisher = Publisher()
    observers.set_publisher(publisher)
    observers.key_event(event_class, b"set", 2, b"k")
    assert publisher.published == channels
    assert bool(observers.event_classes & event_class) == bool(channels)
