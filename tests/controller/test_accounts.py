"""The service account of jobs' pods, as the operator creates it: once a namespace, and again when it is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from daskjob.api.constants import RUNNER_ACCOUNT
from daskjob.controller.controller import Controller
from daskjob.controllers.job.executor import SHARED_STAYS
from daskjob.controllers.job.kind import JobKind
from daskjob.errors import ApiError
from daskjob.kube.refusal import classify
from daskjob.manifests.context import Defaults

from ..lifecycle.model import NAMESPACE, Server
from ..lifecycle.world import a_job
from .refusing import RefusingClient

ACCOUNT = ("ServiceAccount", RUNNER_ACCOUNT)


class Admitting(RefusingClient):
    """As the API server, it refuses a pod whose account does not exist."""

    async def create(self, resource: Any, body: Any) -> Any:
        name = (body.get("spec") or {}).get("serviceAccountName")
        if resource.kind == "Pod" and ("ServiceAccount", name) not in self.server.objects:
            words = f'error looking up service account {NAMESPACE}/{name}: serviceaccount "{name}" not found'
            raise classify(403, f'pods "{body["metadata"]["name"]}" is forbidden: {words}')
        return await super().create(resource, body)


class Setting:
    def __init__(self) -> None:
        self.server = Server()
        self.client = Admitting(self.server, "2026-03-01T12:00:00Z")
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)
        kind = JobKind(self.client, lambda: self.now, b"program", Defaults(image="localhost/i"))  # type: ignore[arg-type]
        self.controller: Controller[Any, Any, Any, Any] = Controller(kind)

    def apply(self, name: str, template: dict[str, Any] | None = None) -> None:
        spec = {"graph": {"entrypoint": "m:f"}, "runner": {"template": {"spec": template or {}}}}
        body = self.server.create(
            "DaskJob", {**a_job(spec), "metadata": {"name": name, "namespace": NAMESPACE}}, "2026-03-01T11:59:59Z"
        )
        self.controller.kind.cache.put_whole(body)

    async def look(self, name: str) -> float | None:
        return await self.controller.reconcile((NAMESPACE, name))

    def requests(self) -> int:
        return self.client.requests.count(("create", "ServiceAccount"))

    def condition(self, name: str) -> dict[str, Any]:
        job = self.server.find("DaskJob", name)
        assert job is not None
        return next(each for each in job["status"]["conditions"] if each["type"] == "ClusterReady")


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_many_jobs_ask_once_for_a_while(setting: Setting) -> None:
    for name in ("a", "b", "c"):
        setting.apply(name)
        await setting.look(name)
    assert setting.requests() == 1
    setting.now += SHARED_STAYS + timedelta(seconds=1)
    setting.apply("d")
    await setting.look("d")
    assert setting.requests() == 2
    assert len(setting.server.all("ServiceAccount")) == 1


async def test_one_that_exists_is_taken_as_it_is(setting: Setting) -> None:
    """Whoever may create accounts and give them rights in a namespace could give them to any account there."""
    theirs = {"metadata": {"name": RUNNER_ACCOUNT, "annotations": {"note": "theirs"}}, "secrets": [{"name": "x"}]}
    before = setting.server.create("ServiceAccount", theirs, "2026-03-01T11:00:00Z")
    setting.apply("a")
    await setting.look("a")
    assert setting.server.find(*ACCOUNT) == before
    assert setting.server.all("DaskJobReport")


async def test_one_that_was_deleted_is_told_and_created_again(setting: Setting) -> None:
    setting.apply("a")
    await setting.look("a")
    setting.server.remove(*ACCOUNT)
    setting.apply("b")
    assert await setting.look("b") == 0.0, "the next pass tells it, and follows at once"
    await setting.look("b")
    assert setting.server.find(*ACCOUNT) is not None
    assert setting.condition("b")["reason"] == "ServiceAccountNotFound"
    assert setting.condition("b")["message"].endswith("the operator creates it again")
    await setting.look("b")
    assert len(setting.server.all("Pod")) == len(setting.server.all("DaskJobReport")) == 2
    assert setting.condition("b")["reason"] == "Waiting"


async def test_an_account_of_the_users_is_not_the_operators_to_create(setting: Setting) -> None:
    kind = setting.controller.kind
    kind.executor.defaults = Defaults(image="localhost/i", service_accounts=("cloud",))  # type: ignore[attr-defined]
    setting.apply("a", {"serviceAccountName": "cloud"})
    assert await setting.look("a") == 0.0
    with pytest.raises(ApiError):
        await setting.look("a")
    assert setting.condition("a")["reason"] == "ServiceAccountNotFound"
    assert "create it in this namespace" in setting.condition("a")["message"]
    assert setting.server.find("ServiceAccount", "cloud") is None


async def test_without_the_right_to_create_it_the_job_says_so(setting: Setting) -> None:
    words = 'serviceaccounts is forbidden: User "system:serviceaccount:a:b" cannot create resource "serviceaccounts"'
    setting.client.refusals["create", "ServiceAccount"] = classify(403, words)
    setting.apply("a")
    await setting.look("a")
    with pytest.raises(ApiError):
        await setting.look("a")
    assert setting.condition("a")["reason"] == "OperatorForbidden"
    assert not setting.server.all("DaskCluster"), "its pods would be refused"
