"""Parked clients: who goes on when, and what stays in memory for them."""

BIG = b"v" * 200


def cold(world, *keys: bytes, dbid: int = 0) -> None:
    for key in keys:
        world.put(key, BIG + key, dbid)
    world.spill(*keys, dbid=dbid)


def test_a_client_goes_on_when_its_last_value_is_there(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b")
    world.parking.park(1, 0, [b"a", b"b", b"a"])
    assert world.parking.parked_count() == 1
    world.tier.flush()
    assert world.resumer.resumed == []
    world.settle()
    assert world.resumer.resumed == [(1, None)]
    assert world.parking.parked_count() == 0
    assert (world.get(b"a"), world.get(b"b")) == (BIG + b"a", BIG + b"b")


def test_clients_share_a_load(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b")
    world.parking.park(1, 0, [b"a"])
    world.parking.park(2, 0, [b"b", b"a"])
    world.settle()
    assert sorted(world.resumer.resumed) == [(1, None), (2, None)]
    assert sum(len(keys) for keys in world.store.gets) == 2


def test_databases_are_told_apart(cold_world) -> None:
    world = cold_world
    cold(world, b"a")
    cold(world, b"a", dbid=2)
    world.parking.park(1, 2, [b"a"])
    world.settle()
    assert world.is_cold(b"a")
    assert world.get(b"a", dbid=2) == BIG + b"a"


def test_one_failure_fails_the_command_once_all_have_ended(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b")
    world.store.unreadable.update(row for row in world.store.rows if row.endswith(b"a"))
    world.parking.park(1, 0, [b"a", b"b"])
    world.settle()
    assert len(world.resumer.resumed) == 1
    assert b"bad disk" in world.resumer.resumed[0][1]
    assert world.get(b"b") == BIG + b"b"


def test_a_value_that_has_gone_is_no_failure(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b", b"c")
    world.parking.park(1, 0, [b"a"])
    world.parking.park(2, 0, [b"b"])
    world.parking.park(3, 0, [b"c"])
    world.tier.flush()
    world.db.remove(b"a")
    world.put(b"b", b"new")
    world.db.move(b"c", world.db, b"d")
    assert world.resumer.resumed == [(1, None), (2, None), (3, None)]
    world.settle()
    world.check()


def test_a_flushed_database_lets_everyone_go_on(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b")
    world.parking.park(1, 0, [b"a", b"b"])
    world.tier.flush()
    world.db.clear()
    assert world.resumer.resumed == [(1, None)]


def test_keys_that_are_hot_already_are_not_waited_for(cold_world) -> None:
    world = cold_world
    world.put(b"hot", BIG)
    world.parking.park(1, 0, [b"hot", b"missing"])
    assert world.resumer.resumed == [(1, None)]


def test_a_client_that_is_gone_is_forgotten(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b")
    world.parking.park(1, 0, [b"a", b"b"])
    world.parking.park(2, 0, [b"b"])
    world.parking.forget_client(1)
    world.parking.forget_client(1)
    world.settle()
    assert world.resumer.resumed == [(2, None)]
    assert world.parking.parked_count() == 0


def test_prefetched_values_come_without_anyone_waiting(cold_world) -> None:
    world = cold_world
    cold(world, b"a")
    world.parking.prefetch(0, [b"a", b"missing"])
    world.settle()
    assert world.get(b"a") == BIG + b"a"
    assert world.resumer.resumed == []


def test_what_was_waited_for_stays_until_the_client_has_run(cold_world) -> None:
    world = cold_world
    cold(world, b"a", b"b")
    store_id = world.db.store_id
    world.parking.park(1, 0, [b"a", b"b"])
    world.tier.flush()
    world.parking.load_ended(store_id, b"a", None)
    world.parking.hook.end_of_pass()
    # It waits for b, and a must be there then.
    assert world.parking.is_awaited(store_id, b"a")
    world.parking.load_ended(store_id, b"b", None)
    assert world.parking.is_awaited(store_id, b"a")
    assert world.parking.is_awaited(store_id, b"b")
    world.parking.hook.end_of_pass()
    assert not world.parking.is_awaited(store_id, b"a")
    assert not world.parking.is_awaited(store_id, b"b")
