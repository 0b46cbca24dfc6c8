"""Once a second: pings to followers, signs of life, timeouts, snapshots that are due. See `Replication.tick`."""

import trio

from replication.service import Replication

PERIOD_SECONDS = 1.0


async def keep_alive(replication: Replication) -> None:
    """Until cancelled."""
    while True:
        await trio.sleep(PERIOD_SECONDS)
        replication.host.begin_pass()
        replication.tick()
        replication.host.end_pass()
