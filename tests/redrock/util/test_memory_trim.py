"""Resident memory as the system counts it."""

import sys

import pytest

from redrock.util import memory_trim


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere it is unknown")
def test_anonymous_memory_grows_with_what_is_touched() -> None:
    before = memory_trim.anonymous_bytes()
    assert before > 1 << 20
    held = bytearray(b"x") * (32 << 20)
    assert memory_trim.anonymous_bytes() - before > 28 << 20
    del held


def test_trimming_says_whether_it_could() -> None:
    assert memory_trim.trim() in (True, False)


@pytest.mark.skipif(memory_trim._MALLOC_TRIM is None, reason="not glibc")
def test_holes_in_the_heap_are_given_back() -> None:
    # Below the size from which each has a mapping of its own; every second one stays.
    held = [bytearray(20_000) for _ in range(2000)]
    for part in held:
        part[:] = b"x" * 20_000
    kept = held[::2]
    del held
    before = memory_trim.anonymous_bytes()
    memory_trim.trim()
    assert memory_trim.anonymous_bytes() <= before
    assert len(kept) == 1000
