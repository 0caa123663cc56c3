"""Clusters as the operator creates them, the Dask controller that makes their objects, and what that asks for."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from daskjob.api import constants as c
from daskjob.api.tokens import Tokens

from ..support.waiting import wait_for
from .roles import await_right
from .server import Server

SYSTEM = "daskjob-system"
OPERATOR, CONTROLLER = "daskjob-operator", "daskjob-operator-dask-controller"
LABELS = {"app.kubernetes.io/managed-by": "daskjob-operator", "daskjob.io/job": "sum"}


def token(server: Server, account: str, namespace: str = SYSTEM) -> str:
    manifest = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    return str(server.admin.create(path, manifest).ok()["status"]["token"])


@contextmanager
def controller(server: Server, folder: Path, *namespaces: str) -> Iterator[Path]:
    """The launcher in a process, under the chart's service account; its log. Fails unless it ends well."""
    subject = {"kind": "ServiceAccount", "namespace": SYSTEM, "name": CONTROLLER}
    right = {"apiGroups": ["kubernetes.dask.org"], "resources": ["daskclusters"], "verbs": ["list"]}
    for namespace in namespaces or ("",):
        await_right(server, subject, right, namespace)
    config = json.loads(server.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token(server, CONTROLLER)}
    (folder / "kubeconfig").write_text(json.dumps(config))
    log = folder / "log"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "KUBECONFIG": str(folder / "kubeconfig"),
        "DASKJOB_HEALTH_PORT": "0",
        "DASKJOB_NAMESPACES": ",".join(namespaces),
    }
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "daskjob.dask_controller"], stdout=output, stderr=output, env=environment, cwd=folder
        )
        try:
            begun = log.stat().st_size
            wait_for(
                "the controller's start",
                lambda: log.read_text()[begun:],
                lambda said: "authentication has finished" in said,
            )
            yield log
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def dask_cluster(name: str, labels: dict[str, str], workers: int = 2, phase: str | None = "Created") -> dict[str, Any]:
    """As the operator creates it; `phase` None: as an earlier release of it did."""

    def container(component: str) -> dict[str, Any]:
        return {"containers": [{"name": component, "image": "localhost/none:test"}]}

    ports = [{"name": "tcp-comm", "port": 8786, "protocol": "TCP"}]
    selector = {"dask.org/cluster-name": name, "dask.org/component": "scheduler"}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskCluster",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "scheduler": {
                "spec": container("scheduler"),
                "service": {"type": "ClusterIP", "selector": selector, "ports": ports},
            },
            "worker": {"replicas": workers, "spec": container("worker")},
        },
        **({} if phase is None else {"status": {"phase": phase}}),
    }


def of_the_operator(server: Server, namespace: str, name: str, **more: Any) -> dict[str, Any]:
    """A cluster with what proves that the operator creates it, as the status of the job `sum` says."""
    manifest = dask_cluster(name, LABELS, **more)
    jobs = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    job = server.admin.get(f"{jobs}/sum")
    if job.status == 404:
        spec = {"graph": {"entrypoint": "m:f"}, "suspend": True}
        made = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": "sum"}, "spec": spec}
        server.admin.create(jobs, made).ok()
        job = server.admin.get(f"{jobs}/sum")
    tokens = Tokens(f"secret of {name}")
    attempts = job.ok().get("status", {}).get("attempts") or []
    attempts = [*attempts, {"number": len(attempts) + 1, "name": name, "tokenDigest": tokens.digest}]
    server.admin.merge(f"{jobs}/sum/status", {"status": {"attempts": attempts}}).ok()
    metadata = manifest["metadata"]
    labels = {**metadata["labels"], c.JOB_UID_LABEL: job.ok()["metadata"]["uid"]}
    return {**manifest, "metadata": {**metadata, "labels": labels, "annotations": {c.TOKEN_ANNOTATION: tokens.cluster}}}


def dask(namespace: str, plural: str) -> str:
    return f"/apis/kubernetes.dask.org/v1/namespaces/{namespace}/{plural}"


def pods(server: Server, namespace: str, component: str) -> list[dict[str, Any]]:
    path = f"/api/v1/namespaces/{namespace}/pods?labelSelector=dask.org/component={component}"
    return list(server.admin.get(path).ok()["items"])


def workers_become(server: Server, namespace: str, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]]:
        return pods(server, namespace, "worker")

    return wait_for(f"{count} workers", look, lambda found: len(found) == count)


def scaled(log: Path, group: str, replicas: int) -> None:
    """Waits until the controller has given the worker group so many workers."""
    line = f"Scaled worker group {group} up to {replicas} workers."
    wait_for(f"group {group} of {replicas}", log.read_text, lambda text: line in text)


def requests(server: Server) -> Counter[tuple[str, str]]:
    """Requests so far by verb and resource, of all users. A list of one name counts as GET."""
    lines = server.admin.get("/metrics").message.splitlines()
    counted: Counter[tuple[str, str]] = Counter()
    for line in lines:
        if line.startswith("apiserver_request_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            counted[labels["verb"], labels["resource"]] += int(float(line.rsplit(" ", 1)[1]))
    return counted


#: What a cluster of two workers costs, but for what kopf's watches cost all clusters.
REQUESTS = {("GET", "daskjobs"): 1, ("POST", "pods"): 3, ("POST", "daskworkergroups"): 1}


def asked_of(made: Counter[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """Those of the requests that are about a cluster's objects: no lists or watches, and not the cluster's creation."""
    resources = {"daskjobs", "daskclusters", "daskworkergroups", "services", "pods", "events"}
    return {
        (verb, resource): count
        for (verb, resource), count in made.items()
        if resource in resources
        and verb not in ("LIST", "WATCH")
        and (verb, resource) != ("POST", "daskclusters")
        and count
    }
