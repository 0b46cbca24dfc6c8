"""REPLCONF's options: what each one sets, and what is refused in which words."""

import pytest

from redrock.errors import ReplyError
from replication.protocol.replconf import FollowerOptions, Replconf, ReplconfKind, read_replconf


def read(*words):
    options = FollowerOptions()
    return read_replconf([b"REPLCONF", *words], options), options


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), FollowerOptions()),
        ((b"listening-port", b"6380"), FollowerOptions(listening_port=6380)),
        ((b"LISTENING-PORT", b"-1"), FollowerOptions(listening_port=-1)),
        ((b"ip-address", b"10.1.1.1"), FollowerOptions(ip_address=b"10.1.1.1")),
        ((b"capa", b"eof", b"capa", b"psync2"), FollowerOptions(capa_eof=True, capa_psync2=True)),
        ((b"capa", b"EOF", b"capa", b"of-the-future"), FollowerOptions(capa_eof=True)),
        ((b"rdb-only", b"1"), FollowerOptions(rdb_only=True)),
        ((b"rdb-only", b"1", b"rdb-only", b"0"), FollowerOptions()),
        ((b"rdb-filter-only", b""), FollowerOptions(exclude_data=True, exclude_functions=True)),
        ((b"rdb-filter-only", b"functions"), FollowerOptions(exclude_data=True)),
        ((b"rdb-filter-only", b'"Functions" functions'), FollowerOptions(exclude_data=True)),
    ],
)
def test_options(words, expected):
    told, options = read(*words)
    assert told == Replconf(ReplconfKind.OK)
    assert options == expected
    assert options.filtered is expected.exclude_data


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((b"capa",), b"ERR syntax error"),
        ((b"listening-port", b"x"), b"ERR value is not an integer or out of range"),
        ((b"listening-port", b"99999999999999999999"), b"ERR value is not an integer or out of range"),
        (
            (b"ip-address", b"a" * 256),
            b"ERR REPLCONF ip-address provided by replica instance is too long: 256 bytes",
        ),
        ((b"rdb-only", b"2"), b"ERR value is out of range, value must between 0 and 1"),
        ((b"rdb-only", b"x"), b"ERR value is not an integer or out of range"),
        ((b"rdb-filter-only", b"data"), b"ERR Unsupported rdb-filter-only option: data"),
        ((b"rdb-filter-only", b'"open'), b"ERR Missing rdb-filter-only values"),
        ((b"Foo", b"bar"), b"ERR Unrecognized REPLCONF option: Foo"),
    ],
)
def test_refusals(words, error):
    with pytest.raises(ReplyError) as caught:
        read(*words)
    assert caught.value.text == error


def test_what_comes_before_a_refusal_stays():
    options = FollowerOptions()
    with pytest.raises(ReplyError):
        read_replconf([b"REPLCONF", b"listening-port", b"7", b"foo", b"bar"], options)
    assert options.listening_port == 7


def test_the_longest_address():
    assert read(b"ip-address", b"a" * 255)[1].ip_address == b"a" * 255


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((b"ack", b"12"), Replconf(ReplconfKind.ACK, 12)),
        ((b"ACK", b"x"), Replconf(ReplconfKind.ACK, -1)),
        ((b"ack", b"12", b"no-such", b"option"), Replconf(ReplconfKind.ACK, 12)),
        ((b"getack", b"*"), Replconf(ReplconfKind.GETACK)),
    ],
)
def test_acks_end_the_command(words, told):
    assert read(*words)[0] == told


def test_who_can_share_a_snapshot():
    old, new = FollowerOptions(), FollowerOptions(capa_eof=True, capa_psync2=True)
    assert new.has_capa_of(old)
    assert not old.has_capa_of(new)
    assert FollowerOptions(capa_eof=True).has_capa_of(FollowerOptions(capa_eof=True))
    assert FollowerOptions(exclude_data=True).requirements != old.requirements
