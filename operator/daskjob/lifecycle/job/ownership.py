"""Which jobs the operator leaves alone, and which objects of a job are stale."""

from __future__ import annotations

from daskjob.api.constants import MANAGED_BY, Phase
from daskjob.api.spec import DaskJobSpec
from daskjob.lifecycle.pods import Pod

#: Ended runners of so many attempts are kept for their logs, the current one included.
KEPT_RUNNERS = 3
#: Kinds that are deleted one by one; all others go with their cluster.
DELETED_ALONE = frozenset({"DaskCluster", "Pod", "DaskJobReport"})


def why_unmanaged(spec: DaskJobSpec, phase: object) -> str | None:
    """Why the operator leaves a job alone; None: it is its own. `phase`: the recorded one, as it is."""
    if spec.managed_by != MANAGED_BY:
        return f"spec.managedBy is {spec.managed_by}"
    if phase and phase not in list(Phase):
        return f"phase {phase!r} is not known to this version"
    return None


def is_stale(kind: str, attempt: int, current: int, pod: Pod | None = None, adopted: bool = True) -> bool:
    """Whether an object of an earlier attempt is to be deleted. `adopted`: whether it has an owner.

    An ended runner of one of the last attempts is kept. dask-kubernetes gives a worker group its owner only after it
    was made, and may do so after its cluster has gone: then nothing else deletes it.
    """
    kept = pod is not None and pod.ended and current - KEPT_RUNNERS < attempt
    alone = kind in DELETED_ALONE or (kind == "DaskWorkerGroup" and not adopted)
    return alone and not kept
