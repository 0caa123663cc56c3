"""Signs of life."""

from __future__ import annotations

import time
from collections.abc import Callable


class Heartbeat:
    """When something last showed that it goes on; it counts as having done so when this is made."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def give(self) -> None:
        self._last = self._clock()

    @property
    def age(self) -> float:
        """In seconds."""
        return self._clock() - self._last
