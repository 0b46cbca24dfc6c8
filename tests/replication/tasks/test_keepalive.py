"""Once a second, within a pass."""

import trio
import trio.testing

from replication.tasks.keepalive import keep_alive


def test_a_tick_a_second_inside_of_a_pass(world):
    calls = world.host.calls
    world.replication.tick = lambda: calls.append("tick")
    world.host.end_pass = lambda: calls.append("end_pass")

    async def main():
        with trio.move_on_after(3.5):
            await keep_alive(world.replication)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert calls == ["begin_pass", "tick", "end_pass"] * 3
