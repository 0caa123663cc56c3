"""The runner's pod, its program, its job file and its report."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.pod_files import job_volume
from daskjob.manifests.pod_spec import CODE_PATH, PodPlan, pod_spec, template_metadata
from daskjob.wire import jobfile
from daskjob.wire.runner_deadline import RunnerDeadline

RUNNER_PATH = "/opt/daskjob/runner"
JOB_PATH = "/opt/daskjob/job"
TOKEN_PATH = "/var/run/secrets/daskjob"

#: Seconds in which the runner must cancel its graph and report the outcome.
GRACE_SECONDS = 10


def runner_config_map_name(archive: bytes) -> str:
    """The name of the ConfigMap with the runner's program, which has a digest of the program."""
    return f"daskjob-runner-{hashlib.sha256(archive).hexdigest()[:10]}"


def runner_config_map(namespace: str, archive: bytes) -> dict[str, Any]:
    """The ConfigMap with the runner's program: one per namespace and version, which all jobs share and none owns."""
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


def is_same_program(found: Mapping[str, Any], program: Mapping[str, Any]) -> bool:
    """Whether a ConfigMap has the same program as the one that the operator would create, and keeps it."""
    return found.get("immutable") is True and found.get("binaryData") == program["binaryData"]


def job_file(context: AttemptContext, deadline: RunnerDeadline | None = None) -> jobfile.JobFile:
    """The job file of the attempt's runner: what it runs, where, and for how long at most."""
    graph, workers = context.spec.graph, context.spec.cluster.workers
    adaptive = workers.adaptive
    return jobfile.JobFile(
        namespace=context.job.namespace,
        name=context.job.name,
        uid=context.job.uid,
        attempt=context.attempt.number,
        report=context.attempt.name,
        entrypoint=graph.entrypoint,
        args=list(graph.args),
        kwargs=dict(graph.kwargs),
        keys=list(graph.keys) or None,
        scheduler=context.names.scheduler_address(context.defaults.cluster_domain),
        scheduler_timeout=context.spec.startup_deadline_seconds,
        code_path=CODE_PATH if context.source is not None else None,
        min_workers=workers.min_workers,
        adaptive=jobfile.AdaptiveBounds(adaptive.minimum, adaptive.maximum) if adaptive is not None else None,
        deadline=deadline,
        unattended=context.defaults.unattended_seconds,
    )


def runner_pod(context: AttemptContext, program: str) -> dict[str, Any]:
    """The runner's pod. `program`: the name of the ConfigMap with its zipapp.

    Raises SpecError for a template with a forbidden field.
    """
    component, token = context.spec.runner, context.defaults.report_token
    metadata = template_metadata(component)
    spec = pod_spec(
        context,
        PodPlan(
            component,
            "runner",
            "spec.runner.template",
            {"command": ["python3", f"{RUNNER_PATH}/runner.pyz"], "terminationMessagePolicy": "File"},
            mounts=[
                {"name": "runner", "mountPath": RUNNER_PATH, "readOnly": True},
                {"name": "job", "mountPath": JOB_PATH, "readOnly": True},
                *([{"name": "token", "mountPath": TOKEN_PATH, "readOnly": True}] if token else []),
            ],
            volumes=[
                {"name": "runner", "configMap": {"name": program}},
                job_volume(context),
                *([_token_volume()] if token else []),
            ],
            pod={"restartPolicy": "Never", "terminationGracePeriodSeconds": GRACE_SECONDS},
            environment={
                jobfile.VARIABLE: f"{JOB_PATH}/job.json",
                "DASKJOB_REPORT": "kubernetes" if token else "none",
            },
        ),
    )
    # The operator's labels override those of the template.
    labels = {**metadata["labels"], **context.labels, c.COMPONENT_LABEL: "runner"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": context.metadata(
            context.names.runner,
            context.runner_token,
            labels=labels,
            annotations=metadata["annotations"],
        ),
        "spec": spec,
    }


def _token_volume() -> dict[str, Any]:
    """The volume with the runner's token. It is bound to the pod, and can only write the status of the report that
    names the pod."""
    certificates = {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}
    sources = [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}, {"configMap": certificates}]
    return {"name": "token", "projected": {"defaultMode": 0o444, "sources": sources}}


def report(context: AttemptContext, runner_uid: str, deadline: RunnerDeadline | None = None) -> dict[str, Any]:
    """The report, whose status only the runner of this attempt may write."""
    return {
        "apiVersion": c.API_VERSION,
        "kind": "DaskJobReport",
        "metadata": context.metadata(context.attempt.name, context.runner_token),
        "spec": {
            "job": context.job.name,
            "jobUID": context.job.uid,
            "attempt": context.attempt.number,
            "runnerPodUID": runner_uid,
            **({"deadline": deadline.shape()} if deadline is not None else {}),
        },
    }
