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


def run_in_volume(kube: Kube, name: str, script: str) -> None:
    """Runs a shell's script in the volume, as root. It must succeed."""
    container = {
        "name": "main",
        "image": image("dask-new"),
        "imagePullPolicy": "Never",
        "securityContext": {"runAsUser": 0},
        "workingDir": PATH,
        "command": ["sh", "-c", script],
        "volumeMounts": [{"name": "results", "mountPath": PATH}],
    }
    volumes = [{"name": "results", "persistentVolumeClaim": {"claimName": "results"}}]
    body = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
    kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body})
    phase = wait_for(
        f"pod {name} to end",
        lambda: ((kube.get("pod", name) or {}).get("status") or {}).get("phase"),
        lambda found: found in ("Succeeded", "Failed"),
        60,
    )
    assert phase == "Succeeded"


def shared_claim(kube: Kube) -> Iterator[str]:
    """A claim of a volume on the node, to which everybody may write."""
    name, folder = f"{kube.namespace}-results", f"/var/tmp/{kube.namespace}-results"
    size = {"storage": "1Gi"}
    modes = {"accessModes": ["ReadWriteMany"], "storageClassName": ""}
    host = {"path": folder, "type": "DirectoryOrCreate"}
    claimed = {"namespace": kube.namespace, "name": "results"}
    spec = {**modes, "capacity": size, "hostPath": host, "claimRef": claimed}
    kube.apply(
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "results"},
            "spec": {**modes, "volumeName": name, "resources": {"requests": size}},
        },
    )
    run_in_volume(kube, "open-up", "chmod 777 .")
    yield "results"
    run_in_volume(kube, "clear-up", "rm -rf *")
    kube.delete("persistentvolume", name)
