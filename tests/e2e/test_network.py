"""Under NetworkPolicies that are enforced, jobs run, and nobody but a job's own pods reaches them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import yaml

from ..conftest import make_namespace
from ..support.enforcing import policies_enforced
from ..support.jobs import Job, apply, condition, manifest, result_of
from ..support.kube import Kube, Manifest
from ..support.operator import unharmed
from ..support.platform import CHART, RELEASE, SYSTEM, Release
from ..support.settings import image
from ..support.waiting import wait_for

#: Where a pod listens beside its loopback: each address and port, from the kernel's own table.
LISTENING = """
import ipaddress, json, os
found = set()
for table in ("/proc/net/tcp", "/proc/net/tcp6"):
    if not os.path.exists(table):
        continue
    for line in open(table).read().splitlines()[1:]:
        fields = line.split()
        address, port = fields[1].split(":")
        groups = [bytes.fromhex(address[start:start + 8])[::-1] for start in range(0, len(address), 8)]
        ip = ipaddress.ip_address(b"".join(groups))
        if fields[3] == "0A" and not (getattr(ip, "ipv4_mapped", None) or ip).is_loopback:
            found.add(int(port, 16))
print(json.dumps(sorted(found)))
"""
#: Which of the places of its argument answer a connection.
REACHED = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(place):
    try:
        socket.create_connection(tuple(place), 2).close()
    except OSError:
        return False
    return True
places = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(places)) as pool:
    print(json.dumps([place for place, found in zip(places, pool.map(reached, places)) if found]))
"""
STAYS = """
    import time

    def main(client):
        client.wait_for_workers(2)
        while True:
            client.submit(time.sleep, 0.1, pure=False).result()
"""
#: Its workers give each other data; all three kinds of pods try to reach the places.
TRIES = """
    import socket
    from concurrent.futures import ThreadPoolExecutor

    def double(value):
        return 2 * value

    def answers(place):
        try:
            socket.create_connection(tuple(place), 2).close()
        except OSError:
            return False
        return True

    def reached(places):
        with ThreadPoolExecutor(len(places)) as pool:
            return [place for place, found in zip(places, pool.map(answers, places)) if found]

    def main(client, places):
        client.wait_for_workers(2)
        one, other = client.scheduler_info()["workers"]
        number = client.submit(double, 10, workers=[one])
        value = client.submit(double, number, workers=[other]).result()
        from_workers = client.run(reached, places).values()
        return [value, reached(places), client.run_on_scheduler(reached, places), *from_workers]
"""
PORT = 8000


def stranger(name: str) -> Manifest:
    """A pod that serves HTTP at `PORT`."""
    container = {
        "name": "stranger",
        "image": image("dask-new"),
        "command": ["python3", "-m", "http.server", str(PORT)],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    spec = {"terminationGracePeriodSeconds": 0, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def address(kube: Kube, name: str) -> str:
    """The address of a pod, when it is ready."""
    kube.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    pod = kube.get("pod", name)
    assert pod is not None
    return str(pod["status"]["podIP"])


def run(kube: Kube, pod: str, program: str, *arguments: str) -> list[object]:
    """What a Python program in a pod prints."""
    found: list[object] = json.loads(kube.kubectl("exec", pod, "--", "python3", "-c", program, *arguments))
    return found


def egress_policies(release: Release, namespace: str) -> list[Manifest]:
    """What the chart makes with `job.networkPolicy.restrictEgress`."""
    slices = release.kube.within("default").list("endpointslices", "kubernetes.io/service-name=kubernetes")
    hosts = [host for each in slices for endpoint in each["endpoints"] for host in endpoint["addresses"]]
    values = {
        "watchNamespaces": [namespace],
        "job": {"networkPolicy": {"restrictEgress": True}},
        "networkPolicy": {"egress": {"apiServer": [{"ipBlock": {"cidr": f"{host}/32"}} for host in hosts]}},
    }
    template = ["template", RELEASE, str(CHART), "--show-only=templates/policy/jobs-egress.yaml", "--values=-"]
    version = f"--kube-version={release.kube.version()}"
    return list(yaml.safe_load_all(release.helm(*template, version, namespace=SYSTEM, values=values)))


def test_nobody_but_a_jobs_own_pods_reaches_them(kube: Kube, release: Release) -> None:
    other = make_namespace(release.kube, "strangers")
    try:
        with policies_enforced(kube), unharmed(release):
            _nobody_but_a_jobs_own_pods_reaches_them(kube, other, release)
    finally:
        other.delete("namespace", other.namespace)


def _nobody_but_a_jobs_own_pods_reaches_them(kube: Kube, other: Kube, release: Release) -> None:
    probe = {"tcpSocket": {"port": 8786}, "periodSeconds": 1}
    scheduler = {"template": {"spec": {"containers": [{"name": "scheduler", "readinessProbe": probe}]}}}
    job = apply(kube, manifest("stays", STAYS, cluster={"workers": {"replicas": 2}, "scheduler": scheduler}))
    for where in (kube, other):
        where.apply(stranger("stranger"))
    job.reaches("its graph to be computed", lambda status: (status.get("progress") or {}).get("total"), 90)

    pods = [pod for component in ("scheduler", "worker", "runner") for pod in job.pods(component)]
    names = [pod["metadata"]["name"] for pod in pods]
    with ThreadPoolExecutor() as pool:
        ports = list(pool.map(lambda name: run(kube, name, LISTENING), names))
    assert [len(each) for each in ports] == [1, 1, 1, 0], "Dask's port, of scheduler and workers, and no other"
    places = [[pod["status"]["podIP"], port] for pod, own in zip(pods, ports, strict=True) for port in own]
    assert run(kube, names[1], REACHED, json.dumps(places)) == places, "from a pod of the same job"
    nowhere = [run(where, "stranger", REACHED, json.dumps(places)) for where in (kube, other)]
    assert nowhere == [[], []], "from pods of the same and of another namespace"
    wait_for("the scheduler's probe to succeed", lambda: is_ready(kube, names[0]), bool, 20)

    # Another job, which may connect only to itself, to name servers, and its runner to the API server.
    kube.apply(*egress_policies(release, kube.namespace))
    strangers = [[address(where, "stranger"), PORT] for where in (kube, other)]
    assert run(other, "stranger", REACHED, json.dumps(strangers)) == strangers, "the strangers listen"
    wanted = {"graph": {"kwargs": {"places": [*places, *strangers]}}, "cluster": {"workers": {"replicas": 2}}}
    tries = apply(kube, manifest("tries", TRIES, **wanted))
    assert result_of(tries.end()) == [40, [], [], [], []]
    assert condition(tries.status(), "ReportingDegraded").get("status") != "True", "its reports arrived"

    [operator] = release.pods("operator")
    system = release.kube.within(SYSTEM)
    name = operator["metadata"]["name"]
    assert run(system, name, REACHED, json.dumps([*places, *strangers])) == [], "from the operator"
    _ends(job)
    for each in (job, tries):
        each.is_clean()


def _ends(job: Job) -> None:
    job.kube.patch("daskjobs.daskjob.io", job.name, {"spec": {"cancel": True}})
    job.end()


def is_ready(kube: Kube, name: str) -> bool:
    pod = kube.get("pod", name)
    assert pod is not None
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"]["conditions"])
