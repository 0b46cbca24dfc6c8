"""Redis's log lines: ``<pid>:<role> <day> <month> <year> <time>.<ms> <level> <message>``.

Levels of logging and their marks: DEBUG ``.`` (debug), VERBOSE ``-`` (verbose), INFO ``*`` (notice), WARNING and above
``#`` (warning). Roles: M leader, S follower, C child. Source: Redis 7.0.15, server.c, serverLogRaw.
"""

import logging
import logging.handlers
import os
import sys
import time
from typing import Final

VERBOSE: Final = 15
_LEVELS: Final = {"debug": logging.DEBUG, "verbose": VERBOSE, "notice": logging.INFO, "warning": logging.WARNING}
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

logger: Final = logging.getLogger("redrock")


class RedisFormatter(logging.Formatter):
    """``role`` is set by the server when its role changes, and in a forked child."""

    role = "M"

    def speak_as_child(self) -> None:
        self.role = "C"

    def format(self, record: logging.LogRecord) -> str:
        at = time.localtime(record.created)
        moment = (
            f"{at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year} {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
            f".{int(record.msecs):03d}"
        )
        if record.levelno >= logging.WARNING:
            mark = "#"
        elif record.levelno >= logging.INFO:
            mark = "*"
        else:
            mark = "-" if record.levelno >= VERBOSE else "."
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return f"{os.getpid()}:{self.role} {moment} {mark} {text}"


def set_level(loglevel: str) -> None:
    """Follow the directive `loglevel`."""
    logger.setLevel(_LEVELS[loglevel])


def start_logging(logfile: str, loglevel: str) -> RedisFormatter:
    """Log to the file, or to standard output if ``logfile`` is empty. Raises OSError if it cannot be opened."""
    formatter = RedisFormatter()
    # Only children that make snapshots are forked.
    os.register_at_fork(after_in_child=formatter.speak_as_child)
    handler: logging.Handler
    if logfile:
        # Reopened when it was moved away, since Redis opens its log for every line and log rotation relies on it.
        handler = logging.handlers.WatchedFileHandler(logfile)
    else:
        handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logger.handlers[:] = [handler]
    logger.propagate = False
    set_level(loglevel)
    return formatter
