"""Connections. Source: Redis 7.0.15, networking.c."""

from typing import Final

from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.resp.reply import PONG, Reply


def ping(ctx: Context, argv: list[bytes]) -> Reply:
    """PING [message]"""
    if len(argv) == 2:
        return argv[1]
    return PONG


HANDLERS: Final[dict[bytes, Handler]] = {
    b"ping": ping,
}
