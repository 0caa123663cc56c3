"""Namespaces in which nothing is run: jobs fail at once, and nothing is created for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource_json import to_dict
from daskjob.controller.controller import Controller
from daskjob.controllers.cron.kind import CronKind
from daskjob.controllers.job.kind import JobKind
from daskjob.manifests.context import Defaults

from ..lifecycle.builders import a_job as known_job
from ..lifecycle.model import NAMESPACE, Server
from ..lifecycle.world import a_job
from .refusing import RefusingClient

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SPEC = {"graph": {"entrypoint": "m:f"}}
KEPT = {"result": {"store": {"url": "s3://results"}, "retention": "DeleteWithJob"}}


class Setting:
    def __init__(self, *excluded: str) -> None:
        self.server = Server()
        self.client: Any = RefusingClient(self.server, "2026-03-01T12:00:00Z")
        defaults = Defaults(image="localhost/i")
        kind = JobKind(self.client, lambda: NOW, b"program", defaults, excluded=excluded)
        cron = CronKind(self.client, lambda: NOW, Defaults(), excluded=excluded)
        self.controllers: dict[str, Controller[Any, Any, Any, Any]] = {
            "DaskJob": Controller(kind),
            "DaskCronJob": Controller(cron),
        }

    async def pass_over(self, body: dict[str, Any], name: str) -> dict[str, Any]:
        """The object after two passes."""
        found = await self.look(body, name)
        assert found is not None
        return found

    async def look(self, body: dict[str, Any], name: str) -> dict[str, Any] | None:
        """The same, of one that may be gone by then."""
        body = self.server.create(body["kind"], body, "2026-03-01T11:00:00Z")
        controller = self.controllers[body["kind"]]
        controller.kind.cache.put_whole(body)
        for _ in range(2):
            await controller.reconcile((NAMESPACE, name))
        return self.server.find(body["kind"], name)

    def created(self) -> list[str]:
        return [kind for verb, kind in self.client.requests if verb == "create" and kind != "Event"]


@pytest.mark.parametrize("more", [{}, {"suspend": True}, {"cluster": {}}])
async def test_a_job_fails_at_once_and_is_told_why(more: dict[str, Any]) -> None:
    setting = Setting("kube-system", NAMESPACE)
    metadata = {"name": "a", "namespace": NAMESPACE}
    job = await setting.pass_over({**a_job({**SPEC, **more}), "metadata": metadata}, "a")
    assert job["status"]["phase"] == "Failed"
    failure = job["status"]["failure"]
    assert (failure["reason"], failure["class"]) == ("InvalidSpec", "Application")
    assert failure["message"].startswith(f"metadata.namespace: no job is run in {NAMESPACE}")
    assert "excludeNamespaces" in failure["message"]
    assert setting.created() == []


async def test_results_of_a_job_that_ran_there_before_are_left() -> None:
    setting = Setting(NAMESPACE)
    scene = known_job().with_spec(**KEPT).accepted().finished().gone()
    metadata = {"name": "sum", "namespace": NAMESPACE, "finalizers": [c.RESULTS_FINALIZER]}
    body = {**a_job({**SPEC, **KEPT}), "metadata": {**metadata, "deletionTimestamp": "2026-03-01T11:59:00Z"}}
    assert await setting.look({**body, "status": to_dict(scene.status)}, "sum") is None, "it is held"
    assert setting.created() == []


async def test_elsewhere_it_runs() -> None:
    setting = Setting("kube-system")
    job = await setting.pass_over({**a_job(SPEC), "metadata": {"name": "a", "namespace": NAMESPACE}}, "a")
    assert job["status"]["phase"] != "Failed"
    assert "DaskCluster" in setting.created()


@pytest.mark.parametrize("annotations", [{}, {"daskjob.io/run-now": "please"}])
@pytest.mark.parametrize("excluded", [False, True])
async def test_a_cron_job_creates_no_jobs_there(annotations: dict[str, str], excluded: bool) -> None:
    setting = Setting(NAMESPACE if excluded else "other")
    metadata = {"name": "c", "namespace": NAMESPACE, "annotations": annotations}
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": SPEC}}
    body = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskCronJob", "metadata": metadata, "spec": spec}
    cron = await setting.pass_over(body, "c")
    conditions = {each["type"]: each for each in cron["status"]["conditions"]}
    assert ("DaskJob" in setting.created()) is not excluded
    if excluded:
        assert (conditions["Ready"]["status"], conditions["Ready"]["reason"]) == ("False", "NamespaceNotServed")
        assert conditions["Stalled"]["status"] == "True"
        assert "excludeNamespaces" in conditions["Ready"]["message"]
        assert "nextScheduleTime" not in cron["status"]
