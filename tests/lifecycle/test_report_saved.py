"""What is kept of an attempt (`spec.report`): the status says where, or why not, and a deadline waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob.api.constants import ConditionType, Outcome, Reason
from daskjob.api.status import AttemptReport, Condition, DaskJobStatus, Markers
from daskjob.lifecycle.job.actions import Cancel, Delete, SetDeadline
from daskjob.lifecycle.job.decision import Decision

from .builders import Scene, a_job, ended, message, text

WHERE = "s3://bucket/team/sum/uid/1/report"
CONNECTED = {"connected": text(30), "runnerStarted": text(40)}


def keeping(scene: Scene) -> Scene:
    return scene.with_spec(report={"store": {"url": "s3://bucket"}})


def saved(decision: Decision) -> tuple[str, str, str]:
    """Condition ReportSaved in short."""
    found = decision.status.condition(ConditionType.REPORT_SAVED) or Condition()
    return found.status, found.reason, found.message


def report_of(status: DaskJobStatus) -> AttemptReport | None:
    return status.attempts[-1].report


@pytest.mark.parametrize("outcome", ["Succeeded", "Failed"])
def test_the_pass_that_records_the_end_says_where_it_is(outcome: str) -> None:
    failure = {"failure": {"reason": "TaskFailed", "message": "x"}} if outcome == "Failed" else {}
    scene = keeping(a_job().started()).says(
        outcome=outcome, saved={"location": WHERE, "message": "no bokeh"}, **failure
    )
    decision = scene.live().decide()
    assert saved(decision) == ("True", "Saved", f"it is at {WHERE}; no bokeh")
    assert report_of(decision.status) == AttemptReport(WHERE, "no bokeh")


def test_why_it_was_not_saved_changes_no_end() -> None:
    scene = keeping(a_job().started()).says(
        outcome="Succeeded", saved={"reason": "StoreForbidden", "message": "give the keys the right"}
    )
    decision = scene.decide()
    assert decision.status.is_true(ConditionType.COMPLETE)
    assert saved(decision) == ("False", "StoreForbidden", "give the keys the right")
    assert report_of(decision.status) == AttemptReport(None, "give the keys the right")


def test_a_termination_message_tells_it_as_well() -> None:
    end = message("Failed", failure={"reason": "TaskFailed", "message": "x"}, saved={"location": WHERE})
    decision = keeping(a_job().started()).runner(ended("runner", 1, message=end)).live().decide()
    assert saved(decision)[0] == "True"


def test_a_runner_that_was_killed_saved_nothing() -> None:
    decision = keeping(a_job().started()).runner(ended("runner", 137, "OOMKilled")).live().decide()
    kind, reason, words = saved(decision)
    assert (kind, reason) == ("False", "ReportLost")
    assert "nothing was saved: the runner's pod" in words
    assert "OOMKilled" in words


def test_without_spec_report_nothing_is_said_whatever_the_runner_claims() -> None:
    decision = a_job().started().says(outcome="Succeeded", saved={"location": WHERE}).decide()
    assert saved(decision)[0] == "Unknown"
    assert report_of(decision.status) is None


def test_it_is_said_once() -> None:
    first = keeping(a_job().started()).says(outcome="Succeeded", saved={"location": WHERE}).decide().status
    scene = replace(keeping(a_job().started()), status=first).says(
        outcome="Succeeded", saved={"location": "s3://other"}
    )
    assert report_of(scene.decide().status) == AttemptReport(WHERE, None)


def test_the_next_attempt_begins_without_it() -> None:
    scene = keeping(a_job().accepted().retrying(due_in=-1).gone()).with_condition(
        ConditionType.REPORT_SAVED, "True", "Saved", 5
    )
    status = scene.live().decide().status
    assert status.attempt == 2
    assert status.condition(ConditionType.REPORT_SAVED) is None
    assert report_of(status) is None


# A deadline.


def late(scene: Scene, seconds_ago: float | None = None) -> Scene:
    """Past its deadline. `seconds_ago`: since when the runner has been asked."""
    if seconds_ago is not None:
        markers = Markers(
            cancel_requested=text(seconds_ago), overdue=Reason.ATTEMPT_DEADLINE_EXCEEDED, overdue_message="too long"
        )
        scene = scene.with_status(markers=markers)
    return keeping(scene).with_spec(attemptDeadlineSeconds=10, backoffLimit=1)


def test_the_runner_is_asked_to_end_before_a_deadline_removes_the_scheduler() -> None:
    decision = late(a_job().started().says(stage="Running", timings=CONNECTED)).live().decide()
    assert decision.status.open is not None
    assert [type(each) for each in decision.actions] == [SetDeadline, Cancel]
    assert decision.status.markers is not None
    assert decision.status.markers.overdue == Reason.ATTEMPT_DEADLINE_EXCEEDED
    again = replace(late(a_job().started().says(stage="Running", timings=CONNECTED)), status=decision.status)
    later = again.report(cancel=True, stage="Running", timings=CONNECTED).live().decide()
    assert not any(isinstance(each, Cancel | Delete) for each in later.actions)
    assert later.requeue_after == timedelta(seconds=70)


def test_a_runner_that_has_no_scheduler_is_not_asked() -> None:
    decision = late(a_job().accepted().cluster().runner().report(stage="Starting")).live().decide()
    assert decision.status.attempts[-1].outcome is Outcome.FAILED


def test_that_it_stopped_as_asked_is_the_deadlines_doing() -> None:
    scene = late(a_job().started(), 5).says(
        outcome="Failed", failure={"reason": "Cancelled", "message": "as asked"}, saved={"location": WHERE}
    )
    decision = scene.live().decide()
    attempt = decision.status.attempts[-1]
    assert (attempt.outcome, attempt.reason, attempt.message) == ("Failed", "AttemptDeadlineExceeded", "too long")
    assert attempt.report == AttemptReport(WHERE, None)
    assert any(isinstance(each, Delete) for each in decision.actions)


def test_a_graph_that_was_computed_meanwhile_is_a_success() -> None:
    decision = late(a_job().started(), 5).says(outcome="Succeeded", saved={"location": WHERE}).live().decide()
    assert decision.status.is_true(ConditionType.COMPLETE)


@pytest.mark.parametrize(("seconds_ago", "ends"), [(69, False), (70, True)])
def test_a_runner_that_does_not_end_is_not_waited_for(seconds_ago: float, ends: bool) -> None:
    decision = late(a_job().started(), seconds_ago).says(stage="Running", timings=CONNECTED).live().decide()
    attempt = decision.status.attempts[-1]
    assert (attempt.reason == "AttemptDeadlineExceeded") == ends


def test_what_kills_the_runner_meanwhile_is_told() -> None:
    decision = late(a_job().started(), 5).runner(ended("runner", 137, "OOMKilled")).live().decide()
    assert decision.status.attempts[-1].reason == "RunnerOOMKilled"


def test_a_cancellation_gives_the_runner_time_to_save() -> None:
    asked = keeping(a_job().started()).with_spec(cancel=True)
    scenes = {each: asked.with_status(markers=Markers(cancel_requested=text(each))).live() for each in (69, 70)}
    assert scenes[69].decide().status.open is not None
    failure = scenes[70].decide().status.failure
    assert failure is not None
    assert "did not stop within 70 s" in (failure.message or "")
