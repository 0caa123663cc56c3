"""What holds of a job whose results go with it (`result.retention: DeleteWithJob`), from its first attempt on."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from daskjob.api import constants as c
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import DaskJobStatus
from daskjob.api.times import from_text
from daskjob.kube.client import Body
from daskjob.lifecycle.job.retention import LIMIT, MOST_PODS

REMOVER = "remove"


def goes_with_job(spec: DaskJobSpec) -> bool:
    return spec.result.retention is c.Retention.DELETE_WITH_JOB


def is_held(job: Body) -> bool:
    return c.RESULTS_FINALIZER in (job["metadata"].get("finalizers") or ())


def check_record(job: Body, old: DaskJobStatus, new: DaskJobStatus) -> None:
    """Of a job that is being deleted, only the next pod that deletes its results is recorded."""
    assert is_held(job), "a job written to that is being deleted"
    assert replace(new, removal=old.removal) == old, "more than the removal recorded of a job that is being deleted"
    assert new.removal is not None
    before = old.removal.number if old.removal is not None else 0
    assert before < new.removal.number <= MOST_PODS


def check_creation(pod: Body, job: Body, status: DaskJobStatus) -> None:
    assert "deletionTimestamp" in job["metadata"], "results deleted of a job that stays"
    assert is_held(job), "a pod made for a job that may be gone at any moment"
    assert status.removal is not None
    assert pod["metadata"]["name"] == status.removal.name, "a pod made that is not the recorded one"


def check_finalizers(
    job: Body, patch: Body, specs: list[DaskJobSpec], refused: bool, removed: set[str], now: datetime
) -> None:
    """`specs`: the job's as it is, and as who acts knows it; `refused`: whether who acts was refused a part of it for
    good; `removed`: the UIDs of jobs whose results are deleted."""
    assert patch.keys() == {"metadata"}, "more than a job's finalizers patched"
    before, after = job["metadata"].get("finalizers") or [], patch["metadata"]["finalizers"]
    others = [each for each in before if each != c.RESULTS_FINALIZER]
    assert [each for each in after if each != c.RESULTS_FINALIZER] == others, "somebody else's finalizer changed"
    if c.RESULTS_FINALIZER in after:
        assert any(map(goes_with_job, specs)), "a job held that does not ask for it"
        return
    deleted = from_text(job["metadata"].get("deletionTimestamp"))
    if all(map(goes_with_job, specs)):
        assert deleted is not None, "a job that asks to be held let go"
        removal = (job.get("status") or {}).get("removal") or {}
        tried = removal.get("number", 0) >= MOST_PODS
        gone = job["metadata"]["uid"] in removed
        assert gone or tried or refused or now >= deleted + LIMIT, "a job let go with its results"
