"""An RDB file, full sync or AOF base as a sequence of events, from bytes that arrive in pieces of any size.

Source: Redis 7.0.15, rdb.c, rdbLoadRio; types and opcodes of later versions up to 12 are passed over as well.

    reader = RdbReader()
    reader.feed(data)              as often as there is data, best in pieces of 64 KB to 1 MB
    event = reader.next_event()    until it returns None: feed more. The last event is EndOfFile
    reader.end_of_input()          no more data will come: raises if the file is not whole
    reader.leftover()              after EndOfFile: what was fed but does not belong to the file

Values are not decoded here: `LayoutScan` finds where they end. What it has passed is put aside when a piece is used up
and joined once, so that a value costs O(its size), whatever the sizes of the pieces.

Invariants: each byte is used once; no length is believed before its bytes are there; the checksum covers exactly the
bytes from the magic to the EOF opcode. Positions are bytes from the beginning of the file.
Knows nothing of databases, files and sockets. Every error is a CorruptionError, and then the reader is of no more use.
"""

from typing import Final, Optional, final

from librt.strings import read_i32_le, read_i64_le
from mypy_extensions import i64

from persistence.rdb.codec import is_known, unknown_type
from persistence.rdb.events import (
    Aux,
    EndOfFile,
    FunctionPayload,
    KeyRecord,
    ModuleAux,
    RdbEvent,
    ResizeDb,
    SelectDb,
    module_name,
)
from persistence.rdb.format import (
    CHECKSUM_BYTES,
    HEADER_BYTES,
    LENGTH_6BIT_MAX,
    LENGTH_ENCODED,
    MAGIC,
    MODULE_UINT,
    OPCODE_AUX,
    OPCODE_EOF,
    OPCODE_EXPIRETIME,
    OPCODE_EXPIRETIME_MS,
    OPCODE_FREQ,
    OPCODE_FUNCTION2,
    OPCODE_FUNCTION_PRE_GA,
    OPCODE_IDLE,
    OPCODE_MODULE_AUX,
    OPCODE_RESIZEDB,
    OPCODE_SELECTDB,
    OPCODE_SLOT_INFO,
    VERSION_MAX,
    VERSION_WITH_CHECKSUM,
)
from persistence.rdb.layout_scan import LAYOUT_STRING, LAYOUTS, LayoutScan
from persistence.rdb.primitives import UNEXPECTED_END, ByteReader
from redrock.errors import CorruptionError
from redrock.util.crc import crc64

# States.
_HEADER: Final = 0
_RECORD: Final = 1
_KEY: Final = 2
_PAYLOAD: Final = 3
_CHECKSUM: Final = 4
_FINISHED: Final = 5

# Below are types of values, from here on opcodes.
_OPCODE_MIN: Final = OPCODE_SLOT_INFO


@final
class RdbReader:
    """See the module's docstring. ``version`` is 0 until the header has been read.

    ``decodable_only``: types that `codec` cannot decode are refused when they are met, not when they are decoded.
    """

    def __init__(self, verify_checksum: bool = True, decodable_only: bool = True) -> None:
        self.version: i64 = 0
        self._verify = verify_checksum
        self._decodable_only = decodable_only
        self._state: i64 = _HEADER
        # What has been fed: _data from _position on, then _chunks, which are joined to it once _needed bytes are there.
        self._data: bytes = b""
        self._position: i64 = 0
        self._end: i64 = 0
        self._base: i64 = 0
        self._chunks: list[bytes] = []
        self._chunk_bytes: i64 = 0
        self._needed: i64 = HEADER_BYTES
        # The checksum covers what lies before _data, and _data up to _summed.
        self._crc: int = 0
        self._summed: i64 = 0
        # The record being read. What its scan has passed: _parts, then _data from _mark on.
        self._scan: LayoutScan = LayoutScan()
        self._parts: list[bytes] = []
        self._mark: i64 = 0
        self._opcode: i64 = 0
        self._key: bytes = b""
        self._expire_at_ms: i64 = -1
        self._lru_idle: i64 = -1
        self._lfu_freq: i64 = -1

    def position(self) -> i64:
        """How much of the file has been used up, in bytes."""
        return self._base + self._position

    def feed(self, data: bytes) -> None:
        """More of the file."""
        if data:
            self._chunks.append(data)
            self._chunk_bytes += len(data)

    def end_of_input(self) -> None:
        """Raises CorruptionError if the file is not whole. To be called when ``next_event`` has returned None."""
        if self._state != _FINISHED:
            lost = self._end - self._position + self._chunk_bytes
            raise CorruptionError(UNEXPECTED_END, "RDB", self.position() + lost, lost)

    def leftover(self) -> bytes:
        """What was fed beyond the end of the file; it is given away once."""
        assert self._state == _FINISHED, "the file has not been read to its end"
        rest = b"".join([self._data[self._position :], *self._chunks])
        self._data = b""
        self._base += self._position
        self._position = self._end = self._summed = 0
        self._chunks = []
        self._chunk_bytes = 0
        return rest

    def next_event(self) -> Optional[RdbEvent]:
        """The next event, or None: feed more. None as well after EndOfFile. Raises CorruptionError."""
        while True:
            event = self._advance()
            if event is not None:
                return event
            if self._state == _FINISHED or not self._join():
                return None

    # --- Input

    def _join(self) -> bool:
        """Lets _data go on with what has been fed. False if that is still not enough."""
        rest = self._end - self._position
        if not self._chunk_bytes or rest + self._chunk_bytes < self._needed:
            return False
        self._sum_up()
        if self._state == _KEY or self._state == _PAYLOAD:
            if self._position > self._mark:
                self._parts.append(self._data[self._mark : self._position])
            self._mark = 0
        chunks = self._chunks
        if rest:
            chunks = [self._data[self._position :], *chunks]
        self._base += self._position
        self._scan.base = self._base
        self._data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._end = len(self._data)
        self._position = 0
        self._summed = 0
        self._chunks = []
        self._chunk_bytes = 0
        return True

    def _sum_up(self) -> None:
        """Adds to the checksum what has been used up."""
        if self._verify and self._position > self._summed:
            self._crc = crc64(memoryview(self._data)[self._summed : self._position], self._crc)
        self._summed = self._position

    def _error(self, reason: str) -> CorruptionError:
        return CorruptionError(reason, "RDB", self.position())

    # --- Records

    def _advance(self) -> Optional[RdbEvent]:
        """Goes on with what is in _data, up to the next event. None: more bytes are needed, or this is the end."""
        while True:
            state = self._state
            if state == _RECORD:
                if self._position >= self._end:
                    self._needed = 1
                    return None
                event = self._begin_record()
                if event is not None:
                    return event
            elif state == _KEY:
                if not self._scanned():
                    return None
                self._key = ByteReader(self._take_scanned()).read_string()
                self._begin_scan(_PAYLOAD, self._layout_of(self._opcode))
            elif state == _PAYLOAD:
                if not self._scanned():
                    return None
                self._state = _RECORD
                event = self._finish_record(self._take_scanned())
                if event is not None:
                    return event
            elif state == _HEADER:
                if self._end - self._position < HEADER_BYTES:
                    self._needed = HEADER_BYTES
                    return None
                self._read_header()
            elif state == _CHECKSUM:
                return self._read_checksum()
            else:
                return None

    def _read_header(self) -> None:
        data = self._data
        if data[: len(MAGIC)] != MAGIC:
            raise self._error("Wrong signature trying to load DB from file")
        digits = data[len(MAGIC) : HEADER_BYTES]
        version = int(digits) if digits.isdigit() else 0
        if version < 1 or version > VERSION_MAX:
            raise self._error(f"Can't handle RDB format version {version}")
        self.version = version
        self._position = HEADER_BYTES
        self._state = _RECORD

    def _read_checksum(self) -> Optional[RdbEvent]:
        """The end of the file; older versions have no checksum, and it is 0 where ``rdbchecksum`` was off."""
        checked = False
        if self.version >= VERSION_WITH_CHECKSUM:
            if self._end - self._position < CHECKSUM_BYTES:
                self._needed = CHECKSUM_BYTES
                return None
            self._sum_up()
            stored = int.from_bytes(self._data[self._position : self._position + CHECKSUM_BYTES], "little")
            if self._verify and stored:
                if stored != self._crc:
                    raise self._error(f"Wrong RDB checksum expected: ({self._crc:x}) but got ({stored:x})")
                checked = True
            self._position += CHECKSUM_BYTES
            self._summed = self._position
        self._state = _FINISHED
        return EndOfFile(self.position(), checked)

    def _begin_record(self) -> Optional[RdbEvent]:
        """An opcode or type byte is there: starts a scan, or returns an event at once if all of it is there, too."""
        data = self._data
        position = self._position
        opcode: i64 = data[position]
        self._opcode = opcode
        if opcode == OPCODE_EXPIRETIME_MS and self._end - position > 8:
            self._expire_at_ms = read_i64_le(data, position + 1)
            self._position = position + 9
            return None
        if opcode == OPCODE_EOF:
            self._position = position + 1
            self._state = _CHECKSUM
            return None
        layout = self._layout_of(opcode)
        self._position = position + 1
        if opcode >= _OPCODE_MIN:
            self._begin_scan(_PAYLOAD, layout)
            return None
        if self._decodable_only and not is_known(opcode):
            raise self._unknown(opcode)
        if layout == LAYOUT_STRING:
            event = self._short_record(position + 1)
            if event is not None:
                return event
        self._begin_scan(_KEY, LAYOUT_STRING)
        return None

    def _short_record(self, position: i64) -> Optional[RdbEvent]:
        """The frequent case: key and value are strings with short headers and all there. None: it is not the case."""
        data = self._data
        end = self._end
        if position >= end:
            return None
        key_length: i64 = data[position]
        key_start = position + 1
        start = key_start + key_length
        if key_length >= LENGTH_6BIT_MAX or start + 2 > end:
            return None
        first: i64 = data[start]
        after: i64
        if first < LENGTH_6BIT_MAX:
            after = start + 1 + first
        elif first < 2 * LENGTH_6BIT_MAX:
            after = start + 2 + (((first & 0x3F) << 8) | data[start + 1])
        elif first >= LENGTH_ENCODED and first < LENGTH_ENCODED + 3:
            # Integers of 1, 2 and 4 bytes.
            after = start + 1 + (i64(1) << (first - LENGTH_ENCODED))
        else:
            return None
        if after > end:
            return None
        self._key = data[key_start:start]
        self._position = after
        return self._key_record(data[start:after])

    def _begin_scan(self, state: i64, layout: bytes) -> None:
        self._state = state
        self._mark = self._position
        self._scan.start(layout)

    def _scanned(self) -> bool:
        """Goes on with the scan. False if it needs more bytes."""
        scan = self._scan
        self._position = scan.advance(self._data, self._position, self._end)
        if not scan.done:
            self._needed = scan.needed
            return False
        return True

    def _take_scanned(self) -> bytes:
        """All that the scan has passed."""
        last = self._data[self._mark : self._position]
        if not self._parts:
            return last
        self._parts.append(last)
        whole = b"".join(self._parts)
        self._parts = []
        return whole

    def _layout_of(self, opcode: i64) -> bytes:
        layout = LAYOUTS.get(opcode)
        if layout is None:
            raise self._unknown(opcode)
        return layout

    def _unknown(self, type_byte: i64) -> CorruptionError:
        return self._error(unknown_type(type_byte).reason)

    def _key_record(self, payload: bytes) -> RdbEvent:
        """The key with what opcodes before it have said about it, which is then forgotten."""
        event = KeyRecord(self._key, self._opcode, payload, self._expire_at_ms, self._lru_idle, self._lfu_freq)
        self._expire_at_ms = -1
        self._lru_idle = -1
        self._lfu_freq = -1
        return event

    def _finish_record(self, payload: bytes) -> Optional[RdbEvent]:
        """The event for a payload that is there; None if it only says something about the next key."""
        opcode = self._opcode
        if opcode < _OPCODE_MIN:
            return self._key_record(payload)
        if opcode == OPCODE_EXPIRETIME_MS:
            self._expire_at_ms = read_i64_le(payload, 0)
            return None
        if opcode == OPCODE_EXPIRETIME:
            seconds: i64 = i64(read_i32_le(payload, 0))
            self._expire_at_ms = seconds * 1000
            return None
        reader = ByteReader(payload)
        if opcode == OPCODE_IDLE:
            self._lru_idle = reader.read_length()
        elif opcode == OPCODE_FREQ:
            self._lfu_freq = reader.read_byte()
        elif opcode == OPCODE_SELECTDB:
            return SelectDb(reader.read_length())
        elif opcode == OPCODE_RESIZEDB:
            keys = reader.read_length()
            return ResizeDb(keys, reader.read_length())
        elif opcode == OPCODE_AUX:
            name = reader.read_string()
            return Aux(name, reader.read_string())
        elif opcode == OPCODE_FUNCTION2:
            return FunctionPayload(reader.read_string())
        elif opcode == OPCODE_FUNCTION_PRE_GA:
            return self._old_function(reader)
        elif opcode == OPCODE_MODULE_AUX:
            module_id = reader.read_unsigned()
            if reader.read_length() != MODULE_UINT:
                raise self._error("bad when_opcode")
            return ModuleAux(module_name(module_id))
        # What is left is OPCODE_SLOT_INFO: sizes of a cluster's slots, of use to Redis 7.4 only.
        return None

    def _old_function(self, reader: ByteReader) -> RdbEvent:
        """As 7.0 rc1 and rc2 wrote a library; name and engine are moved into the first line, as Redis does."""
        name = reader.read_string()
        engine = reader.read_string()
        if reader.read_length():
            reader.read_string()
        return FunctionPayload(b"#!%b name=%b\n%b" % (engine, name, reader.read_string()))
