"""What follows when a pod says that what it mounts is not what its spec has digests of. Any pod may say so."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from daskjob.api.constants import ConditionType, FailureClass, Reason
from daskjob.api.status import Retries
from daskjob.lifecycle.job.container_trouble import trouble_of
from daskjob.lifecycle.pods import Container, Pod, Termination

from .builders import Scene, a_job, a_pod, ago, end_of, ended, failed_with, message, running

WORDS = "Secret sum-3f2a9-1-files was changed by somebody: m.py was added. Nothing of it was run."
SAYS = message("Failed", failure={"reason": "FilesChanged", "message": WORDS})
END = Termination(1, "Error", SAYS)


def changed(component: str, **state: object) -> Pod:
    container = Container(component, terminated=END) if not state else Container(component, **state)  # type: ignore[arg-type]
    return a_pod(component, containers=(container,))


def starting(*workers: Pod, scheduler: Pod | None = None) -> Scene:
    scene = a_job().accepted().cluster().group(len(workers)).schedulers(scheduler or running("scheduler"))
    return scene.workers(*workers).runner().report(stage="Starting", seq=1).live()


@pytest.mark.parametrize("component", ["scheduler", "worker"])
@pytest.mark.parametrize(
    "state",
    [
        {"terminated": END},
        {"waiting": ("CrashLoopBackOff", "back-off"), "restarts": 1, "last_terminated": END},
        {"running_since": ago(1), "restarts": 1, "last_terminated": END},
    ],
    ids=str,
)
def test_a_pod_of_the_cluster_that_says_so_is_not_waited_for(component: str, state: dict[str, object]) -> None:
    trouble = trouble_of(changed(component, **state))
    assert trouble is not None
    name = f"pod sum-3f2a9-1-{component} ({component})"
    assert (trouble.reason, trouble.message) == (Reason.FILES_CHANGED, f"{name}: {WORDS}")
    assert trouble.permanent
    assert trouble.failure_class is FailureClass.APPLICATION


@pytest.mark.parametrize("initial", [True, False])
def test_only_the_operators_own_container_is_believed(initial: bool) -> None:
    other = Container("migrate", initial=initial, terminated=END)
    trouble = trouble_of(a_pod("worker", containers=(other, Container("worker", waiting=("PodInitializing", "")))))
    assert trouble is None or trouble.reason is Reason.INIT_CONTAINER_FAILED


@pytest.mark.parametrize(
    "scene",
    [
        a_job().started().runner(ended("runner", 1, message=SAYS)).live(),
        starting(running("worker"), scheduler=changed("scheduler")),
        starting(changed("worker")),
        # It may also stand in a report.
        failed_with("FilesChanged", WORDS),
    ],
    ids=["runner", "scheduler", "worker", "report"],
)
@pytest.mark.parametrize("limit", [0, 2])
def test_the_attempt_ends_and_the_next_one_counts(scene: Scene, limit: int) -> None:
    """Whoever changed the files has to be found. Another attempt has other names, and may pass; but a pod may say
    anything, so none is free."""
    scene = scene.with_spec(backoffLimit=limit, infrastructureRetries=5)
    if not limit:
        assert end_of(scene) == (Reason.FILES_CHANGED, FailureClass.APPLICATION)
    status = scene.decide().status
    assert status.finished is not bool(limit)
    attempt = status.current
    assert attempt is not None
    assert attempt.reason == Reason.FILES_CHANGED
    assert WORDS in (attempt.message or "")
    assert status.retries == (Retries(application=1) if limit else None)


def test_user_code_that_says_so_of_its_worker_ends_nothing() -> None:
    scene = a_job().started().workers(changed("worker", running_since=ago(1), restarts=1, last_terminated=END)).live()
    assert scene.decide().status.open is not None


def test_a_worker_that_says_so_is_named_and_not_waited_for_where_others_are_enough() -> None:
    other = replace(running("worker"), name="b", uid="b")
    status = starting(changed("worker"), other).with_workers(replicas=2, minWorkers=1).decide().status
    assert not status.finished
    ready = status.condition(ConditionType.CLUSTER_READY)
    assert ready is not None
    assert (ready.reason, WORDS in ready.message) == (Reason.FILES_CHANGED, True)


def test_its_words_are_those_of_the_message_and_not_its_json() -> None:
    assert END.words == f": {WORDS}"
    plain = Termination(1, "Error", json.dumps({"protocol": 1}))
    assert plain.words == ': {"protocol": 1}'
