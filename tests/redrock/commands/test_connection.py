"""Connection commands: the state of the client. Replies in full are compared with redis-server's elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.clients.client import IN_MULTI, IN_PUBSUB, IS_REPLICA, NEEDS_AUTH, NO_EVICT, REPLY_OFF
from redrock.resp.reply import OK, PONG, MapReply, Status

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def test_ping(runner: CommandRunner) -> None:
    assert runner.run("PING") is PONG
    assert runner.run("PING", "x") == b"x"
    assert runner.run("PING", "x", "y") == errors.wrong_arity(b"ping")
    runner.client.set(IN_PUBSUB)
    assert runner.run("PING") == [b"pong", b""]
    assert runner.run("PING", "x") == [b"pong", b"x"]
    runner.client.resp = 3
    assert runner.run("PING") is PONG


def lock(runner: CommandRunner) -> None:
    runner.settings.requirepass = b"sesame"
    runner.client.set(NEEDS_AUTH)
    runner.client.parser.authenticated = False


@pytest.mark.parametrize(
    "words", [("AUTH", "sesame"), ("AUTH", "default", "sesame"), ("HELLO", "3", "AUTH", "default", "sesame")]
)
def test_the_right_password_opens(runner: CommandRunner, words: tuple[str, ...]) -> None:
    lock(runner)
    runner.run(*words)
    assert not runner.client.has(NEEDS_AUTH)
    assert runner.client.parser.authenticated


@pytest.mark.parametrize(
    "words", [("AUTH", "x"), ("AUTH", ""), ("AUTH", "u", "sesame"), ("HELLO", "3", "AUTH", "default", "x")]
)
def test_a_wrong_password_changes_nothing(runner: CommandRunner, words: tuple[str, ...]) -> None:
    lock(runner)
    assert runner.run(*words) == errors.WRONGPASS
    assert runner.client.has(NEEDS_AUTH)
    assert runner.client.resp == 2


def test_without_a_password_any_will_do(runner: CommandRunner) -> None:
    assert runner.run("AUTH", "default", "whatever") is OK
    assert runner.run("AUTH", "whatever") == errors.AUTH_WITHOUT_PASSWORD
    assert runner.run("AUTH", "other", "whatever") == errors.WRONGPASS


def test_secrets_do_not_reach_the_slow_log(runner: CommandRunner) -> None:
    lock(runner)
    runner.ctx.slowlog.threshold_us = 0
    runner.run("AUTH", "sesame")
    runner.run("AUTH", "default", "wrong")
    runner.run("HELLO", "2", "AUTH", "default", "sesame", "SETNAME", "me")
    assert [entry.argv for entry in reversed(runner.ctx.slowlog.newest(-1))] == [
        [b"AUTH", b"(redacted)"],
        [b"AUTH", b"(redacted)", b"(redacted)"],
        [b"HELLO", b"2", b"AUTH", b"(redacted)", b"(redacted)", b"SETNAME", b"me"],
    ]


def test_hello(runner: CommandRunner) -> None:
    reply = runner.run("HELLO", "3", "SETNAME", "me")
    assert isinstance(reply, MapReply)
    facts = dict(zip(reply.items[0::2], reply.items[1::2], strict=True))
    assert facts[b"proto"] == runner.client.resp == 3
    assert (facts[b"id"], facts[b"role"]) == (runner.client.client_id, b"master")
    assert runner.client.name == b"me"
    runner.keyspace.follower = True
    reply = runner.run("HELLO")
    assert isinstance(reply, MapReply)
    assert b"replica" in reply.items


def test_hello_needs_the_password(runner: CommandRunner) -> None:
    lock(runner)
    assert runner.run("HELLO", "3") == errors.HELLO_NOAUTH
    assert runner.client.resp == 2


def test_select(runner: CommandRunner) -> None:
    assert runner.run("SELECT", "15") is OK
    assert runner.client.database.dbid == 15
    assert runner.run("SELECT", "16") == errors.DB_INDEX_OUT_OF_RANGE
    assert runner.run("SELECT", "-1") == errors.DB_INDEX_OUT_OF_RANGE
    assert runner.client.database.dbid == 15
    runner.settings.cluster_enabled = True
    assert runner.run("SELECT", "1") == errors.SELECT_IN_CLUSTER
    assert runner.run("SELECT", "0") is OK


def test_quit(runner: CommandRunner) -> None:
    assert runner.run("QUIT") is OK
    assert runner.client.close_after_reply


def test_reset(runner: CommandRunner) -> None:
    client = runner.client
    lock(runner)
    runner.run("HELLO", "3", "AUTH", "default", "sesame", "SETNAME", "me")
    runner.run("SELECT", "3")
    runner.run("WATCH", "k")
    runner.run("MULTI")
    client.gate |= REPLY_OFF | NO_EVICT
    reply = runner.run("RESET")
    assert isinstance(reply, Status)
    assert reply.text == b"RESET"
    assert client.gate == NEEDS_AUTH | NO_EVICT
    assert not client.parser.authenticated
    assert (client.database.dbid, client.resp, client.name, client.watched) == (0, 2, b"", [])
    assert not client.has(IN_MULTI)


def test_reset_is_not_for_replicas(runner: CommandRunner) -> None:
    runner.client.set(IS_REPLICA)
    assert runner.run("RESET") == errors.RESET_OF_REPLICA
