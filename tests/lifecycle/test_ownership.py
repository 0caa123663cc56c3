"""Which jobs are left alone, whose spec is checked, and which objects are stale."""

from __future__ import annotations

import pytest

from daskjob.api.constants import ConditionType
from daskjob.api.spec import DaskJobSpec
from daskjob.lifecycle.job.ownership import KEPT_RUNNERS, is_stale, why_unmanaged
from daskjob.lifecycle.job.spec_check import missing_image, needs_check
from daskjob.lifecycle.pods import Pod

from .builders import Scene, a_job, a_pod, ended, running

CURRENT = 9
OBJECTS = {
    "a cluster": ("DaskCluster", 8, None, True, True),
    "a report": ("DaskJobReport", 8, None, True, True),
    "a pod that runs": ("Pod", 8, running("runner"), True, True),
    "the runner before": ("Pod", 8, ended("runner"), True, False),
    "the oldest runner that is kept": ("Pod", CURRENT - KEPT_RUNNERS + 1, ended("runner"), True, False),
    "an older runner": ("Pod", CURRENT - KEPT_RUNNERS, ended("runner"), True, True),
    "an evicted worker": ("Pod", 8, a_pod("worker", phase="Failed"), True, True),
    "a group goes with its cluster": ("DaskWorkerGroup", 8, None, True, False),
    "a group without an owner": ("DaskWorkerGroup", 8, None, False, True),
    "a service goes with its cluster": ("Service", 8, None, True, False),
}


@pytest.mark.parametrize(("kind", "attempt", "pod", "adopted", "stale"), OBJECTS.values(), ids=OBJECTS)
def test_what_is_stale(kind: str, attempt: int, pod: Pod | None, adopted: bool, stale: bool) -> None:
    assert is_stale(kind, attempt, CURRENT, pod, adopted) == stale


def test_who_is_left_alone() -> None:
    assert why_unmanaged(DaskJobSpec(), "Running") is None
    assert why_unmanaged(DaskJobSpec(), None) is None
    assert why_unmanaged(DaskJobSpec(managed_by="a.b/c"), "Running") == "spec.managedBy is a.b/c"
    assert why_unmanaged(DaskJobSpec(), "Dreaming") == "phase 'Dreaming' is not known to this version"


CHECKED = {
    "new": (a_job(), True),
    "an attempt runs": (a_job().started(), False),
    "between attempts": (a_job().accepted().retrying(), True),
    "ended": (a_job().accepted().finished(), False),
    "ended, and to run anew": (a_job().accepted().finished(ConditionType.FAILED).that_is(rerun="1"), True),
}


@pytest.mark.parametrize(("scene", "checked"), CHECKED.values(), ids=CHECKED)
def test_whose_spec_is_checked(scene: Scene, checked: bool) -> None:
    assert needs_check(scene.observe().job) == checked


def test_an_image_comes_from_the_job_or_from_the_installation() -> None:
    bare = a_job().with_spec(cluster={}).observe().job
    assert missing_image(bare.spec, "localhost/dask") is None
    assert (missing_image(bare.spec, None) or "").startswith("spec.cluster.image: is missing")
    assert missing_image(a_job().observe().job.spec, None) is None
