"""What the tests of replication share: a proxy that cuts connections, and servers that agree."""

import contextlib
import os
import select
import socket
import threading

import pytest


class CuttingProxy:
    """Forwards TCP connections to a port, until told to cut them; ``open`` False refuses new ones."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.open = True
        self.connections = 0
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._wake_read, self._wake_write = os.pipe()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cut(self):
        """Close every connection that is open now, in the middle of whatever it carries."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
        os.write(self._wake_write, b"x")

    def close(self):
        self.open = False
        self._listener.close()
        self.cut()
        os.write(self._wake_write, b"q")
        self._thread.join(5)
        os.close(self._wake_write)
        os.close(self._wake_read)

    def _run(self):
        while True:
            with self._lock:
                ends = [end for pair in self._pairs for end in pair if end.fileno() >= 0]
            listener = [self._listener] if self._listener.fileno() >= 0 else []
            try:
                ready, _, _ = select.select([self._wake_read, *listener, *ends], [], [], 1)
            except (OSError, ValueError):
                continue  # a descriptor was closed meanwhile: look again
            for one in ready:
                if one is self._listener:
                    self._accept()
                elif one == self._wake_read:
                    if b"q" in os.read(self._wake_read, 100):
                        return
                else:
                    self._forward(one)

    def _accept(self):
        try:
            ours, _ = self._listener.accept()
        except OSError:
            return
        if not self.open:
            ours.close()
            return
        try:
            theirs = socket.create_connection(("127.0.0.1", self.target_port))
        except OSError:
            ours.close()
            return
        self.connections += 1
        with self._lock:
            self._pairs.append((ours, theirs))

    def _forward(self, source):
        with self._lock:
            pair = next((pair for pair in self._pairs if source in pair), None)
        if pair is None:
            return
        target = pair[1] if pair[0] is source else pair[0]
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        with self._lock:
            if pair in self._pairs:
                self._pairs.remove(pair)
        for end in pair:
            end.close()


@pytest.fixture
def cutting_proxy():
    """cutting_proxy(port) -> a proxy in front of that port."""
    proxies = []

    def make(port):
        proxies.append(CuttingProxy(port))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()


def dataset_of(server, databases):
    """Every key of these databases with its type, value and expiry time."""
    dataset = {}
    for dbid in databases:
        _, keys = server.exchange([[b"SELECT", b"%d" % dbid], [b"KEYS", b"*"]])
        kinds = [kind.text for kind in server.exchange([[b"TYPE", key] for key in keys])]
        values = server.exchange(
            [[b"HGETALL" if kind == b"hash" else b"GET", key] for kind, key in zip(kinds, keys, strict=True)]
        )
        times = server.exchange([[b"PEXPIRETIME", key] for key in keys])
        for key, kind, value, at in zip(keys, kinds, values, times, strict=True):
            content = dict(zip(value[::2], value[1::2], strict=True)) if kind == b"hash" else value
            dataset[dbid, key] = (kind, content, at)
    server.command("SELECT", 0)
    return dataset


@pytest.fixture
def same_dataset():
    """Waits until two servers hold the same data by their digests, then compares it."""

    def check(one, other, databases=(0,)):
        other.wait_until(lambda: one.command("DEBUG", "DIGEST").text == other.command("DEBUG", "DIGEST").text)
        dataset = dataset_of(one, databases)
        assert dataset_of(other, databases) == dataset
        return dataset

    return check


@pytest.fixture
def is_linked():
    """Is this server a follower whose link is up? ROLE says so on both kinds of server."""

    def check(server):
        role = server.command("ROLE")
        return role[0] == b"slave" and role[3] == b"connected"

    return check
