import pytest

from redrock.util.crc import SLOT_COUNT, crc64, key_hash_slot


def test_crc64_is_that_of_redis() -> None:
    """The check value in Redis' crc64.c."""
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA


def test_crc64_goes_on_where_it_stopped() -> None:
    data = bytes(range(256)) * 5
    for cut in (0, 1, 7, 8, 9, 1000, len(data)):
        assert crc64(memoryview(data)[cut:], crc64(data[:cut])) == crc64(data)


def test_crc64_of_nothing() -> None:
    assert crc64(b"") == 0
    assert crc64(b"", 77) == 77


@pytest.mark.parametrize(
    ("key", "slot"),
    [
        # Answers of CLUSTER KEYSLOT.
        (b"", 0),
        (b"foo", 12182),
        (b"123456789", 12739),
        (b"{user1000}.following", 3443),
        (b"{user1000}.followers", 3443),
        (b"foo{}{bar}", 8363),
        (b"foo{{bar}}zap", 4015),
        (b"foo{bar}{zap}", 5061),
        (b"bar", 5061),
        (b"{bar", 4015),
        (b"foo}{bar", 7624),
    ],
)
def test_key_hash_slot(key: bytes, slot: int) -> None:
    assert key_hash_slot(key) == slot
    assert 0 <= slot < SLOT_COUNT
