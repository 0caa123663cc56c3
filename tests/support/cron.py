"""DaskCronJobs in tests: short manifests, and their jobs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .jobs import Job
from .kube import Kube, Manifest
from .waiting import wait_for

KIND = "daskcronjobs.daskjob.io"


@dataclass(frozen=True)
class CronJob:
    """A DaskCronJob in a namespace."""

    kube: Kube
    name: str

    def body(self) -> Manifest:
        found = self.kube.get(KIND, self.name)
        assert found is not None, f"there is no DaskCronJob {self.name} in {self.kube.namespace}"
        return found

    def status(self) -> dict[str, Any]:
        return dict(self.body().get("status") or {})

    def edit(self, **spec: Any) -> None:
        """A merge patch of its spec."""
        self.kube.patch(KIND, self.name, {"spec": spec})

    def run_now(self, text: str, seconds: float = 30) -> Job:
        """Asks for a run by annotation. Returns its job as soon as it is there."""
        self.kube.kubectl("annotate", KIND, self.name, "--overwrite", f"daskjob.io/run-now={text}")

        def asked() -> list[str]:
            annotation = "daskjob.io/run-now"
            return [
                name_of(each) for each in self.jobs() if each["metadata"].get("annotations", {}).get(annotation) == text
            ]

        return Job(self.kube, wait_for(f"the job of {self.name} that was asked for", asked, bool, seconds)[-1])

    def jobs(self) -> list[Manifest]:
        """Its DaskJobs that there are now, the oldest first."""
        found = self.kube.list("daskjobs.daskjob.io", f"daskjob.io/cron-job={self.name}")
        return sorted(found, key=lambda each: (each["metadata"]["creationTimestamp"], name_of(each)))

    def ever(self) -> set[str]:
        """The names of all jobs that it ever made, from its events."""
        events = json.loads(
            self.kube.kubectl("get", "events", f"--field-selector=involvedObject.name={self.name}", "-o", "json")
        )["items"]
        created = [each["message"] for each in events if each["reason"] == "SuccessfulCreate"]
        return {message.removeprefix("created job ") for message in created}

    def reasons(self) -> set[str]:
        """The reasons of its events."""
        options = f"--field-selector=involvedObject.kind=DaskCronJob,involvedObject.name={self.name}"
        return set(self.kube.kubectl("get", "events", options, "-o", "jsonpath={.items[*].reason}").split())


def name_of(body: Manifest) -> str:
    return str(body["metadata"]["name"])


def cron_manifest(name: str, job: Manifest, schedule: str = "* * * * *", **spec: Any) -> Manifest:
    """A DaskCronJob that makes that job, each minute if nothing else is said."""
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskCronJob",
        "metadata": {"name": name},
        "spec": {"schedule": schedule, "jobTemplate": {"spec": job["spec"]}, **spec},
    }


def apply_cron(kube: Kube, cron: Manifest) -> CronJob:
    kube.apply(cron)
    return CronJob(kube, cron["metadata"]["name"])
