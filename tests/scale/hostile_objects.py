"""Objects that the API server takes and that nobody needs: huge, deep, with thousands of labels. Pure.

Each is the bytes of a request, because Python's own JSON encoder does not write what is nested so deep.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .manifests import job

#: etcd takes 1.5 MiB an object.
HUGE = 1_400_000
#: What Go's JSON decoder takes is 10,000 levels, those of the object around it included.
DEPTH = 9_980
LABELS = 10_000
#: A place for text that is not built with json.dumps.
_HERE = "@@HERE@@"
OPERATORS = {"app.kubernetes.io/managed-by": "daskjob-operator"}


@dataclass(frozen=True)
class Hostile:
    """A body for the collection `path` below the namespace's root `root`."""

    name: str
    root: str
    plural: str
    body: bytes


OUR_ROOT, DASK_ROOT = "/apis/daskjob.io/v1alpha1", "/apis/kubernetes.dask.org/v1"


def hostile_objects() -> Iterator[Hostile]:
    """Every kind with every fault that the API server has taken of it, as far as no schema refuses it today."""
    text = "x" * 1000
    for number in range(2):
        # A list may have 1,024 items; what they are is anybody's.
        yield _job(f"huge-{number}", args=[[text] * (HUGE // 1004)])
        yield _cron_job(f"huge-{number}", args=[[text] * (HUGE // 1004)])
    yield _report("huge", many_annotations=HUGE)
    yield _cluster("huge", annotations={f"a{number}": text for number in range(HUGE // 1010)})
    nested = "[" * DEPTH + "]" * DEPTH
    yield _with(_job("deep", args=[_HERE]), nested)
    yield _with(_cron_job("deep", args=[_HERE]), nested)
    yield _with(_job("deep-objects", args=[_HERE]), '{"a":' * DEPTH + "1" + "}" * DEPTH)
    yield _with(_job("numbers", args=[_HERE]), f"[{'9' * 300}, -{'9' * 300}, 1e308, 5e-324, -0.0]")
    yield _with(_job("surrogates", args=[_HERE]), r'["\ud800", "\udfff\ud800", "\u0000"]')
    labels = {f"label-{number}": "x" for number in range(LABELS)}
    for make in (_job, _cron_job, _report, _cluster):
        yield make("labelled", labels=labels)


def _job(name: str, args: list[Any] | None = None, labels: dict[str, str] | None = None) -> Hostile:
    body = job(name)
    body["metadata"]["labels"] = labels or {}
    body["spec"]["graph"]["args"] = args or []
    return _hostile(OUR_ROOT, "daskjobs", body)


def _cron_job(name: str, args: list[Any] | None = None, labels: dict[str, str] | None = None) -> Hostile:
    spec = job(name)["spec"]
    spec["graph"]["args"] = args or []
    # No run is due while this lasts.
    body = {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskCronJob",
        "metadata": {"name": name, "labels": labels or {}},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": spec}},
    }
    return _hostile(OUR_ROOT, "daskcronjobs", body)


def _report(name: str, many_annotations: int = 0, labels: dict[str, str] | None = None) -> Hostile:
    """With the label by which the operator's watch selects reports."""
    body = {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJobReport",
        # Annotations may have 256 KiB; owners and finalizers count as well as labels.
        "metadata": {"name": name, "labels": {**OPERATORS, **(labels or {})}},
        "spec": {"job": name, "jobUID": "0", "attempt": 1},
    }
    if many_annotations:
        owner = {"apiVersion": "v1", "kind": "ConfigMap", "uid": "0"}
        body["metadata"]["ownerReferences"] = [
            {**owner, "name": f"{number}-{'x' * 200}"} for number in range(many_annotations // 280)
        ]
    return _hostile(OUR_ROOT, "daskjobreports", body)


def _cluster(name: str, annotations: dict[str, str] | None = None, labels: dict[str, str] | None = None) -> Hostile:
    """With the label by which operator and Dask controller select clusters."""
    pod = {"containers": [{"name": "x", "image": "imitated/dask:1"}]}
    service = {"type": "ClusterIP", "selector": {}, "ports": [{"name": "tcp-comm", "port": 8786}]}
    body = {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name, "labels": {**OPERATORS, **(labels or {})}},
        "spec": {
            "worker": {"replicas": 1, "metadata": {"annotations": annotations or {}}, "spec": pod},
            "scheduler": {"service": service, "spec": pod},
        },
    }
    return _hostile(DASK_ROOT, "daskclusters", body)


def _hostile(root: str, plural: str, body: dict[str, Any]) -> Hostile:
    return Hostile(body["metadata"]["name"], root, plural, json.dumps(body).encode())


def _with(hostile: Hostile, text: str) -> Hostile:
    """The same with `text`, which is JSON, in its place."""
    body = hostile.body.replace(f'"{_HERE}"'.encode(), text.encode())
    return Hostile(hostile.name, hostile.root, hostile.plural, body)
