"""Suspend, resume, cancel: at any time of a job's life."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob.api.constants import ConditionType, Outcome, Phase, Reason
from daskjob.api.status import Markers, Retries
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import Cancel, CreateCluster, CreateRunner, Delete
from daskjob.lifecycle.job.between_attempts import REMOVAL_CHECK
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.wire.runner_deadline import RunnerDeadline

from .builders import ATTEMPT, NOW, Scene, a_job, ended, running, text


def suspended(scene: Scene, seconds_ago: float = 20) -> Scene:
    """An attempt of it was ended by that, and it has waited since."""
    scene = scene.closed(Outcome.SUSPENDED, seconds_ago).with_status(phase=Phase.SUSPENDED, start_time=None)
    return scene.with_condition(ConditionType.SUSPENDED, "True", "JobSuspended", seconds_ago)


def kinds(decision: Decision) -> list[str]:
    return [each.target.kind if isinstance(each, Delete) else type(each).__name__ for each in decision.actions]


# Suspended.


def test_a_job_that_is_suspended_from_the_start_makes_nothing() -> None:
    decision = a_job().with_spec(suspend=True).decide()
    status = decision.status
    assert (decision.actions, decision.requeue_after, decision.needs_live_read) == ((), None, False)
    assert (status.phase, status.run, status.attempt, status.start_time) == (Phase.SUSPENDED, 1, None, None)
    condition = status.condition(ConditionType.SUSPENDED)
    assert condition is not None
    assert (condition.status, condition.reason) == ("True", "JobSuspended")
    assert [each.reason for each in decision.events] == ["JobSuspended"]
    assert status.observed_generation == 1


def test_and_says_so_once() -> None:
    scene = a_job().with_spec(suspend=True)
    first = scene.decide().status
    again = replace(scene, status=first).decide()
    assert (again.status, again.events) == (first, ())
    edited = replace(scene, status=first).that_is(generation=2).decide()
    assert edited.status.observed_generation == 2
    assert edited.events == ()


def test_one_that_nothing_can_be_made_of_is_told_all_the_same() -> None:
    status = a_job().with_spec(suspend=True).that_is(spec_problem="spec.runner: no").decide().status
    assert status.failure is not None
    assert status.failure.reason == Reason.INVALID_SPEC


def test_suspending_ends_the_attempt_and_counts_for_nothing() -> None:
    scene = a_job().with_spec(suspend=True).started().with_status(retries=Retries(1, 2))
    assert scene.decide().needs_live_read, "it may have ended just now"
    decision = scene.live().decide()
    status = decision.status
    (attempt,) = status.attempts
    assert (attempt.outcome, attempt.reason, attempt.failure_class) == (Outcome.SUSPENDED, None, None)
    assert attempt.completion_time == to_seconds_text(NOW)
    assert (status.phase, status.start_time, status.retries) == (Phase.SUSPENDED, None, Retries(1, 2))
    assert kinds(decision) == ["DaskCluster", "Cancel"], "the runner ends by itself, and its log stays"
    assert decision.requeue_after == REMOVAL_CHECK
    assert [each.reason for each in decision.events] == ["JobSuspended"]
    ready = status.condition(ConditionType.CLUSTER_READY)
    assert ready is not None
    assert (ready.status, ready.reason) == ("False", "JobSuspended")


def test_an_outcome_is_worth_more_than_an_order_that_came_too_late() -> None:
    scene = a_job().with_spec(suspend=True).started().says(outcome="Succeeded")
    assert scene.decide().status.phase is Phase.SUCCEEDED


def test_a_failure_too_and_its_next_attempt_is_suspended() -> None:
    scene = a_job().with_spec(suspend=True, backoffLimit=1).started().live()
    status = scene.says(outcome="Failed", failure={"reason": "TaskFailed", "message": "boom"}).decide().status
    assert (status.phase, status.retries) == (Phase.SUSPENDED, Retries(application=1))
    assert status.attempts[-1].reason == "TaskFailed"
    assert status.next_attempt_time is None


def test_a_runner_that_goes_on_is_made_to_stop() -> None:
    scene = suspended(a_job().with_spec(suspend=True).started(), 30).sees(cluster=None).live()
    assert kinds(scene.decide()) == ["Pod"]
    assert suspended(a_job().with_spec(suspend=True).started()).gone().decide().requeue_after is None


def test_a_pause_before_an_attempt_can_be_suspended() -> None:
    decision = a_job().with_spec(suspend=True).accepted().retrying(due_in=5, application=1).gone().decide()
    status = decision.status
    assert (status.phase, status.next_attempt_time, decision.requeue_after) == (Phase.SUSPENDED, None, None)
    assert status.retries == Retries(application=1)


def test_a_place_in_the_queue_is_given_up() -> None:
    queued = a_job().sees(queue_place=QueuePlace(3, Reason.OPERATOR_LIMIT, "place 3")).decide().status
    status = replace(a_job().with_spec(suspend=True), status=queued).decide().status
    assert (status.phase, status.queue_position, status.summary) == (Phase.SUSPENDED, None, None)
    assert status.condition(ConditionType.QUEUED) is None


def test_time_stands_still() -> None:
    scene = suspended(a_job().with_spec(suspend=True).with_deadline(1).accepted(3600)).gone()
    assert scene.decide().status.phase is Phase.SUSPENDED


def test_what_has_ended_stays_as_it_is() -> None:
    scene = a_job().with_spec(suspend=True).started().finished().gone()
    assert scene.decide().status.phase is Phase.SUCCEEDED
    assert scene.decide().status.condition(ConditionType.SUSPENDED) is None


# Resumed.


def test_a_job_that_never_ran_starts() -> None:
    status = a_job().with_spec(suspend=True).decide().status
    decision = replace(a_job(), status=status).decide()
    assert decision.actions == (CreateCluster(1), CreateRunner(1))
    condition = decision.status.condition(ConditionType.SUSPENDED)
    assert condition is not None
    assert (condition.status, condition.reason) == ("False", "JobResumed")
    assert decision.status.start_time == to_seconds_text(NOW)


def test_resuming_starts_a_fresh_attempt_whose_time_is_counted_from_there() -> None:
    scene = suspended(a_job().started().with_status(retries=Retries(1))).with_deadline(100).gone()
    assert scene.decide().needs_live_read
    decision = scene.live().decide()
    words = "the job was active for longer than spec.activeDeadlineSeconds (100 s)"
    deadline = RunnerDeadline(100, "DeadlineExceeded", words)
    assert decision.actions == (CreateCluster(2, deadline), CreateRunner(2, deadline))
    status = decision.status
    assert (status.start_time, status.retries) == (to_seconds_text(NOW), Retries(1))
    assert [each.outcome for each in status.attempts] == [Outcome.SUSPENDED, None]
    assert [each.reason for each in decision.events] == ["JobResumed", "Started"]
    assert decision.requeue_after is not None
    assert decision.requeue_after <= timedelta(seconds=100)


def test_it_is_told_at_once_even_if_the_attempt_before_has_to_go_first() -> None:
    scene = suspended(a_job().started())
    decision = scene.live().decide()
    status = decision.status
    assert (status.phase, status.open, status.is_true(ConditionType.SUSPENDED)) == (Phase.PENDING, None, False)
    assert not any(isinstance(each, CreateCluster | CreateRunner) for each in decision.actions)
    assert kinds(decision) == ["DaskCluster", "Cancel"]


def test_without_waiting_for_a_pause_that_is_over() -> None:
    scene = a_job().with_spec(suspend=True).accepted().retrying(due_in=300, application=1).gone()
    resumed = replace(scene.with_spec(suspend=False), status=scene.decide().status)
    assert resumed.live().decide().status.attempt == 2


def test_one_that_finds_no_room_queues() -> None:
    scene = suspended(a_job().started()).gone().sees(queue_place=QueuePlace(1, Reason.NAMESPACE_LIMIT, "place 1"))
    status = scene.decide().status
    assert (status.phase, status.queue_position) == (Phase.QUEUED, 1)
    assert not status.is_true(ConditionType.SUSPENDED)


# Cancelled while nothing runs.


@pytest.mark.parametrize(
    "scene",
    [
        a_job(),
        a_job().with_spec(suspend=True),
        a_job().sees(queue_place=QueuePlace(1, Reason.OPERATOR_LIMIT, "place 1")),
        a_job().accepted().retrying(due_in=100).gone(),
        a_job().started().retrying(due_in=100),
        suspended(a_job().with_spec(suspend=True).started()).gone(),
    ],
    ids=["new", "suspended from the start", "no room", "in a pause", "cluster still there", "suspended"],
)
def test_a_job_that_does_not_run_is_cancelled_at_once(scene: Scene) -> None:
    decision = scene.with_spec(cancel=True, cleanup={"afterFailureSeconds": 60}).decide()
    status = decision.status
    assert status.is_true(ConditionType.FAILED)
    assert status.failure is not None
    assert status.failure.reason == Reason.CANCELLED
    assert (status.next_attempt_time, status.queue_position) == (None, None)
    assert status.condition(ConditionType.QUEUED) is None
    assert not any(isinstance(each, CreateCluster | CreateRunner) for each in decision.actions)
    assert kinds(decision)[:1] == (["DaskCluster"] if scene.seen.get("cluster") else [])


# Cancelled while it runs.


def cancelled(scene: Scene, seconds_ago: float | None = None) -> Scene:
    """`seconds_ago`: since when the runner has been asked."""
    if seconds_ago is not None:
        scene = scene.with_status(markers=Markers(cancel_requested=text(seconds_ago)))
    return scene.with_spec(cancel=True, backoffLimit=5, infrastructureRetries=5)


def reason_of(decision: Decision) -> str | None:
    return decision.status.failure.reason if decision.status.failure is not None else None


def test_the_runner_is_asked_first() -> None:
    decision = cancelled(a_job().started()).decide()
    assert kinds(decision) == ["Cancel"]
    assert decision.status.open is not None
    assert decision.status.markers.cancel_requested == "2026-03-01T12:00:00.000000Z"
    again = replace(cancelled(a_job().started()), status=decision.status).report(cancel=True, stage="Running").decide()
    assert again.actions == ()
    assert again.status.markers.cancel_requested == decision.status.markers.cancel_requested


@pytest.mark.parametrize("reason", ["Cancelled", "TaskFailed", "SchedulerLost"])
def test_its_outcome_ends_the_job_whatever_the_limits(reason: str) -> None:
    scene = cancelled(a_job().started(), 2).says(outcome="Failed", failure={"reason": reason, "message": "x"})
    decision = scene.with_spec(cleanup={"afterFailureSeconds": 60}).live().decide()
    assert decision.status.is_true(ConditionType.FAILED)
    assert reason_of(decision) == reason
    assert decision.status.retries is None


def test_a_result_that_was_there_already_is_kept() -> None:
    status = cancelled(a_job().started(), 2).says(outcome="Succeeded").decide().status
    assert status.is_true(ConditionType.COMPLETE)


@pytest.mark.parametrize(("seconds_ago", "ends"), [(29, False), (30, True)])
def test_a_runner_that_does_not_listen_is_not_waited_for(seconds_ago: float, ends: bool) -> None:
    scene = cancelled(a_job().started(), seconds_ago).live()
    decision = scene.decide()
    assert (reason_of(decision) == Reason.CANCELLED) == ends
    assert (
        "did not stop within 30 s" in (decision.status.failure.message or "") if decision.status.failure else not ends
    )
    if not ends:
        assert decision.requeue_after == timedelta(seconds=1)


@pytest.mark.parametrize(
    "scene", [a_job().accepted(), a_job().accepted().cluster().runner(), a_job().started().report()]
)
def test_before_the_runner_has_a_word_it_is_not_asked(scene: Scene) -> None:
    decision = cancelled(scene).live().decide()
    assert reason_of(decision) == Reason.CANCELLED
    assert not any(isinstance(each, CreateCluster | CreateRunner) for each in decision.actions)


def test_what_kills_it_meanwhile_is_no_reason_to_try_again() -> None:
    scene = cancelled(a_job().started(), 2).schedulers(ended("scheduler", 1)).live()
    decision = scene.decide()
    assert decision.status.is_true(ConditionType.FAILED)
    assert decision.status.retries is None


def test_a_cancelled_job_leaves_no_cluster_to_look_at() -> None:
    scene = cancelled(a_job().started(), 2).says(outcome="Failed", failure={"reason": "Cancelled", "message": "x"})
    decision = scene.with_spec(cleanup={"afterFailureSeconds": 60}).live().decide()
    assert "DaskCluster" in kinds(decision)


def test_cancelling_goes_before_suspending_and_editing() -> None:
    scene = cancelled(a_job().started()).with_spec(suspend=True, runPolicy="OnChange").that_is(digest="another")
    scene = scene.with_status(spec_digest="one").live()
    decision = scene.decide()
    assert kinds(decision) == ["Cancel"]
    assert decision.status.open is not None


def test_an_order_that_is_taken_back_is_forgotten() -> None:
    """A later one gives the runner its whole time again."""
    scene = a_job().started().with_status(markers=Markers(cancel_requested=text(500)))
    assert scene.decide().status.markers.cancel_requested is None
    assert scene.decide().status.open is not None


def test_a_runner_that_ended_without_a_word_says_what_it_was() -> None:
    scene = cancelled(a_job().started(), 2).runner(ended("runner", 137, "OOMKilled")).live()
    assert reason_of(scene.decide()) == "RunnerOOMKilled"


def test_nothing_starts_again_while_it_is_to_be_cancelled() -> None:
    scene = cancelled(a_job().started().finished(ConditionType.FAILED)).gone().that_is(rerun="once more")
    decision = scene.decide()
    assert decision.status.open is None
    assert not any(isinstance(each, CreateCluster | CreateRunner) for each in decision.actions)


def test_the_runner_is_told_through_the_report_of_its_attempt() -> None:
    decision = cancelled(a_job().started().runner(running("runner"))).decide()
    assert decision.actions == (Cancel(ATTEMPT),)
