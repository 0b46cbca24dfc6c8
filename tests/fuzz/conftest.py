"""Mutations of valid bytes, from a seed; how long to go on; and a bound on what it may cost.

REDROCK_FUZZ_SECONDS (default 2) is the time that each of these tests takes, REDROCK_FUZZ_SEED where it begins.
"""

from __future__ import annotations

import os
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("REDROCK_FUZZ_SECONDS", "2"))
FIRST_SEED = int(os.environ.get("REDROCK_FUZZ_SEED", "0"))
# Enough for whatever the inputs here rightly need, and far below what a length field can claim.
MEMORY_BYTES_MAX = 64 << 20
CASE_SECONDS_MAX = 10.0

# What trips readers up: lengths and counts at the edges of their encodings, and the letters of the protocols.
_TOKENS = (
    b"\x00",
    b"\xff",
    b"\xfe",
    b"\x80\xff\xff\xff\xff",
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff",
    b"\xc0\x80",
    b"\xc1\xff\xff",
    b"\xc2\xff\xff\xff\x7f",
    b"\xc3\x01\x81\x00\x00\x00\x40\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\r\n",
    b"\n",
    b"*",
    b"$",
    b"*-1\r\n",
    b"*1048577\r\n",
    b"*1000000\r\n",
    b"*2147483648\r\n",
    b"*9223372036854775808\r\n",
    b"$-1\r\n",
    b"$536870912\r\n",
    b"$536870913\r\n",
    b"$99999999999999999999\r\n",
    b"0",
    b"-1",
    b"4294967296",
    b'"\\x',
    b"'",
    b" ",
)


class Mutator:
    """Makes inputs out of valid ones. ``case`` and ``seed`` are in the message of whatever fails."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(seed)

    def mutated(self, data: bytes, times_max: int = 4) -> bytes:
        """Some changes: bits, bytes, pieces lost, doubled, exchanged, or replaced by a token."""
        for _ in range(self.random.randint(1, times_max)):
            data = self._once(data)
        return data

    def _once(self, data: bytes) -> bytes:
        source = self.random
        if not data:
            return source.choice(_TOKENS)
        start = source.randrange(len(data))
        stop = min(len(data), start + source.choice((1, 1, 2, 4, 8, 50)))
        match source.randrange(8):
            case 0:
                return data[:start] + bytes([data[start] ^ (1 << source.randrange(8))]) + data[start + 1 :]
            case 1:
                return data[:start] + bytes([source.randrange(256)]) + data[start + 1 :]
            case 2:
                return data[:start] + data[stop:]
            case 3:
                return data[:stop] + data[start:]
            case 4:
                other = source.randrange(len(data))
                return data[:start] + data[other : other + stop - start] + data[stop:]
            case 5:
                return data[:start] + source.choice(_TOKENS) + data[stop:]
            case 6:
                return data[:start] + source.choice(_TOKENS) + data[start:]
            case _:
                return data[:start]


class Cases:
    """Goes through seeds until the time is over, and watches time and memory of each."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> Iterator[Mutator]:
        until = time.monotonic() + SECONDS
        seed = FIRST_SEED
        while time.monotonic() < until:
            yield Mutator(seed)
            self.count += 1
            seed += 1

    def run(self, case: Callable[[Mutator], object]) -> None:
        """Call ``case`` again and again; what it raises fails the test, with the seed."""
        tracemalloc.start()
        try:
            for mutator in self:
                began = time.monotonic()
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                try:
                    case(mutator)
                except Exception as error:
                    error.add_note(f"REDROCK_FUZZ_SEED={mutator.seed}")
                    raise
                grown = tracemalloc.get_traced_memory()[1] - before
                assert grown < MEMORY_BYTES_MAX, f"REDROCK_FUZZ_SEED={mutator.seed}: {grown} bytes"
                assert time.monotonic() - began < CASE_SECONDS_MAX, f"REDROCK_FUZZ_SEED={mutator.seed}: too slow"
        finally:
            tracemalloc.stop()
        assert self.count > 3, "too slow to say anything"


@pytest.fixture
def cases() -> Cases:
    return Cases()


@pytest.fixture
def corpus() -> list[bytes]:
    """RDB files that a redis-server has made."""
    folder = Path(__file__).parents[1] / "corpus" / "rdb"
    return [path.read_bytes() for path in sorted(folder.glob("*.rdb"))]


def resident_bytes(pid: int) -> int:
    """Resident memory of a process, mapped files left out."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"no such process: {pid}")


@pytest.fixture
def resident() -> Callable[[int], int]:
    return resident_bytes
