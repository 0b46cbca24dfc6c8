"""Where it listens: several addresses, IPv6, the unix socket, protected mode, limits on clients."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from redrock.resp.reply import ErrorReply

if TYPE_CHECKING:
    from tests.conftest import StartServer


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def ask(address: tuple[str, int], data: bytes = b"PING\r\n") -> bytes:
    with socket.create_connection(address, 10) as connection:
        connection.sendall(data)
        return connection.recv(1000)


def own_address() -> str:
    """An address of this machine other than loopback; empty if it has none."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address = probe.getsockname()[0]
        assert isinstance(address, str)
        return "" if address.startswith("127.") else address
    return ""


def test_several_addresses(start_redrock: StartServer) -> None:
    server = start_redrock("--bind", "127.0.0.1", "127.0.0.2", "-192.0.2.77")
    assert ask(("127.0.0.1", server.port)) == b"+PONG\r\n"
    assert ask(("127.0.0.2", server.port)) == b"+PONG\r\n"
    with pytest.raises(ConnectionRefusedError):
        ask(("127.0.0.3", server.port))


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_ipv6(start_redrock: StartServer) -> None:
    server = start_redrock("--bind", "127.0.0.1", "::1")
    assert ask(("::1", server.port)) == b"+PONG\r\n"
    listed = ask(("::1", server.port), b"CLIENT LIST\r\n")
    assert b" addr=[::1]:" in listed


def test_unix_socket_only(start_redrock: StartServer, tmp_path: Path) -> None:
    path = tmp_path / "own.sock"
    server = start_redrock("--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    listed = server.command("CLIENT", "LIST")
    assert isinstance(listed, bytes)
    assert f" addr={path}:0 ".encode() in listed
    assert server.stop() == 0
    assert not path.exists()


@pytest.mark.skipif(not own_address(), reason="this machine has loopback only")
def test_protected_mode_refuses_strangers(start_redrock: StartServer) -> None:
    server = start_redrock("--bind", "*")
    stranger = (own_address(), server.port)
    assert ask(stranger).startswith(b"-DENIED Redis is running in protected mode because protected mode is enabled")
    assert ask(("127.0.0.1", server.port)) == b"+PONG\r\n"
    server.command("CONFIG", "SET", "protected-mode", "no")
    assert ask(stranger) == b"+PONG\r\n"


def test_requirepass(start_redrock: StartServer) -> None:
    server = start_redrock("--requirepass", "foobar")
    address = ("127.0.0.1", server.port)
    assert ask(address) == b"-NOAUTH Authentication required.\r\n"
    assert ask(address, b"AUTH wrong\r\n") == b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
    assert ask(address, b"AUTH foobar\r\nGET nothing\r\n").startswith(b"+OK\r\n")
    assert ask(address, b"HELLO 2 AUTH default foobar\r\n").startswith(b"*14\r\n$6\r\nserver\r\n")


def test_before_auth_the_limits_are_tighter(start_redrock: StartServer) -> None:
    server = start_redrock("--requirepass", "foobar")
    address = ("127.0.0.1", server.port)
    assert ask(address, b"*11\r\n") == b"-ERR Protocol error: unauthenticated multibulk length\r\n"
    assert ask(address, b"*2\r\n$20000\r\n") == b"-ERR Protocol error: unauthenticated bulk length\r\n"


def test_maxclients(start_redrock: StartServer) -> None:
    server = start_redrock("--maxclients", "50")
    server.command("CONFIG", "SET", "maxclients", "4")
    # One is this lasting connection; the one that found the server ready may not be gone yet.
    server.wait_until(lambda: server.info("clients")["connected_clients"] == "1")
    address = ("127.0.0.1", server.port)
    held = [socket.create_connection(address, 10) for _ in range(3)]
    try:
        for connection in held:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100) == b"+PONG\r\n"
        with socket.create_connection(address, 10) as refused:
            assert refused.recv(100) == b"-ERR max number of clients reached\r\n"
            assert refused.recv(100) == b""
        held.pop().close()
        deadline = time.monotonic() + 10
        while ask(address) != b"+PONG\r\n":
            assert time.monotonic() < deadline
    finally:
        for connection in held:
            connection.close()


def test_idle_clients_are_closed_after_the_timeout(start_redrock: StartServer) -> None:
    server = start_redrock("--timeout", "1")
    with server.connect() as idle:
        idle.sendall(b"PING\r\n")
        assert idle.recv(100) == b"+PONG\r\n"
        started = time.monotonic()
        assert idle.recv(100) == b""
        assert time.monotonic() - started < 10


def test_a_change_of_port_at_run_time(start_redrock: StartServer) -> None:
    server = start_redrock()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    reply = server.command("CONFIG", "SET", "port", port)
    assert not isinstance(reply, ErrorReply), reply
    assert ask(("127.0.0.1", port)) == b"+PONG\r\n"
    with pytest.raises(ConnectionRefusedError):
        ask(("127.0.0.1", server.port))


def test_a_port_that_is_in_use_changes_nothing(start_redrock: StartServer) -> None:
    server = start_redrock()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        reply = server.command("CONFIG", "SET", "port", taken.getsockname()[1])
    assert isinstance(reply, ErrorReply)
    assert reply.text.endswith(b"Unable to listen on this port. Check server logs.")
    assert ask(("127.0.0.1", server.port)) == b"+PONG\r\n"


def test_a_change_of_addresses_at_run_time(start_redrock: StartServer) -> None:
    server = start_redrock()
    assert server.command("CONFIG", "SET", "bind", "127.0.0.1 127.0.0.2") is not None
    assert ask(("127.0.0.2", server.port)) == b"+PONG\r\n"
    reply = server.command("CONFIG", "SET", "bind", "192.0.2.99")
    assert isinstance(reply, ErrorReply)
    assert reply.text.endswith(b"Failed to bind to specified addresses.")
    assert ask(("127.0.0.1", server.port)) == b"+PONG\r\n"
    assert ask(("127.0.0.2", server.port)) == b"+PONG\r\n"
