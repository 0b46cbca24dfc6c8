"""The leader's answer to PSYNC: go on where the follower stopped, or send everything anew.

Source: Redis 7.0.15, replication.c, masterTryPartialResynchronization.
A follower names a history (replid) and the first byte it lacks (offset). It may go on if that history is ours, or was
ours up to that byte (replid2, second_repl_offset), and if the backlog still holds every byte from there.
Offsets are bytes of the replication stream, counted from 1. Pure: the state comes in as a value, the answer goes out.
"""

from attrs import frozen

from replication.protocol.handshake import PsyncRequest


@frozen
class History:
    """What a leader knows of its own stream. ``first_byte_offset`` is None without a backlog."""

    replid: bytes
    replid2: bytes
    second_repl_offset: int
    master_repl_offset: int
    first_byte_offset: int | None
    histlen: int


@frozen
class PsyncAnswer:
    """``partial``: send +CONTINUE and the backlog from ``request.offset``. ``notes`` are lines for the log."""

    partial: bool
    notes: tuple[str, ...] = ()


def answer_psync(request: PsyncRequest, history: History, follower_name: str) -> PsyncAnswer:
    """Decide. ``follower_name`` is for the log only."""
    note = _why_not_this_history(request, history, follower_name)
    if note is not None:
        return PsyncAnswer(False, (note,))
    first = history.first_byte_offset
    # One byte past the end is fine: nothing is missing, and the next byte to come is the one asked for.
    if first is None or not first <= request.offset <= first + history.histlen:
        notes = [
            f"Unable to partial resync with replica {follower_name} for lack of backlog "
            f"(Replica request was: {request.offset})."
        ]
        if request.offset > history.master_repl_offset:
            notes.append(
                f"Warning: replica {follower_name} tried to PSYNC with an offset that is greater than the master "
                "replication offset."
            )
        return PsyncAnswer(False, tuple(notes))
    return PsyncAnswer(True)


def _why_not_this_history(request: PsyncRequest, history: History, follower_name: str) -> str | None:
    replid = request.replid.lower()
    if replid == history.replid.lower():
        return None
    is_second = replid == history.replid2.lower()
    if is_second and request.offset <= history.second_repl_offset:
        return None
    if replid.startswith(b"?"):
        return f"Full resync requested by replica {follower_name}"
    if is_second:
        return (
            "Partial resynchronization not accepted: Requested offset for second ID was "
            f"{request.offset}, but I can reply up to {history.second_repl_offset}"
        )
    asked, mine, second = (
        name.decode("utf-8", "backslashreplace") for name in (request.replid, history.replid, history.replid2)
    )
    return (
        f"Partial resynchronization not accepted: Replication ID mismatch (Replica asked for '{asked}', my "
        f"replication IDs are '{mine}' and '{second}')"
    )


def continue_line(replid: bytes, knows_psync2: bool) -> bytes:
    """The answer that lets a follower go on. Only PSYNC2 followers can learn a new id from it."""
    return b"+CONTINUE %b\r\n" % replid if knows_psync2 else b"+CONTINUE\r\n"


def full_resync_line(replid: bytes, offset: int) -> bytes:
    """``offset``: the last byte of the stream that the snapshot contains."""
    return b"+FULLRESYNC %b %d\r\n" % (replid, offset)
