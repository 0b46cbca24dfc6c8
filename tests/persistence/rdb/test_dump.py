import pytest
from hypothesis import given
from hypothesis import strategies as st

from persistence.rdb.codec import encode_record
from persistence.rdb.dump import dump_payload, dump_record, is_intact, restore_value
from persistence.rdb.values.value_codec import CHECK_DEEP, CHECK_STRUCTURE, LoadLimits
from redrock.datatypes import listpack
from redrock.datatypes.hash import HashValue
from redrock.datatypes.string import StringValue
from redrock.datatypes.value import Value
from redrock.errors import ReplyError
from redrock.util import lzf
from redrock.util.crc import crc64

LIMITS = LoadLimits(check=CHECK_DEEP)
WRONG = b"ERR DUMP payload version or checksum are wrong"
BAD = b"ERR Bad data format"

# What DUMP of redis-server 7.0.15 answered, with rdbcompression on.
PLAIN: list[tuple[Value, bytes]] = [
    (StringValue(b""), b"\x00\x00\n\x00]\x9b\\@\x0f\x7f\xa2\xda"),
    (StringValue(b"hello"), b"\x00\x05hello\n\x00cr\xdfve4 \n"),
    (StringValue(b"-129"), b"\x00\xc1\x7f\xff\n\x00\x17`\x82(T\x80\x84\x80"),
    (StringValue(b"10.5"), b"\x00\x0410.5\n\x00\x13\xd8\xfcTF\xc2\xfc\x8a"),
    (
        HashValue.from_flat([b"f", b"v", b"n", b"1000"], 128, 64),
        b"\x10\x13\x13\x00\x00\x00\x04\x00\x81f\x02\x81v\x02\x81n\x02\xc3\xe8\x02\xff\n\x00\xf8]}\xf55\xb6%\xf1",
    ),
]
COMPRESSED: list[tuple[Value, bytes]] = [
    (StringValue(b"a" * 100), b"\x00\xc3\t@d\x01aa\xe0W\x00\x01aa\n\x00\xe8\xa3\xb5\x07\xb0m\xf2q"),
    (
        HashValue.from_flat([b"f", b"x" * 70], 128, 64),
        b"\x04\x01\x01f\xc3\t@F\x01xx\xe09\x00\x01xx\n\x00>l\x95_.R\xe7\xc1",
    ),
]


def content(value: Value) -> object:
    if isinstance(value, StringValue):
        return value.as_bytes()
    assert isinstance(value, HashValue)
    return value.items()


def sealed(body: bytes, version: int = 10) -> bytes:
    """``body`` with a good footer."""
    data = body + version.to_bytes(2, "little")
    return data + crc64(data).to_bytes(8, "little")


def refusal(payload: bytes, limits: LoadLimits = LIMITS) -> bytes:
    with pytest.raises(ReplyError) as caught:
        restore_value(payload, limits)
    return caught.value.text


@pytest.mark.parametrize(("value", "payload"), PLAIN)
def test_payloads_of_redis(value: Value, payload: bytes) -> None:
    assert dump_payload(value, True) == payload
    assert dump_record(encode_record(value)) == payload
    assert content(restore_value(payload, LIMITS)) == content(value)


@pytest.mark.parametrize(("value", "payload"), COMPRESSED)
def test_compressed_payloads_of_redis(value: Value, payload: bytes) -> None:
    assert content(restore_value(payload, LIMITS)) == content(value)
    if lzf.AVAILABLE:
        assert dump_payload(value, True) == payload
    assert content(restore_value(dump_payload(value, False), LIMITS)) == content(value)


@pytest.mark.parametrize("payload", [payload for _, payload in PLAIN + COMPRESSED])
def test_every_damage_is_refused(payload: bytes) -> None:
    for cut in range(len(payload)):
        assert refusal(payload[:cut]) == WRONG
    for position in range(len(payload)):
        for bit in range(8):
            assert (
                refusal(payload[:position] + bytes([payload[position] ^ 1 << bit]) + payload[position + 1 :]) == WRONG
            )


@pytest.mark.parametrize("version", [0, 6, 9, 10, 11, 12])
def test_versions_that_are_read(version: int) -> None:
    """Differs from Redis: 7.0.15 refuses versions beyond its own, 10."""
    assert content(restore_value(sealed(b"\x00\x01x", version), LIMITS)) == b"x"


@pytest.mark.parametrize("version", [13, 80, 0x0A0A, 0xFFFF])
def test_versions_that_are_refused(version: int) -> None:
    assert refusal(sealed(b"\x00\x01x", version)) == WRONG


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00",
        b"\x00\x05abc",
        b"\x08\x01x",
        b"\xff",
        b"\x04\x00",
        b"\x04\x02\x01f\x01v\x01f\x01w",
        b"\x04\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x01f\x01v",
        b"\x10\x07" + listpack.EMPTY,
        b"\x10\x0a\x0a\x00\x00\x00\x01\x00\x81f\x02\xff",
        b"\x00\xc3\x06\x80\xff\xff\xff\xff\x01aa\xe0\x0a\x00",
    ],
)
def test_intact_nonsense(body: bytes) -> None:
    assert refusal(sealed(body)) == BAD


def test_the_check_can_be_less_deep() -> None:
    double = listpack.from_list([b"f", b"1", b"f", b"2"])
    payload = sealed(b"\x10" + bytes([len(double)]) + double)
    assert refusal(payload) == BAD
    assert isinstance(restore_value(payload, LoadLimits(check=CHECK_STRUCTURE)), HashValue)


def test_bytes_behind_the_value_are_ignored() -> None:
    assert content(restore_value(sealed(b"\x00\x01xyz"), LIMITS)) == b"x"


def test_the_checksum_can_be_ignored() -> None:
    payload = sealed(b"\x00\x01x")[:-1] + b"?"
    assert not is_intact(payload)
    assert is_intact(payload, verify_checksum=False)
    assert content(restore_value(payload, LIMITS, verify_checksum=False)) == b"x"


@given(st.binary(max_size=60))
def test_any_bytes_in_a_good_footer(body: bytes) -> None:
    try:
        value = restore_value(sealed(body), LIMITS)
    except ReplyError:
        assert refusal(sealed(body)) == BAD
    else:
        assert content(restore_value(dump_payload(value, True), LIMITS)) == content(value)
