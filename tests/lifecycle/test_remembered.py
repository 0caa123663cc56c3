"""The last cause that was seen stays the reason until it is overcome, and is the reason in the end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Reason
from daskjob.api.status import Condition
from daskjob.lifecycle.blocker import Blocker, read_refusal
from daskjob.lifecycle.job.blockers import OVERCOME, find_blocker
from daskjob.lifecycle.job.silence import MEANINGS, explanation
from daskjob.lifecycle.pods import Container, Termination
from daskjob.wire import FETCH_REASONS

from .builders import NOW, Scene, a_job, a_pod, looping, running, waiting

BEGUN = a_job().accepted().cluster().group(1).schedulers(a_pod("scheduler")).runner(a_pod("runner")).report().live()
CAUSES: dict[str, Scene] = {
    "an image": BEGUN.workers(waiting("worker", "ErrImagePull", "no such image")),
    "a container that keeps ending": BEGUN.group(2).workers(looping("worker", 1, "words")),
    "a volume": BEGUN.sees(warnings=("pod x: FailedMount: no such secret",)),
    "a sandbox": BEGUN.sees(warnings=("pod x: FailedCreatePodSandBox: no address",)),
    "no node": BEGUN.workers(a_pod("worker", unschedulable="0/3 nodes")),
    "a quota": BEGUN.sees(report=None).refused(read_refusal("exceeded quota: q")),
    "a webhook": BEGUN.sees(report=None).refused(read_refusal("admission webhook says no")),
}


def silent(scene: Scene) -> Scene:
    """The scene after its status was recorded, with a pod that says nothing, as in its place another one would."""
    recorded = scene.decide().status
    return scene.with_status(**vars(recorded)).sees(warnings=(), refusal=None).group(2).workers(a_pod("worker", 7))


@pytest.mark.parametrize("scene", CAUSES.values(), ids=CAUSES)
def test_what_was_seen_stays_and_is_the_reason_in_the_end(scene: Scene) -> None:
    first = find_blocker(scene.observe())
    assert first is not None
    later = silent(scene)
    assert find_blocker(later.observe()) == replace(first, permanent=False)
    kept = later.decide().status.condition(ConditionType.CLUSTER_READY)
    assert kept is not None
    assert (kept.reason, kept.message) == (first.reason, first.message)
    end = later.sees(now=NOW + timedelta(hours=1)).decide().status.failure
    assert end is not None
    assert (end.reason, end.message) == (first.reason, first.message)
    assert end.failure_class == first.failure_class


@pytest.mark.parametrize("scene", CAUSES.values(), ids=CAUSES)
def test_it_is_overcome_when_all_pods_run(scene: Scene) -> None:
    there = silent(scene).group(1).workers(running("worker", 7)).runner().schedulers(running("scheduler")).report()
    assert find_blocker(there.observe()) is None
    failure = there.sees(now=NOW + timedelta(hours=1)).decide().status.failure
    assert failure is None, "pods that are ready, with a runner that has not reported, count as a start"


MADE, PLACED, RUN = 1, 2, 3
#: How far the last worker must be for the cause to be overcome; the rest of the attempt runs.
STAGES: dict[Reason, int] = {
    Reason.NAME_CONFLICT: MADE,
    Reason.QUOTA_EXCEEDED: MADE,
    Reason.POD_REJECTED: MADE,
    Reason.SERVICE_ACCOUNT_NOT_FOUND: MADE,
    Reason.OPERATOR_FORBIDDEN: MADE,
    Reason.UNSCHEDULABLE: PLACED,
    Reason.IMAGE_PULL_FAILED: RUN,
    Reason.VOLUME_MOUNT_FAILED: RUN,
    Reason.PAYLOAD_MISSING: RUN,
    Reason.KUBERNETES_FAILED: RUN,
    Reason.INIT_CONTAINER_FAILED: RUN,
    Reason.CONTAINER_START_FAILED: RUN,
    Reason.FILES_CHANGED: RUN,
    Reason.PRELOAD_FAILED: RUN,
    Reason.DASK_CUDA_MISSING: RUN,
    Reason.WRONG_GPU_COUNT: RUN,
    Reason.SCHEDULER_OOM_KILLED: RUN,
    Reason.WORKER_OOM_KILLED: RUN,
    **dict.fromkeys(map(Reason, FETCH_REASONS), RUN),
}


@pytest.mark.parametrize("reason", OVERCOME)
def test_how_far_an_attempt_must_be(reason: Reason) -> None:
    known = Condition(ConditionType.CLUSTER_READY, "False", reason, "words", None, 1)
    begun = a_job().accepted().cluster().group(1).schedulers(running("scheduler")).runner()
    begun = begun.with_status(conditions=(known,))
    made = begun.report()
    stages = [
        begun.workers(running("worker")),
        made.workers(),
        made.workers(a_pod("worker", node="a")),
        made.workers(running("worker")),
    ]
    found = [find_blocker(each.observe()) for each in stages[1:]]
    assert found == [Blocker(reason, "words")] * (STAGES[reason] - 1) + [None] * (4 - STAGES[reason])
    if STAGES[reason] == MADE:
        assert find_blocker(stages[0].observe()) == Blocker(reason, "words"), "the report is not there"


def test_a_condition_that_says_no_cause_is_none() -> None:
    for reason in (Reason.WAITING, Reason.BACKING_OFF, Reason.CLEANING_UP, Reason.CONFIG_MAP_NOT_FOUND):
        known = Condition(ConditionType.CLUSTER_READY, "False", reason, "words", None, 1)
        assert find_blocker(a_job().accepted().cluster().with_status(conditions=(known,)).observe()) is None


def test_a_cause_of_an_earlier_attempt_is_forgotten() -> None:
    scene = CAUSES["a sandbox"].with_spec(infrastructureRetries=1)
    known = scene.with_status(**vars(scene.decide().status)).sees(now=NOW + timedelta(hours=1))
    ended = known.decide().status
    assert ended.current is not None
    assert (ended.current.reason, ended.current.failure_class) == ("KubernetesFailed", FailureClass.INFRASTRUCTURE)
    again = (
        a_job()
        .with_spec(infrastructureRetries=1)
        .with_status(**vars(ended))
        .live()
        .sees(now=NOW + timedelta(hours=2))
        .decide()
        .status
    )
    assert again.attempt == 2
    condition = again.condition(ConditionType.CLUSTER_READY)
    assert condition is not None
    assert condition.reason == "Waiting"


@pytest.mark.parametrize(("event", "reason"), MEANINGS.items())
def test_what_events_mean(event: str, reason: Reason) -> None:
    words = explanation("x", [{"reason": event, "message": "m: n", "lastTimestamp": "1"}])
    blocker = find_blocker(a_job().accepted().cluster().sees(warnings=(words,)).observe())
    assert blocker == Blocker(reason, f"pod x: {event}: m: n")


def test_a_deadline_with_nothing_to_show_says_what_was_there() -> None:
    killed = Container("worker", waiting=("CrashLoopBackOff", ""), restarts=1, last_terminated=Termination(137, "", ""))
    scene = a_job().accepted(700).cluster().group(3).schedulers(running("scheduler")).runner(a_pod("runner"))
    failure = scene.workers(running("worker", ready=False), a_pod("worker", 2, containers=(killed,))).report().live()
    end = failure.decide().status.failure
    assert end is not None
    assert (end.reason, end.failure_class) == (Reason.STARTUP_DEADLINE_EXCEEDED, FailureClass.INFRASTRUCTURE)
    assert (end.message or "").endswith(
        "in the end the scheduler ran, the runner was Pending, 1 of 3 workers ran, and worker sum-3f2a9-1-worker-2 "
        "had been ended from outside with exit code 137 (SIGKILL)"
    )
