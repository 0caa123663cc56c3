"""Two installations that serve one namespace, on a real API server, each under its own service account and policy."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio import client as kubernetes_client

from daskjob.controller.controller import Controller
from daskjob.controller.feed import Feed
from daskjob.controller.resync import resync
from daskjob.controllers.job.kind import JobKind
from daskjob.controllers.job.watched import WATCHED
from daskjob.errors import ApiError
from daskjob.kube.client import KubeClient
from daskjob.manifests.context import Defaults

from ..crd.cases import a_job
from .conftest import make_namespace
from .dask_clusters import wait_for
from .server import Server, with_definitions
from .test_policy import account, await_policy, grant, token

DASK_CRDS = Path(__file__).resolve().parents[2] / "charts/daskjob-operator/files/dask-crds"
AnyController = Controller[Any, Any, Any, Any]


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    with with_definitions(DASK_CRDS) as started:
        everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        grant(started, "test-powerful", [everything], account(started, "default", "powerful"))
        # A policy takes the server some seconds, and so does the storage of a new definition.
        await_policy(started)
        paths = [each.resource.path(None) for each in WATCHED]

        def unserved() -> list[str]:
            return [path for path in paths if started.admin.get(path).status != 200]

        wait_for("lists of every kind", unserved, lambda left: not left)
        yield started


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def installation(server: Server, namespace: str, name: str) -> AsyncIterator[AnyController]:
    """The operator of an installation that leads, with all rights of a service account of that name."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    grant(server, f"{namespace}-{name}", [everything], account(server, namespace, name))
    configuration = kubernetes_client.Configuration(
        host=f"https://127.0.0.1:{server.port}",
        api_key={"BearerToken": token(server, namespace, name).token},
        api_key_prefix={"BearerToken": "Bearer"},
    )
    configuration.ssl_ca_cert = str(server.certificate)
    client = KubeClient(kubernetes_client.ApiClient(configuration))
    try:
        defaults = Defaults(image="localhost/none:test", installation=f"{namespace}.{name}"[:63])
        operator: AnyController = Controller(JobKind(client, now, b"program", defaults))
        await operator.kind.prepare()
        yield operator
    finally:
        await client.close()


async def look(operator: AnyController, namespace: str, name: str) -> None:
    await resync(operator.kind.client, Feed([operator]), [namespace])
    await operator.reconcile((namespace, name))


async def test_the_policy_of_another_installation_is_named_in_the_status(own_server: Server) -> None:
    namespace = make_namespace(own_server)
    jobs = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    own_server.admin.create(jobs, a_job()).ok()
    async with installation(own_server, namespace, "one") as one:
        for _ in range(2):
            with contextlib.suppress(ApiError):
                await look(one, namespace, "square-sum")
    conditions = own_server.admin.get(f"{jobs}/square-sum").ok()["status"]["conditions"]
    [condition] = [each for each in conditions if each["type"] == "ClusterReady"]
    assert condition["reason"] == "OperatorForbidden"
    assert "daskjob-report-writers" in condition["message"]
    assert "the policy is that of another installation of the operator" in condition["message"]


async def test_each_of_two_notices_the_other(own_server: Server) -> None:
    namespace = make_namespace(own_server)
    jobs = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    policy = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/daskjob-report-writers"
    own_server.admin.delete(policy).ok()
    async with (
        installation(own_server, namespace, "one") as one,
        installation(own_server, namespace, "two") as two,
    ):
        for first, second, name in ((one, two, "a"), (two, one, "b")):
            own_server.admin.create(jobs, a_job(name=name)).ok()
            await look(first, namespace, name)
            await look(second, namespace, name)
        assert one.kind.details() == {"otherInstallations": [f"{namespace}.two"]}
        assert two.kind.details() == {"otherInstallations": [f"{namespace}.one"]}
    events = own_server.admin.get(f"/api/v1/namespaces/{namespace}/events").ok()["items"]
    warned = {each["involvedObject"]["name"]: each["message"] for each in events if "Installation" in each["reason"]}
    assert set(warned) == {"a", "b"}
    assert f"installation {namespace}.one of the operator" in warned["a"]
