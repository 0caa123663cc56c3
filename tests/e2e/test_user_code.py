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


def test_clients_that_user_code_opens(kube: Kube) -> None:
    job = apply(kube, manifest("clients", SCRIPT, cluster={"workers": {"threads": 2}}))
    assert result_of(job.end()) == [15, [1, 2, 3], [5, 5, "tls"]]
