"""The abstract classes: a subclass that forgets a method is told when it is called, not answered with nothing."""

import inspect

import pytest

from redrock import interfaces
from redrock.datatypes.value import Value
from redrock.interfaces import (
    ClientResumer,
    ColdLoader,
    ColdRows,
    CommandExecutor,
    DiskHealth,
    FollowerHealth,
    KeyspaceListener,
    MemoryGate,
    PassHook,
    StreamSink,
)

ABSTRACT = (
    KeyspaceListener,
    ColdRows,
    CommandExecutor,
    StreamSink,
    DiskHealth,
    FollowerHealth,
    MemoryGate,
    ClientResumer,
    ColdLoader,
    PassHook,
)


def test_the_list_above_is_complete() -> None:
    found = {
        name
        for name, kind in vars(interfaces).items()
        if inspect.isclass(kind) and kind.__module__ == interfaces.__name__
    }
    assert found == {kind.__name__ for kind in ABSTRACT}


@pytest.mark.parametrize("kind", ABSTRACT)
def test_a_method_that_is_missing_says_so(kind: type) -> None:
    class Lazy(kind):  # type: ignore[misc]
        """Interpreted subclasses are allowed, compiled or not: tests hand in such."""

    names = [name for name, part in vars(kind).items() if not name.startswith("_") and callable(part)]
    assert names
    for name in names:
        method = getattr(Lazy(), name)
        arguments: dict[str, object] = {
            "dbid": 0,
            "key": b"k",
            "keys": [],
            "value": Value(),
            "argv": [b"PING"],
            "data": b"",
        }
        arguments |= {"store_id": 1, "type_code": 0, "from_store": 1, "from_key": b"", "to_store": 1, "to_key": b""}
        arguments |= {"client_id": 1, "failure": None}
        wanted = inspect.signature(method).parameters
        with pytest.raises(NotImplementedError):
            method(**{parameter: arguments[parameter] for parameter in wanted})


def test_classes_of_events_are_bits() -> None:
    bits = [value for name, value in vars(interfaces).items() if name.startswith("NOTIFY_")]
    assert bits == [1 << i for i in range(15)]


def test_a_new_sink_selects_before_its_first_command() -> None:
    sink = StreamSink()
    assert not sink.active
    assert sink.selected_dbid == -1
