"""Finds where a value ends without decoding it, over bytes that arrive in pieces.

Every type of value, and every opcode of the file, has a *layout*: a text with one character per item.

    S   a string                       1 4 8 F   that many bytes (F: 16)
    L   a length or number             D   a double in its old text form
    ( )  a length, then the items inside as often as it says
    ?   a length; if it is 0, the next item is missing
    M   items of a module, each with an opcode, up to the one that ends them

Invariant: the scan only moves over whole items (or into the body of a string, counting what is left of it), so it goes
on where it stopped, and each byte is looked at once.
Source: Redis 7.0.15, rdb.c, rdbLoadObject and rdbLoadRio; later types: rdb.c of 7.2 and 7.4.
"""

from typing import Final, final

from mypy_extensions import i64

from persistence.rdb import format as rdb_format
from persistence.rdb.format import (
    ENCODING_INT8,
    ENCODING_INT16,
    ENCODING_INT32,
    ENCODING_LZF,
    LENGTH_6BIT_MAX,
    LENGTH_32BIT,
    LENGTH_64BIT,
    LENGTH_ENCODED,
    MODULE_DOUBLE,
    MODULE_EOF,
    MODULE_FLOAT,
    MODULE_SINT,
    MODULE_STRING,
    MODULE_UINT,
)
from redrock.errors import CorruptionError

LAYOUT_STRING: Final = b"S"

LAYOUTS: Final[dict[int, bytes]] = {
    rdb_format.TYPE_STRING: LAYOUT_STRING,
    rdb_format.TYPE_LIST: b"(S)",
    rdb_format.TYPE_SET: b"(S)",
    rdb_format.TYPE_ZSET: b"(SD)",
    rdb_format.TYPE_HASH: b"(SS)",
    rdb_format.TYPE_ZSET_2: b"(S8)",
    rdb_format.TYPE_MODULE_2: b"LM",
    rdb_format.TYPE_HASH_ZIPMAP: LAYOUT_STRING,
    rdb_format.TYPE_LIST_ZIPLIST: LAYOUT_STRING,
    rdb_format.TYPE_SET_INTSET: LAYOUT_STRING,
    rdb_format.TYPE_ZSET_ZIPLIST: LAYOUT_STRING,
    rdb_format.TYPE_HASH_ZIPLIST: LAYOUT_STRING,
    rdb_format.TYPE_LIST_QUICKLIST: b"(S)",
    # Listpacks by id; length; last id; groups: name, last id, pending entries (id, time, count), consumers: name, time
    # seen, ids of pending entries. Version 2 adds first id, highest deleted id and entries added, and to a group how
    # much it has read; version 3 the time when a consumer was active.
    rdb_format.TYPE_STREAM_LISTPACKS: b"(SS)LLL(SLL(F8L)(S8(F)))",
    rdb_format.TYPE_HASH_LISTPACK: LAYOUT_STRING,
    rdb_format.TYPE_ZSET_LISTPACK: LAYOUT_STRING,
    rdb_format.TYPE_LIST_QUICKLIST_2: b"(LS)",
    rdb_format.TYPE_STREAM_LISTPACKS_2: b"(SS)LLLLLLLL(SLLL(F8L)(S8(F)))",
    rdb_format.TYPE_SET_LISTPACK: LAYOUT_STRING,
    rdb_format.TYPE_STREAM_LISTPACKS_3: b"(SS)LLLLLLLL(SLLL(F8L)(S88(F)))",
    rdb_format.TYPE_HASH_METADATA_PRE_GA: b"(LSS)",
    rdb_format.TYPE_HASH_LISTPACK_EX_PRE_GA: LAYOUT_STRING,
    rdb_format.TYPE_HASH_METADATA: b"8(LSS)",
    rdb_format.TYPE_HASH_LISTPACK_EX: b"8S",
    rdb_format.OPCODE_SLOT_INFO: b"LLL",
    rdb_format.OPCODE_FUNCTION2: b"S",
    rdb_format.OPCODE_FUNCTION_PRE_GA: b"SS?SS",
    rdb_format.OPCODE_MODULE_AUX: b"LLLM",
    rdb_format.OPCODE_IDLE: b"L",
    rdb_format.OPCODE_FREQ: b"1",
    rdb_format.OPCODE_AUX: b"SS",
    rdb_format.OPCODE_RESIZEDB: b"LL",
    rdb_format.OPCODE_SELECTDB: b"L",
    rdb_format.OPCODE_EXPIRETIME: b"4",
    rdb_format.OPCODE_EXPIRETIME_MS: b"8",
}

# The characters.
_STRING: Final = 0x53
_LENGTH: Final = 0x4C
_TEXT_DOUBLE: Final = 0x44
_MODULE_ITEMS: Final = 0x4D
_LOOP: Final = 0x28
_LOOP_END: Final = 0x29
_OPTION: Final = 0x3F
_RAW_1: Final = 0x31
_RAW_4: Final = 0x34
_RAW_8: Final = 0x38
_RAW_16: Final = 0x46

# No real length or count comes near it: a safe upper end for native integers.
_COUNT_MAX: Final = 1 << 62


@final
class LayoutScan:
    """One scan at a time: ``start``, then ``advance`` over each piece until ``done``.

    ``base`` is the position in the file of the first byte of the piece, for messages. While not ``done``, ``needed``
    bytes from the returned position on are what it takes to go further.
    """

    def __init__(self) -> None:
        self.base: i64 = 0
        self.done: bool = True
        self.needed: i64 = 0
        self._layout: bytes = b""
        self._place: i64 = 0
        self._skip: i64 = 0
        # The innermost loop: its first item and how many rounds are left, the present one included.
        self._loop_place: i64 = 0
        self._loop_left: i64 = 0
        self._outer_loops: list[tuple[i64, i64]] = []

    def start(self, layout: bytes) -> None:
        self._layout = layout
        self._place = 0
        self._skip = 0
        self._loop_left = 0
        self._outer_loops = []
        self.done = False

    def advance(self, data: bytes, position: i64, end: i64) -> i64:
        """Scans ``data`` from ``position`` to ``end``; returns how far it came. Raises CorruptionError."""
        layout = self._layout
        stop: i64 = len(layout)
        while True:
            if self._skip:
                if self._skip > end - position:
                    self._skip -= end - position
                    self.needed = 1
                    return end
                position += self._skip
                self._skip = 0
            if self._place == stop:
                self.done = True
                return position
            item: i64 = layout[self._place]
            if item == _LOOP_END:
                self._end_round()
                continue
            after = self._item(data, position, end, item)
            if after < 0:
                return position
            position = after

    def _item(self, data: bytes, position: i64, end: i64, item: i64) -> i64:
        """Passes one item: the position behind it (or behind a string's header), or -1 if bytes are missing."""
        if item == _STRING:
            after = self._string(data, position, end)
            if after >= 0:
                self._place += 1
            return after
        if item == _MODULE_ITEMS:
            return self._module_item(data, position, end)
        if item in (_LENGTH, _LOOP, _OPTION):
            number, after = self._number(data, position, end)
            if after < 0:
                return -1
            if item == _LOOP:
                self._begin_loop(number)
            elif item == _OPTION and number == 0:
                self._place += 2
            else:
                self._place += 1
            return after
        if item == _TEXT_DOUBLE:
            if position >= end:
                self.needed = 1
                return -1
            digits: i64 = data[position]
            # 253 and up are not lengths: not a number and the infinities.
            self._skip = 1 + digits if digits < 253 else 1
        elif item == _RAW_8:
            self._skip = 8
        elif item == _RAW_16:
            self._skip = 16
        elif item == _RAW_4:
            self._skip = 4
        else:
            assert item == _RAW_1
            self._skip = 1
        self._place += 1
        return position

    def _begin_loop(self, count: i64) -> None:
        if count == 0:
            depth: i64 = 1
            while depth:
                self._place += 1
                if self._layout[self._place] == _LOOP:
                    depth += 1
                elif self._layout[self._place] == _LOOP_END:
                    depth -= 1
            self._place += 1
            return
        if self._loop_left:
            self._outer_loops.append((self._loop_place, self._loop_left))
        self._place += 1
        self._loop_place = self._place
        self._loop_left = count

    def _end_round(self) -> None:
        self._loop_left -= 1
        if self._loop_left:
            self._place = self._loop_place
            return
        self._place += 1
        if self._outer_loops:
            self._loop_place, self._loop_left = self._outer_loops.pop()

    def _string(self, data: bytes, position: i64, end: i64) -> i64:
        """Passes the header of a string and leaves its body to be skipped. -1 if bytes are missing."""
        if position >= end:
            self.needed = 1
            return -1
        first: i64 = data[position]
        if first < LENGTH_6BIT_MAX:
            self._skip = first
            return position + 1
        if first < LENGTH_ENCODED:
            length, after = self._number(data, position, end)
            if after >= 0:
                self._skip = length
            return after
        encoding = first - LENGTH_ENCODED
        if encoding == ENCODING_LZF:
            packed_length, after = self._number(data, position + 1, end)
            if after < 0:
                self.needed += 1
                return -1
            header_end = after
            _, after = self._number(data, header_end, end)
            if after < 0:
                self.needed += header_end - position
                return -1
            self._skip = packed_length
            return after
        if encoding == ENCODING_INT8:
            self._skip = 1
        elif encoding == ENCODING_INT16:
            self._skip = 2
        elif encoding == ENCODING_INT32:
            self._skip = 4
        else:
            raise self._error(f"Unknown RDB string encoding type {encoding}", position)
        return position + 1

    def _number(self, data: bytes, position: i64, end: i64) -> tuple[i64, i64]:
        """A length or count and the position behind it, which is -1 if bytes are missing."""
        if position >= end:
            self.needed = 1
            return 0, -1
        first: i64 = data[position]
        if first < LENGTH_6BIT_MAX:
            return first, position + 1
        if first < LENGTH_32BIT:
            if end - position < 2:
                self.needed = 2
                return 0, -1
            return ((first & 0x3F) << 8) | data[position + 1], position + 2
        size: i64
        if first == LENGTH_32BIT:
            size = 5
        elif first == LENGTH_64BIT:
            size = 9
        else:
            raise self._error(f"Unknown length encoding {first >> 6} in rdbLoadLen()", position)
        if end - position < size:
            self.needed = size
            return 0, -1
        number: i64 = 0
        index: i64 = position + 1
        while index < position + size:
            # Numbers that are not lengths, as ids of streams, may have all 64 bits; what is cut off here is not used.
            if number >= _COUNT_MAX >> 8:
                number = _COUNT_MAX
                break
            number = (number << 8) | data[index]
            index += 1
        return number, position + size

    def _module_item(self, data: bytes, position: i64, end: i64) -> i64:
        """Passes one item of a module, or the opcode that ends them. -1 if bytes are missing."""
        opcode, after = self._number(data, position, end)
        if after < 0:
            return -1
        if opcode == MODULE_EOF:
            self._place += 1
            return after
        header_end = after
        if opcode in (MODULE_SINT, MODULE_UINT):
            _, after = self._number(data, header_end, end)
        elif opcode == MODULE_STRING:
            after = self._string(data, header_end, end)
        elif opcode == MODULE_FLOAT:
            self._skip = 4
        elif opcode == MODULE_DOUBLE:
            self._skip = 8
        else:
            raise self._error(f"Unknown opcode {opcode} in the value of a module", position)
        if after < 0:
            self.needed += header_end - position
        return after

    def _error(self, reason: str, position: i64) -> CorruptionError:
        return CorruptionError(reason, "RDB", self.base + position)
