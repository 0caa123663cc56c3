"""Somebody replaces what the pods of a job mount: nothing of it runs, and the job says which object it was."""

from __future__ import annotations

import base64
import io
import zipfile
from typing import Any

from daskjob.manifests.pod_files import PROGRAM, runner_config_map_name
from daskjob.runner.archive import build

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


def fails(job: Job, seconds: float) -> str:
    """The message of the failure that the job must end with."""
    failure: dict[str, Any] = job.end(seconds)["failure"]
    assert (failure["reason"], failure["class"]) == ("FilesChanged", "Application"), failure
    assert condition(job.status(), "Failed")["reason"] == "FilesChanged"
    return str(failure["message"])


def test_a_program_that_somebody_else_put_there_first(kube: Kube) -> None:
    """The name of the ConfigMap is the same in all namespaces: it is no secret."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("__main__.py", FORGERY)
    name = runner_config_map_name(build())
    content = {PROGRAM: base64.b64encode(archive.getvalue()).decode()}
    kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "binaryData": content})
    job = apply(kube, manifest("replaced-program", ADD, [1, 2], infrastructureRetries=0))
    message = fails(job, 30)
    assert message.startswith(f"ConfigMap {name} was changed by somebody: {PROGRAM} has sha256 ")
    job.is_clean()


def test_a_secret_that_is_replaced_before_the_pods_mount_it(kube: Kube) -> None:
    """Later it would do nothing: a kubelet asks once for an immutable Secret."""
    gate = {"template": {"spec": {"schedulingGates": [{"name": "example.com/not-yet"}]}}}
    job = apply(
        kube, manifest("replaced-secret", ADD, [1, 2], cluster={"scheduler": gate, "workers": gate}, runner=gate)
    )

    def pods() -> list[Manifest]:
        return [each for component in ("scheduler", "worker", "runner") for each in job.pods(component)]

    waiting = wait_for("three pods that wait", pods, lambda found: len(found) == 3, 30)
    [name] = {each["secret"]["secretName"] for pod in waiting for each in pod["spec"]["volumes"] if "secret" in each}
    secret = kube.get("secret", name)
    assert secret is not None
    other: Manifest = {**secret, "metadata": {"name": name}}
    other["data"] = {**secret["data"], "0": base64.b64encode(b"raise SystemExit('another program')\n").decode()}
    kube.delete("secret", name, wait=True)
    kube.apply(other)
    for pod in waiting:
        kube.patch("pod", pod["metadata"]["name"], {"spec": {"schedulingGates": None}})
    message = fails(job, 30)
    assert f"Secret {name} was changed by somebody: job.py has sha256 " in message
    assert "Who may create or delete Secrets or ConfigMaps in this namespace can do this" in message
    kube.delete("secret", name)
    job.is_clean()
