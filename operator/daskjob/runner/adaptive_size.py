"""How many workers an adaptive group should have, from what the scheduler, or its load, asks for."""

from __future__ import annotations

from typing import Optional

from daskjob.wire.worker_groups import AdaptiveBounds

#: Seconds between two requests to the scheduler for its target.
INTERVAL = 2.0


class Scaler:
    """Follows the scheduler's target up at once and down after `cooldown` seconds, between minimum and maximum."""

    def __init__(self, bounds: AdaptiveBounds) -> None:
        self.minimum = bounds.minimum
        self.maximum = bounds.maximum
        self.cooldown = bounds.cooldown
        self.wanted = bounds.minimum
        self._lower_since: Optional[float] = None

    def decide(self, now: float, target: int, running: int) -> tuple[int, int]:
        """Returns how many workers to want, and how many to retire. `now`: monotonic seconds; `target`: of the
        scheduler; `running`: workers that are connected and not retired."""
        target = min(max(target, self.minimum), self.maximum)
        if target >= max(running, self.wanted):
            self._lower_since = None
            self.wanted = target
            return self.wanted, 0
        if self._lower_since is None:
            self._lower_since = now
        if now - self._lower_since < self.cooldown:
            return self.wanted, 0
        self._lower_since = None
        self.wanted = target
        return self.wanted, max(0, running - target)
