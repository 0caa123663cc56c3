"""The service account of jobs' pods is gone: that is told, and it is created again."""

from __future__ import annotations

import pytest

from daskjob.api.constants import RUNNER_ACCOUNT, FailureClass, Reason
from daskjob.lifecycle.blocker import read_refusal
from daskjob.lifecycle.job.actions import Action, CreateAccount, CreateCluster, CreateRunner
from daskjob.lifecycle.job.blockers import find_blocker

from .builders import Scene, a_job, a_pod, ended, running


def refusal(account: str) -> str:
    """The words of Kubernetes' API server."""
    return (
        f'pods "p" is forbidden: error looking up service account team/{account}: serviceaccount "{account}" not found'
    )


LOST = read_refusal(refusal(RUNNER_ACCOUNT))
OTHERS = read_refusal(refusal("cloud"))
BEGUN = a_job().accepted().cluster().group(1).live()
RUNS = BEGUN.runner().report()

#: Attempts of which a pod was refused, and whether the account is to be created.
SCENES: dict[str, tuple[Scene, bool]] = {
    "nothing was refused": (RUNS, False),
    "the runner": (BEGUN.refused(LOST), True),
    "the runner, and its template names another account": (BEGUN.refused(OTHERS), False),
    "the runner, for a quota": (BEGUN.refused(read_refusal("exceeded quota: q")), False),
    "the runner, and a quota has words of its own": (
        BEGUN.refused(read_refusal(f"exceeded quota: q {refusal(RUNNER_ACCOUNT)}")),
        False,
    ),
    "the scheduler": (RUNS.sees(scheduler_refusal=LOST), True),
    "a scheduler that is there by now": (RUNS.sees(scheduler_refusal=LOST).schedulers(running("scheduler")), False),
    "a worker": (RUNS.schedulers(running("scheduler")).group(2, refusal=LOST).workers(running("worker")), True),
    "a worker that is there by now": (
        RUNS.schedulers(running("scheduler")).group(1, refusal=LOST).workers(running("worker")),
        False,
    ),
    "a worker, with another account": (RUNS.group(1, refusal=OTHERS), False),
    "the attempt has ended": (RUNS.sees(scheduler_refusal=LOST).runner(ended("runner", exit_code=1)), False),
}


def actions(scene: Scene) -> tuple[Action, ...]:
    return scene.decide().actions


@pytest.mark.parametrize(("scene", "created"), SCENES.values(), ids=SCENES)
def test_when_the_account_is_created_again(scene: Scene, created: bool) -> None:
    assert (CreateAccount() in actions(scene)) is created


def test_it_is_created_before_the_pods_that_need_it() -> None:
    kinds = [type(each) for each in actions(BEGUN.refused(LOST))]
    assert kinds[:3] == [CreateAccount, CreateCluster, CreateRunner]


@pytest.mark.parametrize(
    ("account", "words"),
    [
        (RUNNER_ACCOUNT, "the operator creates it again"),
        ("cloud", "create it in this namespace, or name another one"),
    ],
)
def test_what_is_missing_is_told_with_what_to_do(account: str, words: str) -> None:
    problem = find_blocker(BEGUN.refused(read_refusal(refusal(account))).observe())
    assert problem is not None
    assert (problem.reason, problem.permanent) == (Reason.SERVICE_ACCOUNT_NOT_FOUND, False)
    assert problem.message == f"{refusal(account)}; {words}"
    assert problem.failure_class is FailureClass.APPLICATION


def test_an_account_that_nobody_creates_is_the_reason_in_the_end_and_not_tried_again() -> None:
    scene = a_job().with_spec(backoffLimit=3).accepted(10_000).cluster().live().refused(OTHERS).runner(a_pod("runner"))
    failure = scene.decide().status.failure
    assert failure is not None
    assert failure.reason == Reason.SERVICE_ACCOUNT_NOT_FOUND
