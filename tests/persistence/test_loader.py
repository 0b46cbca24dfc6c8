"""Loading: what is added, what is left out, and the words for what cannot be loaded."""

import os
import struct

import pytest

from persistence.loader import NEVER_NS, AofLoad, DatasetLoad, LoadObserver, RdbFileLoad, RdbLoader, load_limits
from persistence.rdb.events import KeyRecord
from persistence.rdb.writer import RdbWriter, ReplicationInfo, standard_aux
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.errors import FatalError
from redrock.resp.encoder import encode_command

DIRECTORY = "appendonlydir/"


class Observer(LoadObserver):
    def __init__(self):
        self.expired, self.added = [], []

    def key_expired(self, dbid, key):
        self.expired.append((dbid, key))

    def key_added(self, database, key):
        self.added.append((database.dbid, key))


def rdb(*keys, replication=None, checksum=True, function=None):
    """An RDB of (dbid, key, value, expire)."""
    writer = RdbWriter(True, checksum)
    writer.header(standard_aux(b"7.0.15", 1_600_000_000, 5 << 20, replication, False))
    if function:
        writer.function(function)
    for dbid, key, value, expire in keys:
        writer.select_db(dbid, 1, 0)
        writer.key(key, StringValue(value), expire)
    writer.finish()
    return writer.take_output()


def load_rdb(world, data, keep_expired=False, observer=None):
    world.disk.put("dump.rdb", data)
    observer = observer or Observer()
    loader = RdbLoader(world.keyspace, world.settings, world.status, world.clock.now_ms(), keep_expired, observer)
    load = RdbFileLoad(world.disk, "dump.rdb", loader, world.status, world.settings.rdbchecksum)
    try:
        assert load.step(NEVER_NS)
    finally:
        load.close()
    return loader


@pytest.fixture
def world(make_world, memory_disk, caplog):
    caplog.set_level("INFO")
    return make_world(memory_disk)


# --- RDB


def test_keys_expires_and_databases(world, caplog):
    future = world.clock.now_ms() + 1000
    loader = load_rdb(world, rdb((0, b"a", b"1", -1), (5, b"b", b"2", future)))
    assert world.contents() == {(0, b"a"): (b"1", None), (5, b"b"): (b"2", future)}
    assert (world.status.rdb_last_load_keys_loaded, world.status.rdb_last_load_keys_expired) == (2, 0)
    assert loader.replication_info() is None
    assert caplog.messages == [
        "Loading RDB produced by version 7.0.15",
        "RDB age 100000000 seconds",
        "RDB memory usage when created 5.00 Mb",
        "Done loading RDB, keys loaded: 2, keys expired: 0.",
    ]


@pytest.mark.parametrize("keep", [False, True])
def test_expired_keys(world, keep):
    observer = Observer()
    past = world.clock.now_ms() - 1
    load_rdb(world, rdb((0, b"old", b"1", past), (0, b"a", b"2", -1)), keep, observer)
    assert ((0, b"old") in world.contents()) is keep
    assert observer.expired == ([] if keep else [(0, b"old")])
    assert observer.added == ([(0, b"old"), (0, b"a")] if keep else [(0, b"a")])
    assert world.status.rdb_last_load_keys_expired == (0 if keep else 1)


def test_functions_and_replication_facts(world):
    info = ReplicationInfo(2, b"b" * 40, 77)
    loader = load_rdb(world, rdb(replication=info, function=b"#!lua name=x\n"))
    assert loader.functions == [b"#!lua name=x\n"]
    found = loader.replication_info()
    assert (found.stream_db, found.replid, found.offset) == (2, b"b" * 40, 77)


def test_in_slices(world):
    world.disk.put("dump.rdb", rdb(*[(0, b"%d" % i, b"v" * 100, -1) for i in range(5000)]))
    loader = RdbLoader(world.keyspace, world.settings, world.status, 0, False, Observer())
    load = RdbFileLoad(world.disk, "dump.rdb", loader, world.status, True)
    slices = 1
    while not load.step(0):
        slices += 1
        assert world.status.load.loading
    assert slices > 50
    assert world.status.load.loaded_bytes == world.status.load.total_bytes
    assert world.keyspace.key_count() == 5000


def test_last_use(world):
    writer = RdbWriter()
    writer.header([])
    writer.select_db(0, 1, 0)
    writer.key(b"k", StringValue(b"v"), -1, 1000, 200)
    writer.finish()
    data = writer.take_output()
    world.keyspace.lru_clock = 5000
    load_rdb(world, data)
    assert world.keyspace.databases[0].table.get(b"k").last_use == 4000
    world.keyspace.databases[0].clear()
    world.keyspace.lfu = True
    load_rdb(world, data)
    assert world.keyspace.lfu_clock.counter(world.keyspace.databases[0].table.get(b"k").last_use) == 200


def test_encodings_follow_the_settings(world, make_world, memory_disk):
    world.hset(b"h", [b"f", b"v", b"g", b"w"])
    assert world.persistence.save()
    data = memory_disk.contents("dump.rdb")
    small = make_world(memory_disk, hash_max_listpack_entries=1)
    load_rdb(small, data)
    value = small.keyspace.databases[0].table.get(b"h")
    assert isinstance(value, HashValue)
    assert value.encoding() == b"hashtable"
    assert load_limits(small.settings).hash_max_listpack_entries == 1


def test_a_key_twice_is_a_broken_file(world, caplog):
    data = rdb((0, b"a", b"1", -1), (0, b"a", b"2", -1))
    with pytest.raises(FatalError):
        load_rdb(world, data)
    assert caplog.messages[-1] == "RDB has duplicated key 'a' in DB 0"


def test_a_key_twice_where_that_is_allowed(world):
    loader = RdbLoader(world.keyspace, world.settings, world.status, 0, False, Observer(), allow_duplicates=True)
    world.set(b"a", b"older", expire_at_ms=9)
    loader.handle(KeyRecord(b"a", 0, b"\x011", -1, -1, -1))
    assert world.contents() == {(0, b"a"): (b"1", None)}


def test_empty_collections_are_left_out(world, caplog):
    """Type 4 is a hash as pairs, here none."""
    body = b"\xfe\x00" + b"\x04\x01h\x00" + b"\x00\x01a\x01b" + b"\xff"
    load_rdb(world, b"REDIS0010" + body + bytes(8))
    assert list(world.contents()) == [(0, b"a")]
    assert "rdbLoadObject skipping empty key: h" in caplog.messages
    assert caplog.messages[-1] == "Done loading RDB, keys loaded: 1, keys expired: 0, empty keys skipped: 1."


def test_too_many_databases(world, caplog):
    with pytest.raises(FatalError):
        load_rdb(world, rdb((16, b"a", b"1", -1)))
    assert "configured to handle more than 16 databases" in caplog.messages[-1]


def test_module_data(world, caplog):
    body = b"\xf7\x81" + struct.pack(">Q", 0) + b"\x02\x01\x00\xff"
    with pytest.raises(FatalError):
        load_rdb(world, b"REDIS0010" + body + bytes(8))
    assert "AUX module data I can't load" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"RUBIS" + data[5:], "Wrong signature trying to load DB from file"),
        (lambda data: b"REDIS0099" + data[9:], "Can't handle RDB format version 99"),
        (lambda data: data[:-3], "Short read or OOM loading DB. Unrecoverable error, aborting now."),
        (lambda data: b"", "Short read or OOM loading DB. Unrecoverable error, aborting now."),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "Terminating server after rdb file reading failure."),
        (lambda data: data[:-8] + b"foobar00", "Internal error in RDB reading offset 91 -> RDB CRC error"),
    ],
)
def test_broken_files(world, caplog, change, message):
    with pytest.raises(FatalError):
        load_rdb(world, change(rdb((0, b"a", b"1", -1))))
    assert message in caplog.messages


def test_every_cut_is_noticed(make_world, memory_disk):
    data = rdb((0, b"a", b"1" * 100, 5))
    for length in range(len(data)):
        with pytest.raises(FatalError):
            load_rdb(make_world(memory_disk), data[:length])


def test_a_read_error(world, caplog):
    world.disk.fail("read", "dump.rdb")
    with pytest.raises(FatalError):
        load_rdb(world, rdb())
    assert caplog.messages == ["Fatal error loading the DB: Input/output error. Exiting."]


def test_informational_facts_are_shown(world, caplog):
    writer = RdbWriter()
    writer.header([(b"%note", b"hello"), (b"unknown", b"x"), (b"aof-base", b"1"), (b"aof-preamble", b"1")])
    writer.finish()
    load_rdb(world, writer.take_output())
    assert caplog.messages[:3] == ["RDB '%note': hello", "RDB is base AOF", "RDB has an AOF tail"]


# --- AOF


def make_log(disk, **files):
    """Files by number: base=..., i1=..., i2=...; the manifest lists them."""
    disk.make_directory("appendonlydir")
    lines = []
    for name, data in files.items():
        if name == "base":
            file = "appendonly.aof.1.base." + ("rdb" if data.startswith(b"REDIS") else "aof")
            lines.append(f"file {file} seq 1 type b\n")
        else:
            file = f"appendonly.aof.{name[1:]}.incr.aof"
            lines.append(f"file {file} seq {name[1:]} type i\n")
        disk.put(DIRECTORY + file, data)
    disk.put(DIRECTORY + "appendonly.aof.manifest", "".join(lines).encode())


def load_aof(world, deadline_ns=NEVER_NS):
    world.log.load_manifest()
    load = AofLoad(
        world.disk,
        world.log,
        world.keyspace,
        world.settings,
        world.status,
        world.executor,
        Observer(),
        world.clock.now_ms(),
    )
    try:
        slices = 1
        while not load.step(deadline_ns):
            slices += 1
    finally:
        load.close()
    return slices


def sets(*keys):
    return b"".join(encode_command([b"SET", key, b"v"]) for key in keys)


def test_base_and_increments(world, caplog):
    past = world.clock.now_ms() - 5
    base = rdb((0, b"base", b"1", past), (3, b"x", b"2", -1))
    select = encode_command([b"SELECT", b"7"])
    make_log(world.disk, base=base, i1=select + sets(b"a"), i2=b"", i3=sets(b"b"))
    load_aof(world)
    # The base keeps what has expired, and every file begins at database 0.
    assert set(world.contents()) == {(0, b"base"), (3, b"x"), (7, b"a"), (0, b"b")}
    total = len(base) + len(select + sets(b"a")) + len(sets(b"b"))
    assert (world.status.aof_current_size, world.status.aof_base_size) == (total, len(base))
    assert world.status.load.loaded_bytes == world.status.load.total_bytes == total
    shown = [message.rsplit(":", 1)[0] for message in caplog.messages if "loaded from" in message]
    assert shown == [
        "DB loaded from base file appendonly.aof.1.base.rdb",
        "DB loaded from incr file appendonly.aof.1.incr.aof",
        "DB loaded from incr file appendonly.aof.3.incr.aof",
    ]
    assert "Reading RDB base file on AOF loading..." in caplog.messages


def test_aof_in_slices(world):
    make_log(world.disk, base=sets(*[b"%d" % i for i in range(3000)]), i1=sets(b"x"))
    assert load_aof(world, 0) > 20
    assert world.keyspace.key_count() == 3001


def test_nothing_to_load(world):
    assert load_aof(world) == 1
    make_log(world.disk, i1=b"")
    assert load_aof(world) == 1
    assert world.contents() == {}


@pytest.mark.parametrize("lost", [1, 10, 25])
def test_a_cut_tail_is_cut_off(world, caplog, lost):
    make_log(world.disk, base=rdb(), i1=sets(b"a", b"b")[:-lost])
    load_aof(world)
    assert set(world.contents()) == {(0, b"a")}
    path = DIRECTORY + "appendonly.aof.1.incr.aof"
    assert world.disk.contents(path) == sets(b"a")
    assert world.status.aof_current_size == len(rdb()) + len(sets(b"a"))
    name = "appendonly.aof.1.incr.aof"
    assert f"!!! Warning: short read while loading the AOF file {name}!!!" in caplog.messages
    assert f"!!! Truncating the AOF {name} at offset {len(sets(b'a'))} !!!" in caplog.messages
    assert f"AOF {name} loaded anyway because aof-load-truncated is enabled" in caplog.messages


@pytest.mark.parametrize("inside", [b"", sets(b"b"), sets(b"b")[:-3]])
def test_an_open_transaction_is_cut_off(world, caplog, inside):
    make_log(world.disk, i1=sets(b"a") + encode_command([b"MULTI"]) + inside)
    load_aof(world)
    assert set(world.contents()) == {(0, b"a")}
    assert world.disk.contents(DIRECTORY + "appendonly.aof.1.incr.aof") == sets(b"a")
    text = "Revert incomplete MULTI/EXEC transaction in AOF file appendonly.aof.1.incr.aof"
    assert (text in caplog.messages) == (inside in (b"", sets(b"b")))


def test_a_cut_tail_where_that_is_not_allowed(world, caplog):
    world.settings.aof_load_truncated = False
    data = sets(b"a", b"b")[:-1]
    make_log(world.disk, i1=data)
    with pytest.raises(FatalError):
        load_aof(world)
    assert "Unexpected end of file reading the append only file appendonly.aof.1.incr.aof" in caplog.messages[-1]
    assert world.disk.contents(DIRECTORY + "appendonly.aof.1.incr.aof") == data


def test_a_tail_that_cannot_be_cut_off(world):
    make_log(world.disk, i1=sets(b"a")[:-1])
    world.disk.fail("truncate")
    with pytest.raises(FatalError):
        load_aof(world)


def test_only_the_last_file_may_be_cut(world, caplog):
    make_log(world.disk, i1=sets(b"a")[:-1], i2=sets(b"b"))
    with pytest.raises(FatalError):
        load_aof(world)
    assert caplog.messages[-1] == "Fatal error: the truncated file is not the last file"


def test_a_missing_file(world, caplog):
    make_log(world.disk, i1=sets(b"a"), i2=sets(b"b"))
    world.disk.unlink(DIRECTORY + "appendonly.aof.1.incr.aof")
    with pytest.raises(FatalError):
        load_aof(world)
    assert caplog.messages == [
        "Unable to obtain the AOF file appendonly.aof.1.incr.aof length. stat: No such file or directory"
    ]


def test_bad_format(world, caplog):
    make_log(world.disk, i1=sets(b"a") + b"garbage" + sets(b"b"))
    with pytest.raises(FatalError):
        load_aof(world)
    assert caplog.messages[-1] == (
        "Bad file format reading the append only file appendonly.aof.1.incr.aof: make a backup of your AOF file, then "
        "use ./redis-check-aof --fix <filename.manifest>"
    )


def test_an_unknown_command(world, caplog):
    make_log(world.disk, i1=encode_command([b"NOSUCH", b"x"]))
    with pytest.raises(FatalError):
        load_aof(world)
    assert caplog.messages == ["Unknown command 'NOSUCH' reading the append only file appendonly.aof.1.incr.aof"]


@pytest.mark.parametrize("change", [lambda data: data[:-4], lambda data: data[:-1] + b"\0", lambda data: data[:7]])
def test_a_broken_base(world, caplog, change):
    """A base is never cut off: there would be nothing left of the dataset."""
    make_log(world.disk, base=change(rdb((0, b"a", b"1" * 50, -1))), i1=sets(b"b"))
    with pytest.raises(FatalError):
        load_aof(world)
    assert caplog.messages[-1] == "Error reading the RDB base file appendonly.aof.1.base.rdb, AOF loading aborted"


def test_an_old_style_log_with_preamble(world, caplog):
    world.disk.put("appendonly.aof", rdb((0, b"a", b"1", -1)) + sets(b"b"))
    world.log.upgrade_old_style()
    load_aof(world)
    assert set(world.contents()) == {(0, b"a"), (0, b"b")}
    assert "Reading RDB preamble from AOF file..." in caplog.messages
    assert "Reading the remaining AOF tail..." in caplog.messages


def test_abstract_load():
    with pytest.raises(NotImplementedError):
        DatasetLoad().step(0)
    with pytest.raises(NotImplementedError):
        DatasetLoad().close()


# --- Beside redis-server


def redis_client(port):
    import redis

    return redis.Redis(port=port)


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_logs_that_redis_made(make_world, redis_server, tmp_path, preamble):
    """A base, increments from two runs, transactions, expiry, several databases, timestamps."""
    options = ("--appendonly", "yes", "--aof-use-rdb-preamble", preamble, "--aof-timestamp-enabled", "yes")
    process, port = redis_server(tmp_path, *options)
    client = redis_client(port)
    client.set("k", "v")
    client.hset("h", mapping={f"f{i}": i for i in range(200)})
    client.set("e", "x", px=10**9)
    client.execute_command("BGREWRITEAOF")
    while client.info("persistence")["aof_rewrite_in_progress"]:
        pass
    with client.pipeline(transaction=True) as pipeline:
        pipeline.set("m1", "1").set("m2", "2").delete("k")
        pipeline.execute()
    expected_expire = client.pexpiretime("e")
    process.kill()
    process.wait()
    world = make_world()
    load_aof(world)
    assert world.contents() == {
        (0, b"h"): ({b"f%d" % i: b"%d" % i for i in range(200)}, None),
        (0, b"e"): (b"x", expected_expire),
        (0, b"m1"): (b"1", None),
        (0, b"m2"): (b"2", None),
    }


@pytest.mark.parametrize("preamble", [True, False])
def test_redis_loads_our_log(make_world, redis_server, tmp_path, preamble):
    import shutil
    import subprocess

    world = make_world(appendonly=True, aof_use_rdb_preamble=preamble, aof_timestamp_enabled=True).fill()
    world.persistence.open_log()
    world.log.append(sets(b"appended"))
    assert world.persistence.start_rewrite()
    world.set(b"appended", b"v")
    world.log.append(encode_command([b"SELECT", b"3"]) + sets(b"later"))
    world.set(b"later", b"v", dbid=3)
    assert world.finish_child() == 0
    world.log.append(encode_command([b"SELECT", b"0"]) + sets(b"appended"))
    world.log.finish()
    world.log.remove_garbage()
    manifest = os.path.join("appendonlydir", "appendonly.aof.manifest")
    checked = subprocess.run([shutil.which("redis-check-aof"), manifest], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    assert b"All AOF files and manifest are valid" in checked.stdout
    _, port = redis_server(tmp_path, "--appendonly", "yes")
    found = {}
    for dbid in (0, 3):
        client = redis_client(port)
        client.select(dbid)
        for key in client.scan_iter():
            value = client.get(key) if client.type(key) == b"string" else client.hgetall(key)
            at = client.pexpiretime(key)
            found[dbid, key] = (value, None if at == -1 else at)
    assert found == world.contents()
