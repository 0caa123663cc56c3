"""Between two attempts of a run: what the next one waits for, and what it starts with."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daskjob.api.constants import Phase, Reason
from daskjob.api.status import Attempt, Retries
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import Cancel, CreateCluster, CreateRunner, Delete
from daskjob.lifecycle.job.between_attempts import REMOVAL_CHECK
from daskjob.lifecycle.job.observation import Owned

from .builders import ATTEMPT, NOW, Scene, a_job, a_pod, ago, ended, running


def test_nothing_starts_before_its_time() -> None:
    decision = a_job().accepted().retrying(due_in=7).gone().decide()
    assert decision.requeue_after == timedelta(seconds=7)
    assert (decision.actions, decision.needs_live_read, decision.status.open) == ((), False, None)
    assert decision.status.phase is Phase.RETRYING


def test_then_the_next_attempt_starts_on_a_cluster_of_its_own() -> None:
    scene = a_job().started().retrying(due_in=0).gone()
    assert scene.decide().needs_live_read, "that nothing is left is believed only after asking"
    decision = scene.live().decide()
    status = decision.status
    assert decision.actions == (CreateCluster(2), CreateRunner(2))
    assert [(each.number, each.name) for each in status.attempts] == [(1, ATTEMPT), (2, "sum-3f2a9-2")]
    assert status.open == status.attempts[-1]
    assert (status.attempt, status.run, status.phase) == (2, 1, Phase.PENDING)
    assert status.start_time == to_seconds_text(ago(60)), "the deadline of the whole job counts from its first attempt"
    assert status.current is not None
    assert status.current.start_time == to_seconds_text(NOW)
    assert (status.next_attempt_time, status.progress, status.summary) == (None, None, None)
    assert (status.timings.graph_started, status.timings.connected) == (None, None)
    assert status.retries == Retries(infrastructure=1)
    assert [each.reason for each in decision.events] == ["Started"]


LEFT = {
    "cluster": a_job().cluster(),
    "cluster that is deleted": a_job().cluster(deleting=True),
    "worker group": a_job().group(2),
    "scheduler": a_job().schedulers(running("scheduler")),
    "worker": a_job().workers(running("worker")),
    "runner": a_job().runner(),
    "runner that is deleted": a_job().runner(running("runner", deleting=True, deletion_deadline=ago(59))),
    "an earlier pod": a_job().sees(stale_objects=(Owned("Pod", "p", "u", 0, True, ago(59)),)),
    "an earlier cluster": a_job().sees(stale_objects=(Owned("DaskCluster", "c", "u", 0),)),
}


@pytest.mark.parametrize("left", LEFT.values(), ids=LEFT)
def test_nothing_starts_while_something_is_left(left: Scene) -> None:
    decision = a_job().accepted().retrying(due_in=-600).gone().sees(**left.seen).live().decide()
    assert decision.status.open is None
    assert not any(isinstance(each, CreateCluster | CreateRunner) for each in decision.actions)
    assert decision.requeue_after is not None
    assert decision.requeue_after <= REMOVAL_CHECK


def test_an_ended_runner_is_left_for_its_log() -> None:
    decision = a_job().accepted().retrying(due_in=0).gone().runner(ended("runner", 1)).live().decide()
    assert decision.status.attempt == 2
    assert not any(isinstance(each, Delete) for each in decision.actions)


@pytest.mark.parametrize(("seconds_ago", "starts"), [(59, False), (60, True)])
def test_a_node_that_does_not_answer_is_not_waited_for_for_ever(seconds_ago: float, starts: bool) -> None:
    """Its pods are to be gone, and nobody is there to say that they are: they count as fenced after a minute."""
    stuck = {"deleting": True, "deletion_deadline": ago(seconds_ago)}
    scene = a_job().accepted().retrying(due_in=0).gone().runner(running("runner", **stuck))
    scene = scene.schedulers(running("scheduler", **stuck)).workers(running("worker", **stuck))
    scene = scene.sees(stale_objects=(Owned("Pod", "p", "u", 0, True, ago(seconds_ago)),)).live()
    decision = scene.decide()
    assert (decision.status.attempt == 2) == starts
    if not starts:
        assert decision.requeue_after == timedelta(seconds=1)


@pytest.mark.parametrize(("seconds_ago", "expected"), [(29, [Cancel]), (30, [Delete])])
def test_a_runner_that_goes_on_is_told_to_stop_then_made_to(seconds_ago: float, expected: list[type]) -> None:
    scene = a_job().started().retrying(due_in=0).closed(seconds_ago=seconds_ago).sees(cluster=None).live()
    assert [type(each) for each in scene.decide().actions] == expected


def test_without_a_pause_of_its_own_a_job_waits_for_the_floor() -> None:
    """As one that asks for no pause and ignores what always fails: it would make attempts as fast as it can."""
    spec = {"infrastructureRetries": 1, "backoff": {"initialSeconds": 0, "maximumSeconds": 0}}
    scene = a_job().with_spec(**spec).started().gone()
    decision = scene.report().sees(cluster=None).live().decide()
    assert [each.reason for each in decision.events] == ["Retrying"]
    assert decision.requeue_after == timedelta(seconds=1)
    assert decision.status.next_attempt_time == to_seconds_text(NOW + timedelta(seconds=1))
    after = a_job().with_spec(**spec).accepted().retrying(due_in=0).gone().live().decide()
    assert [each.reason for each in after.events] == ["Started"]


def test_ten_attempts_are_remembered_and_no_number_comes_again() -> None:
    attempts = tuple(Attempt(number, f"sum-3f2a9-{number}", completion_time="x") for number in range(3, 13))
    scene = a_job().accepted().retrying(0).gone().with_status(attempt=12, attempts=attempts).live()
    status = scene.decide().status
    assert [each.number for each in status.attempts] == list(range(4, 14))
    assert status.attempt == 13


def test_a_job_whose_time_is_up_in_the_pause_has_no_other_attempt() -> None:
    scene = a_job().with_deadline(62).accepted(60).retrying(due_in=30).gone()
    assert scene.decide().requeue_after == timedelta(seconds=2)
    status = scene.with_deadline(60).decide().status
    assert status.failure is not None
    assert status.failure.reason == Reason.DEADLINE_EXCEEDED
    assert status.attempts == scene.status.attempts
    assert (status.next_attempt_time, status.phase) == (None, Phase.FAILED)


def test_what_cannot_be_made_any_more_ends_the_job() -> None:
    """The operator's settings may have changed since the first attempt."""
    status = a_job().accepted().retrying(due_in=30).that_is(spec_problem="spec.runner: no").decide().status
    assert status.failure is not None
    assert status.failure.reason == Reason.INVALID_SPEC


def test_a_pod_of_the_attempt_before_is_not_that_of_the_next() -> None:
    old = a_pod("runner", attempt=1, phase="Failed")
    decision = a_job().accepted().retrying(due_in=0).gone().runner(old).live().decide()
    assert CreateRunner(2) in decision.actions
