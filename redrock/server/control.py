"""What commands may ask of the server as a whole, and what the keyspace tells it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from redrock import errors
from redrock.clients.client import IS_MONITOR, Client
from redrock.commands.context import Context, ServerControl
from redrock.interfaces import NOTIFY_EVICTED, NOTIFY_EXPIRED, NOTIFY_KEY_MISS, NOTIFY_NEW, KeyspaceListener
from redrock.resp.reply import NO_REPLY, ErrorReply, Reply

if TYPE_CHECKING:
    from redrock.keyspace.eviction import BufferMemory, Eviction
    from redrock.server.execution import Execution
    from redrock.server.pause import Pause
    from redrock.server.reload import Reload
    from redrock.server.serving import Serving
    from redrock.server.shutdown import Shutdown
    from redrock.server.tasks.cron import Cron

logger: Final = logging.getLogger("redrock")


class KeyspaceEvents(KeyspaceListener):
    """Turns what happens to keys by itself (expiry, eviction) into propagation and events."""

    def __init__(self) -> None:
        self._ctx: Context | None = None
        self.lazy_expire = False
        self.lazy_eviction = False

    def attach(self, ctx: Context) -> None:
        """The context cannot exist before the keyspace that this listens to."""
        self._ctx = ctx

    def key_expired(self, dbid: int, key: bytes) -> None:
        self._gone(dbid, key, NOTIFY_EXPIRED, b"expired", self.lazy_expire)

    def key_evicted(self, dbid: int, key: bytes) -> None:
        self._gone(dbid, key, NOTIFY_EVICTED, b"evicted", self.lazy_eviction)

    def _gone(self, dbid: int, key: bytes, event_class: int, event: bytes, lazy: bool) -> None:
        ctx = self._ctx
        assert ctx is not None
        ctx.also_propagate([b"UNLINK" if lazy else b"DEL", key], dbid)
        observers = ctx.observers
        if observers.watching:
            observers.key_changed(dbid, key)
        observers.key_event(event_class, event, dbid, key)

    def key_added(self, dbid: int, key: bytes) -> None:
        assert self._ctx is not None
        self._ctx.observers.key_event(NOTIFY_NEW, b"new", dbid, key)

    def key_missed(self, dbid: int, key: bytes) -> None:
        assert self._ctx is not None
        self._ctx.observers.key_event(NOTIFY_KEY_MISS, b"keymiss", dbid, key)


class Control(ServerControl):
    """Implements ServerControl over the parts that the server has built."""

    def __init__(
        self, on_settings_changed: Callable[[], None], on_shutdown: Callable[[bool, bool, bool, bool], None]
    ) -> None:
        self._on_settings_changed: Final = on_settings_changed
        self._on_shutdown: Final = on_shutdown
        self.execution: Execution | None = None
        self.serving: Serving | None = None
        self.shutdown: Shutdown | None = None
        self.pause: Pause | None = None
        self.eviction: Eviction | None = None
        self.buffers: BufferMemory | None = None
        self.cron: Cron | None = None
        self.reload: Reload | None = None

    def run(self, argv: list[bytes]) -> Reply:
        execution = self.execution
        assert execution is not None
        ctx = execution.ctx
        command = ctx.table.find(argv)
        if command is None or command.handler is None:
            return ErrorReply(errors.unknown_command(argv))
        return execution.call(ctx.client, command, argv)

    def close_client(self, client: Client) -> None:
        assert self.serving is not None
        self.serving.close(client)

    def unblock(self, client: Client, reply: Reply) -> None:
        assert self.serving is not None
        self.serving.answer_blocked(client, reply)

    def add_monitor(self, client: Client) -> None:
        assert self.execution is not None
        client.set(IS_MONITOR)
        self.execution.monitors.add(client)

    def remove_monitor(self, client: Client) -> None:
        assert self.execution is not None
        client.unset(IS_MONITOR)
        self.execution.monitors.remove(client)

    def end_blocking(self, client: Client, error: bytes | None) -> bool:
        assert self.serving is not None
        return self.serving.end_blocking(client, error)

    def pause_clients(self, writes_only: bool, until_ms: int) -> None:
        assert self.pause is not None
        self.pause.begin(writes_only, until_ms)

    def unpause_clients(self) -> None:
        assert self.pause is not None
        self.pause.end()

    def reset_statistics(self) -> None:
        assert self.execution is not None
        ctx = self.execution.ctx
        ctx.stats.reset()
        ctx.table.reset_statistics()
        keyspace = ctx.keyspace
        keyspace.hits = 0
        keyspace.misses = 0
        keyspace.expired_keys = 0
        keyspace.evicted_keys = 0
        if ctx.cold_tier is not None:
            ctx.cold_tier.reset_statistics()

    def used_memory(self) -> int:
        assert self.eviction is not None
        return self.eviction.used_bytes()

    def uncounted_memory(self) -> int:
        assert self.buffers is not None
        return self.buffers.uncounted_bytes()

    def pause_cron(self, paused: bool) -> None:
        assert self.cron is not None
        self.cron.paused = paused

    def reload_rdb(self, save: bool, flush: bool, merge: bool) -> None:
        assert self.reload is not None
        self.reload.rdb(save, flush, merge)

    def reload_aof(self) -> None:
        assert self.reload is not None
        self.reload.log()

    def settings_changed(self) -> None:
        self._on_settings_changed()

    def dataset_flushed(self) -> None:
        assert self.execution is not None
        ctx = self.execution.ctx
        ctx.persistence.kill_rdb_child()
        if ctx.settings.save:
            ctx.persistence.save()

    def request_shutdown(self, save: bool, nosave: bool, now: bool, force: bool) -> Reply:
        self._on_shutdown(save, nosave, now, force)
        if self.shutdown is not None and self.shutdown.is_waiting():
            assert self.execution is not None
            return self.shutdown.wait_for_end(self.execution.ctx.client)
        return NO_REPLY

    def shutdown_deadline_ms(self) -> int:
        return 0 if self.shutdown is None else self.shutdown.deadline_ms()

    def abort_shutdown(self) -> bool:
        return self.shutdown is not None and self.shutdown.abort()
