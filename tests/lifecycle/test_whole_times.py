"""Whole runs on the model: who waits for whom, what is kept for how long, and what is counted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daskjob.api.constants import ConditionType
from daskjob.api.status import DaskJobStatus, Retries
from daskjob.api.times import from_text
from daskjob.kube.client import Body
from daskjob.lifecycle.job.queueing import RunLimits

from .status_invariants import reason_of
from .stories import HANGING, PLAIN, RETRIED, a_run, outcomes, started, status_of
from .test_machine import Machine
from .world import component_of, is_ended


def phases(run: Machine) -> list[tuple[str, str]]:
    """A list that the phases of all jobs are added to from now on, as they come."""
    told: list[tuple[str, str]] = []

    def listen(verb: str, kind: str, before: Body | None, after: Body | None) -> None:
        if verb == "status" and after is not None:
            name, phase = after["metadata"]["name"], after["status"]["phase"]
            if dict(told).get(name) != phase:
                told.append((name, phase))

    run.server.judges.append(listen)
    return told


def test_jobs_of_a_namespace_wait_for_each_other_by_priority_and_age() -> None:
    with a_run(PLAIN, limits=RunLimits(total=1)) as run:
        run.apply(name="max", spec=PLAIN, delivered=True)
        run.wait(seconds=1)
        run.apply(name="mean", spec={**PLAIN, "priority": 5}, delivered=True)
        told, began = phases(run), run.world.now
        run.wake_operator("sum")
        assert [status_of(run, each).queue_position for each in ("max", "mean", "sum")] == [None, 1, 2]
        run.come_to_rest()
        assert [name for name, phase in told if phase == "Succeeded"] == ["max", "mean", "sum"]
        assert run.ended_after(began, "sum") <= 5, "there is no wait when there is room"


def test_namespaces_take_turns_whatever_the_priorities_of_their_jobs() -> None:
    with a_run(PLAIN, limits=RunLimits(total=1)) as run:
        run.wake_operator("sum")
        run.apply(name="mean", spec={**PLAIN, "priority": 5}, delivered=True)
        run.wait(seconds=1)
        run.apply(name="max", spec=PLAIN, delivered=True)
        told = phases(run)
        run.come_to_rest()
        assert [name for name, phase in told if phase == "Succeeded"] == ["sum", "max", "mean"]


def test_a_job_whose_start_is_being_written_counts_as_running() -> None:
    with a_run(PLAIN, limits=RunLimits(total=1)) as run:
        run.apply(name="max", spec={**PLAIN, "priority": 5, "suspend": True}, delivered=True)
        run.suspend(name="max", suspend=False, delivered=False)
        run.look_once(which=0, name="sum", after=1, fate="aside")
        assert (status_of(run, "max").attempt, status_of(run).attempt) == (None, 1)


def test_a_namespace_that_is_full_holds_nobody_else_back() -> None:
    with a_run(HANGING, limits=RunLimits(total=2, per_namespace=1)) as run:
        began = run.world.now
        run.wake_operator("sum")
        run.wait(seconds=1)
        for name in ("mean", "max"):
            run.apply(name=name, spec=PLAIN, delivered=False)
        run.come_to_rest()
        assert run.ended_after(began, "max") <= 10
        assert 90 <= run.ended_after(began, "sum") <= 91
        assert 90 <= run.ended_after(began, "mean") <= 101


@pytest.mark.parametrize(("succeed", "seconds"), [(True, 40), (False, 70)])
def test_a_cluster_is_kept_for_its_time_and_no_longer(succeed: bool, seconds: int) -> None:
    cleanup = {"afterSuccessSeconds": 40, "afterFailureSeconds": 70}
    with a_run({**PLAIN, "cleanup": cleanup}) as run:
        started(run).finish(succeed=succeed, whose=None)
        run.wake_operator("sum")
        assert status_of(run).finished
        ended = run.world.now
        run.go_on(which=0, seconds=0)
        assert run.server.all("DaskCluster")
        assert any(component_of(each) == "worker" for each in run.world.pods())
        run.come_to_rest()
        cleaned = from_text(status_of(run).timings.cleaned_up)
        assert cleaned is not None
        assert seconds <= (cleaned - ended).total_seconds() <= seconds + 1


def test_a_job_goes_when_its_time_is_up() -> None:
    with a_run({**PLAIN, "ttlSecondsAfterFinished": 100}) as run:
        began = run.world.now
        run.come_to_rest()
        assert {kind for kind, _ in run.server.objects} <= {"Event", "ConfigMap", "ServiceAccount"}
        assert 100 <= (run.world.now - began).total_seconds() <= 105


def test_a_job_that_is_asked_for_once_more_at_its_last_moment_stays() -> None:
    with a_run({**PLAIN, "ttlSecondsAfterFinished": 100}) as run:
        started(run).finish(succeed=True, whose=None)
        run.go_on(which=0, seconds=0)
        run.wait(seconds=130)
        run.look_once(which=0, name="sum", after=0, fate="user")
        assert status_of(run).finished
        run.wake_operator("sum")
        assert status_of(run).run == 2


def test_a_suspended_job_has_no_pods_and_the_time_does_not_count() -> None:
    with a_run({**HANGING, "backoffLimit": 1}) as run:
        started(run).wait(seconds=70)
        run.suspend(name="sum", suspend=True, delivered=True)
        run.come_to_rest()
        assert [each for each in run.world.pods() if not is_ended(each)] == []
        run.wait(seconds=700)
        run.suspend(name="sum", suspend=False, delivered=True)
        began = run.world.now
        run.come_to_rest()
        assert 90 <= run.ended_after(began) <= 91
        assert (outcomes(run), status_of(run).retries) == (["Suspended", "Failed"], None)


@pytest.mark.parametrize(("polite", "seconds"), [(True, 1), (False, 1)])
def test_a_cancelled_job_ends_and_runs_no_more(polite: bool, seconds: int) -> None:
    with a_run({**HANGING, "backoffLimit": 3, "infrastructureRetries": 3}) as run:
        started(run).act(who="all", polite=polite)
        run.edit_terms(name="sum", change=("cancel", True), delivered=True)
        began = run.world.now
        run.come_to_rest()
        assert outcomes(run) == ["Failed"]
        assert run.ended_after(began) <= seconds
        assert (reason_of(status_of(run)) == "Cancelled") == polite
        run.rerun(name="sum", text="again", delivered=True)
        run.come_to_rest()
        assert status_of(run).run == 1


def test_a_runner_that_does_not_hear_is_cancelled_all_the_same() -> None:
    with a_run(HANGING) as run:
        started(run).edit_terms(name="sum", change=("cancel", True), delivered=True)
        run.go_on(which=0, seconds=29)
        assert not status_of(run).finished
        run.go_on(which=0, seconds=1)
        assert reason_of(status_of(run)) == "Cancelled"


def test_retries_are_counted_by_class_and_end() -> None:
    spec = {**PLAIN, "backoffLimit": 2, "infrastructureRetries": 1, "backoff": {"initialSeconds": 0}}
    with a_run(spec) as run:
        for what in ("TaskFailed", "drain", "TaskFailed"):
            started(run)
            if what == "drain":
                run.harm_a_pod(which="runner", index=0, how="drain", delivered=True)
            else:
                run.fail(reason=what, message="boom", whose=None)
            run.go_on(which=0, seconds=1)
            run.run_runners()
            run.go_on(which=0, seconds=1)
            # The floor of the pauses: 1, 2, 4 s.
            run.go_on(which=0, seconds=4)
        assert status_of(run).retries == Retries(application=2, infrastructure=1)
        started(run).harm_a_pod(which="runner", index=0, how="drain", delivered=True)
        run.come_to_rest()
        failure = status_of(run).failure
        assert failure is not None
        assert failure.reason == "RunnerDisrupted"
        assert "infrastructureRetries (1) is reached" in (failure.message or "")
        assert outcomes(run) == ["Failed"] * 4


def test_the_past_is_kept_within_bounds() -> None:
    with a_run(PLAIN) as run:
        for number in range(12):
            run.come_to_rest()
            run.rerun(name="sum", text=str(number), delivered=True)
        run.come_to_rest()
        status = status_of(run)
        assert status.run == 13
        assert [each.run for each in status.history] == [12, 11, 10, 9, 8]
        assert all(each.result and each.result.value == '"done"' for each in status.history)
        assert [each.number for each in status.attempts] == list(range(4, 14))


def test_what_another_controller_looks_after_is_left_alone() -> None:
    with a_run({**PLAIN, "managedBy": "example.com/other"}, limits=RunLimits(total=1)) as run:
        run.apply(name="mean", spec=PLAIN, delivered=True)
        run.come_to_rest()
        assert status_of(run, "mean").is_true(ConditionType.COMPLETE)
        assert status_of(run) == DaskJobStatus(observed_generation=-1)


def test_an_operator_that_dies_at_any_request_of_a_job_of_many_turns() -> None:
    """Suspended, resumed, edited, failed, run anew; a new process after every single request."""
    turns: list[Callable[[Machine], None]] = [
        lambda run: run.suspend(name="sum", suspend=True, delivered=False),
        lambda run: run.suspend(name="sum", suspend=False, delivered=False),
        lambda run: run.edit_run(
            index=0, graph={"entrypoint": "m:f", "args": [1]}, result=None, invalid=False, delivered=False
        ),
        lambda run: run.finish(succeed=False, whose=None),
        lambda run: run.rerun(name="sum", text="again", delivered=False),
    ]
    with a_run({**RETRIED, "backoffLimit": 1, "runPolicy": "OnChange", "backoff": {"initialSeconds": 0}}) as run:
        for turn in turns:
            started(run)
            turn(run)
            for after in range(20):
                run.look_once(which=0, name="sum", after=after % 10, fate="crash")
                run.settle()
                run.run_runners() if after == 10 else None
                run.operator(0).deliver_all()
        run.come_to_rest()
        assert status_of(run).finished
