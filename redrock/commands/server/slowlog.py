"""SLOWLOG and its subcommands. Source: Redis 7.0.15, slowlog.c."""

from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.commands.command import Handler
from redrock.commands.help import help_reply
from redrock.errors import ReplyError
from redrock.resp.reply import OK, Reply
from redrock.util.numbers import parse_integer

if TYPE_CHECKING:
    from redrock.commands.context import Context

_COUNT_DEFAULT: Final = 10
_HELP: Final = (
    b"GET [<count>]",
    b"    Show the newest <count> entries (default: 10, -1: all of them). Each is made of",
    b"    its number, the time of the call, how many microseconds it took, its arguments,",
    b"    and address and name of the client.",
    b"LEN",
    b"    Show how many entries there are.",
    b"RESET",
    b"    Forget all entries.",
)


def slowlog_get(ctx: "Context", argv: list[bytes]) -> Reply:
    """SLOWLOG GET [count]"""
    if len(argv) > 3:
        raise ReplyError(errors.subcommand_syntax(argv[0], argv[1]))
    count: int | None = _COUNT_DEFAULT
    if len(argv) == 3:
        count = parse_integer(argv[2])
        if count is None or count < -1:
            raise ReplyError(errors.SLOWLOG_COUNT)
    assert count is not None
    entries: list[Reply] = []
    for entry in ctx.slowlog.newest(count):
        arguments: list[Reply] = list(entry.argv)
        entries.append(
            [entry.entry_id, entry.at_seconds, entry.duration_us, arguments, entry.address, entry.name],
        )
    return entries


def slowlog_len(ctx: "Context", argv: list[bytes]) -> Reply:
    """SLOWLOG LEN"""
    return ctx.slowlog.length()


def slowlog_reset(ctx: "Context", argv: list[bytes]) -> Reply:
    """SLOWLOG RESET"""
    ctx.slowlog.clear()
    return OK


def slowlog_help(ctx: "Context", argv: list[bytes]) -> Reply:
    """SLOWLOG HELP"""
    return help_reply(argv, _HELP)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"slowlog|get": slowlog_get,
    b"slowlog|help": slowlog_help,
    b"slowlog|len": slowlog_len,
    b"slowlog|reset": slowlog_reset,
}
