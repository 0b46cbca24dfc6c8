import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from redrock.server.log import VERBOSE, RedisFormatter, logger, set_level, start_logging

LINE = str(os.getpid()) + r":(\w) (\d\d) (\w{3}) (\d{4}) (\d\d:\d\d:\d\d)\.(\d{3}) (.) (.*)"


@pytest.fixture(autouse=True)
def logger_as_before() -> Iterator[None]:
    handlers, propagate, level = list(logger.handlers), logger.propagate, logger.level
    yield
    for handler in logger.handlers:
        if handler not in handlers:
            handler.close()
    logger.handlers[:] = handlers
    logger.propagate = propagate
    logger.setLevel(level)


@pytest.mark.parametrize(
    ("level", "mark"),
    [
        (logging.DEBUG, "."),
        (VERBOSE, "-"),
        (logging.INFO, "*"),
        (logging.WARNING, "#"),
        (logging.ERROR, "#"),
        (logging.CRITICAL, "#"),
    ],
)
def test_a_line(level: int, mark: str) -> None:
    formatter = RedisFormatter()
    record = logging.LogRecord("redrock", level, "file", 1, "DB saved in %d ms", (7,), None)
    record.created = 1_700_000_000.0
    record.msecs = 12.7
    line = re.fullmatch(LINE, formatter.format(record))
    assert line
    assert line.groups()[:1] == ("M",)
    assert line.group(3, 4) == ("Nov", "2023")
    assert line.group(6, 7, 8) == ("012", mark, "DB saved in 7 ms")
    formatter.role = "S"
    assert f"{os.getpid()}:S " in formatter.format(record)


def test_a_traceback_follows_its_line() -> None:
    try:
        raise ValueError("reason")
    except ValueError as error:
        record = logging.LogRecord(
            "redrock", logging.CRITICAL, "file", 1, "failed", (), (ValueError, error, error.__traceback__)
        )
    first, *rest = RedisFormatter().format(record).splitlines()
    assert first.endswith(" # failed")
    assert rest[0] == "Traceback (most recent call last):"
    assert rest[-1] == "ValueError: reason"


def written(path: Path) -> list[str]:
    return [line.rsplit(" ", 1)[1] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("loglevel", "expected"),
    [
        ("debug", ["debug", "verbose", "notice", "warning"]),
        ("verbose", ["verbose", "notice", "warning"]),
        ("notice", ["notice", "warning"]),
        ("warning", ["warning"]),
    ],
)
def test_levels(tmp_path: Path, loglevel: str, expected: list[str]) -> None:
    path = tmp_path / "log"
    start_logging(str(path), "warning")
    set_level(loglevel)
    logger.debug("debug")
    logger.log(VERBOSE, "verbose")
    logger.info("notice")
    logger.warning("warning")
    assert written(path) == expected


def test_a_log_that_was_moved_away_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    start_logging(str(path), "notice")
    logger.warning("before")
    path.rename(tmp_path / "old")
    logger.warning("after")
    assert (written(tmp_path / "old"), written(path)) == (["before"], ["after"])


def test_a_log_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        start_logging(str(tmp_path / "nowhere" / "log"), "notice")


def test_without_a_file_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    formatter = start_logging("", "notice")
    formatter.role = "S"
    logger.warning("hello")
    assert re.fullmatch(LINE, capsys.readouterr().out.strip())
    # Starting again replaces the handler.
    start_logging("", "notice")
    assert len(logger.handlers) == 1
