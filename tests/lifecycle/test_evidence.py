"""A failure is the infrastructure's only if Kubernetes shows it: no number of retries can be had by ending things
oneself, whatever exit codes and times one chooses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.constants import FailureClass, Reason
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import Scene, a_job, a_pod, ago, end_of, ended, failed_with, looping, restarted, running, text

A, B = FailureClass.APPLICATION, FailureClass.INFRASTRUCTURE


def after(scene: Scene, message: str = "", reason: str = "SchedulerLost", run: int = 1) -> Scene:
    """The scene in the second attempt of a run, or in the first one of the next, when the first one ended like this."""
    first = replace(scene.status.attempts[0], number=1, reason=reason, message=message)
    second = replace(scene.status.attempts[0], number=2, run=run)
    return scene.with_status(attempts=(first, second), attempt=2, run=run)


#: Schedulers that are lost while the graph runs, and whether that is proven to come from outside.
ENDS: dict[str, tuple[Pod, bool]] = {
    "an exit code": (restarted("scheduler", 1), False),
    "exit code 0": (ended("scheduler"), False),
    "a segmentation fault": (restarted("scheduler", 139), False),
    "SIGKILL, or an exit code that pretends": (restarted("scheduler", 137), False),
    "SIGTERM, or an exit code that pretends": (restarted("scheduler", 143), False),
    "an exit code as of a restarted node": (restarted("scheduler", 255), False),
    "it ended for good": (ended("scheduler", 137), False),
    "waits for its next start": (looping("scheduler", 137), False),
    "deleted": (running("scheduler", deleting=True), True),
    "deleted, and its container has ended": (ended("scheduler", 143, deleting=True), True),
    "drained": (ended("scheduler", 143, disrupted=True), True),
    "its node has no room": (ended("scheduler", 137, reason="Evicted", disrupted=True), True),
    "its node was restarted": (restarted("scheduler", 255, "Unknown"), True),
    "its node lost it": (restarted("scheduler", 137, "ContainerStatusUnknown"), True),
    "its node shuts down": (a_pod("scheduler", phase="Failed", reason="NodeShutdown"), True),
}


@pytest.mark.parametrize(("pod", "proven"), ENDS.values(), ids=ENDS)
def test_a_scheduler_that_ends_by_itself_is_the_infrastructures_fault_once_in_a_run(pod: Pod, proven: bool) -> None:
    scene = a_job().started().live().schedulers(pod)
    first = scene.decide().status.attempts[-1]
    assert (first.reason, first.failure_class) == (Reason.SCHEDULER_LOST, B)
    again = after(scene, first.message or "")
    assert end_of(again) == (Reason.SCHEDULER_LOST, B if proven else A)
    assert end_of(after(scene, first.message or "", run=2)) == (Reason.SCHEDULER_LOST, B), "of another run"
    assert end_of(after(scene, first.message or "", reason="RunnerLost")) == (Reason.SCHEDULER_LOST, B)


@pytest.mark.parametrize(("before", "proven"), ENDS.values(), ids=ENDS)
def test_what_was_proven_before_leaves_the_benefit_of_the_doubt(before: Pod, proven: bool) -> None:
    first = a_job().started().live().schedulers(before).decide().status.attempts[-1]
    crash = after(a_job().started().live().schedulers(restarted("scheduler", 3)), first.message or "")
    assert end_of(crash) == (Reason.SCHEDULER_LOST, B if proven else A)


@given(codes=st.lists(st.integers(0, 255), min_size=2, max_size=4))
def test_no_series_of_exit_codes_brings_a_second_retry(codes: list[int]) -> None:
    scene, kinds = a_job().with_spec(infrastructureRetries=9, backoffLimit=9).started().live(), []
    attempt, attempts = scene.status.attempts[0], []
    for number, code in enumerate(codes, 1):
        attempts.append(replace(attempt, number=number))
        scene = scene.with_status(attempts=tuple(attempts), attempt=number)
        attempts[-1] = scene.schedulers(restarted("scheduler", code)).decide().status.attempts[number - 1]
        kinds.append(attempts[-1].failure_class)
    assert kinds == [B] + [A] * (len(codes) - 1)


OWN = [
    *("Evicted", "DeadlineExceeded", "SysctlForbidden", "AppArmor", "PodOSNotSupported"),
    *("SupplementalGroupsPolicyNotSupported", "PodLevelResourcesNotSupported", "InitContainerRestartPolicyForbidden"),
]


@pytest.mark.parametrize("reason", OWN)
@pytest.mark.parametrize("reached", [True, False])
def test_a_scheduler_that_its_node_ends_for_its_own_doing_is_no_fault_of_the_infrastructure(
    reason: str, reached: bool
) -> None:
    """Such as a disk that it fills: an eviction for want of room on the node has a condition that says so."""
    scene = a_job().started() if reached else a_job().accepted().cluster().runner().report()
    pod = ended("scheduler", 137, reason=reason, message="Usage of EmptyDir volume exceeds the limit")
    pod = replace(pod, reason=reason, message="Usage of EmptyDir volume exceeds the limit")
    failure = scene.schedulers(pod).live().decide().status.failure
    assert failure is not None
    assert (failure.reason, failure.failure_class) == (Reason.SCHEDULER_LOST, A)
    assert f"{reason}: Usage of EmptyDir" in (failure.message or "")


#: Times at which a runner may claim that it reached a scheduler of which it says now that it is lost.
TIMES = {
    "long before the job": ("2020-01-01T00:00:00Z", A),
    "before the runner ran": (text(51), A),
    "when the runner ran": (text(49), B),
}


@pytest.mark.parametrize(("connected", "kind"), TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("over", [False, True])
def test_a_connection_from_before_the_runner_ran_proves_nothing(connected: str, kind: FailureClass, over: bool) -> None:
    """Else any scheduler would be younger than it."""
    end = Termination(1, "Error", "", started=ago(50))
    runner = ended("runner", containers=(Container("runner", terminated=end),)) if over else running("runner", since=50)
    scene = failed_with("SchedulerLost", timings={"connected": connected}, heartbeatTime=text(200)).runner(runner)
    assert end_of(scene.schedulers(running("scheduler", created=ago(20)))) == ("SchedulerLost", kind)


INIT = Container("fetch", initial=True, running_since=ago(600))
SIDECAR = replace(INIT, sidecar=True)
#: Pods of a worker of which no worker joins, and whether Kubernetes has done its part.
NEVER: dict[str, tuple[tuple[Pod, ...], bool]] = {
    "none": ((), False),
    "pending": ((a_pod("worker"),), False),
    "runs": ((running("worker", ready=False),), True),
    "waits for an init container": ((a_pod("worker", containers=(INIT,)),), True),
    "waits for a sidecar": ((a_pod("worker", containers=(SIDECAR,)),), True),
    "its sidecar is ready": ((a_pod("worker", containers=(replace(SIDECAR, ready=True),)),), False),
    "runs on a node that does not answer": ((running("worker", unreachable=True),), False),
    "is deleted": ((running("worker", deleting=True),), False),
    "ended for what it used": ((a_pod("worker", phase="Failed", reason="Evicted"),), True),
    "evicted for want of room": ((a_pod("worker", phase="Failed", reason="Evicted", disrupted=True),), False),
}


def starting(**seen: Any) -> Scene:
    """An attempt whose start takes too long, with all its pods there but for what is given."""
    scene = a_job().accepted(700).cluster().group(1).schedulers(running("scheduler")).runner(running("runner"))
    return scene.report(stage="Starting").sees(**seen).live()


@pytest.mark.parametrize(("workers", "given_by_kubernetes"), NEVER.values(), ids=NEVER)
def test_what_never_joins_is_the_infrastructures_fault_only_where_a_pod_is_missing(
    workers: tuple[Pod, ...], given_by_kubernetes: bool
) -> None:
    kind = A if given_by_kubernetes else B
    assert end_of(starting(workers=workers)) == (Reason.STARTUP_DEADLINE_EXCEEDED, kind)
    claim = failed_with("NoWorkers").with_status(attempts=starting().status.attempts)
    assert end_of(claim.workers(*workers)) == ("NoWorkers", kind)


@pytest.mark.parametrize("part", ["schedulers", "runner"])
def test_so_is_a_scheduler_or_a_runner_that_is_missing(part: str) -> None:
    component = part.removesuffix("s")
    pod = a_pod(component)
    scene = starting(workers=(running("worker", ready=False),), **{part: (pod,) if part == "schedulers" else pod})
    assert end_of(scene) == (Reason.STARTUP_DEADLINE_EXCEEDED, B)
