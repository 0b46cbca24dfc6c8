"""The dataset as commands: what a rewrite writes when aof-use-rdb-preamble is no.

Source: Redis 7.0.15, aof.c, rewriteAppendOnlyFileRio. For each key a command that makes it, and PEXPIREAT if it has an
expiry; a collection is made by several commands of at most REWRITE_ITEMS_PER_COMMAND items each. Sans-IO.
A new type adds a function and a branch in `write_value`.
"""

from librt.strings import BytesWriter
from mypy_extensions import i64

from persistence.aof.format import REWRITE_ITEMS_PER_COMMAND, timestamp_annotation
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import Value
from redrock.resp.encoder import write_command


class CommandWriter:
    """Makes the commands; take_output() fetches them."""

    def __init__(self) -> None:
        self._out = BytesWriter()

    def timestamp(self, now_s: int) -> None:
        """When this was written (aof-timestamp-enabled)."""
        self._out.write(timestamp_annotation(now_s))

    def select(self, dbid: i64) -> None:
        write_command(self._out, [b"SELECT", b"%d" % dbid])

    def key(self, key: bytes, value: Value, expire_at_ms: i64) -> None:
        """The commands that make a key. ``expire_at_ms`` -1: it never expires."""
        write_value(self._out, key, value)
        if expire_at_ms != -1:
            write_command(self._out, [b"PEXPIREAT", key, b"%d" % expire_at_ms])

    def pending_bytes(self) -> i64:
        return len(self._out)

    def take_output(self) -> bytes:
        data = self._out.getvalue()
        self._out = BytesWriter()
        return data


def write_value(out: BytesWriter, key: bytes, value: Value) -> None:
    """The commands that make this value. O(n)."""
    if isinstance(value, StringValue):
        write_command(out, [b"SET", key, value.as_bytes()])
    elif isinstance(value, HashValue):
        _write_in_batches(out, b"HMSET", key, value.flat(), 2)
    else:
        raise AssertionError(f"no commands are known for type {value.type_code()}")


def _write_in_batches(out: BytesWriter, name: bytes, key: bytes, elements: list[bytes], per_item: i64) -> None:
    """``name key element ...`` as often as it takes. ``per_item``: elements in an item (2: field and value)."""
    step: i64 = REWRITE_ITEMS_PER_COMMAND * per_item
    position: i64 = 0
    while position < len(elements):
        write_command(out, [name, key, *elements[position : position + step]])
        position += step
