"""The same job for every contender: the sum of the squares of 500 numbers, through Delayed, on two workers. Pure."""

from __future__ import annotations

from typing import Any

from support.settings import image

Manifest = dict[str, Any]

COUNT = 500
RESULT = sum(number * number for number in range(COUNT))
WORKERS = 2
IMAGE = image("dask-new")
#: Where dask-kubernetes' own operator runs, and where it looks for jobs: nowhere else, for it would act on ours.
PEER_SYSTEM, PEER_NAMESPACE = "benchmark-peer-operator", "benchmark-peer"

CODE = """\
from dask import delayed


def square(number):
    return number * number


def graph(count):
    return delayed(sum)([delayed(square)(number) for number in range(count)])
"""
#: What a person writes without us: connects (DASK_SCHEDULER_ADDRESS is set), computes, prints; and says when.
SCRIPT = f"""\
from time import time

from dask.distributed import Client
{CODE}

if __name__ == "__main__":
    client = Client()
    result = graph({COUNT}).compute()
    print(result, time())
    assert result == {RESULT}, result
"""


def our_job(name: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "graph": {"entrypoint": "squares:graph", "args": [COUNT], "source": {"inline": CODE}},
            "cluster": {"image": IMAGE, "imagePullPolicy": "IfNotPresent", "workers": {"replicas": WORKERS}},
        },
    }


def peer_job(name: str, namespace: str, *, fast: bool) -> Manifest:
    """dask-kubernetes' DaskJob as its documentation has it; `fast`: with a readiness probe at once and every second.

    Dask no longer has the commands of that page, `dask-scheduler` and `dask-worker`: these are what replaced them.
    """
    image = {"image": IMAGE, "imagePullPolicy": "IfNotPresent"}
    health = {"httpGet": {"port": "http-dashboard", "path": "/health"}}
    delay, period = (0, 1) if fast else (5, 10)
    scheduler = {
        "name": "scheduler",
        **image,
        "args": ["dask", "scheduler"],
        "ports": [
            {"name": "tcp-comm", "containerPort": 8786, "protocol": "TCP"},
            {"name": "http-dashboard", "containerPort": 8787, "protocol": "TCP"},
        ],
        "readinessProbe": {**health, "initialDelaySeconds": delay, "periodSeconds": period},
        "livenessProbe": {**health, "initialDelaySeconds": 15, "periodSeconds": 20},
    }
    service = {
        "type": "ClusterIP",
        "selector": {"dask.org/cluster-name": name, "dask.org/component": "scheduler"},
        "ports": [
            {"name": "tcp-comm", "protocol": "TCP", "port": 8786, "targetPort": "tcp-comm"},
            {"name": "http-dashboard", "protocol": "TCP", "port": 8787, "targetPort": "http-dashboard"},
        ],
    }
    worker = {"name": "worker", **image, "args": ["dask", "worker", "--name", "$(DASK_WORKER_NAME)"]}
    return {
        "apiVersion": "kubernetes.dask.org/v1",
        "kind": "DaskJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "job": {"spec": {"containers": [{"name": "job", **image, "args": ["python", "-c", SCRIPT]}]}},
            "cluster": {
                "spec": {
                    "worker": {"replicas": WORKERS, "spec": {"containers": [worker]}},
                    "scheduler": {"spec": {"containers": [scheduler]}, "service": service},
                }
            },
        },
    }


def bare_objects(name: str, namespace: str) -> list[Manifest]:
    """A headless service, scheduler, workers and runner: the least that does the job, in the order of creation."""
    host = f"{name}-scheduler"
    address = f"tcp://{host}.{namespace}.svc.cluster.local:8786"
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": host, "namespace": namespace},
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {"benchmark": host},
            "ports": [{"name": "tcp-comm", "port": 8786}],
        },
    }

    def pod(suffix: str, arguments: list[str], **environment: str) -> Manifest:
        full = f"{name}-{suffix}"
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": full, "namespace": namespace, "labels": {"benchmark": full}},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "containers": [
                    {
                        "name": suffix,
                        "image": IMAGE,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", *arguments],
                        "env": [{"name": key, "value": value} for key, value in environment.items()],
                    }
                ],
            },
        }

    scheduler = ["-m", "distributed.cli.dask_scheduler", "--port", "8786", "--no-dashboard"]
    worker = ["-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard", "--nthreads", "1"]
    worker += ["--local-directory", "/tmp"]
    return [
        service,
        pod("scheduler", scheduler),
        *(pod(f"worker-{number}", worker) for number in range(WORKERS)),
        pod("runner", ["-c", SCRIPT], DASK_SCHEDULER_ADDRESS=address),
    ]


def peer_operator(image: str) -> list[Manifest]:
    """dask-kubernetes' own operator, unmodified, as its image and chart start it, but for one namespace; with its
    account's rights."""
    labels = {"app": "dask-kubernetes-operator"}
    health = {"httpGet": {"path": "/healthz", "port": 8080}}
    name = {"name": PEER_SYSTEM}
    container = {
        "name": "operator",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["kopf", "run", "-m", "dask_kubernetes.operator.controller"],
        "args": ["--liveness=http://0.0.0.0:8080/healthz", f"--namespace={PEER_NAMESPACE}"],
        "startupProbe": {**health, "periodSeconds": 1, "failureThreshold": 120},
        "livenessProbe": {**health, "timeoutSeconds": 5},
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": name},
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PEER_NAMESPACE}},
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**name, "namespace": PEER_SYSTEM}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": name,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": PEER_SYSTEM, "namespace": PEER_SYSTEM}],
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {**name, "namespace": PEER_SYSTEM, "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"serviceAccountName": PEER_SYSTEM, "containers": [container]},
                },
            },
        },
    ]
