"""When the runner patches its report: soon after a change of stage, seldom during a long job.

A job of three seconds takes three patches: Starting, Running, Finished. A job of an hour takes one every 15 s.
"""

from __future__ import annotations

from typing import Optional

#: The share of the scheduler's time that counting its tasks may take, and the seconds after which it counts them
#: anyway: a job's stall timeout, of 30 s or more, looks at the counts of reports.
COUNTING = 0.01
LONGEST_UNCOUNTED = 10.0

#: Seconds that a new stage waits for the next stage, or for progress, so that one patch has both.
STAGE_DELAY = 1.0
SHORTEST = 1.0
LONGEST = 15.0
#: Seconds between patches without news. The runner sends them because the answer may ask it to cancel.
QUIET = 5.0
#: The interval between patches, as a share of the time that the job has run so far.
SHARE = 0.05


def interval(elapsed: float) -> float:
    """Seconds until the next patch with progress, `elapsed` seconds after the start."""
    return min(LONGEST, max(SHORTEST, SHARE * elapsed))


def next_count(now: float, spent: float) -> float:
    """When the runner counts tasks again, if the scheduler just took `spent` seconds for it."""
    return now + min(LONGEST_UNCOUNTED, spent / COUNTING)


def next_patch(
    started: float, last: Optional[float], stage_since: Optional[float], changed_since: Optional[float]
) -> float:
    """When the next patch is due. All times are of one monotonic clock.

    `last`: when the API server accepted the last patch (None: the first is due at once). `stage_since`,
    `changed_since`: when the oldest unsent change of the stage, and of anything else, happened (None: there is none).
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
    """Seconds to wait after so many failed tries in a row (1 or more)."""
    return float(min(longest, 0.1 * 2 ** min(failures - 1, 10)))
