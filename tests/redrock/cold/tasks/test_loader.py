"""The loader: receives when there is something, tells, and ends loudly when the store is gone."""

import os
import signal
from collections.abc import Callable

import pytest
import trio

from redrock.cold.link import StoreLost
from redrock.cold.tasks.loader import Loader

pytestmark = pytest.mark.trio

BIG = b"v" * 300


async def until(done: Callable[[], bool]) -> None:
    with trio.fail_after(30):
        while not done():  # noqa: ASYNC110 - what is waited for knows of no event
            await trio.sleep(0.01)


async def test_values_are_loaded_and_it_is_told(real_world) -> None:
    world, tier = real_world.world, real_world.tier
    told: list[bool] = []
    loader = Loader(tier, lambda: told.append(True))
    async with trio.open_nursery() as nursery:
        await nursery.start(loader.run)
        for i in range(100):
            world.put(b"k%d" % i, BIG)
            world.spilling.spill_key(world.db, b"k%d" % i)
        tier.flush()
        await until(lambda: world.keyspace.cold_count() == 100)
        assert told
        world.parking.park(1, 0, [b"k%d" % i for i in range(100)])
        tier.flush()
        await until(lambda: bool(world.resumer.resumed))
        assert world.resumer.resumed == [(1, None)]
        nursery.cancel_scope.cancel()


async def test_a_store_that_is_gone_ends_it_after_the_waiting_have_been_told(real_world) -> None:
    world, tier = real_world.world, real_world.tier
    told: list[int] = []
    loader = Loader(tier, lambda: told.append(len(world.resumer.resumed)))
    world.put(b"k", BIG)
    world.spilling.spill_key(world.db, b"k")
    real_world.settle()

    async def load_and_kill() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(loader.run)
            os.kill(real_world.process.pid, signal.SIGSTOP)
            world.parking.park(1, 0, [b"k"])
            tier.flush()
            os.kill(real_world.process.pid, signal.SIGKILL)

    with pytest.raises(ExceptionGroup) as caught:
        await load_and_kill()
    assert caught.group_contains(StoreLost)
    assert told[-1] == 1
    assert b"cannot be read" in world.resumer.resumed[0][1]


async def test_it_sleeps_until_there_is_a_store(cold_world) -> None:
    class Closed:
        def is_open(self) -> bool:
            return False

    loader = Loader(Closed(), lambda: None)  # type: ignore[arg-type]
    with trio.move_on_after(0.05) as scope:
        await loader.run()
    assert scope.cancelled_caught
