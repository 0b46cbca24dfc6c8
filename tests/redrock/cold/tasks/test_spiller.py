"""The spiller: slices while there is work, sleep while there is none, patience with a store that cannot start."""

from collections.abc import Callable

import pytest
import trio

from redrock.cold.link import StoreLauncher, StoreLink, StoreStartError
from redrock.cold.tasks import spiller as spiller_module
from redrock.cold.tasks.loader import Loader
from redrock.cold.tasks.spiller import Spiller
from redrock.cold.tier import ColdTier

pytestmark = pytest.mark.trio


async def until(done: Callable[[], bool]) -> None:
    with trio.fail_after(60):
        while not done():  # noqa: ASYNC110 - what is waited for knows of no event
            await trio.sleep(0.01)


async def test_memory_comes_below_its_limit_and_stays_there(real_world) -> None:
    world, tier = real_world.world, real_world.tier
    loader = Loader(tier, lambda: spiller.wake())
    spiller = Spiller(tier, [world.spilling], loader.opened, lambda: None)
    world.spilling.waker = spiller
    async with trio.open_nursery() as nursery:
        await nursery.start(loader.run)
        await nursery.start(spiller.run)
        for i in range(3000):
            world.put(b"k%d" % i, b"v" * 1000)
            world.clock.advance_ms(1)
        bound = world.keyspace.used_bytes() // 3
        world.spilling.configure(bound, 64, 0)
        world.spilling.end_of_pass()
        await until(lambda: world.keyspace.used_bytes() <= bound)
        # What it asks for now and then.
        await until(lambda: tier.store_disk_bytes > 0)
        nursery.cancel_scope.cancel()
    real_world.settle()
    for i in range(0, 3000, 100):
        assert world.db.lookup_read(b"k%d" % i).as_bytes() == b"v" * 1000


class Work:
    """Has so many slices to do."""

    def __init__(self, slices: int, result: int = 1) -> None:
        self.left = slices
        self.calls = 0
        self.result = result

    def run_slice(self) -> int:
        self.calls += 1
        if self.left:
            self.left -= 1
            return self.result
        return 0


async def test_slices_follow_each_other_and_others_have_their_turn(cold_world, autojump_clock) -> None:
    worked: list[bool] = []
    first, second = Work(5), Work(2)
    spiller = Spiller(cold_world.tier, [first, second], lambda: None, lambda: worked.append(True))
    async with trio.open_nursery() as nursery:
        await nursery.start(spiller.run)
        await trio.sleep(0.05)
        assert (first.left, second.left) == (0, 0)
        assert len(worked) == 5
        calls = first.calls
        await trio.sleep(1)
        # It looks ten times a second by itself, and at once when it is woken.
        assert 8 <= first.calls - calls <= 12
        calls = first.calls
        spiller.wake()
        await trio.sleep(0.001)
        assert first.calls == calls + 1
        nursery.cancel_scope.cancel()


async def test_a_store_that_cannot_start_is_tried_again(make_cold_world, autojump_clock, monkeypatch) -> None:
    class Launcher(StoreLauncher):
        tries = 0

        def launch(self) -> StoreLink:
            self.tries += 1
            raise StoreStartError("no such disk")

    launcher = Launcher()
    tier = ColdTier(launcher)

    class Opening:
        def run_slice(self) -> int:
            tier.open()
            return 0

    errors: list[str] = []
    monkeypatch.setattr(spiller_module.logger, "error", lambda text, *rest: errors.append(text % rest))
    spiller = Spiller(tier, [Opening()], lambda: None, lambda: None)
    async with trio.open_nursery() as nursery:
        await nursery.start(spiller.run)
        await trio.sleep(12)
        nursery.cancel_scope.cancel()
    assert launcher.tries == 3
    assert "no such disk" in errors[0]


@pytest.mark.parametrize("state", [0, 2])
async def test_with_nothing_to_do_it_does_not_spin(cold_world, autojump_clock, state: int) -> None:
    work = Work(1000, state)
    spiller = Spiller(cold_world.tier, [work], lambda: None, lambda: None)
    with trio.move_on_after(1):
        await spiller.run()
    assert work.calls <= 12
