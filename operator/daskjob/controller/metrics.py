"""Prometheus metrics of every controller: queues, passes, requests, watches. One registry per process.

Metrics of jobs are in `controllers.job.job_metrics`. Every label has a bounded set of values.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

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
from daskjob.errors import ApiError, ErrorKind, SpecError
from daskjob.kube.client import Request
from daskjob.probes.watch_health import Answer

#: The most namespaces with a label value of their own: the process keeps label values until it ends, and namespaces
#: come and go.
MAX_NAMESPACES = 1000
OTHER = "Other"
WAITS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 60, 300, 900)
WORKS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
REQUESTS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

# Without this, every counter has a second series with its creation time.
disable_created_metrics()
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

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
    "daskjob_watch_events_total",
    "Events and listed objects of the watches that brought something new.",
    ["resource"],
    registry=REGISTRY,
)

UNREADABLE_OBJECTS = Counter(
    "daskjob_unreadable_objects_total",
    "Versions of objects that the operator could not read, and leaves alone.",
    ["resource"],
    registry=REGISTRY,
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
#: Label values of a pass that failed by a spec that the operator cannot accept, or by an unexpected error.
SPEC, UNEXPECTED = "Spec", "Unexpected"

_namespaces: set[str] = set()


def namespace_label(name: str) -> str:
    """The label value of a namespace: its name, or `Other` once `MAX_NAMESPACES` have one."""
    if name not in _namespaces:
        if len(_namespaces) >= MAX_NAMESPACES:
            return OTHER
        _namespaces.add(name)
    return name


@contextmanager
def reconciling(controller: str) -> Iterator[None]:
    """Times one pass, and counts the error that it raises."""
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
    """Times one request to the API server. The client sets the answer's HTTP status in the `Request`."""
    began, request = time.perf_counter(), Request()
    try:
        yield request
    finally:
        _answered(verb, resource, request.status, time.perf_counter() - began)


def watch_request(answer: Answer) -> None:
    """Counts a request of kopf for a watch."""
    _answered(answer.verb, answer.path.rpartition("/")[2], answer.status, answer.seconds)


def _answered(verb: str, resource: str, status: int | None, seconds: float) -> None:
    API_REQUESTS.labels(verb, resource, str(status or "<error>")).inc()
    API_DURATION.labels(verb, resource).observe(seconds)


async def measure_lag(interval: float = 1.0) -> None:
    """Measures how late the event loop is with a timer, every `interval` seconds until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + interval
        await asyncio.sleep(interval)
        LOOP_LAG.observe(max(loop.time() - due, 0.0))
