"""CONFIG and its subcommands. The rules behind them are tested in tests/redrock/config and tests/differential."""

import os
from pathlib import Path

import pytest

from redrock import errors
from redrock.clients.client import Client
from redrock.clients.registry import ClientRegistry
from redrock.clients.transaction import Transactions
from redrock.commands.context import Context, ServerControl
from redrock.commands.server.config import config_get, config_help, config_resetstat, config_rewrite, config_set
from redrock.commands.table import build_table
from redrock.config.settings import Settings, find_directive
from redrock.errors import ReplyError
from redrock.interfaces import ColdRows, KeyspaceListener
from redrock.keyspace.keyspace import Keyspace
from redrock.keyspace.observers import Observers
from redrock.monitoring.slowlog import Slowlog
from redrock.monitoring.stats import Statistics
from redrock.resp.reply import OK, MapReply, Status
from redrock.util.random import RandomSource


class Control(ServerControl):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def reset_statistics(self) -> None:
        self.asked.append("reset")

    def settings_changed(self) -> None:
        self.asked.append("changed")


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def ctx(control: Control, tmp_path: Path) -> Context:
    """A context whose settings do not move the test's process."""
    settings = Settings(lambda path: os.stat(path) and None)
    settings.dir = os.path.realpath(tmp_path)
    keyspace = Keyspace(1, RandomSource(1), KeyspaceListener(), ColdRows())
    observers = Observers()
    return Context(
        keyspace,
        Client(1, None, keyspace.databases[0], 0),
        settings,
        build_table(),
        ClientRegistry(),
        observers,
        Statistics(),
        Slowlog(1, 1),
        Transactions(keyspace, observers),
        control,
    )


def refusal(ctx: Context, *words: bytes) -> bytes:
    """The error of CONFIG SET."""
    with pytest.raises(ReplyError) as caught:
        config_set(ctx, [b"CONFIG", b"SET", *words])
    return caught.value.text


def test_get_answers_with_a_map(ctx: Context) -> None:
    reply = config_get(ctx, [b"CONFIG", b"GET", b"maxmemory-s*", b"PORT"])
    assert isinstance(reply, MapReply)
    assert reply.items == [b"maxmemory-samples", b"5", b"PORT", b"6379"]


def test_set_changes_and_tells_the_server(ctx: Context, control: Control) -> None:
    assert config_set(ctx, [b"CONFIG", b"SET", b"hz", b"20", b"timeout", b"5"]) is OK
    assert (ctx.settings.hz, ctx.settings.timeout) == (20, 5)
    assert control.asked == ["changed"]
    assert ctx.keyspace.dirty == 0


def test_set_refuses(ctx: Context, control: Control) -> None:
    assert refusal(ctx, b"hz", b"20", b"timeout") == errors.SYNTAX
    assert refusal(ctx, b"hz", b"20", b"nosuch", b"1") == errors.config_unknown(b"nosuch")
    assert ctx.settings.hz == 10
    assert control.asked == []


def test_set_while_loading(ctx: Context) -> None:
    ctx.keyspace.loading = True
    assert refusal(ctx, b"appendonly", b"yes") == errors.LOADING


def test_set_of_protected_directives_looks_at_the_client(ctx: Context) -> None:
    local = find_directive(b"enable-protected-configs")
    assert local is not None
    ctx.settings.set_from_file(local, [b"local"])
    assert refusal(ctx, b"dbfilename", b"x").endswith(b"can't set protected config")
    ctx.client.is_local = True
    config_set(ctx, [b"CONFIG", b"SET", b"dbfilename", b"x"])
    assert ctx.settings.dbfilename == "x"


def test_secrets_do_not_reach_the_slow_log(ctx: Context) -> None:
    argv = [b"CONFIG", b"SET", b"hz", b"20", b"RequirePass", b"secret"]
    config_set(ctx, argv)
    assert argv == [b"CONFIG", b"SET", b"hz", b"20", b"RequirePass", b"(redacted)"]
    assert ctx.settings.requirepass == b"secret"
    argv = [b"CONFIG", b"SET", b"nosuch", b"1", b"masterauth", b"secret"]
    with pytest.raises(ReplyError):
        config_set(ctx, argv)
    assert argv[-1] == b"(redacted)"


def test_resetstat(ctx: Context, control: Control) -> None:
    assert config_resetstat(ctx, [b"CONFIG", b"RESETSTAT"]) is OK
    assert control.asked == ["reset"]


def test_rewrite(ctx: Context, tmp_path: Path) -> None:
    command = [b"CONFIG", b"REWRITE"]
    with pytest.raises(ReplyError) as caught:
        config_rewrite(ctx, command)
    assert caught.value.text == b"ERR The server is running without a config file"
    path = tmp_path / "x.conf"
    path.write_bytes(b"hz 10\n")
    ctx.settings.config_file = str(path)
    ctx.settings.hz = 50
    assert config_rewrite(ctx, command) is OK
    assert path.read_bytes().startswith(b"hz 50\n")
    ctx.settings.config_file = str(tmp_path / "missing" / "x.conf")
    with pytest.raises(ReplyError) as caught:
        config_rewrite(ctx, command)
    assert caught.value.text == b"ERR Rewriting config file: No such file or directory"


def test_help(ctx: Context) -> None:
    reply = config_help(ctx, [b"CONFIG", b"HELP"])
    assert isinstance(reply, list)
    assert all(isinstance(line, Status) for line in reply)
    assert len(reply) == 11
