"""The chart installed by Helm on a real API server, and the Dask controller at work there with the rights it gives."""

from __future__ import annotations

import copy
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ..support.waiting import wait_for
from .conftest import CHART, Helm, make_namespace
from .dask_clusters import (
    CONTROLLER,
    LABELS,
    OPERATOR,
    REQUESTS,
    SYSTEM,
    asked_of,
    controller,
    dask,
    dask_cluster,
    of_the_operator,
    pods,
    requests,
    scaled,
    token,
    workers_become,
)
from .server import Answer, Client, Server
from .test_newer_fields import CONTAINER, POD, has


def test_every_object_passes_strict_validation(own_server: Server, helm: Helm) -> None:
    manifest = helm("get", "manifest", "daskjob")
    done = own_server.kubectl(
        "apply",
        "--dry-run=server",
        "--server-side",
        "--force-conflicts",
        "--validate=strict",
        "-f",
        "-",
        stdin=manifest,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == manifest.count("\nkind: ") + manifest.startswith("kind: ")


@pytest.mark.parametrize("listed", [False, True], ids=["everywhere", "namespaces"])
def test_a_cluster_is_made_with_few_requests(installed: Server, helm: Helm, tmp_path: Path, listed: bool) -> None:
    namespace, other = make_namespace(installed), make_namespace(installed)
    values = ["--set", f"watchNamespaces={{{namespace}}}"] if listed else ["--reset-values"]
    helm("upgrade", "daskjob", str(CHART), *values)
    path = dask(namespace, "daskclusters")
    first, second = (of_the_operator(installed, namespace, name) for name in ("a", "b"))
    with controller(installed, tmp_path, *([namespace] if listed else [])) as log:
        before = requests(installed)
        cluster, theirs = (installed.admin.create(path, each).ok() for each in (first, dask_cluster("theirs", {})))
        if listed:
            installed.admin.create(dask(other, "daskclusters"), dask_cluster("elsewhere", LABELS)).ok()
        workers = workers_become(installed, namespace, 2)
        # What the controller might write about the first, it has written when it has made the second.
        installed.admin.create(path, second).ok()
        workers_become(installed, namespace, 4)
        scaled(log, "b-default", 2)
        made = requests(installed) - before
        group = installed.admin.get(f"{dask(namespace, 'daskworkergroups')}/a-default").ok()
        scheduler = next(
            each for each in pods(installed, namespace, "scheduler") if each["metadata"]["name"] == "a-scheduler"
        )
        after = [installed.admin.get(f"{path}/{name}").ok() for name in ("a", "theirs")]
    said = log.read_text()
    assert "Traceback" not in said
    assert "ERROR" not in re.sub(r".*storage is \(re\)initializing.*", "", said)
    assert asked_of(made) == {each: 2 * count for each, count in REQUESTS.items()}
    assert after == [cluster, theirs], "nothing is written about a cluster; theirs is not labelled as one of a job's"
    for each in (group, scheduler, *workers):
        assert "finalizers" not in each["metadata"], f"{each['kind']} must go without anybody's help"
    for each, owner in ((group, cluster), (scheduler, cluster), *((worker, group) for worker in workers)):
        assert [reference["uid"] for reference in each["metadata"]["ownerReferences"]] == [owner["metadata"]["uid"]]
        assert each["metadata"]["labels"].items() >= LABELS.items()
    assert not pods(installed, other, "worker")
    if listed:
        # Or the next test's controller, which watches all namespaces, would make it.
        installed.admin.delete(f"{dask(other, 'daskclusters')}/elsewhere").ok()


def test_a_cluster_of_an_earlier_release_is_made_too(installed: Server, helm: Helm, tmp_path: Path) -> None:
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    namespace = make_namespace(installed)
    with controller(installed, tmp_path) as log:
        phases = (("a", None), ("b", "Created"))
        clusters = [of_the_operator(installed, namespace, name, phase=phase) for name, phase in phases]
        before = requests(installed)
        for number, cluster in enumerate(clusters):
            installed.admin.create(dask(namespace, "daskclusters"), cluster).ok()
            workers_become(installed, namespace, 2 * (number + 1))
            scaled(log, f"{cluster['metadata']['name']}-default", 2)
        made = requests(installed) - before
    # Its phase comes from the controller, which acts when it sees that phase.
    doubled = {each: 2 * count for each, count in REQUESTS.items()}
    assert asked_of(made) == doubled | {("PATCH", "daskclusters"): 1}


@pytest.mark.parametrize("lost", [0, 1, 2, 3], ids=["nothing", "a worker", "workers and group", "all"])
def test_a_half_made_cluster_is_completed(installed: Server, helm: Helm, tmp_path: Path, lost: int) -> None:
    """Killed after all of it, or before the last objects came to be: it has no record, and looks at what exists."""
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    namespace = make_namespace(installed)
    paths = [f"{dask(namespace, 'daskclusters')}/a", f"{dask(namespace, 'daskworkergroups')}/a-default"]
    core = f"/api/v1/namespaces/{namespace}/pods"

    def uids() -> dict[str, str]:
        found = [*pods(installed, namespace, "scheduler"), *pods(installed, namespace, "worker")]
        found += [installed.admin.get(path).ok() for path in paths]
        return {each["metadata"]["name"]: each["metadata"]["uid"] for each in found}

    with controller(installed, tmp_path) as log:
        installed.admin.create(dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a")).ok()
        workers = workers_become(installed, namespace, 2)
        scaled(log, "a-default", 2)
    log.unlink()
    made = uids()
    names = [each["metadata"]["name"] for each in workers]
    gone = [[], names[:1], [*names, "a-default"], [*names, "a-default", "a-scheduler"]][lost]
    for name in gone:
        installed.admin.delete(paths[1] if name == "a-default" else f"{core}/{name}").ok()
    kept = {name: uid for name, uid in made.items() if name not in gone}
    with controller(installed, tmp_path) as log:
        workers_become(installed, namespace, 2)
        scaled(log, "a-default", 2)
        after = uids()
    assert "Traceback" not in log.read_text()
    assert len(after) == len(made)
    assert after.items() >= kept.items()


def test_a_group_whose_cluster_is_gone_gets_no_workers(installed: Server, helm: Helm, tmp_path: Path) -> None:
    """The garbage collector, which would remove it, may be late; none runs here."""
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    namespace = make_namespace(installed)
    cluster = installed.admin.create(dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a")).ok()
    reference = {"apiVersion": cluster["apiVersion"], "kind": cluster["kind"], "name": "a"}
    group = {
        "apiVersion": cluster["apiVersion"],
        "kind": "DaskWorkerGroup",
        "metadata": {
            "name": "a-default",
            "labels": LABELS,
            "ownerReferences": [reference | {"uid": cluster["metadata"]["uid"]}],
        },
        "spec": {"cluster": "a", "worker": cluster["spec"]["worker"]},
    }
    installed.admin.create(dask(namespace, "daskworkergroups"), group).ok()
    installed.admin.delete(f"{dask(namespace, 'daskclusters')}/a").ok()
    with controller(installed, tmp_path) as log:
        wait_for("the question", log.read_text, lambda text: "Could not find DaskCluster a" in text)
        assert not pods(installed, namespace, "worker")
    # Or the next test's controller would ask again.
    installed.admin.delete(f"{dask(namespace, 'daskworkergroups')}/a-default").ok()


def test_fields_of_todays_kubernetes_reach_the_pods(installed: Server, helm: Helm, tmp_path: Path) -> None:
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    namespace = make_namespace(installed)
    manifest = of_the_operator(installed, namespace, "a", workers=1)
    for part in ("scheduler", "worker"):
        spec = manifest["spec"][part]["spec"]
        # As the operator writes it: the API server would add a volume with a token.
        spec |= copy.deepcopy(POD) | {"automountServiceAccountToken": False}
        spec["containers"][0] |= copy.deepcopy(CONTAINER)
    with controller(installed, tmp_path):
        installed.admin.create(dask(namespace, "daskclusters"), manifest).ok()
        [worker] = workers_become(installed, namespace, 1)
        [scheduler] = pods(installed, namespace, "scheduler")
    for each in (worker, scheduler):
        assert has(each["spec"], POD)
        assert has(each["spec"]["containers"][0], CONTAINER)


def test_a_restart_makes_nothing_twice_and_scaling_is_the_operators(
    installed: Server, helm: Helm, tmp_path: Path
) -> None:
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    namespace = make_namespace(installed)
    operator = installed.client(token(installed, OPERATOR))
    group = f"{dask(namespace, 'daskworkergroups')}/a-default"

    def scale(replicas: int) -> None:
        operator.merge(group, {"spec": {"worker": {"replicas": replicas}}}).ok()

    with controller(installed, tmp_path) as log:
        operator.create(dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "a")).ok()
        workers_become(installed, namespace, 2)
        scaled(log, "a-default", 2)
    log.unlink()
    # While it is down.
    scale(3)
    operator.create(dask(namespace, "daskclusters"), of_the_operator(installed, namespace, "b", workers=1)).ok()
    with controller(installed, tmp_path) as log:
        workers = workers_become(installed, namespace, 4)
        scaled(log, "a-default", 3)
        assert len(pods(installed, namespace, "scheduler")) == 2
        # As the operator does it for an adaptive job: the worker that retired, then the number.
        gone = next(each for each in workers if each["metadata"]["name"].startswith("a-default"))["metadata"]["name"]
        operator.delete(f"/api/v1/namespaces/{namespace}/pods/{gone}").ok()
        scale(2)
        scaled(log, "a-default", 2)
        names = {each["metadata"]["name"] for each in pods(installed, namespace, "worker")}
    assert names == {each["metadata"]["name"] for each in workers} - {gone}
    assert "Traceback" not in log.read_text()


def report(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJobReport",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {"job": "sum", "jobUID": "0" * 8, "attempt": 1},
    }


def test_only_this_releases_operator_may_make_reports(installed: Server, helm: Helm) -> None:
    # Without the policies of objects, which refuse it as well: the server names one of those that do.
    helm("upgrade", "daskjob", str(CHART), "--reset-values", "--set", "objectPolicy.enabled=false")
    namespace = make_namespace(installed)
    path = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobreports"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "another"}}
    installed.admin.create(f"/api/v1/namespaces/{SYSTEM}/serviceaccounts", account).ok()
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": OPERATOR}
    subjects = [{"kind": "ServiceAccount", "name": "another", "namespace": SYSTEM}]
    binding = {"kind": "RoleBinding", "metadata": {"name": "another"}, "roleRef": role, "subjects": subjects}
    bindings = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings"
    installed.admin.create(bindings, {"apiVersion": "rbac.authorization.k8s.io/v1", **binding}).ok()
    clients: dict[str, Client] = {name: installed.client(token(installed, name)) for name in (OPERATOR, "another")}

    def refused() -> str:
        return clients["another"].create(path, report("forged"), "dryRun=All").message

    # The server takes a moment to compile new policies, and to read new rights.
    wait_for("the policy in force", refused, lambda message: "may only update the status" in message)

    def allowed() -> Answer:
        return clients[OPERATOR].create(path, report("sum-00000-1"), "dryRun=All")

    wait_for("the operator's right", allowed, lambda answer: answer.status == 201)
    clients[OPERATOR].create(path, report("sum-00000-1")).ok()


def dispatched(server: Server) -> Counter[tuple[str, str]]:
    """Requests that went on so far, by flow schema and priority level."""
    counted: Counter[tuple[str, str]] = Counter()
    for line in server.admin.get("/metrics").message.splitlines():
        if line.startswith("apiserver_flowcontrol_dispatched_requests_total{"):
            labels = dict(re.findall(r'(\w+)="([^"]*)"', line))
            counted[labels["flow_schema"], labels["priority_level"]] += int(float(line.rsplit(" ", 1)[1]))
    return counted


def test_reports_flow_on_a_level_of_their_own(installed: Server, helm: Helm) -> None:
    helm("upgrade", "daskjob", str(CHART), "--reset-values")
    namespace = make_namespace(installed)
    reports = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobreports"
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "runner"}}
    installed.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", account).ok()
    runner = installed.client(token(installed, "runner", namespace))
    ours = (f"{OPERATOR}-reports",) * 2

    def write_and_count() -> int:
        # Refused, for there is no such report: the flow was chosen before.
        runner.merge(f"{reports}/none/status", {"status": {"seq": 1}})
        return dispatched(installed)[ours]

    wait_for("the flow schema in force", write_and_count, lambda count: count > 0)
    before = dispatched(installed)[ours]
    runner.get(f"{reports}/none")
    installed.admin.merge(f"{reports}/none/status", {"status": {"seq": 1}})
    assert dispatched(installed)[ours] == before, "reads and other users flow as before"


@pytest.mark.parametrize(
    ("account", "method", "path"),
    [
        (OPERATOR, "GET", "/api/v1/namespaces/default/secrets"),
        (OPERATOR, "GET", "/api/v1/namespaces/default/configmaps"),
        (OPERATOR, "GET", "/api/v1/namespaces/kube-system/secrets/any"),
        (OPERATOR, "GET", "/api/v1/nodes"),
        (OPERATOR, "DELETE", "/apis/daskjob.io/v1alpha1/namespaces/default/daskcronjobs/any"),
        (OPERATOR, "PUT", "/apis/daskjob.io/v1alpha1/namespaces/default/daskjobs/any"),
        (OPERATOR, "GET", "/apis/apps/v1/namespaces/default/deployments"),
        (CONTROLLER, "GET", "/apis/apps/v1/namespaces/default/deployments"),
        (CONTROLLER, "DELETE", "/api/v1/namespaces/default/pods/any"),
        (CONTROLLER, "GET", "/api/v1/namespaces/default/secrets"),
        (CONTROLLER, "GET", "/apis/daskjob.io/v1alpha1/namespaces/default/daskjobs"),
    ],
)
def test_what_they_may_not_do(installed: Server, account: str, method: str, path: str) -> None:
    answer = installed.client(token(installed, account)).request(method, path)
    assert (answer.status, answer.body.get("reason")) == (403, "Forbidden")


def test_uninstalling_leaves_definitions_and_jobs(installed: Server, helm: Helm) -> None:
    namespace = make_namespace(installed)
    job = {"graph": {"entrypoint": "a:b"}, "cluster": {"image": "localhost/none:test"}}
    manifest = {"apiVersion": "daskjob.io/v1alpha1", "kind": "DaskJob", "metadata": {"name": "a"}, "spec": job}
    jobs = f"/apis/daskjob.io/v1alpha1/namespaces/{namespace}/daskjobs"
    installed.admin.create(jobs, manifest).ok()
    helm("uninstall", "daskjob")
    assert installed.admin.get(f"{jobs}/a").status == 200
    left = installed.kubectl("get", "all,sa,role,rolebinding", "-n", SYSTEM, "-o", "name").stdout.split()
    assert not [name for name in left if "daskjob-operator" in name]
    helm("install", "daskjob", str(CHART))
    assert installed.admin.get(f"{jobs}/a").status == 200
