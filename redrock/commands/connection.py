"""Connections: greeting, authentication, the selected database. CLIENT is in `client`.

Source: Redis 7.0.15, networking.c (helloCommand, resetCommand, quitCommand), acl.c (authCommand), server.c
(pingCommand, echoCommand), db.c (selectCommand).

There is one user, `default`, whose password is the setting `requirepass`; without one, any password will do.
"""

from hashlib import sha256
from hmac import compare_digest
from typing import Final

from redrock import errors
from redrock.clients.client import (
    IN_PUBSUB,
    IS_LEADER_LINK,
    IS_MONITOR,
    IS_REPLICA,
    NEEDS_AUTH,
    REPLY_OFF,
    REPLY_SKIP_NEXT,
    Client,
)
from redrock.commands.client import set_client_name
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.errors import ReplyError
from redrock.resp.reply import OK, PONG, MapReply, Reply, Status
from redrock.util.numbers import parse_integer

REDIS_VERSION: Final = b"7.0.15"

_DEFAULT_USER: Final = b"default"
_REDACTED: Final = b"(redacted)"
_RESET: Final = Status(b"RESET")
_INT_MIN: Final = -(2**31)
_INT_MAX: Final = 2**31 - 1


def ping(ctx: Context, argv: list[bytes]) -> Reply:
    """PING [message]"""
    if len(argv) > 2:
        raise ReplyError(errors.wrong_arity(b"ping"))
    client = ctx.client
    if client.gate & IN_PUBSUB and client.resp == 2:
        return [b"pong", b"" if len(argv) == 1 else argv[1]]
    if len(argv) == 2:
        return argv[1]
    return PONG


def echo(ctx: Context, argv: list[bytes]) -> Reply:
    """ECHO message"""
    return argv[1]


# --- Authentication


def _authenticate(ctx: Context, user_name: bytes, password: bytes) -> None:
    """The connection is the user's from now on. Raises ReplyError if the password is wrong."""
    wanted = ctx.settings.requirepass
    # Digests have one length, and comparing them takes one time: neither tells anything of the password.
    known = compare_digest(sha256(password).digest(), sha256(wanted).digest())
    if user_name != _DEFAULT_USER or (wanted and not known):
        raise ReplyError(errors.WRONGPASS)
    client = ctx.client
    client.user_name = user_name
    client.gate &= ~NEEDS_AUTH
    client.parser.authenticated = True


def auth(ctx: Context, argv: list[bytes]) -> Reply:
    """AUTH [username] password"""
    if len(argv) > 3:
        raise ReplyError(errors.SYNTAX)
    secrets = argv[1:]
    # Slow log and monitors get this very list after the command has run, whether it fails or not.
    for position in range(1, len(argv)):
        argv[position] = _REDACTED
    if len(secrets) == 2:
        _authenticate(ctx, secrets[0], secrets[1])
        return OK
    if not ctx.settings.requirepass:
        raise ReplyError(errors.AUTH_WITHOUT_PASSWORD)
    _authenticate(ctx, _DEFAULT_USER, secrets[0])
    return OK


def hello(ctx: Context, argv: list[bytes]) -> Reply:
    """HELLO [protover [AUTH username password] [SETNAME clientname]]"""
    client = ctx.client
    argc = len(argv)
    version: int | None = 0
    if argc >= 2:
        version = parse_integer(argv[1])
        if version is None:
            raise ReplyError(errors.HELLO_VERSION_NOT_AN_INTEGER)
        if version < 2 or version > 3:
            raise ReplyError(errors.NOPROTO)
    at = 2
    while at < argc:
        option = argv[at].upper()
        more = argc - 1 - at
        if option == b"AUTH" and more >= 2:
            user_name, password = argv[at + 1], argv[at + 2]
            argv[at + 1] = _REDACTED
            argv[at + 2] = _REDACTED
            _authenticate(ctx, user_name, password)
            at += 3
        elif option == b"SETNAME" and more:
            set_client_name(client, argv[at + 1])
            at += 2
        else:
            raise ReplyError(errors.hello_option(argv[at]))
    if client.gate & NEEDS_AUTH:
        raise ReplyError(errors.HELLO_NOAUTH)
    if version:
        client.resp = version
    return MapReply(
        [
            b"server",
            b"redis",
            b"version",
            REDIS_VERSION,
            b"proto",
            client.resp,
            b"id",
            client.client_id,
            b"mode",
            b"cluster" if ctx.settings.cluster_enabled else b"standalone",
            b"role",
            b"replica" if ctx.keyspace.follower else b"master",
            b"modules",
            [],
        ]
    )


# --- The rest


def select(ctx: Context, argv: list[bytes]) -> Reply:
    """SELECT index"""
    dbid = parse_integer(argv[1])
    if dbid is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    if not _INT_MIN <= dbid <= _INT_MAX:
        raise ReplyError(errors.NOT_AN_INT32)
    if ctx.settings.cluster_enabled and dbid != 0:
        raise ReplyError(errors.SELECT_IN_CLUSTER)
    ctx.client.database = ctx.database(dbid, errors.DB_INDEX_OUT_OF_RANGE)
    return OK


def quit_(ctx: Context, argv: list[bytes]) -> Reply:
    """QUIT"""
    ctx.client.close_after_reply = True
    return OK


def _unauthenticate(ctx: Context, client: Client) -> None:
    """As a new connection is: the user `default`, let in at once if it has no password."""
    client.user_name = _DEFAULT_USER
    if ctx.settings.requirepass:
        client.gate |= NEEDS_AUTH
        client.parser.authenticated = False
    else:
        client.gate &= ~NEEDS_AUTH
        client.parser.authenticated = True


def reset(ctx: Context, argv: list[bytes]) -> Reply:
    """RESET"""
    client = ctx.client
    if client.gate & IS_MONITOR:
        ctx.server.remove_monitor(client)
    if client.gate & (IS_REPLICA | IS_LEADER_LINK):
        raise ReplyError(errors.RESET_OF_REPLICA)
    client.database = ctx.keyspace.databases[0]
    client.resp = 2
    _unauthenticate(ctx, client)
    ctx.transactions.discard(client)
    client.name = b""
    client.gate &= ~(REPLY_OFF | REPLY_SKIP_NEXT)
    return _RESET


HANDLERS: Final[dict[bytes, Handler]] = {
    b"auth": auth,
    b"echo": echo,
    b"hello": hello,
    b"ping": ping,
    b"quit": quit_,
    b"reset": reset,
    b"select": select,
}
