"""Effects -> AOF and backlog. The only writer of both, so that order, SELECT and MULTI/EXEC are right in one place.

Commands collect what is to be propagated while the outermost command runs; `flush` sends it off as one unit, between
MULTI and EXEC if it is more than one command. Source: Redis 7.0.15, server.c, propagatePendingCommands; the SELECT of
the first command comes before MULTI, as there.
"""

from typing import Final, final

from redrock.interfaces import StreamSink
from redrock.resp.encoder import encode_command

_MULTI: Final = b"*1\r\n$5\r\nMULTI\r\n"
_EXEC: Final = b"*1\r\n$4\r\nEXEC\r\n"


@final
class Propagation:
    def __init__(self) -> None:
        self._sinks: list[StreamSink] = []
        self._pending: list[tuple[int, list[bytes]]] = []

    def attach(self, sinks: list[StreamSink]) -> None:
        """The AOF and the backlog: built later than this, since they need parts that propagate."""
        self._sinks = sinks

    def add(self, dbid: int, argv: list[bytes]) -> None:
        """One more command of the present unit."""
        for sink in self._sinks:
            if sink.active:
                self._pending.append((dbid, argv))
                return

    def flush(self, together: bool = True) -> None:
        """Send what has been collected. ``together``: if it is more than one command, between MULTI and EXEC."""
        pending = self._pending
        if not pending:
            return
        encoded = [encode_command(argv) for _, argv in pending]
        for sink in self._sinks:
            if not sink.active:
                continue
            if len(pending) == 1:
                _send(sink, pending[0][0], encoded[0])
                continue
            if together:
                _send(sink, pending[0][0], _MULTI)
            for i, unit in enumerate(pending):
                _send(sink, unit[0], encoded[i])
            if together:
                sink.append(_EXEC)
        pending.clear()

    def is_empty(self) -> bool:
        return not self._pending


def _send(sink: StreamSink, dbid: int, data: bytes) -> None:
    if dbid != sink.selected_dbid:
        sink.append(encode_command([b"SELECT", b"%d" % dbid]))
        sink.selected_dbid = dbid
    sink.append(data)
