"""Which objects count as a job's: what has only its labels does not."""

from __future__ import annotations

from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.api.tokens import Tokens
from daskjob.lifecycle.job.proof import Proof

from .builders import UID

TOKENS, EARLIER = Tokens("secret"), Tokens("another secret")
#: Two attempts: of the first, the UIDs are recorded, of the second not yet.
FIRST = Attempt(1, "sum-1", token_digest=EARLIER.digest, cluster_uid="cluster-1", runner_uid="runner-1")
SECOND = Attempt(2, "sum-2", token_digest=TOKENS.digest)
STATUS = DaskJobStatus(attempt=2, attempts=(FIRST, SECOND))
LABELS = {c.MANAGED_BY_LABEL: c.MANAGER, c.JOB_LABEL: "sum", c.JOB_UID_LABEL: UID, c.ATTEMPT_LABEL: "2"}


def body(kind: str, name: str, uid: str = "u", token: str = "", owner: tuple[str, ...] = (), **more: Any) -> Any:
    """`owner`: kind, name and UID of the controller."""
    versions = {"DaskJob": c.API_VERSION, "ReplicaSet": "apps/v1"}
    owners = [
        {"apiVersion": versions.get(kind, c.DASK_API_VERSION), "kind": kind, "name": of, "uid": uid, "controller": True}
        for kind, of, uid in ([owner] if owner else [])
    ]
    labels = {**LABELS, c.DASK_CLUSTER_LABEL: "sum-2", c.COMPONENT_LABEL: "runner"}
    metadata = {"name": name, "uid": uid, "labels": labels, "annotations": {c.TOKEN_ANNOTATION: token} if token else {}}
    return {"kind": kind, "metadata": {**metadata, "ownerReferences": owners}, **more}


CLUSTER = body("DaskCluster", "sum-2", "cluster", TOKENS.cluster)
GROUP = body("DaskWorkerGroup", "sum-2-default", "group", owner=("DaskCluster", "sum-2", "cluster"))
OF_CLUSTER, OF_GROUP = ("DaskCluster", "sum-2", "cluster"), ("DaskWorkerGroup", "sum-2-default", "group")
JOB = ("DaskJob", "sum", UID)
REPORT = {"spec": {"runnerPodUID": "runner-1"}}

#: Objects, beside the second attempt's cluster and group, with the attempt and the component that they are of.
CASES = {
    "the cluster of the recorded UID": (body("DaskCluster", "sum-1", "cluster-1"), (1, "")),
    "its name and its token, and another UID": (body("DaskCluster", "sum-1", "x", EARLIER.cluster), None),
    "the runner of the recorded UID": (body("Pod", "sum-1-runner", "runner-1"), (1, "runner")),
    "its name and its token, and another UID again": (body("Pod", "sum-1-runner", "x", EARLIER.runner), None),
    "the report of the recorded runner": (body("DaskJobReport", "sum-1", token=EARLIER.runner, **REPORT), (1, "")),
    "a report of another runner": (
        body("DaskJobReport", "sum-1", token=EARLIER.runner, spec={"runnerPodUID": "x"}),
        None,
    ),
    "a report without a token": (body("DaskJobReport", "sum-1", **REPORT), None),
    "a runner with its token": (body("Pod", "sum-2-runner", token=TOKENS.runner), (2, "runner")),
    "a runner with the token that its cluster shows": (body("Pod", "sum-2-runner", token=TOKENS.cluster), None),
    "a runner with the digest that the status shows": (body("Pod", "sum-2-runner", token=TOKENS.digest), None),
    "a runner with an earlier attempt's token": (body("Pod", "sum-2-runner", token=EARLIER.runner), None),
    "a runner without a token": (body("Pod", "sum-2-runner", owner=JOB), None),
    "a runner's labels and token, under another name": (body("Pod", "aaa", token=TOKENS.runner, owner=JOB), None),
    "a report with its token": (body("DaskJobReport", "sum-2", token=TOKENS.runner), (2, "")),
    "a report with the token that the cluster shows": (body("DaskJobReport", "sum-2", token=TOKENS.cluster), None),
    "the scheduler": (body("Pod", "sum-2-scheduler", owner=OF_CLUSTER), (2, "scheduler")),
    "a scheduler of another name": (body("Pod", "sum-2-scheduler-2", owner=OF_CLUSTER), None),
    "a scheduler without an owner": (body("Pod", "sum-2-scheduler"), None),
    "a scheduler whose owner is the job": (body("Pod", "sum-2-scheduler", owner=JOB), None),
    "a scheduler of a cluster with another UID": (
        body("Pod", "sum-2-scheduler", owner=("DaskCluster", "sum-2", "x")),
        None,
    ),
    "a worker": (body("Pod", "sum-2-default-worker-0", owner=OF_GROUP), (2, "worker")),
    "a worker of a group with another UID": (
        body("Pod", "sum-2-default-worker-0", owner=("DaskWorkerGroup", "sum-2-default", "x")),
        None,
    ),
    "a worker that its cluster owns": (body("Pod", "sum-2-default-worker-0", owner=OF_CLUSTER), None),
    "a worker without an owner": (body("Pod", "sum-2-default-worker-0"), None),
    "a worker of a Deployment of the group": (body("Pod", "x", owner=("ReplicaSet", "r", "of-group")), (2, "worker")),
    "a scheduler of a Deployment of the cluster": (
        body("Pod", "x", owner=("ReplicaSet", "r", "of-cluster")),
        (2, "scheduler"),
    ),
    "a pod of a Deployment of somebody": (body("Pod", "x", owner=("ReplicaSet", "r", "of-somebody")), None),
    "a pod of a ReplicaSet of which nothing is known": (body("Pod", "x", owner=("ReplicaSet", "r", "unknown")), None),
    "a worker whose group and cluster are gone": (
        body("Pod", "sum-1-default-worker-0", owner=("DaskWorkerGroup", "sum-1-default", "gone")),
        (1, "worker"),
    ),
    "a scheduler whose cluster is gone": (
        body("Pod", "sum-1-scheduler", owner=("DaskCluster", "sum-1", "cluster-1")),
        (1, "scheduler"),
    ),
    "a scheduler of a cluster that is gone and was never recorded": (
        body("Pod", "sum-1-scheduler", owner=("DaskCluster", "sum-1", "x")),
        None,
    ),
    "a group whose cluster is gone": (
        body("DaskWorkerGroup", "sum-1-default", owner=("DaskCluster", "sum-1", "cluster-1")),
        (1, ""),
    ),
    "a group that has no owner yet": (body("DaskWorkerGroup", "sum-1-default", token=EARLIER.cluster), (1, "")),
    "a group with nothing but labels": (body("DaskWorkerGroup", "sum-1-default"), None),
    "a group of another name": (body("DaskWorkerGroup", "sum-2-extra", owner=OF_CLUSTER), None),
    "an attempt that nobody recorded": (body("DaskCluster", "sum-3", token=TOKENS.cluster), None),
    "a Service": (body("Service", "sum-2-scheduler", owner=OF_CLUSTER), None),
}
DEPLOYMENTS = {"of-group": "group", "of-cluster": "cluster", "of-somebody": "somebody"}


@pytest.mark.parametrize(("part", "of"), CASES.values(), ids=CASES)
def test_what_is_whose(part: Any, of: tuple[int, str] | None) -> None:
    proof = Proof(STATUS, [CLUSTER, GROUP, part], DEPLOYMENTS)
    found = [(each.attempt.number, each.component) for each in proof.objects if each.body is part]
    assert found == ([of] if of is not None else [])
    assert [each for each in proof.strangers if each is part] == ([] if of is not None else [part])
    assert [each.body for each in proof.objects][:2] == [CLUSTER, GROUP]


def test_a_cluster_that_took_the_name_has_no_pods() -> None:
    """While a cluster of that name exists which is not ours, no pod is proven by the name of its owner."""
    theirs = body("DaskCluster", "sum-2", "theirs", TOKENS.digest)
    pods = [
        body("Pod", "sum-2-scheduler", owner=("DaskCluster", "sum-2", "theirs")),
        body("DaskWorkerGroup", "sum-2-default", "g", owner=("DaskCluster", "sum-2", "theirs")),
        body("Pod", "sum-2-default-worker-0", owner=("DaskWorkerGroup", "sum-2-default", "g")),
    ]
    assert Proof(STATUS, [theirs, *pods]).objects == ()


def test_a_worker_that_lingers_is_a_worker_when_somebody_takes_the_name_of_its_group() -> None:
    worker = body("Pod", "sum-2-default-worker-0", owner=("DaskWorkerGroup", "sum-2-default", "gone"))
    theirs = body("DaskWorkerGroup", "sum-2-default", "theirs")
    assert [each.body for each in Proof(STATUS, [theirs, worker]).objects] == [worker]


def test_a_token_follows_from_the_one_after_it() -> None:
    assert len({TOKENS.runner, TOKENS.cluster, TOKENS.digest, EARLIER.digest}) == 4
    assert Tokens(TOKENS.cluster).cluster == TOKENS.digest
