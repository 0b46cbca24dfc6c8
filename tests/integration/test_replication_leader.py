"""A real redis-server follows us: full syncs of both kinds, the stream, partial resyncs, WAIT."""

import time

import pytest

NO_DELAY = ("--repl-diskless-sync-delay", "0")


def fill(server, count=500):
    commands = [[b"SET", b"key:%d" % number, b"value %d " % number * (number % 50 + 1)] for number in range(count)]
    commands += [[b"HSET", b"hash:%d" % number, b"f", b"%d" % number, b"g", b"x" * number] for number in range(100)]
    commands += [[b"PEXPIREAT", b"key:1", b"99999999999999"], [b"INCRBYFLOAT", b"float", b"1.1"]]
    server.exchange(commands)


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("load", ["disabled", "swapdb"])
def test_full_sync_and_stream(start_redrock, start_redis, same_dataset, is_linked, diskless, load):
    leader = start_redrock("--repl-diskless-sync", diskless, *NO_DELAY)
    fill(leader)
    leader.exchange([[b"SELECT", b"3"], [b"SET", b"in three", b"1"], [b"SELECT", b"0"]])
    follower = start_redis("--replicaof", f"127.0.0.1 {leader.port}", "--repl-diskless-load", load)
    follower.wait_until(lambda: is_linked(follower))
    leader.exchange(
        [
            [b"INCR", b"counter"],
            [b"SELECT", b"3"],
            [b"SET", b"in three", b"2"],
            [b"MULTI"],
            [b"INCR", b"counter"],
            [b"SELECT", b"0"],
            [b"APPEND", b"key:2", b"more"],
            [b"EXEC"],
            [b"DEL", b"key:3", b"key:4"],
            [b"HINCRBYFLOAT", b"hash:1", b"f", b"0.1"],
            [b"SET", b"gone", b"soon", b"EX", b"1000"],
        ]
    )
    assert leader.command("WAIT", 1, 5000) == 1
    dataset = same_dataset(leader, follower, (0, 3))
    assert dataset[3, b"in three"][1] == b"2"
    assert len(dataset) == 603
    facts = follower.info("replication")
    assert facts["master_link_status"] == "up"
    role = leader.command("ROLE")
    assert role[0] == b"master"
    assert role[2][0][:2] == [b"127.0.0.1", b"%d" % follower.port]


def test_expiry_reaches_the_follower_as_a_deletion(start_redrock, start_redis, is_linked):
    leader = start_redrock(*NO_DELAY)
    follower = start_redis("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: is_linked(follower))
    leader.command("SET", "short", "lived", "PX", 2000)
    leader.command("SET", "other", "lived", "PX", 2000)
    assert leader.command("WAIT", 1, 5000) == 1
    assert follower.command("EXISTS", "short") == 1
    follower.wait_until(lambda: follower.command("DBSIZE") == 0, 10)
    follower.command("REPLICAOF", "NO", "ONE")
    assert follower.command("DBSIZE") == 0


def test_a_cut_link_costs_a_partial_resync(start_redrock, start_redis, cutting_proxy, same_dataset, is_linked):
    leader = start_redrock(*NO_DELAY)
    fill(leader)
    proxy = cutting_proxy(leader.port)
    follower = start_redis("--replicaof", f"127.0.0.1 {proxy.port}")
    follower.wait_until(lambda: is_linked(follower))
    for number in range(5):
        leader.exchange([[b"SET", b"round", b"%d %d" % (number, step)] for step in range(200)])
        proxy.cut()
        leader.exchange([[b"SET", b"after", b"%d %d" % (number, step)] for step in range(200)])
        follower.wait_until(lambda number=number: follower.command("GET", "after") == b"%d 199" % number)
    same_dataset(leader, follower)
    assert follower.log.count("Full resync from master") == 1
    assert follower.log.count("Master accepted a Partial Resynchronization") == 5


def test_a_backlog_that_is_too_small_costs_a_full_resync(start_redrock, start_redis, cutting_proxy, same_dataset):
    leader = start_redrock(*NO_DELAY, "--repl-backlog-size", "16384")
    proxy = cutting_proxy(leader.port)
    follower = start_redis("--replicaof", f"127.0.0.1 {proxy.port}")
    follower.wait_until(lambda: follower.info("replication")["master_link_status"] == "up")
    proxy.open = False
    proxy.cut()
    leader.exchange([[b"SET", b"key:%d" % number, b"x" * 1000] for number in range(200)])
    proxy.open = True
    same_dataset(leader, follower)
    assert follower.log.count("Full resync from master") == 2
    assert "for lack of backlog" in leader.log


def test_wait_counts_who_has_it(start_redrock, start_redis, is_linked):
    leader = start_redrock(*NO_DELAY)
    followers = [start_redis("--replicaof", f"127.0.0.1 {leader.port}") for _ in range(2)]
    for follower in followers:
        follower.wait_until(lambda follower=follower: is_linked(follower))
    leader.command("SET", "a", "1")
    assert leader.command("WAIT", 2, 5000) == 2
    followers[0].process.send_signal(19)  # SIGSTOP
    try:
        leader.command("SET", "a", "2")
        started = time.monotonic()
        assert leader.command("WAIT", 2, 300) == 1
        assert 0.25 < time.monotonic() - started < 5
    finally:
        followers[0].process.send_signal(18)
    assert leader.command("WAIT", 2, 5000) == 2


def test_min_replicas_to_write(start_redrock, start_redis, is_linked):
    leader = start_redrock(*NO_DELAY, "--min-replicas-to-write", "1", "--min-replicas-max-lag", "2")
    refusal = leader.command("SET", "a", "1")
    assert refusal.text == b"NOREPLICAS Not enough good replicas to write."
    follower = start_redis("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: is_linked(follower))
    leader.wait_until(lambda: getattr(leader.command("SET", "a", "1"), "text", b"") == b"OK")
    follower.kill()
    leader.wait_until(lambda: getattr(leader.command("SET", "a", "1"), "text", b"").startswith(b"NOREPLICAS"))


def test_several_followers_come_at_once(start_redrock, start_redis, same_dataset, is_linked):
    leader = start_redrock("--repl-diskless-sync-delay", "1")
    fill(leader, 2000)
    followers = [start_redis("--replicaof", f"127.0.0.1 {leader.port}", wait=False) for _ in range(3)]
    for follower in followers:
        follower.wait_ready()
        follower.wait_until(lambda follower=follower: is_linked(follower))
    leader.command("SET", "last", "1")
    assert leader.command("WAIT", 3, 5000) == 3
    for follower in followers:
        same_dataset(leader, follower)
    assert leader.log.count("Starting BGSAVE for SYNC") <= 3


def test_a_follower_that_reads_nothing_is_dropped_at_its_limit(start_redrock, start_redis, is_linked):
    leader = start_redrock(*NO_DELAY, "--client-output-buffer-limit", "replica 4mb 0 0", "--repl-backlog-size", "65536")
    follower = start_redis("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: is_linked(follower))
    follower.process.send_signal(19)
    try:
        for _ in range(40):
            leader.exchange([[b"SET", b"big", b"x" * 500_000]])
        leader.wait_until(lambda: leader.command("ROLE")[2] == [])
    finally:
        follower.process.send_signal(18)
    follower.wait_until(lambda: follower.command("GET", "big") == b"x" * 500_000)
    assert "overcoming of output buffer limits" in leader.log
