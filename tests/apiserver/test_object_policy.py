"""Who may create what looks like an object of a job: the chart's policies on a real API server, as tables."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from daskjob.api import constants as c
from daskjob.lifecycle.enforcement import compare, read_policies

from ..support.waiting import wait_for
from .conftest import CHART, Helm, make_namespace
from .dask_clusters import CONTROLLER, OPERATOR, SYSTEM, dask_cluster
from .labelled_objects import KINDS, MANAGED, Body, a_pod, plain, workload
from .roles import grant
from .server import Answer, Client, Server
from .test_policy import account, token

#: As `lifecycle.job.record` names an attempt.
ATTEMPT = "sum-3f2a9-1-bcdfgh24"
REFUSED = "is for objects that the operator of DaskJobs creates"
#: Service accounts that may do everything by their roles, and so may the stranger, who is a person.
ACCOUNTS = {
    "account": ("default", "stranger"),
    "operator": (SYSTEM, OPERATOR),
    "controller": (SYSTEM, CONTROLLER),
    "replicaset-controller": ("kube-system", "replicaset-controller"),
    "generic-garbage-collector": ("kube-system", "generic-garbage-collector"),
}


class World:
    def __init__(self, server: Server) -> None:
        self.server = server
        everything = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
        self.users: dict[str, Client] = {"admin": server.admin, "stranger": server.person("stranger")}
        person = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "stranger"}
        grant(server, "all-stranger", everything, person)
        self.users["kubelet"] = server.person("system:node:node", "system:nodes")
        grant(server, "all-kubelet", everything, {**person, "name": "system:node:node"})
        for name, (namespace, called) in ACCOUNTS.items():
            subject = {"kind": "ServiceAccount", "namespace": namespace, "name": called}
            if namespace != SYSTEM:
                subject = account(server, namespace, called)
            grant(server, f"all-{name}", everything, subject)
            self.users[name] = token(server, namespace, called)

    def create(
        self, user: str, kind: str, namespace: str, name: str = "", labels: dict[str, str] | None = None
    ) -> Answer:
        """Only tried: nothing is stored."""
        path, build = KINDS[kind]
        body = build(name or f"mine-{uuid.uuid4().hex[:8]}", labels or {})
        return self.users[user].create(path.format(namespace), body, "dryRun=All")

    def made(self, kind: str, namespace: str, labels: dict[str, str], name: str = "") -> str:
        """The path of an object that the operator created."""
        path, build = KINDS[kind]
        body = build(name or f"made-{uuid.uuid4().hex[:8]}", labels)
        self.users["operator"].create(path.format(namespace), body).ok()
        return f"{path.format(namespace)}/{body['metadata']['name']}"


@pytest.fixture(scope="module")
def world(helm: Helm) -> World:
    """The chart with all values as they are, and its policies in force."""
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    found, namespace = World(helm.server), make_namespace(helm.server)

    def words(labels: dict[str, str]) -> str:
        return found.create("stranger", "ConfigMap", namespace, labels=labels).message

    # One label for each of the two policies.
    for each in (MANAGED, {c.JOB_LABEL: "a"}):
        wait_for("the policies to be in force", lambda each=each: words(each), lambda message: REFUSED in message)
    return found


@pytest.fixture
def namespace(world: World) -> str:
    return make_namespace(world.server)


def refused(answer: Answer, *words: str) -> None:
    assert answer.status == 403, answer
    for each in (REFUSED, *words):
        assert each in answer.message


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_our_label_only_operator_controller_and_masters_create(
    world: World, namespace: str, kind: str
) -> None:
    for user in ("operator", "controller", "admin"):
        # The policy on reports leaves these to the operator.
        if (user, kind) != ("controller", "DaskJobReport"):
            world.create(user, kind, namespace, labels=MANAGED).ok()
    # Kubernetes' own controllers make pods of what users write: here, none of them makes a job's.
    for user in ("stranger", "account", "replicaset-controller"):
        if kind == "DaskJobReport" and user != "stranger":
            continue
        # Of a report, either policy refuses any: the API server tells one of the two, in no fixed order.
        words = () if kind == "DaskJobReport" else ("label app.kubernetes.io/managed-by",)
        refused(world.create(user, kind, namespace, labels=MANAGED), *words)


@pytest.mark.parametrize("kind", [each for each in KINDS if each != "DaskJobReport"])
def test_strangers_objects_are_none_of_it(world: World, namespace: str, kind: str) -> None:
    for labels in (
        {},
        {"app": "a"},
        {c.MANAGED_BY_LABEL: "Helm"},
        {c.DASK_CLUSTER_LABEL: "mine", c.DASK_COMPONENT_LABEL: "scheduler"},
        {c.DASK_CLUSTER_LABEL: "exp-12345-1"},
    ):
        world.create("stranger", kind, namespace, labels=labels).ok()
    for name in (
        "daskjob-runner",
        "daskjob-runner-of-mine",
        "sum-3f2a9-1",
        "my-runner",
        "web-5d8f9c7b6d-scheduler",
        "files",
    ):
        world.create("stranger", kind, namespace, name).ok()


@pytest.mark.parametrize(
    "key", [c.JOB_LABEL, c.JOB_UID_LABEL, c.ATTEMPT_LABEL, c.COMPONENT_LABEL, c.INSTALLATION_LABEL]
)
def test_each_of_our_labels_is_ours_alone(world: World, namespace: str, key: str) -> None:
    for kind in ("Pod", "Secret", "DaskCluster"):
        refused(world.create("stranger", kind, namespace, labels={key: "1"}), f"label {key} ")
        world.create("operator", kind, namespace, labels={key: "1"}).ok()


@pytest.mark.parametrize(
    ("key", "value"), [(c.DASK_CLUSTER_LABEL, ATTEMPT), (c.DASK_GROUP_LABEL, f"{ATTEMPT}-default")]
)
def test_nor_the_labels_by_which_our_scheduler_is_found_and_workers_counted(
    world: World, namespace: str, key: str, value: str
) -> None:
    refused(world.create("stranger", "Pod", namespace, labels={key: value}), f"label {key} ")
    world.create("stranger", "Pod", namespace, labels={key: "mine-default"}).ok()


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Pod", f"{ATTEMPT}-runner"),
        ("Pod", f"{ATTEMPT}-scheduler"),
        ("Pod", f"{ATTEMPT}-default-worker-0a1b2c"),
        ("Secret", f"{ATTEMPT}-files"),
        ("Service", f"{ATTEMPT}-scheduler"),
        ("NetworkPolicy", ATTEMPT),
        ("DaskCluster", ATTEMPT),
        ("DaskWorkerGroup", f"{ATTEMPT}-default"),
        ("DaskJobReport", ATTEMPT),
        ("DaskJobReport", "any"),
        ("ConfigMap", "daskjob-runner-0123456789"),
        ("ConfigMap", f"daskjob-runner-{'0' * 64}"),
    ],
)
def test_names_of_ours(world: World, namespace: str, kind: str, name: str) -> None:
    refused(world.create("stranger", kind, namespace, name), f"{name}: this name ")
    world.create("operator", kind, namespace, name).ok()


@pytest.mark.parametrize(
    ("path", "build"),
    [
        ("/apis/apps/v1/namespaces/{}/deployments", workload("apps/v1", "Deployment", {c.JOB_UID_LABEL: "u"})),
        ("/apis/apps/v1/namespaces/{}/replicasets", workload("apps/v1", "ReplicaSet", MANAGED)),
        ("/apis/apps/v1/namespaces/{}/statefulsets", workload("apps/v1", "StatefulSet", MANAGED)),
        ("/apis/apps/v1/namespaces/{}/daemonsets", workload("apps/v1", "DaemonSet", MANAGED)),
        ("/apis/batch/v1/namespaces/{}/jobs", workload("batch/v1", "Job", MANAGED)),
        ("/apis/apps/v1/namespaces/{}/deployments", workload("apps/v1", "Deployment", {c.DASK_CLUSTER_LABEL: ATTEMPT})),
    ],
)
def test_labels_that_others_would_give_to_pods_for_a_user(
    world: World, namespace: str, path: str, build: Callable[[str, dict[str, str]], Body]
) -> None:
    stranger = world.users["stranger"]
    body = build("mine", {})
    refused(stranger.create(path.format(namespace), body, "dryRun=All"), "in a template of pods")
    labels = body["spec"]["template"]["metadata"]["labels"]
    mine = {**body, "spec": {**body["spec"]}}
    mine["spec"]["template"] = {**body["spec"]["template"], "metadata": {"labels": {"app": "a"}}}
    created = stranger.create(path.format(namespace), mine).ok()
    assert set(labels) - {"app"}
    if created["kind"] in ("Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"):
        changes = {"spec": {"template": {"metadata": {"labels": labels}}}}
        refused(stranger.merge(f"{path.format(namespace)}/mine", changes), "in a template of pods")
        stranger.merge(f"{path.format(namespace)}/mine", {"metadata": {"annotations": {"a": "b"}}}).ok()


@pytest.mark.parametrize("component", ["worker", "scheduler"])
def test_nor_by_a_cluster_of_dask(world: World, namespace: str, component: str) -> None:
    body = dask_cluster("mine", {})
    body["spec"][component]["metadata"] = {"labels": MANAGED}
    path, _ = KINDS["DaskCluster"]
    refused(world.users["stranger"].create(path.format(namespace), body, "dryRun=All"), "in a template of pods")


CHANGES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "takes our label": ({}, MANAGED),
    "takes a job's": ({}, {c.JOB_UID_LABEL: "u"}),
    "loses our label": (MANAGED, {c.MANAGED_BY_LABEL: None}),
    "gives it to another program": (MANAGED, {c.MANAGED_BY_LABEL: "Helm"}),
    "loses a job's": ({**MANAGED, c.JOB_LABEL: "a"}, {c.JOB_LABEL: None}),
    "another attempt's": ({**MANAGED, c.ATTEMPT_LABEL: "1"}, {c.ATTEMPT_LABEL: "2"}),
    "leaves its Service": ({**MANAGED, c.DASK_CLUSTER_LABEL: ATTEMPT}, {c.DASK_CLUSTER_LABEL: "other"}),
    "of a job without our label": ({c.JOB_LABEL: "a"}, {c.JOB_LABEL: "b"}),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("kind", ["Pod", "ConfigMap", "DaskCluster"])
def test_labels_of_ours_only_they_change(world: World, namespace: str, kind: str, name: str) -> None:
    before, change = CHANGES[name]
    path = world.made(kind, namespace, before)
    refused(world.users["stranger"].merge(path, {"metadata": {"labels": change}}), "label ")
    # The right to update is the stranger's; the operator's own does not reach so far, but the policy would let it.
    world.users["operator"].merge(path, {"metadata": {"labels": change}}).ok()


@pytest.mark.parametrize("user", ["stranger", "generic-garbage-collector"])
def test_all_else_may_change_and_all_may_be_deleted(world: World, namespace: str, user: str) -> None:
    client = world.users[user]
    for kind in ("Pod", "ConfigMap", "Secret", "Service", "DaskCluster", "DaskWorkerGroup"):
        path = world.made(kind, namespace, {**MANAGED, c.JOB_LABEL: "a"})
        client.merge(path, {"metadata": {"finalizers": ["a.example/b"], "labels": {"note": "x"}}}).ok()
        client.merge(path, {"metadata": {"finalizers": [], "ownerReferences": []}}).ok()
        assert client.delete(path).status == 200
    for _ in range(2):
        world.made("Pod", namespace, MANAGED)
    pods, _ = KINDS["Pod"]
    assert client.delete(f"{pods.format(namespace)}?labelSelector=app.kubernetes.io/managed-by").status == 200


@pytest.mark.parametrize("kind", ["DaskCluster", "DaskWorkerGroup"])
def test_nobody_has_the_controller_make_other_pods_for_a_job(world: World, namespace: str, kind: str) -> None:
    """Who may edit the object need not have any right on pods."""
    path = world.made(kind, namespace, MANAGED)
    for worker in ({"spec": {"containers": [], "hostPID": True}}, {"replicas": 100}):
        refused(world.users["stranger"].merge(path, {"spec": {"worker": worker}}), "a change of the spec of dask")
    for user in ("controller", "operator"):
        world.users[user].merge(path, {"spec": {"worker": {"replicas": 2}}}).ok()
    mine = f"{KINDS[kind][0].format(namespace)}/mine"
    body = KINDS[kind][1]("mine", {})
    world.users["stranger"].create(KINDS[kind][0].format(namespace), body).ok()
    world.users["stranger"].merge(mine, {"spec": {"worker": {"replicas": 3}}}).ok()


def test_what_kubernetes_itself_does_with_a_pod(world: World, namespace: str) -> None:
    """Subresources: the scheduler binds, the kubelet writes the status, kubectl debugs, a drain evicts."""
    stranger = world.users["stranger"]
    path = world.made("Pod", namespace, {**MANAGED, c.JOB_LABEL: "a"}, f"{ATTEMPT}-runner")
    name = path.rpartition("/")[2]
    target = {"apiVersion": "v1", "kind": "Node", "name": "node"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
    stranger.create(f"{path}/binding", binding).ok()
    stranger.merge(f"{path}/status", {"status": {"phase": "Running", "message": "m"}}).ok()
    container = {"name": "debug", "image": "localhost/none:test"}
    body = world.server.admin.get(path).ok()
    body["spec"]["ephemeralContainers"] = [container]
    stranger.request("PUT", f"{path}/ephemeralcontainers", body).ok()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    stranger.create(f"{path}/eviction", eviction).ok()


def test_nobody_asks_for_a_runners_token(world: World, namespace: str) -> None:
    """With one that is bound to the runner's pod, its report can be written. Kubernetes' role edit has the right."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    world.server.admin.create(accounts, plain("v1", "ServiceAccount")("daskjob-runner", {})).ok()

    def ask(user: str, pod: str) -> Answer:
        bound = {"apiVersion": "v1", "kind": "Pod", "name": pod}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"boundObjectRef": bound}}
        return world.users[user].create(f"{accounts}/daskjob-runner/token", body)

    for name in (f"{ATTEMPT}-runner", "mine-runner"):
        body = a_pod(name, {})
        body["spec"]["serviceAccountName"] = "daskjob-runner"
        world.users["operator"].create(f"/api/v1/namespaces/{namespace}/pods", body).ok()
    for user in ("stranger", "account"):
        refused(ask(user, f"{ATTEMPT}-runner"), f"a token that is bound to {ATTEMPT}-runner")
        ask(user, "mine-runner").ok()
    ask("kubelet", f"{ATTEMPT}-runner").ok()


def test_what_the_api_server_makes_of_them_is_what_the_operator_compares(world: World) -> None:
    admin, admission = world.server.admin, "/apis/admissionregistration.k8s.io/v1/validatingadmission"
    operator = admin.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments/{OPERATOR}").ok()
    [container] = operator["spec"]["template"]["spec"]["containers"]
    [given] = [each["value"] for each in container["env"] if each["name"] == "DASKJOB_OBJECT_POLICIES"]
    shipped = read_policies(json.loads(given))
    assert len(shipped) == 3
    for each in shipped:
        policy, binding = (admin.get(f"{admission}{kind}/{each.name}").ok() for kind in ("policies", "policybindings"))
        assert compare(each, policy, binding).problem == ""


def owner(controller: bool, uid: str = "u-1", kind: str = "DaskCronJob") -> list[Body]:
    return [
        {"apiVersion": "daskjob.io/v1alpha1", "kind": kind, "name": "nightly", "uid": uid, "controller": controller}
    ]


def test_no_user_passes_a_job_off_as_a_cron_jobs(world: World, namespace: str) -> None:
    """It would count as a run that goes on, or push others out of the history."""
    jobs = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    spec = {"graph": {"entrypoint": "job:main"}, "cluster": {"image": "localhost/none:test"}}
    job = plain("daskjob.io/v1alpha1", "DaskJob", spec=spec)("mine", {c.CRON_JOB_LABEL: "nightly"})
    forged = {**job, "metadata": {**job["metadata"], "ownerReferences": owner(True)}}
    stranger, operator = world.users["stranger"], world.users["operator"]
    refused(stranger.create(jobs, forged, "dryRun=All"), "the controller DaskCronJob nightly ")
    for owners in (owner(False), owner(True, kind="Workflow")):
        mine = {**job, "metadata": {**job["metadata"], "ownerReferences": owners}}
        stranger.create(jobs, mine, "dryRun=All").ok()
    stranger.create(jobs, job).ok()
    for owners in (owner(True), [*owner(False, "u-2"), *owner(True)]):
        refused(stranger.merge(f"{jobs}/mine", {"metadata": {"ownerReferences": owners}}), "the controller DaskCronJob")
    operator.create(jobs, {**forged, "metadata": {**forged["metadata"], "name": "theirs"}}).ok()
    # What Kubernetes' own garbage collector does with one that outlives its cron job, and users with any.
    stranger.merge(
        f"{jobs}/theirs", {"metadata": {"annotations": {c.RERUN_ANNOTATION: "a"}}, "spec": {"suspend": True}}
    ).ok()
    stranger.merge(f"{jobs}/theirs", {"metadata": {"ownerReferences": None}}).ok()
    refused(stranger.merge(f"{jobs}/theirs", {"metadata": {"ownerReferences": owner(True)}}), "DaskCronJob nightly")


def test_namespaces_that_are_not_served_are_left_alone(world: World) -> None:
    for name in ("kube-system", SYSTEM):
        world.create("stranger", "ConfigMap", name, labels=MANAGED).ok()


def test_a_namespace_can_be_deleted_and_the_chart_upgraded(world: World, helm: Helm, namespace: str) -> None:
    world.made("Pod", namespace, MANAGED)
    assert world.users["stranger"].delete(f"/api/v1/namespaces/{namespace}").status == 200
    helm("upgrade", "daskjob", str(CHART), "--reset-values", "--set", "log.level=DEBUG")


def test_with_somebody_elses_operator_of_dask(world: World, helm: Helm, namespace: str) -> None:
    """It makes Deployments, of which Kubernetes' controllers make the pods; a user's Deployment is judged itself."""
    theirs = "stranger"
    values = ["--set", "daskController.enabled=false", "--set", f"objectPolicy.exemptUsers={{{theirs}}}"]
    helm("upgrade", "daskjob", str(CHART), "--reset-values", *values)
    try:

        def answer() -> Answer:
            return world.create("stranger", "Deployment", namespace, labels=MANAGED)

        wait_for("the policy for that user to be in force", answer, lambda found: found.status == 201)
        world.create("replicaset-controller", "Pod", namespace, labels=MANAGED).ok()
        path, build = "/apis/apps/v1/namespaces/{}/deployments", workload("apps/v1", "Deployment", MANAGED)
        collector = world.users["generic-garbage-collector"]
        refused(collector.create(path.format(namespace), build("a", {}), "dryRun=All"), "in a template of pods")
    finally:
        helm("upgrade", "daskjob", str(CHART), "--reset-values")
