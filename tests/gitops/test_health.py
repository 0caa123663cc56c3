"""What Argo CD's health check and kstatus make of a job, at every moment of its life."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ..support.gitops import View, gitops_view, gitops_views
from .lives import GARBAGE, LIFE, MOMENTS, RERUN, RUNNING, Document, Moment, job, on_its_way, succeeded

#: What lets a pipeline go on.
DONE = {"argo": "Healthy", "kstatus": "Current"}


@pytest.fixture(scope="module")
def views() -> dict[str, View]:
    names = [each.name for each in MOMENTS]
    assert len(set(names)) == len(names)
    return dict(zip(names, gitops_views([each.document for each in MOMENTS]), strict=True))


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_at_every_moment(views: dict[str, View], moment: Moment) -> None:
    view = views[moment.name]
    assert (view.argo, view.kstatus) == (moment.argo, moment.kstatus), view.message
    assert view.message
    for words in moment.words:
        assert words in view.message


@pytest.mark.parametrize("moment", LIFE, ids=str)
def test_both_see_the_same_end(views: dict[str, View], moment: Moment) -> None:
    """A pipeline goes on with the one when it does with the other, and stops likewise."""
    view = views[moment.name]
    assert (view.argo == "Healthy") == (view.kstatus == "Current")
    assert (view.argo == "Degraded") == (view.kstatus == "Failed")


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a document."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


def damaged(document: Document, path: tuple[Any, ...], value: Any) -> Document:
    """With another value at that place; with none for Ellipsis."""
    changed = copy.deepcopy(document)
    parent: Any = changed
    for key in path[:-1]:
        parent = parent[key]
    if value is ...:
        del parent[path[-1]]
    else:
        parent[path[-1]] = value
    return changed


@pytest.mark.parametrize("moment", [each for each in LIFE if each.name in ("running", "failed", "succeeded")], ids=str)
def test_no_field_is_taken_for_granted(moment: Moment) -> None:
    """Whatever part of the status is missing or odd, the check has an answer, and no job is Healthy by that."""
    document = copy.deepcopy(moment.document)
    document["metadata"]["annotations"] = {RERUN: "monday"}
    document["status"]["rerun"] = "monday"
    read = (("status",), ("spec",), ("metadata", "annotations"), ("metadata", "generation"))
    asked = [path for path in places(document) if path[:1] in read or path[:2] in read]
    broken = [damaged(document, path, value) for path in asked for value in (..., *GARBAGE)]
    for each, view in zip(broken, gitops_views(broken), strict=True):
        assert view.argo in {"Progressing", "Degraded", "Suspended", "Healthy"}, (view.message, each)
        assert moment.name == "succeeded" or view.argo != "Healthy", (view.message, each)


def test_a_whole_life_is_ready_at_its_end_only() -> None:
    """As a tool sees it that looks all the time: once Healthy or Failed, never before."""
    names = ("unseen", "new", "queued", "starting", "running", "retrying", "running-again", "cleaning-up", "succeeded")
    moments = {each.name: each for each in LIFE}
    seen = gitops_views([moments[name].document for name in names])
    done = [(view.argo, view.kstatus) == ("Healthy", "Current") for view in seen]
    assert done == [False] * 7 + [True] * 2
    assert not [view for view in seen if view.argo == "Degraded" or view.kstatus == "Failed"]


def test_a_later_run_is_not_taken_for_the_earlier_one() -> None:
    """OnChange: from the edit on, the success of the run before counts for nothing."""
    first = job(succeeded())
    edited = job(succeeded(), generation=2)
    begun = job({**on_its_way("Pending", run=2), "observedGeneration": 2}, generation=2)
    over = job({**succeeded(run=2), "observedGeneration": 2}, generation=2)
    views = [view[:2] for view in gitops_views([first, edited, begun, over])]
    done, not_yet = ("Healthy", "Current"), ("Progressing", "InProgress")
    assert views == [done, not_yet, not_yet, done]


def test_one_document() -> None:
    view = gitops_view(job(RUNNING))
    assert view == ("Progressing", "InProgress", "Running: 120/500 tasks, 3/4 workers")
