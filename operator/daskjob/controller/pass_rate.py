"""How often changes may bring passes of one key.

What belongs to a job changes in bursts, one object after the other, and one pass can look at all of them. And user code
writes reports, and can write them without end.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from daskjob.controller.cache import Key

#: Seconds between two passes that changes of one key bring; the second where what belongs to something that runs
#: settles, which nobody waits for.
SPACING, SETTLING = 0.2, 1.0
#: Passes that changes of one key may bring in a row.
BURST = 40
#: Passes a second that they may bring beyond that.
PER_SECOND = 2.0
#: Keys of which the rate is remembered before those that have been quiet are forgotten.
REMEMBERED = 1_000


class _Pass(NamedTuple):
    """The last pass of a key that a change brought: when it was or is `due`, the one `before` it, and the earliest time
    that its token allows."""

    before: float
    earliest: float
    due: float


class PassRate:
    """A token bucket for each key: `BURST` tokens at most, `PER_SECOND` new ones a second, and a spacing between two
    passes. Times: seconds of any clock that does not go back."""

    def __init__(self) -> None:
        #: When the bucket of a key is full again; of a key that is missing here, it is.
        self._full_at: dict[Key, float] = {}
        self._last: dict[Key, _Pass] = {}

    def pause(self, key: Key, now: float, spacing: float = SPACING) -> float:
        """Seconds until the pass that a change of the key brings: 0.0 within the rate. Changes during the pause share
        one pass, which comes as soon as the first of them allows."""
        last = self._last.get(key, _Pass(-math.inf, -math.inf, -math.inf))
        if last.due > now:
            due = min(last.due, max(now, last.earliest, last.before + spacing))
            self._last[key] = last._replace(due=due)
            return due - now
        self._forget_quiet_keys(now)
        full_at = self._full_at[key] = max(self._full_at.get(key, now), now) + 1.0 / PER_SECOND
        earliest = full_at - BURST / PER_SECOND
        due = max(now, earliest, last.due + spacing)
        self._last[key] = _Pass(last.due, earliest, due)
        return due - now

    def _forget_quiet_keys(self, now: float) -> None:
        if len(self._full_at) >= REMEMBERED:
            self._full_at = {each: full_at for each, full_at in self._full_at.items() if full_at > now}
            self._last = {each: last for each, last in self._last.items() if last.due + SETTLING > now}
