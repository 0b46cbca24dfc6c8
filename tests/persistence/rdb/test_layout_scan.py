import pytest

from persistence.rdb.layout_scan import LAYOUTS, LayoutScan
from redrock.errors import CorruptionError

LZF = b"\xc3\x06\x15\x01aa\xe0\x0a\x00"
ID = b"i" * 16
TIME = b"t" * 8

# Layout, and bytes that it describes.
CASES = [
    (b"", b""),
    (b"S", b"\x00"),
    (b"S", b"\x03abc"),
    (b"S", b"\x40\x50" + b"x" * 80),
    (b"S", b"\x80\x00\x00\x00\x02ab"),
    (b"S", b"\x81\x00\x00\x00\x00\x00\x00\x00\x02ab"),
    (b"S", b"\xc0\x05"),
    (b"S", b"\xc1\x05\x00"),
    (b"S", b"\xc2\x05\x00\x00\x00"),
    (b"S", LZF),
    (b"S", b"\xc3\x40\x06\x80\x00\x00\x00\x15\x01aa\xe0\x0a\x00"),
    (b"L", b"\x81" + b"\xff" * 8),
    (b"148FL", b"x" * 29 + b"\x00"),
    (b"(S)", b"\x00"),
    (b"(S)L", b"\x02\x01a\x01b\x07"),
    (b"(SS)", b"\x40\x64" + b"\x01f\x01v" * 100),
    (b"(SD)", b"\x05\x01a\x031.5\x01b\xfd\x01c\xfe\x01d\xff\x01e\x00"),
    (b"(S8)S", b"\x02\x01a" + TIME + b"\x01b" + TIME + b"\x01z"),
    (b"(L(S)L)S", b"\x03\x01\x02\x01a\x01b\x09\x01\x00\x09\x01\x01\x01c\x09\x01z"),
    (b"((S)(L))1", b"\x02\x01\x01a\x02\x01\x02\x00\x00x"),
    (b"(L(S(L)))1", b"\x00x"),
    (b"?SL", b"\x00\x07"),
    (b"?SL", b"\x01\x01a\x07"),
    (b"LM", b"\x81" + b"m" * 8 + b"\x01\x05\x02\x40\x50\x03abcd\x04abcdefgh\x05\x03abc\x05" + LZF + b"\x00"),
    (LAYOUTS[15], b"\x01\x10" + ID + b"\x03abc\x01\x02\x03\x00"),
    (
        LAYOUTS[19],
        b"\x01\x10"
        + ID
        + b"\x03abc"
        + b"\x01\x02\x03\x04\x05\x06\x07\x08"
        + b"\x02"
        + (b"\x02g1\x01\x02\x03" + b"\x01" + ID + TIME + b"\x01" + b"\x01\x03bob" + TIME + b"\x01" + ID)
        + (b"\x02g2\x01\x02\x03" + b"\x00" + b"\x00"),
    ),
    (LAYOUTS[21], b"\x00" + b"\x01" * 8 + b"\x01\x01g\x01\x02\x03\x00\x01\x03bob" + TIME + TIME + b"\x00"),
]


def scan_pieces(layout: bytes, data: bytes, step: int) -> int:
    """How far the scan gets over ``data`` in pieces; -1 if it wants more. What it leaves is put before the next."""
    scan = LayoutScan()
    scan.start(layout)
    rest = b""
    base = 0
    for start in range(0, len(data) or 1, step):
        piece = rest + data[start : start + step]
        position = scan.advance(piece, 0, len(piece))
        assert 0 <= position <= len(piece)
        if scan.done:
            return base + position
        # It never asks for less than it has not been able to use, nor for the body of a string.
        assert len(piece) - position < scan.needed <= 20
        base += position
        rest = piece[position:]
    return -1


@pytest.mark.parametrize(("layout", "data"), CASES)
@pytest.mark.parametrize("step", [1, 2, 3, 7, 1 << 20])
@pytest.mark.parametrize("trailing", [b"", b"\xffmore"])
def test_extent(layout: bytes, data: bytes, step: int, trailing: bytes) -> None:
    assert scan_pieces(layout, data + trailing, step) == len(data)


@pytest.mark.parametrize(("layout", "data"), CASES)
def test_cut_short(layout: bytes, data: bytes) -> None:
    for cut in range(len(data)):
        assert scan_pieces(layout, data[:cut], 1) == -1
        assert scan_pieces(layout, data[:cut], 1 << 20) == -1


@pytest.mark.parametrize(
    ("layout", "data", "position"),
    [
        (b"S", b"\x82", 0),
        (b"S", b"\xc4", 0),
        (b"LL", b"\x01\xc0", 1),
        (b"(S)", b"\x02\x01a\xff", 3),
        (b"LM", b"\0\6", 1),
    ],
)
def test_corrupt(layout: bytes, data: bytes, position: int) -> None:
    scan = LayoutScan()
    scan.base = 1000
    scan.start(layout)
    with pytest.raises(CorruptionError) as caught:
        scan.advance(data, 0, len(data))
    assert caught.value.position == 1000 + position


def test_a_hostile_length_only_waits() -> None:
    scan = LayoutScan()
    scan.start(b"(S)")
    data = b"\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x81\x7f\xff\xff\xff\xff\xff\xff\xffabc"
    assert scan.advance(data, 0, len(data)) == len(data)
    assert not scan.done
    assert scan.needed == 1


def test_every_layout_is_well_formed() -> None:
    for layout in LAYOUTS.values():
        depth = 0
        for character in layout.decode():
            assert character in "SLD148FM?()"
            depth += {"(": 1, ")": -1}.get(character, 0)
            assert depth >= 0
        assert depth == 0
