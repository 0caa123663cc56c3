"""The shell around the admission policies: what the operator says and does as they change, and as it cannot look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.api.resource import Resource
from daskjob.controller.controller import Controller
from daskjob.controllers.job import policies as policies_module
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.policies import PATIENCE, WITHOUT, Policies
from daskjob.errors import ApiError, ErrorKind
from daskjob.kube.client import Body
from daskjob.lifecycle.enforcement import Policy, read_policies
from daskjob.manifests.context import Defaults
from daskjob.schema.crds import load_report_policy

from ..lifecycle.model import NAMESPACE, Server
from ..lifecycle.world import a_job
from .clock import Clock
from .refusing import RefusingClient

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NAME = "daskjob-report-writers"
POLICY, BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"
DOWN = ApiError(ErrorKind.TRANSIENT, 503, "down")
REFUSED = ApiError(ErrorKind.FORBIDDEN, 403, "may not list")


def shipped() -> Policy:
    [policy] = read_policies(load_report_policy())
    return policy


class Cluster:
    """The two objects, as an API server gives them to those who watch them."""

    def __init__(self) -> None:
        self.objects: dict[str, Body | None] = {}
        for body in load_report_policy():
            self.objects[body["kind"]] = {**body, "metadata": {"name": NAME, "uid": body["kind"][-3:], "generation": 1}}
        self.failure: ApiError | None = None
        self.changed = asyncio.Condition()
        self.lists = 0

    async def list(self, resource: Resource, namespace: str | None, fields: str | None = None) -> list[Body]:
        assert (namespace, fields) == (None, f"metadata.name={NAME}")
        self.lists += 1
        if self.failure is not None:
            raise self.failure
        body = self.objects[resource.kind]
        return [body] if body is not None else []

    async def follow(self, resource: Resource, name: str) -> AsyncIterator[Body | None]:
        while True:
            if self.failure is not None:
                raise self.failure
            yield self.objects[resource.kind]
            async with self.changed:
                await self.changed.wait()

    async def change(self, kind: str = POLICY, failure: ApiError | None = None, **spec: Any) -> None:
        """Gives an object this spec, and one generation more; then lets who watches it take notice."""
        body, self.failure = self.objects[kind], failure
        if spec and body is not None:
            generation = body["metadata"]["generation"] + 1
            metadata = {**body["metadata"], "generation": generation}
            self.objects[kind] = {**body, "metadata": metadata, "spec": {**body["spec"], **spec}}
        async with self.changed:
            self.changed.notify_all()
        await turns()


async def turns() -> None:
    """Lets everybody else go on until they wait again: so many turns of the loop, however busy the machine."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock[float]:
    monkeypatch.setattr(policies_module, "RETRY", 0.0)
    return Clock(0.0)


@pytest.fixture
async def policies(cluster: Cluster, clock: Clock[float]) -> AsyncIterator[Policies]:
    found = Policies(cluster, shipped(), clock=clock)  # type: ignore[arg-type]
    await found.look()
    watching = asyncio.create_task(found.keep_watching())
    yield found
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def gauge(policies: Policies) -> list[tuple[str, float]]:
    return [(each.labels["policy"], each.value) for metric in policies.collect() for each in metric.samples]


async def test_in_force(policies: Policies, caplog: pytest.LogCaptureFixture) -> None:
    assert policies.report_policy == "icy:1,ing:1"
    assert (policies.problems(), gauge(policies)) == ({}, [(NAME, 1)])


async def test_a_change_is_told_once_and_its_end_too(
    cluster: Cluster, policies: Policies, caplog: pytest.LogCaptureFixture
) -> None:
    await cluster.change(failurePolicy="Ignore")
    await cluster.change()
    [words] = caplog.messages
    assert words.startswith(
        f"the admission policy {NAME} is not in force as it was shipped: {POLICY} {NAME}: spec.fail"
    )
    assert 'spec.failurePolicy is "Ignore", not "Fail"' in words
    assert "reports are not believed" in words
    assert gauge(policies) == [(NAME, 0)]
    caplog.set_level("INFO")
    await cluster.change(failurePolicy="Fail")
    assert caplog.messages[1:] == [f"the admission policy {NAME} is in force"]
    assert policies.report_policy == "icy:3,ing:1"


@pytest.mark.parametrize("failure", [REFUSED, DOWN])
async def test_what_cannot_be_looked_at_for_long_is_not_in_force(
    cluster: Cluster, clock: Clock[float], policies: Policies, failure: ApiError
) -> None:
    # Nothing has changed for long, so the watches were silent.
    clock.now += 3600
    await cluster.change(failure=failure)
    assert policies.report_policy, "an API server that comes back refuses for a moment what it has no roles for yet"
    clock.now += PATIENCE
    await turns()
    assert policies.report_policy == ""
    assert "cannot be looked at" in policies.problems()[NAME]
    await cluster.change()
    assert policies.report_policy == "icy:1,ing:1", "nothing was changed meanwhile"


async def test_other_policies_are_told_but_reports_go_on(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    cluster.objects[POLICY] = None
    found = Policies(cluster, None, [shipped()])  # type: ignore[arg-type]
    assert gauge(found) == [], "only who looks at it can tell"
    await found.look()
    assert f"{POLICY} {NAME} does not exist" in found.problems()[NAME]
    assert "reports" not in caplog.text.partition("shipped")[2]
    assert gauge(found) == [(NAME, 0)]
    assert (found.report_policy, found.distrust("icy:1,ing:1")) == ("", WITHOUT)


class Setting:
    """A job that runs, under a policy."""

    def __init__(self, cluster: Cluster) -> None:
        self.server = Server()
        client: Any = RefusingClient(self.server, "2026-03-01T12:00:00Z")
        self.policies = Policies(cluster, shipped())  # type: ignore[arg-type]
        kind = JobKind(client, lambda: NOW, b"program", Defaults(image="localhost/i"), policies=self.policies)
        self.controller: Controller[Any, Any, Any, Any] = Controller(kind)
        body = a_job({"graph": {"entrypoint": "m:f"}})
        body = self.server.create(
            "DaskJob", {**body, "metadata": {"name": "a", "namespace": NAMESPACE}}, "2026-03-01T11:59:59Z"
        )
        kind.cache.put_whole(body)

    async def look(self) -> None:
        for _ in range(2):
            await self.controller.reconcile((NAMESPACE, "a"))

    def one(self, kind: str) -> Body:
        [body] = [body for (found, _), body in self.server.objects.items() if found == kind]
        return body

    def condition(self) -> tuple[str, str]:
        conditions = self.one("DaskJob")["status"]["conditions"]
        found = [each for each in conditions if each["type"] == c.ConditionType.REPORTING_DEGRADED]
        return (found[0]["reason"], found[0]["message"]) if found else ("", "")


async def test_an_attempt_under_the_policy(cluster: Cluster) -> None:
    setting = Setting(cluster)
    await setting.controller.kind.prepare()
    await setting.look()
    assert setting.one("DaskJobReport")["spec"]["policy"] == "icy:1,ing:1"
    assert "token" in str(setting.one("Pod")["spec"]["volumes"])
    assert setting.condition() == ("", "")
    assert "policiesNotInForce" not in setting.controller.kind.details()


async def test_a_job_that_runs_is_looked_at_and_told_when_the_policy_changes(cluster: Cluster) -> None:
    setting = Setting(cluster)
    await setting.controller.kind.prepare()
    await setting.look()
    woken: list[Any] = []
    setting.controller.kind.wake = woken.append
    watching = asyncio.create_task(setting.policies.keep_watching())
    await cluster.change()
    assert woken == []
    await cluster.change(validations=[])
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert woken == [(NAMESPACE, "a")]
    await setting.look()
    reason, message = setting.condition()
    assert reason == "PolicyNotInForce"
    assert "spec.validations is absent" in message
    assert setting.controller.kind.details()["policiesNotInForce"].keys() == {NAME}


async def test_an_attempt_without_the_policy_has_no_token_and_its_report_no_identity(cluster: Cluster) -> None:
    cluster.objects[BINDING] = None
    setting = Setting(cluster)
    await setting.controller.kind.prepare()
    await setting.look()
    assert "policy" not in setting.one("DaskJobReport")["spec"]
    assert "token" not in str(setting.one("Pod")["spec"]["volumes"])
    assert f"{BINDING} {NAME} does not exist" in setting.condition()[1]
