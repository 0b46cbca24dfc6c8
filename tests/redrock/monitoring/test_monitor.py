import re
import time

import pytest

from redrock.clients.client import IS_SCRIPT, Client
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.monitor import Monitors
from redrock.util.random import RandomSource


def make_client(number: int) -> Client:
    return Client(number, None, Keyspace(1, RandomSource(1), KeyspaceListener(), ColdRows()).databases[0], 0)


@pytest.mark.parametrize("source", ["tcp", "unix", "script"])
def test_a_line_per_command(source: str) -> None:
    to_send: list[Client] = []
    monitors = Monitors(to_send)
    watching, running = make_client(1), make_client(2)
    monitors.add(watching)
    monitors.add(watching)
    running.address = b"127.0.0.1:50000"
    if source == "unix":
        running.address = b"/run/redis:0.sock:0"
        running.is_unix_socket = True
    elif source == "script":
        running.set(IS_SCRIPT)
    monitors.show(3, running, [b"set", b'k"1', b"\x00\n"])
    monitors.show(3, running, [b"ping"])
    lines = watching.output.writer.getvalue().split(b"\r\n")
    assert len(lines) == 3
    shown = re.fullmatch(rb'\+(\d+)\.\d{6} \[3 ([^\]]+)\] "set" "k\\"1" "\\x00\\n"', lines[0])
    assert shown
    assert abs(int(shown[1]) - time.time()) < 60
    assert shown[2] == {"tcp": b"127.0.0.1:50000", "unix": b"unix:/run/redis:0.sock", "script": b"lua"}[source]
    # Its output is sent with this pass, though it has sent nothing itself.
    assert to_send == [watching]


def test_the_hot_path_asks_whether_there_is_any() -> None:
    monitors = Monitors([])
    one, other = make_client(1), make_client(2)
    seen = [monitors.any]
    for change, client in (
        (monitors.add, one),
        (monitors.add, other),
        (monitors.remove, one),
        (monitors.remove, one),
        (monitors.remove, other),
    ):
        change(client)
        seen.append(monitors.any)
    assert seen == [False, True, True, True, True, False]
