"""Objects whose job is gone. Kubernetes' garbage collector removes most; after `kubectl delete --cascade=orphan` the
operator removes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from daskjob.api import constants as c
from daskjob.api.attempt_names import attempt_in, group_key, runner_name, scheduler_name
from daskjob.api.times import from_text
from daskjob.lifecycle.job.actions import Delete
from daskjob.lifecycle.job.observation import Owned
from daskjob.lifecycle.job.proof import controller_of, token_of
from daskjob.lifecycle.job.teardown import is_fenced
from daskjob.lifecycle.pods import read_attempt, read_pod

#: How old an object must be: the garbage collector comes first, and the cache of jobs may be behind that of objects.
PATIENCE = timedelta(minutes=2)
DELETED = frozenset({"DaskCluster", "DaskWorkerGroup", "Pod", "DaskJobReport"})


def decide_orphans(bodies: Iterable[Mapping[str, Any]], uid: str | None, now: datetime) -> list[Delete]:
    """Which objects with the label of a job's name to delete. `uid`: of the job of that name; None if there is none.

    Only objects that existed for `PATIENCE` and look like the operator's in all: labels, name, token. What would prove
    it is gone with the job.
    """
    deletes = []
    for body in bodies:
        metadata = body["metadata"]
        labels = metadata.get("labels") or {}
        created = from_text(metadata.get("creationTimestamp"))
        if (
            body["kind"] in DELETED
            and labels.get(c.MANAGED_BY_LABEL) == c.MANAGER
            and labels.get(c.JOB_UID_LABEL) not in (None, uid)
            and not metadata.get("deletionTimestamp")
            and created is not None
            and now - created >= PATIENCE
            and _looks_like_ours(body, labels)
        ):
            owned = Owned(body["kind"], metadata["name"], metadata["uid"], read_attempt(labels))
            deletes.append(Delete(owned, "its job no longer exists"))
    return deletes


def _looks_like_ours(body: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    kind, name = body["kind"], body["metadata"]["name"]
    attempt = attempt_in(name, labels.get(c.JOB_LABEL, ""), labels[c.JOB_UID_LABEL])
    if attempt is None:
        return False
    if kind == "Pod" and (name == scheduler_name(attempt) or "-worker-" in name.removeprefix(attempt)):
        return bool(controller_of(body).get("apiVersion") == c.DASK_API_VERSION)
    if kind == "DaskWorkerGroup":
        return group_key(name, attempt) is not None and bool(token_of(body))
    if kind == "Pod" and name.startswith(f"{attempt}-remove-"):
        return bool(token_of(body))
    return bool(name == (runner_name(attempt) if kind == "Pod" else attempt) and token_of(body))


def takes_room(body: Mapping[str, Any], now: datetime) -> bool:
    """Whether an object of a job that is gone still takes room: not a report, nor a group that is being deleted, nor a
    pod that has ended or is fenced."""
    if body["kind"] == "DaskWorkerGroup":
        return not body["metadata"].get("deletionTimestamp")
    if body["kind"] != "Pod":
        return bool(body["kind"] != "DaskJobReport")
    pod = read_pod(body)
    return not pod.all_ended and not is_fenced(pod.deletion_deadline, now)
