"""Neither operator nor Dask controller runs: what is over ends by itself, and is recorded when they are back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..support.jobs import Job, apply, manifest, result_of
from ..support.kube import Kube, KubectlFailed
from ..support.platform import SYSTEM, Release
from ..support.sources import SLEEP, in_phase
from ..support.waiting import wait_for

DEPLOYMENTS = ("deployment/daskjob-operator", "deployment/daskjob-operator-dask-controller")
#: Seconds: the chart's value, and a deadline until which the operator is surely gone.
MARGIN, DEADLINE = 15, 60


@pytest.fixture
def impatient(release: Release) -> Iterator[Release]:
    """The chart with a short margin; afterwards it is as before, and its processes run again."""
    release.install({"job": {"unattendedSeconds": MARGIN}})
    yield release
    release.install()
    scale(release, 1)


def scale(release: Release, replicas: int) -> None:
    system = release.kube.within(SYSTEM)
    system.kubectl("scale", *DEPLOYMENTS, f"--replicas={replicas}")
    if replicas:
        for each in DEPLOYMENTS:
            system.kubectl("rollout", "status", each, "--timeout=90s")
        return
    for component in ("operator", "dask-controller"):
        wait_for(f"no {component}", lambda name=component: release.pods(name), lambda pods: not pods, 40)


def states(job: Job, component: str) -> list[str]:
    """Of each pod: running, left (its process ended for good, by itself), or what else its container does."""
    return [state(job.kube, pod) for pod in job.pods(component)]


def state(kube: Kube, pod: dict[str, object]) -> str:
    [container] = pod["status"]["containerStatuses"]  # type: ignore[index]
    if "running" in container["state"]:
        return "running"
    try:
        log = kube.kubectl("logs", pod["metadata"]["name"], "--tail=1")  # type: ignore[index]
    except KubectlFailed:
        # The kubelet is about to start the container.
        log = ""
    return "left" if " and leaves" in log else str(container["state"])


def ended(job: Job) -> str:
    return str(job.pods("runner")[0]["status"]["phase"])


def test_all_that_is_over_ends_by_itself(impatient: Release, kube: Kube) -> None:
    """One graph never ends, and its deadline was edited; one succeeds; a third one's cluster is to be kept."""
    kept = {"cleanup": {"afterSuccessSeconds": 900}}
    endless = apply(kube, manifest("endless", SLEEP, [900], activeDeadlineSeconds=3600))
    done = apply(kube, manifest("done", SLEEP, [30]))
    looked_at = apply(kube, manifest("looked-at", SLEEP, [30], **kept))
    for job in (endless, done, looked_at):
        job.reaches("Running", in_phase("Running"), 90)
    report = endless.status()["attempts"][0]["name"]
    kube.patch("daskjobs.daskjob.io", "endless", {"spec": {"activeDeadlineSeconds": DEADLINE}})

    def deadline() -> int:
        found = kube.get("daskjobreports.daskjob.io", report)
        assert found is not None
        return int(found["spec"]["deadline"]["seconds"])

    wait_for("the edited deadline in the report", deadline, lambda seconds: seconds == DEADLINE, 10)
    scale(impatient, 0)
    for job, phase in ((done, "Succeeded"), (looked_at, "Succeeded"), (endless, "Failed")):
        wait_for(f"the runner of {job.name} to end", lambda job=job: ended(job), lambda it, at=phase: it == at, 120)
    for job in (done, endless):
        for component in ("scheduler", "worker"):
            what = f"{component} of {job.name} to leave"
            wait_for(what, lambda job=job, of=component: states(job, of), lambda it: it == ["left"], 150)
    assert states(looked_at, "scheduler") == states(looked_at, "worker") == ["running"]
    assert not any("completionTime" in job.status() for job in (endless, done, looked_at))

    scale(impatient, 1)
    status = endless.end(60)
    words = f"the job was active for longer than spec.activeDeadlineSeconds ({DEADLINE} s)"
    assert (status["failure"]["reason"], status["failure"]["message"]) == ("DeadlineExceeded", words)
    assert [len(status["attempts"]), result_of(done.end(60)), result_of(looked_at.end(60))] == [1, 30, 30]
    endless.is_clean(60)
    done.is_clean(60)
    assert states(looked_at, "scheduler") == ["running"]
