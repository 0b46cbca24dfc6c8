import pytest

from redrock.monitoring.slowlog import Slowlog


def add(slowlog: Slowlog, *argv: bytes) -> None:
    slowlog.add(1700000000, 12345, list(argv), b"127.0.0.1:5", b"me")


def test_newest_first_and_no_more_than_wanted() -> None:
    slowlog = Slowlog(3, 0)
    for i in range(5):
        add(slowlog, b"GET", b"%d" % i)
    assert slowlog.length() == 3
    assert [entry.entry_id for entry in slowlog.newest(-1)] == [4, 3, 2]
    assert [entry.argv for entry in slowlog.newest(2)] == [[b"GET", b"4"], [b"GET", b"3"]]
    assert slowlog.newest(0) == []
    entry = slowlog.newest(1)[0]
    assert (entry.at_seconds, entry.duration_us, entry.address, entry.name) == (
        1700000000,
        12345,
        b"127.0.0.1:5",
        b"me",
    )


def test_numbers_go_on_after_a_reset() -> None:
    slowlog = Slowlog(3, 0)
    add(slowlog, b"PING")
    slowlog.clear()
    assert slowlog.length() == 0
    add(slowlog, b"PING")
    assert slowlog.newest(1)[0].entry_id == 1


def test_a_shorter_log_takes_effect_with_the_next_entry() -> None:
    slowlog = Slowlog(10, 0)
    for _ in range(5):
        add(slowlog, b"PING")
    slowlog.length_max = 2
    assert slowlog.length() == 5
    add(slowlog, b"PING")
    assert slowlog.length() == 2
    slowlog.length_max = 0
    add(slowlog, b"PING")
    assert slowlog.length() == 0


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        ([b"SET", b"k", b"x" * 128], [b"SET", b"k", b"x" * 128]),
        ([b"SET", b"k", b"x" * 129], [b"SET", b"k", b"x" * 128 + b"... (1 more bytes)"]),
        ([b"a"] * 32, [b"a"] * 32),
        ([b"a"] * 33, [b"a"] * 31 + [b"... (2 more arguments)"]),
        ([b"a"] * 1000, [b"a"] * 31 + [b"... (969 more arguments)"]),
    ],
)
def test_what_is_kept_of_the_arguments(argv: list[bytes], kept: list[bytes]) -> None:
    slowlog = Slowlog(1, 0)
    slowlog.add(0, 0, argv, b"", b"")
    assert slowlog.newest(1)[0].argv == kept
