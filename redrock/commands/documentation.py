"""Texts and argument trees for COMMAND DOCS: `docs/<group>.json`, read when first asked for.

Argument trees are facts of Redis 7.0.15, found by `tools/make_command_facts.py`; the texts are RedRock's own words.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias, cast, final

from redrock.commands.command import Command
from redrock.resp.reply import MapReply, Reply, SetReply, Status

DocRow: TypeAlias = dict[str, object]

_FOLDER: Final = Path(__file__).parent / "docs"


@final
class CommandDocs:
    """Documentation by full name of the command."""

    def __init__(self) -> None:
        self._rows: dict[bytes, DocRow] = {}

    def reply(self, command: Command) -> MapReply:
        """What COMMAND DOCS answers for one command, its subcommands included."""
        if not self._rows:
            for path in _FOLDER.glob("*.json"):
                for name, row in cast("dict[str, DocRow]", json.loads(path.read_bytes())).items():
                    self._rows[name.encode()] = row
        return self._command(command)

    def _command(self, command: Command) -> MapReply:
        row = self._rows.get(command.name, {})
        items: list[Reply] = []
        _add_text(items, row, "summary")
        items += [b"since", command.since, b"group", command.group]
        _add_text(items, row, "complexity")
        if "doc_flags" in row:
            items += [b"doc_flags", _flags(row["doc_flags"])]
        _add_text(items, row, "deprecated_since")
        _add_text(items, row, "replaced_by")
        if "history" in row:
            changes = cast("list[list[str]]", row["history"])
            items += [b"history", SetReply([[text.encode() for text in change] for change in changes])]
        if "arguments" in row:
            items += [b"arguments", _arguments(row["arguments"])]
        if command.subcommands is not None:
            nested: list[Reply] = []
            for subcommand in command.subcommands.values():
                nested += [subcommand.name, self._command(subcommand)]
            items += [b"subcommands", MapReply(nested)]
        return MapReply(items)


def _add_text(items: list[Reply], row: DocRow, field: str) -> None:
    if field in row:
        items += [field.encode(), cast(str, row[field]).encode()]


def _flags(names: object) -> SetReply:
    return SetReply([Status(name.encode()) for name in cast("list[str]", names)])


def _arguments(rows: object) -> Sequence[Reply]:
    replies: list[Reply] = []
    for row in cast("list[DocRow]", rows):
        items: list[Reply] = []
        _add_text(items, row, "name")
        _add_text(items, row, "type")
        if "key_spec_index" in row:
            items += [b"key_spec_index", cast(int, row["key_spec_index"])]
        for field in ("token", "summary", "since", "deprecated_since"):
            _add_text(items, row, field)
        if "flags" in row:
            items += [b"flags", _flags(row["flags"])]
        if "arguments" in row:
            items += [b"arguments", _arguments(row["arguments"])]
        replies.append(MapReply(items))
    return replies
