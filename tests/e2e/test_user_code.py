"""What user code meets in its pods: clients, memory, a home; and what it is told when it waits in vain."""

from __future__ import annotations

from typing import Any

from ..support.jobs import apply, condition, ended, manifest, result_of
from ..support.kube import Kube
from ..support.sources import GO
from ..support.waiting import wait_for

#: Seconds within which a mistake must be told: 15 on a machine that has nothing else to do.
SOON = 45

SCRIPT = """
from dask.distributed import Client, worker_client

def inc(number):
    return number + 1

client = Client()
total = client.submit(sum, client.map(inc, range(5))).result()

def on_a_worker(numbers):
    with worker_client() as given:
        one = sum(given.gather(given.map(inc, numbers)))
    own = Client()
    return [one, sum(own.gather(own.map(inc, numbers))), own.scheduler.address.partition(":")[0]]

def main():
    own = Client()
    return [total, own.map(inc, range(3)), client.submit(on_a_worker, [1, 2])]
"""


SURROUNDINGS = """
import getpass, os, pathlib, sys
from dask import delayed
from dask.distributed import get_worker

NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")

def look(worker):
    pathlib.Path("written").write_text("here")
    pathlib.Path.home().joinpath("at-home").write_text("here")
    found = [getpass.getuser(), str(pathlib.Path.home()), os.path.exists("etc")]
    if worker:
        found += [get_worker().memory_manager.memory_limit, *(os.environ.get(name) for name in NAMES)]
    return found

def main():
    return [look(False), delayed(look)(True)]
"""


def test_what_a_process_finds_in_its_container(kube: Kube) -> None:
    """A user without an account, a working folder that is the root; the limit by template."""
    user = {"securityContext": {"runAsUser": 54321}}
    worker = {"name": "worker", "workingDir": "/", "resources": {"limits": {"memory": "400Mi"}}}
    cluster = {"workers": {"template": {"spec": {**user, "containers": [worker]}}}}
    runner = {"template": {"spec": {**user, "containers": [{"name": "runner", "workingDir": "/"}]}}}
    job = apply(kube, manifest("surroundings", SURROUNDINGS, cluster=cluster, runner=runner))
    alike = ["dask", "/tmp", False]
    assert result_of(job.end()) == [alike, [*alike, 400 * 2**20, "1", "1", "1", "65536"]]


def test_the_limit_of_a_namespaces_limit_range_counts(kube: Kube) -> None:
    limits = {"type": "Container", "default": {"memory": "500Mi"}, "defaultRequest": {"memory": "100Mi"}}
    kind = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "usual"}, "spec": {"limits": [limits]}}
    kube.apply(kind)
    code = "def main(client):\n    return [w['memory_limit'] for w in client.scheduler_info()['workers'].values()]\n"
    assert result_of(apply(kube, manifest("limits", code)).end()) == [500 * 2**20]


NOBODY_HAS = "def main(client):\n    return client.submit(sum, [1, 2], resources={'GPU': 1}, key='on-gpu')\n"


def test_a_resource_that_no_worker_has(kube: Kube) -> None:
    job = apply(kube, manifest("gpu", NOBODY_HAS))
    failure = job.end(SOON)["failure"]
    assert (failure["reason"], failure["class"]) == ("NoSuitableWorkers", "Application")
    assert failure["taskKey"] == "on-gpu"
    assert "asks for GPU: 1, which no worker offers: the workers offer no resources" in failure["message"]
    job.is_clean()


PAUSED = """
import time

def main(client):
    while {each["status"] for each in client.scheduler_info()["workers"].values()} != {"paused"}:
        time.sleep(0.1)
    return client.submit(sum, [1, 2])
"""


def test_workers_that_are_paused_do_not_look_healthy(kube: Kube) -> None:
    """Dask believes in less memory than its process takes; the kernel gives more, or it would be killed."""
    worker = {"name": "worker", "args": ["--memory-limit", "30MiB"]}
    template = {"spec": {"containers": [worker]}}
    job = apply(kube, manifest("paused", PAUSED, cluster={"workers": {"template": template}}))

    def told(status: Any) -> bool:
        return condition(status, "ClusterReady").get("reason") == "WorkersPaused"

    status = job.reaches("word of paused workers", told, SOON)
    assert condition(status, "ClusterReady")["status"] == "False"
    assert "memory limit of 30 MiB" in condition(status, "Ready")["message"]
    failure = job.end(120)["failure"]
    assert (failure["reason"], failure["class"]) == ("WorkersPaused", "Application")


def test_an_import_that_hangs_is_told_with_its_line(kube: Kube) -> None:
    code = f"import os, time\nwhile not os.path.exists({GO!r}): time.sleep(0.1)\nmain = 5\n"
    job = apply(kube, manifest("hangs", code))

    def told(status: Any) -> bool:
        return condition(status, "ClusterReady").get("reason") == "Importing"

    status = job.reaches("word of the import", told, SOON)
    assert condition(status, "Ready")["message"] == "module job is still being imported, at job.py:2"
    job.let_go()
    assert result_of(job.end()) == 5


def test_names_of_resources_keep_their_case(kube: Kube) -> None:
    cluster = {"workers": {"daskResources": {"GPU": 1}}}
    assert result_of(apply(kube, manifest("gpu", NOBODY_HAS, cluster=cluster)).end()) == 3


FORGETS = (
    f"GO = {GO!r}\n"
    + """
import os, time
from dask.distributed import fire_and_forget

def write(number):
    while not os.path.exists(GO):
        time.sleep(0.1)
    print(f"wrote part {number}", flush=True)

def main(client):
    for number in range(4):
        fire_and_forget(client.submit(write, number, pure=False))
    return "submitted"
"""
)


def test_what_nobody_waits_for_is_finished(kube: Kube) -> None:
    job = apply(kube, manifest("forgets", FORGETS, cluster={"workers": {"replicas": 2}}))

    def waits(status: Any) -> bool:
        return condition(status, "ClusterReady").get("reason") == "FireAndForget"

    cluster = condition(job.reaches("word of what it waits for", waits, SOON), "ClusterReady")
    assert cluster["status"] == "True"
    assert cluster["message"].endswith(" tasks of fire_and_forget may go on for at most 600 s")
    job.let_go("worker")
    status = job.end()
    assert result_of(status) == "submitted"
    assert status["progress"]["summary"] == "4/4"
    assert job.condition("Complete")["message"] == "the graph was computed"


def test_clients_that_user_code_opens(kube: Kube) -> None:
    job = apply(kube, manifest("clients", SCRIPT, cluster={"workers": {"threads": 2}}))
    assert result_of(job.end()) == [15, [1, 2, 3], [5, 5, "tls"]]


RESTARTS = """
    def main(client):
        import os
        client.wait_for_workers(2)
        for number in range(6):
            client.submit(__import__("time").sleep, 600, pure=False)
            client.restart(timeout=60)
        return sorted(client.run(os.getpid).values())
"""


def test_client_restart_works_as_often_as_one_likes(kube: Kube) -> None:
    """Each worker starts again in its container: the kubelet would make longer pauses with every time."""
    job = apply(kube, manifest("restarts", RESTARTS, cluster={"workers": {"replicas": 2}}))
    job.reaches("a restart", lambda status: status.get("phase") == "Running", 60)
    pods = {pod["metadata"]["name"] for pod in job.pods("worker")}
    statuses: dict[str, int] = {}

    def look() -> bool:
        for pod in job.pods("worker"):
            for each in pod["status"].get("containerStatuses") or ():
                statuses[pod["metadata"]["name"]] = each["restartCount"]
        return ended(job.status())

    wait_for("the job to end", look, bool, 120)
    assert result_of(job.status()) == [1, 1]
    assert statuses == dict.fromkeys(pods, 0)
