"""How often changes may bring passes of one key.

What belongs to a job changes in bursts, one object after the other, and one pass can look at all of them. And user code
writes reports, and can write them without end.
"""

from __future__ import annotations

from daskjob.controller.cache import Key

#: Seconds between two passes that changes of one key bring.
SPACING = 0.2
#: Passes that changes of one key may bring in a row.
BURST = 40
#: Passes a second that they may bring beyond that.
PER_SECOND = 2.0
#: Keys of which the rate is remembered before those that have been quiet are forgotten.
REMEMBERED = 1_000


class PassRate:
    """A token bucket for each key: `BURST` tokens at most, `PER_SECOND` new ones a second, and `SPACING` between two of
    them. Times: seconds of any clock that does not go back."""

    def __init__(self) -> None:
        #: When the bucket of a key is full again; of a key that is missing here, it is.
        self._full_at: dict[Key, float] = {}
        #: When the last pass was or is due that a change of the key brought.
        self._due: dict[Key, float] = {}

    def pause(self, key: Key, now: float) -> float:
        """Seconds until the pass that a change of the key brings: 0.0 within the rate. Changes during the pause share
        one pass."""
        due = self._due.get(key)
        if due is not None and due > now:
            return due - now
        if len(self._full_at) >= REMEMBERED:
            self._full_at = {each: full_at for each, full_at in self._full_at.items() if full_at > now}
            self._due = {each: due for each, due in self._due.items() if due + SPACING > now}
        full_at = self._full_at[key] = max(self._full_at.get(key, now), now) + 1.0 / PER_SECOND
        spaced = due + SPACING if due is not None else now
        self._due[key] = max(now, spaced, full_at - BURST / PER_SECOND)
        return self._due[key] - now
