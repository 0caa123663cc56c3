"""What a user may do with a job in Argo CD, and what that asks of the API server."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ..support.gitops import SCRIPTS, action_script, ask
from .lives import CLEAN, RERUN, RUNNING, SUSPENDED_STATUS, TASK_FAILED, UNSEEN, Document, job, on_its_way, succeeded
from .schedules import schedule

QUEUED = on_its_way("Queued", "NamespaceLimit", "place 3")
OFFERS = {
    "without-a-status": (job(), {"suspend", "cancel"}),
    "unseen": (job(UNSEEN), {"suspend", "cancel"}),
    "queued": (job(QUEUED), {"suspend", "cancel"}),
    "running": (job(RUNNING), {"suspend", "cancel"}),
    "being-cancelled": (job(RUNNING, {"cancel": True}), {"suspend"}),
    "suspended": (job(SUSPENDED_STATUS, {"suspend": True}), {"resume", "cancel"}),
    "succeeded": (job(succeeded(CLEAN)), {"rerun"}),
    "failed": (job(TASK_FAILED), {"rerun"}),
    "schedule": (schedule(), {"run-now", "suspend"}),
    "suspended-schedule": (schedule(spec={"suspend": True}), {"run-now", "resume"}),
}
#: A job of which every part looks different to Lua, which knows one kind of table and one kind of number.
MANIFOLD: Document = {
    "graph": {
        "entrypoint": "m:f",
        "args": [0, -1, 0.1, 1e300, 9007199254740991, "", "1", True, False, [], [[]], ["a"], {"a": {}, "b": []}],
        "kwargs": {"empty": {}, "none": [], "deep": [{"a": {}}]},
    },
    "cluster": {
        "image": "i",
        "scheduler": {"template": {"spec": {"volumes": [{"name": "scratch", "emptyDir": {}}]}}},
        "workers": {"replicas": 2, "resources": {"limits": {"memory": "2Gi", "cpu": 1}}},
    },
    "backoff": {},
    "failurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [3]}}]},
}


def patch_of(document: Document, action: str) -> Any:
    """The merge patch that an action sends."""
    [answer] = ask([{"object": document, "action": action_script(document["kind"], action)}])
    [change] = answer["changes"]
    assert change["operation"] == "patch"
    return change["patch"]


@pytest.mark.parametrize("name", OFFERS)
def test_offered(name: str) -> None:
    document, actions = OFFERS[name]
    [answer] = ask([{"object": document, "discovery": action_script(document["kind"], "discovery")}])
    assert set(answer["actions"]) == actions
    for shown in answer["actions"].values():
        assert not shown["disabled"]
        assert shown["iconClass"].startswith("fa ")
        assert shown["displayName"]


@pytest.mark.parametrize("kind", ["DaskJob", "DaskCronJob"])
def test_every_action_is_offered_at_some_time(kind: str) -> None:
    offered = set().union(*(actions for document, actions in OFFERS.values() if document["kind"] == kind))
    scripts = {path.stem for path in (SCRIPTS / f"{kind.lower()}-actions").glob("*.lua")}
    assert scripts == offered | {"discovery"}


@pytest.mark.parametrize(
    ("document", "action", "patch"),
    [
        pytest.param(job(RUNNING), "suspend", {"suspend": True}, id="suspend"),
        pytest.param(job(SUSPENDED_STATUS, {"suspend": True}), "resume", {"suspend": False}, id="resume"),
        pytest.param(job(RUNNING), "cancel", {"cancel": True}, id="cancel"),
        pytest.param(job(SUSPENDED_STATUS, {"suspend": True}), "cancel", {"cancel": True}, id="cancel-suspended"),
        pytest.param(schedule(), "suspend", {"suspend": True}, id="suspend-schedule"),
        pytest.param(schedule(spec={"suspend": True}), "resume", {"suspend": False}, id="resume-schedule"),
    ],
)
def test_what_is_changed(document: Document, action: str, patch: Document) -> None:
    assert patch_of(document, action) == {"spec": patch}


@pytest.mark.parametrize("annotations", [{}, {"annotations": {"team": "a", RERUN: "monday"}}], ids=["none", "some"])
@pytest.mark.parametrize(
    ("made", "action", "annotation"),
    [
        pytest.param(lambda **fields: job(TASK_FAILED, **fields), "rerun", RERUN, id="job"),
        pytest.param(schedule, "run-now", "daskjob.io/run-now", id="schedule"),
    ],
)
def test_a_run_is_asked_for_by_an_annotation(made: Any, action: str, annotation: str, annotations: Document) -> None:
    patch = patch_of(made(**annotations), action)
    text = patch["metadata"]["annotations"].pop(annotation)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)
    assert patch == {"metadata": {"annotations": {}}}


def test_a_cancelled_job_that_runs_again_is_not_cancelled_again() -> None:
    patch = patch_of(job(TASK_FAILED, {"cancel": True}), "rerun")
    assert patch["spec"] == {"cancel": False}
    assert patch["metadata"]["annotations"]


@pytest.mark.parametrize("status", [UNSEEN, RUNNING, SUSPENDED_STATUS], ids=["unseen", "running", "suspended"])
def test_nothing_else_is_changed(status: Document) -> None:
    """The whole object goes through Lua and comes back as it was."""
    fields = {"labels": {}, "annotations": {}, "finalizers": [], "ownerReferences": []}
    document = job(status, MANIFOLD, **fields)
    assert patch_of(document, "cancel") == {"spec": {"cancel": True}}


@pytest.mark.parametrize("argument", [None, {}, 2**53 + 1], ids=["null", "empty-map", "large-number"])
def test_arguments_that_lua_does_not_know(argument: Any) -> None:
    """They make the patch one of the graph too, which is refused to a job that runs once (see test_server)."""
    document = job(RUNNING, {"graph": {"entrypoint": "m:f", "args": [argument, 1]}})
    assert set(patch_of(document, "suspend")["spec"]) == {"suspend", "graph"}
