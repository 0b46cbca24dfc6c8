"""What the process becomes around the server: a daemon, the holder of a pid file, a service that systemd watches.

Source: Redis 7.0.15, server.c (daemonize, createPidFile, redisIsSupervised, redisCommunicateSystemd, finishShutdown).
"""

import contextlib
import logging
import os
import socket
import sys
from typing import Final

from redrock.config.settings import Settings

logger: Final = logging.getLogger("redrock")

# Where Redis puts the pid file of a daemon that was not told a place.
_PIDFILE_OF_DAEMON: Final = "/var/run/redis.pid"


def is_supervised(settings: Settings) -> bool:
    """Whether upstart or systemd watches this process; then it does not become a daemon."""
    mode = settings.supervised
    return (mode in ("auto", "systemd") and "NOTIFY_SOCKET" in os.environ) or (
        mode in ("auto", "upstart") and "UPSTART_JOB" in os.environ
    )


def become_daemon(settings: Settings) -> None:
    """With `daemonize yes`: go on in a child, in a session of its own, and end the parent with exit code 0.

    Before any thread is started, and before the log is opened. Standard streams lead nowhere from then on.
    """
    if not settings.daemonize or is_supervised(settings):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    if os.fork():
        os._exit(0)
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    if nowhere > 2:
        os.close(nowhere)


def write_pidfile(settings: Settings) -> None:
    """As Redis, go on without one if it cannot be written."""
    path = _pidfile(settings)
    if path:
        with contextlib.suppress(OSError), open(path, "w", encoding="ascii") as file:
            file.write(f"{os.getpid()}\n")


def remove_files(settings: Settings) -> None:
    """Take away what tells others of this process, at a regular end: the pid file and the unix socket."""
    path = _pidfile(settings)
    if path:
        logger.info("Removing the pid file.")
        with contextlib.suppress(OSError):
            os.unlink(path)
    if settings.unixsocket:
        logger.info("Removing the unix socket file.")
        with contextlib.suppress(OSError):
            os.unlink(settings.unixsocket)


def tell_supervisor(settings: Settings, text: str) -> None:
    """Tell systemd how things are, such as ``READY=1``; nobody may be listening."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path or settings.supervised not in ("auto", "systemd"):
        return
    # A name that begins with @ is in the abstract namespace.
    address = "\0" + path[1:] if path.startswith("@") else path
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
        connection.sendto(text.encode(), address)


def _pidfile(settings: Settings) -> str:
    if settings.pidfile or not settings.daemonize:
        return settings.pidfile
    return _PIDFILE_OF_DAEMON
