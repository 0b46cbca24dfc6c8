"""The operators' tool, run as a command on files made by Redis."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from redrock.cli.operator import main
from redrock.resp.encoder import encode_command

CORPUS = Path(__file__).parents[2] / "corpus" / "rdb"
FILES = sorted(CORPUS.glob("*.rdb"))
SET = encode_command([b"SET", b"k", b"v"])


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, list(arguments))
    return result.exit_code, result.output


def test_there_are_files_to_check() -> None:
    assert FILES


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_whole_rdb(file: Path) -> None:
    code, output = run("check-rdb", str(file))
    assert code == 0
    assert "is whole" in output
    assert " keys read" in output


@pytest.mark.parametrize("cut", [1, 9, 30])
def test_a_cut_rdb(tmp_path: Path, cut: int) -> None:
    broken = tmp_path / "broken.rdb"
    broken.write_bytes(FILES[0].read_bytes()[:-cut])
    code, output = run("check-rdb", str(broken))
    assert code == 1
    assert "is broken" in output


def test_a_missing_file(tmp_path: Path) -> None:
    for command in ("check-rdb", "check-aof"):
        code, output = run(command, str(tmp_path / "none"))
        assert code == 2
        assert "cannot be read" in output


def test_a_whole_aof(tmp_path: Path) -> None:
    file = tmp_path / "a.aof"
    file.write_bytes(FILES[0].read_bytes() + SET * 3)
    code, output = run("check-aof", str(file))
    assert code == 0
    assert "3 commands" in output


def test_a_cut_aof_says_how_far_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.aof"
    file.write_bytes(SET * 2 + SET[:-3])
    code, output = run("check-aof", str(file))
    assert code == 1
    assert f"whole up to {2 * len(SET)}" in output


def test_a_broken_aof(tmp_path: Path) -> None:
    file = tmp_path / "a.aof"
    file.write_bytes(SET + b"rubbish\r\n" + SET)
    code, output = run("check-aof", str(file))
    assert code == 1
    assert "is broken" in output


def test_a_manifest_names_the_files(tmp_path: Path) -> None:
    (tmp_path / "a.1.incr.aof").write_bytes(SET)
    (tmp_path / "a.2.incr.aof").write_bytes(SET[:-1])
    manifest = tmp_path / "a.manifest"
    manifest.write_bytes(b"file a.1.incr.aof seq 1 type i\nfile a.2.incr.aof seq 2 type i\n")
    code, output = run("check-aof", str(manifest))
    assert code == 1
    assert "a.1.incr.aof: 0 keys in its RDB part, 1 commands" in output
    manifest.write_bytes(b"nonsense\n")
    assert run("check-aof", str(manifest))[0] == 1
