import trio

from redrock.server.tasks.task import Task


class Part:
    def __init__(self) -> None:
        self.is_ready = False

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        await trio.sleep(0.001)
        self.is_ready = True
        task_status.started()
        await trio.sleep_forever()


def test_whoever_starts_a_part_waits_until_it_is_ready() -> None:
    part = Part()
    started: Task = part

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(started.run)
            assert part.is_ready
            nursery.cancel_scope.cancel()

    trio.run(main)
    assert part.is_ready
