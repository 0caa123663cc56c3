"""Workers of `command: cuda`: the real dask-cuda in pods. There is no GPU, but an imitation of NVIDIA's library.

The node's status says that it has two GPUs; IMITATED_GPUS says how many the library in a pod shows. Nothing is computed
on them: dask-cuda logs that it has no CUDA context, and goes on. Run by hand, with an image of its own: `make gpus`.
"""

from __future__ import annotations

from typing import Any

import pytest

from ..support.jobs import Job, apply, manifest, result_of
from ..support.kube import Kube
from ..support.platform import Release, load_images
from ..support.settings import image
from ..support.sources import GO

GPU = "nvidia.com/gpu"
CODE = (
    f"GO = {GO!r}\n"
    + """
import os
import time

from distributed import get_worker


def load(number):
    assert "-default-worker-" in get_worker().name
    return number


def use(number):
    time.sleep(1)
    worker = get_worker()
    print("this is a task on a GPU", flush=True)
    return [
        worker.name.partition("-gpu-worker-")[2],
        os.environ["CUDA_VISIBLE_DEVICES"],
        worker.state.total_resources,
        worker.memory_manager.memory_limit,
        type(worker.data).__name__,
    ]


def on_gpus(client, numbers):
    loaded = client.map(load, numbers, resources={"default": 1})
    found = client.gather(client.map(use, loaded, resources={"gpu": 1}))
    return sorted(row for index, row in enumerate(found) if row not in found[:index])


def names(client):
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return [each["name"] for each in workers if "-gpu-worker-" in each["name"]]


def twice(client):
    first = on_gpus(client, range(8))
    client.restart(timeout=60)
    second = on_gpus(client, range(8, 16))
    while not os.path.exists(GO):
        time.sleep(0.1)
    return [first, second]


def until_they_go(client):
    first = on_gpus(client, range(8))
    while names(client):
        time.sleep(0.1)
    return [first, on_gpus(client, range(8, 16))]
"""
)


@pytest.fixture(autouse=True)
def gpus(release: Release) -> Any:
    """The image, and a node with two GPUs."""
    load_images(release.kube, "dask-cuda")
    node = next(each for each in release.kube.list("nodes") if not each["spec"].get("taints"))["metadata"]["name"]
    release.kube.patch("node", node, {"status": {"capacity": {GPU: "2"}}}, subresource="status")
    yield
    release.kube.patch("node", node, {"status": {"capacity": {GPU: None}}}, subresource="status")


def a_job(kube: Kube, name: str, entrypoint: str, shown: int, limits: dict[str, Any], **group: Any) -> Job:
    """A job with a group `gpu`. `shown`: how many GPUs NVIDIA's library shows in a pod of it."""
    env = [{"name": "IMITATED_GPUS", "value": str(shown)}]
    gpu = {"name": "gpu", "command": "cuda", "env": env, "resources": {"limits": limits}, **group}
    return apply(
        kube,
        manifest(
            name,
            CODE,
            graph={"entrypoint": f"job:{entrypoint}"},
            cluster={"image": image("dask-cuda"), "imagePullPolicy": "Never", "workerGroups": [gpu]},
            backoffLimit=3,
        ),
    )


def counts(status: dict[str, Any]) -> dict[str, tuple[int, int]]:
    groups = (status.get("cluster") or {}).get("groups") or []
    return {each["name"]: (each["wanted"], each["ready"]) for each in groups}


def gpus_of(pods: list[dict[str, Any]]) -> list[str | None]:
    """What the containers of pods ask for."""
    containers = [each for pod in pods for each in pod["spec"]["containers"]]
    return [(each.get("resources") or {}).get("limits", {}).get(GPU) for each in containers]


def test_two_workers_of_one_gpu_each(kube: Kube) -> None:
    job = a_job(kube, "one-each", "twice", 1, {GPU: 1, "memory": "1Gi"}, replicas=2, minWorkers=2)
    status = job.reaches("both rounds", lambda status: (status.get("progress") or {}).get("done", 0) >= 16, 120)
    assert counts(status) == {"default": (1, 1), "gpu": (2, 2)}
    own = [pod for pod in job.pods("worker") if "-gpu-worker-" in pod["metadata"]["name"]]
    others = [pod for pod in job.pods("worker") if pod not in own]
    assert gpus_of(own) == ["1", "1"]
    assert gpus_of([*others, *job.pods("scheduler"), *job.pods("runner")]) == [None] * 3
    for pod in (*own, *others):
        log = kube.kubectl("logs", pod["metadata"]["name"])
        assert ("this is a task on a GPU" in log) == (pod in own)
    names = sorted(pod["metadata"]["name"].partition("-gpu-worker-")[2] for pod in own)
    job.let_go()
    wanted = [[name, "0", {"gpu": 1.0}, 2**30, "DeviceHostFile"] for name in names]
    assert result_of(job.end()) == [wanted, wanted], "restarted, they have the same names"
    job.is_clean()


def test_one_worker_of_two_gpus_that_comes_and_goes(kube: Kube) -> None:
    adaptive = {"minimum": 0, "maximum": 1}
    job = a_job(kube, "two", "until_they_go", 2, {GPU: 2, "memory": "2Gi"}, processes=2, adaptive=adaptive)
    status = job.reaches("a worker", lambda status: counts(status).get("gpu") == (1, 1), 90)
    assert status["cluster"]["summary"] == "2/2"
    first, second = result_of(job.end(150))
    for found in (first, second):
        [pod] = {row[0].rpartition("-")[0] for row in found}
        rest = [{"gpu": 1.0}, 2**30, "DeviceHostFile"]
        assert found == [[f"{pod}-0", "0,1", *rest], [f"{pod}-1", "1,0", *rest]]
    assert first[0][0] != second[0][0], "the first pod was retired, and its processes with it"
    job.is_clean()


@pytest.mark.parametrize(
    ("shown", "words"),
    [(0, "finds no GPU here (NVIDIA's library says 0)"), (2, "which is 2, and processes is 1")],
)
def test_another_number_of_gpus_ends_the_job_once_it_needs_the_group(kube: Kube, shown: int, words: str) -> None:
    job = a_job(kube, "wrong", "twice", shown, {}, adaptive={"maximum": 1})
    status = job.end()
    assert (status["failure"]["reason"], status["attempt"]) == ("WrongGpuCount", 1), status
    assert words in status["failure"]["message"]
    job.is_clean()
