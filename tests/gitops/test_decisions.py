"""What GitOps tools make of the statuses that the operator decides on, case by case."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api.constants import ConditionType, Reason
from daskjob.api.resource_json import to_dict
from daskjob.lifecycle.job.observation import QueuePlace

from ..lifecycle.builders import Scene, a_job, running, waiting
from ..support.gitops import View, gitops_views
from .lives import Document, job

ON_ITS_WAY, DONE, FAILED = ("Progressing", "InProgress"), ("Healthy", "Current"), ("Degraded", "Failed")
HELD = ("Suspended", "InProgress")

SUCCESS: dict[str, Any] = {"outcome": "Succeeded", "result": {"type": "int", "value": "7", "size": 1}}
FAILURE: dict[str, Any] = {"outcome": "Failed", "failure": {"reason": "TaskFailed", "message": "ValueError: no"}}
CANCELLED: dict[str, Any] = {"outcome": "Failed", "failure": {"reason": "Cancelled", "message": "told to stop"}}
QUEUED = QueuePlace(2, Reason.NAMESPACE_LIMIT, "place 2 of those that wait")
SUCCEEDED, BROKEN = (a_job().accepted().finished(kind) for kind in (ConditionType.COMPLETE, ConditionType.FAILED))


def edited(scene: Scene) -> Scene:
    changed = scene.with_spec(runPolicy="OnChange").with_status(spec_digest="before")
    return changed.that_is(digest="after", generation=2)


CASES: dict[str, tuple[Scene, tuple[str, str]]] = {
    "new": (a_job(), ON_ITS_WAY),
    "queued": (a_job().sees(queue_place=QUEUED), ON_ITS_WAY),
    "suspended-from-the-start": (a_job().with_spec(suspend=True), HELD),
    "cancelled-from-the-start": (a_job().with_spec(cancel=True), FAILED),
    "refused": (a_job().that_is(spec_problem="cluster.image: give one"), FAILED),
    "without-an-image": (
        a_job().accepted(10).cluster().runner(waiting("runner", "ImagePullBackOff", "no such image")),
        ON_ITS_WAY,
    ),
    "starting": (a_job().accepted(3).cluster().schedulers(running("scheduler")).runner(), ON_ITS_WAY),
    "running": (a_job().started(), ON_ITS_WAY),
    "succeeded": (a_job().started().says(**SUCCESS), DONE),
    "failed": (a_job().started().says(**FAILURE), FAILED),
    "failed-and-to-be-tried-again": (a_job().with_spec(backoffLimit=1).started().says(**FAILURE), ON_ITS_WAY),
    "past-its-deadline": (a_job().with_deadline(30).started(), FAILED),
    "being-cancelled": (a_job().with_spec(cancel=True).started(), ON_ITS_WAY),
    "cancelled": (a_job().with_spec(cancel=True).started().says(**CANCELLED), FAILED),
    "suspended-while-running": (a_job().with_spec(suspend=True).started(), HELD),
    "edited-while-running": (edited(a_job().started()), ON_ITS_WAY),
    "cleaning-up-after-success": (SUCCEEDED.cluster(), DONE),
    "cleaning-up-after-failure": (BROKEN.cluster(), FAILED),
    "gone-after-success": (SUCCEEDED, DONE),
    "gone-after-failure": (BROKEN, FAILED),
    "suspended-after-success": (SUCCEEDED.with_spec(suspend=True).that_is(generation=2), DONE),
    "edited-after-success": (edited(SUCCEEDED), ON_ITS_WAY),
    "edited-after-failure": (edited(BROKEN), ON_ITS_WAY),
    "edited-and-queued": (edited(SUCCEEDED).sees(queue_place=QUEUED), ON_ITS_WAY),
    "edited-and-suspended": (edited(SUCCEEDED.with_spec(suspend=True)), HELD),
    "asked-to-run-again": (SUCCEEDED.that_is(rerun="monday"), ON_ITS_WAY),
    "asked-to-run-again-after-failure": (BROKEN.that_is(rerun="monday"), ON_ITS_WAY),
}


def written(scene: Scene) -> Document:
    """The document once the operator has written what it decides."""
    decision = scene.decide()
    if decision.needs_live_read:
        decision = scene.live().decide()
    assert not decision.needs_live_read
    return job(to_dict(decision.status), generation=scene.observe().job.generation)


@pytest.fixture(scope="module")
def views() -> dict[str, View]:
    return dict(zip(CASES, gitops_views([written(scene) for scene, _ in CASES.values()]), strict=True))


@pytest.mark.parametrize("case", CASES)
def test_case(views: dict[str, View], case: str) -> None:
    view = views[case]
    assert (view.argo, view.kstatus) == CASES[case][1], view.message
