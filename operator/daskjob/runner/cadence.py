"""When the report is patched: soon when a stage changes, seldom while a long job runs.

A job of three seconds takes three patches: Starting, Running, Finished. One of an hour takes one in 15 s.
"""

from __future__ import annotations

from typing import Optional

#: A stage waits this long for the next one, or for progress, to go with it.
STAGE_DELAY = 1.0
SHORTEST = 1.0
LONGEST = 15.0
#: Nothing new is said no more often than this; the answer may ask to cancel.
QUIET = 5.0
#: Of the time that the job has run so far.
SHARE = 0.05


def interval(elapsed: float) -> float:
    """Seconds between two patches with progress, `elapsed` seconds after the start."""
    return min(LONGEST, max(SHORTEST, SHARE * elapsed))


def next_patch(
    started: float, last: Optional[float], stage_since: Optional[float], changed_since: Optional[float]
) -> float:
    """When the next patch is due, all on one monotonic clock.

    `last` is the last accepted patch (None: the first is due at once), `stage_since` and `changed_since` the oldest
    change of stage and of anything else that was not sent (None: none).
    """
    if last is None:
        return started
    due = last + max(QUIET, interval(last - started))
    if stage_since is not None:
        due = min(due, max(stage_since + STAGE_DELAY, last + SHORTEST))
    if changed_since is not None:
        due = min(due, max(changed_since, last + interval(last - started)))
    return due


def backoff(failures: int, longest: float) -> float:
    """Seconds to wait after that many failed tries in a row (1 or more)."""
    return float(min(longest, 0.1 * 2 ** min(failures - 1, 10)))
