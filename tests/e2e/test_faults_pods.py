"""Workers killed, quotas and specs changed, a job deleted: its one attempt goes on, or its one failure tells why.

Started together, a few at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import pytest

from ..conftest import make_namespace
from ..support.jobs import Job, apply, condition, manifest, result_of
from ..support.kube import Kube, KubectlFailed, Manifest
from ..support.machine import Machine
from ..support.operator import unharmed
from ..support.platform import Release
from ..support.sources import COUNT, SLEEP, computing, in_phase
from ..support.together import Together
from ..support.waiting import wait_for


def gives(job: Job, result: object) -> None:
    """Its first attempt succeeds, and nothing is left of it."""
    status = job.end()
    assert status["phase"] == "Succeeded", status
    assert result_of(status) == result
    assert [each["number"] for each in status["attempts"]] == [1]
    job.is_clean()


def workers_killed_all_at_once(kube: Kube) -> None:
    """Others take their place, and what was computed is computed again."""
    job = apply(kube, manifest("workers", COUNT, [40], cluster={"workers": {"replicas": 2, "threads": 2}}))
    job.reaches("a task done", computing, 60)
    kube.delete("pod", *(pod["metadata"]["name"] for pod in job.pods("worker")), now=True)
    gives(job, sum(range(40)))


def worker_crashes(kube: Kube) -> None:
    """The kubelet starts it again in its pod."""
    job = apply(kube, manifest("worker", COUNT, [20]))
    job.reaches("a task done", computing, 60)
    Machine.of(kube).kill_container(job.pod("worker"))
    gives(job, sum(range(20)))


def forbid_pods(kube: Kube) -> None:
    kube.apply(
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "pods"}, "spec": {"hard": {"pods": "0"}}}
    )
    wait_for("the quota to count", lambda: kube.get("resourcequota", "pods"), lambda it: it.get("status"), 20)


def quota_that_is_raised(kube: Kube) -> None:
    """What was refused is made as soon as it may be."""
    forbid_pods(kube)
    job = apply(kube, manifest("quota", SLEEP, [0]))
    job.reaches("refused", lambda it: condition(it, "ClusterReady").get("reason") == "QuotaExceeded", 30)
    kube.delete("resourcequota", "pods", wait=True)
    gives(job, 0)


def workers_that_do_not_come_back(kube: Kube) -> None:
    """Lost to a quota that leaves no room for others: the scheduler gives the tasks up after startupDeadlineSeconds.

    What the API server says of it goes before the infrastructure's class: trying again would not help.
    """
    job = apply(kube, manifest("alone", COUNT, [60], startupDeadlineSeconds=20))
    job.reaches("a task done", computing, 60)
    forbid_pods(kube)
    kube.delete("pod", job.pod("worker")["metadata"]["name"], now=True)
    status = job.end(60)
    assert (status["failure"]["reason"], status["failure"]["class"]) == ("QuotaExceeded", "Application"), status
    assert "exceeded quota: pods" in status["failure"]["message"]
    job.is_clean()


def job_edited_while_it_runs(kube: Kube) -> None:
    """What is the run cannot be edited, and what can does not disturb it."""
    job = apply(kube, manifest("edited", SLEEP, [8]))
    job.reaches("Running", in_phase("Running"), 60)
    runner = job.pod("runner")["metadata"]["uid"]
    for change in ({"graph": {"args": [0]}}, {"cluster": {"workers": {"replicas": 2}}}):
        with pytest.raises(KubectlFailed, match="cannot be changed"):
            kube.patch("daskjobs.daskjob.io", job.name, {"spec": change})
    kube.patch("daskjobs.daskjob.io", job.name, {"spec": {"activeDeadlineSeconds": 600, "backoffLimit": 2}})
    kube.kubectl("label", "daskjobs.daskjob.io", job.name, "team=blue")
    gives(job, 8)
    assert job.status()["observedGeneration"] == job.body()["metadata"]["generation"] == 2
    assert [pod["metadata"]["uid"] for pod in job.pods("runner")] == [runner]


def code_edited_and_deleted_while_it_runs(kube: Kube) -> None:
    """A ConfigMap of the user's, mounted: what was loaded stays as it was."""
    code: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}}
    kube.apply({**code, "data": {"job.py": SLEEP}})
    spec = manifest("mapped", SLEEP, [6])
    spec["spec"]["graph"]["source"] = {"configMap": {"name": "code"}}
    job = apply(kube, spec)
    job.reaches("Running", in_phase("Running"), 60)
    kube.apply({**code, "data": {"job.py": "raise SystemExit('another program')\n"}})
    kube.delete("configmap", "code", wait=True)
    gives(job, 6)


def job_deleted_in_the_foreground(kube: Kube) -> None:
    """Nothing of the job holds it up: it is gone after what it consisted of."""
    job = apply(kube, manifest("foreground", SLEEP, [300]))
    job.reaches("Running", in_phase("Running"), 60)
    kube.kubectl("delete", "daskjobs.daskjob.io", job.name, "--cascade=foreground", "--timeout=45s")
    mine = f"daskjob.io/job={job.name}"
    wait_for("its pods to go", lambda: kube.list("pods,daskclusters", mine), lambda left: not left, 30)


CASES: dict[str, Callable[[Kube], None]] = {
    case.__name__.replace("_", " "): case
    for case in (
        workers_killed_all_at_once,
        worker_crashes,
        quota_that_is_raised,
        workers_that_do_not_come_back,
        job_edited_while_it_runs,
        code_edited_and_deleted_while_it_runs,
        job_deleted_in_the_foreground,
    )
}


@pytest.fixture(scope="module")
def cases(request: pytest.FixtureRequest, release: Release) -> Iterator[Together[None]]:
    here = [item.callspec.params["name"] for item in request.session.items if item.path == request.path]
    together = Together(partial(make_namespace, release.kube), {name: CASES[name] for name in here})
    with unharmed(release):
        yield together
    together.close()


@pytest.mark.parametrize("name", CASES)
def test_job(request: pytest.FixtureRequest, cases: Together[None], name: str) -> None:
    cases.result(name, request)
