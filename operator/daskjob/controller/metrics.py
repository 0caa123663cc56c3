"""What the operator counts, for Prometheus. README.md has the table.

One registry a process. Every label's values are bounded: reasons are those of `Reason`, else `Other`; no text of
reports, no job's name. What a job's status tells is counted after the write that records it, by what the write
changed, so that a restart or a conflict counts nothing twice.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from daskjob import __version__
from daskjob.api.constants import ConditionType, FailureClass, Outcome, Reason
from daskjob.api.status import Attempt, DaskJobStatus, Retries
from daskjob.api.times import from_text
from daskjob.errors import SpecError
from daskjob.kube.api_error import ApiError, ErrorKind
from daskjob.kube.client import Request
from daskjob.probes.watch_health import Answer

#: Namespaces that are told apart: labels are kept for the life of the process, namespaces come and go.
MAX_NAMESPACES = 1000
OTHER = "Other"
#: How far a runner's clock may be off for its times to be counted.
SKEW = timedelta(minutes=1)

LONG = (1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
STAGES = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)
WAITS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300, 900)
WORKS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# Else each counter has a twin with the time when it was made.
disable_created_metrics()
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

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

QUEUE_ADDS = Counter("daskjob_workqueue_adds_total", "Keys put into the work queue.", ["name"], registry=REGISTRY)
QUEUE_RETRIES = Counter(
    "daskjob_workqueue_retries_total", "Keys put back because their pass failed.", ["name"], registry=REGISTRY
)
QUEUE_WAIT = Histogram(
    "daskjob_workqueue_queue_duration_seconds",
    "How long a key waits in the work queue before it is taken up.",
    ["name"],
    buckets=WAITS,
    registry=REGISTRY,
)
QUEUE_WORK = Histogram(
    "daskjob_workqueue_work_duration_seconds",
    "How long the work on a key takes.",
    ["name"],
    buckets=WORKS,
    registry=REGISTRY,
)

RECONCILE_DURATION = Histogram(
    "daskjob_reconcile_duration_seconds",
    "How long a pass over an object takes.",
    ["controller"],
    buckets=WORKS,
    registry=REGISTRY,
)
RECONCILE_ERRORS = Counter(
    "daskjob_reconcile_errors_total",
    "Passes that failed and are tried again, by kind of error; Conflict is part of normal life.",
    ["controller", "kind"],
    registry=REGISTRY,
)

API_REQUESTS = Counter(
    "daskjob_api_requests_total",
    "Requests to the API server, by HTTP status; <error>: no answer.",
    ["verb", "resource", "code"],
    registry=REGISTRY,
)
API_DURATION = Histogram(
    "daskjob_api_request_duration_seconds",
    "How long a request to the API server takes; of a watch: until it is accepted.",
    ["verb", "resource"],
    buckets=REQUESTS,
    registry=REGISTRY,
)
WATCH_EVENTS = Counter(
    "daskjob_watch_events_total", "Events and listed objects that the watches told.", ["resource"], registry=REGISTRY
)

LEADER = Gauge("daskjob_leader", "1 while this process leads, 0 while it stands by.", registry=REGISTRY)
LOOP_LAG = Histogram(
    "daskjob_event_loop_lag_seconds",
    "How late the event loop is with a timer, looked at every second.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30),
    registry=REGISTRY,
)
BUILD = Gauge("daskjob_build_info", "1, with the operator's version.", ["version"], registry=REGISTRY)
BUILD.labels(__version__).set(1)

ERROR_KINDS = {kind: kind.name.title().replace("_", "") for kind in ErrorKind}
#: Failed for want of another spec; failed for a reason that nobody foresaw.
SPEC, UNEXPECTED = "Spec", "Unexpected"
IGNORED = "Ignored"

# What can be is told before it happens: Prometheus sees no increase in a series that begins with 1.
for _class in (*FailureClass, IGNORED):
    RETRIES.labels(_class)
for _kind in ("DaskCluster", "DaskWorkerGroup", "Pod", "DaskJobReport"):
    ORPHANS.labels(_kind)

_reasons = frozenset(str(each) for each in Reason)
_outcomes = frozenset(str(each) for each in Outcome)
_classes = frozenset(str(each) for each in FailureClass)
_namespaces: set[str] = set()


def namespace_label(name: str) -> str:
    """The namespace, as long as there are not too many of them."""
    if name not in _namespaces:
        if len(_namespaces) >= MAX_NAMESPACES:
            return OTHER
        _namespaces.add(name)
    return name


def _known(word: str | None, words: frozenset[str]) -> str:
    """A label's value: empty, which for Prometheus is no label, where there is none."""
    if not word:
        return ""
    return str(word) if word in words else OTHER


def recorded(namespace: str, before: DaskJobStatus, after: DaskJobStatus) -> None:
    """Counts what a status that was just written says and the one before it did not."""
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
    """The attempt's stages. The times in between are the runner's: they count if they lie within the attempt."""
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


@contextmanager
def reconciling(controller: str) -> Iterator[None]:
    """Around one pass: times it, and counts the error that it raises."""
    began = time.perf_counter()
    try:
        yield
    except Exception as error:
        RECONCILE_ERRORS.labels(controller, _error_kind(error)).inc()
        raise
    finally:
        RECONCILE_DURATION.labels(controller).observe(time.perf_counter() - began)


def _error_kind(error: Exception) -> str:
    if isinstance(error, ApiError):
        return ERROR_KINDS[error.kind]
    return SPEC if isinstance(error, SpecError) else UNEXPECTED


@contextmanager
def requesting(verb: str, resource: str) -> Iterator[Request]:
    """Around one request to the API server. Whoever makes it says how it was answered."""
    began, request = time.perf_counter(), Request()
    try:
        yield request
    finally:
        _answered(verb, resource, request.status, time.perf_counter() - began)


def watch_request(answer: Answer) -> None:
    """A request that kopf made for a watch."""
    _answered(answer.verb, answer.path.rpartition("/")[2], answer.status, answer.seconds)


def _answered(verb: str, resource: str, status: int | None, seconds: float) -> None:
    API_REQUESTS.labels(verb, resource, str(status or "<error>")).inc()
    API_DURATION.labels(verb, resource).observe(seconds)


async def measure_lag(interval: float = 1.0) -> None:
    """Until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + interval
        await asyncio.sleep(interval)
        LOOP_LAG.observe(max(loop.time() - due, 0.0))
