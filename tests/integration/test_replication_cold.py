"""Replication with most values in the cold tier, on either side of a real redis-server."""

import pytest

NO_DELAY = ("--repl-diskless-sync-delay", "0")
COLD = ("--maxrockmem", "1mb")


def fill(server, first=0, last=4000):
    server.exchange([[b"SET", b"key:%d" % number, b"%08d" % number * 125] for number in range(first, last)])
    server.exchange([[b"HSET", b"hash:%d" % number, b"f", b"%08d" % number * 100] for number in range(first, last, 10)])


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_leader_whose_values_are_cold(start_redrock, start_redis, same_dataset, is_linked, diskless):
    leader = start_redrock(*COLD, *NO_DELAY, "--repl-diskless-sync", diskless)
    fill(leader)
    leader.wait_until(lambda: int(leader.info("memory")["used_memory"]) < 4_000_000)
    follower = start_redis("--replicaof", f"127.0.0.1 {leader.port}")
    fill(leader, 4000, 4500)
    follower.wait_until(lambda: is_linked(follower))
    leader.exchange([[b"APPEND", b"key:%d" % number, b"!"] for number in range(0, 4500, 7)])
    assert leader.command("WAIT", 1, 10_000) == 1
    assert len(same_dataset(leader, follower)) == 4950


@pytest.mark.parametrize("load", ["disabled", "on-empty-db"])
def test_a_follower_whose_values_are_cold(start_redrock, start_redis, same_dataset, is_linked, load):
    leader = start_redis(*NO_DELAY)
    fill(leader)
    follower = start_redrock(*COLD, "--replicaof", f"127.0.0.1 {leader.port}", "--repl-diskless-load", load)
    follower.wait_until(lambda: is_linked(follower))
    follower.wait_until(lambda: int(follower.info("memory")["used_memory"]) < 4_000_000)
    # Commands that need the old value, in one burst: it is read before they run, in batches.
    leader.exchange([[b"APPEND", b"key:%d" % number, b"!"] for number in range(0, 4000, 3)])
    leader.exchange(
        [[b"MULTI"]]
        + [[b"HSET", b"hash:%d" % number, b"g", b"1"] for number in range(0, 4000, 20)]
        + [[b"EXEC"], [b"DEL", b"key:1", b"key:2"]]
    )
    assert leader.command("WAIT", 1, 10_000) == 1
    assert len(same_dataset(leader, follower)) == 4398
    assert follower.command("GET", "key:3") == b"00000003" * 125 + b"!"
