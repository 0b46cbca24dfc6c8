"""Writers faster than the cold tier's disk are read a little later, rather than memory overshooting its limit."""

from typing import Final, final

from redrock.interfaces import PassHook
from redrock.keyspace.spilling import Spilling
from redrock.server.serving import Serving


@final
class Throttle(PassHook):
    """Looks at the spilling after each pass."""

    def __init__(self, spilling: Spilling, serving: Serving) -> None:
        self._spilling: Final = spilling
        self._serving: Final = serving

    def end_of_pass(self) -> None:
        self._serving.throttled = self._spilling.must_throttle()
