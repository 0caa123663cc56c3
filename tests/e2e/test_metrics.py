"""The real operator, asked as Prometheus and the kubelet ask it, before, during and after jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from daskjob.api.times import from_text

from ..controller.lint import lint
from ..support.jobs import Job, apply, manifest
from ..support.kube import Kube
from ..support.platform import SYSTEM, Release
from ..support.sources import SLEEP, WAITS
from ..support.waiting import wait_for

FAIL = "def main():\n    raise ValueError('words of a user')\n"
HEALTH, METRICS = 8080, 8081

Labels = frozenset[tuple[str, str]]


class Scrape:
    """What one pod exposed at one time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.values: dict[tuple[str, Labels], float] = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def __call__(self, name: str, /, **labels: str) -> float:
        """The sum of all series of that name which have these labels."""
        wanted = labels.items()
        return sum(value for (each, found), value in self.values.items() if each == name and wanted <= set(found))

    def job(self, name: str, kube: Kube, **labels: str) -> dict[tuple[str, ...], float]:
        """The series of the namespace, by their other labels' values in the order of the labels' names."""
        return {
            tuple(value for label, value in sorted(found) if label != "namespace"): value
            for (each, found), value in self.values.items()
            if each == name and ("namespace", kube.namespace) in found and labels.items() <= set(found)
        }


def ask(release: Release, component: str, port: int, path: str) -> str:
    """Through the API server, as nothing else reaches a pod from here."""
    [pod] = release.pods(component)
    where = f"/api/v1/namespaces/{SYSTEM}/pods/{pod['metadata']['name']}:{port}/proxy{path}"
    return release.kube.kubectl("get", "--raw", where)


@pytest.fixture
def scrape(release: Release) -> Callable[[], Scrape]:
    return lambda: Scrape(ask(release, "operator", METRICS, "/metrics"))


def seconds(status: dict[str, Any], since: str, until: str) -> float:
    one, other = (from_text(status["timings"][stage]) for stage in (since, until))
    assert one is not None
    assert other is not None
    return (other - one).total_seconds()


def test_a_job_from_start_to_end(kube: Kube, scrape: Callable[[], Scrape]) -> None:
    before = scrape()
    job = apply(kube, manifest("counted", WAITS, [4]))
    job.reaches("Running", lambda status: status.get("phase") == "Running", 60)

    def phases(now: Scrape) -> dict[str, float]:
        return {phase: number for (phase,), number in now.job("daskjob_jobs", kube).items() if number}

    during = wait_for("it to be counted as running", scrape, lambda now: phases(now) == {"Running": 1}, 20)
    assert during.job("daskjob_jobs_finished_total", kube) == {}
    job.let_go()
    status = job.end()
    job.is_clean()
    after = wait_for(
        "the end of the cleaning up to be counted",
        scrape,
        lambda now: increase(before, now, "daskjob_job_stage_duration_seconds_count", stage="cleanup") >= 1,
        20,
    )
    assert after.job("daskjob_jobs_finished_total", kube) == {("", "Succeeded", "Succeeded"): 1}
    assert after.job("daskjob_jobs", kube, phase="Succeeded") == {("Succeeded",): 1}
    assert increase(before, after, "daskjob_attempts_total", outcome="Succeeded") >= 1
    run = increase(before, after, "daskjob_job_stage_duration_seconds_sum", stage="run")
    assert run >= seconds(status, "graphStarted", "graphFinished") - 0.01 > 0
    startup = increase(before, after, "daskjob_job_stage_duration_seconds_sum", stage="startup")
    assert startup >= seconds(status, "accepted", "graphStarted") - 0.01
    whole = increase(before, after, "daskjob_job_duration_seconds_sum", outcome="Succeeded")
    assert whole >= seconds(status, "accepted", "finished") - 0.01
    for verb, resource in (("create", "daskclusters"), ("create", "pods"), ("apply", "daskjobs")):
        assert increase(before, after, "daskjob_api_requests_total", verb=verb, resource=resource) >= 1, resource
    for resource in ("daskjobs", "pods", "daskjobreports"):
        assert increase(before, after, "daskjob_watch_events_total", resource=resource) >= 1, resource
    assert increase(before, after, "daskjob_workqueue_adds_total", name="daskjob") >= 3
    assert increase(before, after, "daskjob_reconcile_duration_seconds_count", controller="daskjob") >= 3
    assert after("daskjob_leader") == 1
    assert after("process_resident_memory_bytes") > 10e6
    assert after("daskjob_event_loop_lag_seconds_count") > before("daskjob_event_loop_lag_seconds_count")


def increase(before: Scrape, after: Scrape, name: str, /, **labels: str) -> float:
    return after(name, **labels) - before(name, **labels)


def test_a_job_that_fails(kube: Kube, scrape: Callable[[], Scrape]) -> None:
    """Its reason is told, its words are not."""
    job = apply(kube, manifest("failing", FAIL))
    status = job.end()
    reason = status["failure"]["reason"]
    after = wait_for("its end to be counted", scrape, lambda now: now.job("daskjob_jobs_finished_total", kube), 20)
    assert after.job("daskjob_jobs_finished_total", kube) == {("Application", "Failed", reason): 1}
    assert "words of a user" not in after.text
    assert job.name not in after.text


def test_a_restart_counts_no_job_again(release: Release, kube: Kube, scrape: Callable[[], Scrape]) -> None:
    job: Job = apply(kube, manifest("once", SLEEP, [0]))
    job.end()
    job.is_clean()
    wait_for("its end to be counted", scrape, lambda now: now.job("daskjob_jobs_finished_total", kube), 20)
    kube.within(SYSTEM).kubectl("rollout", "restart", "deployment/daskjob-operator")
    kube.within(SYSTEM).kubectl("rollout", "status", "deployment/daskjob-operator", "--timeout=90s")
    wait_for("one operator", lambda: release.pods("operator"), lambda pods: len(pods) == 1, 60)
    after = wait_for("it to lead", scrape, lambda now: now("daskjob_leader") == 1, 60)
    after = wait_for("it to look at the job", scrape, lambda now: now.job("daskjob_jobs", kube, phase="Succeeded"), 30)
    assert after.job("daskjob_jobs", kube, phase="Succeeded") == {("Succeeded",): 1}
    assert after.job("daskjob_jobs_finished_total", kube) == {}


def test_prometheus_can_read_it(scrape: Callable[[], Scrape]) -> None:
    assert lint(scrape().text) == []


@pytest.mark.parametrize("component", ["operator", "dask-controller"])
def test_probes(release: Release, component: str) -> None:
    alive = json.loads(ask(release, component, HEALTH, "/healthz"))
    assert (alive["status"], alive["problems"]) == ("ok", [])
    # Bookmarks come about once a minute, at the latest when the server ends a watch after five.
    assert alive["secondsSinceSignOfLife"]
    assert max(alive["secondsSinceSignOfLife"].values()) < 120
    ready = json.loads(ask(release, component, HEALTH, "/readyz"))
    assert (ready["status"], ready["problems"]) == ("ok", [])
