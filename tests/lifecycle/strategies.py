"""What the state machine draws from."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import strategies as st

from daskjob.controllers.job.watched import BY_KIND
from daskjob.kube.client import Body
from daskjob.lifecycle.job.queueing import RunLimits

from .world import JOBS

BRANCH = {"git": {"url": "https://host/team/code", "revision": "main"}}
COMMIT = {"git": {"url": "https://host/team/code", "revision": "0123456789" * 4}}
SOURCES = [None, {"inline": "def f(): return 1"}, {"configMap": {"name": "code"}}, BRANCH, BRANCH, COMMIT]
#: Graphs for a job that may be edited.
CODE = [{"entrypoint": "m:f", **more} for more in ({}, {"args": [1]}, {"source": SOURCES[1]}, {"source": BRANCH})]
WORKERS = [{"replicas": 2}, {"replicas": 2, "minWorkers": 2}, {"adaptive": {"minimum": 1, "maximum": 3}}]
#: Further worker groups: mostly none.
GROUPS: list[list[dict[str, Any]]] = [
    *[[]] * 4,
    [{"name": "gpu", "replicas": 1}],
    [{"name": "big", "replicas": 2, "minWorkers": 2}, {"name": "late", "adaptive": {"minimum": 0, "maximum": 2}}],
]
RUNNERS = [*[{}] * 9, {"template": {"spec": {"hostNetwork": True}}}]
STORE = {"url": "s3://results"}
#: Mostly none: what the results are kept in, and for how long.
RESULTS: list[dict[str, Any] | None] = [None, None, {"store": STORE}, {"store": STORE, "retention": "DeleteWithJob"}]
FAULTS = ["transient", "timeout", "conflict", "forbidden", "refused", "crash", "hear", "aside", "aside", "user"]
FATES = ["ok"] * 8 + FAULTS
#: Reasons that a runner may give, right and wrong ones.
REASONS = ["TaskFailed", "WorkersKilled", "SchedulerLost", "NoWorkers", "Cancelled", "RunnerDisrupted", "", "none"]
OBSTACLES = [
    ("ImagePullBackOff", "no such image"),
    ("InvalidImageName", "not a name"),
    ("Unschedulable", "0/1 nodes are available"),
    ("CreateContainerConfigError", 'secret "x" not found'),
]
#: What may stand in a termination message.
LAST_WORDS = [
    "",
    "Killed",
    '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "7", "size": 1}}',
    '{"protocol": 1, "outcome": "Failed", "failure": {"reason": "TaskFailed", "message": "boom"}}',
    '{"protocol": 1, "outcome": "Failed", "failure": {"reason": "!", "class": "Infrastructure"}}',
    '{"protocol": 1, "outcome": "Succeeded", "result": {"type": 5, "value": 7, "size": -1, "sha256": "x"}}',
    '{"protocol": 1, "outcome": "Succeeded", "result": []}',
    '{"protocol": 1, "outcome": "Failed", "failure": {"reason": "Signal", "message": "\\ud800", "exitCode": 1e9}}',
    "[[[[",
]
#: None of these goes on for ever: what they ignore ends with the faults.
POLICIES = [
    {"rules": [{"action": "Ignore", "onReasons": ["TaskFailed", "RunnerLost"]}]},
    {"rules": [{"action": "Fail", "onReasons": ["RunnerLost", "SchedulerLost"]}]},
    {"rules": [{"action": "Retry", "onReasons": ["RunnerLost", "ImagePullFailed"]}]},
]
#: Fields that much depends on.
KINDS: list[dict[str, Any]] = [
    {},
    {"runPolicy": "OnChange"},
    {"backoffLimit": 2, "backoff": {"initialSeconds": 0}},
    {"runPolicy": "OnChange", "backoffLimit": 1},
    {"infrastructureRetries": 1, "backoff": {"initialSeconds": 0}},
    {"priority": 5},
    {"ttlSecondsAfterFinished": 0},
]
#: What a user may change at any time: names of the spec's fields, and values.
EDITS: list[tuple[str, list[Any]]] = [
    ("activeDeadlineSeconds", [None, 60, 500]),
    ("attemptDeadlineSeconds", [None, 40, 150]),
    ("stallTimeoutSeconds", [None, 30]),
    ("startupDeadlineSeconds", [20, 100]),
    ("ttlSecondsAfterFinished", [None, 0, 100]),
    ("backoffLimit", [1, 2]),
    ("infrastructureRetries", [0, 1, 3]),
    ("backoff", [{}, {"initialSeconds": 0}, {"initialSeconds": 100, "maximumSeconds": 150}]),
    ("cleanup", [{}, {"afterSuccessSeconds": 50, "afterFailureSeconds": 50}]),
    ("priority", [0, 5, -5]),
    ("runPolicy", ["Once", "OnChange"]),
    ("failurePolicy", [None, *POLICIES]),
    ("cancel", [False, True]),
]
#: Limits of running jobs: none, in all, in a namespace, both; workers in a namespace; classes of namespaces.
LIMITS = [
    RunLimits(),
    RunLimits(1, 0),
    RunLimits(0, 1),
    RunLimits(2, 1),
    RunLimits(workers_per_namespace=4),
    RunLimits(1, classes=(frozenset({"others"}), frozenset())),
]

examples = int(os.environ.get("DASKJOB_EXAMPLES") or (2000 if os.environ.get("CI") else 250))
just_jobs = st.just({"DaskJob"})
watched = st.sampled_from(sorted(BY_KIND))
operators = st.sampled_from([0, 0, 0, 1])
names = st.sampled_from(["sum", "sum", "sum", *JOBS])
#: Of one among any number of things.
indexes = st.integers(0, 11)
plans = st.lists(st.sampled_from(FATES), max_size=12)
edits = st.sampled_from(EDITS).flatmap(lambda each: st.tuples(st.just(each[0]), st.sampled_from(each[1])))


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A few fields each: what is not given has its default, but for the startup deadline, which is short."""
    source = draw(st.sampled_from([None, None, *SOURCES]))
    groups = draw(st.sampled_from(GROUPS))
    spec: dict[str, Any] = {
        "graph": {"entrypoint": "m:f", **({"source": source} if source else {})},
        "cluster": {"workers": draw(st.sampled_from(WORKERS)), **({"workerGroups": groups} if groups else {})},
        "runner": draw(st.sampled_from(RUNNERS)),
        "startupDeadlineSeconds": 100,
        "result": draw(st.sampled_from(RESULTS)),
    }
    for name, value in draw(st.lists(edits, max_size=5)):
        spec[name] = value
    spec |= draw(st.sampled_from(KINDS))
    if draw(st.sampled_from([False] * 5 + [True])):
        spec["suspend"] = True
    if draw(st.sampled_from([False] * 3 + [True])):
        spec["report"] = {"store": {"url": "s3://kept"}}
    if draw(st.sampled_from([False] * 15 + [True])):
        spec["managedBy"] = "example.com/other"
    return fit(spec)


def fit(spec: dict[str, Any]) -> dict[str, Any]:
    """As the CRD's rules want it."""
    spec = {name: value for name, value in spec.items() if value is not None}
    rules = spec.get("failurePolicy", {}).get("rules", ())
    if any(each["action"] == "Retry" for each in rules) and not spec.get("backoffLimit"):
        spec["backoffLimit"] = 1
    return spec


def a_past() -> Body:
    """The status of a job that has run six times already, with ten attempts at least."""
    then = "2026-02-01T12:00:00Z"
    end: dict[str, Any] = {"startTime": then, "completionTime": then, "outcome": "Succeeded", "reason": "Succeeded"}
    result = {"type": "int", "value": "7", "size": 1}
    complete = {"status": "True", "reason": "Succeeded", "lastTransitionTime": then, "observedGeneration": 1}
    return {
        "phase": "Succeeded",
        "observedGeneration": 1,
        "run": 6,
        "startTime": then,
        "completionTime": then,
        "conditions": [{"type": each, **complete} for each in ("Complete", "CleanedUp", "Ready")],
        "attempt": 12,
        "attempts": [{"number": each, "name": f"sum-x-{each}", "run": 6, **end} for each in range(3, 13)],
        "result": result,
        "timings": {"finished": then},
        "specDigest": "of an earlier spec",
        "rerun": "before",
        "history": [{"run": each, **end, "result": result} for each in range(5, 0, -1)],
    }
