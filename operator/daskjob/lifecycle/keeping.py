"""What the operator keeps in memory of an object: what decisions read, and not the object.

It keeps no managed fields, code, arguments or templates, and only a stand-in of a long text. The kind asks the API
server for the whole object when it checks a spec or creates an attempt, and before it writes a long text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from daskjob import wire
from daskjob.api import constants as c
from daskjob.api.constants import ConditionType
from daskjob.api.long_texts import shorten
from daskjob.api.runner_report import LONG
from daskjob.api.spec import digest, parse_spec
from daskjob.lifecycle.pods import USUAL
from daskjob.streams.depth import UNREADABLE

Body = dict[str, Any]

METADATA = ("namespace", "name", "uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
LABELS = (
    c.MANAGED_BY_LABEL,
    c.JOB_LABEL,
    c.JOB_UID_LABEL,
    c.ATTEMPT_LABEL,
    c.COMPONENT_LABEL,
    c.DASK_CLUSTER_LABEL,
    c.DASK_COMPONENT_LABEL,
    c.INSTALLATION_LABEL,
)
ANNOTATIONS = (
    c.RERUN_ANNOTATION,
    c.RUN_NOW_ANNOTATION,
    c.SCHEDULED_AT_ANNOTATION,
    c.REFUSED_ANNOTATION,
    c.REPLACE_ANNOTATION,
    c.TOKEN_ANNOTATION,
    c.GROUPS_ANNOTATION,
)
OWNER = ("apiVersion", "kind", "name", "uid", "controller")
#: An object of ours has one owner; a user may add his own.
MOST_OWNERS = 10
#: Fields of a spec that is not believed otherwise: whose a job is, and whether it is to be stopped.
PLAIN = ("managedBy", "cancel", "suspend")
#: The field with the fingerprint of a job's run, which needs the whole spec.
DIGEST = "digest"
CONTAINER = ("name", "ready", "restartCount", "state", "lastState")
CONDITION = ("type", "status", "reason", "message")
#: The conditions that are read, with the status in which they say nothing: then they are not kept.
POD_CONDITIONS = {"PodScheduled": "True", "Ready": "True", "DisruptionTarget": "False"}


def rests(body: Body) -> bool:
    """Whether hardly any pass will look at an object again, by what is kept of it: a job of which nothing is left, a
    report with an outcome, a pod that has ended."""
    status = body.get("status") or {}
    match body.get("kind"):
        case "DaskJob":
            conditions = status.get("conditions") or ()
            return any(
                (each.get("type"), each.get("status")) == (ConditionType.CLEANED_UP, "True") for each in conditions
            )
        case "DaskJobReport":
            return bool(status.get("outcome"))
        case "Pod":
            return status.get("phase") in ("Succeeded", "Failed")
    return False


def keep_any(keep: Callable[[Body], Body], body: Body) -> Body:
    """What is kept of an object, whatever is in its spec and status. `keep`: one of the functions below.

    Where that one raises, the object gets the field `UNREADABLE`: the operator knows that it exists, and of the rest
    takes what `keep` can take. Raises ValueError if its metadata is not what the API server makes of metadata.
    """
    try:
        return _kept_by(keep, body)
    except Exception as error:
        problem = f"is not as its schema says ({type(error).__name__}: {str(error)[:200]})"
    spec = body.get("spec")
    body = {**body, "spec": _some(spec, PLAIN) if isinstance(spec, dict) else {}, UNREADABLE: problem}
    try:
        return _kept_by(keep, body)
    except Exception:
        try:
            return _kept(body)
        except Exception as error:
            raise ValueError(f"metadata that no API server has: {error}") from error


def _kept_by(keep: Callable[[Body], Body], body: Body) -> Body:
    kept = keep(body)
    # The cache asks for it as it stores the object.
    rests(kept)
    return kept


def keep_dask_job(body: Body) -> Body:
    """What the operator keeps of a DaskJob."""
    kept = _kept(body, "generation")
    if c.RESULTS_FINALIZER in (body["metadata"].get("finalizers") or ()):
        kept["metadata"]["finalizers"] = [c.RESULTS_FINALIZER]
    spec = body.get("spec") or {}
    graph, cluster = spec.get("graph") or {}, spec.get("cluster") or {}
    source = {key: value for key, value in (graph.get("source") or {}).items() if key in ("configMap", "git")}
    workers, groups = cluster.get("workers") or {}, cluster.get("workerGroups") or ()
    kept["spec"] = {
        **{key: value for key, value in spec.items() if key not in ("graph", "cluster", "runner")},
        "graph": {"entrypoint": graph.get("entrypoint", ""), **({"source": source} if source else {})},
        "cluster": {
            **_some(cluster, ("image", "dashboard")),
            "workers": {key: value for key, value in workers.items() if key != "template"},
            **({"workerGroups": list(map(_keep_group, groups))} if groups else {}),
        },
    }
    kept[DIGEST] = digest(parse_spec(spec))
    kept["status"] = _status(body)
    return kept


def _keep_group(group: Body) -> Body:
    return {key: value for key, value in group.items() if key not in ("template", "env")}


def keep_cron_job(body: Body) -> Body:
    """What the operator keeps of a DaskCronJob."""
    spec = {key: value for key, value in (body.get("spec") or {}).items() if key != "jobTemplate"}
    return {**_kept(body, "generation"), "spec": spec, "status": body.get("status") or {}}


def keep_report(body: Body) -> Body:
    """What the operator keeps of a DaskJobReport."""
    # A stand-in is of what the readers of reports take, and not of what a hostile runner wrote.
    reported = dict(body.get("status") or {})
    if not reported.get("outcome"):
        # Nobody reads them yet, and to check a large result takes a while: a flood of reports must not cost that.
        reported = {key: value for key, value in reported.items() if key not in LONG}
    cleaned = {"status": wire.parse_report(reported)}
    return {**_kept(body), "spec": body.get("spec") or {}, "status": _status(cleaned)}


def keep_cluster(body: Body) -> Body:
    """What the operator keeps of a DaskCluster."""
    return _kept(body)


def keep_worker_group(body: Body) -> Body:
    """What the operator keeps of a DaskWorkerGroup."""
    worker = (body.get("spec") or {}).get("worker") or {}
    return {**_kept(body), "spec": {"worker": _some(worker, ("replicas",))}}


def keep_pod(body: Body) -> Body:
    """What the operator keeps of a pod."""
    spec, status = body.get("spec") or {}, body.get("status") or {}
    containers = [{"name": each.get("name", "")} for each in spec.get("containers") or ()]
    initial = [{"name": "", **_some(each, ("name", "restartPolicy"))} for each in spec.get("initContainers") or ()]
    gates: Body = {"readinessGates": [{}]} if spec.get("readinessGates") else {}
    claims = [_some(each, ("resourceClaimName",)) for each in spec.get("resourceClaims") or ()]
    kinds = ("initContainerStatuses", "containerStatuses")
    states = {kind: [_some(each, CONTAINER) for each in status[kind]] for kind in kinds if status.get(kind)}
    return {
        **_kept(body),
        "spec": {
            **({"initContainers": initial} if initial else {}),
            "containers": containers,
            **_some(spec, ("nodeName", "activeDeadlineSeconds")),
            **{key: spec[key] for key, usual in USUAL.items() if spec.get(key, usual[0]) not in usual},
            **gates,
            **({"resourceClaims": claims} if claims else {}),
        },
        "status": {
            **_some(status, ("phase", "reason", "message", "podIP")),
            "conditions": _conditions(body, POD_CONDITIONS),
            **states,
        },
    }


def _kept(body: Body, *more: str) -> Body:
    """What is kept of any object. `more`: further fields of its metadata."""
    metadata = body["metadata"]
    kept = _some(metadata, (*METADATA, *more))
    labels, annotations = metadata.get("labels") or {}, _some(metadata.get("annotations") or {}, ANNOTATIONS)
    if labels:
        kept["labels"] = _some(labels, LABELS)
    if annotations:
        kept["annotations"] = {key: text[: c.ANNOTATION_LENGTH] for key, text in annotations.items()}
    if metadata.get("ownerReferences"):
        kept["ownerReferences"] = [_some(each, OWNER) for each in metadata["ownerReferences"][:MOST_OWNERS]]
    return {**_some(body, ("apiVersion", "kind", UNREADABLE)), "metadata": kept}


def _status(body: Body) -> Body:
    """The status of a job or a report, with stand-ins for its long texts."""
    status = dict(body.get("status") or {})
    for field, long in LONG.items():
        part = status.get(field)
        if isinstance(part, Mapping):
            status[field] = {key: shorten(value) if key in long else value for key, value in part.items()}
    return status


def _conditions(body: Body, usual: Mapping[str, str]) -> list[Body]:
    conditions = (body.get("status") or {}).get("conditions") or ()
    telling = [each for each in conditions if each.get("status") != usual.get(each.get("type"), each.get("status"))]
    return [_some(each, CONDITION) for each in telling]


def _some(mapping: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}
