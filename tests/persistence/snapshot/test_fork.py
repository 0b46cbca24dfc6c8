"""A real child: what it reports, how it ends, and what it does not keep open."""

import os
import signal
import socket
import time

import pytest

from persistence.snapshot.fork import ChildWork, fork_child, private_dirty_bytes


class Work(ChildWork):
    """``action`` runs in the child; its result is the child's success."""

    def __init__(self, action, keep=()):
        self.action, self.keep = action, list(keep)

    def run(self, reporter):
        return self.action(reporter)

    def descriptors(self):
        return self.keep


def run(action, keep=()):
    child = fork_child(Work(action, keep), "test")
    return child, finish(child)


def finish(child):
    """(reports, exit code)"""
    reports = []
    deadline = time.monotonic() + 20
    ended = False
    while not ended:
        more, ended = child.read_reports()
        reports += more
        assert time.monotonic() < deadline
        time.sleep(0.002)
    code = child.wait()
    assert child.poll() == code
    child.close()
    child.close()
    return reports, code


@pytest.mark.parametrize(("result", "code"), [(True, 0), (False, 1)])
def test_exit_code(result, code):
    _, (reports, found) = run(lambda reporter: result)
    assert (reports, found) == ([], code)


def test_an_exception_is_a_failure_and_unwinds_nothing():
    def fail(reporter):
        raise KeyboardInterrupt

    parent = os.getpid()
    _, (_, code) = run(fail)
    assert code == 1
    assert os.getpid() == parent


def test_reports():
    def work(reporter):
        reporter.progress(1024, 5000)
        reporter.progress(2048, 9000)  # too soon after the first
        reporter.finished(12345)
        return True

    child, (reports, code) = run(work)
    assert code == 0
    assert [(r.final, r.keys, r.written_bytes) for r in reports] == [(False, 1024, 5000), (True, 0, 12345)]
    assert all(report.cow_bytes > 0 for report in reports)
    assert child.fork_usec > 0


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM, signal.SIGKILL])
def test_killed(number):
    child = fork_child(Work(lambda reporter: time.sleep(30)), "test")
    time.sleep(0.05)
    assert child.poll() is None
    if number == signal.SIGUSR1:
        child.kill()
    else:
        os.kill(child.pid, number)
    assert finish(child) == ([], -number)
    child.kill()  # harmless now


def test_sockets_are_closed_but_those_it_needs():
    listener, needed = socket.socketpair()
    file_fd = os.open("/dev/null", os.O_RDONLY)

    def work(reporter):
        assert not is_open(listener.fileno())
        assert is_open(needed.fileno())
        assert is_open(file_fd)
        return True

    _, (_, code) = run(work, [needed.fileno()])
    assert code == 0
    # In the parent nothing has changed.
    needed.sendall(b"x")
    assert listener.recv(1) == b"x"
    for end in (listener, needed):
        end.close()
    os.close(file_fd)


def is_open(fd):
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def test_the_parent_s_memory_is_frozen_for_the_child():
    """The child sees values as they were at the fork."""
    value = [1]
    read_fd, write_fd = os.pipe()

    def work(reporter):
        os.read(read_fd, 1)  # until the parent has changed it
        return value == [1]

    child = fork_child(Work(work), "test")
    value[0] = 2
    os.write(write_fd, b"x")
    assert finish(child)[1] == 0
    os.close(read_fd)
    os.close(write_fd)


def test_private_dirty_bytes():
    assert private_dirty_bytes() > 1 << 20
