"""CLIENT and its subcommands: the connections of this server, and the one that asks.

Source: Redis 7.0.15, networking.c, clientCommand. Client-side caching (TRACKING, CACHING, GETREDIR, TRACKINGINFO) is
not here.
"""

from typing import Final

from redrock import errors
from redrock.clients.client import NO_EVICT, REPLY_OFF, REPLY_SKIP, REPLY_SKIP_NEXT, Client
from redrock.clients.listing import describe, type_by_name, type_of
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.commands.help import help_reply
from redrock.errors import ReplyError
from redrock.resp.reply import NO_REPLY, OK, Reply, Verbatim
from redrock.util.numbers import parse_integer

_HELP: Final = (
    b"GETNAME",
    b"    Show the name of this connection, nil if it has none.",
    b"ID",
    b"    Show the number of this connection.",
    b"INFO",
    b"    Describe this connection.",
    b"KILL <ip:port>",
    b"    Close the connection that comes from <ip:port>.",
    b"KILL <option> <value> [<option> <value> [...]]",
    b"    Close every connection to which all of the options apply:",
    b"    * ADDR (<ip:port>|<unixsocket>:0)",
    b"      It comes from this address.",
    b"    * LADDR (<ip:port>|<unixsocket>:0)",
    b"      It goes to this address of ours.",
    b"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    b"      It is of this type.",
    b"    * USER <username>",
    b"      It has logged in as this user.",
    b"    * ID <number>",
    b"      It has this number.",
    b"    * SKIPME (YES|NO)",
    b"      Whether to leave this very connection alone (default: yes).",
    b"LIST [options ...]",
    b"    Describe the connections, one per line. Options:",
    b"    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    b"      Only those of this type.",
    b"    * ID <number> [<number> [...]]",
    b"      Only those with these numbers.",
    b"NO-EVICT (ON|OFF)",
    b"    Whether this connection is spared when buffers have to make room.",
    b"PAUSE <timeout> [WRITE|ALL]",
    b"    Let all commands, or those that write, wait for <timeout> milliseconds.",
    b"REPLY (ON|OFF|SKIP)",
    b"    Choose whether this connection gets replies at all.",
    b"SETNAME <name>",
    b"    Name this connection.",
    b"UNBLOCK <clientid> [TIMEOUT|ERROR]",
    b"    End the waiting of a blocked connection.",
    b"UNPAUSE",
    b"    End a PAUSE before its time.",
)


def set_client_name(client: Client, name: bytes) -> None:
    """An empty name takes the present one away. Raises ReplyError if CLIENT LIST could not show it as one word."""
    for byte in name:
        if byte < 33 or byte > 126:
            raise ReplyError(errors.BAD_CLIENT_NAME)
    client.name = name


# --- The connection that asks


def client_id(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT ID"""
    return ctx.client.client_id


def client_getname(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT GETNAME"""
    return ctx.client.name or None


def client_setname(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT SETNAME connection-name"""
    set_client_name(ctx.client, argv[2])
    return OK


def client_reply(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT REPLY ON | OFF | SKIP"""
    client = ctx.client
    mode = argv[2].upper()
    if mode == b"ON":
        client.gate &= ~(REPLY_OFF | REPLY_SKIP)
        return OK
    if mode == b"OFF":
        client.gate |= REPLY_OFF
    elif mode == b"SKIP":
        if not client.gate & REPLY_OFF:
            client.gate |= REPLY_SKIP_NEXT
    else:
        raise ReplyError(errors.SYNTAX)
    return NO_REPLY


def client_no_evict(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT NO-EVICT ON | OFF"""
    mode = argv[2].upper()
    if mode == b"ON":
        ctx.client.gate |= NO_EVICT
    elif mode == b"OFF":
        ctx.client.gate &= ~NO_EVICT
    else:
        raise ReplyError(errors.SYNTAX)
    return OK


# --- All connections


def _line(ctx: Context, client: Client, argv: list[bytes]) -> bytes:
    return describe(client, ctx.now_ms, argv if client is ctx.client else client.waiting_argv) + b"\n"


def client_info(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT INFO"""
    return Verbatim(_line(ctx, ctx.client, argv))


def client_list(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT LIST [TYPE NORMAL | MASTER | REPLICA | PUBSUB] [ID client-id [client-id ...]]"""
    option = b"" if len(argv) == 2 else argv[2].upper()
    if len(argv) == 4 and option == b"TYPE":
        wanted = type_by_name(argv[3])
        if wanted is None:
            raise ReplyError(errors.unknown_client_type(argv[3]))
        chosen = [client for client in ctx.clients.all() if type_of(client) == wanted]
    elif len(argv) > 3 and option == b"ID":
        chosen = []
        for text in argv[3:]:
            number = parse_integer(text)
            if number is None:
                raise ReplyError(errors.BAD_CLIENT_ID)
            client = ctx.clients.by_id(number)
            if client is not None:
                chosen.append(client)
    elif len(argv) == 2:
        chosen = ctx.clients.all()
    else:
        raise ReplyError(errors.SYNTAX)
    return Verbatim(b"".join([_line(ctx, client, argv) for client in chosen if not client.close_asap]))


class _Victims:
    """Which connections CLIENT KILL means; what is None does not matter."""

    def __init__(self) -> None:
        self.address: bytes | None = None
        self.local_address: bytes | None = None
        self.user_name: bytes | None = None
        self.type_number: int | None = None
        self.client_id: int | None = None
        self.skip_me = True

    def take(self, ctx: Context, option: bytes, value: bytes) -> None:
        """One option in upper case and its value. Raises ReplyError."""
        if option == b"ID":
            number = parse_integer(value)
            if number is None or number < 1:
                raise ReplyError(errors.CLIENT_ID_NOT_POSITIVE)
            self.client_id = number
        elif option == b"TYPE":
            self.type_number = type_by_name(value)
            if self.type_number is None:
                raise ReplyError(errors.unknown_client_type(value))
        elif option == b"ADDR":
            self.address = value
        elif option == b"LADDR":
            self.local_address = value
        elif option == b"USER":
            if value != b"default":
                raise ReplyError(errors.no_such_user(value))
            self.user_name = value
        elif option == b"SKIPME":
            answer = value.upper()
            if answer not in (b"YES", b"NO"):
                raise ReplyError(errors.SYNTAX)
            self.skip_me = answer == b"YES"
        else:
            raise ReplyError(errors.SYNTAX)

    def include(self, client: Client, me: Client) -> bool:
        """Whether ``client`` is meant; ``me`` is the one that asks."""
        if client.close_asap or (client is me and self.skip_me):
            return False
        return (
            (self.address is None or client.address == self.address)
            and (self.local_address is None or client.local_address == self.local_address)
            and (self.type_number is None or type_of(client) == self.type_number)
            and (self.client_id is None or client.client_id == self.client_id)
            and (self.user_name is None or client.user_name == self.user_name)
        )


def client_kill(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT KILL ip:port | option value [option value ...]"""
    victims = _Victims()
    old_form = len(argv) == 3
    if old_form:
        victims.address = argv[2]
        victims.skip_me = False
    else:
        at = 2
        while at < len(argv):
            if at + 1 == len(argv):
                raise ReplyError(errors.SYNTAX)
            victims.take(ctx, argv[at].upper(), argv[at + 1])
            at += 2
    killed = 0
    for client in ctx.clients.all():
        if victims.include(client, ctx.client):
            killed += 1
            if client is ctx.client:
                client.close_after_reply = True
            else:
                ctx.server.close_client(client)
    if not old_form:
        return killed
    if not killed:
        raise ReplyError(errors.NO_SUCH_CLIENT)
    return OK


def client_unblock(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT UNBLOCK client-id [TIMEOUT | ERROR]"""
    error: bytes | None = None
    if len(argv) > 4:
        raise ReplyError(errors.subcommand_syntax(argv[0], argv[1]))
    if len(argv) == 4:
        how = argv[3].upper()
        if how == b"ERROR":
            error = errors.UNBLOCKED_BY_CLIENT
        elif how != b"TIMEOUT":
            raise ReplyError(errors.UNBLOCK_REASON)
    number = parse_integer(argv[2])
    if number is None:
        raise ReplyError(errors.NOT_AN_INTEGER)
    client = ctx.clients.by_id(number)
    if client is None or not ctx.server.end_blocking(client, error):
        return 0
    return 1


def client_pause(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT PAUSE timeout [WRITE | ALL]"""
    writes_only = False
    if len(argv) > 4:
        raise ReplyError(errors.subcommand_syntax(argv[0], argv[1]))
    if len(argv) == 4:
        mode = argv[3].upper()
        if mode not in (b"WRITE", b"ALL"):
            raise ReplyError(errors.PAUSE_MODE)
        writes_only = mode == b"WRITE"
    timeout_ms = parse_integer(argv[2])
    if timeout_ms is None:
        raise ReplyError(errors.TIMEOUT_NOT_AN_INTEGER)
    if timeout_ms < 0:
        raise ReplyError(errors.TIMEOUT_NEGATIVE)
    ctx.server.pause_clients(writes_only, ctx.now_ms + timeout_ms if timeout_ms else 0)
    return OK


def client_unpause(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT UNPAUSE"""
    ctx.server.unpause_clients()
    return OK


def client_help(ctx: Context, argv: list[bytes]) -> Reply:
    """CLIENT HELP"""
    return help_reply(argv, _HELP)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"client|getname": client_getname,
    b"client|help": client_help,
    b"client|id": client_id,
    b"client|info": client_info,
    b"client|kill": client_kill,
    b"client|list": client_list,
    b"client|no-evict": client_no_evict,
    b"client|pause": client_pause,
    b"client|reply": client_reply,
    b"client|setname": client_setname,
    b"client|unblock": client_unblock,
    b"client|unpause": client_unpause,
}
