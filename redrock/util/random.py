"""Chance, passed in and never drawn from the side: one seed makes a run repeatable.

Not for secrets against an attacker who sees the output (Mersenne Twister), but unseeded it starts from the operating
system's entropy, which is what run ids and replication ids need: no two servers alike.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from mypy_extensions import mypyc_attr

T = TypeVar("T")


@mypyc_attr(allow_interpreted_subclasses=True)
class RandomSource:
    """A stream of random numbers; with ``seed`` always the same one."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self._getrandbits = self._random.getrandbits

    def below(self, n: int) -> int:
        """A uniform integer, ``0 <= x < n``. ``n`` is at least 1."""
        assert n > 0
        # Draw as many bits as n - 1 has and refuse what is too big: uniform, two draws on average at worst.
        width = (n - 1).bit_length()
        number = self._getrandbits(width) if width else 0
        while number >= n:
            number = self._getrandbits(width)
        return number

    def bits(self, k: int) -> int:
        """A uniform integer of ``k`` bits."""
        return self._getrandbits(k)

    def random(self) -> float:
        """A uniform float, ``0.0 <= x < 1.0``."""
        return self._random.random()

    def hex_id(self, n: int = 40) -> bytes:
        """``n`` lower-case hexadecimal digits, as run ids and replication ids have (40)."""
        return b"%0*x" % (n, self._getrandbits(4 * n))

    def shuffle(self, items: list[T]) -> None:
        """Put ``items`` into a random order, in place."""
        self._random.shuffle(items)

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different positions of ``items`` in random order; ``count <= len(items)``."""
        return self._random.sample(items, count)

    def choice(self, items: Sequence[T]) -> T:
        """One of ``items``, which is not empty."""
        return items[self.below(len(items))]
