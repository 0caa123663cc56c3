"""Which jobs may run when there are limits, in which order, and what the others are told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daskjob.api.constants import ConditionType, Outcome, Phase, Reason
from daskjob.api.times import to_seconds_text
from daskjob.lifecycle.job.actions import CreateCluster, CreateRunner
from daskjob.lifecycle.job.between_attempts import QUEUE_CHECK
from daskjob.lifecycle.job.observation import QueuePlace
from daskjob.lifecycle.job.pacing import MINOR_INTERVAL
from daskjob.lifecycle.job.queueing import Demand, QueueEntry, RunLimits, entry_of, places, startable

from .builders import NOW, Scene, a_job, ago

TURN = QueuePlace(
    2, Reason.NAMESPACE_LIMIT, "place 2 of those that wait in namespace team: 3 of its jobs run, and 3 may"
)


def slots(*rows: str) -> dict[str, QueueEntry]:
    """Rows such as `a/one runs`, `a/two waits`, `b/one waits 5`: the number is the priority. In order of creation."""
    found = {}
    for age, row in enumerate(rows):
        title, claim, *priority = row.split()
        namespace, name = title.split("/")
        claims = {"runs": Demand.HOLDS, "waits": Demand.WAITS, "rests": Demand.NONE}
        created = ago(1000 - age)
        found[title] = QueueEntry(namespace, name, created, int(priority[0]) if priority else 0, claims[claim])
    return found


def positions(limits: RunLimits, *rows: str) -> dict[str, int]:
    return {key: turn.position for key, turn in places(slots(*rows), limits).items()}


def test_without_a_limit_all_may_start() -> None:
    assert not RunLimits()
    assert RunLimits(1)
    assert RunLimits(0, 1)
    assert positions(RunLimits(), "a/one runs", "a/two waits", "b/one waits") == {"a/two": 0, "b/one": 0}


def test_first_come_first_served() -> None:
    rows = ["a/one runs", "a/two waits", "b/one waits", "a/three waits"]
    assert positions(RunLimits(1), *rows) == {"a/two": 1, "b/one": 2, "a/three": 3}
    assert positions(RunLimits(2), *rows) == {"a/two": 0, "b/one": 1, "a/three": 2}
    assert positions(RunLimits(3), *rows) == {"a/two": 0, "b/one": 0, "a/three": 1}


def test_of_equal_age_by_name() -> None:
    found = {key: replace(slot, created=NOW) for key, slot in slots("b/a waits", "a/b waits", "a/a waits").items()}
    assert {key: turn.position for key, turn in places(found, RunLimits(1)).items()} == {"a/a": 0, "a/b": 1, "b/a": 2}


def test_higher_priority_goes_first_and_nobody_is_stopped() -> None:
    rows = ["a/one runs -5", "a/two waits", "a/three waits 5", "a/four waits -1", "a/five waits 5"]
    expected = {"a/three": 1, "a/five": 2, "a/two": 3, "a/four": 4}
    assert positions(RunLimits(1), *rows) == expected


def test_those_that_ended_or_rest_take_no_room() -> None:
    assert positions(RunLimits(1), "a/one rests", "a/two waits") == {"a/two": 0}


def test_a_full_namespace_holds_nobody_else_back() -> None:
    rows = ["a/one runs", "a/two waits 9", "b/one waits", "a/three waits", "b/two waits"]
    assert positions(RunLimits(0, 1), *rows) == {"a/two": 1, "a/three": 2, "b/one": 0, "b/two": 1}
    assert positions(RunLimits(2, 1), *rows) == {"a/two": 1, "a/three": 2, "b/one": 0, "b/two": 1}


def test_a_limit_that_was_lowered_stops_nobody_and_lets_nobody_in() -> None:
    assert positions(RunLimits(1), "a/one runs", "a/two runs", "a/three waits") == {"a/three": 1}


def test_what_they_are_told() -> None:
    rows = ["a/one runs", "b/one runs", "a/two waits", "c/one waits"]
    found = places(slots(*rows), RunLimits(2, 1))
    assert found["a/two"] == QueuePlace(
        1, Reason.NAMESPACE_LIMIT, "place 1 of those that wait in namespace a: 1 of its jobs run, and 1 may"
    )
    assert found["c/one"] == QueuePlace(1, Reason.OPERATOR_LIMIT, "place 1 of those that wait: 2 jobs run, and 2 may")


def test_who_may_start() -> None:
    assert list(startable(places(slots("a/one waits", "a/two waits", "b/one waits"), RunLimits(0, 1)))) == [
        "a/one",
        "b/one",
    ]


# What a job claims.


CLAIMS: dict[str, tuple[Scene, Demand]] = {
    "new": (a_job(), Demand.WAITS),
    "queued": (replace(a_job(), status=a_job().sees(queue_place=TURN).decide().status), Demand.WAITS),
    "runs": (a_job().accepted(), Demand.HOLDS),
    "runs, to be suspended": (a_job().accepted().with_spec(suspend=True), Demand.HOLDS),
    "runs, to be cancelled": (a_job().accepted().with_spec(cancel=True), Demand.HOLDS),
    "between two attempts": (a_job().accepted().retrying(), Demand.HOLDS),
    "suspended from the start": (a_job().with_spec(suspend=True), Demand.NONE),
    "suspended": (a_job().accepted().closed(Outcome.SUSPENDED).with_spec(suspend=True), Demand.NONE),
    "between two attempts, to be suspended": (a_job().accepted().retrying().with_spec(suspend=True), Demand.HOLDS),
    "resumed": (a_job().accepted().closed(Outcome.SUSPENDED), Demand.WAITS),
    "to be cancelled": (a_job().with_spec(cancel=True), Demand.NONE),
    "ended": (a_job().accepted().finished(), Demand.NONE),
    "ended, to run anew": (a_job().accepted().finished().that_is(rerun="1"), Demand.WAITS),
    "being deleted": (a_job().accepted().that_is(deleting=True), Demand.NONE),
    "of another controller": (a_job().that_is(unmanaged="spec.managedBy is x"), Demand.NONE),
}


@pytest.mark.parametrize(("scene", "claim"), CLAIMS.values(), ids=CLAIMS)
def test_what_a_job_claims(scene: Scene, claim: Demand) -> None:
    slot = entry_of(scene.with_spec(priority=5).observe().job)
    assert slot == QueueEntry("team", "sum", ago(61), 5, claim)


# The decision.


def queued(seconds_ago: float = 60) -> Scene:
    scene = a_job().sees(queue_place=TURN)
    return replace(scene, status=scene.decide().status).sees(last_status_write=ago(seconds_ago))


def test_a_job_without_a_place_says_where_it_waits_and_why() -> None:
    decision = a_job().sees(queue_place=TURN).decide()
    status = decision.status
    assert (status.phase, status.queue_position, status.summary) == (Phase.QUEUED, 2, "place 2")
    assert (status.attempt, status.start_time, decision.actions) == (None, None, ())
    condition = status.condition(ConditionType.QUEUED)
    assert condition is not None
    assert (condition.status, condition.reason, condition.message) == ("True", TURN.reason, TURN.message)
    assert [(each.reason, each.message) for each in decision.events] == [("Queued", TURN.message)]
    assert decision.requeue_after == QUEUE_CHECK


def test_it_says_so_once_and_tells_of_a_new_place() -> None:
    same = queued().decide()
    assert (same.status, same.events) == (queued().status, ())
    moved = queued().sees(queue_place=replace(TURN, position=1, message="place 1")).decide()
    assert (moved.status.queue_position, moved.status.summary, moved.events) == (1, "place 1", ())
    assert moved.status.timings.accepted == queued().status.timings.accepted


def test_a_new_place_is_not_told_all_the_time() -> None:
    scene = queued(seconds_ago=1).sees(queue_place=replace(TURN, position=1, message="place 1"))
    decision = scene.decide()
    assert decision.status.queue_position == 2
    assert decision.requeue_after == MINOR_INTERVAL - timedelta(seconds=1)


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
