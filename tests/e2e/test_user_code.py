"""What user code meets in its pods: clients, memory, a home; and what it is told when it waits in vain."""

from __future__ import annotations

from ..support.jobs import apply, manifest, result_of
from ..support.kube import Kube

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


FORGETS = """
import pathlib, time
from dask.distributed import fire_and_forget

def write(number):
    time.sleep(2)
    print(f"wrote part {number}", flush=True)

def main(client):
    for number in range(4):
        fire_and_forget(client.submit(write, number, pure=False))
    return "submitted"
"""


def test_what_nobody_waits_for_is_finished(kube: Kube) -> None:
    job = apply(kube, manifest("forgets", FORGETS, cluster={"workers": {"replicas": 2}}))
    status = job.end()
    assert result_of(status) == "submitted"
    assert status["progress"]["summary"] == "4/4"
    assert job.condition("Complete")["message"] == "the graph was computed"


def test_clients_that_user_code_opens(kube: Kube) -> None:
    job = apply(kube, manifest("clients", SCRIPT, cluster={"workers": {"threads": 2}}))
    assert result_of(job.end()) == [15, [1, 2, 3], [5, 5, "tls"]]
