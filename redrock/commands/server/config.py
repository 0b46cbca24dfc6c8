"""CONFIG and its subcommands. The rules are in `redrock.config`; here they meet the client.

Source: Redis 7.0.15, config.c.
"""

import logging
import os
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.commands.command import Handler
from redrock.commands.help import help_reply
from redrock.config.rewrite import rewrite_config_file
from redrock.config.settings import is_sensitive
from redrock.errors import ReplyError
from redrock.resp.reply import OK, MapReply, Reply

if TYPE_CHECKING:
    from redrock.commands.context import Context

_log: Final = logging.getLogger(__name__)

_REDACTED: Final = b"(redacted)"
_HELP: Final = (
    b"GET <pattern>",
    b"    Show the directives whose names match the glob-like <pattern>, with their values.",
    b"SET <directive> <value>",
    b"    Give <directive> a new <value>, from now until the server ends.",
    b"RESETSTAT",
    b"    Start the counters that INFO shows again from zero.",
    b"REWRITE",
    b"    Write the present configuration into the configuration file.",
)


def config_get(ctx: "Context", argv: list[bytes]) -> Reply:
    """CONFIG GET pattern [pattern ...]"""
    items: list[Reply] = []
    for name, value in ctx.settings.matching(argv[2:]):
        items += (name, value)
    return MapReply(items)


def config_set(ctx: "Context", argv: list[bytes]) -> Reply:
    """CONFIG SET directive value [directive value ...]"""
    if len(argv) % 2 == 1:
        raise ReplyError(errors.SYNTAX)
    pairs = list(zip(argv[2::2], argv[3::2], strict=True))
    # The slow log gets this very list after the command has run, whether it fails or not.
    for place in range(2, len(argv), 2):
        if is_sensitive(argv[place]):
            argv[place + 1] = _REDACTED
    ctx.settings.set_many(pairs, loading=ctx.keyspace.loading, is_local=ctx.client.is_local)
    ctx.server.settings_changed()
    return OK


def config_resetstat(ctx: "Context", argv: list[bytes]) -> Reply:
    """CONFIG RESETSTAT"""
    ctx.server.reset_statistics()
    return OK


def config_rewrite(ctx: "Context", argv: list[bytes]) -> Reply:
    """CONFIG REWRITE"""
    if not ctx.settings.config_file:
        raise ReplyError(errors.CONFIG_NO_FILE)
    try:
        rewrite_config_file(ctx.settings)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        _log.warning("CONFIG REWRITE failed: %s", reason)
        raise ReplyError(errors.config_rewrite_failed(reason)) from None
    _log.warning("CONFIG REWRITE executed with success.")
    return OK


def config_help(ctx: "Context", argv: list[bytes]) -> Reply:
    """CONFIG HELP"""
    return help_reply(argv, _HELP)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"config|get": config_get,
    b"config|help": config_help,
    b"config|resetstat": config_resetstat,
    b"config|rewrite": config_rewrite,
    b"config|set": config_set,
}
