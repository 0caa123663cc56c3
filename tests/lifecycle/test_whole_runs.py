"""Whole runs on the model, from apply to the last object: how each ends, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, Outcome, Phase

from .status_invariants import reason_of
from .stories import HANGING, PLAIN, RETRIED, a_run, outcomes, started, status_of
from .test_machine import Machine

FROM_MAP = {**PLAIN, "graph": {"entrypoint": "m:f", "source": {"configMap": {"name": "code"}}}}


def nothing(run: Machine) -> None:
    """All goes well."""


def blocked(reason: str) -> Callable[[Machine], None]:
    return lambda run: run.obstruct((reason, "the kubelet's words"), full=False)


def quota(run: Machine) -> None:
    run.obstruct(None, full=True)


def quota_for_workers(run: Machine) -> None:
    """The quota is full when the group is there, and has no workers yet."""
    run.wake_operator("sum")
    while not run.server.all("DaskWorkerGroup"):
        run.world.make_clusters()
    quota(run)


def crash_everywhere(run: Machine) -> None:
    """The operator dies after each of its first requests in turn."""
    for after in range(14):
        run.look_once(which=0, name="sum", after=after, fate="crash")


def outcome_while_nobody_looks(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    run.finish(succeed=True, whose=None)
    run.operators[0].begin()


def runner_gone(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    for runner in run.running():
        run.server.delete("Pod", runner["metadata"]["name"], run.world.text())


def crash_after_a_loss(run: Machine) -> None:
    """The first attempt's runner is lost, and the operator dies after each of the requests that follow in turn."""
    runner_gone(run)
    run.operator(0).deliver_all()
    for after in range(30):
        run.look_once(which=0, name="sum", after=after, fate="crash")
        run.settle()
        run.operator(0).deliver_all()


def node_silent(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    for runner in run.running():
        run.world.lost.add(runner["metadata"]["uid"])
        run.server.delete("Pod", runner["metadata"]["name"], run.world.text())


def node_gone(run: Machine) -> None:
    run.go_on(which=0, seconds=0)
    run.say(stage="Running", wanted=1, whose=None)
    for runner in run.running():
        run.world.evict(runner, disrupted=True)


def last_words(words: str, exit_code: int) -> Callable[[Machine], None]:
    def go(run: Machine) -> None:
        run.go_on(which=0, seconds=0)
        run.exit(exit_code=exit_code, last_words=words, whose=None)

    return go


RESULT = '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "7", "size": 1}}'

#: What happens, and (reason, seconds until the end is recorded, at most).
RUNS: dict[str, tuple[dict[str, Any], Callable[[Machine], None], str, int]] = {
    "all goes well": (PLAIN, nothing, "Succeeded", 10),
    "a graph that hangs": (HANGING, nothing, "DeadlineExceeded", 91),
    "no image": (PLAIN, blocked("ImagePullBackOff"), "ImagePullFailed", 101),
    "an image that cannot be": (PLAIN, blocked("InvalidImageName"), "ImagePullFailed", 1),
    "no node": (PLAIN, blocked("Unschedulable"), "Unschedulable", 101),
    "a silent kubelet": (PLAIN, blocked("ContainerCreating"), "StartupDeadlineExceeded", 101),
    "no quota": (PLAIN, quota, "QuotaExceeded", 160),
    "no quota for workers": (PLAIN, quota_for_workers, "QuotaExceeded", 101),
    "no code": (FROM_MAP, nothing, "ConfigMapNotFound", 66),
    "an operator that dies again and again": (PLAIN, crash_everywhere, "Succeeded", 10),
    "an end that nobody saw": (PLAIN, outcome_while_nobody_looks, "Succeeded", 10),
    "a runner that was deleted": (PLAIN, runner_gone, "RunnerLost", 1),
    "a runner whose node does not answer": (PLAIN, node_silent, "RunnerLost", 71),
    "a runner whose node was drained": (PLAIN, node_gone, "RunnerDisrupted", 1),
    "a runner that was deleted, with retries": (RETRIED, runner_gone, "Succeeded", 15),
    "a runner whose node does not answer, with retries": (RETRIED, node_silent, "Succeeded", 90),
    "an operator that dies again and again, with retries": (RETRIED, crash_after_a_loss, "Succeeded", 15),
    "a result in the last words": (PLAIN, last_words(RESULT, 3), "Succeeded", 1),
    "no last words": (PLAIN, last_words("", 0), "ExitedEarly", 1),
    "odd last words": (PLAIN, last_words("[[[", 9), "ExitCode", 1),
}


@pytest.mark.parametrize(("spec", "happens", "reason", "seconds"), RUNS.values(), ids=RUNS)
def test_run(spec: dict[str, Any], happens: Callable[[Machine], None], reason: str, seconds: int) -> None:
    run = Machine()
    run.prepare()
    run.apply_job("sum", spec)
    began = run.world.now
    try:
        run.operator(0).deliver_all()
        happens(run)
        run.come_to_rest()
        status = run.status()
        assert status is not None
        assert status.finished
        assert (status.failure.reason if status.failure else "Succeeded") == reason
        assert status.is_true(ConditionType.COMPLETE) == (reason == "Succeeded")
        assert status.timings.finished is not None
        assert run.ended_after(began) <= seconds
    finally:
        run.teardown()


# What the state machine has found. The judge of every write sees most of it.


@pytest.mark.parametrize("skew", [-600, 600])
def test_clocks_in_pods_that_are_wrong_are_no_reason_to_take_a_scheduler_for_another(skew: int) -> None:
    with a_run(RETRIED, skew=skew) as run:
        run.come_to_rest()
        assert outcomes(run) == ["Succeeded"]


@pytest.mark.parametrize("skew", [-600, 0, 600])
def test_a_standstill_is_seen_in_time_whatever_the_clocks_in_pods(skew: int) -> None:
    with a_run({**PLAIN, "stallTimeoutSeconds": 30}, skew=skew) as run:
        began = run.world.now
        run.come_to_rest()
        assert reason_of(status_of(run)) == "Stalled"
        assert run.ended_after(began) <= 31


def test_what_asks_for_another_run_while_the_first_one_goes_on_is_not_forgotten() -> None:
    with a_run(PLAIN) as run:
        started(run)
        run.rerun(name="sum", text="again", delivered=True)
        run.come_to_rest()
        status = status_of(run)
        assert (status.run, status.rerun, outcomes(run)) == (2, "again", ["Succeeded", "Succeeded"])


def test_a_refused_write_changes_nothing_of_what_was_recorded() -> None:
    """The judge sees to it: neither the end nor closed attempts change."""
    with a_run({**PLAIN, "backoffLimit": 1}) as run:
        for _ in range(2):
            started(run).fail(reason="TaskFailed", message="x" * 1024, whose=None)
            run.wake_operator("sum")
            for _ in range(6):
                run.settle()
                run.run_runners()
                run.operator(0).deliver_all()
                run.look_once(which=0, name="sum", after=0, fate="refused")
            run.wait(seconds=31)
        assert outcomes(run) == ["Failed", "Failed"]


def test_resumed_is_told_at_once_though_the_next_attempt_has_to_wait() -> None:
    with a_run(PLAIN) as run:
        started(run).lose_a_node(chosen={0}, noticed=True)
        run.suspend(name="sum", suspend=True, delivered=True)
        assert status_of(run).phase is Phase.SUSPENDED
        run.suspend(name="sum", suspend=False, delivered=True)
        assert not status_of(run).is_true(ConditionType.SUSPENDED)
        assert status_of(run).is_true(ConditionType.RECONCILING)
        assert status_of(run).attempt == 1, "a pod of it may still be alive"
        run.come_to_rest()
        assert outcomes(run) == ["Suspended", "Succeeded"]
        assert status_of(run).retries is None


def test_an_attempt_that_has_ended_is_not_suspended_while_its_reason_is_sought() -> None:
    with a_run(PLAIN) as run:
        started(run).fail(reason="SchedulerLost", message="no scheduler", whose=None)
        run.suspend(name="sum", suspend=True, delivered=True)
        run.come_to_rest()
        assert outcomes(run) == ["Failed"]


def test_a_group_that_is_made_after_its_attempt_was_over_goes() -> None:
    with a_run(PLAIN) as run:
        run.wake_operator("sum")
        run.world.make_clusters()
        assert run.world.begun, "dask-kubernetes has read the cluster"
        begun, run.world.begun = run.world.begun, []
        run.suspend(name="sum", suspend=True, delivered=True)
        run.go_on(which=0, seconds=0)
        run.suspend(name="sum", suspend=False, delivered=True)
        assert status_of(run).attempt == 2
        run.world.begun = begun
        run.come_to_rest()
        assert outcomes(run) == ["Suspended", "Succeeded"]


def test_nothing_that_runs_or_could_is_left_of_a_deleted_job_that_a_finalizer_holds() -> None:
    with a_run(PLAIN) as run:
        run.wake_operator("sum")
        run.world.make_clusters()
        assert run.world.begun, "dask-kubernetes has read the cluster"
        run.delete_job(name="sum", whim=3, held=True, delivered=True)
        run.come_to_rest()
        assert list(run.remains()) == []


def test_an_operator_whose_word_of_the_job_is_old_deletes_nothing_of_a_later_attempt() -> None:
    with a_run(PLAIN, one_leader=False) as run:
        started(run).finish(succeed=True, whose=None)
        run.come_to_rest()
        run.operator(1).deliver_all()
        run.rerun(name="sum", text="again", delivered=True)
        run.go_on(which=0, seconds=0)
        assert status_of(run).attempt == 2
        # Its clusters, but not the job itself.
        run.hear_some(which=1, kinds={"DaskCluster"})
        run.come_to_rest()
        assert outcomes(run) == ["Succeeded", "Succeeded"]


def test_an_operator_that_has_heard_of_no_objects_starts_nothing_beside_them() -> None:
    with a_run({**PLAIN, "backoffLimit": 1, "backoff": {"initialSeconds": 0}}, one_leader=False) as run:
        started(run).finish(succeed=False, whose=None)
        run.wake_operator("sum")
        run.wait(seconds=1)
        run.hear_some(which=1, kinds={"DaskJob"})
        assert status_of(run).attempt == 1, "its workers are still there"
        run.come_to_rest()
        assert outcomes(run) == ["Failed", "Succeeded"]


def test_an_edit_between_two_attempts_is_a_new_run_and_costs_no_attempt() -> None:
    with a_run({**PLAIN, "backoffLimit": 1, "runPolicy": "OnChange"}) as run:
        started(run).finish(succeed=False, whose=None)
        run.go_on(which=0, seconds=0)
        assert status_of(run).phase is Phase.RETRYING
        run.edit_run(index=0, graph={"entrypoint": "m:f", "args": [1]}, result=None, invalid=False, delivered=True)
        run.come_to_rest()
        status = status_of(run)
        assert (status.run, outcomes(run), status.retries) == (2, ["Failed", "Succeeded"], None)
        assert [each.outcome for each in status.history] == [Outcome.SUPERSEDED]


def test_a_run_that_is_asked_for_of_a_suspended_job_waits_suspended() -> None:
    with a_run(PLAIN) as run:
        started(run).finish(succeed=True, whose=None)
        run.come_to_rest()
        run.suspend(name="sum", suspend=True, delivered=True)
        run.rerun(name="sum", text="again", delivered=True)
        run.come_to_rest()
        assert (status_of(run).run, status_of(run).phase) == (2, Phase.SUSPENDED)
