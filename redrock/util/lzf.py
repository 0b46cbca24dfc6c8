"""LZF, the compression of strings in RDB files. The only importer of its library.

With python-lzf both ways are fast. It has no wheel and needs a C compiler at installation, so it is optional: without
it nothing is compressed, and what others have compressed is read by the decoder below (some MB/s).

Format (liblzf, lzf_d.c): a sequence of
  000LLLLL <L+1 bytes>                  literal run, 1 to 32 bytes
  LLLooooo oooooooo                     back reference, L+2 bytes (3 to 8), offset o+1
  111ooooo LLLLLLLL oooooooo            back reference, L+9 bytes (9 to 264), offset o+1
"""

from typing import Final, Optional

from redrock.errors import CorruptionError

try:
    import lzf as _lzf

    _available = True
except ImportError:
    _available = False

AVAILABLE: Final = _available

# Redis tries from this length on.
LENGTH_MIN: Final = 21
# Redis offers liblzf four bytes less than the original has; python-lzf adds one to what it is offered. With one less
# the outcome is the same, byte for byte.
_SAVED_MIN: Final = 5

# Three bytes of input can stand for at most 264 bytes of output: what claims more is corrupt, and is refused before
# memory is set aside for it.
_EXPANSION_MAX: Final = 88


def compress(data: bytes) -> Optional[bytes]:
    """The compressed form, or None where Redis would store the string as it is."""
    length = len(data)
    if not AVAILABLE or length < LENGTH_MIN:
        return None
    return _lzf.compress(data, length - _SAVED_MIN)


def decompress(data: bytes, length: int) -> bytes:
    """The original, which must be exactly ``length`` bytes long. Raises CorruptionError."""
    if length <= 0 or length > len(data) * _EXPANSION_MAX:
        raise CorruptionError("Invalid LZF compressed string")
    if not AVAILABLE:
        return decompress_slowly(data, length)
    try:
        plain = _lzf.decompress(data, length)
    except ValueError:
        plain = None
    if plain is None or len(plain) != length:
        raise CorruptionError("Invalid LZF compressed string")
    return plain


def decompress_slowly(data: bytes, length: int) -> bytes:
    """The same in Python."""
    out = bytearray()
    position = 0
    end = len(data)
    while position < end:
        control = data[position]
        position += 1
        if control < 32:
            run = control + 1
            if position + run > end or len(out) + run > length:
                raise CorruptionError("Invalid LZF compressed string", position=position)
            out += data[position : position + run]
            position += run
            continue
        run = control >> 5
        header = 2 if run == 7 else 1
        if position + header > end:
            raise CorruptionError("Invalid LZF compressed string", position=position)
        if run == 7:
            run += data[position]
            position += 1
        run += 2
        start = len(out) - ((control & 31) << 8) - data[position] - 1
        position += 1
        if start < 0 or len(out) + run > length:
            raise CorruptionError("Invalid LZF compressed string", position=position)
        distance = len(out) - start
        if distance >= run:
            out += out[start : start + run]
        else:
            # The reference overlaps what it produces: its last `distance` bytes repeat.
            pattern = bytes(out[start:])
            out += (pattern * (run // distance + 1))[:run]
    if len(out) != length:
        raise CorruptionError("Invalid LZF compressed string", position=position)
    return bytes(out)
