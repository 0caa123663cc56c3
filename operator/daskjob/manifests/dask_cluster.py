"""The DaskCluster of an attempt, and the Service that must exist before its pods."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from daskjob.api import constants as c
from daskjob.api.attempt_names import group_name
from daskjob.api.cluster_spec import DEFAULT_GROUP, WorkerGroup, Workers, path_of_group
from daskjob.api.constants import WorkerCommand
from daskjob.api.tokens import follows_from
from daskjob.manifests.checked_folders import code_path, for_dask
from daskjob.manifests.context import AttemptContext
from daskjob.manifests.devices import check_gpus_of, check_no_gpus
from daskjob.manifests.launch import RUN
from daskjob.manifests.paths import OUTPUT_PATH
from daskjob.manifests.pod_spec import PodPlan, pod_spec, resources_of, template_metadata
from daskjob.manifests.store_secret import StoreSecretFiles
from daskjob.runner.dask_process import DASK_CUDA, DASK_WORKER
from daskjob.runner.output_copy import OUTPUT_VARIABLE
from daskjob.runner.surroundings import PROCESSES_VARIABLE, REQUEST_VARIABLE
from daskjob.schema.quantity import amount

#: Seconds: the pods of an ended cluster must go at once, and have nothing to save.
GRACE_SECONDS = 1
#: Dask names the clients that tasks open `Client-worker-…`, by which a scheduler tells whether anybody but its own
#: workers talks to it (`runner.unattended`). This gives the same name to a client that user code opens on a worker
#: itself. And what a nanny would set: `hash` of a text is the same on all workers, for user code that spreads data by
#: it. Under a nanny, tasks may have pools of processes, as without one: Python allows no child of a daemon any.
WORKER_ENVIRONMENT = {
    "DASK_CLIENT_NAME": "worker",
    "PYTHONHASHSEED": "6640",
    "DASK_DISTRIBUTED__WORKER__DAEMON": "False",
}


def dask_cluster(context: AttemptContext) -> dict[str, Any]:
    """The DaskCluster. dask-kubernetes copies its labels and annotations to all objects that it creates for it.

    Its own worker group is the default one. Raises SpecError for a template with a forbidden field.
    """
    cluster, attempt = context.spec.cluster, context.attempt
    metadata = context.metadata(attempt.name, context.cluster_token, labels={c.DASK_CLUSTER_LABEL: attempt.name})
    if context.tokens is not None and cluster.worker_groups:
        pledges = {each.name: follows_from(context.tokens.group(each.name)) for each in cluster.worker_groups}
        metadata["annotations"][c.GROUPS_ANNOTATION] = json.dumps(pledges)
    return {
        "apiVersion": c.DASK_API_VERSION,
        "kind": "DaskCluster",
        "metadata": metadata,
        "spec": {
            "scheduler": {
                "metadata": template_metadata(cluster.scheduler),
                "spec": scheduler_spec(context),
                "service": service_spec(attempt.name),
            },
            "worker": _worker(context, DEFAULT_GROUP),
        },
        # What dask-kubernetes writes at first sight of a cluster, to create its objects when it sees that.
        "status": {"phase": "Created"},
    }


def worker_groups(context: AttemptContext, cluster_uid: str) -> list[dict[str, Any]]:
    """The DaskWorkerGroups beside the cluster's own, as dask-kubernetes would create them. Raises SpecError for a
    template with a forbidden field."""
    groups = []
    for each in context.spec.cluster.worker_groups:
        labels = {c.DASK_CLUSTER_LABEL: context.attempt.name, c.DASK_COMPONENT_LABEL: "workergroup"}
        metadata = context.metadata_beside(group_name(context.attempt.name, each.name), cluster_uid, labels=labels)
        if context.tokens is not None:
            metadata["annotations"] = {c.TOKEN_ANNOTATION: context.tokens.group(each.name)}
        spec = {"cluster": context.attempt.name, "worker": _worker(context, each.name)}
        groups.append({"apiVersion": c.DASK_API_VERSION, "kind": "DaskWorkerGroup", "metadata": metadata, "spec": spec})
    return groups


def _worker(context: AttemptContext, key: str) -> dict[str, Any]:
    """What dask-kubernetes makes the workers of a group from. `key`: the group's name in the spec."""
    workers = context.spec.cluster.groups[key]
    return {
        "replicas": workers.initial,
        "metadata": template_metadata(workers),
        "spec": worker_spec(context, key),
    }


def scheduler_service(context: AttemptContext, cluster_uid: str) -> dict[str, Any]:
    """The scheduler's Service, as dask-kubernetes would create it, but without a selector.

    The operator creates it before any process looks its name up: a resolver caches "no such name" for up to half a
    minute. The Dask controller takes it for granted (`dask_controller.connection.KNOWN`). The operator adds the
    selector (`scheduler_selector`) when the pod has an address: the endpoints are then the first change for which
    kube-proxy writes rules, which it does at most once a second.
    """
    labels = {c.DASK_CLUSTER_LABEL: context.attempt.name, c.DASK_COMPONENT_LABEL: "scheduler"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": context.metadata_beside(context.names.scheduler, cluster_uid, labels=labels),
        "spec": {key: value for key, value in service_spec(context.attempt.name).items() if key != "selector"},
    }


def scheduler_selector(cluster: str) -> dict[str, str]:
    """The labels of a cluster's scheduler, by which its Service finds the pod. `cluster`: the DaskCluster's name."""
    return {c.DASK_CLUSTER_LABEL: cluster, c.DASK_COMPONENT_LABEL: "scheduler"}


def service_spec(cluster: str) -> dict[str, Any]:
    """The spec of a scheduler's Service. `cluster`: the DaskCluster's name."""
    return {
        "type": "ClusterIP",
        "selector": scheduler_selector(cluster),
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": c.SCHEDULER_PORT, "targetPort": "tcp-comm"},
        ],
        # Clients try until the scheduler answers, so they need not wait until its readiness probe succeeds.
        "publishNotReadyAddresses": True,
    }


def _command(context: AttemptContext, module: str, patience: int, *arguments: str) -> list[str]:
    """The command of a process that leaves by itself after `patience` seconds without a contact, and after the startup
    deadline and the installation's margin without the first one."""
    first = context.spec.startup_deadline_seconds + context.defaults.unattended_seconds
    times = (str(max(first, patience)), str(patience))
    start = ("--dask", module, code_path(context) or "", *times)
    return ["python3", "-c", RUN, for_dask(context), *start, *arguments]


def scheduler_spec(context: AttemptContext) -> dict[str, Any]:
    """The PodSpec of the scheduler. Raises SpecError for a template with a forbidden field."""
    cluster, cleanup = context.spec.cluster, context.spec.cleanup
    # Nobody need be connected to a cluster that is kept after the end.
    kept = max(cleanup.after_success_seconds, cleanup.after_failure_seconds)
    fields = {
        "command": _command(
            context,
            "distributed.cli.dask_scheduler",
            context.defaults.unattended_seconds + kept,
            *("--protocol", "tls", "--port", str(c.SCHEDULER_PORT), *cluster.scheduler.dask_options),
            # The dashboard has no authentication, so it listens where only a port-forward reaches it.
            *("--dashboard-address", f"127.0.0.1:{c.DASHBOARD_PORT}"),
            "--dashboard" if cluster.dashboard else "--no-dashboard",
        ),
        "ports": [{"name": "tcp-comm", "containerPort": c.SCHEDULER_PORT, "protocol": "TCP"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    settings = {
        # Without it, tasks for which no worker is left would wait for ever.
        "DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": f"{context.spec.startup_deadline_seconds} s",
        **cluster.scheduler.environment,
        **_output(context),
    }
    spec = pod_spec(
        context,
        PodPlan(
            cluster.scheduler,
            "scheduler",
            "spec.cluster.scheduler.template",
            fields,
            environment=settings,
            pod={"terminationGracePeriodSeconds": GRACE_SECONDS},
        ),
    )
    check_no_gpus(spec, cluster.scheduler.resources, "spec.cluster.scheduler")
    return spec


def worker_spec(context: AttemptContext, key: str = DEFAULT_GROUP) -> dict[str, Any]:
    """The PodSpec of the workers of a group. `key`: its name in the spec. Raises SpecError for a template with a
    forbidden field."""
    workers = context.spec.cluster.groups[key]
    store_secret = StoreSecretFiles.of(context)
    fields = {
        "command": _command(
            context,
            DASK_CUDA if workers.command is WorkerCommand.CUDA else DASK_WORKER,
            context.defaults.unattended_seconds,
            context.names.scheduler_address(context.defaults.cluster_domain),
            *_nanny(workers),
            # The worker has the name of its pod, so that the operator finds the pods of retired workers.
            *("--name", "$(DASK_WORKER_NAME)"),
            # Without a dashboard, a worker still serves health and metrics over HTTP, without TLS.
            *("--no-dashboard", "--dashboard-address", "127.0.0.1:0"),
            *workers.dask_options,
            *("--local-directory", "/tmp"),
            *("--death-timeout", str(max(60, context.spec.startup_deadline_seconds))),
        ),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    spec = pod_spec(
        context,
        PodPlan(
            workers,
            "worker",
            f"{path_of_group(key)}.template",
            fields,
            environment={
                **WORKER_ENVIRONMENT,
                **_memory(resources_of(context, workers, "worker"), workers.processes),
                **store_secret.environment,
                **_output(context),
            },
            mounts=store_secret.mounts,
            volumes=store_secret.volumes,
            pod={"terminationGracePeriodSeconds": GRACE_SECONDS},
            variables=workers.env if isinstance(workers, WorkerGroup) else (),
        ),
    )
    if workers.command is WorkerCommand.CUDA:
        check_gpus_of(spec, workers.processes, path_of_group(key))
    return spec


def _output(context: AttemptContext) -> dict[str, str]:
    """The variable by which a process keeps what it prints, where the report is to have it."""
    report = context.spec.report
    return {OUTPUT_VARIABLE: OUTPUT_PATH} if report is not None and report.logs else {}


def _nanny(workers: Workers) -> list[str]:
    """The options for several processes, which only a nanny starts; dask-cuda has one anyway. Of a single process, the
    kubelet is the nanny, and a process and its memory are saved (tests/benchmarks/nannies.py)."""
    if workers.command is WorkerCommand.CUDA:
        return []
    return ["--nanny", "--nworkers", str(workers.processes)] if workers.processes > 1 else ["--no-nanny"]


def _memory(resources: Mapping[str, Any], processes: int) -> dict[str, str]:
    """Among how many processes the memory is divided, and what the container requests for each, in Kubernetes'
    notation, which Dask understands: their limit, if the container has none. Without it, Dask divides the memory by the
    node's cores: a worker with one thread on a node of eight cores would use an eighth of the node."""
    size = (resources.get("requests") or {}).get("memory")
    shares = {PROCESSES_VARIABLE: str(processes)} if processes > 1 else {}
    if size and processes > 1:
        size = int(amount(str(size)) / processes)
    return {**shares, REQUEST_VARIABLE: str(size)} if size else shares
