import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.errors import CorruptionError
from redrock.util import lzf

# Plain and compressed, as redis-server 7.0.15 has them in RDB files.
SAMPLES = [
    (b"a" * 21, b"\x01aa\xe0\x0a\x00"),
    (b"ab" * 20, b"\x02aba\xe0\x1a\x01\x01ab"),
    (b"a" * 137, b"\x01aa\xe0|\x00\x01aa"),
]

needs_library = pytest.mark.skipif(not lzf.AVAILABLE, reason="python-lzf is not installed")


@pytest.mark.parametrize(("plain", "packed"), SAMPLES)
def test_decompress(plain: bytes, packed: bytes) -> None:
    assert lzf.decompress(packed, len(plain)) == plain
    assert lzf.decompress_slowly(packed, len(plain)) == plain


@needs_library
@pytest.mark.parametrize(("plain", "packed"), SAMPLES)
def test_compress(plain: bytes, packed: bytes) -> None:
    assert lzf.compress(plain) == packed


@needs_library
def test_short_and_incompressible_strings_stay_as_they_are() -> None:
    assert lzf.compress(b"a" * 20) is None
    assert lzf.compress(random.Random(1).randbytes(500)) is None


@needs_library
def test_what_saves_too_little_stays_as_it_is() -> None:
    """redis-server stores these 39 bytes plainly, though liblzf could make 35 of them."""
    assert lzf.compress(b'{"a":1, beta gamma "name": {"a":1, beta') is None


@needs_library
@given(st.lists(st.sampled_from([b"alpha", b"be", b"{}", b"\x00" * 30, b"123"]), max_size=200).map(b"".join))
def test_both_decoders_undo_compression(plain: bytes) -> None:
    packed = lzf.compress(plain)
    if packed is not None:
        assert len(packed) <= len(plain) - 4
        assert lzf.decompress(packed, len(plain)) == plain
        assert lzf.decompress_slowly(packed, len(plain)) == plain


@given(st.binary(max_size=60), st.integers(0, 4000))
def test_decoders_agree_on_anything(data: bytes, length: int) -> None:
    """They return the same bytes, of the length asked for, or refuse."""
    outcomes: list[bytes | None] = []
    for decoder in (lzf.decompress, lzf.decompress_slowly):
        try:
            outcomes.append(decoder(data, length))
        except CorruptionError:
            outcomes.append(None)
    assert outcomes[0] is None or len(outcomes[0]) == length
    # Of nothing at all the second makes nothing; Redis never writes that.
    if length:
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("length", [0, -1, 20, 22, 1 << 20, 1 << 40, 1 << 62])
def test_a_wrong_length_is_refused_without_setting_memory_aside(length: int) -> None:
    with pytest.raises(CorruptionError):
        lzf.decompress(b"\x01aa\xe0\x0a\x00", length)


@pytest.mark.parametrize("cut", range(6))
def test_cut_short(cut: int) -> None:
    for decoder in (lzf.decompress, lzf.decompress_slowly):
        with pytest.raises(CorruptionError):
            decoder(b"\x01aa\xe0\x0a\x00"[:cut], 21)
