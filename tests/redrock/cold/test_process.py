"""Starting and ending the store process, and what it says when it cannot start."""

import os
import signal
from pathlib import Path

import pytest

from redrock.cold import directory
from redrock.cold.link import StoreLost, StoreStartError
from redrock.cold.process import SocketLink, StoreProcess


def test_it_ends_with_its_socket_and_leaves_no_rows(tmp_path: Path) -> None:
    process = StoreProcess(str(tmp_path / "rock"))
    link = process.launch()
    pid = process.pid
    assert pid > 0
    assert "CURRENT" in os.listdir(tmp_path / "rock")
    link.close()
    process.stop()
    assert process.pid == 0
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert os.listdir(tmp_path / "rock") == [directory.MARKER]


def test_signals_to_the_group_do_not_end_it(tmp_path: Path) -> None:
    process = StoreProcess(str(tmp_path / "rock"))
    link = process.launch()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(process.pid, number)
    link.send_waiting(b"\5\0\0\0\6\1\0\0\0")
    assert link.receive_waiting()
    link.close()
    process.stop()


def test_a_folder_that_is_not_ours_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(StoreStartError, match=r"letter\.txt"):
        StoreProcess(str(tmp_path)).launch()
    assert os.listdir(tmp_path) == ["letter.txt"]


def test_two_servers_cannot_share_a_folder(tmp_path: Path) -> None:
    first = StoreProcess(str(tmp_path))
    link = first.launch()
    with pytest.raises(StoreStartError, match="in use by another server"):
        StoreProcess(str(tmp_path)).launch()
    link.close()
    first.stop()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreStartError, match="cannot be used"):
        StoreProcess(str(tmp_path / "file" / "rock")).launch()


def test_a_killed_store_is_noticed(tmp_path: Path) -> None:
    process = StoreProcess(str(tmp_path))
    link = process.launch()
    assert isinstance(link, SocketLink)
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(StoreLost):
        link.receive_waiting()
    process.stop()
    link.close()


def test_a_child_lets_go_of_the_socket(tmp_path: Path) -> None:
    process = StoreProcess(str(tmp_path))
    link = process.launch()
    process.close_in_child()
    process.stop()
    assert process.pid == 0
    assert link.fileno() == -1


def test_the_store_is_small(tmp_path: Path) -> None:
    """It imports neither Trio nor the server: some 10 MB of its own."""
    process = StoreProcess(str(tmp_path))
    link = process.launch()
    maps = Path(f"/proc/{process.pid}/maps")
    if maps.exists():
        text = maps.read_text()
        assert "libleveldb" in text or "plyvel" in text
        assert "redrock_compiled" not in text
    link.close()
    process.stop()
