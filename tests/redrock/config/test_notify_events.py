"""The letters of notify-keyspace-events. tests/differential/test_config.py compares them with redis-server."""

import pytest

from redrock.config.notify_events import NOTIFY_ALL, format_notify_events, parse_notify_events
from redrock.interfaces import NOTIFY_KEY_MISS, NOTIFY_KEYEVENT, NOTIFY_KEYSPACE, NOTIFY_NEW, NOTIFY_STRING


def test_every_letter_is_printed_back() -> None:
    for letter in "g$lshzxetdnKEm":
        flags = parse_notify_events(letter.encode())
        assert flags is not None
        assert flags.bit_count() == 1
        assert format_notify_events(flags) == letter.encode()


@pytest.mark.parametrize(
    ("letters", "printed"),
    [
        (b"", b""),
        (b"KEA", b"AKE"),
        (b"g$lshzxetd", b"A"),
        (b"g$lshzxet", b"g$lshzxet"),
        (b"EKEK", b"KE"),
        # Redis prints A in place of the group that n stands in.
        (b"nAKm", b"AKm"),
        (b"mn", b"nm"),
    ],
)
def test_order_and_abbreviation(letters: bytes, printed: bytes) -> None:
    flags = parse_notify_events(letters)
    assert flags is not None
    assert format_notify_events(flags) == printed


def test_all_leaves_out_misses_and_new_keys() -> None:
    assert NOTIFY_ALL & NOTIFY_STRING
    assert not NOTIFY_ALL & (NOTIFY_KEY_MISS | NOTIFY_NEW | NOTIFY_KEYSPACE | NOTIFY_KEYEVENT)


@pytest.mark.parametrize("letters", [b"k", b"KEy", b" ", b"K E", b"\xff"])
def test_unknown_letters(letters: bytes) -> None:
    assert parse_notify_events(letters) is None
