"""ScanDict: the hash table of the keyspace and of big sets and hashes, from bytes to any object.

A flat dict stalls when it resizes, cannot resume a scan from a cursor and has no random key. So this is linear hashing
(Litwin, 1980) over buckets that are small Python dicts: the table grows by splitting one bucket per insertion and
shrinks by merging one per removal; no operation touches more than a few buckets.

Addressing. ``base`` is a power of two and ``base <= number of buckets < 2 * base``. A key's address is its hash without
the lowest ADDRESS_SHIFT bits (a bucket's own dict uses those: were both to use the same bits, all keys of a bucket
would collide inside it). Bucket ``address % (2 * base)`` holds the key if there is such a bucket, else
``address % base`` does. So bucket i and its sibling ``base + i`` together always hold the addresses ``i modulo base``.

Cursors are Redis' reverse-binary ones (dict.c, dictScan): the cursor counts from its highest bit down, over a table of
``base * SLICES`` imagined slices, each named by low bits of the address. A slice is returned whole, and growing or
shrinking only makes names longer or shorter at the high end, so a key that is present during a whole iteration is
returned at least once, without any state kept here. Slices are finer than buckets, so that a small COUNT gets a small
answer.

Knows nothing of what it holds. Values must not be None.
"""

from typing import Final

from mypy_extensions import i64, mypyc_attr

from redrock.util.random import RandomSource

ADDRESS_SHIFT: Final = 16
SLICE_BITS: Final = 3
SLICES: Final = 1 << SLICE_BITS

# A CPython 3.11 dict of bytes keys costs 24 bytes per usable entry and has 5, 10, 21, 42, 85 or 170 of them. At an
# average load of 48 the table is expected to cost 35 to 43 bytes per entry wherever growth stands (computed over
# Poisson-distributed buckets; measured as resident memory at 0.5 to 1.4 million keys: 39 to 44, and 43 to 47 at 32).
# A split moves about 48 entries.
LOAD_MAX: Final = 48
# Merging starts when the remaining buckets would be well below that: a size that swings a little causes no work.
LOAD_MIN: Final = 30

COUNT_MAX: Final = 1 << 40

# Of the estimate that memory_bytes() gives: dict header, its key table's header and its list slot; and per entry.
BUCKET_BYTES: Final = 112
ENTRY_BYTES: Final = 38
TABLE_BYTES: Final = 128


@mypyc_attr(acyclic=True)
class ScanDict:
    """See the module. Every operation on one key is O(1), and so are random_key() and memory_bytes()."""

    __slots__ = ("base", "buckets", "used")

    def __init__(self) -> None:
        self.buckets: list[dict[bytes, object]] = [{}]
        self.base: i64 = 1
        self.used: i64 = 0

    def __len__(self) -> int:
        return self.used

    def length(self) -> i64:
        """The number of keys."""
        return self.used

    def bucket_count(self) -> i64:
        return len(self.buckets)

    def bucket_index(self, key: bytes) -> i64:
        """Which bucket holds, or would hold, the key now. The next set() or pop() may move it."""
        address: i64 = hash(key)
        address = address >> ADDRESS_SHIFT
        index: i64 = address & (2 * self.base - 1)
        if index >= len(self.buckets):
            index -= self.base
        return index

    def bucket_items(self, index: i64) -> list[tuple[bytes, object]]:
        """What bucket ``index`` holds, in no particular order."""
        return list(self.buckets[index].items())

    def get(self, key: bytes) -> object | None:
        """The value, or None."""
        address: i64 = hash(key)
        address = address >> ADDRESS_SHIFT
        buckets = self.buckets
        index: i64 = address & (2 * self.base - 1)
        if index >= len(buckets):
            index -= self.base
        return buckets[index].get(key)

    def contains(self, key: bytes) -> bool:
        return self.get(key) is not None

    def set(self, key: bytes, value: object) -> object | None:
        """Put a value (never None) in; returns the one that it replaces. The key object of the first set() stays."""
        bucket = self.buckets[self.bucket_index(key)]
        old = bucket.get(key)
        bucket[key] = value
        if old is None:
            self.used += 1
            if self.used > LOAD_MAX * len(self.buckets):
                self._split()
        return old

    def pop(self, key: bytes) -> object | None:
        """Take a key out; returns its value, or None if there was none."""
        bucket = self.buckets[self.bucket_index(key)]
        old = bucket.get(key)
        if old is not None:
            del bucket[key]
            self.used -= 1
            if self.used < LOAD_MIN * (len(self.buckets) - 1):
                self._merge()
        return old

    def clear(self) -> None:
        """Forget all. O(n), for it frees the entries: to empty a big table without a stall, hand it to someone else."""
        self.buckets = [{}]
        self.base = 1
        self.used = 0

    def drop_buckets(self, count: int) -> int:
        """Free up to ``count`` buckets of a table that nobody uses any more, in slices; how many are left."""
        for _ in range(min(count, len(self.buckets))):
            self.buckets.pop()
        return len(self.buckets)

    def scan(self, cursor: int, count: int) -> tuple[int, list[bytes]]:
        """About ``count`` keys from ``cursor`` on, and the cursor to go on with: 0 to begin, 0 again at the end.

        Any non-negative number is a valid cursor. See the module for what is promised.
        """
        keys: list[bytes] = []
        mask: i64 = self.base * SLICES - 1
        # Redis' cursors are 64 bits wide; of those only the lowest have a meaning.
        position: i64 = cursor & 0x3FFFFFFFFFFFFFFF
        position &= mask
        # Redis' bound on looking for something in a sparse table. The limit keeps the product within 64 bits.
        wanted: i64 = min(max(count, 1), COUNT_MAX)
        empty_slices: i64 = 0
        while True:
            low: i64 = position & (self.base - 1)
            before: i64 = len(keys)
            if position == low and wanted - before >= self._group_length(low):
                # The whole group is wanted and none of it has been given: no need to look at it slice by slice. Its
                # last slice has all slice bits set.
                self._add_group(keys, low)
                position = low | (mask ^ (self.base - 1))
            else:
                self._add_slice(keys, low, position, mask)
            # Count up from the highest bit of the mask: add one to the bits in reverse.
            bit: i64 = (mask + 1) >> 1
            while bit and position & bit:
                position ^= bit
                bit >>= 1
            position |= bit
            if position == 0 or len(keys) >= wanted:
                break
            if len(keys) == before:
                empty_slices += 1
                if empty_slices >= wanted * 10:
                    break
        return position, keys

    def _group_length(self, low: i64) -> i64:
        """How many keys have addresses ``low`` modulo base."""
        length: i64 = len(self.buckets[low])
        high: i64 = low + self.base
        if high < len(self.buckets):
            length += len(self.buckets[high])
        return length

    def _add_group(self, keys: list[bytes], low: i64) -> None:
        keys.extend(self.buckets[low].keys())
        high: i64 = low + self.base
        if high < len(self.buckets):
            keys.extend(self.buckets[high].keys())

    def _add_slice(self, keys: list[bytes], low: i64, slice_name: i64, mask: i64) -> None:
        index: i64 = low
        while index < len(self.buckets) and index < 2 * self.base:
            for key in self.buckets[index]:
                address: i64 = hash(key)
                if (address >> ADDRESS_SHIFT) & mask == slice_name:
                    keys.append(key)
            index += self.base

    def random_key(self, random: RandomSource) -> bytes | None:
        """A key, each with the same probability; None if there is none. O(1) on average."""
        if self.used == 0:
            return None
        count: i64 = len(self.buckets)
        # Draw a bucket and a place in it; draw again if the bucket is not that long. A bucket that has not been split
        # is the fullest kind: Poisson-distributed around used/base. Six deviations above that is longer than any but
        # one in hundreds of millions, and of such a one only the first `places` keys are ever drawn from.
        mean: i64 = self.used // self.base + 1
        deviation: i64 = 1
        while deviation * deviation < mean:
            deviation += 1
        places: i64 = mean + 6 * deviation
        if count == 1:
            places = self.used
        while True:
            drawn: i64 = random.below(count * places)
            bucket = self.buckets[drawn // places]
            place: i64 = drawn % places
            if place < len(bucket):
                for key in bucket:
                    if place == 0:
                        return key
                    place -= 1

    def sample(self, n: int, random: RandomSource) -> list[bytes]:
        """Up to ``n`` different keys, for eviction and expiry: neighbours from a random place on, cheap and rough."""
        count: i64 = len(self.buckets)
        index: i64 = random.below(count)
        keys: list[bytes] = []
        if n <= 0:
            return keys
        visited: i64 = 0
        while visited < count:
            found = list(self.buckets[index])
            length: i64 = len(found)
            if length:
                # From a random place in the bucket: a dict's order is that of insertion, and its first keys are old.
                place: i64 = random.below(length)
                taken: i64 = 0
                while taken < length:
                    keys.append(found[place])
                    if len(keys) >= n:
                        return keys
                    place += 1
                    if place == length:
                        place = 0
                    taken += 1
            visited += 1
            index += 1
            if index == count:
                index = 0
        return keys

    def keys(self) -> list[bytes]:
        """All keys. O(n): go by buckets where n may be large."""
        found: list[bytes] = []
        for bucket in self.buckets:
            found.extend(bucket.keys())
        return found

    def items(self) -> list[tuple[bytes, object]]:
        """All keys with their values. O(n): go by buckets where n may be large."""
        found: list[tuple[bytes, object]] = []
        for bucket in self.buckets:
            found.extend(bucket.items())
        return found

    def memory_bytes(self) -> i64:
        """The table's own bytes, without keys and values: an estimate from both counts, within a tenth when large."""
        return TABLE_BYTES + BUCKET_BYTES * len(self.buckets) + ENTRY_BYTES * self.used

    def _split(self) -> None:
        """Add one bucket: half of the keys of its sibling. Both dicts are new, so neither has room to spare."""
        buckets = self.buckets
        low: i64 = len(buckets) - self.base
        stay: dict[bytes, object] = {}
        move: dict[bytes, object] = {}
        base = self.base
        for key, value in buckets[low].items():
            address: i64 = hash(key)
            if (address >> ADDRESS_SHIFT) & base:
                move[key] = value
            else:
                stay[key] = value
        buckets[low] = stay
        buckets.append(move)
        if len(buckets) == 2 * base:
            self.base = 2 * base

    def _merge(self) -> None:
        """Remove the last bucket: its keys go to its sibling."""
        buckets = self.buckets
        if len(buckets) == self.base:
            self.base >>= 1
        last = buckets.pop()
        # A copy, since the dict that stays may have room to spare from when it was fuller.
        merged = dict(buckets[len(buckets) - self.base])
        merged.update(last)
        buckets[len(buckets) - self.base] = merged

    def check_invariants(self) -> None:
        """For tests: every key where its address says, and the counts right. O(n)."""
        assert self.base & (self.base - 1) == 0
        assert self.base <= len(self.buckets) < 2 * self.base
        used: i64 = 0
        for index, bucket in enumerate(self.buckets):
            for key, value in bucket.items():
                assert value is not None
                assert self.bucket_index(key) == index
                used += 1
        assert used == self.used
        assert self.used <= LOAD_MAX * len(self.buckets)
