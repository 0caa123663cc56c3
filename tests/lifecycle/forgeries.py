"""Objects that look like a job's and are of somebody else: with its labels, names, owners, and the tokens that its
objects show."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from daskjob.api import constants as c
from daskjob.kube.client import Body
from daskjob.wire import termination_message

from .git_model import FORGED as FORGED_COMMIT
from .git_model import SOURCE
from .model import Server

#: What follows the attempt's name in those of its objects, by kind; pods by their component.
FORGED = {
    "DaskCluster": "",
    "DaskJobReport": "",
    "DaskWorkerGroup": "-default",
    "NetworkPolicy": "",
    "Pod": "",
    "Secret": "-files",
    "Service": "-scheduler",
}
PODS = {
    "runner": "-runner",
    "scheduler": "-scheduler",
    "source": "-source",
    "worker": "-default-worker-0000000000",
}
SUCCESS = '{"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "666", "size": 3}}'
FOUND = termination_message("Succeeded", {"type": "commit", "value": json.dumps(FORGED_COMMIT)})


@dataclass(frozen=True)
class Forgery:
    """`shown`: the kind of object whose token is copied, if there is one; `owner`: the kind of object that is named as
    the owner; `phase`, `exit_code`: of a pod; `deleted`: the object is being deleted, and never goes."""

    component: str
    shown: str
    owner: str
    phase: str
    exit_code: int
    deleted: bool


forgeries = st.builds(
    Forgery,
    component=st.sampled_from(sorted(PODS)),
    shown=st.sampled_from(["", "DaskCluster", "Pod", "DaskJobReport"]),
    owner=st.sampled_from(["", "DaskJob", "DaskCluster"]),
    phase=st.sampled_from(["Pending", "Running", "Failed", "Succeeded"]),
    exit_code=st.sampled_from([0, 1, 137]),
    deleted=st.booleans(),
)


def forge(server: Server, job: Body, kind: str, takes: bool, forgery: Forgery) -> dict[str, Any]:
    """`takes`: under a name that the job's open attempt needs."""
    attempts = job.get("status", {}).get("attempts") or [{"name": "sum-00000-1-bcdfghjk", "number": 1}]
    attempt = attempts[-1]
    name = attempt["name"] + (PODS[forgery.component] if kind == "Pod" else FORGED[kind])
    labels = {
        c.MANAGED_BY_LABEL: c.MANAGER,
        c.JOB_LABEL: job["metadata"]["name"],
        c.JOB_UID_LABEL: job["metadata"]["uid"],
        c.ATTEMPT_LABEL: str(attempt["number"]),
        c.DASK_CLUSTER_LABEL: attempt["name"],
        c.COMPONENT_LABEL if forgery.component in ("runner", SOURCE) else c.DASK_COMPONENT_LABEL: forgery.component,
    }
    shown = server.find(forgery.shown, attempt["name"] + ("-runner" if forgery.shown == "Pod" else ""))
    annotations = (shown or {"metadata": {}})["metadata"].get("annotations") or {c.TOKEN_ANNOTATION: "f" * 64}
    # A pod with the owner of a real one counts as a job's until it is deleted, which a finalizer of somebody keeps from
    # ending: that is said in SECURITY.md, and not defended.
    stays = forgery.deleted and not (kind == "Pod" and forgery.owner == "DaskCluster")
    message = SUCCESS if forgery.component != SOURCE else FOUND
    state = {"terminated": {"exitCode": forgery.exit_code, "reason": "Error", "message": message}}
    return {
        "metadata": {
            "name": name if takes else f"aaa-{server.made}",
            "namespace": job["metadata"]["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": _owners(server, job, attempt["name"], forgery.owner),
            **({"deletionTimestamp": "2026-03-01T12:00:00Z", "finalizers": ["strangers.test/stays"]} if stays else {}),
        },
        "spec": {
            "containers": [{"name": forgery.component}],
            "runnerPodUID": "theirs",
            "worker": {"replicas": 7},
            "cluster": attempt["name"],
        },
        "status": {
            "phase": forgery.phase,
            "containerStatuses": [{"name": forgery.component, "state": state}],
            "protocol": 1,
            "outcome": "Succeeded",
            "result": {"type": "int", "value": "666", "size": 3},
        },
    }


def _owners(server: Server, job: Body, attempt: str, kind: str) -> list[dict[str, Any]]:
    owner = job if kind == "DaskJob" else server.find(kind, attempt) if kind else None
    if owner is None:
        return []
    version = c.API_VERSION if kind == "DaskJob" else c.DASK_API_VERSION
    metadata = owner["metadata"]
    return [
        {
            "apiVersion": version,
            "kind": kind,
            "name": metadata["name"],
            "uid": metadata["uid"],
            "controller": True,
        }
    ]
