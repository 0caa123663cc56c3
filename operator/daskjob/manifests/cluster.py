"""The DaskCluster of an attempt, and what must be there before its pods: Service, ConfigMap (the Secret: `tls`)."""

from __future__ import annotations

from typing import Any

from daskjob.api import constants as c
from daskjob.api.status import Attempt
from daskjob.lifecycle.job.observation import Job
from daskjob.manifests.launch import LAUNCH
from daskjob.manifests.names import Names, labels, names_of, owned_by_cluster, owned_by_job
from daskjob.manifests.pods import JOB_KEY, Defaults, pod_spec, template_metadata
from daskjob.sources import source_of

#: The cluster is gone within moments of its end; nothing in it is worth a goodbye.
GRACE_SECONDS = 1


def dask_cluster(job: Job, attempt: Attempt, defaults: Defaults) -> dict[str, Any]:
    """The DaskCluster. dask-kubernetes copies its labels and annotations to all that it makes of it.

    Raises SpecError for a template that asks for what it may not have.
    """
    workers = job.spec.cluster.workers
    return {
        "apiVersion": c.DASK_API_VERSION,
        "kind": "DaskCluster",
        "metadata": {
            "name": attempt.name,
            "namespace": job.namespace,
            "labels": {**labels(job, attempt), c.DASK_CLUSTER_LABEL: attempt.name},
            "ownerReferences": owned_by_job(job),
        },
        "spec": {
            "scheduler": {
                "metadata": template_metadata(job.spec.cluster.scheduler),
                "spec": _scheduler(job, attempt, defaults),
                "service": service_spec(attempt.name),
            },
            "worker": {
                "replicas": workers.initial,
                "metadata": template_metadata(workers),
                "spec": _worker(job, attempt, defaults),
            },
        },
    }


def scheduler_service(job: Job, attempt: Attempt, cluster_uid: str) -> dict[str, Any]:
    """The scheduler's Service, as dask-kubernetes would make it (it keeps one that is there), but at once.

    So that the name exists before any process asks for it: "no such name" is remembered for up to half a minute.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": names_of(job, attempt).scheduler,
            "namespace": job.namespace,
            "labels": {
                **labels(job, attempt),
                c.DASK_CLUSTER_LABEL: attempt.name,
                c.DASK_COMPONENT_LABEL: "scheduler",
            },
            "ownerReferences": owned_by_cluster(attempt.name, cluster_uid),
        },
        "spec": service_spec(attempt.name),
    }


def service_spec(cluster: str) -> dict[str, Any]:
    return {
        "type": "ClusterIP",
        "selector": {c.DASK_CLUSTER_LABEL: cluster, c.DASK_COMPONENT_LABEL: "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": c.SCHEDULER_PORT, "targetPort": "tcp-comm"},
        ],
        # Clients try until the scheduler answers: no need to wait for a probe first.
        "publishNotReadyAddresses": True,
    }


def code_config_map(job: Job, attempt: Attempt, cluster_uid: str, job_file: str) -> dict[str, Any]:
    """The code that the manifest carries, for all pods, and what the runner is told (`job_file`, JSON)."""
    source = source_of(job.spec.graph)
    files = source.files() if source is not None else ()
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": names_of(job, attempt).code,
            "namespace": job.namespace,
            "labels": labels(job, attempt),
            "ownerReferences": owned_by_cluster(attempt.name, cluster_uid),
        },
        "immutable": True,
        "data": {JOB_KEY: job_file, **{file.key: file.content for file in files}},
    }


def _command(module: str, *arguments: str) -> list[str]:
    return ["python3", "-c", LAUNCH, module, *arguments]


def _scheduler(job: Job, attempt: Attempt, defaults: Defaults) -> dict[str, Any]:
    dashboard = ["--dashboard"] if job.spec.cluster.dashboard else ["--no-dashboard"]
    container = {
        "command": _command(
            "distributed.cli.dask_scheduler",
            *("--protocol", "tls", "--port", str(c.SCHEDULER_PORT)),
            # The dashboard has no authentication: only a port-forward reaches it.
            *("--dashboard-address", f"127.0.0.1:{c.DASHBOARD_PORT}", *dashboard),
        ),
        "ports": [{"name": "tcp-comm", "containerPort": c.SCHEDULER_PORT, "protocol": "TCP"}],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return pod_spec(
        job,
        attempt,
        job.spec.cluster.scheduler,
        defaults,
        name="scheduler",
        path="spec.cluster.scheduler.template",
        container=container,
        # Without it, tasks that no worker is left for would wait for ever.
        env={"DASK_DISTRIBUTED__SCHEDULER__NO_WORKERS_TIMEOUT": f"{job.spec.startup_deadline_seconds} s"},
        pod={"terminationGracePeriodSeconds": GRACE_SECONDS},
    )


def _worker(job: Job, attempt: Attempt, defaults: Defaults) -> dict[str, Any]:
    workers = job.spec.cluster.workers
    address = Names(job.namespace, attempt.name).scheduler_address(defaults.cluster_domain)
    container = {
        "command": _command(
            "distributed.cli.dask_worker",
            address,
            # The kubelet is the nanny here; and retired workers are found by the name of their Deployment.
            *("--no-nanny", "--no-dashboard", "--name", "$(DASK_WORKER_NAME)"),
            *("--nthreads", str(workers.threads), "--local-directory", "/tmp"),
            *_memory_limit(workers.resources),
            *("--death-timeout", str(max(60, job.spec.startup_deadline_seconds))),
        ),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return pod_spec(
        job,
        attempt,
        workers,
        defaults,
        name="worker",
        path="spec.cluster.workers.template",
        container=container,
        pod={"terminationGracePeriodSeconds": GRACE_SECONDS},
    )


def _memory_limit(resources: Any) -> list[str]:
    """The container's own memory, in Kubernetes' notation, which Dask understands. Left to itself, Dask would count
    on the node's cores: a worker with one thread of eight would use an eighth of its container."""
    resources = resources or {}
    size = (resources.get("limits") or {}).get("memory") or (resources.get("requests") or {}).get("memory")
    return ["--memory-limit", str(size)] if size else []
