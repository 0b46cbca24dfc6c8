import io
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrock.config.settings import Settings
from redrock.server.banner import announce, show_where
from redrock.server.log import RedisFormatter, start_logging


@pytest.fixture
def formatter() -> Iterator[RedisFormatter]:
    logger = logging.getLogger("redrock")
    before = (logger.handlers[:], logger.propagate, logger.level)
    yield start_logging("", "notice")
    logger.handlers[:], logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


def test_the_picture_names_process_and_port_as_redis_does(
    formatter: RedisFormatter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings()
    settings.port = 7777
    settings.always_show_logo = True
    show_where(settings)
    printed = capsys.readouterr().out
    assert f" PID: {os.getpid()}\n" in printed
    assert " Port: 7777\n" in printed
    assert "Running in standalone mode" in printed


def test_without_a_terminal_one_line_is_enough(formatter: RedisFormatter, caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    handler = logging.getLogger("redrock").handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    settings = Settings()
    settings.port = 7777
    announce(settings, formatter)
    show_where(settings)
    lines = stream.getvalue().splitlines()
    assert lines[0].endswith("RedRock is starting oO0OoO0OoO0Oo")
    assert ":C " in lines[0]
    assert lines[-1].endswith("* Running mode=standalone, port=7777.")
    assert ":M " in lines[-1]
    assert f"pid={os.getpid()}, just started" in lines[1]


def test_the_picture_goes_into_the_log_file(formatter: RedisFormatter, tmp_path: Path) -> None:
    settings = Settings()
    settings.logfile = str(tmp_path / "log")
    settings.always_show_logo = True
    show_where(settings)
    assert f" PID: {os.getpid()}\n" in (tmp_path / "log").read_text()
