"""How a client is told of in CLIENT LIST and in the log, and which type it is.

Source: Redis 7.0.15, networking.c, catClientInfoString, getClientType and getClientTypeByName. Field names and their
order are Redis's; sizes are what our buffers hold: `obl` is what has been written and not yet offered to the socket,
`oll` and `omem` what the socket has not taken, in blocks of 16 KiB and in bytes.
"""

from typing import Final

from redrock.clients.client import (
    BLOCKED,
    DIRTY_CAS,
    IN_MULTI,
    IN_PUBSUB,
    IS_LEADER_LINK,
    IS_MONITOR,
    IS_REPLICA,
    NO_EVICT,
    POSTPONED,
    TRACKING,
    Client,
)

TYPE_NORMAL: Final = 0
TYPE_REPLICA: Final = 1
TYPE_PUBSUB: Final = 2
TYPE_LEADER: Final = 3

_TYPES: Final = {
    b"normal": TYPE_NORMAL,
    b"slave": TYPE_REPLICA,
    b"replica": TYPE_REPLICA,
    b"pubsub": TYPE_PUBSUB,
    b"master": TYPE_LEADER,
}
_BLOCK_BYTES: Final = 16 * 1024
_POINTER_BYTES: Final = 8


def type_by_name(name: bytes) -> int | None:
    """A word of CLIENT LIST TYPE and CLIENT KILL TYPE; None: there is no such type."""
    return _TYPES.get(name.lower())


def type_of(client: Client) -> int:
    """One of the TYPE_ constants. A monitor counts as normal."""
    if client.has(IS_LEADER_LINK):
        return TYPE_LEADER
    if client.has(IS_REPLICA):
        return TYPE_REPLICA
    if client.has(IN_PUBSUB):
        return TYPE_PUBSUB
    return TYPE_NORMAL


def flag_letters(client: Client) -> bytes:
    """The field `flags`: a letter per state, N for none."""
    letters = b""
    if client.has(IS_MONITOR):
        letters += b"O"
    elif client.has(IS_REPLICA):
        letters += b"S"
    if client.has(IS_LEADER_LINK):
        letters += b"M"
    if client.has(IN_PUBSUB):
        letters += b"P"
    if client.has(IN_MULTI):
        letters += b"x"
    if client.state in (BLOCKED, POSTPONED):
        letters += b"b"
    if client.has(TRACKING):
        letters += b"t"
    if client.has(DIRTY_CAS):
        letters += b"d"
    if client.close_after_reply:
        letters += b"c"
    if client.close_asap:
        letters += b"A"
    if client.is_unix_socket:
        letters += b"U"
    if client.has(NO_EVICT):
        letters += b"e"
    return letters or b"N"


def describe(client: Client, now_ms: int, argv: list[bytes] | None) -> bytes:
    """One line without its end. ``argv`` is the command that the client is running just now, None if it runs none."""
    transport = client.transport
    fd = -1 if transport is None else transport.fileno()
    events = b"" if transport is None else (b"rw" if client.wants_writable else b"r")
    waiting = client.parser.buffered_bytes()
    argument_bytes = 0
    vector_bytes = 0
    if argv is not None:
        # Redis keeps a request in its buffer until it has been run.
        waiting += _request_bytes(argv)
        argument_bytes = sum([len(argument) for argument in argv])
        vector_bytes = len(argv) * _POINTER_BYTES
    written = len(client.output.writer)
    unsent = client.output.size() - written
    queued_bytes = 0
    for queued in client.queued:
        queued_bytes += sum([len(argument) for argument in queued])
    return (
        b"id=%d addr=%b laddr=%b fd=%d name=%b age=%d idle=%d flags=%b db=%d sub=0 psub=0 ssub=0 multi=%d "
        b"qbuf=%d qbuf-free=0 argv-mem=%d multi-mem=%d rbs=%d rbp=%d obl=%d oll=%d omem=%d tot-mem=%d events=%b cmd=%b "
        b"user=%b redir=-1 resp=%d"
    ) % (
        client.client_id,
        client.address,
        client.local_address,
        fd,
        client.name,
        now_ms // 1000 - client.created_at_ms // 1000,
        now_ms // 1000 - client.last_interaction_ms // 1000,
        flag_letters(client),
        client.database.dbid,
        len(client.queued) if client.has(IN_MULTI) else -1,
        waiting,
        argument_bytes,
        queued_bytes,
        written,
        written,
        written,
        (unsent + _BLOCK_BYTES - 1) // _BLOCK_BYTES,
        unsent,
        client.memory_bytes() + argument_bytes + vector_bytes,
        events,
        client.last_command,
        b"(superuser)" if client.has(IS_LEADER_LINK) else client.user_name,
        client.resp,
    )


def _request_bytes(argv: list[bytes]) -> int:
    """The length of a request as clients send it."""
    total = len(b"*%d\r\n" % len(argv))
    for argument in argv:
        total += len(b"$%d\r\n\r\n" % len(argument)) + len(argument)
    return total
