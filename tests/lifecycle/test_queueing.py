"""Which jobs hold a place or want one, and what is recorded of those that wait."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daskjob.api.constants import ConditionType, Outcome, Phase, Reason
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import CreateCluster, CreateRunner
from daskjob.lifecycle.job.between_attempts import PACE_PATIENCE
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.pacing import MINOR_INTERVAL
from daskjob.lifecycle.job.queueing import Demand, QueueEntry, RunLimits, entry_of
from daskjob.lifecycle.job.spec_check import too_many_workers

from .builders import NOW, Scene, a_job, ago, running

TURN = QueuePlace(2, Reason.NAMESPACE_LIMIT, "at most 3 jobs of the namespace run at a time")
PACE = QueuePlace(5, Reason.STARTUP_PACE, "other jobs are starting", since=NOW)
WORDS = "at {}, place {} of those that wait in namespace team: at most 3 jobs of the namespace run at a time"


def test_classes_of_namespaces() -> None:
    limits = RunLimits(classes=(frozenset({"a", "b"}), frozenset({"c"}), frozenset({"d"})))
    assert [limits.class_of(each) for each in ("a", "b", "c", "d", "of-none")] == [0, 0, 1, 2, 2]
    assert RunLimits().class_of("a") == 0


# What a job claims.


GOING = running("runner", deleting=True, deletion_deadline=ago(59))
FENCED = running("runner", deleting=True, deletion_deadline=ago(61))

CLAIMS: dict[str, tuple[Scene, Demand]] = {
    "new": (a_job(), Demand.WAITS),
    "queued": (replace(a_job(), status=a_job().sees(queue_place=TURN).decide().status), Demand.WAITS),
    "runs": (a_job().accepted(), Demand.HOLDS),
    "runs, to be suspended": (a_job().accepted().with_spec(suspend=True), Demand.HOLDS),
    "runs, to be cancelled": (a_job().accepted().with_spec(cancel=True), Demand.HOLDS),
    "between two attempts": (a_job().accepted().retrying(), Demand.HOLDS),
    "suspended from the start": (a_job().with_spec(suspend=True), Demand.NONE),
    "suspended, cluster left": (
        a_job().accepted().cluster().closed(Outcome.SUSPENDED).with_spec(suspend=True),
        Demand.HOLDS,
    ),
    "suspended": (a_job().accepted().closed(Outcome.SUSPENDED).with_spec(suspend=True).gone(), Demand.NONE),
    "between two attempts, to be suspended": (a_job().accepted().retrying().with_spec(suspend=True), Demand.HOLDS),
    "resumed": (a_job().accepted().closed(Outcome.SUSPENDED).gone(), Demand.WAITS),
    "to be cancelled": (a_job().with_spec(cancel=True), Demand.NONE),
    "ended, cluster left": (a_job().accepted().cluster().finished(), Demand.HOLDS),
    "ended, to run anew, cluster left": (a_job().accepted().cluster().finished().that_is(rerun="1"), Demand.HOLDS),
    "ended": (a_job().accepted().finished().gone(), Demand.NONE),
    "ended, to run anew": (a_job().accepted().finished().gone().that_is(rerun="1"), Demand.WAITS),
    "ended before its first attempt": (a_job().finished(ConditionType.FAILED), Demand.NONE),
    "ended, runner on a node that does not answer": (a_job().accepted().finished().runner(GOING), Demand.HOLDS),
    "ended, runner fenced": (a_job().accepted().finished().runner(FENCED), Demand.NONE),
    "being deleted, cluster left": (a_job().accepted().cluster().that_is(deleting=True), Demand.HOLDS),
    "being deleted, and only a finalizer holds it": (a_job().accepted().that_is(deleting=True), Demand.NONE),
    "being deleted, never started": (a_job().that_is(deleting=True), Demand.NONE),
    "of another controller": (a_job().that_is(unmanaged="spec.managedBy is x"), Demand.NONE),
}


@pytest.mark.parametrize(("scene", "claim"), CLAIMS.values(), ids=CLAIMS)
def test_what_a_job_claims(scene: Scene, claim: Demand) -> None:
    slot = entry_of(scene.with_spec(priority=5).observe())
    assert slot == QueueEntry("team", "sum", ago(61), 5, 1, claim)


@pytest.mark.parametrize(
    ("workers", "most"),
    [({}, 1), ({"replicas": 7}, 7), ({"replicas": 0}, 0), ({"adaptive": {"minimum": 2, "maximum": 9}}, 9)],
)
def test_an_adaptive_cluster_counts_with_its_maximum(workers: dict[str, Any], most: int) -> None:
    assert entry_of(a_job().with_workers(**workers).observe()).workers == most


# The decision.


def queued(seconds_ago: float = 60) -> Scene:
    scene = a_job().sees(queue_place=TURN)
    return replace(scene, status=scene.decide().status).sees(last_status_write=ago(seconds_ago))


def test_a_job_without_a_place_says_where_it_waits_and_why() -> None:
    decision = a_job().sees(queue_place=TURN).decide()
    status, words = decision.status, WORDS.format(to_seconds_text(NOW), 2)
    assert (status.phase, status.queue_position, status.summary) == (Phase.QUEUED, 2, "place 2")
    assert (status.attempt, status.start_time, decision.actions) == (None, None, ())
    condition = status.condition(ConditionType.QUEUED)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("True", TURN.reason, words)
    assert [(each.reason, each.message) for each in decision.events] == [("Queued", words)]
    assert decision.requeue_after is None, "it costs nothing until it is woken"


@pytest.mark.parametrize(
    ("known", "place", "written"),
    [
        *((2, 2, False), (2, 1, True), (3, 2, False), (1, 1, False)),
        *((100, 99, False), (100, 51, False), (100, 50, True), (100, 1, True)),
        *((3, 5, False), (3, 6, True)),
    ],
)
def test_a_new_place_is_written_when_it_has_halved_or_doubled(known: int, place: int, written: bool) -> None:
    """Each job that leaves moves all those behind it: 5,000 of them would be 5,000 writes."""
    scene = queued().with_status(queue_position=known, summary=f"place {known}")
    decision = scene.sees(queue_place=replace(TURN, position=place)).decide()
    assert decision.events == ()
    assert decision.status.queue_position == (place if written else known)
    assert (decision.status != scene.status) is written
    if written:
        condition = decision.status.condition(ConditionType.QUEUED)
        assert condition is not None
        assert condition.message == WORDS.format(to_seconds_text(NOW), place)
        assert decision.status.timings.accepted == queued().status.timings.accepted


def test_another_limit_is_written_and_the_pace_of_starts_is_none() -> None:
    other = replace(TURN, reason=Reason.OPERATOR_LIMIT, message="at most 9 jobs run at a time")
    condition = queued().sees(queue_place=other).decide().status.condition(ConditionType.QUEUED)
    assert condition is not None
    assert condition.reason == Reason.OPERATOR_LIMIT
    paced = queued().sees(queue_place=replace(PACE, position=2))
    assert paced.decide().status == paced.status


def test_a_new_place_is_not_written_all_the_time() -> None:
    scene = queued(seconds_ago=1).sees(queue_place=replace(TURN, position=1))
    decision = scene.decide()
    assert decision.status.queue_position == 2
    assert decision.requeue_after == MINOR_INTERVAL - timedelta(seconds=1)


def test_a_job_that_waits_for_others_to_start_is_not_yet_queued() -> None:
    decision = a_job().sees(queue_place=replace(PACE, since=ago(2))).decide()
    assert (decision.status.phase, decision.events) == (None, ())
    assert decision.status.condition(ConditionType.QUEUED) is None
    assert decision.requeue_after == PACE_PATIENCE - timedelta(seconds=2)


def test_after_some_seconds_it_is() -> None:
    since = NOW - PACE_PATIENCE
    decision = a_job().sees(queue_place=replace(PACE, since=since)).decide()
    condition = decision.status.condition(ConditionType.QUEUED)
    assert condition is not None
    assert (decision.status.phase, condition.reason) == (Phase.QUEUED, Reason.STARTUP_PACE)
    assert [each.reason for each in decision.events] == ["Queued"]


def test_deadlines_do_not_count_while_a_job_waits_for_others_to_start() -> None:
    waited = a_job().with_deadline(60).with_spec(startupDeadlineSeconds=30)
    paced = waited.that_is(created=ago(1000)).sees(queue_place=replace(PACE, since=ago(1000)))
    assert paced.decide().status.phase is Phase.QUEUED
    status = replace(paced, status=paced.decide().status).sees(queue_place=QueuePlace()).decide().status
    assert status.start_time == to_seconds_text(NOW)
    assert status.open is not None
    assert status.open.start_time == to_seconds_text(NOW)


def test_when_its_turn_comes_it_starts() -> None:
    decision = queued().sees(queue_place=QueuePlace()).decide()
    status = decision.status
    assert decision.actions == (CreateCluster(1), CreateRunner(1))
    assert (status.phase, status.queue_position, status.condition(ConditionType.QUEUED)) == (Phase.PENDING, None, None)
    assert status.start_time == to_seconds_text(NOW), "the time that it waited does not count"
    assert status.timings.accepted == "2026-03-01T12:00:00.000000Z"


def test_a_job_that_runs_asks_nobody() -> None:
    assert a_job().started().sees(queue_place=TURN).decide().status.phase is Phase.RUNNING


def test_between_two_attempts_it_keeps_its_place() -> None:
    """It holds it (see the claims), so its turn is never put in question."""
    assert a_job().accepted().retrying(due_in=0).gone().live().decide().status.attempt == 2


def test_a_job_that_cannot_be_made_does_not_queue() -> None:
    status = a_job().sees(queue_place=TURN).that_is(spec_problem="spec.runner: no").decide().status
    assert status.phase is Phase.FAILED


# Limits of workers.


@pytest.mark.parametrize(
    ("limits", "workers", "field"),
    [
        (RunLimits(workers_per_job=9), {"replicas": 10}, "replicas: 10 workers are too many"),
        (RunLimits(workers_per_job=9), {"adaptive": {"minimum": 1, "maximum": 10}}, "adaptive.maximum: 10 workers are"),
        (RunLimits(workers_per_namespace=9), {"replicas": 10}, "limits.workersPerNamespace=9"),
        (RunLimits(workers_per_namespace=99, workers_per_job=9), {"replicas": 100}, "limits.workersPerJob=9"),
        (RunLimits(workers_per_job=9, workers_per_namespace=9), {"replicas": 9}, None),
        (RunLimits(), {"replicas": 10000}, None),
    ],
)
def test_a_job_with_more_workers_than_may_be_is_refused(
    limits: RunLimits, workers: dict[str, Any], field: str | None
) -> None:
    problem = too_many_workers(a_job().with_workers(**workers).observe().job.spec, limits)
    if field is None:
        assert problem is None
    else:
        assert problem is not None
        assert problem.startswith("spec.cluster.workers.")
        assert field in problem
