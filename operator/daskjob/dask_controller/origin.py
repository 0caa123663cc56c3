"""Whose clusters and worker groups the Dask controller serves: those that the operator created, and no others.

Anybody who may create a DaskCluster can copy labels, annotations and owners of the operator's, and its pods would be
created by this process, whatever they are. So the first pod of each cluster takes a look at the cluster's job: that has
recorded the cluster's name, and the digest of its token (`api.tokens`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from daskjob.dask_controller.bare_pods import owner_of
from daskjob.streams.bounded_dict import BoundedDict

#: Labels and annotation by which the operator's clusters name their job, and prove that they are its.
JOB_LABEL, JOB_UID_LABEL, TOKEN_ANNOTATION = "daskjob.io/job", "daskjob.io/job-uid", "daskjob.io/token"
#: On a cluster: what the tokens of its further worker groups lead to, by the ends of their names.
GROUPS_ANNOTATION = "daskjob.io/worker-groups"

#: How many clusters and groups are remembered; of more, the eldest are looked at again.
MOST_KNOWN = 10_000

Body = Mapping[str, Any]
Get = Callable[[str, str], Awaitable[Body | None]]
"""Gives the object of a resource (its plural) and a name; None: there is none."""


class Origin:
    """Remembers whose clusters and groups are, by their UIDs."""

    def __init__(self) -> None:
        self._known: BoundedDict[str, str] = BoundedDict(MOST_KNOWN)

    async def problem(self, pod: Body, owner: Mapping[str, Any], get: Get) -> str:
        """Why the owner of a pod is none that the operator created; empty: it is. `pod`: with the labels and the
        annotations of its owner; `owner`: the reference to it."""
        uid = owner["uid"]
        if uid not in self._known:
            if owner["kind"] == "DaskCluster":
                found = await _problem_of_cluster(pod["metadata"], owner, get)
            else:
                found = await _problem_of_group(owner, get)
            self.note(uid, found)
        return self._known[uid]

    def note(self, uid: str, problem: str = "") -> None:
        """Remembers a cluster or a group."""
        self._known[uid] = problem


async def _problem_of_cluster(metadata: Body, owner: Mapping[str, Any], get: Get) -> str:
    """`metadata`: labels and annotations of the cluster; `owner`: its name and UID."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    name = labels.get(JOB_LABEL)
    job = await get("daskjobs", name) if name else None
    if job is None or job["metadata"]["uid"] != labels.get(JOB_UID_LABEL):
        return "no DaskJob has it"
    attempts = (job.get("status") or {}).get("attempts") or ()
    attempt = next((each for each in attempts if each.get("name") == owner["name"]), None)
    if attempt is None:
        return f"DaskJob {name} has not recorded it"
    if attempt.get("clusterUID", owner["uid"]) != owner["uid"]:
        return f"DaskJob {name} has recorded another one of its name"
    digest = attempt.get("tokenDigest")
    token = str(annotations.get(TOKEN_ANNOTATION) or "")
    if hashlib.sha256(token.encode()).hexdigest() != digest:
        return f"its token is not that of DaskJob {name}"
    return ""


async def _problem_of_group(owner: Mapping[str, Any], get: Get) -> str:
    """A group that this process has not created: one that it has found, or that an earlier process created."""
    group = await get("daskworkergroups", owner["name"])
    if group is None or group["metadata"]["uid"] != owner["uid"]:
        return "it is gone"
    of = owner_of(group)
    cluster = await get("daskclusters", of["name"]) if of.get("kind") == "DaskCluster" else None
    if cluster is None or cluster["metadata"]["uid"] != of["uid"]:
        return "no DaskCluster owns it"
    if not is_group_of(group, cluster) and not is_pledged(group, cluster):
        return "it is not a worker group of its DaskCluster"
    return await _problem_of_cluster(cluster["metadata"], of, get)


def is_group_of(group: Body, cluster: Body) -> bool:
    """Whether the workers of a group are those that its cluster asks for."""
    name = f"{cluster['metadata']['name']}-default"
    return bool(group["metadata"]["name"] == name and same_workers(group, cluster))


def is_pledged(group: Body, cluster: Body) -> bool:
    """Whether it is a further group, which the operator announced on the cluster before it created the group."""
    name, annotations = cluster["metadata"]["name"], cluster["metadata"].get("annotations") or {}
    token = str((group["metadata"].get("annotations") or {}).get(TOKEN_ANNOTATION) or "")
    try:
        pledges = json.loads(annotations.get(GROUPS_ANNOTATION) or "{}")
    except (ValueError, RecursionError):
        return False
    pledged = pledges.get(group["metadata"]["name"].removeprefix(f"{name}-")) if isinstance(pledges, dict) else None
    return bool(hashlib.sha256(token.encode()).hexdigest() == pledged)


def same_workers(group: Body, other: Body) -> bool:
    """Whether two groups, or a group and its cluster, have the same workers, but for their number."""

    def workers(body: Body) -> dict[str, Any]:
        worker = (body.get("spec") or {}).get("worker") or {}
        return {key: value for key, value in worker.items() if key != "replicas"}

    return workers(group) == workers(other)
