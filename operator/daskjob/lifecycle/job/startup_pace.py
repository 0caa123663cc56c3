"""How many attempts may be starting at a time: more while they come up as quickly as ever, fewer when they do not.

A thousand jobs that are applied at once would otherwise be thousands of pods that all start together, and none of them
soon. Only time counts, not the cause: an attempt that cannot start soon stops counting (`COUNTS_FOR`), so that jobs
which never start hold up the others for seconds only.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

#: The fewest and the most attempts that may be starting at a time.
FEWEST, MOST = 20, 200
#: For how long an attempt counts as starting.
COUNTS_FOR = timedelta(seconds=20)
#: What one attempt that came up quickly adds, and by what one that did not multiplies.
MORE, LESS = 0.5, 0.95
#: The time that an attempt usually needs may grow by this factor with every attempt; a shorter time counts at once.
FORGETTING = 1.02


@dataclass(frozen=True)
class StartupPace:
    """`window`: how many attempts may be starting at a time; `usual`: seconds that an attempt needs when little else
    starts (None: not yet known)."""

    window: float = FEWEST
    usual: float | None = None

    def room(self, starting: int) -> int:
        """How many more attempts may start while so many are starting."""
        return max(int(self.window) - starting, 0)

    def started(self, seconds: float, starting: int) -> StartupPace:
        """After an attempt has started within so many seconds, as one of so many that were starting. The window grows
        only while it is used: what was never tried proves nothing."""
        usual = seconds if self.usual is None else min(seconds, self.usual * FORGETTING)
        window = self.window
        if seconds > 4 * usual + 2:
            window *= LESS
        elif seconds <= 2 * usual + 1 and starting > self.window / 2:
            window += MORE
        return replace(self, window=min(max(window, FEWEST), MOST), usual=usual)

    def given_up(self) -> StartupPace:
        """After an attempt has not started within `COUNTS_FOR`."""
        return replace(self, window=max(self.window * LESS, FEWEST))
