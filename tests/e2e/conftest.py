"""Runs the folders of jobs/ a few at a time, as they take longer to start than to compute.

And sees to it that tests whose victim is the cluster itself come last.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..conftest import make_namespace
from ..jobs.expectation import load, timeout
from ..support.cron import CronJob
from ..support.jobs import Job
from ..support.kube import Kube
from ..support.platform import Release

#: Jobs at a time, on a machine with two cores.
SIDE_BY_SIDE = 3


#: Files of tests that take the cluster itself apart, in the order in which they run, after all others.
LAST = ("test_faults_control_plane.py", "test_faults_node.py")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LAST.index(item.path.name) + 1 if item.path.name in LAST else 0)


@dataclass(frozen=True)
class Run:
    """A job of jobs/ that has been run in a namespace of its own."""

    job: Job
    expected: dict[str, Any]
    status: dict[str, Any]
    #: Names of the runner pods that were left.
    runners: list[str] = field(default_factory=list)


class Runs:
    """Starts the jobs of all tests of the session at the first one's request, and hands out each when it is done."""

    def __init__(self, kube: Kube, wanted: list[tuple[Path, str | None]]) -> None:
        self.kube = kube
        self.pool = ThreadPoolExecutor(SIDE_BY_SIDE)
        self.futures: dict[tuple[Path, str | None], Future[Run]] = {}
        self.namespaces: dict[tuple[Path, str | None], Kube] = {}
        for key in wanted:
            self.futures[key] = self.pool.submit(self._run, *key)

    def _run(self, folder: Path, image: str | None) -> Run:
        kube = self.namespaces[folder, image] = make_namespace(self.kube, folder.name)
        expected = load(folder)
        if image is None:
            kube.kubectl("apply", "-f", str(folder / "job.yaml"))
        documents = list(yaml.safe_load_all((folder / "job.yaml").read_text()))
        [manifest] = [each for each in documents if each["kind"] in ("DaskJob", "DaskCronJob")]
        if image is not None:
            manifest["spec"].setdefault("cluster", {})["image"] = image
            kube.apply(*documents)
        job = Job(kube, manifest["metadata"]["name"])
        if manifest["kind"] == "DaskCronJob":
            job = CronJob(kube, job.name).run_now("1")
        status = job.end(timeout(expected))
        job.is_clean()
        job.says_that_it_is_clean()
        return Run(job, expected, status, [pod["metadata"]["name"] for pod in job.pods("runner")])

    def close(self) -> None:
        self.pool.shutdown(cancel_futures=True)


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, release: Release) -> Iterator[Runs]:
    # By its folder too: another tier's parameter may have this fixture's name.
    here = [item for item in request.session.items if item.path.parent == Path(__file__).parent]
    calls = [item.callspec for item in here if "runs" in getattr(item, "fixturenames", ())]
    wanted = [(call.params["folder"], call.params["image"]) for call in calls]
    runs = Runs(release.kube, list(dict.fromkeys(wanted)))
    yield runs
    runs.close()


@pytest.fixture
def run(request: pytest.FixtureRequest, runs: Runs, folder: Path, image: str | None) -> Iterator[Run]:
    """The finished run of that folder with that image (None: the default one)."""
    future = runs.futures[folder, image]
    wait([future])
    kube = request.node.namespace = runs.namespaces.get((folder, image))
    assert kube is not None, "its namespace could not be made"
    try:
        yield future.result()
    finally:
        kube.delete("namespace", kube.namespace)
