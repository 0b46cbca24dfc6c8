"""A real store process in a folder of the test's own, with a tier that speaks to it."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from redrock.cold.process import StoreProcess
from redrock.cold.tier import ColdTier

PATIENCE_SECONDS = 60


class RealWorld:
    """The world of `cold_world` over a real store."""

    def __init__(self, make_cold_world, path: Path) -> None:
        self.path = path
        self.process = StoreProcess(str(path))
        self.world = make_cold_world(self.process)
        self.tier: ColdTier = self.world.tier

    def until(self, done: Callable[[], bool]) -> None:
        """Serve the socket until something has come true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            assert time.monotonic() < deadline, "the store does not answer"
            self.tier.flush()
            poll = select.poll()
            poll.register(self.tier.fileno(), select.POLLIN)
            poll.poll(50)
            while self.tier.receive():
                pass

    def settle(self) -> None:
        self.until(lambda: not (self.tier.spills_in_flight() or self.tier.loads_in_flight() or self.tier.has_unsent()))


@pytest.fixture
def real_world(make_cold_world, tmp_path: Path):
    real = RealWorld(make_cold_world, tmp_path / "rock")
    yield real
    real.tier.close()
    real.process.stop()
