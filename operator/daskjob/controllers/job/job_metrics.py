"""Prometheus metrics of jobs.

Every label has a bounded set of values: reasons are those of `Reason`, else `Other`; no text of reports, no job's name.
The operator counts after the write of a status, by what that write changed, so that neither a restart nor a conflict
counts anything twice.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from prometheus_client import Counter, Histogram

from daskjob.api.constants import ConditionType, FailureClass, Outcome, Reason
from daskjob.api.status import Attempt, DaskJobStatus, Retries
from daskjob.api.times import from_text
from daskjob.controller.metrics import OTHER, REGISTRY, namespace_label

#: The operator counts a runner's times if they lie within the attempt, give or take this much for its clock.
SKEW = timedelta(minutes=1)

LONG = (1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
STAGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
IGNORED = "Ignored"

JOBS_FINISHED = Counter(
    "daskjob_jobs_finished_total",
    "Runs of jobs that ended for good, by outcome, reason and whose failure it was.",
    ["namespace", "outcome", "reason", "class"],
    registry=REGISTRY,
)
JOB_DURATION = Histogram(
    "daskjob_job_duration_seconds",
    "From the start of a run's first attempt (or the last resumption) to the run's end.",
    ["outcome"],
    buckets=LONG,
    registry=REGISTRY,
)
STAGE_DURATION = Histogram(
    "daskjob_job_stage_duration_seconds",
    "Stages of an attempt: queued, startup (to the graph's start), run (of the graph), finish (to the recorded end), "
    "and of a finished job: cleanup.",
    ["stage"],
    buckets=STAGES,
    registry=REGISTRY,
)
ATTEMPTS = Counter(
    "daskjob_attempts_total", "Attempts that ended, by outcome and reason.", ["outcome", "reason"], registry=REGISTRY
)
RETRIES = Counter(
    "daskjob_retries_total",
    "Failed attempts that another one follows, by what they count as.",
    ["class"],
    registry=REGISTRY,
)
ORPHANS = Counter(
    "daskjob_orphans_deleted_total",
    "Objects deleted because their job no longer exists, and the garbage collector had left them.",
    ["kind"],
    registry=REGISTRY,
)
OTHER_INSTALLATION_OBJECTS = Counter(
    "daskjob_other_installation_objects_total",
    "Objects of jobs that another installation of the operator created in a namespace of this one.",
    registry=REGISTRY,
)

# Create every label set at start: `increase()` ignores the first sample of a series.
for _class in (*FailureClass, IGNORED):
    RETRIES.labels(_class)
for _kind in ("DaskCluster", "DaskWorkerGroup", "Pod", "DaskJobReport"):
    ORPHANS.labels(_kind)

_reasons = frozenset(str(each) for each in Reason)
_outcomes = frozenset(str(each) for each in Outcome)
_classes = frozenset(str(each) for each in FailureClass)


def _known(word: str | None, words: frozenset[str]) -> str:
    """The label value of a word: `Other` if it is unknown; empty, which for Prometheus is no label, if there is
    none."""
    if not word:
        return ""
    return str(word) if word in words else OTHER


def recorded(namespace: str, before: DaskJobStatus, after: DaskJobStatus) -> None:
    """Counts the changes that a status write brought."""
    same_run = (before.run or 1) == (after.run or 1)
    _count_retries(before.retries if same_run else None, after.retries)
    closed_before = {each.number for each in before.attempts if each.outcome is not None}
    begun_before = before.attempt or 0
    for attempt in after.attempts:
        if attempt.number > begun_before:
            _observe_queue(before, attempt)
        if attempt.outcome is not None and attempt.number not in closed_before:
            ATTEMPTS.labels(_known(attempt.outcome, _outcomes), _known(attempt.reason, _reasons)).inc()
            _observe_stages(before, after, attempt)
    if after.finished and not (before.finished and same_run):
        _count_end(namespace, after)
    if after.finished and after.is_true(ConditionType.CLEANED_UP) and not before.is_true(ConditionType.CLEANED_UP):
        _observe("cleanup", after.timings.finished, after.timings.cleaned_up)


def _count_retries(before: Retries | None, after: Retries | None) -> None:
    one, other = before or Retries(), after or Retries()
    for name, more in (
        (FailureClass.APPLICATION, other.application - one.application),
        (FailureClass.INFRASTRUCTURE, other.infrastructure - one.infrastructure),
        (IGNORED, other.ignored - one.ignored),
    ):
        RETRIES.labels(name).inc(max(more, 0))


def _count_end(namespace: str, after: DaskJobStatus) -> None:
    failure = after.failure
    outcome = Outcome.SUCCEEDED if after.is_true(ConditionType.COMPLETE) else Outcome.FAILED
    reason = failure.reason if failure is not None else Reason.SUCCEEDED
    whose = _known(failure.failure_class if failure is not None else None, _classes)
    JOBS_FINISHED.labels(namespace_label(namespace), outcome, _known(reason, _reasons), whose).inc()
    began, ended = from_text(after.start_time), from_text(after.timings.finished or after.completion_time)
    if began is not None and ended is not None:
        JOB_DURATION.labels(outcome).observe(max((ended - began).total_seconds(), 0.0))


def _observe_queue(before: DaskJobStatus, attempt: Attempt) -> None:
    queued = before.condition(ConditionType.QUEUED)
    waited = queued is not None and queued.status == "True"
    since = queued.last_transition_time if queued is not None and waited else attempt.start_time
    _observe("queued", since, attempt.start_time)


def _observe_stages(before: DaskJobStatus, after: DaskJobStatus, attempt: Attempt) -> None:
    """Counts the durations of the attempt's stages. The runner reports the times in between: they count only if they
    lie within the attempt."""
    current = after.current
    same = current is not None and current.number == attempt.number
    timings = after.timings if same else before.timings
    ended_text = (timings.finished if same else None) or attempt.completion_time
    began, ended = from_text(attempt.start_time), from_text(ended_text)
    if began is None or ended is None:
        return

    def within(text: str | None) -> str | None:
        moment = from_text(text)
        return text if moment is not None and began - SKEW <= moment <= ended + SKEW else None

    started, stopped = within(timings.graph_started), within(timings.graph_finished)
    _observe("startup", attempt.start_time, started)
    _observe("run", started, stopped)
    _observe("finish", stopped, ended_text)


def _observe(stage: str, since: str | None, until: str | None) -> None:
    begin: datetime | None = from_text(since)
    end: datetime | None = from_text(until)
    if begin is not None and end is not None:
        STAGE_DURATION.labels(stage).observe(max((end - begin).total_seconds(), 0.0))
