"""Which objects are a job's: those that the operator created, and those that dask-kubernetes created for its clusters.

A label finds an object, and proves nothing: anybody may write one. The operator's own objects have the attempt's name
and the UID that the status has, or, until it is recorded there, a token of which the status has the digest
(`api.tokens`). The others have a controller that leads to the attempt's cluster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from daskjob.api import constants as c
from daskjob.api.attempt_names import group_key, group_name, resolver_name, runner_name, scheduler_name
from daskjob.api.cluster_spec import DEFAULT_GROUP
from daskjob.api.status import Attempt, DaskJobStatus, Removal
from daskjob.api.tokens import follows_from, proves_cluster, proves_runner, proves_source

Body = Mapping[str, Any]
T = TypeVar("T")

NONE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Proven:
    """An object of an attempt. `component`: of a pod, else empty; `group`: the key of a worker group, or of that of a
    worker, else empty."""

    attempt: Attempt
    body: Body
    component: str = ""
    group: str = ""


def is_cluster(body: Body, attempt: Attempt) -> bool:
    """Whether the object is the attempt's DaskCluster."""
    uid = attempt.cluster_uid
    if body["metadata"]["name"] != attempt.name:
        return False
    return _has_uid(body, uid) if uid else _has_token(body, attempt, proves_cluster)


def is_runner(body: Body, attempt: Attempt) -> bool:
    """Whether the object is the pod of the attempt's runner."""
    uid = attempt.runner_uid
    if body["metadata"]["name"] != runner_name(attempt.name):
        return False
    return _has_uid(body, uid) if uid else _has_token(body, attempt, proves_runner)


def is_resolver(body: Body, attempt: Attempt) -> bool:
    """Whether the object is the pod that finds the commit of the attempt's code."""
    digest = attempt.source_digest
    named = body["metadata"]["name"] == resolver_name(attempt.name)
    return named and digest is not None and proves_source(token_of(body), digest)


def is_remover(body: Body, removal: Removal | None) -> bool:
    """Whether the object is the pod that deletes the job's results."""
    if removal is None or removal.token_digest is None or body["metadata"]["name"] != removal.name:
        return False
    return proves_source(token_of(body), removal.token_digest)


def is_report(body: Body, attempt: Attempt) -> bool:
    """Whether the object is the attempt's report: if the runner's UID is known, only that runner's."""
    runner = (body.get("spec") or {}).get("runnerPodUID")
    if body["metadata"]["name"] != attempt.name or attempt.runner_uid not in (None, runner):
        return False
    return _has_token(body, attempt, proves_runner)


def token_of(body: Body) -> str:
    """The token that an object carries; empty: none."""
    return str((body["metadata"].get("annotations") or {}).get(c.TOKEN_ANNOTATION) or "")


def controller_of(body: Body) -> Body:
    """The owner reference of the object's controller; empty if it has none."""
    owners: Iterable[Body] = body["metadata"].get("ownerReferences") or ()
    return next((each for each in owners if each.get("controller")), {})


class Proof:
    """Sorts the objects that labels found. `deployments`: the UIDs of the owners of Deployments, by those of their
    ReplicaSets."""

    def __init__(self, status: DaskJobStatus, bodies: Iterable[Body], deployments: Mapping[str, str] = NONE) -> None:
        self._deployments = deployments
        self._attempts = {each.name: each for attempt in status.attempts for each in _under_all_names(attempt)}
        self._current, self._removal = status.current, status.removal
        bodies = tuple(bodies)
        self._uids = {each["metadata"]["uid"] for each in bodies}
        #: The attempts of clusters, and those of worker groups with their keys, by the objects' UIDs.
        self._clusters = _by_uid("DaskCluster", self._cluster, bodies)
        self._pledges = {each["metadata"]["uid"]: pledges_of(each) for each in bodies if each["kind"] == "DaskCluster"}
        self._groups = _by_uid("DaskWorkerGroup", self._group, bodies)
        proven = [(body, self._prove(body)) for body in bodies]
        #: The job's objects, in the order of all; and all others.
        self.objects = tuple(each for _, each in proven if each is not None)
        self.strangers = tuple(body for body, each in proven if each is None)

    def _prove(self, body: Body) -> Proven | None:
        uid = body["metadata"]["uid"]
        match body["kind"]:
            case "DaskCluster":
                attempt = self._clusters.get(uid)
            case "DaskWorkerGroup":
                group = self._groups.get(uid)
                return Proven(group[0], body, group=group[1]) if group is not None else None
            case "DaskJobReport":
                attempt = self._attempts.get(body["metadata"]["name"])
                attempt = attempt if attempt is not None and is_report(body, attempt) else None
            case "Pod":
                return self._prove_pod(body)
            case _:
                attempt = None
        return Proven(attempt, body) if attempt is not None else None

    def _prove_pod(self, body: Body) -> Proven | None:
        name = body["metadata"]["name"]
        attempt = self._attempts.get(name.removesuffix("-runner"))
        if attempt is not None and is_runner(body, attempt):
            return Proven(attempt, body, "runner")
        attempt = self._attempts.get(name.removesuffix("-source"))
        if attempt is not None and is_resolver(body, attempt):
            return Proven(attempt, body, "source")
        if self._current is not None and is_remover(body, self._removal):
            return Proven(self._current, body, "remove")
        owner = controller_of(body)
        match owner.get("apiVersion"), owner.get("kind"):
            case c.DASK_API_VERSION, "DaskCluster":
                attempt = self._owning_cluster(owner)
                fits = attempt is not None and name == scheduler_name(attempt.name)
                return Proven(attempt, body, "scheduler") if attempt is not None and fits else None
            case c.DASK_API_VERSION, "DaskWorkerGroup":
                group = self._owning_group(owner)
                fits = group is not None and name.startswith(f"{group_name(group[0].name, group[1])}-worker-")
                return Proven(group[0], body, "worker", group[1]) if group is not None and fits else None
            case "apps/v1", "ReplicaSet":
                uid = self._deployments.get(owner["uid"], "")
                if (group := self._groups.get(uid)) is not None:
                    return Proven(group[0], body, "worker", group[1])
                attempt = self._clusters.get(uid)
                return Proven(attempt, body, "scheduler") if attempt is not None else None
        return None

    def _cluster(self, body: Body) -> Attempt | None:
        attempt = self._attempts.get(body["metadata"]["name"])
        return attempt if attempt is not None and is_cluster(body, attempt) else None

    def _group(self, body: Body) -> tuple[Attempt, str] | None:
        name, owner = body["metadata"]["name"], controller_of(body)
        if owner:
            attempt = self._owning_cluster(owner)
        else:
            # dask-kubernetes creates its group with its cluster's annotations, and gives it its owner a moment later.
            attempt = self._attempts.get(name.removesuffix(f"-{DEFAULT_GROUP}"))
            ours = attempt is not None and _has_token(body, attempt, proves_cluster)
            attempt = attempt if ours else None
        key = group_key(name, attempt.name) if attempt is not None else None
        if attempt is None or key is None or not (key == DEFAULT_GROUP or self._is_pledged(body, owner, key)):
            return None
        return attempt, key

    def _is_pledged(self, body: Body, owner: Body, key: str) -> bool:
        """Whether a group's cluster announced it. While its objects go, the cluster may be gone already."""
        pledges = self._pledges.get(owner.get("uid", ""))
        return pledges is None or follows_from(token_of(body)) == pledges.get(key)

    def _owning_cluster(self, owner: Body) -> Attempt | None:
        """The attempt whose cluster an owner reference names. While its objects go, the cluster may be gone already,
        and somebody else's have its name: Kubernetes deletes whatever names an owner that does not exist."""
        attempt = self._clusters.get(owner["uid"])
        if attempt is None and owner["uid"] not in self._uids:
            named = self._attempts.get(owner["name"])
            attempt = named if named not in self._clusters.values() else None
        return attempt if attempt is not None and attempt.cluster_uid in (None, owner["uid"]) else None

    def _owning_group(self, owner: Body) -> tuple[Attempt, str] | None:
        """The same of a worker group, with its key."""
        found = self._groups.get(owner["uid"])
        if found is not None:
            return found
        named = ((each, group_key(owner["name"], each.name)) for each in self._attempts.values())
        gone = next(((attempt, key) for attempt, key in named if key is not None), None)
        return gone if owner["uid"] not in self._uids and gone not in self._groups.values() else None


def pledges_of(cluster: Body) -> Mapping[str, str]:
    """What the tokens of a cluster's further worker groups lead to, by the groups' keys."""
    text = (cluster["metadata"].get("annotations") or {}).get(c.GROUPS_ANNOTATION)
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _under_all_names(attempt: Attempt) -> tuple[Attempt, ...]:
    """The attempt, before it as it was under its former names. It had no runner then."""
    former = (
        Attempt(attempt.number, each.name, attempt.run, token_digest=each.token_digest, cluster_uid=each.cluster_uid)
        for each in attempt.former_names
    )
    return (*former, attempt)


def _by_uid(kind: str, read: Callable[[Body], T | None], bodies: Iterable[Body]) -> dict[str, T]:
    found = ((each["metadata"]["uid"], read(each)) for each in bodies if each["kind"] == kind)
    return {uid: what for uid, what in found if what is not None}


def _has_uid(body: Body, uid: str) -> bool:
    return bool(body["metadata"]["uid"] == uid)


def _has_token(body: Body, attempt: Attempt, proves: Callable[[str, str], bool]) -> bool:
    return attempt.token_digest is not None and proves(token_of(body), attempt.token_digest)
