"""A volume that the pods of a job share, for a store of files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .kube import Kube
from .settings import image
from .waiting import wait_for

#: Where the pods have it.
PATH = "/mnt/results"


def volume(source: dict[str, Any]) -> dict[str, Any]:
    """Parts of a job's spec that mount a volume into runner and workers."""
    pod = {
        "volumes": [{"name": "results", **source}],
        "containers": [{"name": "NAME", "volumeMounts": [{"name": "results", "mountPath": PATH}]}],
    }

    def template(name: str) -> dict[str, Any]:
        return {"template": {"spec": {**pod, "containers": [{**pod["containers"][0], "name": name}]}}}

    return {"cluster": {"workers": template("worker")}, "runner": template("runner")}


def shared_claim(kube: Kube) -> Iterator[str]:
    """A claim of a volume on the node, to which everybody may write."""
    name, folder = f"{kube.namespace}-results", f"/var/tmp/{kube.namespace}-results"
    size = {"storage": "1Gi"}
    modes = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    host = {"path": folder, "type": "DirectoryOrCreate"}
    claimed = {"namespace": kube.namespace, "name": "results"}
    spec = {**modes, "capacity": size, "hostPath": host, "claimRef": claimed}
    opening = {
        "name": "main",
        "image": image("dask-new"),
        "imagePullPolicy": "Never",
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "results", "mountPath": PATH}],
    }

    def pod(pod_name: str, *command: str) -> None:
        volumes = [{"name": "results", "persistentVolumeClaim": {"claimName": "results"}}]
        container = {**opening, "command": [*command]}
        body = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
        kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod_name}, "spec": body})
        phase = wait_for(
            f"pod {pod_name} to end",
            lambda: ((kube.get("pod", pod_name) or {}).get("status") or {}).get("phase"),
            lambda found: found in ("Succeeded", "Failed"),
            60,
        )
        assert phase == "Succeeded"

    kube.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "results"},
            "spec": {**modes, "volumeName": name, "resources": {"requests": size}},
        },
    )
    pod("open-up", "chmod", "777", PATH)
    yield "results"
    pod("clear-up", "sh", "-c", f"rm -rf {PATH}/*")
    kube.delete("persistentvolume", name)
