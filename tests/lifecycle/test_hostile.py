"""Whatever a runner's pod says, the status can be written and read, and the class of a failure is the operator's."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daskjob import wire
from daskjob.api.constants import FailureClass, Reason
from daskjob.api.resource import DASK_JOBS
from daskjob.api.resource_json import from_dict, to_dict
from daskjob.api.status import DaskJobStatus
from daskjob.controller.events import event_body
from daskjob.lifecycle.job.decide import decide
from daskjob.lifecycle.job.reduce import reduce

from .builders import NOW, a_job, ended, restarted
from .model import STATUS

examples = settings(max_examples=1000 if os.environ.get("CI") else 60)

words = st.sampled_from(
    [
        *("Succeeded", "Failed", "Running", "TaskFailed", "WorkersKilled", "SchedulerLost", "NoWorkers"),
        *("RunnerDisrupted", "Infrastructure", "2026-03-01T12:00:00Z", "2026-03-01", "0" * 64, "x" * 40_000),
        *("\x00\x1b[31m", "\ud800", ""),
    ]
)
numbers = st.sampled_from([0, 1, -1, 2**31, 2**63, 10**400, 1.5, -1e308]) | st.integers(0, 99)
scalars = st.none() | st.booleans() | numbers | words
NAMES = (
    "protocol seq stage outcome progress workers timings result failure total done erred prefixes name connected "
    "wanted retired firstWorker graphFinished type value types size sha256 reason message class traceback taskKey "
    "exitCode"
)
fields = st.sampled_from(NAMES.split())
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=5), max_leaves=20
)


@st.composite
def reports(draw: st.DrawFn) -> Any:
    """Something with the outline of a report, and any content."""
    outline = {
        "protocol": st.just(1) | scalars,
        "outcome": st.sampled_from(["Succeeded", "Failed"]) | scalars,
        "stage": words,
        "result": st.fixed_dictionaries(
            {"type": words}, optional={"value": scalars, "types": anything, "size": scalars}
        ),
        "failure": st.fixed_dictionaries(
            {"reason": words, "message": words}, optional={"class": words, "exitCode": numbers, "traceback": words}
        ),
        "progress": st.fixed_dictionaries({"total": scalars, "done": scalars}, optional={"prefixes": anything}),
        "timings": st.dictionaries(fields, words),
        "workers": anything,
    }
    return draw(st.fixed_dictionaries({}, optional={name: value | anything for name, value in outline.items()}))


def check(status: DaskJobStatus) -> None:
    written = to_dict(status)
    json.dumps(written)
    assert from_dict(DaskJobStatus, written) == status
    assert to_dict(from_dict(DaskJobStatus, written)) == written


@examples
@given(reports() | anything)
def test_a_hostile_report(said: Any) -> None:
    scene = a_job().started().report(**wire.parse_report(said)).workers(restarted("worker", 137, "OOMKilled"))
    decision = decide(scene.live().observe())
    check(decision.status)
    STATUS["DaskJob"].validate(to_dict(decision.status))
    for event in decision.events:
        json.dumps(event_body(DASK_JOBS, "team", "sum", "uid", event.message, event, NOW))
    failure = decision.status.failure
    if failure is not None and failure.failure_class == FailureClass.INFRASTRUCTURE:
        assert failure.reason in (Reason.SCHEDULER_UNREACHABLE, Reason.NO_WORKERS)


@examples
@given(reports().map(json.dumps) | anything.map(json.dumps) | st.text())
def test_a_hostile_termination_message(message: str) -> None:
    scene = a_job().started().runner(ended("runner", 1, message=message)).workers(restarted("worker", 137, "OOMKilled"))
    decision = decide(scene.live().observe())
    assert decision.status.finished
    check(decision.status)
    STATUS["DaskJob"].validate(to_dict(decision.status))
    for event in decision.events:
        json.dumps(event_body(DASK_JOBS, "team", "sum", "uid", event.message, event, NOW))


@examples
@given(st.text(max_size=3000), st.text(max_size=300), st.text(max_size=300))
def test_what_is_left_when_the_api_server_refuses(message: str, kind: str, refusal: str) -> None:
    failure = {"reason": "TaskFailed", "message": message, "exceptionType": kind, "traceback": message}
    scene = a_job().started().says(outcome="Failed", failure=failure, result={"type": kind or "x", "value": message})
    whole = decide(scene.live().observe()).status
    reduced = reduce(whole, scene.status, refusal)
    check(reduced)
    STATUS["DaskJob"].validate(to_dict(reduced))
    assert reduced.finished
    assert (reduced.phase, reduced.completion_time, reduced.attempt) == (
        whole.phase,
        whole.completion_time,
        whole.attempt,
    )
    assert reduced.failure is not None
    assert reduced.failure.reason == "TaskFailed"
    assert reduced.failure.traceback is None
    assert "details left out" in (reduced.failure.message or "")
