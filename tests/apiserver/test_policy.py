"""The ValidatingAdmissionPolicy for reports: a pod writes its own report and nothing else, whatever RBAC allows it.

The rights here are as wide as the chart's: the ClusterRole of a runner is bound to all service accounts.
"""

from __future__ import annotations

from typing import Any

import pytest

from ..support.waiting import wait_for
from .conftest import make_namespace
from .roles import grant
from .server import Answer, Client, Server

GROUP = "/apis/daskjob.io/v1alpha1/namespaces"
OPERATOR = ("daskjob-system", "daskjob-operator")
NOT_YOURS = "this report belongs to another pod"
NOT_THE_STATUS = "a service account may only update the status"


def account(server: Server, namespace: str, name: str) -> dict[str, str]:
    """A new service account, as a subject of a binding."""
    manifest = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}
    server.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", manifest).ok()
    return {"kind": "ServiceAccount", "namespace": namespace, "name": name}


def token(server: Server, namespace: str, name: str, pod: dict[str, Any] | None = None) -> Client:
    """A client with a token of the account, bound to the pod when one is given."""
    spec: dict[str, Any] = {"audiences": [], "expirationSeconds": 3600}
    if pod:
        spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1"} | {k: pod["metadata"][k] for k in ("name", "uid")}
    manifest = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
    return server.client(server.admin.create(path, manifest).ok()["status"]["token"])


class Runner:
    """A pod of the account `default` in a namespace, its token, and the report that names it."""

    def __init__(self, server: Server, namespace: str, name: str) -> None:
        container = {"name": "runner", "image": "localhost/none:test"}
        manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"{name}-runner"}}
        pods = f"/api/v1/namespaces/{namespace}/pods"
        self.pod = server.admin.create(pods, manifest | {"spec": {"containers": [container]}}).ok()
        self.client = token(server, namespace, "default", self.pod)
        self.reports = f"{GROUP}/{namespace}/daskjobreports"
        server.admin.create(self.reports, a_report(name, self.pod["metadata"]["uid"])).ok()
        self.report = f"{self.reports}/{name}"

    def write(self, report: str, **status: Any) -> Answer:
        return self.client.merge(f"{report}/status", {"status": status})


def a_report(name: str, pod_uid: str | None) -> dict[str, Any]:
    spec = {"job": "sum", "jobUID": "uid", "attempt": 1} | ({"runnerPodUID": pod_uid} if pod_uid else {})
    return {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJobReport", "metadata": {"name": name}, "spec": spec}


@pytest.fixture(scope="module")
def world(server: Server) -> Server:
    """Rights given, and the policy in force: it takes the server some seconds to notice a new one."""
    everybody = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"}
    own_status = {"apiGroups": ["daskjob.io"], "resources": ["daskjobreports/status"], "verbs": ["patch"]}
    grant(server, "daskjob-runner", [own_status], everybody)
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR[0]}}
    server.admin.create("/api/v1/namespaces", namespace).ok()
    grant(server, "test-operator", [everything], account(server, *OPERATOR))
    grant(server, "test-powerful", [everything], account(server, "default", "powerful"))
    grant(server, "test-collector", [everything], account(server, "kube-system", "generic-garbage-collector"))
    await_policy(server)
    return server


def await_policy(server: Server) -> None:
    """Until the policy denies a write, in its own words: without a right, too, the answer would be 403.

    The write is one that no other policy of the chart denies: where two do, the API server names any one of them.
    """
    powerful, reports = token(server, "default", "powerful"), f"{GROUP}/default/daskjobreports"
    assert server.admin.create(reports, a_report("canary", None)).status in (201, 409)

    def words() -> str:
        return powerful.merge(f"{reports}/canary", {"spec": {"cancel": True}}, "dryRun=All").message

    wait_for("the policy to be in force", words, lambda message: NOT_THE_STATUS in message)


@pytest.fixture
def place(world: Server) -> str:
    """A new namespace."""
    return make_namespace(world)


@pytest.fixture
def runner(world: Server, place: str) -> Runner:
    return Runner(world, place, "one")


def denied(answer: Answer, words: str) -> None:
    assert answer.status == 403, answer
    assert words in answer.message


def test_a_runner_writes_its_own_report(runner: Runner) -> None:
    answer = runner.write(runner.report, seq=1, stage="Running").ok()
    assert answer["status"] == {"seq": 1, "stage": "Running"}
    # The answer brings the spec along, so a runner learns that it shall stop.
    assert answer["spec"]["cancel"] is False


def test_once_sealed_it_cannot_be_written(runner: Runner) -> None:
    runner.write(runner.report, seq=1, outcome="Failed").ok()
    answer = runner.write(runner.report, seq=2, outcome="Succeeded")
    assert answer.status == 422
    assert "the report is sealed" in answer.message


def test_not_another_pods_report(world: Server, place: str, runner: Runner) -> None:
    other = Runner(world, place, "two")
    denied(other.write(runner.report, seq=1), NOT_YOURS)
    denied(runner.write(other.report, seq=1), NOT_YOURS)


def test_not_another_namespaces_report(world: Server, runner: Runner) -> None:
    """The roles would allow it: they are bound to all accounts everywhere."""
    elsewhere = make_namespace(world)
    stranger = Runner(world, elsewhere, "one")
    denied(stranger.write(runner.report, seq=1), NOT_YOURS)
    denied(runner.write(stranger.report, seq=1), NOT_YOURS)


def test_not_with_a_token_that_is_bound_to_no_pod(world: Server, place: str, runner: Runner) -> None:
    answer = token(world, place, "default").merge(f"{runner.report}/status", {"status": {"seq": 1}})
    denied(answer, NOT_YOURS)


def test_not_before_the_report_names_a_pod(world: Server, runner: Runner) -> None:
    world.admin.create(runner.reports, a_report("nobody", None)).ok()
    denied(runner.write(f"{runner.reports}/nobody", seq=1), NOT_YOURS)


def test_not_by_naming_oneself_in_the_same_request(world: Server, runner: Runner) -> None:
    world.admin.create(runner.reports, a_report("victim", None)).ok()
    own = {"spec": {"runnerPodUID": runner.pod["metadata"]["uid"]}, "status": {"seq": 1}}
    denied(runner.client.merge(f"{runner.reports}/victim/status", own), NOT_YOURS)


def test_what_is_smuggled_in_beside_the_status_is_dropped(world: Server, runner: Runner) -> None:
    before = world.admin.get(runner.report).ok()
    metadata = {"labels": {"a": "b"}, "annotations": {"a": "b"}, "finalizers": ["a/b"], "ownerReferences": []}
    smuggled = {"metadata": metadata, "spec": {"cancel": True, "job": "x"}, "status": {"seq": 1}}
    runner.client.merge(f"{runner.report}/status", smuggled).ok()
    after = world.admin.get(runner.report).ok()
    assert after["spec"] == before["spec"]
    for name in metadata:
        assert after["metadata"].get(name) == before["metadata"].get(name)
    assert after["status"] == {"seq": 1}


def test_a_runners_token_is_good_for_nothing_else(runner: Runner) -> None:
    """By RBAC alone."""
    client = runner.client
    refusals = [
        client.get(runner.report),
        client.get(runner.reports),
        client.create(runner.reports, a_report("new", runner.pod["metadata"]["uid"])),
        client.delete(runner.report),
        client.merge(runner.report, {"spec": {"cancel": True}}),
        client.get(runner.reports.replace("daskjobreports", "daskjobs")),
        client.get(f"/api/v1/namespaces/{runner.pod['metadata']['namespace']}/pods"),
        client.get(f"/api/v1/namespaces/{runner.pod['metadata']['namespace']}/secrets"),
    ]
    assert [answer.status for answer in refusals] == [403] * len(refusals)


def test_rights_do_not_help_an_account_that_is_not_the_operator(world: Server, place: str, runner: Runner) -> None:
    powerful = token(world, "default", "powerful")
    denied(powerful.create(runner.reports, a_report("new", None)), NOT_THE_STATUS)
    denied(powerful.merge(runner.report, {"spec": {"cancel": True}}), NOT_THE_STATUS)
    denied(powerful.merge(f"{runner.report}/status", {"status": {"seq": 1}}), NOT_YOURS)
    whole = world.admin.get(runner.report).ok() | {"status": {"seq": 1}}
    denied(powerful.request("PUT", f"{runner.report}/status", whole), NOT_YOURS)
    applied = {k: whole[k] for k in ("apiVersion", "kind", "status")} | {"metadata": {"name": "applied"}, "spec": {}}
    denied(powerful.apply(f"{runner.reports}/applied", applied | {"spec": a_report("x", None)["spec"]}), NOT_THE_STATUS)


def test_nor_an_account_of_the_operators_name_elsewhere(world: Server, place: str, runner: Runner) -> None:
    everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    grant(world, f"test-{place}", everything, account(world, place, OPERATOR[1]))
    denied(token(world, place, OPERATOR[1]).create(runner.reports, a_report("new", None)), NOT_THE_STATUS)


def test_the_operator_may_do_all_of_it(world: Server, runner: Runner) -> None:
    operator = token(world, *OPERATOR)
    operator.create(runner.reports, a_report("made", None)).ok()
    operator.merge(f"{runner.reports}/made", {"spec": {"runnerPodUID": "uid", "cancel": True}}).ok()
    operator.merge(f"{runner.reports}/made/status", {"status": {"seq": 1}}).ok()
    operator.delete(f"{runner.reports}/made").ok()


def test_the_garbage_collector_may_edit_the_object_but_not_the_status(world: Server, runner: Runner) -> None:
    collector = token(world, "kube-system", "generic-garbage-collector")
    collector.merge(runner.report, {"metadata": {"finalizers": []}}).ok()
    denied(collector.merge(f"{runner.report}/status", {"status": {"seq": 1}}), NOT_YOURS)
    collector.delete(runner.report).ok()


def test_people_stay_under_rbac_alone(world: Server, runner: Runner) -> None:
    world.admin.merge(f"{runner.report}/status", {"status": {"seq": 1}}).ok()
