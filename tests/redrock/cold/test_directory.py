"""rockdir: what is emptied, and above all what is not."""

import os
from pathlib import Path

import pytest

from redrock.cold import directory
from redrock.cold.directory import DirectoryError

LEVELDB_NAMES = ["CURRENT", "LOCK", "LOG", "LOG.old", "MANIFEST-000002", "000003.log", "000005.ldb", "000006.sst"]


@pytest.fixture
def claimed(tmp_path: Path):
    """Claims folders and lets them go again."""
    locks = []

    def claim(path: Path) -> None:
        locks.append(directory.claim(str(path)))

    yield claim
    for lock in locks:
        os.close(lock)


def test_a_new_folder_is_made_and_marked(tmp_path: Path, claimed) -> None:
    claimed(tmp_path / "deep" / "rock")
    assert os.listdir(tmp_path / "deep" / "rock") == [directory.MARKER]


def test_what_an_earlier_run_has_left_is_deleted(tmp_path: Path) -> None:
    os.close(directory.claim(str(tmp_path)))
    for name in LEVELDB_NAMES:
        (tmp_path / name).write_bytes(b"old")
    os.close(directory.claim(str(tmp_path)))
    assert os.listdir(tmp_path) == [directory.MARKER]


@pytest.mark.parametrize("name", ["notes.txt", "dump.rdb", "000005.ldb.bak", "MANIFEST-x", "xCURRENT"])
@pytest.mark.parametrize("marked", [True, False])
def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path, name: str, marked: bool) -> None:
    if marked:
        os.close(directory.claim(str(tmp_path)))
        (tmp_path / "CURRENT").write_bytes(b"old")
    (tmp_path / name).write_bytes(b"mine")
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(DirectoryError, match=name.replace(".", r"\.")):
        directory.claim(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == before


def test_somebody_elses_leveldb_is_refused_and_left_alone(tmp_path: Path) -> None:
    for name in LEVELDB_NAMES:
        (tmp_path / name).write_bytes(b"theirs")
    with pytest.raises(DirectoryError, match="not RedRock's"):
        directory.claim(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == sorted(LEVELDB_NAMES)


def test_a_folder_in_use_is_refused_and_left_alone(tmp_path: Path, claimed) -> None:
    claimed(tmp_path)
    (tmp_path / "CURRENT").write_bytes(b"live")
    with pytest.raises(DirectoryError, match="in use by another server"):
        directory.claim(str(tmp_path))
    assert (tmp_path / "CURRENT").read_bytes() == b"live"


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rock").write_bytes(b"a file")
    with pytest.raises(DirectoryError, match="cannot be used"):
        directory.claim(str(tmp_path / "rock"))


def test_sizes_and_room(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"123")
    assert directory.used_bytes(str(tmp_path)) == 8
    assert directory.has_room(str(tmp_path), 3 << 20)
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert not directory.has_room(str(tmp_path / "missing"), 1)
