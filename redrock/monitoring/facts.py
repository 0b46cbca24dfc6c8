"""What is true of this server for its whole life, and what only INFO and DEBUG want to know of it."""

import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import redrock.errors
from redrock.util.random import RandomSource

# Accounted for the server itself, beside keys, values and buffers: about what an empty redis-server uses. So a limit
# that was chosen for Redis (`maxmemory 5mb`) leaves as much room for data here.
BASE_BYTES: Final = 1024 * 1024


def _own_version() -> str:
    try:
        return version("redrock-server")
    except PackageNotFoundError:
        return "unknown"  # run from its source, not installed


class ServerFacts:
    """``run_id`` names this run: no two servers, and no two starts of one, share it."""

    def __init__(self, random: RandomSource) -> None:
        self.run_id: Final = random.hex_id()
        self.executable: Final = os.path.abspath(sys.argv[0]) if sys.argv and sys.argv[0] else ""
        self.version: Final = _own_version()
        self.compiled: Final = not redrock.errors.__file__.endswith(".py")
        self.skip_checksums = False  # DEBUG SET-SKIP-CHECKSUM-VALIDATION
