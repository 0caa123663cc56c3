"""The runner's pod, its program and its report."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from daskjob.api import constants as c
from daskjob.api.codec import to_dict
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.names import labels, names_of, owned_by_job
from daskjob.manifests.pods import ATTEMPT_VARIABLE, CODE_PATH, JOB_KEY, Defaults, pod_spec, template_metadata

RUNNER_PATH = "/opt/daskjob/runner"
JOB_PATH = "/opt/daskjob/job"
TOKEN_PATH = "/var/run/secrets/daskjob"

#: Time for the runner to cancel its graph and leave its last words.
GRACE_SECONDS = 10
#: What fits into a resource's status beside everything else.
RESULT_BYTES = 256 * 1024


def runner_config_map_name(archive: bytes) -> str:
    return f"daskjob-runner-{hashlib.sha256(archive).hexdigest()[:10]}"


def runner_config_map(namespace: str, archive: bytes) -> dict[str, Any]:
    """The runner's program: one a namespace and version, shared by all jobs, owned by none."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": runner_config_map_name(archive),
            "namespace": namespace,
            "labels": {c.MANAGED_BY_LABEL: c.MANAGER, c.COMPONENT_LABEL: "runner-program"},
        },
        "immutable": True,
        "binaryData": {"runner.pyz": base64.b64encode(archive).decode()},
    }


def job_file(job: Job, attempt: Attempt, defaults: Defaults) -> str:
    """What the runner is told, as JSON."""
    graph, names = job.spec.graph, names_of(job, attempt)
    adaptive = job.spec.cluster.workers.adaptive
    return json.dumps(
        {
            "protocol": 1,
            "job": {"namespace": job.namespace, "name": job.name, "uid": job.uid},
            "attempt": attempt.number,
            "report": attempt.name,
            "graph": {
                "entrypoint": graph.entrypoint,
                "args": list(graph.args),
                "kwargs": dict(graph.kwargs),
                "keys": list(graph.keys) or None,
            },
            "scheduler": {
                "address": names.scheduler_address(defaults.cluster_domain),
                "timeoutSeconds": job.spec.startup_deadline_seconds,
            },
            "codePath": CODE_PATH if graph.source is not None else None,
            "minWorkers": job.spec.cluster.workers.min_workers,
            "adaptive": to_dict(adaptive) if adaptive is not None else None,
            "limits": {"resultBytes": RESULT_BYTES},
        }
    )


def runner_pod(job: Job, attempt: Attempt, defaults: Defaults, program: str) -> dict[str, Any]:
    """The runner's pod; `program`: the name of the ConfigMap with its zipapp.

    Raises SpecError for a template that asks for what it may not have.
    """
    metadata = template_metadata(job.spec.runner)
    spec = pod_spec(
        job,
        attempt,
        job.spec.runner,
        defaults,
        name="runner",
        path="spec.runner.template",
        container={
            "command": ["python3", f"{RUNNER_PATH}/runner.pyz"],
            "terminationMessagePolicy": "File",
        },
        mounts=[
            {"name": "runner", "mountPath": RUNNER_PATH, "readOnly": True},
            {"name": "job", "mountPath": JOB_PATH, "readOnly": True},
            *([{"name": "token", "mountPath": TOKEN_PATH, "readOnly": True}] if defaults.report_token else []),
        ],
        volumes=[
            {"name": "runner", "configMap": {"name": program}},
            {
                "name": "job",
                "configMap": {
                    "name": names_of(job, attempt).code,
                    "items": [{"key": JOB_KEY, "path": "job.json"}],
                },
            },
            *([_token_volume()] if defaults.report_token else []),
        ],
        pod={"restartPolicy": "Never", "terminationGracePeriodSeconds": GRACE_SECONDS},
    )
    ours = [
        {"name": ATTEMPT_VARIABLE, "value": str(attempt.number)},
        {"name": "DASKJOB_JOB_FILE", "value": f"{JOB_PATH}/job.json"},
        {"name": "DASKJOB_REPORT", "value": "kubernetes" if defaults.report_token else "none"},
    ]
    runner = next(each for each in spec["containers"] if each["name"] == "runner")
    runner["env"] = [each for each in runner["env"] if not each["name"].startswith("DASKJOB_")] + ours
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": names_of(job, attempt).runner,
            "namespace": job.namespace,
            "labels": {**metadata["labels"], **labels(job, attempt), c.COMPONENT_LABEL: "runner"},
            "annotations": metadata["annotations"],
            "ownerReferences": owned_by_job(job),
        },
        "spec": spec,
    }


def _token_volume() -> dict[str, Any]:
    """Bound to the pod: the one thing it can do is write the status of the report that names that pod."""
    certificates = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}, {"configMap": certificates}]
    return {"name": "token", "projected": {"defaultMode": 0o444, "sources": sources}}


def report(job: Job, attempt: Attempt, runner_uid: str) -> dict[str, Any]:
    """The object that the runner of this attempt, and no other, writes to."""
    return {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJobReport",
        "metadata": {
            "name": attempt.name,
            "namespace": job.namespace,
            "labels": labels(job, attempt),
            "ownerReferences": owned_by_job(job),
        },
        "spec": {"job": job.name, "jobUID": job.uid, "attempt": attempt.number, "runnerPodUID": runner_uid},
    }
