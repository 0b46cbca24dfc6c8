"""The manifest of an append-only log: which files make it up, in which order.

Source: Redis 7.0.15, aof.c, aofLoadManifestFromFile and getAofManifestAsString. One file per line:

  file <name> seq <number> type <b|h|i>

Keys may come in any order and unknown keys are skipped (a later version may add some); a name with unusual characters
stands in quotes, with escapes; lines that begin with ``#`` are comments. When written: the base first, then history
files (no longer needed, yet to be deleted), then increments in order.

Invariants: at most one base; sequence numbers of increments grow. Knows nothing of the disk: text in, text out.
"""

import os
from typing import Final

from persistence.aof.format import (
    FILE_BASE,
    FILE_HISTORY,
    FILE_INCREMENT,
    MANIFEST_LINE_BYTES_MAX,
    base_name,
    increment_name,
)
from redrock.util.quoting import quote, split_args

_SPACES: Final = b" \t\n\r\v\f"


class ManifestError(Exception):
    """The manifest cannot be used: the server must not start on it. ``line`` is None if the error is not in a line."""

    def __init__(self, reason: str, line_number: int = 0, line: bytes | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line_number = line_number
        self.line = line


class AofFile:
    """One row of the manifest. ``kind`` is one of the FILE_ constants."""

    def __init__(self, name: str, sequence: int, kind: bytes) -> None:
        self.name = name
        self.sequence = sequence
        self.kind = kind

    def format(self) -> bytes:
        return b"file %b seq %d type %b\n" % (_quote(os.fsencode(self.name)), self.sequence, self.kind)


class Manifest:
    """The files of one log. A change is made on a copy, which takes the old one's place once it is on the disk."""

    def __init__(self) -> None:
        self.base: AofFile | None = None
        self.history: list[AofFile] = []
        self.increments: list[AofFile] = []
        self.base_sequence = 0
        self.increment_sequence = 0

    def is_empty(self) -> bool:
        """Whether there is nothing to load."""
        return self.base is None and not self.increments

    def copy(self) -> "Manifest":
        """Independent of this one, but for the rows, which are not changed once made."""
        copy = Manifest()
        copy.base = self.base
        copy.history = list(self.history)
        copy.increments = list(self.increments)
        copy.base_sequence = self.base_sequence
        copy.increment_sequence = self.increment_sequence
        return copy

    def files_to_load(self) -> list[AofFile]:
        """Base and increments, in the order in which they are replayed."""
        return [*([self.base] if self.base else []), *self.increments]

    def add_base(self, filename: str, rdb: bool) -> str:
        """A new base, whose name is returned; the one before becomes history."""
        if self.base is not None:
            self.history.insert(0, AofFile(self.base.name, self.base.sequence, FILE_HISTORY))
        self.base_sequence += 1
        self.base = AofFile(base_name(filename, self.base_sequence, rdb), self.base_sequence, FILE_BASE)
        return self.base.name

    def adopt_base(self, name: str) -> None:
        """Take an old-style log, a single file, as the base number 1."""
        self.base = AofFile(name, 1, FILE_BASE)
        self.base_sequence = 1

    def add_increment(self, filename: str) -> str:
        """A new increment at the end, whose name is returned."""
        self.increment_sequence += 1
        row = AofFile(increment_name(filename, self.increment_sequence), self.increment_sequence, FILE_INCREMENT)
        self.increments.append(row)
        return row.name

    def retire_increments(self, keep_last: bool) -> None:
        """Increments whose commands a new base contains become history; the last is kept if it is being written."""
        keep = 1 if keep_last else 0
        count = max(len(self.increments) - keep, 0)
        for row in reversed(self.increments[:count]):
            self.history.insert(0, AofFile(row.name, row.sequence, FILE_HISTORY))
        del self.increments[:count]

    def format(self) -> bytes:
        rows = [*([self.base] if self.base else []), *self.history, *self.increments]
        return b"".join([row.format() for row in rows])


def parse_manifest(data: bytes) -> Manifest:
    """The manifest that the bytes of its file say; raises ManifestError with Redis's words."""
    manifest = Manifest()
    if not data:
        raise ManifestError("Found an empty AOF manifest")
    number = 0
    position = 0
    while position < len(data):
        end = data.find(b"\n", position, position + MANIFEST_LINE_BYTES_MAX)
        number += 1
        # A comment may be long: Redis reads it in pieces and looks at each piece anew, and so do we.
        stop = end + 1 if end >= 0 else min(position + MANIFEST_LINE_BYTES_MAX, len(data))
        line = data[position:stop]
        position = stop
        if line.startswith(b"#"):
            continue
        if end < 0:
            # Also a last line without its end: it may have been cut.
            raise ManifestError("The AOF manifest file contains too long line", number)
        line = line.strip(b" \t\r\n")
        _add_row(manifest, _parse_row(line, number), number, line)
    return manifest


def _parse_row(line: bytes, number: int) -> AofFile:
    fields = split_args(line) if line else None
    # More fields than three pairs: a later version's.
    if fields is None or len(fields) < 6 or len(fields) % 2:
        raise ManifestError("Invalid AOF manifest file format", number, line)
    name = b""
    sequence = 0
    kind = b""
    for i in range(0, len(fields), 2):
        key = fields[i].lower()
        value = fields[i + 1]
        if key == b"file":
            name = value
            if b"/" in name or b"\\" in name:
                raise ManifestError("File can't be a path, just a filename", number, line)
        elif key == b"seq":
            sequence = _leading_integer(value)
        elif key == b"type":
            kind = value[:1]
    if not name or not sequence or not kind:
        raise ManifestError("Invalid AOF manifest file format", number, line)
    return AofFile(os.fsdecode(name), sequence, kind)


def _add_row(manifest: Manifest, row: AofFile, number: int, line: bytes) -> None:
    if row.kind == FILE_BASE:
        if manifest.base is not None:
            raise ManifestError("Found duplicate base file information", number, line)
        manifest.base = row
        manifest.base_sequence = row.sequence
    elif row.kind == FILE_HISTORY:
        manifest.history.append(row)
    elif row.kind == FILE_INCREMENT:
        if row.sequence <= manifest.increment_sequence:
            raise ManifestError("Found a non-monotonic sequence number", number, line)
        manifest.increments.append(row)
        manifest.increment_sequence = row.sequence
    else:
        raise ManifestError("Unknown AOF file type", number, line)


def _leading_integer(text: bytes) -> int:
    """As C's atoll: what digits there are at the front; 0 if there are none."""
    text = text.lstrip(_SPACES)
    end = 1 if text[:1] in (b"-", b"+") else 0
    while end < len(text) and text[end : end + 1].isdigit():
        end += 1
    digits = text[:end]
    return int(digits) if digits.strip(b"+-") else 0


def _quote(name: bytes) -> bytes:
    """The name as it stands in the manifest: in quotes if it has characters that would be misread."""
    plain = all(0x20 < byte < 0x7F and byte not in b'\\"' for byte in name)
    return name if plain else quote(name)
