"""When the log is written and fsynced, policy by policy. Times are seconds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.aof.writer import FSYNC_ALWAYS, FSYNC_EVERYSEC, FSYNC_NO, AofWriter


def writer_with(appended=b"", written=0, fsynced=0):
    writer = AofWriter()
    if appended:
        writer.append(appended)
    writer.written(written)
    writer.fsynced(fsynced)
    return writer


def test_output_stays_until_it_is_written():
    writer = AofWriter()
    writer.append(b"one")
    writer.append(b"two")
    assert writer.output() == writer.output() == b"onetwo"
    writer.written(4)
    assert writer.output() == b"wo"
    assert (writer.appended_offset, writer.written_offset, writer.buffered_bytes()) == (6, 4, 2)
    writer.written(2)
    assert writer.output() == b""
    assert writer.buffered_bytes() == 0


def test_discard_forgets_only_what_is_not_written():
    writer = writer_with(b"abcdef", written=2)
    writer.discard()
    assert (writer.appended_offset, writer.output()) == (2, b"")
    writer.append(b"x")
    assert writer.output() == b"x"


def test_annotation_once_per_second():
    writer = AofWriter()
    for now_s in (5, 5, 6, 6, 5):
        writer.annotate(now_s)
    assert writer.output() == b"#TS:5\r\n#TS:6\r\n"


@pytest.mark.parametrize("policy", [FSYNC_ALWAYS, FSYNC_EVERYSEC, FSYNC_NO])
def test_nothing_to_write(policy):
    assert not AofWriter().wants_write(1, policy, False)


@pytest.mark.parametrize(
    ("policy", "fsync_running", "expected"),
    [
        (FSYNC_ALWAYS, False, True),
        (FSYNC_ALWAYS, True, True),  # group commit: the next fsync takes it along
        (FSYNC_NO, True, True),
        (FSYNC_EVERYSEC, False, True),
        (FSYNC_EVERYSEC, True, False),
    ],
)
def test_wants_write(policy, fsync_running, expected):
    assert writer_with(b"x").wants_write(1, policy, fsync_running) is expected


def test_a_write_waits_two_seconds_for_a_running_fsync():
    writer = writer_with(b"x")
    assert [writer.wants_write(now_s, FSYNC_EVERYSEC, True) for now_s in (10, 10, 11)] == [False] * 3
    assert writer.is_postponed()
    assert writer.delayed_fsyncs == 0
    assert writer.wants_write(12, FSYNC_EVERYSEC, True)
    assert writer.delayed_fsyncs == 1
    writer.written(1)
    assert not writer.is_postponed()
    # The next one waits anew.
    writer.append(b"y")
    assert not writer.wants_write(12, FSYNC_EVERYSEC, True)


def test_a_postponed_write_goes_on_when_the_fsync_is_over():
    writer = writer_with(b"x")
    assert not writer.wants_write(10, FSYNC_EVERYSEC, True)
    assert writer.wants_write(10, FSYNC_EVERYSEC, False)
    assert writer.delayed_fsyncs == 0


@pytest.mark.parametrize(
    ("policy", "running", "expected"),
    [
        (FSYNC_ALWAYS, False, True),
        (FSYNC_ALWAYS, True, False),
        (FSYNC_EVERYSEC, False, True),
        (FSYNC_EVERYSEC, True, False),
        (FSYNC_NO, False, False),
    ],
)
def test_wants_fsync(policy, running, expected):
    writer = writer_with(b"xy", written=2)
    assert writer.wants_fsync(100, policy, running) is expected
    # Not if there is nothing that is not safe already.
    writer.fsynced(2)
    assert not writer.wants_fsync(200, policy, running)


def test_everysec_means_once_a_second():
    writer = writer_with(b"xy", written=1)
    assert writer.fsync_started(100) == 1
    writer.fsynced(1)
    writer.written(1)
    assert not writer.wants_fsync(100, FSYNC_EVERYSEC, False)
    assert writer.wants_fsync(100, FSYNC_ALWAYS, False)
    assert writer.wants_fsync(101, FSYNC_EVERYSEC, False)


def test_an_fsync_covers_what_was_written_when_it_began():
    writer = writer_with(b"abcdef", written=3)
    offset = writer.fsync_started(1)
    writer.written(3)
    writer.fsynced(offset)
    assert (writer.fsynced_offset, writer.written_offset) == (3, 6)
    writer.fsynced(1)  # an older one that ends late changes nothing
    assert writer.fsynced_offset == 3


@given(st.lists(st.tuples(st.sampled_from(["append", "write", "fsync", "discard"]), st.integers(0, 50)), max_size=40))
def test_invariants(steps):
    writer = AofWriter()
    expected, file = b"", b""
    for step, number in steps:
        if step == "append":
            data = bytes([number]) * number
            writer.append(data)
            expected += data
        elif step == "write":
            output = writer.output()
            count = min(number, len(output))
            file += output[:count]
            writer.written(count)
        elif step == "fsync":
            writer.fsynced(writer.fsync_started(number))
        else:
            writer.discard()
            expected = file
        writer.check_invariants()
        assert file + writer.output() == expected
        assert writer.written_offset == len(file)
