"""A heartbeat, by which a probe finds out whether something hangs."""

from __future__ import annotations

import time
from collections.abc import Callable


class Heartbeat:
    """When something last showed that it works. A new heartbeat counts as just given."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def give(self) -> None:
        self._last = self._clock()

    @property
    def age(self) -> float:
        """In seconds."""
        return self._clock() - self._last
