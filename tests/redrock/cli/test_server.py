"""The entry of redrock-server, up to where the server itself begins."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from redrock.cli.server import configure, main, version_line
from redrock.config.settings import Settings


def test_version_is_one_line_like_redis(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("-v", "--version"):
        assert main([option, "--port", "x"]) == 0
        assert capsys.readouterr().out == version_line() + "\n"
    pattern = r"RedRock server v=\S+ redis_version=7\.0\.15 sha=\S+ malloc=libc bits=64 python=3\.\S+ compiled=(yes|no)"
    assert re.fullmatch(pattern, version_line())


def test_help_is_an_error_as_in_redis(capsys: pytest.CaptureFixture[str]) -> None:
    for option in ("-h", "--help"):
        assert main([option]) == 1
        assert capsys.readouterr().err.startswith("Usage: ")


def test_other_tasks_of_redis_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check-system"]) == 0
    assert main(["--test-memory", "10"]) == 1
    assert "cannot test memory" in capsys.readouterr().err


def test_options_that_count_only_in_first_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--hz", "1", "--version"]) == 1
    assert ">>> 'version'" in capsys.readouterr().err


def test_mistakes_are_reported(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--nosuch", "x"]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "\n*** FATAL CONFIG FILE ERROR (Redis 7.0.15) ***\n"
        "Reading the configuration file, at line 2\n"
        ">>> 'nosuch \"x\"'\n"
        "Bad directive or wrong number of arguments\n"
    )
    assert main([str(tmp_path / "missing")]) == 1
    captured = capsys.readouterr()
    assert captured.err == ""
    line = rf"\d+:C \d\d \w+ \d{{4}} \d\d:\d\d:\d\d\.\d{{3}} # Fatal error, can't open config file '{tmp_path}/missing'"
    assert re.match(line + ": No such file or directory\n$", captured.out)


def test_the_config_file_is_known_by_its_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.conf").write_bytes(b"port 7000\nrename-command GET fetch\nrename-command fetch get2")
    monkeypatch.chdir(tmp_path)
    settings = Settings()
    configure(settings, [b"a.conf", b"--port", b"7001"])
    assert settings.config_file == str(tmp_path / "a.conf")
    assert settings.port == 7001
    assert settings.renamed_commands == [(b"GET", b"fetch"), (b"fetch", b"get2")]


def test_renaming_what_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rename-command", "GET", "", "--rename-command", "GET", "x"]) == 1
    assert capsys.readouterr().err.endswith('>>> \'rename-command "GET" "x"\'\nNo such command in rename-command\n')


def test_standard_input() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "redrock.cli.server", "-", "--hz", "1"],
        input=b"port 1\nnosuch\n",
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.endswith(b" # Reading config from stdin\n")
    assert b"at line 2\n>>> 'nosuch'\n" in done.stderr
