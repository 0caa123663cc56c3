"""Reads a job and the objects of its current attempt from the API server's JSON.

`proof` says which objects are the job's, `ownership` which of them are stale and which jobs the operator leaves alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from daskjob.api import constants as c
from daskjob.api.constants import Reason
from daskjob.api.resource_json import from_dict
from daskjob.api.runner_report import read_report
from daskjob.api.spec import digest, parse_spec
from daskjob.api.status import Attempt, DaskJobStatus
from daskjob.api.times import from_text
from daskjob.errors import ApiError, kind_of
from daskjob.lifecycle.blocker import Blocker, blocker_of
from daskjob.lifecycle.job.observation import (
    AttemptObservation,
    Job,
    Observation,
    Owned,
    Report,
    WorkerGroup,
)
from daskjob.lifecycle.job.ownership import is_stale, why_unmanaged
from daskjob.lifecycle.job.proof import NONE, Proof, Proven
from daskjob.lifecycle.keeping import DIGEST
from daskjob.lifecycle.pods import Pod, read_pod
from daskjob.streams.depth import TOO_DEEP, UNREADABLE
from daskjob.wire.runner_deadline import parse_deadline

Body = Mapping[str, Any]


def read_job(body: Body, now: datetime) -> Job:
    """Reads a DaskJob from its JSON, or from what is kept of it (`keeping`). `now`: the creation time of an object that
    has none yet."""
    metadata, spec = body["metadata"], parse_spec(body.get("spec"))
    return Job(
        namespace=metadata["namespace"],
        name=metadata["name"],
        uid=metadata["uid"],
        generation=metadata.get("generation") or 0,
        created=from_text(metadata.get("creationTimestamp")) or now,
        deleting=bool(metadata.get("deletionTimestamp")),
        spec=spec,
        status=from_dict(DaskJobStatus, body.get("status")),
        unmanaged=why_unmanaged(spec, (body.get("status") or {}).get("phase")),
        spec_problem=_unreadable(body),
        digest=body.get(DIGEST) or digest(spec),
        # Cut to what the status has room for. An empty annotation asks for nothing.
        rerun=((metadata.get("annotations") or {}).get(c.RERUN_ANNOTATION) or "")[: c.ANNOTATION_LENGTH] or None,
        resource_version=metadata.get("resourceVersion") or "",
        held=c.RESULTS_FINALIZER in (metadata.get("finalizers") or ()),
        deleted=from_text(metadata.get("deletionTimestamp")),
    )


def _unreadable(body: Body) -> str | None:
    if UNREADABLE not in body:
        return None
    problem = body[UNREADABLE]
    hint = "put such data into a file in the image, a ConfigMap or an object store"
    return f"spec: {problem}; {hint if problem == TOO_DEEP else 'delete the job, and apply one that differs'}"


def observe(job: Job, bodies: Iterable[Body], now: datetime, deployments: Mapping[str, str] = NONE) -> Observation:
    """The observation of a job and its objects. `bodies`: all objects with the label of its name; those that are not
    proven to be its own do not count (`deployments`: see `Proof`). The caller adds what else a decision looks at."""
    current = job.status.current or Attempt()
    cluster = report = runner = resolver = remover = scheduler_refusal = group_refusal = None
    groups: dict[str, WorkerGroup] = {}
    stale_objects: list[Owned] = []
    pods: dict[str, list[Pod]] = {"scheduler": [], "worker": []}
    proof = Proof(job.status, bodies, deployments)
    for proven in proof.objects:
        body, number = proven.body, proven.attempt.number
        kind = body["kind"]
        pod = _read_proven(proven) if kind == "Pod" else None
        if proven.attempt.name != current.name:
            adopted = bool(body["metadata"].get("ownerReferences"))
            # What was created late for a former name of the attempt is deleted, whatever it is.
            if number == current.number or is_stale(kind, number, current.number, pod, adopted):
                stale_objects.append(_read_owned(body, number))
        elif kind == "DaskCluster":
            cluster, scheduler_refusal = _read_owned(body, number), _read_refusal(body)
            group_refusal = _read_refusal(body, "DaskWorkerGroup")
        elif kind == "DaskWorkerGroup":
            groups[proven.group] = replace(_read_group(body), key=proven.group)
        elif kind == "DaskJobReport":
            report = _read_report(body)
        elif pod is not None and pod.component == "runner":
            runner = pod
        elif pod is not None and pod.component == "source":
            resolver = pod
        elif pod is not None and pod.component == "remove":
            remover = pod
        elif pod is not None:
            pods[pod.component].append(pod)
    return Observation(
        now=now,
        job=job,
        attempt=AttemptObservation(
            cluster=cluster,
            scheduler_refusal=scheduler_refusal,
            group_refusal=group_refusal,
            groups=groups,
            schedulers=_by_age(pods["scheduler"]),
            workers=_by_age(pods["worker"]),
            runner=runner,
            resolver=resolver,
            remover=remover,
            report=report,
        ),
        stale_objects=tuple(stale_objects),
        has_strangers=any(_has_labels_of(each, job.uid, current.name) for each in proof.strangers),
    )


def _read_proven(proven: Proven) -> Pod:
    pod, number = read_pod(proven.body), proven.attempt.number
    return replace(pod, component=proven.component, attempt=number, group=proven.group or pod.group)


def _has_labels_of(body: Body, uid: str, cluster: str) -> bool:
    """Whether it is a pod that a request finds by the labels of the job's cluster."""
    labels = body["metadata"].get("labels") or {}
    return body["kind"] == "Pod" and (labels.get(c.JOB_UID_LABEL), labels.get(c.DASK_CLUSTER_LABEL)) == (uid, cluster)


def belongs(body: Body, uid: str) -> bool:
    """Whether an object claims to belong to the job with that UID: by its label, and by its DaskJob owner if it has
    one."""
    metadata = body["metadata"]
    if (metadata.get("labels") or {}).get(c.JOB_UID_LABEL) != uid:
        return False
    owners = [each for each in metadata.get("ownerReferences") or () if each.get("kind") == "DaskJob"]
    return all(each.get("uid") == uid for each in owners)


def _read_owned(body: Body, attempt: int) -> Owned:
    metadata = body["metadata"]
    return Owned(
        kind=body["kind"],
        name=metadata["name"],
        uid=metadata["uid"],
        attempt=attempt,
        created=from_text(metadata.get("creationTimestamp")),
        deleting=bool(metadata.get("deletionTimestamp")),
        # A pod's deletionTimestamp is when its node must have ended it; another object's, when the deletion began.
        deletion_deadline=from_text(metadata.get("deletionTimestamp")) if body["kind"] == "Pod" else None,
    )


def _read_group(body: Body) -> WorkerGroup:
    metadata = body["metadata"]
    replicas = (((body.get("spec") or {}).get("worker")) or {}).get("replicas")
    return WorkerGroup(
        name=metadata["name"],
        uid=metadata["uid"],
        replicas=replicas if isinstance(replicas, int) else 0,
        deleting=bool(metadata.get("deletionTimestamp")),
        created=from_text(metadata.get("creationTimestamp")),
        asked=from_text((metadata.get("annotations") or {}).get(c.REPLACE_ANNOTATION)),
        refusal=_read_refusal(body),
    )


def _read_refusal(body: Body, kind: str = "") -> Blocker | None:
    """Why Kubernetes refused a pod of a cluster or a group, or an object of that kind, as `dask_controller.connection`
    wrote it."""
    text = (body["metadata"].get("annotations") or {}).get(c.REFUSED_ANNOTATION)
    try:
        refusal = json.loads(text or "null")
        # Cut to what the status has room for: others may write the annotation, too.
        status, message = (int(refusal["status"]), str(refusal["message"])[:4096]) if refusal else (0, "")
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if not status or str(refusal.get("kind", "")) != kind:
        return None
    if status == 409:
        return Blocker(Reason.NAME_CONFLICT, message)
    found = blocker_of(ApiError(kind_of(status, message), status, message))
    # The API server, or a webhook that it asks, is busy or down.
    return found or Blocker(Reason.KUBERNETES_FAILED, message)


def _read_report(body: Body) -> Report:
    spec = body.get("spec") or {}
    return Report(
        name=body["metadata"]["name"],
        uid=body["metadata"]["uid"],
        runner_uid=spec.get("runnerPodUID") or "",
        cancel=bool(spec.get("cancel")),
        content=read_report(body.get("status")),
        deadline=parse_deadline(spec.get("deadline")),
        policy=spec.get("policy") or "",
    )


def _by_age(pods: list[Pod]) -> tuple[Pod, ...]:
    return tuple(sorted(pods, key=lambda pod: (pod.created is None, pod.created or 0, pod.name)))
