"""One synchronous pass over the ready clients: receive, parse, run, flush, send.

There is no task per client: a client is state, and a pass serves all that are ready. At the end of a pass the AOF and
the replication buffers are flushed once, then the replies go out. Nothing here awaits; the executor task decides when
the next pass is and lets other tasks run in between.

A client whose command cannot run yet (parked for cold values, blocked, postponed) is read on, so that a closed
connection is noticed, but its requests stay in its parser until `resume`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, final

from mypy_extensions import i64

from redrock.clients.blocking import BlockedClients
from redrock.clients.client import (
    POSTPONED,
    READY,
    RECEIVE_BYTES_MIN,
    Client,
)
from redrock.clients.output import OutputLimit
from redrock.clients.registry import ClientObserver, ClientRegistry
from redrock.clients.transport import WouldBlock
from redrock.errors import ProtocolError
from redrock.interfaces import ClientResumer, PassHook
from redrock.keyspace.keyspace import Keyspace
from redrock.monitoring.stats import Statistics
from redrock.resp.reply import ErrorReply, Reply
from redrock.server.dispatcher import Dispatcher
from redrock.server.poller import READABLE, WRITABLE, Poller
from redrock.util.clock import Clock

if TYPE_CHECKING:
    from redrock.config.settings import Settings

logger: Final = logging.getLogger("redrock")

_RECV_BYTES: Final = 16 * 1024  # for a client that has sent more than RECEIVE_BYTES_MIN at a time
_RECV_BYTES_MAX: Final = 1024 * 1024  # for a big bulk, whose length is known
_AHEAD_MAX: Final = 1024  # requests of a pipeline looked through when a client is parked
# What may be received from a client whose replies wait for the disk, before it is not read any more.
_HELD_REQUEST_BYTES_MAX: Final = 64 * 1024
# A client's replies are sent in the middle of its pipeline when they exceed this, so that they need not all be held.
_FLUSH_BYTES: Final = 1024 * 1024


@final
class Serving(ClientResumer):
    """``to_send`` are clients with output, ``to_close`` those whose connection is to end with this pass."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        clients: ClientRegistry,
        blocked: BlockedClients,
        poller: Poller,
        clock: Clock,
        settings: Settings,
        to_send: list[Client],
    ) -> None:
        ctx = dispatcher.context()
        self._dispatcher: Final = dispatcher
        self._clients: Final = clients
        self._blocked: Final = blocked
        self._poller: Final = poller
        self._clock: Final = clock
        self._settings: Final = settings
        self._keyspace: Final[Keyspace] = ctx.keyspace
        self._stats: Final[Statistics] = ctx.stats
        self._to_send: list[Client] = to_send
        self._to_close: Final[list[Client]] = []
        self._resumed: Final[list[Client]] = []
        self._held: list[Client] = []
        self._hooks: Final[list[PassHook]] = []
        self._observers: Final[list[ClientObserver]] = []
        self.appended_offset: i64 = 0  # of the AOF, after its flush; set by the AOF's hook
        self._safe_offset: i64 = 0  # how far the AOF is safe
        self.throttled = False  # the cold tier cannot keep up: who writes is read later
        self.passed_over = False  # somebody was, in the last pass
        self._limits: Final[list[OutputLimit]] = [OutputLimit(0, 0, 0), OutputLimit(0, 0, 0), OutputLimit(0, 0, 0)]
        self._query_bytes_max: i64 = 1 << 30

    def add_hook(self, hook: PassHook) -> None:
        """Called in the order of adding, at the end of every pass."""
        self._hooks.append(hook)

    def add_observer(self, observer: ClientObserver) -> None:
        """Told of every connection that ends."""
        self._observers.append(observer)

    def settings_changed(self) -> None:
        """Take over what is read at every pass."""
        settings = self._settings
        for output_class, limit in enumerate(settings.client_output_buffer_limit):
            self._limits[output_class] = OutputLimit(limit.hard_bytes, limit.soft_bytes, limit.soft_seconds)
        self._query_bytes_max = settings.client_query_buffer_limit
        for client in self._clients.all():
            client.parser.proto_max_bulk_len = settings.proto_max_bulk_len

    # --- The pass

    def has_work(self) -> bool:
        """Whether a pass is due although no descriptor is ready."""
        return bool(self._resumed or self._to_send or self._to_close)

    def serve(self, events: list[tuple[int, int]]) -> None:
        """One pass."""
        self.begin_pass()
        self.passed_over = False
        for fd, mask in events:
            client = self._clients.by_fd(fd)
            if client is None:
                continue  # closed earlier in this pass
            if mask & WRITABLE:
                self._send_more(client)
            if mask & ~WRITABLE and not client.close_asap:
                self._receive(client)
        self.end_pass()

    def begin_pass(self) -> None:
        """Read the time once for all commands of the pass. LRU clock: seconds, 24 bits."""
        now = self._clock.now_ms()
        self._keyspace.now_ms = now
        self._keyspace.lru_clock = (now // 1000) & 0xFFFFFF

    def end_pass(self) -> None:
        """Run what has been resumed, flush the AOF and the replication buffers, send the replies, close."""
        while self._resumed:
            resumed = self._resumed.copy()
            self._resumed.clear()
            for client in resumed:
                # It may have run on already, and wait again, since it was put on the list (perhaps for two reasons).
                if client.state == READY and not client.close_asap:
                    self._continue(client)
        self._dispatcher.flush_effects()
        for hook in self._hooks:
            if hook.wanted:
                hook.end_of_pass()
        self._send_all()
        if self._to_close:
            self._close_all()

    def _send_all(self) -> None:
        if self._to_send:
            sending = self._to_send.copy()
            self._to_send.clear()
            for client in sending:
                client.in_send_list = False
                if client.held:
                    client.held = False
                    if self.appended_offset > self._safe_offset:
                        client.held_offset = self.appended_offset
                        self._held.append(client)
                        continue
                    client.held_offset = 0
                    if not client.close_asap:
                        self._send(client)
                elif client.held_offset == 0 and not client.close_asap:
                    self._send(client)

    def release_held(self, fsynced_offset: int) -> None:
        """The AOF is safe up to this offset: replies to writes before it may go."""
        self._safe_offset = fsynced_offset
        if not self._held:
            return
        kept: list[Client] = []
        for client in self._held:
            if client.held_offset <= fsynced_offset:
                client.held_offset = 0
                if not client.close_asap:
                    self._send(client)  # now, before the next write of this client would hold it back again
                self._read_again(client)
            else:
                kept.append(client)
        self._held = kept

    def _read_again(self, client: Client) -> None:
        """What a client has sent while its replies waited for the disk runs in the next pass.

        Not before: the replies of one who never stops writing would wait for ever for the latest of its writes.
        """
        if client.reading_paused:
            client.reading_paused = False
            transport = client.transport
            if transport is not None and not client.close_asap:
                self._poller.modify(transport.fileno(), READABLE)
        if client.state == READY and client.waiting_argv is None:
            self._resumed.append(client)

    # --- Receiving

    def _receive(self, client: Client) -> None:
        if self.throttled and client.writes:
            self.passed_over = True
            return
        parser = client.parser
        wanted = parser.missing_bytes()
        transport = client.transport
        assert transport is not None
        try:
            receive_bytes = client.receive_bytes
            if wanted > receive_bytes:
                receive_bytes = min(wanted, _RECV_BYTES_MAX)
            data = transport.recv(receive_bytes)
        except WouldBlock:
            return
        except OSError as error:
            logger.debug("Reading from client: %s", error)
            self.close(client)
            return
        stats = self._stats
        stats.total_reads_processed += 1
        if not data:
            self.close(client)
            return
        received: i64 = len(data)
        stats.total_net_input_bytes += received
        if received == client.receive_bytes:
            client.receive_bytes = _RECV_BYTES
        elif received <= RECEIVE_BYTES_MIN // 2:
            client.receive_bytes = RECEIVE_BYTES_MIN
        client.last_interaction_ms = self._keyspace.now_ms
        parser.feed(data)
        # A client that has been resumed in this pass still has the command it waited with to run first.
        if client.state == READY and client.waiting_argv is None:
            self._process(client)
        if client.held_offset and parser.buffered_bytes() > _HELD_REQUEST_BYTES_MAX:
            client.reading_paused = True
            self._poller.modify(transport.fileno(), 0)
        if parser.buffered_bytes() > self._query_bytes_max:
            logger.warning("Closing client that reached max query buffer length: id=%d", client.client_id)
            self.close(client)

    def _process(self, client: Client) -> None:
        """Run the client's requests until it has no whole one left, or has to wait."""
        parser = client.parser
        dispatcher = self._dispatcher
        output = client.output
        while (
            client.state == READY and client.held_offset == 0 and not client.close_asap and not client.close_after_reply
        ):
            if client.ahead:
                argv = client.ahead.pop(0)
            else:
                try:
                    request = parser.next_request()
                except ProtocolError as error:
                    self._protocol_error(client, error.text)
                    break
                if request is None:
                    break
                argv = request
            dispatcher.process(client, argv)
            if len(output.writer) > _FLUSH_BYTES and not client.held and client.held_offset == 0:
                self._send(client)
        if client.state != READY:
            self._look_ahead(client)
        if len(output.writer):
            self.queue_send(client)

    def _look_ahead(self, client: Client) -> None:
        """The client waits for cold values: those of its next requests may come in the same batch."""
        if client.waiting_argv is None or client.state == POSTPONED or client.ahead:
            return
        try:
            while len(client.ahead) < _AHEAD_MAX:
                argv = client.parser.next_request()
                if argv is None:
                    break
                client.ahead.append(argv)
        except ProtocolError as error:
            # It will be met again: the parser repeats its complaint when this request's turn has come.
            logger.debug("Protocol error ahead: %s", error)
        if client.ahead:
            self._dispatcher.look_ahead(client, client.ahead)

    def _protocol_error(self, client: Client, text: bytes) -> None:
        logger.debug("Protocol error from client id=%d: %s", client.client_id, text.decode("utf-8", "replace"))
        self._stats.count_error(text)
        self._dispatcher.answer(client, ErrorReply(text))
        client.close_after_reply = True
        if client.output.is_empty():
            self.close(client)  # CLIENT REPLY OFF: nothing to be sent, after which it would be closed

    # --- Clients that waited

    def resume(self, client_id: int, failure: bytes | None) -> None:
        """Parked or postponed no longer: the command is tried again in the next pass, or answered with ``failure``."""
        client = self._clients.by_id(client_id)
        if client is None or client.state == READY:
            return
        client.state = READY
        client.wait_failure = failure
        self._resumed.append(client)

    def answer_blocked(self, client: Client, reply: Reply) -> None:
        """Give a blocked client its reply; its next requests run in the next pass."""
        waiter = self._blocked.release(client)
        assert waiter is not None
        self._dispatcher.answer(client, reply)
        self.queue_send(client)
        self._resumed.append(client)

    def end_blocking(self, client: Client, error: bytes | None) -> bool:
        """A blocked client gets ``error``, or, if that is None, the answer of a timeout. False: it is not blocked."""
        waiter = self._blocked.waiter_of(client)
        if waiter is None:
            return False
        reply = waiter.timed_out(client) if error is None else ErrorReply(error)
        waiter.cancelled(client)
        self.answer_blocked(client, reply)
        return True

    def _continue(self, client: Client) -> None:
        argv = client.waiting_argv
        failure = client.wait_failure
        client.waiting_argv = None
        client.wait_failure = None
        if argv is not None:
            if failure is not None:
                self._stats.count_error(failure)
                self._dispatcher.answer(client, ErrorReply(failure))
            else:
                self._dispatcher.process(client, argv)
        self._process(client)

    # --- Sending

    def queue_send(self, client: Client) -> None:
        """The client has output: send it at the end of this pass, or of the next."""
        if not client.in_send_list:
            client.in_send_list = True
            self._to_send.append(client)

    def _send_more(self, client: Client) -> None:
        """A slow reader has taken some. Replies that wait for the fsync stay; until then nobody asks whether it can."""
        if client.held_offset:
            transport = client.transport
            assert transport is not None
            client.wants_writable = False
            self._poller.modify(transport.fileno(), READABLE)
        elif not client.close_asap:
            self._send(client)

    def _send(self, client: Client) -> None:
        transport = client.transport
        if transport is None:
            client.output.clear()
            return
        before = client.output.size()
        try:
            finished = client.output.send_to(transport)
        except OSError as error:
            logger.debug("Writing to client: %s", error)
            self.close(client)
            return
        stats = self._stats
        stats.total_writes_processed += 1
        sent = before - client.output.size()
        if sent:
            stats.total_net_output_bytes += sent
            client.last_interaction_ms = self._keyspace.now_ms
        if finished:
            if client.wants_writable:
                client.wants_writable = False
                self._poller.modify(transport.fileno(), READABLE)
            if client.close_after_reply:
                self.close(client)
            return
        if not client.wants_writable:
            client.wants_writable = True
            self._poller.modify(transport.fileno(), READABLE | WRITABLE)
        if client.output.is_over(self._limits[client.output_class], self._keyspace.now_ms):
            logger.warning(
                "Client id=%d addr=%s closed for overcoming of output buffer limits.",
                client.client_id,
                client.address.decode("utf-8", "replace"),
            )
            self.close(client)

    # --- Opening and closing

    def add(self, client: Client) -> None:
        """Serve a new connection from now on."""
        transport = client.transport
        assert transport is not None
        self._clients.add(client)
        client.parser.proto_max_bulk_len = self._settings.proto_max_bulk_len
        self._poller.register(transport.fileno(), READABLE)

    def close(self, client: Client) -> None:
        """End the connection at the end of this pass; what has not been sent is dropped."""
        if not client.close_asap:
            client.close_asap = True
            self._to_close.append(client)

    def _close_all(self) -> None:
        closing = self._to_close.copy()
        self._to_close.clear()
        for client in closing:
            transport = client.transport
            self._clients.remove(client)
            waiter = self._blocked.release(client)
            if waiter is not None:
                waiter.cancelled(client)
            self._dispatcher.client_gone(client)
            for observer in self._observers:
                observer.client_gone(client)
            if client in self._held:
                self._held.remove(client)
            client.output.clear()
            client.held_offset = 0
            if transport is not None:
                self._poller.unregister(transport.fileno())
                transport.close()
