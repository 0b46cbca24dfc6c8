from __future__ import annotations

from typing import TYPE_CHECKING

from redrock.server.throttle import Throttle

if TYPE_CHECKING:
    from tests.redrock.conftest import ColdWorld
    from tests.redrock.server.conftest import ServerWorld


def test_serving_is_told_after_each_pass(world: ServerWorld, cold_world: ColdWorld) -> None:
    hook = Throttle(cold_world.spilling, world.serving)
    world.serving.throttled = True
    hook.end_of_pass()
    assert not cold_world.spilling.must_throttle()
    assert not world.serving.throttled
