"""The table of all commands: facts of every group from `facts/*.json`, handlers from the modules listed here.

This is the only list of group modules. A command that no module has a handler for is in the table all the same
(COMMAND knows it), but clients are told that it is unknown.
Source: Redis 7.0.15, server.c, lookupCommand and commandCheckExistence.
"""

import json
from pathlib import Path
from typing import Final, TypeAlias, cast, final

from redrock import errors
from redrock.commands import client, connection, hash, rock, string, string_lcs, transactions
from redrock.commands.command import (
    ACL_CATEGORY_NAMES,
    FLAG_NAMES,
    HIDDEN_FLAG_NAMES,
    MOVABLEKEYS,
    Command,
    Handler,
    legacy_key_range,
)
from redrock.commands.documentation import CommandDocs
from redrock.commands.generic import dump as generic_dump
from redrock.commands.generic import expire as generic_expire
from redrock.commands.generic import keys as generic_keys
from redrock.commands.generic import object as generic_object
from redrock.commands.generic import scan as generic_scan
from redrock.commands.key_specs import (
    BEGIN_INDEX,
    BEGIN_KEYWORD,
    FIND_KEYNUM,
    FIND_RANGE,
    KEY_FINDERS,
    KEY_FLAG_NAMES,
    KeySpec,
)
from redrock.commands.server import admin as server_admin
from redrock.commands.server import command as server_command
from redrock.commands.server import config as server_config
from redrock.commands.server import databases as server_databases
from redrock.commands.server import debug as server_debug
from redrock.commands.server import info as server_info
from redrock.commands.server import memory as server_memory
from redrock.commands.server import persistence as server_persistence
from redrock.commands.server import replication as server_replication
from redrock.commands.server import slowlog as server_slowlog

# One import and one line in GROUPS per module, in alphabetical order.
GROUPS: Final[tuple[dict[bytes, Handler], ...]] = (
    client.HANDLERS,
    connection.HANDLERS,
    generic_dump.HANDLERS,
    generic_expire.HANDLERS,
    generic_keys.HANDLERS,
    generic_object.HANDLERS,
    generic_scan.HANDLERS,
    hash.HANDLERS,
    rock.HANDLERS,
    server_admin.HANDLERS,
    server_command.HANDLERS,
    server_config.HANDLERS,
    server_databases.HANDLERS,
    server_debug.HANDLERS,
    server_info.HANDLERS,
    server_memory.HANDLERS,
    server_persistence.HANDLERS,
    server_replication.HANDLERS,
    server_slowlog.HANDLERS,
    string.HANDLERS,
    string_lcs.HANDLERS,
    transactions.HANDLERS,
)

# Commands that have key specs but never look at the value behind a key: existence, type, expiry, last use and size are
# kept in memory, and a new value does not need the old one. (SET with the option GET looks the old value up itself.)
METADATA_ONLY: Final = frozenset(
    (
        b"exists type touch del unlink rename renamenx move restore restore-asking watch "
        b"ttl pttl expiretime pexpiretime expire pexpire expireat pexpireat persist "
        b"object|encoding object|freq object|idletime object|refcount memory|usage "
        b"set setnx setex psetex mset msetnx rockevict"
    ).split()
)

# How many spellings of command names are remembered. GET, get and Get are three: clients use few, an attacker many.
SPELLINGS_MAX: Final = 2048

FactRow: TypeAlias = dict[str, object]


@final
class CommandTable:
    """Finds commands by name. Names are compared without regard to case."""

    def __init__(self, commands: dict[bytes, Command]) -> None:
        """``commands``: top-level commands by name in lower case."""
        self._commands = commands
        self._original = dict(commands)  # as before any rename-command
        self._spellings: dict[bytes, Command] = {}
        self.docs: Final = CommandDocs()

    def commands(self) -> list[Command]:
        """Top-level commands, renamed ones included, disabled ones not."""
        return list(self._commands.values())

    def everything(self) -> list[Command]:
        """Commands, each followed by its subcommands."""
        found: list[Command] = []
        for command in self._commands.values():
            found.append(command)
            if command.subcommands is not None:
                found.extend(command.subcommands.values())
        return found

    def find(self, argv: list[bytes]) -> Command | None:
        """The command or subcommand that argv calls. None: no such command, or no such subcommand of a container."""
        name = argv[0]
        command = self._spellings.get(name)
        if command is None:
            command = self._commands.get(name.lower())
            if command is None:
                return None
            if len(self._spellings) < SPELLINGS_MAX:
                self._spellings[name] = command
        subcommands = command.subcommands
        if subcommands is None or len(argv) == 1:
            return command
        return subcommands.get(argv[1].lower())

    def find_original(self, argv: list[bytes]) -> Command | None:
        """As `find`; if there is none, the command that had this name before rename-command."""
        command = self.find(argv)
        if command is None:
            command = self._original.get(argv[0].lower())
            if command is not None and command.subcommands is not None and len(argv) > 1:
                command = command.subcommands.get(argv[1].lower())
        return command

    def by_name(self, name: bytes) -> Command | None:
        """By full name, ``config|get``, as COMMAND INFO and ACL rules write it."""
        parts = name.lower().split(b"|")
        command = self._commands.get(parts[0])
        if len(parts) == 1 or command is None:
            return command
        if len(parts) > 2 or command.subcommands is None:
            return None
        return command.subcommands.get(parts[1])

    def missing_error(self, argv: list[bytes]) -> bytes:
        """What to answer when `find` gives None, or a command that is not available here."""
        command = self._commands.get(argv[0].lower())
        if command is not None and command.available and command.subcommands is not None and len(argv) > 1:
            return errors.unknown_subcommand(argv[0], argv[1])
        return errors.unknown_command(argv)

    def rename(self, old: bytes, new: bytes) -> None:
        """Directive rename-command; an empty ``new`` disables the command. ValueError says why it cannot be."""
        command = self._commands.get(old.lower())
        if command is None:
            raise ValueError("No such command in rename-command")
        if new and new.lower() in self._commands and new.lower() != old.lower():
            raise ValueError("Target command name already exists")
        del self._commands[old.lower()]
        if new:
            self._commands[new.lower()] = command
        self._spellings.clear()

    def reset_statistics(self) -> None:
        """Statistics of all commands back to 0."""
        for command in self.everything():
            command.reset_statistics()


def build_table() -> CommandTable:
    """A new table, with statistics of its own. Reads the fact files: some milliseconds."""
    commands: dict[bytes, Command] = {}
    for path in sorted((Path(__file__).parent / "facts").glob("*.json")):
        group = path.stem.replace("_", "-").encode()
        for name, row in cast("dict[str, FactRow]", json.loads(path.read_bytes())).items():
            commands[name.encode()] = _command(name.encode(), group, row)
    for command in list(commands.values()):
        container_name, bar, short_name = command.name.partition(b"|")
        if bar:
            container = commands[container_name]
            command.parent = container
            if container.subcommands is None:
                container.subcommands = {}
            container.subcommands[short_name] = command
    _bind(commands)
    return CommandTable({name: commands[name] for name in sorted(commands) if commands[name].parent is None})


def _bind(commands: dict[bytes, Command]) -> None:
    for handlers in GROUPS:
        for name, handler in handlers.items():
            command = commands[name]
            assert command.handler is None, f"two handlers for {name!r}"
            command.handler = handler
            command.available = True
            if command.parent is not None:
                command.parent.available = True


def _command(name: bytes, group: bytes, row: FactRow) -> Command:
    specs = [_key_spec(spec) for spec in cast("list[FactRow]", row.get("keys", []))]
    first, last, step, movable = legacy_key_range(specs)
    flags = _bits(FLAG_NAMES + HIDDEN_FLAG_NAMES, row["flags"])
    return Command(
        name,
        cast(int, row["arity"]),
        flags | (MOVABLEKEYS if movable else 0),
        _bits(ACL_CATEGORY_NAMES, row["acl"]),
        specs,
        first,
        last,
        step,
        [tip.encode() for tip in cast("list[str]", row.get("tips", []))],
        group,
        cast(str, row["since"]).encode(),
        name in METADATA_ONLY,
        KEY_FINDERS.get(name),
    )


def _key_spec(row: FactRow) -> KeySpec:
    spec = KeySpec(_bits(KEY_FLAG_NAMES, row["flags"]), cast(str, row.get("notes", "")).encode())
    if "index" in row:
        spec.begin_kind = BEGIN_INDEX
        spec.index = cast(int, row["index"])
    elif "keyword" in row:
        keyword, start_from = cast("list[object]", row["keyword"])
        spec.begin_kind = BEGIN_KEYWORD
        spec.keyword = cast(str, keyword).encode()
        spec.start_from = cast(int, start_from)
    if "range" in row:
        spec.find_kind = FIND_RANGE
        spec.last_key, spec.key_step, spec.limit = cast("list[int]", row["range"])
    elif "keynum" in row:
        spec.find_kind = FIND_KEYNUM
        spec.key_count_index, spec.first_key, spec.key_step = cast("list[int]", row["keynum"])
    return spec


def _bits(names: tuple[tuple[int, bytes], ...], wanted: object) -> int:
    bits = 0
    by_name = {name.decode(): bit for bit, name in names}
    for name in cast("list[str]", wanted):
        bits |= by_name[name]
    return bits
