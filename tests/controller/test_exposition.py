"""What is told beside jobs' statuses, what is looked up at a scrape; and that Prometheus can read it all."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from daskjob.api.constants import Phase
from daskjob.api.resource import CLUSTERS, DASK_JOBS, PODS
from daskjob.controller import metrics
from daskjob.controller.cache import Cache, Key
from daskjob.controller.gauges import WorkCollector
from daskjob.controller.work_queue import WorkQueue
from daskjob.controllers.job import job_metrics
from daskjob.controllers.job.job_gauges import JobCollector
from daskjob.controllers.job.policies import Policies
from daskjob.controllers.job.watched import job_of
from daskjob.errors import ApiError, ErrorKind, SpecError
from daskjob.probes.watch_health import Answer

from .clock import run
from .counting import Increase
from .lint import lint
from .test_metrics import NEW, TIMES, ended, started
from .test_queue import working


@pytest.fixture
def increase() -> Increase:
    return Increase()


ERRORS: list[tuple[Exception, str]] = [
    *((ApiError(kind, 500, "x"), kind.name.title().replace("_", "")) for kind in ErrorKind),
    (SpecError("spec", "x"), "Spec"),
    (ZeroDivisionError("x"), "Unexpected"),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=[kind for _, kind in ERRORS])
def test_passes_that_fail(increase: Increase, error: Exception, kind: str) -> None:
    with pytest.raises(type(error)), metrics.reconciling("daskjob"):
        raise error
    assert increase.of("daskjob_reconcile_errors_total") == {f"daskjob {kind}": 1}
    assert increase("daskjob_reconcile_duration_seconds_count", controller="daskjob") == 1


def test_a_pass(increase: Increase) -> None:
    with metrics.reconciling("daskjob"):
        pass
    assert increase.of("daskjob_reconcile_errors_total") == {}
    assert increase("daskjob_reconcile_duration_seconds_count", controller="daskjob") == 1


def test_requests(increase: Increase) -> None:
    with metrics.requesting("create", "pods") as request:
        request.status = 201
    with pytest.raises(TimeoutError), metrics.requesting("create", "pods"):
        raise TimeoutError
    metrics.watch_request(Answer("watch", PODS.path("team"), 200, 0.1))
    metrics.watch_request(Answer("list", CLUSTERS.path(None), None, 0.1))
    assert increase.of("daskjob_api_requests_total") == {
        "201 pods create": 1,
        "<error> pods create": 1,
        "200 pods watch": 1,
        "<error> daskclusters list": 1,
    }
    assert increase("daskjob_api_request_duration_seconds_count", verb="create", resource="pods") == 2


def test_the_work_queue(increase: Increase) -> None:
    async def test() -> None:
        queue = WorkQueue("mine")
        registry = CollectorRegistry()
        registry.register(WorkCollector([queue]))

        def now(name: str) -> float | None:
            return registry.get_sample_value(f"daskjob_workqueue_{name}", {"name": "mine"})

        async def work(key: Key) -> None:
            await asyncio.sleep(10)

        for name in ("a", "b", "a"):
            queue.add(("team", name))
        assert (now("depth"), now("unfinished_work_seconds")) == (2, 0)
        await asyncio.sleep(1000)
        async with working(queue, work, 1):
            await asyncio.sleep(4)
            assert (now("depth"), now("unfinished_work_seconds"), now("longest_running_processor_seconds")) == (1, 4, 4)
            await asyncio.sleep(100)
            assert (now("depth"), now("unfinished_work_seconds"), now("longest_running_processor_seconds")) == (0, 0, 0)
            queue.add_failed(("team", "a"))

    run(test)
    assert increase("daskjob_workqueue_adds_total", name="mine") == 2
    assert increase("daskjob_workqueue_retries_total", name="mine") == 1
    assert increase("daskjob_workqueue_work_duration_seconds_sum", name="mine") == 20
    # The time before this process had to do with them does not count: one began at once, the other after it.
    assert increase("daskjob_workqueue_queue_duration_seconds_sum", name="mine") == 10


def a_body(namespace: str, name: str, phase: str | None, **spec: Any) -> dict[str, Any]:
    metadata = {"namespace": namespace, "name": name, "uid": f"{namespace}/{name}", "resourceVersion": "1"}
    status = {"phase": phase} if phase else {}
    return {"kind": "DaskJob", "metadata": metadata, "spec": spec, "status": status}


def test_jobs_that_there_are() -> None:
    cache = Cache(DASK_JOBS, job_of)
    bodies = [
        a_body("a", "1", "Running"),
        a_body("a", "2", "Running"),
        a_body("a", "3", "Queued"),
        a_body("b", "1", None),
        a_body("b", "2", "Dreaming"),
        a_body("c", "1", "Running", managedBy="someone.else/operator"),
    ]
    for body in bodies:
        cache.put(body)
    registry = CollectorRegistry()
    registry.register(JobCollector(cache))

    def jobs(namespace: str, phase: str) -> float | None:
        return registry.get_sample_value("daskjob_jobs", {"namespace": namespace, "phase": phase})

    assert [jobs("a", phase) for phase in ("Running", "Queued", "Failed")] == [2, 1, 0]
    assert [jobs("b", phase) for phase in ("Pending", "Other", "Running")] == [1, 1, 0]
    assert jobs("c", "Running") is None, "another operator's"
    assert registry.get_sample_value("daskjob_jobs_queued", {"namespace": "a"}) == 1
    assert {phase for phase in Phase if jobs("a", phase) is None} == set()
    cache.drop({**bodies[0], "metadata": {**bodies[0]["metadata"], "resourceVersion": "2"}})
    assert jobs("a", "Running") == 1, "looked up anew, never counted along"


@pytest.fixture
def exposed() -> Iterator[str]:
    """All there is, with something in every family."""
    done = ended(replace(started(), timings=TIMES))
    job_metrics.recorded("team", NEW, done)
    metrics.watch_request(Answer("watch", PODS.path(None), 200, 0.1))
    metrics.WATCH_EVENTS.labels("pods").inc()
    with metrics.reconciling("daskjob"):
        pass
    cache = Cache(DASK_JOBS, job_of)
    cache.put(a_body("team", "sum", "Running"))
    lookups = (JobCollector(cache), WorkCollector([]), Policies(Mock(), None))
    for lookup in lookups:
        metrics.REGISTRY.register(lookup)
    yield generate_latest(metrics.REGISTRY).decode()
    for lookup in lookups:
        metrics.REGISTRY.unregister(lookup)


def test_prometheus_can_read_it_and_would_not_complain(exposed: str) -> None:
    assert lint(exposed) == []
    assert "_created" not in exposed


def test_the_lint_sees_what_is_wrong() -> None:
    text = "\n".join(
        [
            "# HELP Camel x",
            "# TYPE Camel gauge",
            "Camel 1",
            "# TYPE run_ms gauge",
            "run_ms 1",
            "# HELP a_total x",
            "# TYPE a_total gauge",
            "a_total 1",
            "# HELP b_seconds_gauge x",
            "# TYPE b_seconds_gauge gauge",
            'b_seconds_gauge{jobName="x"} 1',
            'b_seconds_gauge{jobName="x"} 2',
            "",
        ]
    )
    assert lint(text) == [
        "Camel: not in lower case with single underscores",
        "run_ms: no help",
        "run_ms: give it in seconds",
        "a_total: only a counter ends in _total",
        "b_seconds_gauge: has its type in its name",
        "b_seconds_gauge: the unit comes last",
        "b_seconds_gauge: label jobName",
        "b_seconds_gauge: label jobName",
        'b_seconds_gauge{jobName="x"}: 2 times',
    ]


async def test_lag() -> None:
    increase = Increase()
    task = asyncio.ensure_future(metrics.measure_lag(0.01))
    async with asyncio.timeout(30):
        while True:
            await asyncio.sleep(0.01)
            if increase("daskjob_event_loop_lag_seconds_count") > 1:
                break
    task.cancel()


def test_the_reference_names_every_metric(exposed: str) -> None:
    text = (Path(__file__).parents[2] / "charts" / "daskjob-operator" / "METRICS.md").read_text()
    named = set(re.findall(r"^\| `(daskjob_\w+)` \|", text, re.MULTILINE))
    assert named == set(re.findall(r"^# TYPE (daskjob_\w+) ", exposed, re.MULTILINE))
