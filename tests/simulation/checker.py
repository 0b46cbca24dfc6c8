"""Compares nodes: what is at the same offset of the same history must be the same dataset."""

from __future__ import annotations

import trio

from tests.simulation.node import Node


class Difference(AssertionError):
    """Two nodes disagree; the text says on what."""


def compare(leader: Node, follower: Node) -> bool:
    """Compare if both are at the same offset now; whether they were. Raises Difference."""
    if leader.is_loading() or follower.is_loading() or not follower.is_online_follower_of(leader):
        return False
    if leader.offset() != follower.offset():
        return False
    if leader.digest() == follower.digest() and leader.expiries() == follower.expiries():
        return True
    ours, theirs = leader.contents(), follower.contents()
    lines = [f"{leader.name} and {follower.name} differ at {leader.offset()}:"]
    for name in sorted(ours.keys() | theirs.keys()):
        if ours.get(name) != theirs.get(name):
            lines.append(f"  {name}: {leader.name} has {ours.get(name)!r}, {follower.name} has {theirs.get(name)!r}")
    raise Difference("\n".join(lines[:20]))


class Checker:
    """Watches a leader and those who follow it, directly or through others."""

    def __init__(self) -> None:
        self.pairs: list[tuple[Node, Node]] = []
        self.comparisons = 0
        self._compared: dict[tuple[str, str], tuple[bytes, int]] = {}

    def look(self) -> None:
        for leader, follower in self.pairs:
            pair = (leader.name, follower.name)
            if leader.server is not None and self._compared.get(pair) == leader.offset():
                continue  # nothing new since the last time
            if compare(leader, follower):
                self.comparisons += 1
                self._compared[pair] = leader.offset()

    async def watch(self) -> None:
        """Until cancelled: look again and again, at moments that fall anywhere."""
        while True:
            await trio.sleep(0.073)
            self.look()

    async def converge(self, seconds: float) -> None:
        """Nothing writes and the network is whole: in the end all must be equal."""
        deadline = trio.current_time() + seconds
        while True:
            await trio.sleep(0.1)
            if all(compare(leader, follower) for leader, follower in self.pairs):
                return
            if trio.current_time() > deadline:
                raise Difference("they do not come together:\n" + "\n".join(map(describe, self.nodes())))

    def nodes(self) -> list[Node]:
        return list(dict.fromkeys(node for pair in self.pairs for node in pair))


def describe(node: Node) -> str:
    if node.server is None:
        return f"  {node.name}: down"
    role = node.running.replication.role
    leader = role.leader.host if role.leader is not None else "nobody"
    followers = [
        f"{follower.client.address.decode()} {follower.state}" for follower in node.running.replication.followers
    ]
    return f"  {node.name}: follows {leader}, link {role.link}, at {node.offset()}, followers {followers}"
