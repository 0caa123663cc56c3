"""Workers in place of those that are gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daskjob.api.constants import Reason
from daskjob.lifecycle.blocker import Blocker
from daskjob.lifecycle.job.actions import ReplaceWorkers
from daskjob.lifecycle.job.lost_workers import PATIENCE, REFUSED_PATIENCE

from .builders import ATTEMPT, Scene, a_job, a_pod, ago, running

LAST_DAY = datetime.max.replace(tzinfo=UTC)
ASK = ReplaceWorkers(f"{ATTEMPT}-default")
FULL = Blocker(Reason.QUOTA_EXCEEDED, "exceeded quota")
WORKERS = running("worker", 1), running("worker", 2)
RUNS = a_job().started().group(2, created=ago(30))
GONE = {
    "deleted": RUNS.workers(WORKERS[0]),
    "being deleted": RUNS.workers(WORKERS[0], replace(WORKERS[1], deleting=True)),
    "evicted": RUNS.workers(WORKERS[0], a_pod("worker", 2, phase="Failed", reason="Evicted")),
    "all of them": RUNS.workers(),
    "one, and the operator asked long ago": RUNS.workers(WORKERS[0]).group(2, created=ago(900), asked=ago(60)),
    "one, and the annotation is of tomorrow": RUNS.workers(WORKERS[0]).group(2, created=ago(900), asked=ago(-86400)),
    "one, and the annotation is of the last day": RUNS.workers().group(2, created=ago(900), asked=LAST_DAY),
    "one before the graph began": a_job().accepted().cluster().runner().report().group(2, created=ago(30)),
}


@pytest.mark.parametrize("scene", GONE.values(), ids=GONE)
def test_others_are_asked_for(scene: Scene) -> None:
    decision = scene.schedulers(running("scheduler")).decide()
    assert ASK in decision.actions
    assert decision.requeue_after is not None
    assert decision.requeue_after <= PATIENCE


def test_after_a_refusal_of_earlier_another_is_asked_for_at_once_and_then_with_long_pauses() -> None:
    scene = RUNS.workers(WORKERS[0]).group(2, created=ago(900), asked=ago(300), refusal=FULL)
    decision = scene.schedulers(running("scheduler")).decide()
    assert ASK in decision.actions
    assert decision.requeue_after == REFUSED_PATIENCE


QUIET = {
    "all are there": (RUNS.workers(*WORKERS), None),
    "more than are wanted": (RUNS.workers(*WORKERS).group(1, created=ago(30)), None),
    "the group is new": (RUNS.workers().group(2, created=ago(7)), timedelta(seconds=3)),
    "the operator asked just now": (RUNS.workers().group(2, created=ago(99), asked=ago(4)), timedelta(seconds=6)),
    "Kubernetes refuses others": (
        RUNS.workers().group(2, created=ago(99), asked=ago(40), refusal=FULL),
        timedelta(seconds=20),
    ),
    "the group is being deleted": (RUNS.workers().group(2, created=ago(99), deleting=True), None),
}


@pytest.mark.parametrize(("scene", "again"), QUIET.values(), ids=QUIET)
def test_nobody_is_asked_for(scene: Scene, again: timedelta | None) -> None:
    decision = scene.decide()
    assert ASK not in decision.actions
    assert again is None or decision.requeue_after == again


def test_of_an_ended_attempt_no_worker_is_replaced() -> None:
    ended = RUNS.workers(WORKERS[0]).says(outcome="Succeeded", result={"type": "int", "value": "1"})
    assert ASK not in ended.live().decide().actions
