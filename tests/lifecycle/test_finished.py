"""After the end: the cluster is kept for a look at it or not, and the job itself goes when its time is up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType
from daskjob.api.status import Failure
from daskjob.lifecycle.job.actions import DeleteJob
from daskjob.lifecycle.job.decision import Decision
from daskjob.lifecycle.job.teardown import LINGERING

from .builders import Scene, a_job, ago, ended, running


def ends(outcome: str = "Succeeded", reason: str = "TaskFailed", **spec: Any) -> Scene:
    """The report tells of the end just now."""
    more = {"failure": {"reason": reason, "message": "boom"}} if outcome == "Failed" else {}
    return a_job().with_spec(**spec).started().says(outcome=outcome, **more).live()


def deletes(decision: Decision) -> list[str]:
    return [each.target.kind for each in decision.actions if hasattr(each, "target")]


def cluster_ready(scene: Scene) -> tuple[str, str]:
    condition = scene.decide().status.condition(ConditionType.CLUSTER_READY)
    assert condition is not None
    assert condition.status == "False"
    return condition.reason, condition.message


BOTH = {"afterSuccessSeconds": 100, "afterFailureSeconds": 200}


@pytest.mark.parametrize(
    ("scene", "seconds"),
    [
        (ends("Succeeded"), 0),
        (ends("Failed"), 0),
        (ends("Succeeded", cleanup=BOTH), 100),
        (ends("Failed", cleanup=BOTH), 200),
        (ends("Succeeded", cleanup={"afterFailureSeconds": 200}), 0),
        (ends("Failed", cleanup={"afterSuccessSeconds": 100}), 0),
        (ends("Failed", "Cancelled", cleanup=BOTH, cancel=True), 0),
        (ends("Failed", cleanup=BOTH, backoffLimit=1), 0),
    ],
    ids=[
        *("success", "failure", "success, kept", "failure, kept", "success, only failures kept"),
        *("failure, only successes kept", "cancelled", "a failure that is not the end"),
    ],
)
def test_how_long_the_cluster_is_kept(scene: Scene, seconds: int) -> None:
    decision = scene.decide()
    assert deletes(decision) == ([] if seconds else ["DaskCluster"])
    reason, message = cluster_ready(scene)
    if seconds:
        assert decision.requeue_after == timedelta(seconds=seconds)
        until = {100: "2026-03-01T12:01:40Z", 200: "2026-03-01T12:03:20Z"}[seconds]
        assert (reason, message) == ("Kept", f"the cluster is kept until {until} (spec.cleanup)")
        assert decision.status.cluster is not None
        assert decision.status.cluster.dashboard is not None, "it is what it is kept for"
    else:
        assert reason in ("CleaningUp", "BackingOff")
        assert decision.status.cluster is not None
        assert decision.status.cluster.dashboard is None


def kept(seconds_ago: float, seconds: int = 60) -> Scene:
    """It failed so many seconds ago, its cluster to be kept for so many."""
    scene = a_job().with_spec(cleanup={"afterFailureSeconds": seconds}).started().runner(ended("runner", 1))
    scene = scene.finished(ConditionType.FAILED, seconds_ago).with_status(failure=Failure("TaskFailed"))
    return scene.with_condition(ConditionType.CLUSTER_READY, "False", "Kept", seconds_ago).live()


@pytest.mark.parametrize(("seconds_ago", "goes"), [(59, False), (60, True), (6000, True)])
def test_then_it_goes(seconds_ago: float, goes: bool) -> None:
    decision = kept(seconds_ago).decide()
    assert deletes(decision) == (["DaskCluster"] if goes else [])
    assert decision.requeue_after == (LINGERING if goes else timedelta(seconds=1))
    assert cluster_ready(kept(seconds_ago))[0] == ("CleaningUp" if goes else "Kept")
    assert not decision.status.is_true(ConditionType.CLEANED_UP)


def test_it_goes_sooner_if_the_time_is_made_shorter() -> None:
    assert deletes(kept(30, seconds=20).decide()) == ["DaskCluster"]


def test_one_that_somebody_removed_is_not_waited_for() -> None:
    scene = kept(30).gone().runner(ended("runner", 1))
    status = scene.decide().status
    assert status.is_true(ConditionType.CLEANED_UP)
    assert cluster_ready(scene)[0] == "CleaningUp"
    assert cluster_ready(kept(30).cluster(deleting=True))[0] == "CleaningUp"


def test_one_whose_time_is_up_when_its_attempt_fails_says_that_its_cluster_is_kept() -> None:
    """Another attempt would have followed."""
    scene = ends("Failed", cleanup=BOTH, backoffLimit=1, activeDeadlineSeconds=60)
    assert scene.decide().status.summary == "DeadlineExceeded"
    assert deletes(scene.decide()) == []
    assert cluster_ready(scene)[0] == "Kept"


def test_what_lingers_is_looked_for_but_not_all_the_time() -> None:
    """A watch that was broken does not tell of an end that it missed."""
    scene = a_job().started().finished(seconds_ago=30).runner(running("runner", deleting=True))
    assert scene.decide().needs_live_read
    assert not scene.live().decide().needs_live_read
    assert not scene.sees(last_live_read=ago(9)).decide().needs_live_read
    # Asked 15 s after the end: the next question is as long after that.
    assert not scene.sees(last_live_read=ago(14.9)).decide().needs_live_read
    assert scene.sees(last_live_read=ago(15)).decide().needs_live_read
    long_gone = a_job().started().finished(seconds_ago=9000).runner(running("runner", deleting=True))
    assert not long_gone.sees(last_live_read=ago(299)).decide().needs_live_read
    assert long_gone.sees(last_live_read=ago(300)).decide().needs_live_read
    assert not scene.gone().decide().needs_live_read
    assert not kept(30).sees(live=False).decide().needs_live_read, "it is there to stay"
    assert kept(60).sees(live=False).decide().needs_live_read


def test_what_is_shown_by_watches_that_missed_nothing_is_believed_for_longer() -> None:
    scene = a_job().started().finished(seconds_ago=30).runner(running("runner", deleting=True))
    followed = scene.sees(followed_since=ago(31)).decide()
    assert not followed.needs_live_read
    assert followed.requeue_after == timedelta(seconds=30), "a watch may break until then"
    assert scene.sees(followed_since=ago(29)).decide().needs_live_read, "it began anew after the end"
    longer = a_job().started().finished(seconds_ago=60).runner(running("runner", deleting=True))
    assert longer.sees(followed_since=ago(99)).decide().needs_live_read
    assert not longer.sees(followed_since=ago(99), last_live_read=ago(59)).decide().needs_live_read


def test_a_runner_is_not_kept() -> None:
    """It is done, and its log stays."""
    decision = kept(30).runner(running("runner")).says(outcome="Failed").decide()
    assert deletes(decision) == ["Pod"]


# Its time.


def over(seconds_ago: float, ttl: int | None, **changes: Any) -> Scene:
    scene = a_job().with_spec(ttlSecondsAfterFinished=ttl).started().finished(seconds_ago=seconds_ago)
    scene = scene.with_condition(ConditionType.CLEANED_UP, "True", "CleanedUp", seconds_ago)
    return scene.gone().sees(**changes).live()


@pytest.mark.parametrize(
    ("seconds_ago", "ttl", "goes", "requeue_after"),
    [(1000, None, False, None), (59, 60, False, 1), (60, 60, True, None), (0, 0, True, None), (600, 60, True, None)],
)
def test_a_job_goes_when_its_time_is_up(
    seconds_ago: float, ttl: int | None, goes: bool, requeue_after: float | None
) -> None:
    decision = over(seconds_ago, ttl).decide()
    assert (DeleteJob() in decision.actions) == goes
    assert decision.requeue_after == (timedelta(seconds=requeue_after) if requeue_after else None)


def test_not_before_all_that_it_made_is_gone() -> None:
    for left in (a_job().cluster(), a_job().workers(running("worker")), a_job().runner()):
        decision = over(600, 0, **left.seen).decide()
        assert DeleteJob() not in decision.actions
        assert decision.requeue_after == LINGERING


def test_nor_while_its_cluster_is_kept() -> None:
    decision = kept(30).with_spec(ttlSecondsAfterFinished=0).decide()
    assert DeleteJob() not in decision.actions
    assert decision.requeue_after == timedelta(seconds=30)


def test_a_runner_that_has_ended_goes_with_it() -> None:
    assert over(60, 60).runner(ended("runner")).decide().actions == (DeleteJob(),)


def test_a_job_that_is_on_its_way_has_no_such_time() -> None:
    for scene in (a_job(), a_job().started(), a_job().accepted().retrying().gone(), a_job().with_spec(suspend=True)):
        assert DeleteJob() not in scene.with_spec(ttlSecondsAfterFinished=0).live().decide().actions


def test_it_can_be_given_more_time_or_less() -> None:
    assert DeleteJob() in over(60, 0).decide().actions
    assert DeleteJob() not in over(60, 0).with_spec(ttlSecondsAfterFinished=None).decide().actions


def test_a_job_of_another_controller_is_left_alone_wholly() -> None:
    scene = over(600, 0).that_is(unmanaged="spec.managedBy is example.org/other")
    decision = scene.decide()
    assert (decision.actions, decision.status, decision.requeue_after) == ((), scene.status, None)
    fresh = a_job().that_is(unmanaged="phase 'Dreaming' is not known to this version")
    assert fresh.decide().status == fresh.status


def test_an_end_is_told_once() -> None:
    scene = over(60, None)
    first = scene.decide()
    assert replace(scene, status=first.status).decide().status == first.status
    assert first.events == ()


def test_a_job_of_which_another_run_is_asked_for_is_not_deleted() -> None:
    """Nothing is left, and its time is up in the very pass that records its end."""
    lost = ended("runner", 1)
    scene = a_job().with_spec(ttlSecondsAfterFinished=0).accepted().runner(lost).live()
    scene = scene.with_status(spec_digest="one", rerun=None)
    assert DeleteJob() in scene.decide().actions
    asked = scene.that_is(rerun="again").decide()
    assert asked.status.finished
    assert (asked.actions, asked.requeue_after) == ((), timedelta(0))
    again = replace(scene.that_is(rerun="again"), status=asked.status).decide()
    assert (again.status.run, again.status.rerun) == (2, "again")
