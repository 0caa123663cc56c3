"""Somebody replaces what the pods of a job mount: nothing of it runs, and the job says which object it was.

The pods wait meanwhile: a kubelet that has an immutable object does not look at it again.
"""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

from daskjob.manifests.pod_files import PROGRAM

from ..support.jobs import Job, apply, condition, manifest
from ..support.kube import Kube, Manifest
from ..support.waiting import wait_for

ADD = "def main(a, b):\n    return a + b\n"
#: Says in the runner's place that the job has succeeded.
FORGERY = """\
import json
end = {"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "666"}}
open("/dev/termination-log", "w").write(json.dumps(end))
"""
GATE = {"template": {"spec": {"schedulingGates": [{"name": "example.com/not-yet"}]}}}


def begin(kube: Kube, name: str) -> tuple[Job, list[Manifest]]:
    """A job, and its three pods, which wait to be scheduled."""
    cluster = {"scheduler": GATE, "workers": GATE}
    job = apply(kube, manifest(name, ADD, [1, 2], cluster=cluster, runner=GATE))

    def pods() -> list[Manifest]:
        return [each for component in ("scheduler", "worker", "runner") for each in job.pods(component)]

    return job, wait_for("three pods that wait", pods, lambda found: len(found) == 3, 30)


def replace(kube: Kube, kind: str, name: str, data: dict[str, bytes]) -> None:
    """Deletes the object, and creates it anew with some of its data changed."""
    found = kube.get(kind, name)
    assert found is not None
    field = "binaryData" if kind == "configmap" else "data"
    changed = {key: base64.b64encode(content).decode() for key, content in data.items()}
    kube.delete(kind, name, wait=True)
    kube.apply({**found, "metadata": {"name": name}, field: {**found[field], **changed}})


def fails(job: Job, pods: list[Manifest]) -> str:
    """Lets the pods start. The message of the failure that the job must end with."""
    for pod in pods:
        job.kube.patch("pod", pod["metadata"]["name"], {"spec": {"schedulingGates": None}})
    status = job.end()
    failure: dict[str, Any] = status.get("failure") or {}
    assert (failure.get("reason"), failure.get("class")) == ("FilesChanged", "Application"), status
    assert condition(status, "Failed")["reason"] == "FilesChanged"
    message = str(failure["message"])
    assert "Who may create or delete Secrets or ConfigMaps in this namespace can do this" in message
    return message


def test_a_program_that_is_replaced(kube: Kube) -> None:
    job, pods = begin(kube, "replaced-program")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", FORGERY)
    [runner] = job.pods("runner")
    [name] = [each["configMap"]["name"] for each in runner["spec"]["volumes"] if each["name"] == "runner"]
    replace(kube, "configmap", name, {PROGRAM: archive.getvalue()})
    message = fails(job, pods)
    assert message.startswith(f"ConfigMap {name} was changed by somebody: {PROGRAM} has sha256 ")
    assert "delete it, and the operator creates it anew" in message
    job.is_clean()


def test_a_secret_that_is_replaced(kube: Kube) -> None:
    job, pods = begin(kube, "replaced-secret")
    [name] = {each["secret"]["secretName"] for pod in pods for each in pod["spec"]["volumes"] if "secret" in each}
    replace(kube, "secret", name, {"0": b"raise SystemExit('another program')\n"})
    assert f"Secret {name} was changed by somebody: job.py has sha256 " in fails(job, pods)
    kube.delete("secret", name)
    job.is_clean()
