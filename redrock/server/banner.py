"""What the log says at start, in Redis's order: which program, which version, which process, which port.

Programs that start servers (Redis's test suite among them) wait for the line with the PID, so its words are Redis's.
The picture is our own. Source: Redis 7.0.15, server.c (main, redisAsciiArt).
"""

import logging
import os
import sys
from typing import Final, Protocol

from redrock.config.settings import Settings

logger: Final = logging.getLogger("redrock")

REDIS_VERSION: Final = "7.0.15"

_PICTURE: Final = """\

         ______________
       /   hot: memory  \\
      /__________________\\        RedRock (Redis {version}) {bits} bit
      |__|____|____|__|__|
      |____|____|__|____|_|        Running in {mode} mode
      |_|____|____|____|__|        Port: {port}
      |____|__|____|____|_|        PID: {pid}
      \\ cold:    LevelDB  /
       \\________________/

"""


class _Role(Protocol):
    """The part of the log's formatter that tells who speaks."""

    role: str


def announce(settings: Settings, formatter: _Role) -> None:
    """Log what comes before the sockets are bound. ``formatter`` speaks as C until the process is a server."""
    formatter.role = "C"
    logger.warning("oO0OoO0OoO0Oo RedRock is starting oO0OoO0OoO0Oo")
    logger.warning(
        "Redis version=%s, bits=%d, commit=00000000, modified=0, pid=%d, just started",
        REDIS_VERSION,
        _bits(),
        os.getpid(),
    )
    if settings.config_file or len(sys.argv) > 1:
        logger.warning("Configuration loaded")
    else:
        logger.warning(
            "Warning: no config file specified, using the default config. "
            "In order to specify a config file use redrock-server /path/to/redrock.conf"
        )
    formatter.role = "M"
    logger.info("monotonic clock: POSIX clock_gettime")


def show_where(settings: Settings) -> None:
    """Log mode, port and PID, once the sockets are bound: who reads the PID takes it that they are."""
    mode = "cluster" if settings.cluster_enabled else "standalone"
    if settings.always_show_logo or (not settings.logfile and sys.stdout.isatty()):
        picture = _PICTURE.format(version=REDIS_VERSION, bits=_bits(), mode=mode, port=settings.port, pid=os.getpid())
        _write_raw(settings.logfile, picture)
    else:
        logger.info("Running mode=%s, port=%d.", mode, settings.port)


def _bits() -> int:
    return 64 if sys.maxsize > 2**32 else 32


def _write_raw(logfile: str, text: str) -> None:
    """Write without the stamp that begins a line of the log, where the log goes."""
    if logfile:
        with open(logfile, "a", encoding="utf-8") as log:
            log.write(text)
    else:
        sys.stdout.write(text)
        sys.stdout.flush()
