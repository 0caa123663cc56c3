"""What Argo CD and Flux see of real jobs: every version, as a watch tells of it, goes through their rules."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ..support.gitops import View, action_script, ask, gitops_view, gitops_views
from ..support.jobs import Job, apply, ended, manifest, result_of
from ..support.kube import Kube, Manifest
from ..support.programs import program
from ..support.waiting import wait_for

COUNT = """
    import time
    from dask import delayed

    def step(number):
        time.sleep(0.5)
        return number

    def total(numbers):
        if max(numbers) > 1000:
            raise ValueError(f"{max(numbers)} is too large")
        return sum(numbers)

    def main(first, count):
        return delayed(total)([delayed(step)(first + number) for number in range(count)])
"""
ON_ITS_WAY, DONE, FAILED = ("Progressing", "InProgress"), ("Healthy", "Current"), ("Degraded", "Failed")
HELD = ("Suspended", "InProgress")
#: A job that nobody runs, made before the one that is watched.
BEFORE = "made-before"


@dataclass
class Watched:
    """Every version of a DaskJob, from the first on."""

    file: Path
    name: str
    versions: list[Manifest] = field(default_factory=list)

    def read(self) -> list[Manifest]:
        """The versions so far. kubectl writes one JSON document after the other; the last may not be all there yet."""
        text, decoder = self.file.read_text(), json.JSONDecoder()
        self.versions, at = [], 0
        while (at := next((index for index in range(at, len(text)) if not text[index].isspace()), len(text))) < len(
            text
        ):
            try:
                version, at = decoder.raw_decode(text, at)
            except json.JSONDecodeError:
                break
            if version["metadata"]["name"] == self.name:
                self.versions.append(version)
        return self.versions

    def views(self) -> list[View]:
        return gitops_views(self.versions)


@contextmanager
def watched(kube: Kube, name: str, folder: Path) -> Iterator[Watched]:
    """Watches a DaskJob from before it is made: when the watch has told of another one, nothing escapes it."""
    file = folder / f"{name}.json"
    kube.apply(manifest(BEFORE, COUNT, managedBy="example.com/nobody"))
    command = ["get", "daskjobs.daskjob.io", "--watch", "--output=json"]
    options = ["--kubeconfig", kube.kubeconfig, "--namespace", kube.namespace]
    with file.open("wb") as out, subprocess.Popen([program("kubectl"), *options, *command], stdout=out) as process:
        try:
            found = Watched(file, name)
            wait_for("the watch to begin", file.read_text, lambda text: BEFORE in text, 30)
            yield found
        finally:
            process.terminate()


def follow(seen: Watched, job: Job) -> dict[str, Any]:
    """The status at the end, when the watch has told of all that the job consisted of being gone."""
    status = job.end(120)
    job.is_clean()

    def told(versions: list[Manifest]) -> bool:
        return bool(versions) and "cleanedUp" in versions[-1].get("status", {}).get("timings", {})

    wait_for("the watch to tell of the end", seen.read, told, 30)
    return status


@pytest.mark.parametrize(("first", "end"), [(1, DONE), (985, FAILED)], ids=["succeeds", "fails"])
def test_a_pipeline_waits_for_the_end_and_sees_it(kube: Kube, tmp_path: Path, first: int, end: tuple[str, str]) -> None:
    with watched(kube, "awaited", tmp_path) as seen:
        job = apply(kube, manifest("awaited", COUNT, [first, 24], cluster={"workers": {"replicas": 2}}))
        status = follow(seen, job)
    assert seen.versions[0]["status"] == {"observedGeneration": -1}
    before = [view for view, each in zip(seen.views(), seen.versions, strict=True) if not ended(each["status"])]
    after = seen.views()[len(before) :]
    assert len(before) > 2
    assert {view[:2] for view in before} == {ON_ITS_WAY}, before
    assert {view[:2] for view in after} == {end}, after
    if end == DONE:
        assert any("tasks" in view.message and "workers" in view.message for view in before), before
    else:
        assert after[-1].message == f"{status['failure']['reason']}: {status['failure']['message']}"
        assert "is too large" in after[-1].message


def test_a_commit_is_a_new_run_and_nobody_goes_by_the_earlier_one(kube: Kube, tmp_path: Path) -> None:
    first = manifest("edited", COUNT, [1, 2], runPolicy="OnChange")
    with watched(kube, "edited", tmp_path) as seen:
        job = apply(kube, first)
        assert result_of(follow(seen, job)) == 3
        kube.apply(manifest("edited", COUNT, [10, 2], runPolicy="OnChange"))
        wait_for("the second run", job.status, lambda status: status.get("run") == 2, 30)
        status = follow(seen, job)
    assert result_of(status) == 21
    assert [each["result"]["value"] for each in status["history"]] == ["3"]
    for view, version in zip(seen.views(), seen.versions, strict=True):
        shown = version["status"].get("result", {}).get("value")
        current = "3" if version["metadata"]["generation"] == 1 else "21"
        assert (view[:2] == DONE) == (shown == current), (view, version["status"])
    assert seen.views()[-1][:2] == DONE


def act(job: Job, action: str) -> None:
    """What Argo CD sends when a user chooses an action."""
    offered, chosen = ask(
        [
            {"object": job.body(), "discovery": action_script("DaskJob", "discovery")},
            {"object": job.body(), "action": action_script("DaskJob", action)},
        ]
    )
    assert action in offered["actions"]
    job.kube.patch("daskjobs.daskjob.io", job.name, chosen["changes"][0]["patch"])


def test_actions(kube: Kube) -> None:
    """Suspended in Git, resumed, suspended, resumed and cancelled by hand, and run again."""
    job = apply(kube, manifest("acted-upon", COUNT, [0, 60], suspend=True))

    def becomes(view: tuple[str, str], seconds: float = 60) -> View:
        return wait_for(f"{view}", lambda: gitops_view(job.body()), lambda seen: seen[:2] == view, seconds)

    becomes(HELD)
    assert not job.pods("runner")
    act(job, "resume")
    job.reaches("Running", lambda status: status.get("phase") == "Running", 90)
    assert gitops_view(job.body())[:2] == ON_ITS_WAY
    act(job, "suspend")
    becomes(HELD)
    act(job, "resume")
    job.reaches("Running", lambda status: status.get("phase") == "Running", 90)
    act(job, "cancel")
    assert "Cancelled" in becomes(FAILED).message
    assert [each["outcome"] for each in job.status()["attempts"]] == ["Suspended", "Failed"]
    act(job, "rerun")
    # Argo CD sees at once that this is not the end; kstatus when the operator has seen it.
    assert gitops_view(job.body()).argo == "Progressing"
    wait_for("the second run", job.status, lambda status: status.get("run") == 2, 60)
    act(job, "cancel")
    becomes(FAILED)
    job.is_clean()
