"""Chains, promotions and changes of leader, with redis-server among us; and both ends ours."""

import shutil
import subprocess

import pytest

NO_DELAY = ("--repl-diskless-sync-delay", "0")


def follow(server, leader):
    assert server.command("REPLICAOF", "127.0.0.1", leader.port).text == b"OK"


@pytest.fixture
def start(start_redrock, start_redis):
    return {"redrock": start_redrock, "redis": start_redis}


@pytest.mark.parametrize("kinds", [("redis", "redrock", "redis"), ("redrock", "redrock", "redrock")])
def test_a_chain_carries_the_stream_byte_for_byte(start, same_dataset, is_linked, kinds):
    top, middle, bottom = (start[kind](*NO_DELAY) for kind in kinds)
    follow(middle, top)
    middle.wait_until(lambda: is_linked(middle))
    follow(bottom, middle)
    bottom.wait_until(lambda: is_linked(bottom))
    top.exchange([[b"SET", b"key:%d" % number, b"%d" % number] for number in range(1000)])
    top.exchange([[b"SELECT", b"2"], [b"MULTI"], [b"SET", b"a", b"1"], [b"INCR", b"a"], [b"EXEC"], [b"SELECT", b"0"]])
    same_dataset(top, middle, (0, 2))
    same_dataset(top, bottom, (0, 2))
    offsets = [top.command("ROLE")[1], middle.command("ROLE")[4], bottom.command("ROLE")[4]]
    top.wait_until(lambda: middle.command("ROLE")[4] >= offsets[0] and bottom.command("ROLE")[4] >= offsets[0])


@pytest.mark.parametrize("kinds", [("redis", "redrock", "redis"), ("redrock", "redis", "redrock"), ("redrock",) * 3])
def test_promotion_without_a_full_sync(start, same_dataset, is_linked, kinds):
    """The leader is lost; one follower is promoted, the other one and the old leader go on with it."""
    old, promoted, other = (start[kind](*NO_DELAY) for kind in kinds)
    for follower in (promoted, other):
        follow(follower, old)
    for follower in (promoted, other):
        follower.wait_until(lambda follower=follower: is_linked(follower))
    old.exchange([[b"SET", b"key:%d" % number, b"%d" % number] for number in range(300)])
    assert old.command("WAIT", 2, 5000) == 2
    assert promoted.command("REPLICAOF", "NO", "ONE").text == b"OK"
    promoted.command("SET", "after", "promotion")
    for follower in (other, old):
        follow(follower, promoted)
        follower.wait_until(lambda follower=follower: is_linked(follower))
        same_dataset(promoted, follower)
    assert other.log.count("Full resync from master") == 1
    assert old.log.count("Full resync from master") == 0
    assert other.log.count("Master replication ID changed") == 1
    role = promoted.command("ROLE")
    assert role[0] == b"master"
    promoted.wait_until(lambda: len(promoted.command("ROLE")[2]) == 2)


def test_the_same_leader_again_is_no_change(start, is_linked):
    leader, follower = start["redrock"](*NO_DELAY), start["redrock"](*NO_DELAY)
    follow(follower, leader)
    follower.wait_until(lambda: is_linked(follower))
    answer = follower.command("REPLICAOF", "127.0.0.1", leader.port)
    assert answer.text == b"OK Already connected to specified master"
    assert is_linked(follower)


def test_another_leader_replaces_everything(start, same_dataset, is_linked):
    one, two = start["redis"](*NO_DELAY), start["redis"](*NO_DELAY)
    one.command("SET", "of one", "1")
    two.command("SET", "of two", "2")
    follower = start["redrock"](*NO_DELAY)
    for leader in (one, two, one):
        follow(follower, leader)
        follower.wait_until(lambda: is_linked(follower))
        same_dataset(leader, follower)


def test_a_leader_that_is_not_there_yet(start, same_dataset, is_linked):
    leader = start["redrock"](*NO_DELAY)
    leader.command("SET", "a", "1")
    port = leader.port
    leader.kill()
    follower = start["redrock"](*NO_DELAY)
    follow(follower, leader)
    follower.wait_until(lambda: follower.log.count("Connection refused") >= 2)
    assert follower.command("ROLE")[3] in (b"connect", b"connecting")
    assert follower.command("REPLICAOF", "NO", "ONE").text == b"OK"
    follow(follower, leader)
    leader.start()
    leader.wait_ready()
    assert leader.port == port
    follower.wait_until(lambda: is_linked(follower))
    same_dataset(leader, follower)


def test_a_restarted_leader_serves_who_stands_where_its_rdb_does(start, same_dataset, is_linked):
    leader = start["redrock"](*NO_DELAY, "--save", "900 1")
    follower = start["redis"]("--replicaof", f"127.0.0.1 {leader.port}")
    follower.wait_until(lambda: is_linked(follower))
    leader.exchange([[b"SET", b"key:%d" % number, b"%d" % number] for number in range(300)])
    assert leader.command("WAIT", 1, 5000) == 1
    assert leader.stop() == 0
    leader.start()
    leader.wait_ready()
    follower.wait_until(lambda: is_linked(follower))
    leader.command("SET", "after", "restart")
    same_dataset(leader, follower)
    assert follower.log.count("Full resync from master") == 1
    assert "Master replication ID changed" in follower.log


def test_a_follower_with_an_aof_keeps_the_new_dataset(start, same_dataset, is_linked):
    leader = start["redis"](*NO_DELAY)
    leader.exchange([[b"SET", b"key:%d" % number, b"%d" % number] for number in range(300)])
    follower = start["redrock"]("--appendonly", "yes", "--save", "")
    follower.command("SET", "old", "data")
    follow(follower, leader)
    follower.wait_until(lambda: is_linked(follower))
    leader.command("SET", "streamed", "1")
    dataset = same_dataset(leader, follower)
    follower.wait_until(lambda: "Background AOF rewrite terminated with success" in follower.log)
    follower.wait_until(lambda: "aof-rewrite" not in " ".join(path.name for path in follower.folder.rglob("temp-*")))
    follower.command("REPLICAOF", "NO", "ONE")
    assert follower.stop() == 0
    follower.options = [word for word in follower.options if word != "--replicaof"]
    follower.start()
    follower.wait_ready()
    assert follower.command("DBSIZE") == len(dataset)
    assert follower.command("GET", "streamed") == b"1"


def test_redis_cli_takes_an_rdb(start, tmp_path):
    leader = start["redrock"](*NO_DELAY)
    leader.exchange([[b"SET", b"key:%d" % number, b"%d" % number] for number in range(300)])
    target = tmp_path / "taken.rdb"
    program = shutil.which("redis-cli")
    assert program
    done = subprocess.run([program, "-p", str(leader.port), "--rdb", str(target)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    checker = shutil.which("redis-check-rdb")
    assert checker
    checked = subprocess.run([checker, str(target)], capture_output=True, timeout=60)
    assert b"RDB looks OK" in checked.stdout
