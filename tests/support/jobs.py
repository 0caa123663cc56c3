"""DaskJobs in tests: short manifests, waiting for their end, and what must not be left of them."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import Any

from .kube import Kube, Manifest
from .platform import merged
from .sources import GO
from .waiting import wait_for

#: Everything that an attempt is made of, or could be.
KINDS = (
    "pods,services,secrets,configmaps,serviceaccounts,networkpolicies.networking.k8s.io,deployments.apps,replicasets.apps,"
    "daskclusters.kubernetes.dask.org,daskworkergroups.kubernetes.dask.org,daskjobreports.daskjob.io"
)
#: How long the removal of what an ended job leaves may take, on a busy machine.
GONE = 30


@dataclass(frozen=True)
class Job:
    """A DaskJob in a namespace."""

    kube: Kube
    name: str

    def body(self) -> Manifest:
        found = self.kube.get("daskjobs.daskjob.io", self.name)
        assert found is not None, f"there is no DaskJob {self.name} in {self.kube.namespace}"
        return found

    def status(self) -> dict[str, Any]:
        return dict(self.body().get("status") or {})

    def condition(self, kind: str) -> dict[str, Any]:
        """The condition of that type; empty if there is none."""
        return condition(self.status(), kind)

    def reaches(self, what: str, until: Any, seconds: float) -> dict[str, Any]:
        """The first status for which `until(status)` holds; fails at once if the job ends before."""

        def settled(status: dict[str, Any]) -> bool:
            return bool(until(status)) or ended(status)

        status = wait_for(f"{self.name}: {what}", self.status, settled, seconds)
        assert until(status), f"{self.name} ended before: {what}\n{status}"
        return status

    def end(self, seconds: float = 90) -> dict[str, Any]:
        """The status of the job when it has ended, as Complete or Failed."""
        return wait_for(f"{self.name} to end", self.status, ended, seconds)

    def pods(self, component: str) -> list[Manifest]:
        """Its pods of that kind: runner, scheduler or worker."""
        label = "daskjob.io/component" if component == "runner" else "dask.org/component"
        return self.kube.list("pods", f"daskjob.io/job={self.name},{label}={component}")

    def pod(self, component: str, seconds: float = 40) -> Manifest:
        """Its pod of that kind, as soon as it runs."""

        def running(pods: list[Manifest]) -> list[Manifest]:
            return [pod for pod in pods if pod["status"].get("phase") == "Running"]

        found = wait_for(f"a {component} of {self.name} to run", lambda: self.pods(component), running, seconds)
        return running(found)[0]

    def let_go(self, component: str = "runner") -> None:
        """Lets code go on that waits for the file `GO` in its pods of that kind."""
        for pod in self.pods(component):
            name = pod["metadata"]["name"]
            self.kube.kubectl("exec", name, f"--container={component}", "--", "touch", GO)

    def is_clean(self, seconds: float = GONE) -> None:
        """Fails unless all that the job consisted of goes, but its completed runner and its report."""
        wait_for(f"nothing to be left of {self.name}", self.remains, lambda found: not found, seconds)

    def says_that_it_is_clean(self, seconds: float = GONE) -> None:
        """Waits for the condition: the operator writes it when it has seen that all is gone, a moment later."""
        wait_for(
            f"{self.name} to be CleanedUp",
            lambda: self.condition("CleanedUp"),
            lambda found: found.get("status") == "True",
            seconds,
        )

    def remains(self) -> list[str]:
        """Kind, name and phase of each object that is left of the job and should not be."""
        uid = self.body()["metadata"]["uid"]
        return remains(self.kube, self.name, uid)


def remains(kube: Kube, name: str, uid: str) -> list[str]:
    """What is left of a job that ended, or (with its runner and report) of one that was deleted."""
    prefix = f"{name}-{uid[:5]}-"
    found = []
    for each in kube.list(KINDS):
        metadata, phase = each["metadata"], each.get("status", {}).get("phase", "")
        labels = metadata.get("labels") or {}
        if labels.get("daskjob.io/job-uid") != uid and not metadata["name"].startswith(prefix):
            continue
        if each["kind"] == "DaskJobReport":
            continue
        if labels.get("daskjob.io/component") == "runner" and phase in ("Succeeded", "Failed"):
            continue
        found.append(f"{each['kind']} {metadata['name']} {phase}".strip())
    return found


def condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    return next((each for each in status.get("conditions", ()) if each["type"] == kind), {})


def ended(status: dict[str, Any]) -> bool:
    return any(condition(status, kind).get("status") == "True" for kind in ("Complete", "Failed"))


def manifest(name: str, source: str, args: list[Any] | None = None, **spec: Any) -> Manifest:
    """A DaskJob that calls `main` of an inline module with `args`; `spec` is merged over the rest of its spec."""
    graph = {"entrypoint": "job:main", "args": args or [], "source": {"inline": textwrap.dedent(source)}}
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": name},
        "spec": merged({"graph": graph, "cluster": {"workers": {"replicas": 1}}}, spec),
    }


def apply(kube: Kube, job: Manifest) -> Job:
    kube.apply(job)
    return Job(kube, job["metadata"]["name"])


def result_of(status: dict[str, Any]) -> Any:
    """The value of a job's result."""
    return json.loads(status["result"]["value"])
