"""Pods that an attempt cannot do without are killed, crash or are evicted: there is another one, and it is alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from ..conftest import make_namespace
from ..support.jobs import Job, apply, ended, manifest, result_of
from ..support.kube import Kube, Manifest
from ..support.machine import Machine
from ..support.operator import unharmed
from ..support.platform import Release
from ..support.sources import ENDLESS_AT_FIRST, computing
from ..support.together import Together
from ..support.waiting import wait_for


@pytest.fixture(scope="module", autouse=True)
def operator_survives(release: Release) -> Iterator[None]:
    with unharmed(release):
        yield


@dataclass(frozen=True)
class Strike:
    """A fault that costs an attempt."""

    strike: Callable[[Job, Machine], None]
    #: Any of them: it depends on who comes first.
    reasons: tuple[str, ...]
    spec: dict[str, Any] = field(default_factory=lambda: {"infrastructureRetries": 1})
    failure_class: str = "Infrastructure"


def delete(component: str, now: bool = True) -> Callable[[Job, Machine], None]:
    """Deletes the pod; `now`: as a node that dies does, with no time to say goodbye."""
    return lambda job, machine: job.kube.delete("pod", job.pod(component)["metadata"]["name"], now=now)


def crash(component: str) -> Callable[[Job, Machine], None]:
    return lambda job, machine: machine.kill_container(job.pod(component))


def break_sandbox(component: str) -> Callable[[Job, Machine], None]:
    return lambda job, machine: machine.kill_sandbox(job.pod(component))


def evict(component: str) -> Callable[[Job, Machine], None]:
    """As `kubectl drain` does."""

    def strike(job: Job, machine: Machine) -> None:
        pod, namespace = job.pod(component)["metadata"]["name"], job.kube.namespace
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/eviction"
        job.kube.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(eviction))

    return strike


def delete_cluster(job: Job, machine: Machine) -> None:
    job.kube.delete("daskclusters.kubernetes.dask.org", job.status()["attempts"][0]["name"])


APPLICATION = {"backoffLimit": 1, "infrastructureRetries": 0}
STRIKES = {
    "scheduler deleted": Strike(delete("scheduler"), ("SchedulerLost",)),
    "scheduler crashes": Strike(crash("scheduler"), ("SchedulerLost",)),
    "scheduler's sandbox breaks": Strike(break_sandbox("scheduler"), ("SchedulerLost",)),
    "scheduler evicted": Strike(evict("scheduler"), ("SchedulerLost",)),
    "runner deleted": Strike(delete("runner", now=False), ("RunnerLost",)),
    "runner evicted": Strike(evict("runner"), ("RunnerDisrupted",)),
    "cluster deleted": Strike(delete_cluster, ("ClusterLost", "SchedulerLost")),
    # The supervisor is killed, which user code cannot do to the first process of its container; but nor can the
    # operator tell: a pod that ends with 137 and no word is an application's failure.
    "runner crashes": Strike(crash("runner"), ("ExitCode",), APPLICATION, "Application"),
    # The kubelet stops what is in it: the runner is told to stop, and no pod says why, as if user code had done it.
    "runner's sandbox breaks": Strike(break_sandbox("runner"), ("RunnerStopped",), APPLICATION, "Application"),
}
#: Another case: a job that meets with a fault each time.
EVERY = "every attempt is lost"


def struck(kube: Kube, name: str) -> Job:
    """A job that has met with that fault, and has ended."""
    case = STRIKES[name]
    job = apply(kube, manifest("struck", ENDLESS_AT_FIRST, backoff={"initialSeconds": 1}, **case.spec))
    job.reaches("a task done", computing, 60)
    case.strike(job, Machine.of(kube))
    wait_for("the job to end", lambda: look(job), lambda seen: ended(seen[0]), 90)
    job.is_clean(45)
    return job


def lose_every_attempt(kube: Kube) -> Job:
    source = ENDLESS_AT_FIRST.replace('== "1"', '!= "0"')
    spec = {"infrastructureRetries": 1, "backoff": {"initialSeconds": 1}}
    job = apply(kube, manifest("lost", source, **spec))
    for number in (1, 2):
        job.reaches(f"attempt {number} to compute", lambda it, n=number: it.get("attempt") == n and computing(it), 60)
        kube.delete("pod", job.pod("scheduler")["metadata"]["name"], now=True)
    job.end(60)
    job.is_clean(45)
    return job


def look(job: Job) -> tuple[dict[str, Any], set[str]]:
    """The status, and the attempts that have pods which are to stay; fails if there are two."""
    status = job.status()
    pods = job.kube.list("pods", f"daskjob.io/job={job.name}")
    attempts = {pod["metadata"]["labels"]["daskjob.io/attempt"] for pod in pods if lives(pod)}
    assert len(attempts) <= 1, f"attempts {attempts} overlap"
    return status, attempts


def lives(pod: Manifest) -> bool:
    return pod["status"]["phase"] in ("Pending", "Running") and not pod["metadata"].get("deletionTimestamp")


@pytest.fixture(scope="module")
def strikes(request: pytest.FixtureRequest, release: Release) -> Iterator[Together[Job]]:
    here = [item for item in request.session.items if item.path == request.path]
    names = [item.callspec.params["name"] if hasattr(item, "callspec") else EVERY for item in here]
    work = {name: partial(struck, name=name) if name in STRIKES else lose_every_attempt for name in names}
    together = Together(partial(make_namespace, release.kube), work)
    yield together
    together.close()


@pytest.mark.parametrize("name", STRIKES)
def test_attempt_is_lost(request: pytest.FixtureRequest, strikes: Together[Job], name: str) -> None:
    """A fresh attempt is made, once, and the first says what became of it."""
    case = STRIKES[name]
    status = strikes.result(name, request).status()
    assert result_of(status) == 6
    first, second = status["attempts"]
    assert (first["number"], first["outcome"], first["class"]) == (1, "Failed", case.failure_class), first
    assert first["reason"] in case.reasons
    assert first["message"]
    assert (second["number"], second["outcome"]) == (2, "Succeeded")
    assert second["startTime"] >= first["completionTime"]
    counted = {"Infrastructure": "infrastructure", "Application": "application"}[case.failure_class]
    assert {kind: count for kind, count in status["retries"].items() if count} == {counted: 1}


def test_every_attempt_is_lost(request: pytest.FixtureRequest, strikes: Together[Job]) -> None:
    """The limit is kept; the failure is the last one's, and says that there were others."""
    status = strikes.result(EVERY, request).status()
    assert (status["failure"]["reason"], status["failure"]["class"]) == ("SchedulerLost", "Infrastructure"), status
    assert "infrastructureRetries" in status["failure"]["message"]
    assert [each["reason"] for each in status["attempts"]] == ["SchedulerLost"] * 2
