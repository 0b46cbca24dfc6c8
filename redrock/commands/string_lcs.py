"""LCS: the longest common subsequence of two strings.

Source of behaviour: Redis 7.0.15, t_string.c, lcsCommand, which fills a table of len(a) * len(b) lengths and walks back
through it. The same answer, match for match, comes from one bit per cell: a row of the table never grows by more than
one from a cell to the next, so it is enough to know where it grows. A row of such bits is one Python integer, and is
had from the row above by an addition (Hyyro, "Bit-parallel LCS-length computation revisited", 2004). That costs
len(a) * len(b) / 64 word operations, instead of one per cell, and an eighth of a byte per cell, instead of four bytes.

Walking back from cell (i, j), where the two bytes differ, Redis goes up if L(i-1, j) > L(i, j-1), else left. As L(i, j)
is the larger of the two, that is: up if the row grows at j, which is the bit.
"""

from typing import Final, final

from librt.strings import BytesWriter
from mypy_extensions import i64

from redrock import errors
from redrock.commands.arguments import integer
from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.datatypes.string import StringValue
from redrock.errors import ReplyError
from redrock.resp.reply import MapReply, Reply

_LENGTH_LIMIT: Final = 2**32 - 2
# Redis refuses a table that does not fit into proto-max-bulk-len, at four bytes per cell: so do we, in its place.
_CELL_BYTES: Final = 4


@final
class _Options:
    def __init__(self, argv: list[bytes]) -> None:
        self.length = False
        self.indexes = False
        self.with_match_length = False
        self.match_length_min = 0
        at = 3
        while at < len(argv):
            option = argv[at].upper()
            if option == b"IDX":
                self.indexes = True
            elif option == b"LEN":
                self.length = True
            elif option == b"WITHMATCHLEN":
                self.with_match_length = True
            elif option == b"MINMATCHLEN" and at + 1 < len(argv):
                at += 1
                self.match_length_min = max(integer(argv[at]), 0)
            else:
                raise ReplyError(errors.SYNTAX)
            at += 1
        if self.length and self.indexes:
            raise ReplyError(errors.LCS_LENGTH_AND_INDEXES)


def lcs(ctx: Context, argv: list[bytes]) -> Reply:
    """LCS key1 key2 [LEN] [IDX] [MINMATCHLEN n] [WITHMATCHLEN]"""
    first = ctx.db.lookup_read(argv[1])
    second = ctx.db.lookup_read(argv[2])
    a = b""
    b = b""
    if first is not None:
        if not isinstance(first, StringValue):
            raise ReplyError(errors.LCS_NOT_STRINGS)
        a = first.as_bytes()
    if second is not None:
        if not isinstance(second, StringValue):
            raise ReplyError(errors.LCS_NOT_STRINGS)
        b = second.as_bytes()
    options = _Options(argv)
    if len(a) >= _LENGTH_LIMIT or len(b) >= _LENGTH_LIMIT:
        raise ReplyError(errors.LCS_STRING_TOO_LONG)
    if (len(a) + 1) * (len(b) + 1) * _CELL_BYTES > ctx.settings.proto_max_bulk_len:
        raise ReplyError(errors.LCS_TOO_MUCH_MEMORY)
    if options.length:
        return common_length(a, b)
    rows = _growth_rows(a, b)
    if not options.indexes:
        return _subsequence(a, b, rows)
    matches: list[Reply] = []
    length = _collect_matches(a, b, rows, matches, options.match_length_min, options.with_match_length)
    return MapReply([b"matches", matches, b"len", length])


def common_length(a: bytes, b: bytes) -> int:
    """The length of the longest common subsequence. O(len(a) * len(b) / 64)."""
    if len(a) > len(b):
        a, b = b, a  # few long additions are cheaper than many short ones
    width = len(b)
    full = (1 << width) - 1
    places = _places(b)
    level = full
    for byte in a:
        hits = level & places[byte]
        level = ((level + hits) | (level - hits)) & full
    return width - level.bit_count()


def _places(b: bytes) -> list[int]:
    """For each byte value, an integer with a bit set wherever ``b`` has that byte."""
    size = (len(b) + 7) // 8
    found: list[int] = [0] * 256
    for value in set(b):
        bits = bytearray(size)
        place = b.find(value)
        while place >= 0:
            bits[place >> 3] |= 1 << (place & 7)
            place = b.find(value, place + 1)
        found[value] = int.from_bytes(bits, "little")
    return found


def _growth_rows(a: bytes, b: bytes) -> bytes:
    """Row i - 1, of (len(b) + 7) // 8 bytes: bit j - 1 is 0 if L(i, j) = L(i, j - 1) + 1, and 1 if they are equal."""
    width = len(b)
    size = (width + 7) // 8
    full = (1 << width) - 1
    places = _places(b)
    level = full
    rows = BytesWriter()
    for byte in a:
        hits = level & places[byte]
        level = ((level + hits) | (level - hits)) & full
        rows.write(level.to_bytes(size, "little"))
    return rows.getvalue()


def _subsequence(a: bytes, b: bytes, rows: bytes) -> bytes:
    size: i64 = (len(b) + 7) >> 3
    i: i64 = len(a)
    j: i64 = len(b)
    backwards: list[int] = []
    while i > 0 and j > 0:
        if a[i - 1] == b[j - 1]:
            backwards.append(a[i - 1])
            i -= 1
            j -= 1
        elif _grows(rows, size, i, j):
            i -= 1
        else:
            j -= 1
    backwards.reverse()
    return bytes(backwards)


def _grows(rows: bytes, size: i64, i: i64, j: i64) -> bool:
    """Whether L(i, j) = L(i, j - 1) + 1."""
    place: i64 = j - 1
    byte: i64 = rows[(i - 1) * size + (place >> 3)]
    return (byte >> (place & 7)) & 1 == 0


def _collect_matches(a: bytes, b: bytes, rows: bytes, matches: list[Reply], length_min: int, with_length: bool) -> int:
    """Runs of bytes that belong together in both strings, from the end on; the length of the whole subsequence."""
    size: i64 = (len(b) + 7) >> 3
    i: i64 = len(a)
    j: i64 = len(b)
    total = 0
    # The run being followed: its length, 0 if there is none, and where it begins so far in either string.
    a_start: i64 = 0
    b_start: i64 = 0
    run: i64 = 0
    while i > 0 and j > 0:
        over = False
        if a[i - 1] == b[j - 1]:
            total += 1
            i -= 1
            j -= 1
            run += 1  # a byte that does not belong to the run has ended it, below
            a_start = i
            b_start = j
            over = i == 0 or j == 0
        else:
            if _grows(rows, size, i, j):
                i -= 1
            else:
                j -= 1
            over = run > 0
        if over:
            _add_match(matches, a_start, b_start, run, length_min, with_length)
            run = 0
    return total


def _add_match(matches: list[Reply], a_start: i64, b_start: i64, run: i64, length_min: int, with_length: bool) -> None:
    if run < length_min:
        return
    match: list[Reply] = [[a_start, a_start + run - 1], [b_start, b_start + run - 1]]
    if with_length:
        match.append(run)
    matches.append(match)


HANDLERS: Final[dict[bytes, Handler]] = {
    b"lcs": lcs,
}
