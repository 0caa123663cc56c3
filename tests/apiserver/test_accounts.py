"""The service accounts of jobs' pods under the chart's rights and policy, on a real API server."""

from __future__ import annotations

import contextlib
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from daskjob.api.constants import RUNNER_ACCOUNT
from daskjob.controller.feed import Feed
from daskjob.controller.resync import resync
from daskjob.errors import ApiError
from daskjob.manifests.context import Defaults

from ..crd.cases import a_job
from ..support.waiting import wait_for
from .conftest import CHART, Helm, make_namespace
from .dask_clusters import OPERATOR, SYSTEM
from .job_controllers import AnyController, job_controller
from .roles import grant
from .server import Answer, Client, Server
from .test_policy import NOT_YOURS, a_report, account, await_policy, token

JOBS = "/apis/daskjob.io/v1alpha1/namespaces"
ALLOWED = "cloud"


@pytest.fixture(scope="module")
def served(helm: Helm) -> Server:
    """The chart as it is by default, with one further account for templates."""
    helm("upgrade", "daskjob", str(CHART), "--reset-values", "--set", f"job.serviceAccounts={{{ALLOWED}}}")
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    grant(helm.server, "test-powerful", [everything], account(helm.server, "default", "powerful"))
    await_policy(helm.server)
    return helm.server


@pytest.fixture
def namespace(served: Server) -> str:
    return make_namespace(served)


def operator(server: Server) -> AbstractAsyncContextManager[AnyController]:
    """The operator with the rights that the chart gives it."""
    defaults = Defaults(image="localhost/none:test", service_accounts=(ALLOWED,))
    return job_controller(server, SYSTEM, OPERATOR, defaults)


async def begin(server: Server, controller: AnyController, namespace: str, name: str, **spec: Any) -> None:
    """Applies a job, and lets the operator look at it until nothing is refused any more."""
    server.admin.create(f"{JOBS}/{namespace}/daskjobs", a_job(spec, name=name)).ok()
    for _ in range(4):
        await resync(controller.kind.client, Feed([controller]), [namespace])
        with contextlib.suppress(ApiError):
            await controller.reconcile((namespace, name))


def runner(server: Server, namespace: str, name: str) -> tuple[dict[str, Any], str]:
    """The job's runner pod, and the path of the report that names it."""
    pods = server.admin.get(f"/api/v1/namespaces/{namespace}/pods?labelSelector=daskjob.io/job={name}").ok()["items"]
    reports = server.admin.get(f"{JOBS}/{namespace}/daskjobreports?labelSelector=daskjob.io/job={name}").ok()["items"]
    [(pod, report)] = [(pod, report) for pod in pods for report in reports]
    assert report["spec"]["runnerPodUID"] == pod["metadata"]["uid"]
    return pod, f"{JOBS}/{namespace}/daskjobreports/{report['metadata']['name']}"


def write(client: Client, report: str, seq: int = 1) -> Answer:
    return client.merge(f"{report}/status", {"status": {"seq": seq}})


async def test_a_runner_has_an_account_that_can_write_its_report_and_nothing_else(
    served: Server, namespace: str
) -> None:
    async with operator(served) as controller:
        await begin(served, controller, namespace, "a")
    pod, report = runner(served, namespace, "a")
    assert pod["spec"]["serviceAccountName"] == RUNNER_ACCOUNT
    assert not [each for each in pod["spec"]["volumes"] if each["name"].startswith("kube-api-access")]
    own = token(served, namespace, RUNNER_ACCOUNT, pod)
    wait_for("the right in force", lambda: write(own, report).status, lambda status: status == 200)
    core, group = f"/api/v1/namespaces/{namespace}", f"{JOBS}/{namespace}"
    others = (
        *(("GET", f"{core}/{each}") for each in ("secrets", "configmaps", "pods", "serviceaccounts")),
        *(("GET", f"{group}/{each}") for each in ("daskjobs", "daskjobreports")),
        ("PATCH", report),
        ("DELETE", f"{core}/pods/{pod['metadata']['name']}"),
    )
    assert {own.request(*each).status for each in others} == {403}


async def test_a_runner_with_an_allowed_account_writes_its_report(served: Server, namespace: str) -> None:
    account(served, namespace, ALLOWED)
    template = {"spec": {"serviceAccountName": ALLOWED, "automountServiceAccountToken": True}}
    async with operator(served) as controller:
        await begin(served, controller, namespace, "a", runner={"template": template})
        pod, report = runner(served, namespace, "a")
        assert pod["spec"]["serviceAccountName"] == ALLOWED
        await begin(served, controller, namespace, "b")
    own = token(served, namespace, ALLOWED, pod)
    wait_for("the right in force", lambda: write(own, report).status, lambda status: status == 200)
    _, others = runner(served, namespace, "b")
    assert NOT_YOURS in write(own, others).message


def await_no_account(server: Server, namespace: str, name: str) -> None:
    """Waits until a pod of a deleted account is refused: so long, the API server believes that it is there."""
    container = {"name": "main", "image": "localhost/none:test"}
    spec = {"serviceAccountName": name, "containers": [container]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "canary"}, "spec": spec}

    def status() -> int:
        return server.admin.create(f"/api/v1/namespaces/{namespace}/pods", pod, "dryRun=All").status

    wait_for("the account to be gone", status, lambda found: found == 403)


async def test_an_account_that_is_gone_is_told_and_created_again(served: Server, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{RUNNER_ACCOUNT}"
    async with operator(served) as controller:
        await begin(served, controller, namespace, "a")
        uid = served.admin.get(path).ok()["metadata"]["uid"]
        served.admin.delete(path).ok()
        await_no_account(served, namespace, RUNNER_ACCOUNT)
        await begin(served, controller, namespace, "b")
    assert served.admin.get(path).ok()["metadata"]["uid"] != uid
    runner(served, namespace, "b")
    events = served.admin.get(f"/api/v1/namespaces/{namespace}/events").ok()["items"]
    [event] = [each for each in events if each["reason"] == "ServiceAccountNotFound"]
    assert event["involvedObject"]["name"] == "b"
    assert event["message"].endswith("the operator creates it again")


async def test_an_allowed_account_that_does_not_exist_is_told(served: Server, namespace: str) -> None:
    template = {"spec": {"serviceAccountName": ALLOWED}}
    async with operator(served) as controller:
        await begin(served, controller, namespace, "a", runner={"template": template})
    job = served.admin.get(f"{JOBS}/{namespace}/daskjobs/a").ok()
    [condition] = [each for each in job["status"]["conditions"] if each["type"] == "ClusterReady"]
    assert condition["reason"] == "ServiceAccountNotFound"
    assert condition["message"].endswith("create it in this namespace, or name another one")


def test_the_operator_may_create_accounts_and_do_nothing_else_with_them(served: Server, namespace: str) -> None:
    client = token(served, SYSTEM, OPERATOR)
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    account(served, namespace, "theirs")
    assert client.get(f"{accounts}/theirs").status == 403
    assert client.get(accounts).status == 403
    assert client.merge(f"{accounts}/theirs", {"secrets": []}).status == 403
    assert client.delete(f"{accounts}/theirs").status == 403
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": []}}
    assert client.create(f"{accounts}/theirs/token", asked).status == 403


def test_in_listed_namespaces_no_other_account_may_write_even_its_own_report(
    served: Server, helm: Helm, namespace: str
) -> None:
    clients: dict[str, tuple[Client, str]] = {}
    for name in (RUNNER_ACCOUNT, ALLOWED, "other", "default"):
        if name != "default":
            account(served, namespace, name)
        pod = {"serviceAccountName": name, "containers": [{"name": "runner", "image": "localhost/none:test"}]}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": pod}
        pod = served.admin.create(f"/api/v1/namespaces/{namespace}/pods", manifest).ok()
        reports = f"{JOBS}/{namespace}/daskjobreports"
        served.admin.create(reports, a_report(name, pod["metadata"]["uid"])).ok()
        clients[name] = token(served, namespace, name, pod), f"{reports}/{name}"
    helm("upgrade", "daskjob", str(CHART), "--reuse-values", "--set", f"watchNamespaces={{{namespace}}}")

    def answers() -> dict[str, int]:
        return {name: write(client, report).status for name, (client, report) in clients.items()}

    expected = {RUNNER_ACCOUNT: 200, ALLOWED: 200, "other": 403, "default": 403}
    wait_for("the rights in force", answers, lambda found: found == expected)
