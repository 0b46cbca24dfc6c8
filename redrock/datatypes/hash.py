"""The hash type: fields and their values.

Small ones are one listpack (field, value, field, value, ...; a field keeps its place when its value changes, a new one
goes to the end), big ones a ScanDict from field to value. A hash becomes big when it has more than ``max_entries``
fields or a field or value of more than ``max_value`` bytes, and never small again (Redis 7.0.15, t_hash.c). Both limits
are arguments of whatever can make a hash grow.

Invariant: exactly one of ``packed`` and ``table`` is in use; ``content_bytes`` is what fields and values in the table
take. Costs are given for the big form; the small one is O(bytes of the listpack) in everything but length().
"""

from typing import Final, cast

from mypy_extensions import i64, mypyc_attr

from redrock.datatypes import listpack
from redrock.datatypes.allocation import bytes_memory
from redrock.datatypes.scan_dict import ScanDict
from redrock.datatypes.value import TYPE_HASH, Value
from redrock.util.random import RandomSource

HASH_HEADER_BYTES: Final = 64


@mypyc_attr(acyclic=True)
class HashValue(Value):
    """See the module. A hash in a database is never empty; one being built may be."""

    __slots__ = ("content_bytes", "packed", "table")

    def __init__(self) -> None:
        self.last_use = 0
        self.accounted = -1
        self.packed: bytes = listpack.EMPTY
        self.table: ScanDict | None = None
        self.content_bytes: i64 = 0

    # --- Whole hashes

    @staticmethod
    def from_listpack(data: bytes, max_entries: i64 = 0x7FFFFFFF) -> "HashValue":
        """A hash of a valid listpack with an even number of elements and no field twice; big if it has too many."""
        value = HashValue()
        value.packed = data
        if value.length() > max_entries:
            value.convert()
        return value

    @staticmethod
    def from_flat(flat: list[bytes], max_entries: i64, max_value: i64) -> "HashValue":
        """A hash of field, value, field, value, ... Of a field given twice, the last value counts. O(n)."""
        value = HashValue()
        value.set_many(flat, 0, max_entries, max_value)
        return value

    def copy(self) -> "HashValue":
        """An independent hash with the same content and encoding. O(n)."""
        twin = HashValue()
        table = self.table
        if table is None:
            twin.packed = self.packed
        else:
            twin.packed = b""
            copied = ScanDict()
            for field, value in table.items():
                copied.set(field, value)
            twin.table = copied
            twin.content_bytes = self.content_bytes
        return twin

    def listpack_bytes(self) -> bytes | None:
        """The listpack of a small hash, None for a big one."""
        return self.packed if self.table is None else None

    def type_code(self) -> int:
        return TYPE_HASH

    def encoding(self) -> bytes:
        return b"listpack" if self.table is None else b"hashtable"

    def memory_bytes(self) -> int:
        table = self.table
        if table is None:
            return HASH_HEADER_BYTES + bytes_memory(len(self.packed))
        return HASH_HEADER_BYTES + table.memory_bytes() + self.content_bytes

    def convert(self) -> None:
        """Make it big, if it is not. O(n)."""
        if self.table is None:
            elements = listpack.to_list(self.packed)
            self.table = ScanDict()
            self.packed = b""
            position: i64 = 0
            while position < len(elements):
                self._set_in_table(self.table, elements[position], elements[position + 1])
                position += 2

    # --- Reading

    def length(self) -> i64:
        """The number of fields. O(1)."""
        table = self.table
        if table is None:
            return listpack.count(self.packed) >> 1
        return table.length()

    def get(self, field: bytes) -> bytes | None:
        """The value of a field, or None. O(1)."""
        table = self.table
        if table is None:
            packed = self.packed
            position = listpack.find(packed, field, 6, 1)
            if position < 0:
                return None
            return listpack.value_at(packed, position + listpack.entry_bytes(packed, position))
        return cast(bytes | None, table.get(field))

    def exists(self, field: bytes) -> bool:
        """O(1)."""
        table = self.table
        if table is None:
            return listpack.find(self.packed, field, 6, 1) >= 0
        return table.contains(field)

    def strlen(self, field: bytes) -> i64:
        """Bytes of a field's value, 0 if there is no such field. O(1)."""
        table = self.table
        if table is None:
            packed = self.packed
            position = listpack.find(packed, field, 6, 1)
            if position < 0:
                return 0
            return listpack.length_at(packed, position + listpack.entry_bytes(packed, position))
        value = cast(bytes | None, table.get(field))
        return 0 if value is None else len(value)

    def flat(self) -> list[bytes]:
        """Field, value, field, value, ... O(n)."""
        table = self.table
        if table is None:
            return listpack.to_list(self.packed)
        elements: list[bytes] = []
        for field, value in table.items():
            elements.append(field)
            elements.append(cast(bytes, value))
        return elements

    def items(self) -> list[tuple[bytes, bytes]]:
        """All pairs of field and value. O(n)."""
        table = self.table
        if table is None:
            return _pairs(listpack.to_list(self.packed))
        return [(field, cast(bytes, value)) for field, value in table.items()]

    def fields(self) -> list[bytes]:
        """All fields. O(n)."""
        table = self.table
        if table is None:
            return listpack.to_list(self.packed)[0::2]
        return table.keys()

    def value_list(self) -> list[bytes]:
        """All values, in the order of fields(). O(n)."""
        table = self.table
        if table is None:
            return listpack.to_list(self.packed)[1::2]
        return [cast(bytes, value) for _, value in table.items()]

    def scan(self, cursor: int, count: int) -> tuple[int, list[tuple[bytes, bytes]]]:
        """Some pairs and the cursor to go on with, as ScanDict.scan(); a small hash comes whole. O(count)."""
        table = self.table
        if table is None:
            return 0, self.items()
        following, fields = table.scan(cursor, count)
        return following, [(field, cast(bytes, table.get(field))) for field in fields]

    # --- Chance

    def random_field(self, random: RandomSource) -> bytes | None:
        """A field, each with the same probability; None if there is none. O(1) on average."""
        table = self.table
        if table is not None:
            return table.random_key(random)
        number = self.length()
        if number == 0:
            return None
        packed = self.packed
        return listpack.value_at(packed, listpack.seek(packed, 2 * random.below(number)))

    def random_pairs(self, count: int, random: RandomSource) -> list[tuple[bytes, bytes]]:
        """``count`` pairs, each drawn from all: the same one may come again. O(count). The hash is not empty."""
        pairs: list[tuple[bytes, bytes]] = []
        table = self.table
        if table is None:
            every = self.items()
            while len(pairs) < count:
                pairs.append(every[random.below(len(every))])
            return pairs
        while len(pairs) < count:
            field = cast(bytes, table.random_key(random))
            pairs.append((field, cast(bytes, table.get(field))))
        return pairs

    def distinct_pairs(self, count: int, random: RandomSource) -> list[tuple[bytes, bytes]]:
        """``count`` different pairs (all, if there are no more), every choice as likely. O(count)."""
        size: i64 = self.length()
        if count >= size:
            return self.items()
        table = self.table
        # From a third of all on, drawing until there are enough different ones costs more than looking at all.
        if table is None or count * 3 > size:
            return random.sample(self.items(), count)
        drawn: set[bytes] = set()
        pairs: list[tuple[bytes, bytes]] = []
        while len(pairs) < count:
            field = cast(bytes, table.random_key(random))
            if field not in drawn:
                drawn.add(field)
                pairs.append((field, cast(bytes, table.get(field))))
        return pairs

    # --- Changing

    def set(self, field: bytes, value: bytes, max_entries: i64, max_value: i64) -> bool:
        """Give a field a value; True if the field is new. O(1)."""
        table = self.table
        if table is None:
            if len(field) <= max_value and len(value) <= max_value and self._has_room(len(field) + len(value)):
                return self._set_packed(field, value, max_entries)
            self.convert()
            table = self.table
            assert table is not None
        return self._set_in_table(table, field, value)

    def set_many(self, flat: list[bytes], start: i64, max_entries: i64, max_value: i64) -> i64:
        """Set the pairs ``flat[start], flat[start + 1]`` and so on; returns how many fields are new. O(pairs)."""
        size: i64 = len(flat)
        if size - start == 2:
            return 1 if self.set(flat[start], flat[start + 1], max_entries, max_value) else 0
        before: i64 = self.length()
        position: i64 = start
        if self.table is None:
            added_bytes: i64 = 0
            longest: i64 = 0
            while position < size:
                length: i64 = len(flat[position])
                added_bytes += length
                if length > longest:
                    longest = length
                position += 1
            if longest > max_value or not self._has_room(added_bytes):
                self.convert()
        table = self.table
        position = start
        if table is None:
            # Edit by edit this would be O(pairs * bytes); a dict keeps places just as the listpack does.
            merged = dict(self.items())
            while position < size:
                merged[flat[position]] = flat[position + 1]
                position += 2
            if len(merged) > max_entries:
                self.packed = b""
                table = ScanDict()
                self.table = table
                for field, value in merged.items():
                    self._set_in_table(table, field, value)
            else:
                elements: list[bytes] = []
                for field, value in merged.items():
                    elements.append(field)
                    elements.append(value)
                self.packed = listpack.from_list(elements)
        else:
            while position < size:
                self._set_in_table(table, flat[position], flat[position + 1])
                position += 2
        return self.length() - before

    def delete(self, field: bytes) -> bool:
        """Remove a field; False if there is none. O(1)."""
        table = self.table
        if table is None:
            position = listpack.find(self.packed, field, 6, 1)
            if position < 0:
                return False
            self.packed = listpack.delete(self.packed, position, 2)
            return True
        value = cast(bytes | None, table.pop(field))
        if value is None:
            return False
        self.content_bytes -= bytes_memory(len(field)) + bytes_memory(len(value))
        return True

    def _has_room(self, more: i64) -> bool:
        return len(self.packed) + more <= listpack.TOTAL_BYTES_MAX

    def _set_packed(self, field: bytes, value: bytes, max_entries: i64) -> bool:
        packed = self.packed
        position = listpack.find(packed, field, 6, 1)
        if position >= 0:
            self.packed = listpack.replace(packed, position + listpack.entry_bytes(packed, position), value)
            return False
        self.packed = listpack.extend(packed, [field, value])
        if self.length() > max_entries:
            self.convert()
        return True

    def _set_in_table(self, table: ScanDict, field: bytes, value: bytes) -> bool:
        old = cast(bytes | None, table.set(field, value))
        if old is None:
            self.content_bytes += bytes_memory(len(field)) + bytes_memory(len(value))
            return True
        self.content_bytes += bytes_memory(len(value)) - bytes_memory(len(old))
        return False

    def check_invariants(self) -> None:
        """For tests. O(n)."""
        table = self.table
        if table is None:
            assert listpack.validate(self.packed) == 2 * self.length()
            assert len(set(self.fields())) == self.length()
            assert self.content_bytes == 0
        else:
            table.check_invariants()
            assert self.packed == b""
            assert self.content_bytes == sum(
                [bytes_memory(len(field)) + bytes_memory(len(value)) for field, value in self.items()]
            )


def _pairs(flat: list[bytes]) -> list[tuple[bytes, bytes]]:
    pairs: list[tuple[bytes, bytes]] = []
    position: i64 = 0
    while position < len(flat):
        pairs.append((flat[position], flat[position + 1]))
        position += 2
    return pairs
