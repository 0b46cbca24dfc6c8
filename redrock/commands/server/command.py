"""COMMAND and its subcommands: what the server's commands are and how they are called.

Source: Redis 7.0.15, server.c, addReplyCommandInfo, getKeysSubcommandImpl and the commands around them. Redis lists
commands in the random order of its hash table; here they come sorted by name.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.commands.command import ACL_CATEGORY_NAMES, FLAG_NAMES, NO_MANDATORY_KEYS, Command, Handler
from redrock.commands.help import help_reply
from redrock.commands.key_specs import (
    BEGIN_INDEX,
    BEGIN_KEYWORD,
    FIND_KEYNUM,
    FIND_RANGE,
    KEY_FLAG_NAMES,
    KeyPlace,
    KeySpec,
)
from redrock.errors import ReplyError
from redrock.resp.reply import MapReply, Reply, SetReply, Status
from redrock.util import glob

if TYPE_CHECKING:
    from redrock.commands.context import Context

_HELP: Final = (
    b"(no subcommand)",
    b"    Describe every command of this server.",
    b"COUNT",
    b"    How many commands this server has.",
    b"LIST [FILTERBY (MODULE <module-name>|ACLCAT <category>|PATTERN <pattern>)]",
    b"    Names of all commands and subcommands, or of those that the filter lets through.",
    b"INFO [<command-name> ...]",
    b"    Describe the named commands, or every command if none is named.",
    b"DOCS [<command-name> ...]",
    b"    Documentation of the named commands, or of every command if none is named.",
    b"GETKEYS <full-command>",
    b"    Which arguments of a complete command are keys.",
    b"GETKEYSANDFLAGS <full-command>",
    b"    The same, and what the command does with each key.",
)

# --- Describing a command


def _flag_set(names: Sequence[tuple[int, bytes]], bits: int, prefix: bytes = b"") -> SetReply:
    return SetReply([Status(prefix + name) for bit, name in names if bits & bit])


def _typed(kind: bytes, spec: list[Reply]) -> MapReply:
    return MapReply([b"type", kind, b"spec", MapReply(spec)])


def _key_spec_reply(spec: KeySpec) -> MapReply:
    begin = _typed(b"unknown", [])
    if spec.begin_kind == BEGIN_INDEX:
        begin = _typed(b"index", [b"index", spec.index])
    elif spec.begin_kind == BEGIN_KEYWORD:
        begin = _typed(b"keyword", [b"keyword", spec.keyword, b"startfrom", spec.start_from])
    find = _typed(b"unknown", [])
    if spec.find_kind == FIND_RANGE:
        find = _typed(b"range", [b"lastkey", spec.last_key, b"keystep", spec.key_step, b"limit", spec.limit])
    elif spec.find_kind == FIND_KEYNUM:
        numbers: list[Reply] = [b"keynumidx", spec.key_count_index, b"firstkey", spec.first_key]
        find = _typed(b"keynum", [*numbers, b"keystep", spec.key_step])
    items: list[Reply] = [b"notes", spec.notes] if spec.notes else []
    items += [b"flags", _flag_set(KEY_FLAG_NAMES, spec.flags), b"begin_search", begin, b"find_keys", find]
    return MapReply(items)


def _info_reply(command: Command | None) -> Reply:
    if command is None:
        return None
    subcommands: Reply = SetReply([])  # a set only where there are none
    if command.subcommands is not None:
        subcommands = [_info_reply(subcommand) for subcommand in command.subcommands.values()]
    return [
        command.name,
        command.arity,
        _flag_set(FLAG_NAMES, command.flags),
        command.first_key,
        command.last_key,
        command.key_step,
        _flag_set(ACL_CATEGORY_NAMES, command.acl_categories, b"@"),
        SetReply(command.tips),
        SetReply([_key_spec_reply(spec) for spec in command.key_specs]),
        subcommands,
    ]


def _all_infos(ctx: "Context") -> Reply:
    return [_info_reply(command) for command in ctx.table.commands()]


# --- The commands


def command(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND"""
    return _all_infos(ctx)


def command_count(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND COUNT"""
    return len(ctx.table.commands())


def command_info(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND INFO [command-name ...]"""
    if len(argv) == 2:
        return _all_infos(ctx)
    return [_info_reply(ctx.table.by_name(name)) for name in argv[2:]]


def command_docs(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND DOCS [command-name ...]: unknown names are left out."""
    named = ctx.table.commands() if len(argv) == 2 else [ctx.table.by_name(name) for name in argv[2:]]
    docs = ctx.table.docs
    items: list[Reply] = []
    for each in named:
        if each is not None:
            items += [each.name, docs.reply(each)]
    return MapReply(items)


def command_list(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND LIST [FILTERBY MODULE module-name | ACLCAT category | PATTERN pattern]"""
    everything = ctx.table.everything()
    if len(argv) == 2:
        return [each.name for each in everything]
    # Exactly one filter: FILTERBY must be followed by two last arguments.
    if len(argv) != 5 or argv[2].upper() != b"FILTERBY":
        raise ReplyError(errors.SYNTAX)
    kind, argument = argv[3].upper(), argv[4]
    if kind == b"MODULE":
        return []  # no modules can be loaded
    if kind == b"ACLCAT":
        wanted = sum(bit for bit, name in ACL_CATEGORY_NAMES if name == argument.lower())
        return [each.name for each in everything if each.acl_categories & wanted]
    if kind == b"PATTERN":
        return [each.name for each in everything if glob.match(argument, each.name, nocase=True)]
    raise ReplyError(errors.SYNTAX)


def _places_of_keys(ctx: "Context", call: list[bytes]) -> list[KeyPlace]:
    called = ctx.table.find(call)
    if called is None:
        raise ReplyError(errors.NO_SUCH_COMMAND_TO_INSPECT)
    if not called.has_keys():
        raise ReplyError(errors.NO_KEY_ARGUMENTS)
    if not called.accepts(len(call)):
        raise ReplyError(errors.WRONG_ARITY_TO_INSPECT)
    places = called.key_places(call)
    if not places and not called.flags & NO_MANDATORY_KEYS:
        raise ReplyError(errors.WRONG_ARGUMENTS_TO_INSPECT)
    return places


def command_getkeys(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND GETKEYS command [argument ...]"""
    call = argv[2:]
    return [call[position] for position, _flags in _places_of_keys(ctx, call)]


def command_getkeysandflags(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND GETKEYSANDFLAGS command [argument ...]"""
    call = argv[2:]
    return [[call[place], _flag_set(KEY_FLAG_NAMES, flags)] for place, flags in _places_of_keys(ctx, call)]


def command_help(ctx: "Context", argv: list[bytes]) -> Reply:
    """COMMAND HELP"""
    return help_reply(argv, _HELP)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"command": command,
    b"command|count": command_count,
    b"command|docs": command_docs,
    b"command|getkeys": command_getkeys,
    b"command|getkeysandflags": command_getkeysandflags,
    b"command|help": command_help,
    b"command|info": command_info,
    b"command|list": command_list,
}
