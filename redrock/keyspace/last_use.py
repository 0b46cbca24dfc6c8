"""The last-use word of a value: how long it has been idle (LRU), or how often it is used (LFU).

Source: Redis 7.0.15, evict.c (estimateObjectIdleTime, LFU*) and object.c (objectSetLRUOrLFU).

The word is a signed 32-bit number:
  LRU   seconds since the epoch, lowest 24 bits (wraps after 194 days)
  LFU   minutes since the epoch, lowest 16 bits, << 8 | a counter from 0 to 255 that grows logarithmically with the
        number of uses and loses one for every `lfu-decay-time` minutes without use
  in transit   the bitwise complement of either, hence negative: the value is being written to the cold tier. Whoever
        uses the value writes a new word, which is not negative, and so calls the spill off.

Units are in the names. Pure: time is passed in, chance is a RandomSource.
"""

from typing import Final

from mypy_extensions import i32, i64

from redrock.util.random import RandomSource

LRU_CLOCK_MAX: Final = (1 << 24) - 1
LRU_RESOLUTION_MS: Final = 1000

# New values get some uses for free, or they would be the first to go before anyone could use them twice.
LFU_INIT: Final = 5
LFU_COUNTER_MAX: Final = 255
LFU_MINUTES_MASK: Final = 0xFFFF
LFU_LOG_FACTOR_DEFAULT: Final = 10
LFU_DECAY_MINUTES_DEFAULT: Final = 1


def settled(word: i32) -> i32:
    """The word without the mark of a spill under way."""
    if word < 0:
        return ~word
    return word


def in_transit(word: i32) -> i32:
    """The word with the mark of a spill under way."""
    if word < 0:
        return word
    return ~word


def lru_clock_at(now_ms: int) -> int:
    """The LRU word of a value that is used at ``now_ms``."""
    return (now_ms // LRU_RESOLUTION_MS) & LRU_CLOCK_MAX


def idle_ms(word: i32, clock: i32) -> i64:
    """How long a value has not been used, by its LRU word. More than 194 days look like less: the clock wraps."""
    used_at = i64(settled(word))
    now = i64(clock)
    if now >= used_at:
        return (now - used_at) * LRU_RESOLUTION_MS
    return (now + (LRU_CLOCK_MAX - used_at)) * LRU_RESOLUTION_MS


def lru_word_of_idle(idle_seconds: int, clock: int) -> i32:
    """The LRU word of a value idle for so long (RESTORE IDLETIME, LRU opcode of RDB).

    The clock wraps, so an age that reaches behind its zero comes out near its maximum, as `idle_ms` undoes it.
    """
    return i32((clock - idle_seconds) % LRU_CLOCK_MAX if idle_seconds > clock else clock - idle_seconds)


class LfuClock:
    """The present minute and the two settings that LFU words are computed with.

    ``minutes`` is refreshed by `tick`, at least once a minute. ``log_factor`` and ``decay_minutes`` are
    `lfu-log-factor` and `lfu-decay-time`.
    """

    def __init__(self, random: RandomSource) -> None:
        self.random: Final = random
        self.minutes: i32 = 0
        self.log_factor: i64 = LFU_LOG_FACTOR_DEFAULT
        self.decay_minutes: i64 = LFU_DECAY_MINUTES_DEFAULT

    def tick(self, now_ms: int) -> None:
        """Take over the time."""
        self.minutes = (now_ms // 60000) & LFU_MINUTES_MASK

    def fresh(self) -> i32:
        """The word of a new value."""
        return (self.minutes << 8) | LFU_INIT

    def touched(self, word: i32) -> i32:
        """The word of a value that is used now, from its word so far."""
        counter = self.grown(self.counter(word))
        return (self.minutes << 8) | counter

    def of_counter(self, counter: i32) -> i32:
        """The word of a value with a known counter (RESTORE FREQ, FREQ opcode of RDB)."""
        return (self.minutes << 8) | (counter & LFU_COUNTER_MAX)

    def counter(self, word: i32) -> i32:
        """How much a value is used, 0 to 255, with what it has lost since its last use. (OBJECT FREQ)"""
        word = settled(word)
        counter = i64(word & LFU_COUNTER_MAX)
        if self.decay_minutes == 0:
            return i32(counter)
        now = i64(self.minutes)
        then = i64((word >> 8) & LFU_MINUTES_MASK)
        elapsed: i64 = now - then
        if elapsed < 0:
            # The minutes have wrapped, once at most as far as anyone can tell. Redis loses one minute here; so do we.
            elapsed += LFU_MINUTES_MASK
        periods: i64 = elapsed // self.decay_minutes
        if periods >= counter:
            return 0
        return i32(counter - periods)

    def grown(self, counter: i32) -> i32:
        """The counter after one more use: the higher it is, the less likely it grows."""
        if counter >= LFU_COUNTER_MAX:
            return LFU_COUNTER_MAX
        above = i64(counter - LFU_INIT)
        if above < 0:
            above = 0
        # One chance in above * factor + 1, as an integer draw.
        chances: i64 = above * self.log_factor + 1
        if chances == 1 or self.random.below(chances) == 0:
            return counter + 1
        return counter
