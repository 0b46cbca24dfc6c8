"""The append-only file's format: what its bytes mean and how its files are named.

Source: Redis 7.0.15, aof.c. An append-only *log* is a directory of files that a manifest lists in order:

  <name>.manifest           the list (see `manifest`)
  <name>.<n>.base.rdb       the dataset at some instant, as an RDB (or `.base.aof`: as commands)
  <name>.<n>.incr.aof       the commands since then, in order; several while a rewrite runs or after one failed

A file of commands is a sequence of requests in RESP (``*<argc>CRLF``, then ``$<length>CRLF<bytes>CRLF`` for each
argument), between which annotations may stand: lines that begin with ``#``, of which ``#TS:<seconds>CRLF`` says when
what follows was written. Numbers and names here reach the disk: never change them.
"""

from typing import Final

FILE_BASE: Final = b"b"
FILE_HISTORY: Final = b"h"
FILE_INCREMENT: Final = b"i"

MANIFEST_SUFFIX: Final = ".manifest"
TEMP_PREFIX: Final = "temp-"

RDB_SIGNATURE: Final = b"REDIS"

# The longest line in a file of commands, its end included: an annotation, or a count (AOF_ANNOTATION_LINE_MAX_LEN).
LINE_BYTES_MAX: Final = 1024
# The longest line of a manifest, its end included (MANIFEST_MAX_LINE).
MANIFEST_LINE_BYTES_MAX: Final = 1024

# How many items one command of a rewritten collection carries (AOF_REWRITE_ITEMS_PER_CMD).
REWRITE_ITEMS_PER_COMMAND: Final = 64


def manifest_name(filename: str) -> str:
    """``filename`` is the directive appendfilename, here and below."""
    return filename + MANIFEST_SUFFIX


def temp_manifest_name(filename: str) -> str:
    return TEMP_PREFIX + filename + MANIFEST_SUFFIX


def base_name(filename: str, sequence: int, rdb: bool) -> str:
    return f"{filename}.{sequence}.base.{'rdb' if rdb else 'aof'}"


def increment_name(filename: str, sequence: int) -> str:
    return f"{filename}.{sequence}.incr.aof"


def temp_increment_name(filename: str) -> str:
    """Where writes go while a log that has just been switched on is still without a base."""
    return f"{TEMP_PREFIX}{filename}.incr"


def temp_base_name(pid: int) -> str:
    """Where a forked child writes the new base, beside the log's directory."""
    return f"temp-rewriteaof-bg-{pid}.aof"


def timestamp_annotation(seconds: int) -> bytes:
    """``seconds`` since the epoch: when the commands that follow were written."""
    return b"#TS:%d\r\n" % seconds
