"""The owner must be implemented: a tier without one must not lose answers silently."""

import pytest

from redrock.cold.owner import ColdOwner
from redrock.cold.tier import ColdTier
from redrock.datatypes.string import StringValue


def test_a_tier_without_an_owner_says_so(cold_world) -> None:
    tier = ColdTier(cold_world.store)
    tier.open()
    tier.spill(1, b"k", StringValue(b"v" * 100))
    tier.flush()
    cold_world.store.work()
    with pytest.raises(NotImplementedError):
        tier.receive()
    with pytest.raises(NotImplementedError):
        ColdOwner().load_void(1, b"k")
