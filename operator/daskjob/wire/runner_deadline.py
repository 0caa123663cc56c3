"""The deadline that a runner keeps by its own clock, for the case that no operator runs.

It stands in the job file, and in the spec of the report, where the operator keeps it up to date when a user edits the
job's deadlines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Optional

#: The reasons that it may have, which are the operator's.
REASONS = ("DeadlineExceeded", "AttemptDeadlineExceeded")


@dataclass(frozen=True)
class RunnerDeadline:
    """How long an attempt may take, in seconds from its start, and the failure that it ends with."""

    seconds: int
    reason: str
    message: str

    def shape(self) -> Dict[str, Any]:
        """The JSON object."""
        return {"seconds": self.seconds, "reason": self.reason, "message": self.message}


def parse_deadline(data: object) -> Optional[RunnerDeadline]:
    """The deadline of a JSON object; None if it is none. Never raises."""
    if not isinstance(data, dict):
        return None
    seconds, reason, message = data.get("seconds"), data.get("reason"), data.get("message")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or reason not in REASONS:
        return None
    return RunnerDeadline(seconds, str(reason), message if isinstance(message, str) else "")
