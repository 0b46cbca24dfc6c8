"""CLIENT: the state of clients, and what it asks of the server. Replies are compared with redis-server's elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.clients.client import IS_MONITOR, IS_REPLICA, NO_EVICT, REPLY_OFF, REPLY_SKIP_NEXT, Client
from redrock.resp.reply import NO_REPLY, OK, Verbatim
from redrock.server.control import Control

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


class Asked(Control):
    """Notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__(lambda: None, lambda save, nosave, now, force: None)
        self.closed: list[Client] = []
        self.unblocked: list[tuple[Client, bytes | None]] = []
        self.pauses: list[tuple[bool, int]] = []

    def close_client(self, client: Client) -> None:
        client.close_asap = True
        self.closed.append(client)

    def end_blocking(self, client: Client, error: bytes | None) -> bool:
        self.unblocked.append((client, error))
        return True

    def pause_clients(self, writes_only: bool, until_ms: int) -> None:
        self.pauses.append((writes_only, until_ms))

    def unpause_clients(self) -> None:
        self.pauses.clear()


@pytest.fixture
def asked(runner: CommandRunner, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """In the place of the runner's control."""
    control = Asked()
    for name in ("close_client", "end_blocking", "pause_clients", "unpause_clients"):
        monkeypatch.setattr(runner.control, name, getattr(control, name))
    return control


def lines(runner: CommandRunner, *words: str) -> list[bytes]:
    reply = runner.run("CLIENT", "LIST", *words)
    assert isinstance(reply, Verbatim)
    return [line.split(b" ")[0] for line in reply.text.splitlines()]


def test_names(runner: CommandRunner) -> None:
    assert runner.run("CLIENT", "GETNAME") is None
    assert runner.run("CLIENT", "SETNAME", "me!~") is OK
    assert runner.run("CLIENT", "GETNAME") == b"me!~"
    for bad in ("a b", "a\n", b"\x7f", b"\xff"):
        assert runner.run("CLIENT", "SETNAME", bad) == errors.BAD_CLIENT_NAME
    assert runner.run("CLIENT", "SETNAME", "") is OK
    assert runner.run("CLIENT", "GETNAME") is None


def test_reply_modes(runner: CommandRunner) -> None:
    client = runner.client
    assert runner.run("CLIENT", "REPLY", "skip") is NO_REPLY
    assert client.gate == REPLY_SKIP_NEXT
    client.gate = 0
    assert runner.run("CLIENT", "REPLY", "OFF") is NO_REPLY
    runner.run("CLIENT", "REPLY", "SKIP")
    assert client.gate == REPLY_OFF
    assert runner.run("CLIENT", "REPLY", "ON") is OK
    assert client.gate == 0


def test_no_evict(runner: CommandRunner) -> None:
    assert runner.run("CLIENT", "NO-EVICT", "on") is OK
    assert runner.client.has(NO_EVICT)
    assert runner.run("CLIENT", "NO-EVICT", "OFF") is OK
    assert not runner.client.has(NO_EVICT)


def test_list(runner: CommandRunner) -> None:
    others = [runner.new_client() for _ in range(3)]
    others[0].set(IS_REPLICA)
    others[1].set(IS_MONITOR)
    ids = [b"id=%d" % client.client_id for client in (runner.client, *others)]
    assert lines(runner) == ids
    assert lines(runner, "TYPE", "replica") == lines(runner, "type", "SLAVE") == [ids[1]]
    assert lines(runner, "TYPE", "normal") == [ids[0], ids[2], ids[3]]
    assert lines(runner, "ID", "4", "1", "77") == [ids[3], ids[0]]


def test_kill_by_address_is_the_old_form(runner: CommandRunner, asked: Asked) -> None:
    other = runner.new_client()
    runner.client.address, other.address = b"1.2.3.4:5", b"1.2.3.4:6"
    assert runner.run("CLIENT", "KILL", "1.2.3.4:7") == errors.NO_SUCH_CLIENT
    assert runner.run("CLIENT", "KILL", "1.2.3.4:6") is OK
    assert asked.closed == [other]
    assert runner.run("CLIENT", "KILL", "1.2.3.4:5") is OK
    assert asked.closed == [other]
    assert runner.client.close_after_reply


@pytest.mark.parametrize(
    ("filters", "killed"),
    [
        ("ID 2", [2]),
        ("ID 1", []),
        ("SKIPME yes", [2, 3, 4]),
        ("TYPE replica", [3]),
        ("TYPE pubsub", []),
        ("ADDR b:1", [2]),
        ("LADDR here:1", [4]),
        ("LADDR here:1 TYPE replica", []),
        ("USER default TYPE normal", [2, 4]),
        ("ID 2 ID 4", [4]),
    ],
)
def test_kill_by_filters(runner: CommandRunner, asked: Asked, filters: str, killed: list[int]) -> None:
    others = [runner.new_client() for _ in range(3)]
    others[0].address = b"b:1"
    others[1].set(IS_REPLICA)
    others[2].local_address = b"here:1"
    assert runner.run("CLIENT", "KILL", *filters.split()) == len(killed)
    assert [client.client_id for client in asked.closed] == killed
    # Who is being closed is there no more.
    assert runner.run("CLIENT", "KILL", *filters.split()) == 0
    assert len(lines(runner)) == 4 - len(killed)


def test_kill_oneself(runner: CommandRunner, asked: Asked) -> None:
    assert runner.run("CLIENT", "KILL", "SKIPME", "no") == 1
    assert asked.closed == []
    assert runner.client.close_after_reply


def test_unblock(runner: CommandRunner, asked: Asked) -> None:
    other = runner.new_client()
    assert runner.run("CLIENT", "UNBLOCK", other.client_id) == 1
    assert runner.run("CLIENT", "UNBLOCK", other.client_id, "error") == 1
    assert asked.unblocked == [(other, None), (other, b"UNBLOCKED client unblocked via CLIENT UNBLOCK")]
    assert runner.run("CLIENT", "UNBLOCK", 77) == 0


def test_pause(runner: CommandRunner, asked: Asked) -> None:
    runner.run("CLIENT", "PAUSE", 1000)
    runner.run("CLIENT", "PAUSE", 50, "write")
    runner.run("CLIENT", "PAUSE", 0, "ALL")
    now = runner.now_ms
    assert asked.pauses == [(False, now + 1000), (True, now + 50), (False, 0)]
    assert runner.run("CLIENT", "UNPAUSE") is OK
    assert asked.pauses == []
