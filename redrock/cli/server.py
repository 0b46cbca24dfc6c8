"""`redrock-server`: its command line, which is redis-server's, up to the moment when the server runs.

Parsed by hand: click cannot express `--directive value ...` for directives of any name and number of values. What the
process becomes afterwards (daemon, pid file, log, signals) is the business of `redrock.server`.
Source: Redis 7.0.15, server.c (main, version, usage).
"""

import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

import redrock.errors
from redrock.config.command_line import parse_command_line
from redrock.config.file import ConfigError, ConfigOpenError, ConfigReader
from redrock.config.settings import Settings

REDIS_VERSION = "7.0.15"

_USAGE = """\
Usage: redrock-server [CONFIG-FILE] [--directive value ...] [-]
       redrock-server -                 (configuration from standard input)
       redrock-server -v or --version
       redrock-server -h or --help
       redrock-server --check-system

Options are the directives of the configuration file with two dashes in front;
they count after the file, and the last one of a name wins. For example:

       redrock-server                   (the defaults of Redis, no cold tier)
       redrock-server conf/redrock.conf
       redrock-server --port 7777 --maxrockmem 512mb
       redrock-server --port 7777 --replicaof 127.0.0.1 6379
       redrock-server /etc/redrock.conf --loglevel verbose -
       echo 'maxmemory 128mb' | redrock-server -
"""


def main(arguments: list[str] | None = None) -> int:
    """The console script. Returns the exit code; ``arguments`` are those of the process unless given."""
    words = sys.argv[1:] if arguments is None else arguments
    if words:
        special = _SPECIAL.get(words[0])
        if special is not None:
            return special()
    settings = Settings()
    if words:
        try:
            configure(settings, [os.fsencode(word) for word in words])
        except ConfigOpenError as error:
            print(_log_line(str(error)), flush=True)
            return 1
        except ConfigError as error:
            sys.stdout.flush()
            sys.stderr.write(error.report())
            return 1
    # Only now: the rest of the server is much to load, and --version and mistakes shall be answered at once.
    from redrock.server.server import run_server

    return run_server(settings)


def configure(settings: Settings, arguments: list[bytes]) -> None:
    """Set what the command line, and the files that it names, say. Raises `ConfigError`."""
    line = parse_command_line(arguments)
    if line.config_file:
        settings.config_file = os.path.abspath(line.config_file)
    standard_input = b""
    if line.from_standard_input:
        print(_log_line("Reading config from stdin"), flush=True)
        standard_input = sys.stdin.buffer.read()
    ConfigReader(settings, _rename_checker()).load(settings.config_file, standard_input, line.options)


def version_line() -> str:
    """What --version prints, formed as redis-server's line; ``compiled``: whether the modules of mypyc are in use."""
    try:
        own_version = version("redrock-server")
    except PackageNotFoundError:
        own_version = "unknown"
    compiled = "no" if redrock.errors.__file__.endswith(".py") else "yes"
    bits = 64 if sys.maxsize > 2**32 else 32
    return (
        f"RedRock server v={own_version} redis_version={REDIS_VERSION} sha=00000000:0 malloc=libc bits={bits} "
        f"python={sys.version.split()[0]} compiled={compiled}"
    )


def _print_version() -> int:
    print(version_line())
    return 0


def _print_usage() -> int:
    # Redis's exit code and stream: scripts that probe for redis-server see the same.
    sys.stderr.write(_USAGE)
    return 1


def _check_system() -> int:
    """Redis tests for kernel bugs that hurt its own allocator; scripts that ask first shall find nothing wrong."""
    print("redrock-server has no checks of the system to make.")
    return 0


def _refuse_memory_test() -> int:
    sys.stderr.write("redrock-server cannot test memory; use memtest86 or memtester.\n")
    return 1


_SPECIAL: dict[str, Callable[[], int]] = {
    "-v": _print_version,
    "--version": _print_version,
    "-h": _print_usage,
    "--help": _print_usage,
    "--check-system": _check_system,
    "--test-memory": _refuse_memory_test,
}


def _rename_checker() -> Callable[[bytes, bytes], None]:
    """Checks each `rename-command` line against those before it. The command table is only read if there is one."""
    rename: list[Callable[[bytes, bytes], None]] = []

    def check(old: bytes, new: bytes) -> None:
        if not rename:
            from redrock.commands.table import build_table

            rename.append(build_table().rename)
        rename[0](old, new)

    return check


def _log_line(text: str) -> str:
    """A line of Redis's log by a process that does not serve yet (C: it could be a child just as well)."""
    now = time.time()
    stamp = time.strftime("%d %b %Y %H:%M:%S", time.localtime(now))
    return f"{os.getpid()}:C {stamp}.{int(now * 1000) % 1000:03d} # {text}"


if __name__ == "__main__":
    sys.exit(main())
