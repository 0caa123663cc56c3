"""What a pod's containers say about why its scheduler, worker or runner does not run."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daskjob.api.constants import FailureClass, Reason
from daskjob.lifecycle.job.blockers import find_blocker
from daskjob.lifecycle.job.container_trouble import REPEATED, trouble_of
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import Scene, a_job, a_pod, ago, failed_with, looping, restarted, running

WORKER = "pod sum-3f2a9-1-worker (worker)"
FAILED = Termination(42, "Error", "no such bucket\n")
WELL = Termination(0, "Completed", "")
OOM = Termination(137, "OOMKilled", "")
KILLED = Termination(137, "Error", "")
NO_PYTHON = Termination(128, "StartError", 'exec: "python3": executable file not found in $PATH')
INITIAL = Container("worker", waiting=("PodInitializing", ""))
BESIDE = Container("uploader", restarts=9, waiting=("CrashLoopBackOff", "back-off"), last_terminated=OOM)


def init(**state: object) -> Pod:
    """A worker that waits for its init container, which has this state."""
    return a_pod("worker", containers=(Container("migrate", initial=True, **state), INITIAL))  # type: ignore[arg-type]


def mesh(**state: object) -> Pod:
    """A worker that waits for its native sidecar, which has this state."""
    sidecar = Container("mesh", initial=True, sidecar=True, **state)  # type: ignore[arg-type]
    return a_pod("worker", containers=(sidecar, INITIAL))


def own(**state: object) -> Pod:
    return a_pod("worker", containers=(Container("worker", **state),))  # type: ignore[arg-type]


TROUBLES: dict[str, tuple[Pod, Reason | None, str]] = {
    "an init container has failed": (
        init(terminated=FAILED),
        Reason.INIT_CONTAINER_FAILED,
        f"{WORKER}, init container migrate ended with exit code 42 (Error): no such bucket",
    ),
    "an init container has failed, and runs again": (
        init(restarts=1, running_since=ago(1), last_terminated=FAILED),
        Reason.INIT_CONTAINER_FAILED,
        f"{WORKER}, init container migrate ended with exit code 42 (Error): no such bucket",
    ),
    "an init container keeps failing": (
        init(restarts=1, waiting=("CrashLoopBackOff", "back-off"), last_terminated=FAILED),
        Reason.INIT_CONTAINER_FAILED,
        f"{WORKER}, init container migrate keeps ending, the last time with exit code 42 (Error): no such bucket",
    ),
    "an init container is out of memory": (
        init(terminated=OOM),
        Reason.INIT_CONTAINER_FAILED,
        f"{WORKER}, init container migrate was killed for exceeding its memory limit",
    ),
    "an init container ends as if it were killed": (
        init(terminated=KILLED),
        Reason.INIT_CONTAINER_FAILED,
        f"{WORKER}, init container migrate ended with exit code 137 (SIGKILL)",
    ),
    "an init container's command cannot be started": (
        init(terminated=NO_PYTHON),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}, init container migrate: StartError: {NO_PYTHON.message}",
    ),
    "an init container's image cannot be pulled": (
        init(waiting=("ImagePullBackOff", "no such image")),
        Reason.IMAGE_PULL_FAILED,
        f"{WORKER}, init container migrate: ImagePullBackOff: no such image",
    ),
    "an init container has ended well": (init(terminated=WELL), None, ""),
    "an init container has ended well at the second try": (init(terminated=WELL, last_terminated=FAILED), None, ""),
    "an init container runs": (init(running_since=ago(9)), None, ""),
    "a native sidecar runs": (mesh(running_since=ago(9)), None, ""),
    "a native sidecar ends": (
        mesh(terminated=WELL),
        Reason.INIT_CONTAINER_FAILED,
        f"{WORKER}, sidecar mesh ended with exit code 0 (Completed)",
    ),
    "ours has ended": (
        own(terminated=FAILED),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: its container ended with exit code 42 (Error): no such bucket",
    ),
    "ours has ended and runs again": (
        restarted("worker", 42, message="no such bucket"),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: its container ended with exit code 42 (Error): no such bucket",
    ),
    "ours ends well, and is not to end": (
        looping("worker", 0),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: its container keeps ending, the last time with exit code 0 (Error)",
    ),
    "ours is out of memory": (
        own(terminated=OOM),
        Reason.WORKER_OOM_KILLED,
        f"{WORKER} was killed for exceeding its memory limit; raise spec.cluster.workers.resources.limits.memory",
    ),
    "ours was killed by somebody": (own(terminated=KILLED), None, ""),
    "ours was killed again and again": (
        looping("worker", 143),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: its container keeps ending, the last time with exit code 143 (SIGTERM)",
    ),
    "the pod has ended": (replace(own(terminated=FAILED), phase="Failed"), None, ""),
    "the pod is being deleted": (replace(own(terminated=FAILED), deleting=True), None, ""),
    "a runner has ended, and a sidecar goes on": (
        a_pod("runner", phase="Running", containers=(Container("runner", terminated=FAILED),)),
        None,
        "",
    ),
    "our command cannot be started": (
        own(waiting=("RunContainerError", NO_PYTHON.message), last_terminated=NO_PYTHON),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: RunContainerError: {NO_PYTHON.message}",
    ),
    "our command cannot be started, and waits for the next try": (
        own(waiting=("CrashLoopBackOff", "back-off"), last_terminated=NO_PYTHON),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: StartError: {NO_PYTHON.message}",
    ),
    "what is to happen after its start fails": (
        own(waiting=("PostStartHookError", "command 'false' exited with 1"), last_terminated=KILLED),
        Reason.CONTAINER_START_FAILED,
        f"{WORKER}: PostStartHookError: command 'false' exited with 1",
    ),
    "one beside ours keeps ending": (
        replace(running("worker"), containers=(BESIDE, Container("worker", running_since=ago(9)))),
        None,
        "",
    ),
    "one beside ours keeps ending before ours starts": (a_pod("worker", containers=(BESIDE, INITIAL)), None, ""),
    "a native sidecar ends beside ours": (
        replace(
            mesh(terminated=FAILED), containers=(*mesh(terminated=FAILED).containers[:1], *running("worker").containers)
        ),
        None,
        "",
    ),
}


@pytest.mark.parametrize(("pod", "reason", "words"), TROUBLES.values(), ids=TROUBLES)
def test_what_containers_show(pod: Pod, reason: Reason | None, words: str) -> None:
    trouble = trouble_of(pod)
    assert (trouble.reason if trouble else None, trouble.message if trouble else "") == (reason, words)


@given(st.integers(0, 6), st.sampled_from([1, 2, 127, 134, 139]), st.booleans(), st.booleans())
def test_what_ends_again_and_again_by_its_own_doing_is_not_waited_for(
    restarts: int, code: int, initial: bool, runs: bool
) -> None:
    end = Termination(code, "Error", "")
    state = {"running_since": ago(1), "last_terminated": end} if runs else {"terminated": end}
    container = Container("migrate" if initial else "worker", initial=initial, restarts=restarts, **state)  # type: ignore[arg-type]
    trouble = trouble_of(a_pod("worker", containers=(container,)))
    assert trouble is not None
    assert trouble.permanent == (restarts + (0 if runs else 1) >= REPEATED)


CONTAINERS = st.builds(
    Container,
    st.just("uploader"),
    ready=st.booleans(),
    restarts=st.integers(0, 9),
    running_since=st.none() | st.just(ago(3)),
    waiting=st.none()
    | st.tuples(st.sampled_from(["CrashLoopBackOff", "ErrImageNeverPull", "StartError"]), st.just("no")),
    terminated=st.none() | st.sampled_from([FAILED, WELL, OOM, KILLED]),
    last_terminated=st.none() | st.sampled_from([FAILED, WELL, OOM, KILLED, NO_PYTHON]),
)


@given(
    st.sampled_from(["schedulers", "workers", "runner"]),
    st.sampled_from(["starting", "started", "claims"]),
    st.sampled_from(["WorkersKilled", "SchedulerLost", "NoWorkers", "Signal", "Cancelled"]),
    CONTAINERS,
)
def test_whatever_a_container_beside_ours_does_the_decision_is_the_same(
    where: str, stage: str, claim: str, beside: Container
) -> None:
    scene = {"starting": starting(running("worker")), "started": a_job().started().live(), "claims": failed_with(claim)}
    plain = scene[stage]
    pods = plain.seen[where]

    def with_other(pod: Pod) -> Pod:
        return replace(pod, containers=(beside, *pod.containers))

    other = plain.sees(**{where: with_other(pods) if isinstance(pods, Pod) else tuple(map(with_other, pods))})
    assert other.decide() == plain.decide()


@pytest.mark.parametrize("component", ["scheduler", "worker", "runner"])
def test_the_memory_of_another_container_is_not_ours(component: str) -> None:
    own_end = Container(component, restarts=1, running_since=ago(1), last_terminated=Termination(1, "Error", ""))
    assert not a_pod(component, containers=(BESIDE, own_end)).oom_killed


# What follows for the attempt.


def starting(*workers: Pod) -> Scene:
    scene = a_job().accepted().cluster().group(len(workers)).schedulers(running("scheduler")).workers(*workers)
    return scene.runner().report(stage="Starting", seq=1, timings={"connected": "2026-03-01T11:59:30Z"}).live()


def test_a_worker_that_keeps_ending_fails_the_job_and_is_not_tried_again() -> None:
    scene = starting(looping("worker", 1, "SyntaxError")).with_spec(backoffLimit=3, infrastructureRetries=3)
    status = scene.decide().status
    assert status.failure is not None
    assert (status.failure.reason, status.failure.failure_class) == (
        Reason.CONTAINER_START_FAILED,
        FailureClass.APPLICATION,
    )
    assert "SyntaxError" in (status.failure.message or "")


@pytest.mark.parametrize(("minimum", "over"), [(1, False), (2, True)])
def test_one_bad_worker_does_not_matter_while_enough_others_may_join(minimum: int, over: bool) -> None:
    scene = starting(looping("worker", 1, "bad node"), a_pod("worker", 2)).with_workers(replicas=2, minWorkers=minimum)
    decision = scene.decide()
    assert decision.status.finished == over
    ready = decision.status.condition("ClusterReady")  # type: ignore[arg-type]
    assert ready is not None
    assert over or "bad node" in ready.message


def test_what_is_permanent_is_told_first() -> None:
    scene = starting(restarted("worker", 1, message="perhaps"), looping("worker", 1, "for good", name="b", uid="b"))
    blocker = find_blocker(scene.with_workers(replicas=2, minWorkers=2).observe())
    assert blocker is not None
    assert blocker.message.endswith("for good")


def test_a_worker_that_runs_again_after_others_have_joined_is_no_blocker() -> None:
    scene = a_job().started().workers(running("worker", 1), restarted("worker", 139))
    assert find_blocker(scene.observe()) is None
    loop = scene.workers(running("worker", 1), looping("worker", 139))
    assert find_blocker(loop.observe()) is not None
    assert not loop.live().decide().status.finished
