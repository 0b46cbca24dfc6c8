"""The corpus of files made by Redis, and reading a file as a list of plain tuples."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import settings

from persistence.rdb.events import (
    Aux,
    EndOfFile,
    FunctionPayload,
    KeyRecord,
    ModuleAux,
    RdbEvent,
    ResizeDb,
    SelectDb,
)
from persistence.rdb.reader import RdbReader

# A shared machine pauses tests at will, so none of them has a deadline of its own.
settings.register_profile("redrock", deadline=None)
settings.load_profile("redrock")

CORPUS = Path(__file__).parents[2] / "corpus" / "rdb"

Plain = tuple[object, ...]


def plain(event: RdbEvent) -> Plain:
    """An event as something that can be compared."""
    if isinstance(event, Aux):
        return "aux", event.name, event.value
    if isinstance(event, SelectDb):
        return "db", event.dbid
    if isinstance(event, ResizeDb):
        return "resize", event.keys, event.expires
    if isinstance(event, KeyRecord):
        hints = event.expire_at_ms, event.lru_idle, event.lfu_freq
        return "key", event.key, event.type_byte, event.payload, *hints
    if isinstance(event, FunctionPayload):
        return "function", event.code
    if isinstance(event, ModuleAux):
        return "module", event.module_name
    assert isinstance(event, EndOfFile)
    return "end", event.position, event.checked


class ReadAll(Protocol):
    """Reads ``data`` in pieces of ``step`` bytes (0: whole) to its end. Raises CorruptionError."""

    def __call__(self, data: bytes, step: int = 0, decodable_only: bool = False) -> tuple[list[RdbEvent], bytes]: ...


def _read_all(data: bytes, step: int = 0, decodable_only: bool = False) -> tuple[list[RdbEvent], bytes]:
    reader = RdbReader(decodable_only=decodable_only)
    events: list[RdbEvent] = []
    for start in range(0, len(data), step or len(data) or 1):
        reader.feed(data[start : start + (step or len(data))])
        while (event := reader.next_event()) is not None:
            events.append(event)
    reader.end_of_input()
    return events, reader.leftover()


@pytest.fixture
def read_all() -> ReadAll:
    return _read_all


@pytest.fixture
def to_plain() -> Callable[[RdbEvent], Plain]:
    return plain


@pytest.fixture
def corpus() -> Callable[[str], bytes]:
    """A file that a redis-server has made, by its name."""

    def load(name: str) -> bytes:
        return (CORPUS / f"{name}.rdb").read_bytes()

    return load
