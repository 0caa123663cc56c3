"""Groups of workers beside the usual ones: where their tasks run, how they grow, and that nothing is left of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ..support.jobs import apply, manifest, result_of
from ..support.kube import Kube
from ..support.sources import GO

#: No node here has a GPU: its status says that it has two, which nothing of Kubernetes checks.
GPU = "nvidia.com/gpu"
CODE = (
    f"GO = {GO!r}\n"
    + """
import os
import time

import dask
from dask import delayed
from distributed import get_worker


def where(number):
    time.sleep(0.3)
    worker = get_worker()
    group = worker.name.split("-worker-")[0].split("-")[-1]
    while group == "late" and not os.path.exists(GO):
        time.sleep(0.1)
    return [group, os.environ.get("KIND"), getattr(worker, "prepared", None)]


def main():
    parts = {}
    for group in ("default", "big", "late"):
        with dask.annotate(resources={group: 1}):
            parts[group] = [delayed(where)(number, dask_key_name=f"{group}-{number}") for number in range(6)]
    return parts
"""
)
PREPARE = "def dask_setup(worker):\n    worker.prepared = 'yes'\n"


def test_tasks_run_in_the_group_that_they_ask_for(kube: Kube) -> None:
    """One group begins with no worker, and gets some when there are tasks for it."""
    groups = [
        {"name": "big", "replicas": 2, "minWorkers": 2, "threads": 2, "env": [{"name": "KIND", "value": "large"}]},
        {"name": "late", "adaptive": {"maximum": 1}, "preload": ["prepare"]},
    ]
    graph = {"entrypoint": "code:main", "source": {"files": {"code.py": CODE, "prepare.py": PREPARE}}}
    body = manifest("groups", CODE, cluster={"workerGroups": groups})
    job = apply(kube, {**body, "spec": {**body["spec"], "graph": graph}})

    def with_late(status: dict[str, Any]) -> bool:
        shown = (status.get("cluster") or {}).get("groups") or []
        return any(each["name"] == "late" and each.get("ready") for each in shown)

    status = job.reaches("a worker of the group that begins with none", with_late, 60)
    counts = {each["name"]: (each["wanted"], each["ready"]) for each in status["cluster"]["groups"]}
    assert counts == {"default": (1, 1), "big": (2, 2), "late": (1, 1)}
    assert status["cluster"]["workers"] == {"wanted": 4, "ready": 4}
    job.let_go("worker")
    wanted = {"default": [None, None], "big": ["large", None], "late": [None, "yes"]}
    assert result_of(job.end()) == {name: [[name, *rest]] * 6 for name, rest in wanted.items()}
    job.is_clean()


PROCESSES = (
    f"GO = {GO!r}\n"
    + """
import os
import time

from distributed import get_worker


def where(number):
    time.sleep(1)
    worker = get_worker()
    return [worker.name.partition("-worker-")[2].count("-"), worker.memory_manager.memory_limit, worker.state.nthreads]


def main(client):
    # Each process takes one at a time.
    found = client.gather(client.map(where, range(8), resources={"gpu": 1}))
    while not os.path.exists(GO):
        time.sleep(0.1)
    return [len(client.scheduler_info(n_workers=-1)["workers"]), min(found), max(found)]
"""
)


@pytest.fixture
def two_gpus(release: Any) -> Iterator[None]:
    node = next(each for each in release.kube.list("nodes") if not each["spec"].get("taints"))["metadata"]["name"]
    release.kube.patch("node", node, {"status": {"capacity": {GPU: "2"}}}, subresource="status")
    yield
    release.kube.patch("node", node, {"status": {"capacity": {GPU: None}}}, subresource="status")


def test_the_processes_of_a_worker_are_one_worker_with_all_devices(kube: Kube, two_gpus: None) -> None:
    group = {"name": "gpu", "processes": 2, "resources": {"limits": {GPU: 2, "memory": "600Mi"}}}
    job = apply(kube, manifest("processes", PROCESSES, cluster={"workerGroups": [group]}))
    status = job.reaches("all workers", lambda status: (status.get("progress") or {}).get("done"), 60)
    counts = {each["name"]: (each["wanted"], each["ready"]) for each in status["cluster"]["groups"]}
    assert counts == {"default": (1, 1), "gpu": (1, 1)}
    limits = {
        pod["metadata"]["name"]: container.get("resources", {}).get("limits", {}).get(GPU)
        for component in ("scheduler", "worker", "runner")
        for pod in job.pods(component)
        for container in pod["spec"]["containers"]
    }
    assert {name.split("-")[-3] for name, count in limits.items() if count == "2"} == {"gpu"}, limits
    job.let_go()
    process = [1, 300 * 2**20, 1]
    assert result_of(job.end()) == [3, process, process]
    job.is_clean()


def test_an_image_without_dask_cuda_ends_the_job_once_it_needs_the_group(kube: Kube) -> None:
    group = {"name": "gpu", "adaptive": {"maximum": 1}, "command": "cuda"}
    code = "def main(client):\n    return client.submit(sum, [1], resources={'gpu': 1})\n"
    job = apply(kube, manifest("cuda", code, cluster={"workerGroups": [group]}, backoffLimit=3))
    status = job.end(60)
    assert (status["failure"]["reason"], status["attempt"]) == ("DaskCudaMissing", 1), status
    assert "the image has no dask-cuda" in status["failure"]["message"]
    job.is_clean()
