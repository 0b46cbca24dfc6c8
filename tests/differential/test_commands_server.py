"""INFO, SLOWLOG, MEMORY, DEBUG, MONITOR, TIME, SHUTDOWN and LOLWUT beside redis-server."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import pytest

from redrock.resp.encoder import encode_command, encode_reply
from redrock.resp.reply import MapReply, Reply, Status, Verbatim
from redrock.resp.reply_parser import NeedMore, ReplyParser
from redrock.util.quoting import split_args

Argv = Sequence[bytes]


class Pair(Protocol):
    """What this file needs of the fixture of that name."""

    def both(self, commands: Sequence[Argv]) -> list[tuple[bytes, bytes]]: ...

    def differences(self, commands: Sequence[Argv]) -> list[str]: ...


class Redrock(Protocol):
    socket_path: str

    def command(self, *argv: bytes | str | int) -> Reply: ...

    def wait_ended(self, seconds: float = 20) -> int: ...


class Oracle(Protocol):
    path: str

    def connect(self) -> socket.socket: ...

    def exchange(self, commands: list[list[bytes]]) -> list[Reply]: ...


def argvs(text: str) -> list[list[bytes]]:
    """Commands, separated by line ends or semicolons, quoted as for redis-cli."""
    found: list[list[bytes]] = []
    for line in text.replace(";", "\n").split("\n"):
        words = split_args(line.encode())
        assert words is not None, line
        if words:
            found.append(words)
    return found


def parsed(raw: bytes) -> Reply:
    parser = ReplyParser()
    parser.feed(raw)
    reply = parser.next_reply()
    assert not isinstance(reply, NeedMore)
    return reply


def text_of(raw: bytes) -> str:
    reply = parsed(raw)
    if isinstance(reply, Verbatim):
        reply = reply.text
    assert isinstance(reply, bytes), reply
    return reply.decode()


PREPARED: Final = """
SET s text; SET n 10; SET later v PXAT 33177117420000; HSET h a 1 b 2
"""

TABLES: Final = {
    "admin": """
        TIME x; SHUTDOWN foo; SHUTDOWN ABORT NOW; SHUTDOWN SAVE NOSAVE; SHUTDOWN ABORT; SHUTDOWN NOW FORCE ABORT
        LOLWUT VERSION x; MONITOR x; MULTI; SHUTDOWN; EXEC; MULTI; MONITOR; EXEC
    """,
    "slowlog": """
        SLOWLOG RESET; SLOWLOG GET; SLOWLOG GET 0; SLOWLOG GET -1; SLOWLOG GET -2; SLOWLOG GET x; SLOWLOG GET 1 2
        SLOWLOG LEN; SLOWLOG LEN x; SLOWLOG RESET x; SLOWLOG FOO; SLOWLOG
    """,
    "memory": """
        MEMORY USAGE nosuch; MEMORY USAGE s SAMPLES; MEMORY USAGE s SAMPLES x; MEMORY USAGE s SAMPLES -1
        MEMORY USAGE s FOO 1; MEMORY USAGE; MEMORY PURGE; MEMORY PURGE x; MEMORY FOO; MEMORY; MEMORY STATS x
        MEMORY USAGE nosuch FOO
    """,
    "debug": """
        DEBUG; DEBUG FOO; DEBUG SLEEP; DEBUG SLEEP 0; DEBUG SLEEP x; DEBUG SLEEP 0.001; DEBUG OBJECT
        DEBUG OBJECT nosuch; DEBUG DIGEST; DEBUG DIGEST x; DEBUG DIGEST-VALUE; DEBUG DIGEST-VALUE s n h nosuch later
        DEBUG ERROR; DEBUG ERROR "ERR a\\nb"; DEBUG ERROR "TRYAGAIN later"; DEBUG LOG; DEBUG LOG hello
        DEBUG SET-ACTIVE-EXPIRE; DEBUG SET-ACTIVE-EXPIRE 0; DEBUG SET-ACTIVE-EXPIRE 1; DEBUG RELOAD FOO
        DEBUG RELOAD NOSAVE FOO
        DEBUG SDSLEN nosuch; DEBUG SDSLEN n; DEBUG SDSLEN h; DEBUG HTSTATS x; DEBUG HTSTATS 99; DEBUG HTSTATS -1
        DEBUG HTSTATS; DEBUG HTSTATS-KEY nosuch; DEBUG HTSTATS-KEY h; DEBUG LISTPACK s; DEBUG LISTPACK h
        DEBUG LISTPACK nosuch; DEBUG CHANGE-REPL-ID; DEBUG CHANGE-REPL-ID x; DEBUG REPLICATE; DEBUG REPLICATE foo
        DEBUG PAUSE-CRON 0; DEBUG SET-SKIP-CHECKSUM-VALIDATION 0; DEBUG AOF-FLUSH-SLEEP 0; DEBUG STRUCTSIZE x
    """,
    "debug populate": """
        DEBUG POPULATE; DEBUG POPULATE x; DEBUG POPULATE -1; DEBUG POPULATE 5; DEBUG POPULATE 3 foo 3
        DEBUG POPULATE 3 bar 30; DEBUG POPULATE 3 bar x; DEBUG POPULATE 3 bar -1; DEBUG POPULATE 1 a 2 3; GET key:4
        GET foo:2; GET bar:0; DBSIZE; DEBUG DIGEST
    """,
    "debug protocol": """
        DEBUG PROTOCOL; DEBUG PROTOCOL foo; DEBUG PROTOCOL string; DEBUG PROTOCOL integer; DEBUG PROTOCOL double
        DEBUG PROTOCOL bignum; DEBUG PROTOCOL null; DEBUG PROTOCOL array; DEBUG PROTOCOL set; DEBUG PROTOCOL map
        DEBUG PROTOCOL verbatim; DEBUG PROTOCOL true; DEBUG PROTOCOL FALSE
    """,
    "info": """
        INFO foo; INFO modules; INFO module_list; INFO CLUSTER cluster; INFO foo bar Cluster
    """,
}


@pytest.mark.parametrize("resp", [b"2", b"3"])
@pytest.mark.parametrize("table", TABLES)
def test_table(pair: Pair, table: str, resp: bytes) -> None:
    pair.both([*argvs(PREPARED), [b"HELLO", resp]])
    assert pair.differences(argvs(TABLES[table])) == []


def test_debug_protocol_kinds_that_are_no_answers(oracle: Oracle, module_redrock: Redrock) -> None:
    oracle.connect().close()
    for kind, resp in ((b"attrib", b"2"), (b"attrib", b"3"), (b"push", b"2"), (b"push", b"3")):
        answers: list[bytes] = []
        for path in (oracle.path, module_redrock.socket_path):
            line = Line(path)
            line.send([b"HELLO", resp])
            line.send([b"DEBUG", b"PROTOCOL", kind])
            line.send([b"QUIT"])
            answers.append(line.file.read().partition(b"modules")[2])
            line.close()
        assert answers[1] == answers[0]
        assert kind == b"attrib" or resp == b"2" or b">2" in answers[0]


def test_debug_reload_and_loadaof_bring_the_dataset_back(pair: Pair) -> None:
    commands = argvs("DEBUG RELOAD; DEBUG DIGEST; PEXPIRETIME later; GET s; DEBUG RELOAD NOSAVE; DEBUG DIGEST")
    commands += argvs(
        "SET s changed; SET new v; DEBUG RELOAD NOSAVE NOFLUSH MERGE; GET s; GET new; DBSIZE; DEBUG DIGEST"
    )
    assert pair.differences(argvs(PREPARED) + commands) == []


def test_debug_loadaof(start_oracle: Callable[..., Oracle], start_redrock: Callable[..., Redrock]) -> None:
    oracle = start_oracle("--appendonly", "yes", "--enable-debug-command", "yes")
    ours = start_redrock("--appendonly", "yes")
    for argv in argvs(
        PREPARED + "; SELECT 3; INCR a; SELECT 0; DEBUG LOADAOF; DEBUG DIGEST; DBSIZE; INCR n; DEBUG LOADAOF; GET n"
    ):
        assert encode_reply(ours.command(*argv), 2) == encode_reply(oracle.exchange([argv])[0], 2), argv
    redis_lines, our_lines = [section_fields(text)["Persistence"] for text in infos(oracle, ours)]
    assert our_lines == redis_lines
    assert "aof_current_size" in our_lines


def infos(oracle: Oracle, ours: Redrock) -> tuple[str, str]:
    texts: list[str] = []
    for reply in (oracle.exchange([[b"INFO", b"everything"]])[0], ours.command("INFO", "everything")):
        assert isinstance(reply, bytes)
        texts.append(reply.decode())
    return texts[0], texts[1]


def test_debug_object(pair: Pair) -> None:
    for key in (b"s", b"n", b"h"):
        redis, ours = pair.both([*argvs(PREPARED), [b"DEBUG", b"OBJECT", key]])[-1]
        differing = re.compile(rb"at:0x[0-9a-f]+ refcount:\d+|lru:\d+|idle:\d+")
        assert differing.sub(b"", ours) == differing.sub(b"", redis)


@pytest.mark.parametrize("container", [b"SLOWLOG", b"MEMORY", b"DEBUG"])
def test_help_has_the_same_frame(pair: Pair, container: bytes) -> None:
    redis, ours = [parsed(raw) for raw in pair.both([[container, b"HELP"]])[0]]
    assert isinstance(redis, list)
    assert isinstance(ours, list)
    texts = [[line.text for line in reply if isinstance(line, Status)] for reply in (redis, ours)]
    assert texts[0][0] == texts[1][0]
    assert texts[0][-2:] == texts[1][-2:]
    # The words of the explanations are our own.
    explained = [{line for line in lines if line.startswith(b"    ")} for lines in texts]
    assert explained[0] & explained[1] == {texts[0][-1]}


# --- INFO

OURS_ALONE: Final = {"server_name", "redrock_version", "redrock_compiled", "python_version"}


def section_fields(text: str) -> dict[str, list[str]]:
    """Names of fields by section, both in their order; of what only we have, nothing."""
    sections: dict[str, list[str]] = {}
    for part in text.split("\r\n\r\n"):
        title, *lines = part.strip("\r\n").split("\r\n")
        if title and title != "# Rock":
            names = [line.split(":")[0] for line in lines]
            sections[title.removeprefix("# ")] = [name for name in names if name not in OURS_ALONE]
    return sections


UNORDERED: Final = ("Commandstats", "Latencystats")


def test_info_has_the_same_sections_and_fields(pair: Pair) -> None:
    pair.both(argvs("CONFIG RESETSTAT;" + PREPARED + "; GET h; FOO; SELECT 2; SET a 1; SELECT 0"))
    for arguments in (
        "",
        "everything",
        "all",
        "default",
        "Server Keyspace",
        "default commandstats",
        "rock replication",
    ):
        redis, ours = pair.both([[b"INFO", *arguments.encode().split()]])[0]
        expected, got = section_fields(text_of(redis)), section_fields(text_of(ours))
        assert list(got) == list(expected), arguments
        for title, names in expected.items():
            if title in UNORDERED:
                assert sorted(got[title]) == sorted(names), title
            else:
                assert got[title] == names, title


def test_info_of_a_follower_has_the_same_fields(pair: Pair) -> None:
    pair.both(argvs("REPLICAOF 127.0.0.1 1; CONFIG SET min-replicas-to-write 2"))
    redis, ours = pair.both([[b"INFO", b"replication"]])[0]
    pair.both(argvs("REPLICAOF NO ONE; CONFIG SET min-replicas-to-write 0"))
    assert section_fields(text_of(ours)) == section_fields(text_of(redis))
    kept = ("role", "master_host", "master_port", "master_link_status", "slave_", "replica_", "connected", "min_slaves")
    lines = [[line for line in text_of(raw).split("\r\n") if line.startswith(kept)] for raw in (redis, ours)]
    assert lines[1] == lines[0]


COUNTED: Final = """
SET s 1; GET s; GET s; GET nosuch; GET h; HGET s x; FOO; SET s; CONFIG FOO; INCR t; HSET h f; HSET h f v
MGET s h nosuch; SET e v PXAT 1; EXISTS e; EXISTS s; MULTI; GET h; SET s; EXEC; AUTH x; DEBUG ERROR "MYERR x"
"""


def test_counters_count_the_same(pair: Pair) -> None:
    pair.both(argvs("HSET h f v; CONFIG RESETSTAT"))
    pair.both(argvs(COUNTED))
    redis, ours = [text_of(raw) for raw in pair.both([[b"INFO", b"everything"]])[0]]
    names = (
        r"(total_error_replies|keyspace_hits|keyspace_misses|expired_keys|errorstat_\w+|rdb_changes_since_last_save):.*"
    )
    pattern = re.compile(names.replace("|rdb_changes_since_last_save", ""))
    assert [m.group() for m in pattern.finditer(ours)] == [m.group() for m in pattern.finditer(redis)]
    counts = re.compile(
        r"cmdstat_(\S+):calls=(\d+),usec=\d+,usec_per_call=[\d.]+,rejected_calls=(\d+),failed_calls=(\d+)"
    )
    assert sorted(counts.findall(ours)) == sorted(counts.findall(redis))
    keyspace = re.compile(r"db\d+:keys=\d+,expires=\d+")
    assert keyspace.findall(ours) == keyspace.findall(redis)


def test_percentiles_are_as_many_as_asked_for(pair: Pair) -> None:
    pair.both(argvs("CONFIG SET latency-tracking-info-percentiles '50 99.9 99.99 100 0'; CONFIG RESETSTAT; PING"))
    expected, got = [text_of(raw) for raw in pair.both([[b"INFO", b"latencystats"]])[0]]
    pair.both(argvs("CONFIG SET latency-tracking-info-percentiles '50 99 99.9'; CONFIG SET latency-tracking no"))
    labels = re.compile(r"p[\d.]+(?==)")
    ping = [next(line for line in text.split("\r\n") if "usec_ping" in line) for text in (expected, got)]
    assert labels.findall(ping[1]) == labels.findall(ping[0])
    redis, ours = pair.both([[b"INFO", b"latencystats"]])[0]
    pair.both(argvs("CONFIG SET latency-tracking yes"))
    assert ours == redis


# --- MEMORY, SLOWLOG


@pytest.mark.parametrize("resp", [b"2", b"3"])
def test_memory_stats_have_the_same_names(pair: Pair, resp: bytes) -> None:
    pair.both([[b"HELLO", resp], *argvs(PREPARED), *argvs("SELECT 3; SET a b; SELECT 0")])
    flat: list[list[object]] = []
    for raw in pair.both([[b"MEMORY", b"STATS"]])[0]:
        reply = parsed(raw)
        items = reply.items if isinstance(reply, MapReply) else reply
        assert isinstance(items, list)
        names: list[object] = [*items[0::2]]
        kinds: list[object] = [type(item) for item in items[1::2]]
        flat.append([*names, *kinds])
    assert flat[1] == flat[0]


def test_memory_usage_grows_with_the_value(pair: Pair) -> None:
    replies = pair.both(argvs("SET a x; MEMORY USAGE a; SETRANGE a 10000 x; MEMORY USAGE a; MEMORY USAGE a SAMPLES 0"))
    for before, after, sampled in zip(*[replies[i] for i in (1, 3, 4)], strict=True):
        assert int(after[1:-2]) > int(before[1:-2]) + 9000
        assert sampled == after


def test_slowlog_entries(pair: Pair) -> None:
    long_one = [b"SET", b"k", b"x" * 200]
    many = [b"HSET", b"h", *[b"%d" % number for number in range(60)]]
    pair.both(argvs("CLIENT SETNAME me; CONFIG SET slowlog-log-slower-than 0; SLOWLOG RESET"))
    commands = [[b"PING"], long_one, many, [b"GET", b"h"], [b"AUTH", b"user", b"secret"], [b"NOSUCH"]]
    commands += [*argvs("CONFIG SET requirepass secret; CONFIG SET requirepass ''"), [b"MULTI"], [b"PING"], [b"EXEC"]]
    pair.both(commands)
    logs: list[list[object]] = []
    for raw in pair.both([[b"SLOWLOG", b"GET", b"-1"]])[0]:
        reply = parsed(raw)
        assert isinstance(reply, list)
        entries: list[object] = []
        first = None
        for entry in reply:
            assert isinstance(entry, list)
            assert isinstance(entry[0], int)
            first = entry[0] if first is None else first
            assert abs(time.time() - float(str(entry[1]))) < 100
            assert isinstance(entry[2], int)
            entries.append((first - entry[0], entry[3], entry[5]))
        logs.append(entries)
    pair.both(argvs("CONFIG SET slowlog-max-len 3; PING; CONFIG SET slowlog-log-slower-than 10000"))
    lengths = pair.both([[b"SLOWLOG", b"LEN"]])[0]
    pair.both(argvs("CONFIG SET slowlog-max-len 128; SLOWLOG RESET"))
    assert logs[1] == logs[0]
    assert lengths == (b":3\r\n", b":3\r\n")


# --- MONITOR


class Line:
    """A connection on which lines are read."""

    def __init__(self, path: str) -> None:
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.settimeout(10)
        self.connection.connect(path)
        self.file = self.connection.makefile("rb")

    def send(self, argv: Argv) -> None:
        self.connection.sendall(encode_command(list(argv)))

    def close(self) -> None:
        self.file.close()
        self.connection.close()


@pytest.fixture
def monitors(oracle: Oracle, module_redrock: Redrock) -> Iterator[tuple[Line, Line]]:
    oracle.connect().close()
    both = (Line(oracle.path), Line(module_redrock.socket_path))
    for line in both:
        line.send([b"MONITOR"])
        assert line.file.readline() == b"+OK\r\n"
    yield both
    for line in both:
        line.close()


def test_monitor_shows_the_same_lines(pair: Pair, monitors: tuple[Line, Line]) -> None:
    pair.both(
        [
            [b"SET", b"k", b'a"b\n\x00\xff'],
            [b"CONFIG", b"GET", b"port"],
            [b"AUTH", b"secret"],
            [b"GET"],
            [b"NOSUCH", b"x"],
            [b"GET", b"k", b"k"],
            [b"SELECT", b"3"],
            [b"LPUSH", b"k", b"x"],
            [b"MULTI"],
            [b"INCR", b"n"],
            [b"EXEC"],
            [b"SELECT", b"0"],
            [b"ECHO", b"the end"],
        ]
    )
    shown: list[list[bytes]] = []
    for monitor in monitors:
        lines: list[bytes] = []
        while not lines or b"the end" not in lines[-1]:
            line = monitor.file.readline()
            assert re.match(rb"\+\d+\.\d{6} \[\d+ [^]]+\] ", line), line
            if b'"LPUSH"' not in line:
                lines.append(re.sub(rb"^\+\d+\.\d{6} \[(\d+) [^]]+\]", rb"[\1]", line))
        shown.append(lines)
    assert shown[1] == shown[0]


def test_reset_ends_monitoring(pair: Pair, monitors: tuple[Line, Line]) -> None:
    for monitor in monitors:
        monitor.send([b"RESET"])
        while (line := monitor.file.readline()) != b"+RESET\r\n":
            assert b"RESET" not in line
    pair.both([[b"ECHO", b"unseen"]])
    for monitor in monitors:
        monitor.send([b"PING"])
        assert monitor.file.readline() == b"+PONG\r\n"


# --- The rest


def test_time_is_now(pair: Pair) -> None:
    for raw in pair.both([[b"TIME"]])[0]:
        reply = parsed(raw)
        assert isinstance(reply, list)
        seconds, microseconds = reply
        assert isinstance(seconds, bytes)
        assert isinstance(microseconds, bytes)
        assert abs(time.time() - int(seconds)) < 100
        assert 0 <= int(microseconds) < 1_000_000


def test_lolwut_ends_with_the_version(pair: Pair) -> None:
    redis, ours = [text_of(raw) for raw in pair.both([[b"LOLWUT"]])[0]]
    assert ours.endswith(redis)


def test_shutdown_closes_without_an_answer(start_redrock: Callable[..., Redrock]) -> None:
    server = start_redrock()
    line = Line(server.socket_path)
    line.send([b"SHUTDOWN", b"NOSAVE"])
    assert line.file.read() == b""
    line.close()
    assert server.wait_ended() == 0


def test_debug_looks_past_memory(oracle: Oracle, start_redrock: Callable[..., Redrock]) -> None:
    """Cold values are part of the digest, as redis-server computes it, and stay cold."""
    server = start_redrock("--maxrockmem", "100mb", "--rock-min-hot-keys", "0", "--rock-min-value-size", "0")
    fill = argvs(
        "FLUSHALL; DEBUG POPULATE 300 key 200; HSET h a 1; PEXPIREAT key:7 33177117420000; SELECT 3; SET k v; SELECT 0"
    )
    oracle.exchange(fill)
    for argv in fill:
        server.command(*argv)
    server.command("ROCKALL")

    def cold_keys() -> str:
        found = re.search(r"rock_cold_keys:(\d+)", text_of(encode_reply(server.command("INFO", "rock"), 2)))
        assert found
        return found.group(1)

    before = cold_keys()
    assert int(before) >= 300
    for argv in argvs("DEBUG DIGEST; DEBUG DIGEST-VALUE key:7 h nosuch; DBSIZE"):
        assert encode_reply(server.command(*argv), 2) == encode_reply(oracle.exchange([argv])[0], 2), argv
    reply = server.command("DEBUG", "OBJECT", "key:1")
    assert isinstance(reply, Status)
    assert b"serializedlength:" in reply.text
    assert cold_keys() == before
    assert server.command("DEBUG", "RELOAD") is not None
    for argv in argvs("DEBUG DIGEST"):
        assert encode_reply(server.command(*argv), 2) == encode_reply(oracle.exchange([argv])[0], 2), argv
