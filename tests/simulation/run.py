"""One simulated run per seed: `PYTHONHASHSEED=0 python -m tests.simulation.run FIRST_SEED [COUNT] [-v] [--story]`.

A cluster, clients and faults, all drawn from the seed; ends in equal datasets, or with the seed and the difference.
Without a fixed PYTHONHASHSEED the tables' order, and with it what is spilled, differs from one process to the next.
-v shows the servers' logs, --story what happened and where it led; --spoil makes the datasets differ on purpose.
"""

from __future__ import annotations

import logging
import random
import sys
import traceback

import hypothesis  # noqa: F401 - importing it makes the order of Trio's tasks follow from a seed
import trio
import trio.testing
from trio._core import _run as trio_run

from redrock.datatypes.string import StringValue
from tests.simulation.checker import Checker, describe
from tests.simulation.network import Network
from tests.simulation.node import Node, Session
from tests.simulation.workload import Client

SECONDS = 12.0
CONVERGE_SECONDS = 120.0


class Run:
    """The story of one seed."""

    def __init__(self, seed: int, nursery: trio.Nursery, spoils: bool) -> None:
        self.spoils = spoils
        self.source = random.Random(seed)
        self.nursery = nursery
        self.network = Network(nursery, self.source)
        self.checker = Checker()
        self.keys = self.source.choice((5, 30, 200))
        self.events: list[str] = []
        self.nodes = [
            self._make_node(name) for name in ("alpha", "beta", "gamma", "delta")[: self.source.randrange(2, 5)]
        ]
        self.leader = self.nodes[0]
        self.clients: list[Client] = []

    def _make_node(self, name: str) -> Node:
        source = self.source
        settings = {
            "repl-timeout": "4",
            "repl-ping-replica-period": "1",
            "repl-backlog-size": source.choice(("16kb", "100kb", "1mb")),
            "repl-diskless-sync": source.choice(("yes", "no")),
            "repl-diskless-sync-delay": source.choice(("0", "1")),
            "repl-diskless-load": source.choice(("disabled", "on-empty-db", "swapdb")),
            "hash-max-listpack-entries": source.choice(("4", "128")),
            "databases": "4",
        }
        if source.random() < 0.5:
            settings |= {
                "maxrockmem": source.choice(("20kb", "50kb")),
                "rock-min-hot-keys": "2",
                "rock-min-value-size": "0",
            }
        return Node(name, self.network, source, settings)

    def say(self, text: str) -> None:
        self.events.append(f"{trio.current_time() - self.began:7.3f} {text}")

    # --- The story

    async def play(self) -> None:
        self.began = trio.current_time()
        for node in self.nodes:
            await self._start(node)
        for node in self.nodes[1:]:
            # Of the leader, or of another follower: a chain, a fan, or something of both.
            await self._follow(node, self.source.choice(self.nodes[: self.nodes.index(node)]))
        for number in range(self.source.randrange(1, 4)):
            self._add_client(self.leader, f"writer{number}", False)
        self._add_client(self.source.choice(self.nodes), "reader", True)
        self.nursery.start_soon(self.checker.watch)
        while trio.current_time() - self.began < SECONDS:
            await trio.sleep(self.source.expovariate(1.3))
            await self._happen()
        self.say("healing")
        self.network.heal()
        for node in self.nodes:
            if node.server is not None:
                node.running.store.failure = ""
        for client in self.clients:
            client.stopped = True
        for node in self.nodes:
            if node.server is None:
                await self._start(node)
                if node is not self.leader:
                    await self._follow(node, self.leader)
        await self.checker.converge(CONVERGE_SECONDS)
        if self.spoils:
            self._spoil()
            await self.checker.converge(CONVERGE_SECONDS)
        self.events += [f"{describe(node)}, {node.digest().decode()}" for node in self.nodes]
        self.events += [f"replies: {client.replies}" for client in self.clients]
        assert sum(client.replies for client in self.clients) > 100

    def _spoil(self) -> None:
        follower = self.checker.pairs[0][1]
        follower.running.keyspace.databases[3].put(b"spoiled", StringValue(b"behind the back of all"))

    def _add_client(self, node: Node, name: str, reads_only: bool) -> None:
        client = Client(node, name, self.source, reads_only, self.keys)
        self.clients.append(client)
        self.nursery.start_soon(client.run)

    async def _start(self, node: Node) -> None:
        self.say(f"{node.name} starts")
        await self.nursery.start(node.run)
        while node.is_loading():  # noqa: ASYNC110
            await trio.sleep(0.01)

    async def _admin(self, node: Node, *argv: bytes) -> None:
        """By somebody who sits beside the machine: no faults there."""
        before, self.network.unreachable = self.network.unreachable, set()
        try:
            session = Session(await self.network.connect("admin", node.name))
        finally:
            self.network.unreachable = before
        await session.must(*argv)
        await session.close()

    async def _follow(self, node: Node, leader: Node) -> None:
        self.say(f"{node.name} follows {leader.name}")
        node.replicaof = leader.name
        self.checker.pairs = [pair for pair in self.checker.pairs if pair[1] is not node]
        self.checker.pairs.append((leader, node))
        await self._admin(node, b"REPLICAOF", leader.name.encode(), b"6379")

    def _links(self) -> list[str]:
        return [node.name for node in self.nodes if node.server is not None]

    async def _happen(self) -> None:
        """Something goes wrong, or is put right."""
        source = self.source
        up = [node for node in self.nodes if node.server is not None and not node.is_loading()]
        node = source.choice(up)
        match source.choice(
            (
                "cut",
                "cut",
                "separate",
                "heal",
                "heal",
                "slow",
                "restart",
                "save and restart",
                "promote",
                "full",
                "rewire",
            )
        ):
            case "cut":
                for connection in self.network.connections_of(node.name):
                    if source.random() < 0.5:
                        self.say(f"cut {connection.client} from {connection.server}")
                        connection.cut()
            case "separate":
                other = source.choice(self.nodes)
                if other is not node:
                    self.say(f"{node.name} and {other.name} are separated")
                    self.network.separate(node.name, other.name)
            case "heal":
                self.say("the network heals")
                self.network.heal()
            case "slow":
                self.say(f"slow connections of {node.name}")
                for connection in self.network.connections_of(node.name):
                    connection.slow_down(source.choice((0.1, 0.5)))
            case "restart" if node is not self.leader:
                self.say(f"{node.name} crashes")
                await node.crash()
                if source.random() < 0.5:
                    self.say(f"{node.name} loses its disk")
                    node.disk.files.clear()
                await trio.sleep(source.random() * 3)
                await self._start(node)
            case "save and restart":
                self.say(f"{node.name} saves and restarts")
                node.save()
                await node.crash()
                await trio.sleep(source.random() * 2)
                await self._start(node)
            case "promote" if len(up) > 1 and source.random() < 0.6:
                await self._promote(source.choice([other for other in up if other is not self.leader]))
            case "full":
                self.say(f"the cold store of {node.name} cannot write, or can again")
                store = node.running.store
                store.failure = "" if store.failure else "disk full"
            case "rewire" if node is not self.leader:
                others = [other for other in self.nodes if other is not node and not self._depends(other, node)]
                await self._follow(node, source.choice(others))

    def _depends(self, node: Node, on: Node) -> bool:
        """Whether ``node`` gets its data, perhaps through others, from ``on``."""
        for leader, follower in self.checker.pairs:
            if follower is node:
                return leader is on or self._depends(leader, on)
        return False

    async def _promote(self, node: Node) -> None:
        old = self.leader
        self.say(f"{node.name} is promoted")
        self.checker.pairs = [pair for pair in self.checker.pairs if pair[1] is not node]
        node.replicaof = ""
        self.leader = node
        await self._admin(node, b"REPLICAOF", b"NO", b"ONE")
        await trio.sleep(self.source.random())
        for follower in self.nodes:
            follows_old = any(pair == (old, follower) for pair in self.checker.pairs)
            if follower is old or (follows_old and follower.server is not None and follower is not node):
                if follower.server is not None:
                    await self._follow(follower, node)
        for client in self.clients:
            if client.node is old:
                client.node = node


def run_seed(seed: int, story: bool, spoils: bool) -> bool:
    """Play one seed. False: it failed; the traceback and the story are printed."""
    trio_run._r.seed(seed)
    random.seed(seed)
    runs: list[Run] = []

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            run = Run(seed, nursery, spoils)
            runs.append(run)
            try:
                await run.play()
            except Exception:
                run.events += map(describe, run.nodes)
                raise
            nursery.cancel_scope.cancel()

    try:
        trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0), strict_exception_groups=True)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        traceback.print_exc()
        print("\n".join(runs[0].events))
        print(f"FAILED: PYTHONHASHSEED=0 python -m tests.simulation.run {seed}")
        return False
    if story:
        print("\n".join(runs[0].events))
    return True


def main() -> int:
    options = {word for word in sys.argv[1:] if word.startswith("-")}
    numbers = [int(word) for word in sys.argv[1:] if word not in options]
    count = numbers[1] if len(numbers) > 1 else 1
    logging.basicConfig(level=logging.INFO if "-v" in options else logging.CRITICAL, format="%(name)s %(message)s")
    for seed in range(numbers[0], numbers[0] + count):
        if not run_seed(seed, "--story" in options, "--spoil" in options):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
