"""Nodes that kwok imitates: their pods run at once, cost nothing, and do nothing."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..support.kube import Kube
from ..support.programs import program
from ..support.waiting import wait_for

STAGES = Path(__file__).with_name("stages.yaml")
#: The annotation by which kwok knows its nodes.
IMITATED = ("kwok.x-k8s.io/node", "fake")
#: Keeps pods from the real nodes, but those that tolerate it: the operator's.
TAINT = "daskjob-tests/real-node"
TOLERATION = {"key": TAINT, "operator": "Exists"}
HOSTNAME = "kubernetes.io/hostname"
NODES, PODS_PER_NODE = 20, 1000
#: Addresses of the imitated nodes and their pods, of the benchmarking range (RFC 2544) like those of tests/cluster.
NODE_ADDRESS, POD_ADDRESSES = "198.18.0.2", "198.18.128.0/17"


@contextmanager
def imitated_nodes(kube: Kube, count: int = NODES) -> Iterator[str]:
    """`count` nodes for 1,000 pods each, which take all pods of jobs, until the end. Yields the real node's name."""
    nodes = json.loads(kube.kubectl("get", "nodes", "-o", "json"))["items"]
    real = [node["metadata"]["name"] for node in nodes if not is_imitated(node)]
    names = [f"imitated-{number}" for number in range(count)]
    with tempfile.NamedTemporaryFile("w", prefix="kwok-", suffix=".log") as log:
        kwok = subprocess.Popen(command(kube), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            kube.kubectl("taint", "nodes", *real, f"{TAINT}=:NoSchedule", "--overwrite")
            kube.apply(*(manifest(name) for name in names))
            wait_for(f"{count} imitated nodes to be ready", lambda: _ready(kube), lambda ready: ready >= count, 60)
            assert kwok.poll() is None, Path(log.name).read_text()[-2000:]
            yield real[0]
        finally:
            kube.delete("nodes", *names)
            kube.kubectl("taint", "nodes", *real, f"{TAINT}-")
            kwok.terminate()
            kwok.wait(20)


def command(kube: Kube) -> list[str]:
    key, value = IMITATED
    return [
        program("kwok"),
        f"--kubeconfig={kube.kubeconfig}",
        f"--config={STAGES}",
        f"--cidr={POD_ADDRESSES}",
        f"--node-ip={NODE_ADDRESS}",
        "--manage-all-nodes=false",
        f"--manage-nodes-with-annotation-selector={key}={value}",
        "--node-lease-duration-seconds=40",
    ]


def manifest(name: str) -> dict[str, Any]:
    room = {"cpu": "1000", "memory": "4Ti", "pods": str(PODS_PER_NODE)}
    labels = {HOSTNAME: name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": dict([IMITATED]), "labels": labels},
        "status": {"allocatable": room, "capacity": room},
    }


def is_imitated(node: dict[str, Any]) -> bool:
    key, value = IMITATED
    return (node["metadata"].get("annotations") or {}).get(key) == value


def _ready(kube: Kube) -> int:
    nodes = json.loads(kube.kubectl("get", "nodes", "-o", "json"))["items"]
    return sum(
        is_imitated(node)
        and any(each["type"] == "Ready" and each["status"] == "True" for each in node["status"].get("conditions", ()))
        for node in nodes
    )
