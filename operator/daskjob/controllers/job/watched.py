"""The objects that the operator watches for jobs, and those that a source may refer to."""

from __future__ import annotations

from daskjob.api import constants as c
from daskjob.api.resource import CLUSTERS, CONFIG_MAPS, DASK_JOBS, PODS, REPORTS, WORKER_GROUPS
from daskjob.controller.cache import Key
from daskjob.controller.kind import Watched
from daskjob.kube.client import Body
from daskjob.lifecycle import keeping


def _settles(_: Body) -> bool:
    return True


def pod_settles(body: Body) -> bool:
    """Whether nobody waits for a change of this pod. Runner and workers wait for a scheduler's address, with which the
    operator opens its Service."""
    labels = body["metadata"].get("labels") or {}
    address = (body.get("status") or {}).get("podIP")
    return not address or labels.get(c.DASK_COMPONENT_LABEL) != "scheduler"


#: Jobs, and all other kinds with the operator's label.
WATCHED = (
    Watched(DASK_JOBS, keeping.keep_dask_job),
    Watched(REPORTS, keeping.keep_report, c.MANAGED_SELECTOR),
    Watched(CLUSTERS, keeping.keep_cluster, c.MANAGED_SELECTOR, settles=_settles),
    Watched(WORKER_GROUPS, keeping.keep_worker_group, c.MANAGED_SELECTOR, settles=_settles),
    Watched(PODS, keeping.keep_pod, c.MANAGED_SELECTOR, settles=pod_settles),
)
BY_KIND = {each.resource.kind: each.resource for each in WATCHED}
#: What a job's source may refer to (`sources.Reference.kind`).
BY_REFERENCE = {CONFIG_MAPS.kind: CONFIG_MAPS}


def job_of(body: Body) -> Key | None:
    """The key of the job that an object is, or belongs to by its label; None: it belongs to none."""
    metadata = body["metadata"]
    namespace = metadata.get("namespace", "")
    if body.get("kind") == DASK_JOBS.kind:
        return namespace, metadata["name"]
    name = (metadata.get("labels") or {}).get(c.JOB_LABEL)
    return (namespace, name) if name else None
