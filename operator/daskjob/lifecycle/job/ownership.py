"""Which jobs the operator leaves alone, and which objects of a job are stale."""

from __future__ import annotations

from daskjob.api.constants import MANAGED_BY, Phase
from daskjob.api.spec import DaskJobSpec
from daskjob.lifecycle.pods import Pod

#: The operator keeps the ended runners of so many last attempts, the current one included, for their logs.
KEPT_RUNNERS = 3
#: Kinds that the operator deletes itself; Kubernetes deletes all others with their cluster.
DELETED_ALONE = frozenset({"DaskCluster", "Pod", "DaskJobReport"})


def why_unmanaged(spec: DaskJobSpec, phase: object) -> str | None:
    """Why the operator leaves a job alone; None: it manages the job. `phase`: the recorded one, unparsed."""
    if spec.managed_by != MANAGED_BY:
        return f"spec.managedBy is {spec.managed_by}"
    if phase and phase not in list(Phase):
        return f"phase {phase!r} is not known to this version"
    return None


def is_stale(kind: str, attempt: int, current: int, pod: Pod | None = None, adopted: bool = True) -> bool:
    """Whether an object of an earlier attempt is to be deleted. `adopted`: whether it has an owner.

    The operator keeps an ended runner of one of the last attempts. dask-kubernetes sets the owner of a worker group
    only after it created the group: if the cluster is gone by then, nothing but the operator deletes the group.
    """
    kept = pod is not None and pod.component == "runner" and pod.ended and current - KEPT_RUNNERS < attempt
    alone = kind in DELETED_ALONE or (kind == "DaskWorkerGroup" and not adopted)
    return alone and not kept
