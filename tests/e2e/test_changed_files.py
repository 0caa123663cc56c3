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


def test_a_secret_that_is_replaced_before_a_worker_mounts_it(kube: Kube) -> None:
    gate = {"spec": {"schedulingGates": [{"name": "example.com/not-yet"}]}}
    job = apply(kube, manifest("replaced-secret", ADD, [1, 2], cluster={"workers": {"replicas": 1, "template": gate}}))
    job.pod("scheduler")

    def secret_of_workers() -> tuple[str, str] | None:
        for pod in job.pods("worker"):
            [code] = [each for each in pod["spec"]["volumes"] if each["name"] == "code"]
            return pod["metadata"]["name"], code["secret"]["secretName"]
        return None

    found = wait_for("a worker that waits", secret_of_workers, bool, 30)
    assert found is not None
    worker, name = found
    secret = kube.get("secret", name)
    assert secret is not None
    other: Manifest = {**secret, "metadata": {"name": name}}
    other["data"] = {**secret["data"], "0": base64.b64encode(b"raise SystemExit('another program')\n").decode()}
    kube.delete("secret", name, wait=True)
    kube.apply(other)
    kube.patch("pod", worker, {"spec": {"schedulingGates": None}})
    message = fails(job, 30)
    assert message.startswith(f"pod {worker} (worker): Secret {name} was changed by somebody: job.py has sha256 ")
    assert "Who may create or delete Secrets or ConfigMaps in this namespace can do this" in message
    kube.delete("secret", name)
    job.is_clean()
