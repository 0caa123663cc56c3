"""Pods killed, jobs and namespaces deleted, the operator restarted: jobs still end, once, and nothing is left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import make_namespace
from ..support.jobs import GONE, KINDS, Job, apply, condition, manifest, remains, result_of
from ..support.kube import Kube, Manifest
from ..support.platform import SYSTEM, Release
from ..support.sources import COUNT, SLEEP, WAITS
from ..support.waiting import wait_for


def running(status: Manifest) -> bool:
    return status.get("phase") == "Running" and status.get("progress", {}).get("done", 0) > 0


def attempt_of(job: Job) -> str:
    return str(job.status()["attempts"][0]["name"])


def made_pods(kube: Kube, prefix: str) -> set[str]:
    """Names of all runner pods that were ever made for an attempt, from the namespace's events."""
    events = kube.list("events")
    involved = [(each["involvedObject"]["kind"], each["involvedObject"]["name"]) for each in events]
    return {name for kind, name in involved if kind == "Pod" and name.startswith(prefix) and name.endswith("-runner")}


def restart_operator(release: Release) -> None:
    """Deletes the operator's pod as a node that dies does, with no time to say goodbye."""
    names = [pod["metadata"]["name"] for pod in release.pods("operator")]
    release.kube.within(SYSTEM).delete("pod", *names, now=True)


MOMENTS = {
    "as soon as it is applied": lambda status: True,
    "when it is accepted": lambda status: bool(status.get("attempts")),
    "when it starts": lambda status: status.get("phase") in ("Starting", "Running"),
    "while it runs": running,
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_operator_killed(release: Release, kube: Kube, moment: str) -> None:
    job = apply(kube, manifest("restart", COUNT, [6]))
    job.reaches(moment, MOMENTS[moment], 60)
    restart_operator(release)
    status = job.end(120)
    assert status["phase"] == "Succeeded", status
    assert result_of(status) == sum(range(6))
    assert [each["number"] for each in status["attempts"]] == [1]
    job.is_clean()
    assert len(made_pods(kube, attempt_of(job))) == 1, "the graph must run once"


def test_operator_killed_at_the_end(release: Release, kube: Kube) -> None:
    """The end comes while no operator is there to see it."""
    job = apply(kube, manifest("end", WAITS, [4]))
    job.reaches("Running", lambda status: status.get("phase") == "Running", 60)
    kube.within(SYSTEM).kubectl("scale", "deployment/daskjob-operator", "--replicas=0")
    wait_for("no operator", lambda: release.pods("operator"), lambda pods: not pods, 40)
    job.let_go()
    wait_for("the runner to end", lambda: job.pods("runner")[0]["status"]["phase"], lambda it: it == "Succeeded", 60)
    assert "completionTime" not in job.status()
    kube.within(SYSTEM).kubectl("scale", "deployment/daskjob-operator", "--replicas=1")
    assert result_of(job.end(60)) == 4
    job.is_clean()


def test_job_deleted_while_it_runs(kube: Kube) -> None:
    job = apply(kube, manifest("deleted", SLEEP, [120]))
    job.reaches("Running", lambda status: status.get("phase") == "Running", 60)
    uid = job.body()["metadata"]["uid"]
    kube.delete("daskjobs.daskjob.io", job.name, wait=True)
    wait_for("all of the job to go", lambda: everything(kube, job.name, uid), lambda left: not left, GONE + 15)


def test_job_deleted_after_its_end(kube: Kube) -> None:
    job = apply(kube, manifest("deleted", SLEEP, [0]))
    job.end()
    uid = job.body()["metadata"]["uid"]
    job.is_clean()
    kube.delete("daskjobs.daskjob.io", job.name, wait=True)
    wait_for("runner and report to go", lambda: everything(kube, job.name, uid), lambda left: not left, GONE)


def everything(kube: Kube, name: str, uid: str) -> list[str]:
    """What is left of a job that was deleted: here its report and its runner's pod count too."""
    runner = [
        f"{each['kind']} {each['metadata']['name']}"
        for each in kube.list(KINDS, f"daskjob.io/job-uid={uid}")
        if each["kind"] in ("Pod", "DaskJobReport")
    ]
    return sorted({*runner, *remains(kube, name, uid)})


def test_job_made_again_under_its_name(kube: Kube) -> None:
    """A new job has nothing to do with an older one of its name, not even while that one's pods still end."""
    first = apply(kube, manifest("again", SLEEP, [120]))
    first.reaches("Running", lambda status: status.get("phase") == "Running", 60)
    old = first.body()["metadata"]["uid"]
    kube.delete("daskjobs.daskjob.io", first.name, wait=True)
    second = apply(kube, manifest("again", SLEEP, [0]))
    assert result_of(second.end()) == 0
    second.is_clean()
    wait_for("the first to go", lambda: everything(kube, "again", old), lambda left: not left, GONE + 15)


def test_namespace_deleted_while_a_job_runs(request: pytest.FixtureRequest, release: Release) -> None:
    kube = make_namespace(release.kube, request.node.originalname)
    job = apply(kube, manifest("swept", SLEEP, [120]))
    job.reaches("Running", lambda status: status.get("phase") == "Running", 60)
    kube.delete("namespace", kube.namespace)
    wait_for("the namespace to go", lambda: release.kube.get("namespace", kube.namespace), lambda it: it is None, 90)


def test_namespace_deleted_without_an_operator(request: pytest.FixtureRequest, release: Release) -> None:
    """No finalizer of ours holds it up."""
    kube = make_namespace(release.kube, request.node.originalname)
    job = apply(kube, manifest("swept", SLEEP, [120]))
    job.reaches("Running", lambda status: status.get("phase") == "Running", 60)
    deployments = ("deployment/daskjob-operator", "deployment/daskjob-operator-dask-controller")
    kube.within(SYSTEM).kubectl("scale", *deployments, "--replicas=0")
    try:
        kube.delete("namespace", kube.namespace)
        wait_for("the namespace to go", lambda: kube.get("namespace", kube.namespace), lambda it: it is None, 90)
    finally:
        kube.within(SYSTEM).kubectl("scale", *deployments, "--replicas=1")
        for deployment in deployments:
            kube.within(SYSTEM).kubectl("rollout", "status", deployment, "--timeout=90s")


def test_scheduler_killed(kube: Kube) -> None:
    job = apply(kube, manifest("scheduler", COUNT, [60], infrastructureRetries=0))
    job.reaches("a task done", running, 60)
    kube.delete("pod", job.pod("scheduler")["metadata"]["name"], now=True)
    status = job.end(60)
    assert (status["failure"]["reason"], status["failure"]["class"]) == ("SchedulerLost", "Infrastructure"), status
    job.is_clean(45)


def test_runner_killed(kube: Kube) -> None:
    job = apply(kube, manifest("runner", COUNT, [60], infrastructureRetries=0))
    job.reaches("a task done", running, 60)
    kube.delete("pod", job.pod("runner")["metadata"]["name"], now=True)
    status = job.end(60)
    assert (status["failure"]["reason"], status["failure"]["class"]) == ("RunnerLost", "Infrastructure"), status
    job.is_clean(45)


def test_cluster_deleted_by_hand(kube: Kube) -> None:
    job = apply(kube, manifest("cluster", COUNT, [60], infrastructureRetries=0))
    job.reaches("a task done", running, 60)
    kube.delete("daskclusters.kubernetes.dask.org", attempt_of(job))
    status = job.end(60)
    assert status["failure"]["class"] == "Infrastructure", status
    assert status["failure"]["reason"] in ("ClusterLost", "SchedulerLost"), status
    job.is_clean(45)


def test_worker_killed(kube: Kube) -> None:
    """Its tasks are run again by the others."""
    job = apply(kube, manifest("worker", COUNT, [12], cluster={"workers": {"replicas": 2}}))
    job.reaches("a task done", running, 60)
    kube.delete("pod", job.pod("worker")["metadata"]["name"], now=True)
    status = job.end(120)
    assert status["phase"] == "Succeeded", status
    assert result_of(status) == sum(range(12))
    job.is_clean()


def test_active_deadline(kube: Kube) -> None:
    job = apply(kube, manifest("overdue", SLEEP, [300], activeDeadlineSeconds=12))
    status = job.end(40)
    assert status["failure"]["reason"] == "DeadlineExceeded"
    job.is_clean(60)
    assert job.pods("runner"), "the runner's pod must stay, for its log"


def test_progress_and_workers_while_it_runs(kube: Kube) -> None:
    job = apply(kube, manifest("watched", COUNT, [24], cluster={"workers": {"replicas": 2}}))
    status = job.reaches("some tasks done, others not", running, 90)
    progress = status["progress"]
    assert progress["total"] == 25
    assert progress["summary"] == f"{progress['done']}/25"
    assert {each["name"]: each["total"] for each in progress["prefixes"]} == {"step": 24, "sum": 1}
    assert condition(status, "ClusterReady")["status"] == "True"
    assert status["cluster"]["workers"] == {"wanted": 2, "ready": 2}
    status = job.end()
    stages = ("accepted", "created", "connected", "firstWorker", "graphStarted", "graphFinished", "finished")
    times = [status["timings"][stage] for stage in stages]
    assert times == sorted(times)


def test_what_kubectl_shows(kube: Kube) -> None:
    """`kubectl wait` and `kubectl get`, as the README has them."""
    kube.apply(manifest("shown", SLEEP, [1]))
    kube.kubectl("wait", "--for=condition=Complete", "daskjob/shown", "--timeout=60s")
    lines = [line.split() for line in kube.kubectl("get", "dj", "shown").splitlines()]
    assert lines[0] == ["NAME", "PHASE", "PROGRESS", "WORKERS", "RESULT", "AGE"]
    assert lines[1][:2] == ["shown", "Succeeded"]
    assert lines[1][-2] == "1"


def test_many_at_once(kube: Kube) -> None:
    jobs = [apply(kube, manifest(f"many-{number}", SLEEP, [0])) for number in range(5)]
    for job in jobs:
        assert result_of(job.end(180)) == 0
        job.is_clean()


@pytest.fixture
def reinstalled(release: Release) -> Iterator[Release]:
    """The chart, to be taken away or changed; afterwards it is as before."""
    yield release
    release.install()


def test_uninstalled_and_installed_again(reinstalled: Release, kube: Kube) -> None:
    """Definitions and jobs stay; a job that ran meanwhile is taken up where it is."""
    done = apply(kube, manifest("before", SLEEP, [0]))
    done.end()
    meanwhile = apply(kube, manifest("meanwhile", SLEEP, [8]))
    meanwhile.reaches("Running", lambda status: status.get("phase") == "Running", 60)
    before = done.body()
    reinstalled.uninstall()
    after = done.body()
    assert (after["metadata"]["uid"], after["status"]) == (before["metadata"]["uid"], before["status"])
    reinstalled.install()
    status = meanwhile.end()
    assert status["phase"] == "Succeeded", status
    assert len(made_pods(kube, attempt_of(meanwhile))) == 1
    meanwhile.is_clean()


def test_upgraded_while_a_job_runs(reinstalled: Release, kube: Kube) -> None:
    job = apply(kube, manifest("upgraded", COUNT, [15]))
    job.reaches("a task done", running, 60)
    reinstalled.install({"log": {"level": "DEBUG"}})
    status = job.end(120)
    assert status["phase"] == "Succeeded", status
    assert len(status["attempts"]) == 1
    job.is_clean()


def test_listed_namespaces(reinstalled: Release, kube: Kube) -> None:
    """With watchNamespaces, jobs run in these namespaces and are left alone in others."""
    other = make_namespace(reinstalled.kube, "unserved")
    try:
        reinstalled.install({"watchNamespaces": [kube.namespace]})
        stranger = apply(other, manifest("stranger", SLEEP, [0]))
        job = apply(kube, manifest("served", SLEEP, [0]))
        assert result_of(job.end()) == 0
        job.is_clean()
        assert stranger.status() == {"observedGeneration": -1}
    finally:
        other.delete("namespace", other.namespace)
