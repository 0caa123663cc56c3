"""How often changes may bring passes of one key: user code writes reports, and can write them without end."""

from __future__ import annotations

from daskjob.controller.cache import Key

#: Passes that changes of one key may bring at once. A job brings some twenty from its start to its first progress.
BURST = 40
#: Passes a second that they may bring beyond that.
PER_SECOND = 2.0
#: Keys of which the rate is remembered before those that have been quiet are forgotten.
REMEMBERED = 1_000


class PassRate:
    """A token bucket for each key: `BURST` tokens at most, `PER_SECOND` new ones a second. Times: seconds of any clock
    that does not go back."""

    def __init__(self) -> None:
        #: When the bucket of a key is full again; of a key that is missing here, it is.
        self._full_at: dict[Key, float] = {}
        #: When the pass is due that a change of the key waits for.
        self._due: dict[Key, float] = {}

    def pause(self, key: Key, now: float) -> float:
        """Seconds until the pass that a change of the key brings: 0.0 within the rate. Changes during the pause share
        one pass."""
        due = self._due.get(key, now)
        if due > now:
            return due - now
        self._due.pop(key, None)
        if len(self._full_at) >= REMEMBERED:
            self._full_at = {each: full_at for each, full_at in self._full_at.items() if full_at > now}
        full_at = self._full_at[key] = max(self._full_at.get(key, now), now) + 1.0 / PER_SECOND
        pause = full_at - now - BURST / PER_SECOND
        if pause <= 0.0:
            return 0.0
        self._due[key] = now + pause
        return pause
