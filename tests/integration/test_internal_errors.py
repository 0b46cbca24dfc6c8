"""A server with two commands that have bugs: one fails before it changes anything, the other in the middle."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# Handlers are in plain dicts, so the server can be given others before its table is built, compiled or not.
PROGRAM = """
import sys
from redrock.commands import string
from redrock.datatypes.string import StringValue

def fails_at_once(ctx, argv):
    raise ZeroDivisionError("bug number one")

def fails_half_way(ctx, argv):
    ctx.db.put(b"half", StringValue(b"v"))
    raise ZeroDivisionError("bug number two")

string.HANDLERS[b"strlen"] = fails_at_once
string.HANDLERS[b"append"] = fails_half_way
from redrock.cli.server import main
sys.exit(main())
"""
ROOT = Path(__file__).resolve().parent.parent.parent


class Faulty:
    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "socket")
        self.log = folder / "log"
        self.folder = folder
        options = ["--port", "0", "--unixsocket", self.path, "--dir", str(folder), "--save", "", "--appendonly", "yes"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, *options],
                env=dict(os.environ, PYTHONPATH=str(ROOT / os.environ.get("REDROCK_PYTHONPATH", ""))),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ask(self, *commands: bytes) -> bytes:
        """The answers to all of them; the connection's end if there are none."""
        deadline = time.monotonic() + 30
        while "Ready to accept" not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(self.path)
            connection.sendall(b"".join([command + b"\r\n" for command in commands]) + b"QUIT\r\n")
            answer = b""
            try:
                while data := connection.recv(4096):
                    answer += data
            except ConnectionResetError:
                pass
            return answer


@pytest.fixture
def faulty(tmp_path: Path) -> Iterator[Faulty]:
    server = Faulty(tmp_path)
    yield server
    if server.process.poll() is None:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


def test_a_bug_before_any_change_costs_one_answer(faulty: Faulty) -> None:
    answer = faulty.ask(b"SET k v", b"STRLEN k", b"GET k", b"STRLEN k", b"PING")
    assert answer == (
        b"+OK\r\n-ERR internal error 1, see the server's log\r\n$1\r\nv\r\n"
        b"-ERR internal error 2, see the server's log\r\n+PONG\r\n+OK\r\n"
    )
    log = faulty.log.read_text()
    assert "# Internal error 1 in command strlen:" in log
    assert "ZeroDivisionError: bug number one" in log


def test_a_bug_in_the_middle_of_a_change_ends_the_server(faulty: Faulty) -> None:
    assert faulty.ask(b"SET k before") == b"+OK\r\n+OK\r\n"
    # Whatever was run in the same pass is not acknowledged.
    assert faulty.ask(b"SET k after", b"APPEND k x", b"PING") == b""
    assert faulty.process.wait(20) == 1
    log = faulty.log.read_text()
    assert "ZeroDivisionError: bug number two" in log
    assert log.count("# The server stops, since its dataset is in doubt: command append failed") == 1
    (written,) = faulty.folder.glob("appendonlydir/*.incr.aof")
    assert b"before" in written.read_bytes()
    assert b"half" not in written.read_bytes()
