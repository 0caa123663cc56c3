"""What the status says of what is kept of an attempt (`spec.report`), and how long the operator waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from daskjob.api.constants import ConditionType, FailureClass, Reason
from daskjob.api.runner_report import ReportedSaving
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import Attempt, AttemptReport, DaskJobStatus, Failure
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.observation import Observation
from daskjob.runner.saving import CANCEL_BUDGET

#: Characters of the message that the status keeps for each attempt; the condition has all of it.
OLD_MESSAGE = 160
#: How long a runner may take to end after it reported an outcome or got the request to stop, and how much longer if it
#: saves what is kept of the attempt. A pod that ends by itself keeps its logs; a deleted one does not.
RUNNER_GRACE, SAVING_GRACE = timedelta(seconds=30), timedelta(seconds=CANCEL_BUDGET)


def runner_grace(spec: DaskJobSpec) -> timedelta:
    """How long the runner of a job may take to end."""
    return RUNNER_GRACE + (SAVING_GRACE if spec.report is not None else timedelta(0))


def overdue(observation: Observation) -> Failure | None:
    """The end by a deadline that waits for the runner to save the report; None: none does."""
    markers = observation.job.status.markers
    if markers is None or markers.overdue is None:
        return None
    return Failure(
        reason=markers.overdue, failure_class=FailureClass.APPLICATION, message=markers.overdue_message or ""
    )


def is_to_save(observation: Observation) -> bool:
    """Whether an end by a deadline waits until the runner has saved the report: it is connected, has reported no end,
    and nothing has asked it to end before."""
    markers, attempt = observation.job.status.markers, observation.attempt
    asked = markers is not None and markers.cancel_requested is not None
    runs = attempt.runner is not None and not attempt.runner.ended and not attempt.runner.deleting
    connected = attempt.runner_report.timings.connected is not None
    return observation.job.spec.report is not None and connected and runs and not asked


def follow(observation: Observation, status: DaskJobStatus) -> DaskJobStatus:
    """The status with what its last attempt's runner has reported of it, once that is known."""
    attempt = status.current
    if observation.job.spec.report is None or attempt is None or attempt.report is not None:
        return status
    if attempt.number != observation.job.status.attempt:
        # This very pass records it: what was observed is of the one before.
        return status
    saved = _saved(observation)
    if saved is None and not _is_over(observation, attempt):
        return status
    saved = saved or _lost(observation)
    location = saved.location if saved.reason is None else None
    kept = AttemptReport(location, (saved.message or "")[:OLD_MESSAGE] or None)
    status = status.with_attempt(replace(attempt, report=kept))
    words = [f"it is at {location}"] if location is not None else []
    message = "; ".join([*words, *([saved.message] if saved.message else [])])
    return status.with_condition(
        ConditionType.REPORT_SAVED,
        location is not None,
        Reason.SAVED if location is not None else Reason(saved.reason or Reason.REPORT_LOST),
        message,
        to_seconds_text(observation.now),
        observation.job.generation,
    )


def _saved(observation: Observation) -> ReportedSaving | None:
    """What the runner reported, or left in its termination message; None: nothing."""
    found = [observation.attempt.runner_report.saved]
    runner = observation.attempt.runner
    if runner is not None:
        found += [each.report.saved for each in runner.terminations if each.report is not None]
    return next((each for each in found if each != ReportedSaving()), None)


def _is_over(observation: Observation, attempt: Attempt) -> bool:
    """Whether nobody will report anything of the attempt any more."""
    runner = observation.attempt.runner
    return attempt.outcome is not None and (runner is None or runner.ended or observation.attempt.runner_report.sealed)


def _lost(observation: Observation) -> ReportedSaving:
    runner = observation.attempt.runner
    if runner is None:
        how = "the runner's pod is gone"
    else:
        last = next(iter(runner.terminations), None)
        how = f"the runner's pod {runner.name} ended with {last.how}" if last is not None else f"{runner.name} ended"
    return ReportedSaving(None, Reason.REPORT_LOST, f"nothing was saved: {how} before it could")
