"""Two installations that serve one namespace, on a real API server, each under its own service account and policy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from daskjob.controller.feed import Feed
from daskjob.controller.resync import resync
from daskjob.errors import ApiError
from daskjob.manifests.context import Defaults

from ..crd.cases import a_job
from .conftest import make_namespace
from .job_controllers import AnyController, job_controller
from .roles import grant
from .server import Server, with_definitions
from .test_policy import account, await_policy

DASK_CRDS = Path(__file__).resolve().parents[2] / "charts/daskjob-operator/files/dask-crds"


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    with with_definitions(DASK_CRDS) as started:
        everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
        grant(started, "test-powerful", [everything], account(started, "default", "powerful"))
        # A policy takes the server some seconds.
        await_policy(started)
        yield started


def installation(server: Server, namespace: str, name: str) -> AbstractAsyncContextManager[AnyController]:
    """The operator of an installation that leads, with all rights of a service account of that name."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    grant(server, f"{namespace}-{name}", [everything], account(server, namespace, name))
    defaults = Defaults(image="localhost/none:test", installation=f"{namespace}.{name}"[:63])
    return job_controller(server, namespace, name, defaults)


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
