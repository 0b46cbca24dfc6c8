"""Configuration: names, defaults, refusals, command line and rewritten files beside those of redis-server 7.0.15."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from redrock.cli.server import configure
from redrock.config.directives import DIRECTIVES, HIDDEN, IMMUTABLE, OWN, PROTECTED
from redrock.config.file import ConfigLineError
from redrock.config.rewrite import rewritten
from redrock.config.settings import Settings
from redrock.errors import ReplyError
from redrock.resp.reply import ErrorReply, Reply, Status


class Oracle(Protocol):
    """What this file needs of the fixture of that name."""

    def exchange(self, commands: list[list[bytes]]) -> list[Reply]:
        """Replies to the commands."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings in the test's own directory, without moving the process there."""
    return settings_in(tmp_path)


def settings_in(folder: Path) -> Settings:
    """As redis-server has them that is started in ``folder``."""
    made = Settings(lambda path: os.stat(path) and None)
    made.dir = os.path.realpath(folder)
    return made


def as_dict(reply: Reply) -> dict[bytes, bytes]:
    """The reply of CONFIG GET."""
    assert isinstance(reply, list)
    assert all(isinstance(item, bytes) for item in reply)
    return dict(zip(reply[::2], reply[1::2], strict=True))  # type: ignore[arg-type]


def redis_says(oracle: Oracle, *commands: list[bytes]) -> list[Reply]:
    """Replies, errors as their text."""
    return [plain(reply) for reply in oracle.exchange(list(commands))]


def plain(reply: Reply) -> Reply:
    """What can be compared: the text of errors and of statuses."""
    return reply.text if isinstance(reply, (ErrorReply, Status)) else reply


def we_say(settings: Settings, words: list[bytes]) -> bytes:
    """What CONFIG SET answers."""
    try:
        settings.set_many(list(zip(words[::2], words[1::2], strict=True)))
    except ReplyError as error:
        return error.text
    return b"OK"


# --- Names and defaults

# Given by the fixture, or of the place where it runs.
SET_BY_FIXTURE = {b"port", b"unixsocket", b"save", b"dir"}


def test_names_and_defaults(start_oracle: Callable[..., Oracle], settings: Settings) -> None:
    oracle = start_oracle()
    theirs = as_dict(oracle.exchange([[b"CONFIG", b"GET", b"*"]])[0])
    ours = dict(settings.matching([b"*"]))
    own = {directive.name.encode() for directive in DIRECTIVES if directive.flags & OWN}
    assert set(ours) - own == set(theirs)
    assert {name: ours[name] for name in theirs if name not in SET_BY_FIXTURE} == {
        name: value for name, value in theirs.items() if name not in SET_BY_FIXTURE
    }
    assert ours[b"port"] == b"6379"
    assert ours[b"unixsocket"] == b""
    assert ours[b"save"] == b"3600 1 300 100 60 10000"


def test_hidden_directives(start_oracle: Callable[..., Oracle], settings: Settings) -> None:
    hidden = [directive.name.encode() for directive in DIRECTIVES if directive.flags & HIDDEN]
    command = [b"CONFIG", b"GET", *hidden, b"watchdog-perio*"]
    assert as_dict(start_oracle().exchange([command])[0]) == dict(settings.matching(command[2:]))
    assert len(hidden) == 5


@pytest.mark.parametrize(
    "patterns", ["PORTx", "HZ hz Hz", "max*s MAXCLIENTS", "hz nosuch", "*-PRIORITY", "h[yz]", "sav\\e"]
)
def test_patterns(oracle: Oracle, settings: Settings, patterns: str) -> None:
    command = [b"CONFIG", b"GET", *patterns.encode().split()]
    theirs = as_dict(oracle.exchange([command])[0])
    ours = dict(settings.matching(command[2:]))
    if "HZ" in patterns or "CLIENTS" in patterns:
        # Redis walks a hash table; which spelling comes first is chance where a pattern and a name mean the same.
        assert {name.lower() for name in theirs} == {name.lower() for name in ours}
    else:
        own = {directive.name.encode() for directive in DIRECTIVES if directive.flags & OWN}
        assert theirs == {name: value for name, value in ours.items() if name not in own}


# --- CONFIG SET

# Setting these would move the oracle out of reach, end our connection, or needs rights that a test has not.
LEFT_ALONE = {
    b"bind",
    b"client-output-buffer-limit",
    b"maxclients",
    b"maxmemory-clients",
    b"oom-score-adj",
    b"oom-score-adj-values",
    b"port",
    b"requirepass",
    b"timeout",
    b"tls-port",
    b"watchdog-period",
    b"appendonly",
    b"key-load-delay",
}
TEXTS = [
    b"",
    b"0",
    b"1",
    b"-1",
    b"-100",
    b"+1",
    b" 1",
    b"1 ",
    b"01",
    b"7",
    b"100",
    b"501",
    b"65536",
    b"2147483648",
    b"4294967296",
    b"9223372036854775807",
    b"9223372036854775808",
    b"18446744073709551615",
    b"99999999999999999999999",
    b"99999999999gb",
    b"1kb",
    b"2Mb",
    b"3m",
    b"1tb",
    b"kb",
    b"5%",
    b"-5%",
    b"101%",
    b"yes",
    b"NO",
    b"yes please",
    b"default",
    b"allkeys-lru",
    b"SAVE nosave",
    b"now force now",
    b"now  force",
    b"a/b",
    b"a\\b",
    b"a b",
    b"a\nb",
    b"\xff\xfe",
    b"a\0b",
    b"1\x002",
    b"KEA",
    b"nmd",
    b"1 2",
    b"1 2 3",
    b"1  2 3",
    b"60 1 0 1",
    b"50 99.9",
    b"50 101",
    b"1e2",
    b"0x10",
    b"nan",
    b"{title} {port}",
    b"{nosuch}",
    b"{{x",
]


@pytest.mark.parametrize("text", TEXTS)
def test_one_text_for_every_directive(oracle: Oracle, text: bytes) -> None:
    ours = Settings(lambda path: None)
    names = [
        directive.name.encode()
        for directive in DIRECTIVES
        if not directive.flags & (OWN | IMMUTABLE | PROTECTED)
        and directive.name.encode() not in LEFT_ALONE
        and not directive.name.startswith("tls-")
    ]
    assert len(names) > 100
    commands: list[list[bytes]] = []
    for name in names:
        before = ours.get(name)
        assert before is not None
        commands += [
            [b"CONFIG", b"SET", name, before],
            [b"CONFIG", b"SET", name, text],
            [b"CONFIG", b"GET", name],
            [b"CONFIG", b"SET", name, before],
        ]
    replies = redis_says(oracle, *commands)
    theirs = dict(zip(names, zip(replies[1::4], replies[2::4], strict=True), strict=True))
    for name in names:
        answer = we_say(ours, [name, text])
        assert (answer, [name, ours.get(name)]) == theirs[name], name


@pytest.mark.parametrize(
    "words",
    [
        [b"nosuch", b"1"],
        [b"NoSuch\r\nx", b"1"],
        [b"hz", b"20", b"nosuch", b"1"],
        [b"nosuch", b"1", b"databases", b"1"],
        [b"Databases", b"1", b"nosuch", b"1"],
        [b"daemonize", b"maybe"],
        [b"dir", b"/"],
        [b"DIR", b"/", b"dbfilename", b"x"],
        [b"dbfilename", b"x"],
        [b"hz", b"20", b"HZ", b"30"],
        [b"hz", b"20", b"hz", b"x"],
        [b"HZ", b"x"],
        [b"Slave-Priority", b"x"],
        [b"slave-priority", b"20", b"replica-priority", b"30"],
        [b"slave-priority", b"20", b"replica-priority", b"x"],
        [b"hz", b"20", b"maxmemory-samples", b"0"],
        [b"save", b"1 1", b"maxmemory", b"1x"],
        [b"bind", b" ".join([b"127.0.0.1"] * 17)],
        [b"client-output-buffer-limit", b"normal 0 0"],
        [b"client-output-buffer-limit", b"master 0 0 0"],
        [b"client-output-buffer-limit", b"normal x 0 0"],
        [b"client-output-buffer-limit", b"normal 0 0 -1"],
        [b"client-output-buffer-limit", b""],
        [b"client-output-buffer-limit", b"Replica 1mb 2mb 3 pubsub 4 5 6"],
        [b"oom-score-adj-values", b"1 2"],
        [b"oom-score-adj-values", b"1 2 2001"],
        [b"oom-score-adj", b"maybe"],
        [b"maxclients", b"0"],
        [b"maxclients", b"4294967296"],
        [b"maxmemory-clients", b"101%"],
        [b"maxmemory-clients", b"x"],
        [b"port", b"65536"],
        [b"timeout", b"-1"],
        [b"unixsocketperm", b"700"],
        [b"cluster-announce-hostname", b"a_b"],
        [b"cluster-announce-hostname", b"a" * 256],
        [b"proc-title-template", b"{nosuch}"],
    ],
)
def test_pairs(oracle: Oracle, words: list[bytes]) -> None:
    ours = Settings(lambda path: None)
    names = sorted(
        {name.lower() for name in words[::2] if ours.get(name) is not None} - {b"dir", b"unixsocket", b"port"}
    )
    before: list[list[bytes]] = [[b"CONFIG", b"SET", name, ours.get(name) or b""] for name in names]
    after = [[b"CONFIG", b"GET", name] for name in names]
    replies = redis_says(oracle, *before, [b"CONFIG", b"SET", *words], *after, *before)
    theirs = replies[len(before) : len(before) + 1 + len(after)]
    assert [we_say(ours, words), *[[name, ours.get(name)] for name in names]] == theirs


# --- The command line and files


def run_redis(arguments: list[str], folder: Path, standard_input: bytes = b"") -> tuple[int, str]:
    """Exit code and standard error of a redis-server that is expected not to start."""
    done = subprocess.run(
        ["redis-server", *arguments], cwd=folder, input=standard_input, capture_output=True, timeout=10, check=False
    )
    return done.returncode, done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nosuch", "1"],
        ["--port"],
        ["--port", "1", "2"],
        ["--port", "x"],
        ["--port", "--hz", "1"],
        ["--port 1", "--hz", "x y"],
        ["--save", "1"],
        ["--save", "--nosuch"],
        ["--requirepass", 'a "b"\n', "--hz", "x"],
        ["--hz", "1", '--hz "1'],
        ["--", "1"],
        ["---port", "1"],
        ["--replicaof", "host"],
        ["--replicaof", "host", "70000"],
        ["--dir", "/nonexistent"],
        ["--dir", ""],
        ["--logfile", "/nonexistent/log"],
        ["--cluster-enabled", "yes", "--replicaof", "a", "1"],
        ["--unixsocketperm", "888"],
        ["--unixsocketperm", "1000"],
        ["--appendfilename", ""],
        ["--appenddirname", "a/b"],
        ["--activedefrag", "yes"],
        ["--loglevel", "loud"],
        ["--rename-command", "nosuch", "x"],
        ["--rename-command", "get", "set"],
        ["--module.x"],
        ["--sentinels", "x"],
        ["--include"],
        ["--client-output-buffer-limit", "normal", "1", "2"],
        ["--client-output-buffer-limit", "normal 1 2"],
        ["a.conf"],
        ["a.conf", "--hz", "1"],
        ["b.conf", "--hz", "x"],
    ],
)
def test_what_cannot_be_started(arguments: list[str], tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "a.conf").write_bytes(b"# first\n\nport 1\n   nosuch  'a'  \t\nhz x")
    (tmp_path / "b.conf").write_bytes(b"port 1\n")
    code, report = run_redis(arguments, tmp_path)
    assert code == 1
    if arguments[0].endswith(".conf"):
        arguments = [str(tmp_path / arguments[0]), *arguments[1:]]
    with pytest.raises(ConfigLineError) as caught:
        configure(settings, [argument.encode() for argument in arguments])
    assert caught.value.report() == report


class Redis:
    """A redis-server started with a command line of the test's choice."""

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self._process = subprocess.Popen(
            ["redis-server", *arguments, "--port", "0", "--unixsocket", "socket"], cwd=folder, stdout=subprocess.DEVNULL
        )
        self._folder = folder

    def ask(self, *words: str) -> bytes:
        """The reply as redis-cli prints it raw."""
        path = self._folder / "socket"
        for _ in range(100):
            done = subprocess.run(["redis-cli", "-s", str(path), *words], capture_output=True, timeout=10, check=False)
            if done.returncode == 0:
                return done.stdout
        raise AssertionError(done.stderr)

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(10)


@pytest.fixture
def start_redis(tmp_path: Path) -> Iterator[Callable[[list[str]], Redis]]:
    """Starts servers in the test's directory."""
    started: list[Redis] = []

    def start(arguments: list[str]) -> Redis:
        started.append(Redis(arguments, tmp_path))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--save", "", "--hz", "11"],
        ["--save", "--hz", "11"],
        ["--hz", "11", "--save"],
        ["--save", "1", "2", "--save", "3 4", "--SAVE", "5 6 7 8"],
        ["--save 1 2", "--hz 12", "--hz", "13"],
        ["--requirepass", "", "--masterauth", "--hz", "--masteruser", "a\n\"b\" 'c' \\", "--dbfilename", " "],
        ["--client-output-buffer-limit", "normal", "1gb", "2", "3", "--client-output-buffer-limit", "pubsub 1 2 3"],
        [
            "--latency-tracking-info-percentiles",
            "",
            "--notify-keyspace-events",
            "KEA",
            "--shutdown-on-sigint",
            "now force",
        ],
        ["--latency-tracking-info-percentiles", "99.990", "1", "--oom-score-adj-values", "-1", "0", "1"],
        [
            "--slave-priority",
            "1",
            "--slaveof",
            "no",
            "one",
            "--min-slaves-to-write",
            "2",
            "--list-max-ziplist-entries",
            "3",
        ],
        ["--maxmemory", "1gb", "--maxmemory-clients", "5%", "--unixsocketperm", "0700", "--hz", "9999"],
        ["--include", "x.conf", "--hz", "14"],
        ["--dir", "sub", "--include", "y.conf"],
        ["x.conf", "--include", "sub/*.conf"],
        ["x.conf", "--include", "nothing*.conf"],
    ],
)
def test_what_can(arguments: list[str], tmp_path: Path, start_redis: Callable[[list[str]], Redis]) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "x.conf").write_bytes(b'hz 7\nlogfile ""\nsave 7 7\r\nsave 8 8\n')
    (tmp_path / "sub" / "y.conf").write_bytes(b"timeout 99\nsave 9 9")
    if "sub" in arguments:
        arguments = [*arguments, "--dir", ".."]
    theirs = start_redis(arguments).ask("CONFIG", "GET", "*").split(b"\n")
    settings = settings_in(tmp_path)
    more = ["--port", "0", "--unixsocket", "socket"]
    if arguments[0].endswith(".conf"):
        arguments = [str(tmp_path / arguments[0]), *arguments[1:]]
    configure(settings, [argument.encode() for argument in [*arguments, *more]])
    for name, value in settings.matching([b"*"]):
        if name == b"masteruser" and b"\n" in value:
            assert value.split(b"\n")[0] in theirs
            continue
        if name in theirs:
            assert theirs[theirs.index(name) + 1] == value, name


def test_rewritten_files(tmp_path: Path, start_redis: Callable[[list[str]], Redis]) -> None:
    old = (
        b"# A file\n\n\n  # with comments\n\nhz 12\nslave-priority 3\nsave 1 2\nsave 3 4\nsave 5 6\n"
        b"client-output-buffer-limit slave 1mb 1mb 1\nmaxmemory 1048576\nHZ 13\nrename-command GET fetch\n"
        b"bind 127.0.0.1\nrequirepass secret\n\n\nmasterauth x\n"
        b"list-max-ziplist-entries 3\ninclude nothing*.conf\nmaxmemory-clients 5%\n# end"
    )
    path = tmp_path / "redis.conf"
    path.write_bytes(old)
    redis = start_redis(["redis.conf"])
    changes = [
        ("save", "7 8"),
        ("maxmemory", "3gb"),
        ("masterauth", ""),
        ("timeout", "77"),
        ("masteruser", 'a "b"'),
        ("notify-keyspace-events", "KEA"),
        ("shutdown-on-sigterm", "force now"),
        ("repl-backlog-size", "3000"),
    ]
    words = [word for change in changes for word in change]
    assert redis.ask("-a", "secret", "CONFIG", "SET", *words).startswith(b"OK")
    settings = settings_in(tmp_path)
    configure(settings, [os.fsencode(path), b"--port", b"0", b"--unixsocket", b"socket"])
    settings.set_many([(name.encode(), value.encode()) for name, value in changes])
    for _ in range(2):
        assert redis.ask("-a", "secret", "CONFIG", "REWRITE").startswith(b"OK")
        theirs = path.read_bytes()
        ours = rewritten(old, settings, [redis_user_line(theirs)])
        signature = b"# Generated by CONFIG REWRITE\n"
        assert ours.split(signature)[0] == theirs.split(signature)[0]
        assert sorted(ours.split(b"\n")) == sorted(theirs.split(b"\n"))
        old = theirs


def redis_user_line(text: bytes) -> bytes:
    """What stands behind `user ` in a rewritten file: users have tests of their own."""
    (line,) = [line for line in text.split(b"\n") if line.startswith(b"user ")]
    return line[5:]
