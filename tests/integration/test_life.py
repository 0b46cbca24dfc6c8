"""Start and end of a server: configuration, log, exit codes, signals."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redrock.resp.reply import ErrorReply

if TYPE_CHECKING:
    from tests.conftest import StartServer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_exit_code_0(start_redrock: StartServer, number: int) -> None:
    server = start_redrock()
    os.kill(server.pid, number)
    assert server.wait_ended() == 0
    assert "scheduling shutdown..." in server.log
    assert "bye bye..." in server.log


def test_sighup_is_ignored(start_redrock: StartServer) -> None:
    server = start_redrock()
    os.kill(server.pid, signal.SIGHUP)
    server.command("PING")
    assert server.process.poll() is None


def test_no_process_is_left_behind(start_redrock: StartServer, tmp_path: Path) -> None:
    server = start_redrock("--maxrockmem", "100mb", "--rockdir", str(tmp_path / "rock"))
    server.command("SET", "k", "v" * 1000)
    group = server.pid
    assert server.stop() == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(group, 0)


def test_the_log_begins_and_becomes_ready_as_redis_does(start_redrock: StartServer) -> None:
    server = start_redrock("--always-show-logo", "yes")
    assert f" PID: {server.pid}\n" in server.log
    server.wait_until(lambda: "Ready to accept connections" in server.log)


def test_a_config_file_counts_and_options_come_after_it(start_redrock: StartServer, tmp_path: Path) -> None:
    included = tmp_path / "more.conf"
    included.write_text("databases 3\n")
    file = tmp_path / "redrock.conf"
    file.write_text(f'# a comment\nmaxclients 77\ntimeout 5\nrequirepass "a secret"\ninclude {included}\n')
    server = start_redrock(str(file), "--timeout", "9")
    refused = server.command("PING")
    assert isinstance(refused, ErrorReply)
    assert refused.text == b"NOAUTH Authentication required."
    client = server.client(password="a secret", decode_responses=True)
    wanted = {"maxclients": "77", "timeout": "9", "databases": "3", "port": str(server.port)}
    for name, value in wanted.items():
        assert client.config_get(name) == {name: value}


def test_the_configuration_may_come_from_standard_input(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "redrock.cli.server", "-"],
        input=b"no-such-directive 1\n",
        capture_output=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=dict(os.environ, PYTHONPATH=os.path.abspath(os.environ.get("REDROCK_PYTHONPATH", "."))),
    )
    assert done.returncode == 1
    assert b"*** FATAL CONFIG FILE ERROR" in done.stderr
    assert b"no-such-directive" in done.stderr


def test_a_port_in_use_is_an_error_that_names_it(start_redrock: StartServer) -> None:
    first = start_redrock()
    second = start_redrock("--port", str(first.port), wait=False)
    assert second.wait_ended() == 1
    assert f"Failed listening on port {first.port} (TCP), aborting." in second.log


def test_the_pid_file_is_there_while_it_runs(start_redrock: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "redrock.pid"
    server = start_redrock("--pidfile", str(path))
    server.wait_until(path.exists)
    assert path.read_text() == f"{server.pid}\n"
    assert server.stop() == 0
    assert not path.exists()


def test_it_becomes_a_daemon(start_redrock: StartServer, tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    server = start_redrock(
        "--daemonize", "yes", "--pidfile", str(pidfile), "--logfile", str(tmp_path / "daemon.log"), wait=False
    )
    assert server.wait_ended() == 0
    try:
        answer = b""
        while answer != b"+PONG\r\n":
            time.sleep(0.02)
            with contextlib.suppress(OSError), server.connect() as connection:
                connection.sendall(b"PING\r\n")
                answer = connection.recv(100)
        assert os.getsid(int(pidfile.read_text())) == int(pidfile.read_text())
    finally:
        os.kill(int(pidfile.read_text()), signal.SIGTERM)
