"""Commands of the group connection, CLIENT included, beside redis-server: replies, closing, lines of CLIENT LIST."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import pytest

from redrock.resp.encoder import encode_command
from redrock.resp.reply_parser import NeedMore, ReplyParser
from redrock.util.quoting import split_args

Argv = Sequence[bytes]


class Oracle(Protocol):
    path: str

    def connect(self) -> socket.socket: ...


class Redrock(Protocol):
    socket_path: str


class Both:
    """A connection to redis-server and one to a server of ours, to be sent the same."""

    def __init__(self, oracle: str, redrock: str) -> None:
        """The paths of their sockets."""
        self._paths = (oracle, redrock)
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.open()

    def open(self) -> None:
        """Another pair of connections: `pairs[-1]`."""
        connections = (socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX))
        for connection, path in zip(connections, self._paths, strict=True):
            connection.settimeout(10)
            connection.connect(path)
        self.pairs.append(connections)

    def ask(self, line: str, which: int = 0) -> tuple[bytes, bytes]:
        """The whole of what both answer to a line and an ECHO behind it, numbers that must differ taken out."""
        words = split_args(line.encode())
        assert words is not None
        request = encode_command(words) + encode_command([b"ECHO", b"the end"])
        redis, ours = [read_to_end(connection, request) for connection in self.pairs[which]]
        return normal(redis), normal(ours)

    def close(self) -> None:
        for pair in self.pairs:
            for connection in pair:
                connection.close()


END: Final = b"$7\r\nthe end\r\n"


def read_to_end(connection: socket.socket, request: bytes) -> bytes:
    """What comes for two commands, or up to the end of the connection."""
    answer = b""
    parser = ReplyParser()
    replies = 0
    try:
        connection.sendall(request)
        while replies < 2:
            data = connection.recv(1 << 16)
            if not data:
                return answer + b"(closed)"
            answer += data
            parser.feed(data)
            while not isinstance(parser.next_reply(), NeedMore):
                replies += 1
    except ConnectionError:
        return answer + b"(closed)"
    return answer


def normal(answer: bytes) -> bytes:
    """Without what differs between two servers: ids, addresses, sizes of buffers, ages, and so lengths of texts."""
    answer = re.sub(rb"(\$2\r\nid\r\n):\d+", rb"\1:N", answer)
    answer = re.sub(rb"\b(id|addr|laddr|fd|age|idle|qbuf-free|rbs|rbp|tot-mem)=[^ ]+", rb"\1=*", answer)
    return re.sub(rb"[$=]\d+\r\n(txt:)?(id=)", rb"\1\2", answer)


@pytest.fixture
def both(oracle: Oracle, module_redrock: Redrock) -> Iterator[Both]:
    oracle.connect().close()  # it may still be starting
    pair = Both(oracle.path, module_redrock.socket_path)
    yield pair
    pair.close()


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().split("\n")]


TABLE: Final = """
PING
PING a
PING a b
ECHO x
ECHO
ECHO x y
AUTH x
AUTH default x
AUTH u x
AUTH a b c
AUTH
HELLO
HELLO 2
HELLO 3
HELLO
HELLO 4
HELLO 1
HELLO x
HELLO 99999999999999999999
HELLO 2 SETNAME a
CLIENT GETNAME
HELLO 3 SETNAME b FOO
HELLO 3 SETNAME "b c"
HELLO 3 SETNAME
HELLO 3 "fo\\r\\no"
HELLO 3 AUTH default
HELLO 3 AUTH default x SETNAME c
HELLO 2 AUTH u x
HELLO AUTH default x
CLIENT GETNAME
CLIENT SETNAME foo
CLIENT GETNAME
CLIENT SETNAME "a b"
CLIENT SETNAME "a\\x7f"
CLIENT SETNAME ""
CLIENT GETNAME
CLIENT SETNAME a b
CLIENT SETNAME foo
CLIENT INFO
CLIENT INFO x
CLIENT LIST TYPE x
CLIENT LIST TYPE "x\\ny"
CLIENT LIST TYPE replica
CLIENT LIST TYPE pubsub
CLIENT LIST TYPE
CLIENT LIST FOO
CLIENT LIST FOO x
CLIENT LIST ID
CLIENT LIST ID 99999999
CLIENT LIST ID x
CLIENT LIST ID 1 x
CLIENT LIST TYPE normal x
CLIENT KILL
CLIENT KILL a
CLIENT KILL ID
CLIENT KILL ID 0
CLIENT KILL ID -1
CLIENT KILL ID x
CLIENT KILL ID 99999999
CLIENT KILL ID 1 2
CLIENT KILL TYPE foo
CLIENT KILL TYPE master
CLIENT KILL TYPE slave
CLIENT KILL USER foo
CLIENT KILL SKIPME foo
CLIENT KILL SKIPME yes FOO
CLIENT KILL FOO bar
CLIENT KILL ADDR x LADDR y USER default SKIPME yes
CLIENT FOO
CLIENT
CLIENT UNBLOCK 99999999
CLIENT UNBLOCK x
CLIENT UNBLOCK 99999999 foo
CLIENT UNBLOCK 99999999 error
CLIENT UNBLOCK 99999999 timeout
CLIENT UNBLOCK 1 error x
CLIENT UNBLOCK
CLIENT PAUSE 0
CLIENT PAUSE x
CLIENT PAUSE -1
CLIENT PAUSE 1 foo
CLIENT PAUSE x foo
CLIENT PAUSE 1 foo x
CLIENT UNPAUSE
CLIENT UNPAUSE x
CLIENT NO-EVICT on
CLIENT INFO
CLIENT NO-EVICT foo
CLIENT NO-EVICT off
CLIENT REPLY foo
CLIENT REPLY on
CLIENT REPLY
SELECT 1
CLIENT INFO
SELECT 16
SELECT -1
SELECT x
SELECT 99999999999
SELECT 9999999999999999999999
SELECT
SELECT 0
RESET
RESET x
QUIT x
PING
"""


def test_replies(both: Both) -> None:
    for line in lines(TABLE):
        redis, ours = both.ask(line)
        assert ours == redis, line


def test_replies_in_resp3(both: Both) -> None:
    for line in [
        "HELLO 3",
        "CLIENT INFO",
        "CLIENT GETNAME",
        "PING x",
        "CLIENT LIST TYPE master",
        "RESET",
        "CLIENT INFO",
    ]:
        redis, ours = both.ask(line)
        assert ours == redis, line


def test_help_has_the_same_frame(both: Both) -> None:
    redis, ours = both.ask("CLIENT HELP")
    for wanted in (lambda text: text.split(b"\r\n")[1], lambda text: text.split(b"\r\n")[-5:]):
        assert wanted(ours) == wanted(redis)


def test_quit_answers_and_closes(both: Both) -> None:
    redis, ours = both.ask("QUIT")
    assert ours == redis
    assert redis.startswith(b"+OK\r\n")
    assert END not in ours


def test_no_replies_until_they_are_switched_on(both: Both) -> None:
    silent = [[b"CLIENT", b"REPLY", b"OFF"], [b"PING"], [b"CLIENT", b"REPLY", b"SKIP"], [b"NOSUCH"]]
    for connection in both.pairs[0]:
        connection.sendall(b"".join([encode_command(argv) for argv in silent]))
    redis, ours = both.ask("CLIENT REPLY ON")
    assert ours == redis == b"+OK\r\n" + END


def test_one_reply_is_skipped(both: Both) -> None:
    skipped = [[b"CLIENT", b"REPLY", b"SKIP"], [b"ECHO", b"skipped"]]
    for connection in both.pairs[0]:
        connection.sendall(b"".join([encode_command(argv) for argv in skipped]))
    redis, ours = both.ask("ECHO shown")
    assert ours == redis == b"$5\r\nshown\r\n" + END


def test_transactions_and_reset(both: Both) -> None:
    for line in [
        "MULTI",
        "CLIENT INFO",
        "SELECT 3",
        "HELLO 3",
        "AUTH x",
        "RESET",
        "CLIENT INFO",
        "EXEC",
        "MULTI",
        "QUIT",
    ]:
        redis, ours = both.ask(line)
        assert ours == redis, line


def ids(both: Both, which: int) -> list[bytes]:
    """The ids of a pair's connections: redis-server's and ours."""
    found: list[bytes] = []
    for connection in both.pairs[which]:
        answer = read_to_end(connection, encode_command([b"CLIENT", b"ID"]) + encode_command([b"ECHO", b"the end"]))
        found.append(answer.split(b"\r\n")[0][1:])
    return found


def each(both: Both, make: Callable[[bytes], Argv], victims: list[bytes]) -> list[bytes]:
    """What the first connections get for a command with the id of the other server's victim in it."""
    answers: list[bytes] = []
    for connection, victim in zip(both.pairs[0], victims, strict=True):
        request = encode_command(list(make(victim))) + encode_command([b"ECHO", b"the end"])
        answers.append(normal(read_to_end(connection, request)))
    return answers


def test_kill_by_id(both: Both) -> None:
    both.open()
    victims = ids(both, 1)
    redis, ours = each(both, lambda victim: [b"CLIENT", b"KILL", b"ID", victim], victims)
    assert ours == redis == b":1\r\n" + END
    for connection in both.pairs[1]:
        connection.settimeout(5)
        assert connection.recv(100) == b""
    redis, ours = each(both, lambda victim: [b"CLIENT", b"LIST", b"ID", victim], victims)
    assert ours == redis == b"$0\r\n\r\n" + END


def test_kill_oneself(both: Both) -> None:
    victims = ids(both, 0)
    redis, ours = each(both, lambda victim: [b"CLIENT", b"KILL", b"ID", victim], victims)
    assert ours == redis == b":0\r\n" + END  # SKIPME yes
    redis, ours = each(both, lambda victim: [b"CLIENT", b"KILL", b"ID", victim, b"SKIPME", b"no"], victims)
    assert ours == redis
    assert ours.startswith(b":1\r\n")
    assert END not in ours


def test_list_by_id_keeps_the_order_asked_for(both: Both) -> None:
    both.open()
    first, second = ids(both, 0), ids(both, 1)
    answers = [
        read_to_end(
            connection, encode_command([b"CLIENT", b"LIST", b"ID", b, a]) + encode_command([b"ECHO", b"the end"])
        )
        for connection, a, b in zip(both.pairs[0], first, second, strict=True)
    ]
    for answer, a, b in zip(answers, first, second, strict=True):
        assert re.findall(rb"id=(\d+)", answer) == [b, a]


def test_every_line_of_client_list_has_the_same_fields(both: Both) -> None:
    redis, ours = both.ask("CLIENT LIST")
    fields = [re.findall(rb" ?([a-z-]+)=", line) for line in redis.split(b"\n") if line.startswith(b"id=")]
    our_fields = [re.findall(rb" ?([a-z-]+)=", line) for line in ours.split(b"\n") if line.startswith(b"id=")]
    assert our_fields[0] == fields[0]
    assert all(line == fields[0] for line in our_fields)


# --- Pauses


def test_writes_wait_for_the_end_of_a_pause(both: Both) -> None:
    both.open()
    both.ask("CLIENT PAUSE 100000 WRITE")
    assert both.ask("GET paused", 1) == (b"$-1\r\n" + END,) * 2
    for connection in both.pairs[1]:
        connection.sendall(encode_command([b"INCR", b"paused"]) + encode_command([b"ECHO", b"the end"]))
    time.sleep(0.05)
    assert all(b"blocked_clients:1\r\n" in answer for answer in both.ask("INFO clients"))
    redis, ours = both.ask("CLIENT LIST")
    assert (redis.count(b" flags=bU "), ours.count(b" flags=bU ")) == (1, 1)
    redis, ours = both.ask("CLIENT UNPAUSE")
    assert ours == redis
    for connection in both.pairs[1]:
        assert read_to_end(connection, b"") == b":1\r\n" + END
    both.ask("DEL paused")


def test_everything_waits_for_its_time(both: Both) -> None:
    started = time.monotonic()
    redis, ours = both.ask("CLIENT PAUSE 300")  # what is sent behind it waits already
    assert ours == redis == b"+OK\r\n" + END
    assert time.monotonic() - started > 0.2


# --- Passwords


LOCKED: Final = """
PING
CONFIG GET *
FOO
HELLO
HELLO 3
HELLO 3 SETNAME x
HELLO 3 AUTH default wrong
AUTH wrong
AUTH default wrong
AUTH u sesame
AUTH ""
CLIENT GETNAME
AUTH sesame
CLIENT GETNAME
RESET
PING
HELLO 2 AUTH default sesame
PING
CLIENT INFO
AUTH wrong
PING
"""


def test_passwords(start_oracle: Callable[..., Oracle], start_redrock: Callable[..., Redrock]) -> None:
    oracle = start_oracle("--requirepass", "sesame")
    oracle.connect().close()
    both = Both(oracle.path, start_redrock("--requirepass", "sesame").socket_path)
    try:
        for line in lines(LOCKED):
            redis, ours = both.ask(line)
            assert ours == redis, line
    finally:
        both.close()


def test_a_password_set_while_connections_are_open(
    start_oracle: Callable[..., Oracle], start_redrock: Callable[..., Redrock]
) -> None:
    oracle = start_oracle()
    oracle.connect().close()
    both = Both(oracle.path, start_redrock().socket_path)
    try:
        both.open()
        for which, line in [
            (0, "CONFIG SET requirepass sesame"),
            (0, "PING"),  # who was there already, stays
            (1, "PING"),
            (1, "RESET"),
            (1, "PING"),
            (1, "AUTH sesame"),
            (1, "RESET"),
            (0, 'CONFIG SET requirepass ""'),
            (1, "PING"),
            (1, "AUTH sesame"),
        ]:
            redis, ours = both.ask(line, which)
            assert ours == redis, (which, line)
    finally:
        both.close()
