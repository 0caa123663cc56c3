"""A job that runs anew: asked by its annotation, or by an edit of what it runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, Outcome, Phase, Reason
from daskjob.api.spec import digest, parse_spec
from daskjob.api.status import Attempt, Failure, Result, Retries, Run, Timings
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import Cancel, CreateCluster, CreateRunner, Delete
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.wire.runner_deadline import RunnerDeadline

from .builders import ATTEMPT, NOW, Scene, a_job, ago

RESULT = Result("int", "7", {}, 1, "0" * 64)


def starts(decision: Decision) -> list[int]:
    return [each.attempt for each in decision.actions if isinstance(each, CreateCluster)]


def ran(**more: Any) -> Scene:
    """A job that has succeeded, with nothing left of it; it asked for no other run at its start."""
    scene = a_job().started().finished().gone()
    return scene.with_status(run=1, result=RESULT, summary="7", spec_digest="one", **more).that_is(digest="one")


def failed() -> Scene:
    scene = a_job().started().finished(ConditionType.FAILED).gone()
    failure = Failure("TaskFailed", message="boom " * 1000)
    return scene.with_status(run=1, failure=failure, summary="TaskFailed", spec_digest="one").that_is(digest="one")


def on_change(scene: Scene, edited: bool = True) -> Scene:
    """What it runs was edited meanwhile."""
    return scene.with_spec(runPolicy="OnChange").that_is(digest="two" if edited else "one")


# By annotation.


@pytest.mark.parametrize(
    ("known", "text", "runs"),
    [
        (None, None, False),
        (None, "1", True),
        ("1", "1", False),
        ("1", "2", True),
        ("1", None, False),
    ],
)
def test_another_text_makes_a_finished_job_run_anew(known: str | None, text: str | None, runs: bool) -> None:
    decision = ran(rerun=known).that_is(rerun=text).live().decide()
    assert starts(decision) == ([2] if runs else [])
    assert decision.status.finished != runs
    if runs:
        assert decision.status.rerun == text
        assert [each.reason for each in decision.events] == ["NewRun", "Started"]


def test_the_text_that_it_was_made_with_asks_for_nothing() -> None:
    first = a_job().that_is(rerun="1").decide().status
    assert (first.rerun, first.run) == ("1", 1)
    done = replace(a_job().that_is(rerun="1").gone(), status=first).finished()
    assert starts(done.live().decide()) == []


def test_a_text_that_came_while_it_ran_is_acted_upon_at_its_end() -> None:
    running = a_job().started().with_status(spec_digest="", rerun=None).that_is(rerun="1")
    assert running.decide().status.run is None, "not before"
    ended = running.says(outcome="Succeeded").decide().status
    assert (ended.phase, ended.rerun) == (Phase.SUCCEEDED, None)
    assert starts(replace(running.gone().live(), status=ended).decide()) == [2]


@pytest.mark.parametrize("scene", [ran().that_is(rerun="1"), on_change(ran())])
def test_as_long_as_it_is_to_be_cancelled_it_does_not_run_anew(scene: Scene) -> None:
    assert starts(scene.with_spec(cancel=True).live().decide()) == []
    assert starts(scene.live().decide()) == [2]


def test_before_its_first_attempt_there_is_nothing_to_repeat() -> None:
    queued = (
        a_job().sees(queue_place=QueuePlace(1, Reason.OPERATOR_LIMIT, "place 1")).that_is(rerun="1").decide().status
    )
    status = replace(a_job().that_is(rerun="2"), status=queued).decide().status
    assert (status.run, status.attempt, status.rerun) == (1, 1, "2")


# What is new, and what is kept.


def test_all_of_the_run_that_was_moves_to_the_history() -> None:
    retried = ran(retries=Retries(2, 1), completion_time="2026-03-01T11:59:55Z").with_status(
        timings=Timings(accepted="a", graph_started="b", finished="c", cleaned_up="d")
    )
    status = retried.that_is(rerun="1").live().decide().status
    assert status.history == (
        Run(1, to_seconds_text(ago(60)), "2026-03-01T11:59:55Z", Outcome.SUCCEEDED, result=RESULT),
    )
    assert (status.run, status.attempt, status.start_time) == (2, 2, to_seconds_text(NOW))
    assert (status.phase, status.summary, status.result, status.failure) == (Phase.PENDING, None, None, None)
    assert (status.completion_time, status.retries, status.progress) == (None, None, None)
    assert status.timings == Timings(accepted="2026-03-01T12:00:00.000000Z")
    assert {each.type for each in status.conditions} == {"ClusterReady", "Ready", "Reconciling"}
    assert [(each.number, each.run) for each in status.attempts] == [(1, 1), (2, 2)]


def test_of_a_failure_too() -> None:
    (was,) = failed().that_is(rerun="1").live().decide().status.history
    assert (was.outcome, was.reason, was.result) == (Outcome.FAILED, "TaskFailed", None)
    assert len(was.message or "") == 1024
    status = failed().that_is(rerun="1").live().decide().status
    assert {each.type for each in status.conditions} == {"ClusterReady", "Ready", "Reconciling"}


@pytest.mark.parametrize(("length", "kept"), [(1024, True), (1025, False)])
def test_of_a_large_result_only_its_figures_stay(length: int, kept: bool) -> None:
    large = Result("str", "x" * length, {"": "str"}, length, "0" * 64)
    (was,) = ran().with_status(result=large).that_is(rerun="1").live().decide().status.history
    assert was.result == (large if kept else Result("str", None, {}, length, "0" * 64))


def test_five_runs_are_remembered_the_latest_first() -> None:
    history = tuple(Run(number) for number in (8, 7, 6, 5, 4))
    status = ran(history=history).with_status(run=9).that_is(rerun="1").live().decide().status
    assert [each.run for each in status.history] == [9, 8, 7, 6, 5]
    assert status.run == 10


def test_its_retries_begin_anew() -> None:
    spent = failed().with_spec(backoffLimit=1).with_status(retries=Retries(1)).that_is(rerun="1")
    second = replace(spent.live(), status=spent.live().decide().status)
    report = second.cluster().runner().report(outcome="Failed", failure={"reason": "TaskFailed", "message": "x"})
    status = report.decide().status
    assert (status.phase, status.retries) == (Phase.RETRYING, Retries(1))


def test_a_new_run_waits_for_what_is_left_of_the_old_one() -> None:
    scene = a_job().started().finished().that_is(rerun="1").with_status(spec_digest="one").live()
    decision = scene.decide()
    status = decision.status
    assert (status.run, status.open, status.phase) == (2, None, Phase.PENDING)
    assert [type(each) for each in decision.actions] == [Delete, Cancel]
    assert decision.requeue_after is not None
    later = replace(scene.gone(), status=status).decide()
    assert (starts(later), later.status.run) == ([2], 2)


def test_a_cluster_that_was_kept_goes_and_nothing_says_that_it_is_kept() -> None:
    ending = a_job().with_spec(cleanup={"afterSuccessSeconds": 600}).started().says(outcome="Succeeded")
    kept = replace(ending, status=ending.decide().status)
    assert "kept until" in str(kept.status.conditions)
    decision = kept.that_is(rerun="1").live().decide()
    assert [each.target.kind for each in decision.actions if isinstance(each, Delete)] == ["DaskCluster"]
    assert "kept until" not in str(decision.status.conditions)


def test_that_nothing_is_left_is_believed_only_after_asking() -> None:
    decision = ran().that_is(rerun="1").decide()
    assert decision.needs_live_read
    assert decision.events == ()


def test_a_new_run_queues_like_any_other() -> None:
    status = ran().that_is(rerun="1").sees(queue_place=QueuePlace(2, Reason.OPERATOR_LIMIT, "place 2")).decide().status
    assert (status.phase, status.run, status.queue_position) == (Phase.QUEUED, 2, 2)


def test_one_that_is_suspended_too() -> None:
    scene = ran().that_is(rerun="1").with_spec(suspend=True)
    status = scene.decide().status
    assert (status.phase, status.run, status.is_true(ConditionType.SUSPENDED)) == (Phase.SUSPENDED, 2, True)
    cancelled = scene.with_condition(ConditionType.SUSPENDED, "True", "JobSuspended", 100)
    assert cancelled.decide().status.phase is Phase.SUSPENDED, "it was when the run before it ended"


def test_one_that_cannot_be_made_fails_as_a_run_of_its_own() -> None:
    decision = ran().that_is(rerun="1", spec_problem="spec.runner: no").decide()
    status = decision.status
    assert (status.run, status.phase, status.attempt) == (2, Phase.FAILED, 1)
    assert status.failure is not None
    assert status.failure.reason == Reason.INVALID_SPEC
    assert [each.reason for each in decision.events] == ["NewRun", "InvalidSpec"]
    again = replace(ran().that_is(rerun="1", spec_problem="spec.runner: no"), status=status).decide()
    assert again.status.run == 2


def test_an_edit_between_two_attempts_that_cannot_be_made_fails_the_new_run_alone() -> None:
    scene = on_change(a_job().accepted().retrying(due_in=5).with_status(run=1, spec_digest="one").gone())
    decision = scene.that_is(spec_problem="spec.runner: no").live().decide()
    status = decision.status
    assert [(each.run, each.outcome) for each in status.history] == [(1, Outcome.SUPERSEDED)]
    assert (status.run, status.phase, status.summary) == (2, Phase.FAILED, "InvalidSpec")
    assert [each.reason for each in decision.events] == ["NewRun", "InvalidSpec"]


def test_ttl_does_not_take_a_job_that_is_to_run_anew() -> None:
    assert starts(ran().with_spec(ttlSecondsAfterFinished=0).that_is(rerun="1").live().decide()) == [2]


# By an edit.


@pytest.mark.parametrize("scene", [ran(), failed()], ids=["succeeded", "failed"])
def test_an_edit_makes_a_finished_job_run_anew(scene: Scene) -> None:
    assert starts(on_change(scene, edited=False).live().decide()) == []
    decision = on_change(scene).live().decide()
    assert starts(decision) == [2]
    assert (decision.status.run, decision.status.spec_digest) == (2, "two")


def test_not_of_a_job_that_is_to_run_once() -> None:
    """Its spec cannot be edited; another version of the operator might see another digest all the same."""
    assert starts(ran().that_is(digest="two").live().decide()) == []


def test_nor_of_a_job_of_which_nobody_knows_what_it_ran() -> None:
    assert starts(on_change(ran().with_status(spec_digest=None)).live().decide()) == []


def test_an_edit_of_a_running_job_ends_its_attempt_and_begins_a_run() -> None:
    scene = on_change(a_job().started().with_status(run=1, spec_digest="one"))
    assert scene.decide().needs_live_read, "it may have ended just now"
    decision = scene.live().decide()
    status = decision.status
    (attempt,) = status.attempts
    assert (attempt.outcome, attempt.reason, attempt.completion_time) == (
        Outcome.SUPERSEDED,
        None,
        to_seconds_text(NOW),
    )
    assert (status.run, status.spec_digest, status.open, status.phase) == (2, "two", None, Phase.PENDING)
    (was,) = status.history
    assert (was.run, was.outcome, was.completion_time) == (1, Outcome.SUPERSEDED, to_seconds_text(NOW))
    assert [type(each) for each in decision.actions] == [Delete, Cancel]
    ready = status.condition(ConditionType.CLUSTER_READY)
    assert ready is not None
    assert ready.reason == "Superseded"
    assert starts(replace(scene.gone(), status=status).live().decide()) == [2]


def test_a_result_that_is_there_already_is_recorded_first() -> None:
    scene = on_change(a_job().started().with_status(spec_digest="one")).says(outcome="Succeeded")
    assert scene.decide().status.phase is Phase.SUCCEEDED


@pytest.mark.parametrize("suspended", [False, True])
def test_an_edit_between_two_attempts_begins_a_run(suspended: bool) -> None:
    scene = on_change(a_job().accepted().with_status(run=1, spec_digest="one").retrying(due_in=300).gone())
    scene = scene.with_spec(suspend=suspended).live()
    if suspended:
        scene = scene.with_condition(ConditionType.SUSPENDED, "True", "JobSuspended", 10)
    status = scene.decide().status
    assert (status.run, status.retries, status.next_attempt_time) == (2, None, None)
    assert [each.outcome for each in status.history] == [Outcome.SUPERSEDED]
    if suspended:
        assert (status.phase, status.attempt) == (Phase.SUSPENDED, 1)
    else:
        assert (status.phase, status.attempt) == (Phase.PENDING, 2), "and does not wait for the pause of the old one"


def test_an_edit_before_the_first_attempt_is_simply_what_runs() -> None:
    queued = (
        a_job().sees(queue_place=QueuePlace(1, Reason.OPERATOR_LIMIT, "place 1")).that_is(digest="one").decide().status
    )
    decision = on_change(replace(a_job(), status=queued)).decide()
    assert (decision.status.run, decision.status.spec_digest, decision.status.history) == (1, "two", ())


def test_an_edit_of_a_run_that_waits_for_its_first_attempt_too() -> None:
    waiting = on_change(ran()).sees(queue_place=QueuePlace(1, Reason.OPERATOR_LIMIT, "place 1")).decide().status
    assert (waiting.run, waiting.spec_digest) == (2, "two")
    scene = replace(on_change(ran()), status=waiting).that_is(digest="three").live()
    status = scene.decide().status
    assert (status.run, status.spec_digest, len(status.history)) == (2, "three", 1)


def test_an_attempt_of_a_new_run_has_a_name_of_its_own() -> None:
    status = on_change(ran()).live().decide().status
    assert status.attempts[-1] == Attempt(2, "sum-3f2a9-2", 2, to_seconds_text(NOW))
    assert status.attempts[0].name == ATTEMPT


def test_a_deadline_counts_from_the_start_of_the_run() -> None:
    decision = ran().with_deadline(100).that_is(rerun="1").live().decide()
    words = "the job was active for longer than spec.activeDeadlineSeconds (100 s)"
    assert CreateRunner(2, RunnerDeadline(100, "DeadlineExceeded", words)) in decision.actions
    assert decision.requeue_after is not None
    assert decision.requeue_after <= timedelta(seconds=100)


# What is a run.

SPEC: dict[str, Any] = {
    "graph": {"entrypoint": "m:f", "args": [1, {"a": [None, 1.5]}], "source": {"inline": "x"}},
    "cluster": {"image": "i", "workers": {"replicas": 2, "template": {"spec": {"nodeName": "n"}}}},
}


@pytest.mark.parametrize(
    "change",
    [
        {"graph": {**SPEC["graph"], "args": [2]}},
        {"graph": {**SPEC["graph"], "args": [1, {"a": [None, 1.25]}]}},
        {"graph": {**SPEC["graph"], "source": {"inline": "y"}}},
        {"cluster": {**SPEC["cluster"], "image": "j"}},
        {"cluster": {**SPEC["cluster"], "workers": {"replicas": 2}}},
        {"runner": {"resources": {"limits": {"cpu": 1}}}},
        {"priorityClassName": "high"},
    ],
    ids=str,
)
def test_what_makes_it_another_run(change: dict[str, Any]) -> None:
    assert digest(parse_spec(SPEC | change)) != digest(parse_spec(SPEC))


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"suspend": True, "cancel": True, "priority": 5, "runPolicy": "OnChange", "backoffLimit": 3},
        {"activeDeadlineSeconds": 5, "ttlSecondsAfterFinished": 5, "cleanup": {"afterFailureSeconds": 5}},
        {"runner": {}},
        {"cluster": {**SPEC["cluster"], "dashboard": True, "env": [], "scheduler": {}}},
        {"cluster": {**SPEC["cluster"], "workers": {**SPEC["cluster"]["workers"], "threads": 1, "minWorkers": 1}}},
        {"graph": {**SPEC["graph"], "kwargs": {}}},
    ],
    ids=str,
)
def test_and_what_does_not(change: dict[str, Any]) -> None:
    """What has its default counts as not given, so a new field of a later version changes no fingerprint."""
    assert digest(parse_spec(SPEC | change)) == digest(parse_spec(SPEC))
