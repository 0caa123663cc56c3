"""The same jobs as dask-kubernetes' own operator runs them: its DaskJob, on the same nodes, with the same driver."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import dask_kubernetes
import yaml

from ..benchmarks.manifests import PEER_NAMESPACE, PEER_SYSTEM, peer_job, peer_operator
from ..support.kube import Kube, KubectlFailed
from ..support.settings import image
from ..support.waiting import wait_for
from .at_once import Contender, Run
from .bench import Bench
from .figures import Figure
from .following import Jobs
from .nodes import HOSTNAME, TOLERATION
from .playing import DASK_CLUSTER, DASK_COMPONENT, Runners
from .processes import Processes

#: Its definitions that our chart does not install.
DEFINITIONS = ("daskjob", "daskautoscaler")
FOLDER = "operator/deployment/helm/dask-kubernetes-operator/crds"
NAME = "dask-kubernetes"
PROCESS = "dask-kubernetes"


class PeerJobs(Jobs):
    """dask-kubernetes' DaskJobs. Their status does not say when they are cleaned up: that is when all is gone."""

    root: ClassVar[str] = "/apis/kubernetes.dask.org/v1"
    to_go: ClassVar[str] = f"{DASK_CLUSTER},{DASK_COMPONENT}!=job-runner"

    def note(self, name: str, status: dict[str, Any]) -> None:
        now, word = time.monotonic(), status.get("jobStatus")
        if word:
            self.taken.setdefault(name, now)
        if word in ("Successful", "Failed"):
            self.concluded.setdefault(name, now)
            self.cleaned.setdefault(name, now)
        if word == "Failed":
            self.failed.setdefault(name, word)


class PeerRunners(Runners):
    """Their runners report nothing: the pod's end is all that the operator goes by."""

    pods: ClassVar[str] = DASK_CLUSTER

    def job_of(self, labels: Mapping[str, str]) -> str | None:
        return labels[DASK_CLUSTER] if labels.get(DASK_COMPONENT) == "job-runner" else None

    async def run(self, attempt: str, job: str, started: str) -> None:
        await self.compute(job)


PEER = Contender(
    NAME, PEER_SYSTEM, lambda name: peer_job(name, PEER_NAMESPACE, fast=True), PeerJobs, PeerRunners, messages=0
)


@asynccontextmanager
async def peer(bench: Bench) -> AsyncIterator[tuple[str, Processes]]:
    """Its operator, unmodified, for one namespace, with no limit of memory. Yields that namespace and its process."""
    kube = bench.kube
    folder = Path(dask_kubernetes.__file__).parent / FOLDER
    definitions = [yaml.safe_load((folder / f"{name}.yaml").read_text()) for name in DEFINITIONS]
    names = [body["metadata"]["name"] for body in definitions]
    try:
        for body in definitions:
            # Too large for the annotation of `apply`.
            kube.kubectl("create", "-f", "-", stdin=json.dumps(body))
        served = f"--raw={PeerJobs.root}/namespaces/{PEER_NAMESPACE}/daskjobs"
        wait_for("its jobs to be served", lambda: _answered(kube, served), bool, 60)
        async with bench.namespace(PEER_NAMESPACE) as namespace:
            kube.within(PEER_SYSTEM).apply(*(_pinned(bench, each) for each in peer_operator(image("operator"))))
            kube.within(PEER_SYSTEM).kubectl("rollout", "status", f"deployment/{PEER_SYSTEM}", "--timeout=120s")
            selector = "app=dask-kubernetes-operator"
            yield namespace, Processes(bench.connection, PEER_SYSTEM, {PROCESS: selector})
            # Its finalizers need its operator.
            kube.within(namespace).kubectl("delete", "daskjobs.kubernetes.dask.org", "--all", "--wait=false")
            left = kube.within(namespace)
            wait_for("its clusters to go", lambda: left.list("daskclusters"), lambda found: not found, 300)
    finally:
        kube.delete("namespace", PEER_SYSTEM, wait=True)
        kube.delete("clusterrolebinding", PEER_SYSTEM)
        kube.delete("customresourcedefinition", *names, wait=True)


def _answered(kube: Kube, *arguments: str) -> bool:
    try:
        kube.kubectl("get", *arguments)
    except KubectlFailed:
        return False
    return True


def _pinned(bench: Bench, manifest: dict[str, Any]) -> dict[str, Any]:
    """The operator's pod on the real node."""
    if manifest["kind"] == "Deployment":
        pod = manifest["spec"]["template"]["spec"]
        pod.update(nodeSelector={HOSTNAME: bench.real_node}, tolerations=[TOLERATION])
    return manifest


def side_by_side(ours: Run, theirs: Run) -> list[Figure]:
    """What is theirs over what is ours: more than 1 is slower, or costs more."""

    def all_after(run: Run) -> float | None:
        return run.concluded[-1] if len(run.concluded) == run.jobs else None

    def cpu(run: Run) -> float:
        return sum(each.cpu for each in run.usage.values())

    def requests(run: Run) -> float:
        return sum(run.requests.values()) + run.contender.messages * run.jobs

    pairs = {
        "last concluded after": (all_after(theirs), all_after(ours)),
        "all gone after": (theirs.gone, ours.gone),
        "CPU": (cpu(theirs), cpu(ours)),
        "API requests": (requests(theirs), requests(ours)),
    }
    title = f"{ours.jobs} at once, {theirs.contender.name} over ours"
    return [
        Figure(title, name, each[0] / each[1] if each[0] and each[1] else None, "times") for name, each in pairs.items()
    ]
