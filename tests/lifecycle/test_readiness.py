"""The conditions for tools that know nothing of jobs, at every turn of a job's life."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daskjob.api.constants import ConditionType, Reason
from daskjob.api.status import DaskJobStatus
from daskjob.lifecycle.job.observation import QueuePlace

from .builders import Scene, a_job, a_pod

TURN = QueuePlace(1, Reason.OPERATOR_LIMIT, "place 1 of those that wait: 2 jobs run, and 2 may")
PENDING = a_job().accepted().cluster().workers(a_pod("worker", unschedulable="0/1 nodes")).runner().report()
FAILED = a_job().started().says(outcome="Failed", failure={"reason": "TaskFailed", "message": "boom"}).live()


def said(status: DaskJobStatus) -> dict[str, str]:
    kinds = (ConditionType.READY, ConditionType.RECONCILING, ConditionType.STALLED)
    return {kind: found.status for kind in kinds if (found := status.condition(kind)) is not None}


ON_ITS_WAY = {"Ready": "False", "Reconciling": "True"}
TURNS: dict[str, tuple[Scene, dict[str, str], str, str]] = {
    "accepted": (a_job(), ON_ITS_WAY, "Pending", "attempt 1: pending"),
    "no place": (a_job().sees(queue_place=TURN), ON_ITS_WAY, "OperatorLimit", TURN.message),
    "no node": (PENDING, ON_ITS_WAY, "Unschedulable", "0/1 nodes"),
    "runs": (a_job().started(), ON_ITS_WAY, "Running", "attempt 1: running"),
    "tries again": (FAILED.with_spec(backoffLimit=1), ON_ITS_WAY, "BackingOff", "attempt 1 failed (TaskFailed)"),
    "suspended": (a_job().with_spec(suspend=True), {"Ready": "False"}, "JobSuspended", "spec.suspend is true"),
    "succeeded": (
        a_job().started().says(outcome="Succeeded"),
        {"Ready": "True"},
        "Succeeded",
        "the graph was computed",
    ),
    "failed": (FAILED, {"Ready": "False", "Stalled": "True"}, "TaskFailed", "boom"),
}


@pytest.mark.parametrize(("scene", "expected", "reason", "message"), TURNS.values(), ids=TURNS)
def test_conditions(scene: Scene, expected: dict[str, str], reason: str, message: str) -> None:
    status = scene.decide().status
    assert said(status) == expected
    for kind in expected:
        condition = status.condition(ConditionType(kind))
        assert condition is not None
        assert condition.reason == reason
        assert message in condition.message
        assert condition.observed_generation == 1


@pytest.mark.parametrize(("scene", "expected"), [each[:2] for each in TURNS.values()], ids=TURNS)
def test_the_generation_is_followed_whatever_was_edited(scene: Scene, expected: dict[str, str]) -> None:
    first = replace(scene, status=scene.decide().status).gone() if "suspend" in scene.spec else scene
    status = first.that_is(generation=7).decide().status
    assert status.observed_generation == 7
    assert {status.condition(ConditionType(kind)).observed_generation for kind in expected} == {7}  # type: ignore[union-attr]


def test_a_new_run_of_a_failed_job_is_on_its_way_again() -> None:
    failed = replace(FAILED, status=FAILED.decide().status).gone().that_is(rerun="1").live()
    assert said(failed.decide().status) == ON_ITS_WAY


def test_ready_turns_once_for_each_run() -> None:
    """Its transition time is that of its turn, not of the last write."""
    running = a_job().with_condition(ConditionType.READY, "False", "Pending", 50).started()
    ready = running.decide().status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.last_transition_time == "2026-03-01T11:59:10Z"
    ready = running.says(outcome="Succeeded").decide().status.condition(ConditionType.READY)
    assert ready is not None
    assert ready.last_transition_time == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize(
    ("discarded", "forgotten", "words"),
    [
        (0, None, ""),
        (1, None, "; 1 task was not finished and was thrown away: nobody waited for it"),
        (12, None, "; 12 tasks were not finished and were thrown away: nobody waited for them"),
        (
            1,
            1,
            "; 1 task was not finished and was thrown away: a job waits at most 600 s for tasks of fire_and_forget (1)",
        ),
        (
            12,
            5,
            "; 12 tasks were not finished and were thrown away: a job waits at most 600 s for tasks of fire_and_forget "
            "(5), and nobody waited for the others",
        ),
    ],
)
def test_a_success_says_how_many_tasks_were_thrown_away(discarded: int, forgotten: int | None, words: str) -> None:
    left = {"fireAndForget": {"unfinished": forgotten, "limitSeconds": 600}} if forgotten else {}
    decision = a_job().started().says(outcome="Succeeded", discarded=discarded, **left).decide()
    message = f"the graph was computed{words}"
    for kind in (ConditionType.COMPLETE, ConditionType.READY):
        condition = decision.status.condition(kind)
        assert condition is not None
        assert condition.message == message
    assert [each.message for each in decision.events] == [message]
