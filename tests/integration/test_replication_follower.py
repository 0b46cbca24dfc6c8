"""We follow a real redis-server: full syncs of both kinds, the stream, partial resyncs, restarts."""

import pytest

NO_DELAY = ("--repl-diskless-sync-delay", "0")


def fill(server, count=500):
    commands = [[b"SET", b"key:%d" % number, b"value %d " % number * (number % 50 + 1)] for number in range(count)]
    commands += [[b"HSET", b"hash:%d" % number, b"f", b"%d" % number, b"g", b"x" * number] for number in range(100)]
    commands += [[b"PEXPIREAT", b"key:1", b"99999999999999"]]
    server.exchange(commands)


@pytest.mark.parametrize("diskless", ["yes", "no"])
@pytest.mark.parametrize("load", ["disabled", "on-empty-db", "swapdb"])
def test_full_sync_and_stream(start_redrock, start_redis, same_dataset, is_linked, diskless, load):
    leader = start_redis("--repl-diskless-sync", diskless, *NO_DELAY)
    fill(leader)
    leader.exchange([[b"SELECT", b"3"], [b"SET", b"in three", b"1"], [b"SELECT", b"0"]])
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}", "--repl-diskless-load", load)
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
    assert len(dataset) == 602
    assert leader.info("replication")["slave0"].startswith(f"ip=127.0.0.1,port={follower.port},state=online,offset=")
    role = follower.command("ROLE")
    assert role[:4] == [b"slave", b"127.0.0.1", leader.port, b"connected"]
    assert follower.command("SET", "a", "1").text == b"READONLY You can't write against a read only replica."


def test_a_dataset_larger_than_any_buffer(start_redrock, start_redis, same_dataset, is_linked):
    leader = start_redis(*NO_DELAY)
    leader.exchange([[b"SET", b"key:%d" % number, b"%d" % number * 20_000] for number in range(300)])
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}")
    leader.exchange([[b"SET", b"during:%d" % number, b"%d" % number * 20_000] for number in range(300)])
    follower.wait_until(lambda: is_linked(follower))
    assert leader.command("WAIT", 1, 20_000) == 1
    same_dataset(leader, follower)


def test_it_waits_for_its_leader_to_expire_keys(start_redrock, start_redis, is_linked):
    leader = start_redis(*NO_DELAY)
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: is_linked(follower))
    leader.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
    leader.command("SET", "short", "lived", "PX", 100)
    assert leader.command("WAIT", 1, 5000) == 1
    follower.wait_until(lambda: follower.command("GET", "short") is None)
    assert follower.command("DBSIZE") == 1, "it is hidden, and removed when the leader says so"
    leader.command("GET", "short")
    follower.wait_until(lambda: follower.command("DBSIZE") == 0)


def test_client_kill_with_the_leaders_address_cuts_the_link(start_redrock, start_redis, same_dataset, is_linked):
    leader = start_redis(*NO_DELAY)
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: is_linked(follower))
    assert follower.command("CLIENT", "KILL", f"127.0.0.1:{leader.port}").text == b"OK"
    leader.command("SET", "after", "the cut")
    follower.wait_until(lambda: follower.command("GET", "after") == b"the cut")
    same_dataset(leader, follower)
    assert follower.log.count("Master accepted a Partial Resynchronization") == 1


def test_a_cut_link_costs_a_partial_resync(start_redrock, start_redis, cutting_proxy, same_dataset, is_linked):
    leader = start_redis(*NO_DELAY)
    fill(leader)
    proxy = cutting_proxy(leader.port)
    follower = start_redrock("--replicaof", f"127.0.0.1 {proxy.port}")
    follower.wait_until(lambda: is_linked(follower))
    for number in range(5):
        leader.exchange([[b"SET", b"round", b"%d %d" % (number, step)] for step in range(200)])
        proxy.cut()
        leader.exchange([[b"SET", b"after", b"%d %d" % (number, step)] for step in range(200)])
        follower.wait_until(lambda number=number: follower.command("GET", "after") == b"%d 199" % number)
    same_dataset(leader, follower)
    assert follower.log.count("Full resync from master") == 1
    assert follower.log.count("Master accepted a Partial Resynchronization") == 5


def test_a_transfer_that_is_cut_is_begun_anew(start_redrock, start_redis, cutting_proxy, same_dataset, is_linked):
    leader = start_redis(*NO_DELAY, "--rdb-key-save-delay", "2000")
    fill(leader, 300)
    proxy = cutting_proxy(leader.port)
    follower = start_redrock("--replicaof", f"127.0.0.1 {proxy.port}")
    follower.wait_until(lambda: "receiving" in follower.log)
    proxy.cut()
    leader.command("CONFIG", "SET", "rdb-key-save-delay", "0")
    follower.wait_until(lambda: is_linked(follower))
    same_dataset(leader, follower)
    assert [path.name for path in follower.folder.glob("temp-*")] == []


def test_after_a_restart_it_goes_on_where_its_rdb_stands(start_redrock, start_redis, same_dataset, is_linked):
    leader = start_redis(*NO_DELAY)
    fill(leader)
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}", "--save", "900 1")
    follower.wait_until(lambda: is_linked(follower))
    leader.command("SELECT", "5")
    leader.command("SET", "before", "1")
    assert leader.command("WAIT", 1, 5000) == 1
    assert follower.stop() == 0
    leader.command("SET", "meanwhile", "1")
    follower.start()
    follower.wait_ready()
    follower.wait_until(lambda: is_linked(follower))
    same_dataset(leader, follower, (0, 5))
    assert follower.log.count("Full resync from master") == 1
    assert "Master accepted a Partial Resynchronization" in follower.log


def test_with_a_password(start_redrock, start_redis, is_linked):
    leader = start_redis(*NO_DELAY, "--requirepass", "sesame")
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}", "--masterauth", "wrong")
    follower.wait_until(lambda: "Unable to AUTH to MASTER: -WRONGPASS" in follower.log)
    follower.command("CONFIG", "SET", "masterauth", "sesame")
    follower.wait_until(lambda: is_linked(follower))


def test_stale_data_may_be_refused(start_redrock, start_redis, is_linked):
    leader = start_redis(*NO_DELAY)
    follower = start_redrock(
        "--replicaof", f"127.0.0.1 {leader.port}", "--replica-serve-stale-data", "no", "--repl-timeout", "3"
    )
    follower.wait_until(lambda: is_linked(follower))
    assert follower.command("GET", "a") is None
    leader.kill()
    follower.wait_until(lambda: getattr(follower.command("GET", "a"), "text", b"").startswith(b"MASTERDOWN"))


def test_a_silent_leader_is_noticed(start_redrock, start_redis, is_linked):
    leader = start_redis(*NO_DELAY)
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}", "--repl-timeout", "2")
    leader.command("CONFIG", "SET", "repl-ping-replica-period", "1")
    follower.wait_until(lambda: is_linked(follower))
    leader.process.send_signal(19)
    try:
        follower.wait_until(lambda: "MASTER timeout: no data nor PING received..." in follower.log)
    finally:
        leader.process.send_signal(18)
    follower.wait_until(lambda: is_linked(follower))


def test_writes_on_a_writable_follower_stay_there(start_redrock, start_redis, is_linked):
    leader = start_redis(*NO_DELAY)
    follower = start_redrock("--replicaof", f"127.0.0.1 {leader.port}", "--replica-read-only", "no")
    follower.wait_until(lambda: is_linked(follower))
    before = follower.command("ROLE")[4]
    assert follower.command("SET", "own", "1").text == b"OK"
    leader.command("SET", "theirs", "1")
    assert leader.command("WAIT", 1, 5000) == 1
    assert follower.command("MGET", "own", "theirs") == [b"1", b"1"]
    assert leader.command("GET", "own") is None
    assert follower.command("ROLE")[4] - before < 300
