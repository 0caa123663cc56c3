"""The runner's pod, its job file and its report."""

from __future__ import annotations

from typing import Any

from daskjob.api import constants as c
from daskjob.api.attempt_names import group_name
from daskjob.api.constants import ResultFormat
from daskjob.api.payload_secret import KEY
from daskjob.api.result_spec import ResultKeeping, Store
from daskjob.manifests.checked_folders import code_path, for_runner
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.launch import RUN
from daskjob.manifests.paths import JOB_PATH, PAYLOAD_PATH, RECORDING_PATH, TOKEN_PATH, copy_of
from daskjob.manifests.pod_files import JOB_FILE, job_volume, payload_volumes
from daskjob.manifests.pod_spec import PodPlan, pod_spec, template_metadata
from daskjob.manifests.store_secret import StoreSecretFiles
from daskjob.runner.saving import STOP_BUDGET
from daskjob.wire import jobfile
from daskjob.wire.runner_deadline import RunnerDeadline

#: Seconds in which the runner must cancel its graph and report the outcome.
GRACE_SECONDS = 10
#: Seconds more in which it saves what is kept of the attempt.
SAVING_SECONDS = int(STOP_BUDGET)


def job_file(context: AttemptContext, deadline: RunnerDeadline | None = None) -> jobfile.JobFile:
    """The job file of the attempt's runner: what it runs, where, and for how long at most."""
    graph = context.spec.graph
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
        code_path=code_path(context),
        groups=tuple(
            each.orders(key, f"{group_name(context.attempt.name, key)}-worker-")
            for key, each in context.spec.cluster.groups.items()
        ),
        deadline=deadline,
        unattended=context.defaults.unattended_seconds,
        store=store_orders(context.store, context.spec.result),
        report_orders=_report_orders(context),
        payload_path=f"{copy_of(PAYLOAD_PATH)}/{KEY}" if context.payload is not None else None,
    )


def store_orders(store: Store | None, result: ResultKeeping) -> jobfile.StoreOrders | None:
    """What the runner is told of the store of its result."""
    if store is None:
        return None
    return jobfile.StoreOrders(store.url, dict(store.options), str(result.format or ResultFormat.AUTO))


def _report_orders(context: AttemptContext) -> jobfile.ReportOrders | None:
    report, store = context.spec.report, context.report_store
    if report is None or store is None:
        return None
    orders = jobfile.StoreOrders(store.url, dict(store.options))
    return jobfile.ReportOrders(orders, report.logs, report.html, report.trace)


def _recording(context: AttemptContext) -> dict[str, str]:
    """The variables by which the runner begins to keep something before it has read its job file."""
    if context.spec.report is None:
        return {}
    log = {jobfile.LOG_VARIABLE: f"{RECORDING_PATH}/runner.log"} if context.spec.report.logs else {}
    return {jobfile.RECORDING_VARIABLE: RECORDING_PATH, **log}


def runner_pod(context: AttemptContext) -> dict[str, Any]:
    """The runner's pod. Raises SpecError for a template with a forbidden field."""
    component, token = context.spec.runner, context.defaults.report_token
    metadata, store_secret = template_metadata(component), StoreSecretFiles.of(context)
    report_secret = StoreSecretFiles.of_report(context)
    grace = GRACE_SECONDS + (SAVING_SECONDS if context.spec.report is not None else 0)
    spec = pod_spec(
        context,
        PodPlan(
            component,
            "runner",
            "spec.runner.template",
            {"command": ["python3", "-c", RUN, for_runner(context)], "terminationMessagePolicy": "File"},
            mounts=[
                {"name": "job", "mountPath": JOB_PATH, "readOnly": True},
                *([{"name": "payload", "mountPath": PAYLOAD_PATH, "readOnly": True}] if context.payload else []),
                *([{"name": "token", "mountPath": TOKEN_PATH, "readOnly": True}] if token else []),
                *store_secret.mounts,
                *report_secret.mounts,
            ],
            volumes=[
                job_volume(context),
                *payload_volumes(context),
                *([_token_volume()] if token else []),
                *store_secret.volumes,
                *report_secret.volumes,
            ],
            pod={"restartPolicy": "Never", "terminationGracePeriodSeconds": grace},
            environment={
                jobfile.VARIABLE: f"{copy_of(JOB_PATH)}/{JOB_FILE}",
                "DASKJOB_REPORT": "kubernetes" if token else "none",
                **store_secret.environment,
                **report_secret.environment,
                **_recording(context),
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
            **({"policy": context.defaults.report_policy} if context.defaults.report_policy else {}),
            **({"deadline": deadline.shape()} if deadline is not None else {}),
        },
    }
