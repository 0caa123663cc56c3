"""A probe of a template that fails has the kubelet end the container; only Kubernetes' events say so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daskjob.api.constants import FailureClass, Reason
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.silence import failed_probe, killed_pods
from daskjob.lifecycle.pods import Pod, Termination

from .builders import Scene, a_job, ended, failed_with, looping, message, restarted, running

LIVENESS = "Liveness probe failed: dial tcp 10.0.0.7:9999: connect: connection refused"
STOPPED = message("Failed", failure={"reason": "Cancelled", "message": "told to stop"})
PODS: dict[str, tuple[Pod, bool]] = {
    "ended by SIGTERM": (restarted("worker", 143), True),
    "ended by SIGKILL, again and again": (looping("worker", 137), True),
    "ended by itself": (restarted("worker", 1), False),
    "out of memory": (restarted("worker", 137, "OOMKilled"), False),
    "lost by its node": (restarted("worker", 137, "ContainerStatusUnknown"), False),
    "is deleted": (restarted("worker", 143, deleting=True), False),
    "never ended": (running("worker"), False),
    "a runner that was told to stop": (ended("runner", 1, message=STOPPED), True),
    "a runner that was killed": (ended("runner", 137), True),
    "a runner that failed": (ended("runner", 1), False),
}


@pytest.mark.parametrize(("pod", "asked"), PODS.values(), ids=PODS)
def test_whose_events_are_read(pod: Pod, asked: bool) -> None:
    where = {"runner": {"runner": pod}, "worker": {"workers": (pod,)}}
    assert killed_pods(a_job().started().sees(**where[pod.component]).observe()) == ([pod.name] if asked else [])


def test_which_events_count() -> None:
    def event(reason: str, words: str, at: str) -> dict[str, Any]:
        return {"reason": reason, "message": words, "lastTimestamp": at}

    assert failed_probe("p", [event("FailedPostStartHook", "h", "5")]) == "pod p: FailedPostStartHook: h"
    others = [event("FailedMount", "m", "3"), event("Unhealthy", "Readiness probe failed: x", "4")]
    assert failed_probe("p", others) is None
    probes = [event("Unhealthy", "Startup probe failed: a", "1"), event("Unhealthy", LIVENESS, "2"), *others]
    assert failed_probe("p", probes) == f"pod p: Unhealthy: {LIVENESS}"
    of_sidecar = {**probes[1], "involvedObject": {"fieldPath": "spec.initContainers{proxy}"}}
    assert failed_probe("p", [of_sidecar]) == f"pod p: Unhealthy: {LIVENESS} (container proxy)"


def probed(scene: Scene, pod: Pod) -> Scene:
    return scene.sees(warnings=(f"pod {pod.name}: Unhealthy: {LIVENESS}",))


def test_a_worker_that_is_never_let_start_says_why() -> None:
    stuck = looping("worker", 143)
    scene = a_job().accepted().cluster().schedulers(running("scheduler")).workers(stuck)
    blocker = find_blocker(probed(scene, stuck).observe())
    assert blocker is not None
    assert (blocker.reason, blocker.permanent) == (Reason.CONTAINER_START_FAILED, True)
    assert blocker.message.endswith(f"the last time with exit code 143 (SIGTERM); {LIVENESS}")


def test_a_worker_that_dies_under_its_tasks_says_why() -> None:
    worker = restarted("worker", 143)
    failure = probed(failed_with("WorkersKilled").workers(worker), worker).decide().status.failure
    assert failure is not None
    assert failure.message is not None
    assert failure.message.endswith(f"ended with exit code 143 (SIGTERM); {LIVENESS}")


def test_a_scheduler_that_its_template_ends_is_not_tried_again() -> None:
    scheduler = restarted("scheduler", 143)
    scene = a_job().started().with_spec(infrastructureRetries=3).schedulers(scheduler).live()
    assert scene.decide().status.failure is None, "another attempt follows: the infrastructure has the benefit of doubt"
    failure = probed(scene, scheduler).decide().status.failure
    assert failure is not None
    assert (failure.reason, failure.failure_class) == (Reason.SCHEDULER_LOST, FailureClass.APPLICATION)
    assert failure.message is not None
    assert failure.message.endswith(LIVENESS)


def test_the_cause_comes_before_the_last_words() -> None:
    """Those may be long."""
    scheduler = restarted("scheduler", 143, message="Register worker")
    scene = a_job().started().schedulers(scheduler).live()
    lost = probed(scene, scheduler).decide().status.failure
    worker = restarted("worker", 143, message="Register worker")
    killed = probed(failed_with("WorkersKilled").workers(worker), worker).decide().status.failure
    for failure in (lost, killed):
        assert failure is not None
        assert (failure.message or "").endswith(f"exit code 143 (SIGTERM); {LIVENESS}: Register worker")


def test_a_runner_that_its_template_ends_says_why() -> None:
    runner = ended("runner", 1, message=STOPPED)
    scene = failed_with("Cancelled", "the runner was told to stop").runner(replace(runner, uid="uid-runner-0"))
    failure = probed(scene, runner).decide().status.failure
    assert failure is not None
    assert failure.reason == Reason.RUNNER_STOPPED
    assert failure.message == f"the runner was told to stop; {LIVENESS}"


def test_a_runner_that_is_killed_at_once_says_why() -> None:
    runner = ended("runner", 137)
    scene = a_job().accepted().cluster().schedulers(running("scheduler")).runner(runner).report().live()
    failure = probed(scene, runner).decide().status.failure
    assert failure is not None
    assert failure.message is not None
    assert failure.message.endswith(f"see kubectl logs {runner.name}; {LIVENESS}")
    hook = f"pod {runner.name}: FailedPostStartHook: PostStartHook failed"
    failure = scene.sees(warnings=(hook,)).decide().status.failure
    assert failure is not None
    assert (failure.message or "").endswith("; FailedPostStartHook: PostStartHook failed")


def test_a_runner_without_a_word_has_the_words_of_a_scheduler_that_ended_like_it() -> None:
    scheduler = looping("scheduler", 1, "No module named 'encodings'")
    scene = a_job().accepted().cluster().schedulers(scheduler).runner(ended("runner", 1)).report().live()
    failure = scene.decide().status.failure
    assert failure is not None
    assert failure.reason == Reason.EXIT_CODE
    assert (failure.message or "").endswith("No module named 'encodings'")


def test_an_end_without_a_probe_is_as_it_was() -> None:
    assert Termination(143, "Error", "").how == "exit code 143 (SIGTERM)"
    blocker = find_blocker(a_job().accepted().cluster().workers(looping("worker", 143)).observe())
    assert blocker is not None
    assert blocker.message.endswith("exit code 143 (SIGTERM)")
