"""How many attempts may be starting at a time: more with each that starts soon, fewer with each that does not.

A thousand jobs that are applied at once would otherwise be thousands of pods that all start together, and none of them
soon. Only time counts, not the cause: an attempt that has not started within `COUNTS_FOR` stops counting, so that jobs
which never start hold up the others for seconds only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

#: The fewest and the most attempts that may be starting at a time.
FEWEST, MOST = 200, 1000
#: For how long an attempt counts as starting.
COUNTS_FOR = timedelta(seconds=20)
#: What one attempt that started soon adds, and by what one that did not multiplies.
MORE, LESS = 1.0, 0.98


@dataclass(frozen=True)
class StartupPace:
    """`window`: how many attempts may be starting at a time."""

    window: float = FEWEST

    def room(self, starting: int) -> int:
        """How many more attempts may start while so many are starting."""
        return max(int(self.window) - starting, 0)

    def started(self, starting: int) -> StartupPace:
        """After an attempt has started within `COUNTS_FOR`, as one of so many that were starting. The window grows only
        while it is used: what was never tried proves nothing."""
        return StartupPace(min(self.window + MORE, MOST)) if starting > self.window / 2 else self

    def given_up(self) -> StartupPace:
        """After an attempt has not started within `COUNTS_FOR`."""
        return StartupPace(max(self.window * LESS, FEWEST))
