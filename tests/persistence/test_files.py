"""The real disk, and the one in memory that stands in for it: both behave the same."""

import errno
import os

import pytest

from persistence.files import RealDisk, reason, unlink_if_there, write_whole


@pytest.fixture(params=["real", "memory"])
def disk(request, monkeypatch, tmp_path, memory_disk):
    monkeypatch.chdir(tmp_path)
    return RealDisk() if request.param == "real" else memory_disk


def read_all(disk, path):
    file = disk.open_read(path)
    data = file.read(1 << 20)
    assert file.read(10) == b""
    file.close()
    return data


def test_create_write_read(disk):
    file = disk.create("f")
    assert file.write(b"hello") == 5
    write_whole(file, b" world")
    file.fsync()
    file.close()
    file.close()
    assert read_all(disk, "f") == b"hello world"
    assert disk.file_size("f") == 11
    disk.create("f").close()
    assert read_all(disk, "f") == b""


def test_read_in_pieces(disk):
    file = disk.create("f")
    file.write(b"0123456789")
    file.close()
    reader = disk.open_read("f")
    assert reader.size() == 10
    assert [reader.read(4) for _ in range(4)] == [b"0123", b"4567", b"89", b""]
    reader.close()


def test_append_and_truncate(disk):
    for text in (b"abc", b"def"):
        file = disk.open_append("f")
        file.write(text)
        file.close()
    file = disk.open_append("f")
    file.truncate(4)
    file.write(b"X")
    file.close()
    assert read_all(disk, "f") == b"abcdX"
    disk.truncate("f", 2)
    assert read_all(disk, "f") == b"ab"


def test_rename_replaces(disk):
    for name in ("a", "b"):
        file = disk.create(name)
        file.write(name.encode())
        file.close()
    disk.rename("a", "b")
    assert not disk.exists("a")
    assert read_all(disk, "b") == b"a"
    disk.fsync_directory_of("b")


def test_directories(disk):
    assert not disk.is_directory("d")
    disk.make_directory("d")
    disk.make_directory("d")
    assert disk.is_directory("d")
    assert disk.exists("d")
    disk.create("d/f").close()
    disk.fsync_directory_of("d/f")
    assert disk.exists("d/f")
    assert not disk.is_directory("d/f")


def test_absent_files(disk):
    for call in (disk.open_read, disk.unlink, disk.file_size):
        with pytest.raises(FileNotFoundError):
            call("nothing")
    with pytest.raises(FileNotFoundError):
        disk.rename("nothing", "b")
    unlink_if_there(disk, "nothing")
    disk.create("f").close()
    disk.unlink("f")
    assert not disk.exists("f")


def test_a_file_in_the_directory_s_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        RealDisk().make_directory("d")


def test_a_short_write_is_an_error_for_write_whole(memory_disk):
    memory_disk.room = 3
    with pytest.raises(OSError) as caught:
        write_whole(memory_disk.create("f"), b"12345")
    assert caught.value.errno == errno.ENOSPC


def test_power_cut(memory_disk):
    """What the disk in memory forgets, since other tests rely on it."""
    file = memory_disk.create("f")
    file.write(b"safe")
    file.fsync()
    file.write(b" lost")
    assert not memory_disk.crash().exists("f")
    memory_disk.fsync_directory_of("f")
    assert memory_disk.crash().contents("f") == b"safe"
    memory_disk.rename("f", "g")
    assert memory_disk.crash().contents("f") == b"safe"


def test_reason():
    assert reason(OSError(errno.ENOSPC, "whatever")) == os.strerror(errno.ENOSPC)
    assert reason(OSError("plain")) == "plain"


def test_descriptors_are_not_inherited(tmp_path, monkeypatch):
    """A store process that is started later must not keep our files open."""
    monkeypatch.chdir(tmp_path)
    disk = RealDisk()
    for file in (disk.create("f"), disk.open_append("f"), disk.open_read("f")):
        assert not os.get_inheritable(file.fd)
        file.close()
