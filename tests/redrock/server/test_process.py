import os
import socket
import sys
from pathlib import Path

import pytest

from redrock.config.settings import Settings
from redrock.server.process import become_daemon, is_supervised, remove_files, tell_supervisor, write_pidfile


@pytest.fixture(autouse=True)
def nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.delenv("UPSTART_JOB", raising=False)


def test_the_pid_file_comes_and_goes(tmp_path: Path) -> None:
    settings = Settings()
    settings.pidfile = str(tmp_path / "pid")
    write_pidfile(settings)
    assert (tmp_path / "pid").read_text() == f"{os.getpid()}\n"
    remove_files(settings)
    assert list(tmp_path.iterdir()) == []


def test_a_pid_file_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    settings = Settings()
    settings.pidfile = str(tmp_path / "nowhere" / "pid")
    write_pidfile(settings)
    remove_files(settings)
    assert list(tmp_path.iterdir()) == []


def test_the_unix_socket_is_removed(tmp_path: Path) -> None:
    settings = Settings()
    settings.unixsocket = str(tmp_path / "socket")
    (tmp_path / "socket").touch()
    remove_files(settings)
    assert list(tmp_path.iterdir()) == []


def test_supervision(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = Settings()
    settings.supervised = "auto"
    assert not is_supervised(settings)
    tell_supervisor(settings, "READY=1\n")  # nobody: nothing happens
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(path))
        systemd.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        assert is_supervised(settings)
        tell_supervisor(settings, "READY=1\n")
        assert systemd.recv(100) == b"READY=1\n"
    settings.supervised = "no"
    assert not is_supervised(settings)


def test_a_daemon_goes_on_in_a_session_of_its_own(tmp_path: Path) -> None:
    """The one who called sees exit code 0 at once; the daemon leads its session, and its output goes nowhere."""
    settings = Settings()
    settings.daemonize = True
    told = tmp_path / "told"
    os.mkfifo(told)
    child = os.fork()
    if child == 0:
        become_daemon(settings)
        print("to nobody")
        sys.stdout.flush()
        with open(told, "w") as pipe:
            pipe.write(f"{os.getpid() == os.getsid(0)} {os.readlink('/proc/self/fd/1')}")
        os._exit(7)
    assert os.waitpid(child, 0)[1] == 0
    with open(told) as pipe:
        assert pipe.read() == "True /dev/null"
