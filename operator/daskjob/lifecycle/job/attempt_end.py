"""How an attempt ended, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from daskjob import wire
from daskjob.api.constants import FailureClass, Reason
from daskjob.api.runner_report import ReportedFireAndForget
from daskjob.api.status import Failure, Result


@dataclass(frozen=True)
class AttemptEnd:
    """The end of an attempt, ready to be recorded. `failure`: None if the graph was computed; `degraded`: why the end
    does not come from the report, in a word and a sentence; `discarded`: tasks that nobody waited for, and that
    were thrown away; `forgotten`: those of them that the runner waited for, up to its limit."""

    failure: Failure | None = None
    result: Result | None = None
    degraded: tuple[Reason, str] | None = None
    discarded: int = 0
    forgotten: ReportedFireAndForget | None = None

    @property
    def success(self) -> str:
        """The message of a graph that was computed."""
        computed = "the graph was computed"
        if not self.discarded:
            return computed
        forgotten = self.forgotten or ReportedFireAndForget()
        words = wire.discarded_words(self.discarded, forgotten.unfinished or 0, forgotten.limit_seconds or 0)
        return f"{computed}; {words}"


@dataclass(frozen=True)
class Undecided:
    """The attempt has ended, but Kubernetes may say more about it: decide after `delay`."""

    delay: timedelta


def failed(reason: str, message: str, kind: FailureClass = FailureClass.APPLICATION, **details: Any) -> AttemptEnd:
    """The end by a failure. `details`: further fields of `api.status.Failure`."""
    return AttemptEnd(failure=Failure(reason=reason, failure_class=kind, message=message, **details))


def infrastructure(reason: str, message: str) -> AttemptEnd:
    """The end by a failure that is not the doing of the job's author."""
    return failed(reason, message, FailureClass.INFRASTRUCTURE)
