"""Each command as a person with Kubernetes' roles view or edit in a namespace, by the roles that the chart adds to
them: it works, or says which right is missing. And what the operator's own account may change of a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from daskjob.api import constants as c
from daskjob.api.resource import DASK_JOBS
from daskjob.cli.commands import daskjob
from daskjob.controller.cache import Cache
from daskjob.controller.objects import Objects

from ..support.waiting import wait_for
from .conftest import make_namespace
from .dask_clusters import OPERATOR, SYSTEM
from .job_controllers import kube_client, now
from .roles import RBAC, bind
from .server import Answer, Client, Server
from .test_policy import token

PATH = "/apis/daskjob.io/v1alpha1/namespaces/{}/{}"
JOB = {
    "apiVersion": "daskjob.io/v1alpha1",
    "kind": "DaskJob",
    "metadata": {"name": "one"},
    "spec": {"graph": {"entrypoint": "job:main"}, "cluster": {"image": "example/dask:1"}},
}
CRON = {
    "apiVersion": "daskjob.io/v1alpha1",
    "kind": "DaskCronJob",
    "metadata": {"name": "nightly"},
    "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": JOB["spec"]}},
}
Run = Callable[..., Result]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(daskjob, list(arguments))


@pytest.fixture(scope="module")
def roles(installed: Server) -> Server:
    """Kubernetes' own roles as its controller manager would aggregate them: with the rules of all that have their
    labels."""
    for name in ("view", "edit"):
        found = installed.admin.get(f"{RBAC}/clusterroles").ok()["items"]
        label = f"rbac.authorization.k8s.io/aggregate-to-{name}"
        parts = [each for each in found if (each["metadata"].get("labels") or {}).get(label) == "true"]
        assert any(each["metadata"]["name"].startswith("daskjob") for each in parts)
        rules = [rule for each in parts for rule in each["rules"] or ()]
        installed.admin.merge(f"{RBAC}/clusterroles/{name}", {"rules": rules}).ok()
    return installed


@pytest.fixture
def person(roles: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], tuple[str, Run]]:
    """A namespace with a job and a cron job, and the command as somebody who has that role there and nothing else."""

    def start(role: str) -> tuple[str, Run]:
        namespace = make_namespace(roles)
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
        # By the rules that were added above: view gives the first, edit both.
        verb = "list" if role == "view" else "create"
        right = {"apiGroups": ["daskjob.io"], "resources": ["daskjobs"], "verbs": [verb]}
        bind(roles, namespace, ("ClusterRole", role), subject, right)
        roles.admin.create(PATH.format(namespace, "daskjobs"), JOB).ok()
        roles.admin.create(PATH.format(namespace, "daskcronjobs"), CRON).ok()
        content = json.loads(roles.kubeconfig.read_text())
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = roles.admin.request("POST", path, request).ok()["status"]["token"]
        content["users"][0]["user"] = {"token": token}
        content["contexts"][0]["context"]["namespace"] = namespace
        (tmp_path / "kubeconfig").write_text(json.dumps(content))
        (tmp_path / "job.json").write_text(json.dumps({**JOB, "metadata": {"name": "two"}}))
        monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
        monkeypatch.chdir(tmp_path)
        return namespace, run

    return start


def end(server: Server, namespace: str, name: str) -> None:
    """What the operator would record at the end."""
    condition = {"type": "Complete", "status": "True", "reason": "Succeeded", "message": "words"}
    times = {"lastTransitionTime": "2026-11-26T12:00:00Z"}
    status = {"phase": "Succeeded", "observedGeneration": 1, "conditions": [condition | times]}
    status["result"] = {"type": "int", "value": "7"}
    server.admin.merge(f"{PATH.format(namespace, 'daskjobs')}/{name}/status", {"status": status}).ok()


#: What `view` is enough for.
READS = [
    ("list",),
    ("status", "one"),
    ("wait", "one"),
    ("result", "one"),
    ("events", "one"),
    ("cron", "list"),
    ("submit", "job.json", "--dry-run", "client"),
]
#: What takes `edit`, in an order in which all work, and the right that `view` lacks.
CHANGES = [
    (("submit", "job.json"), "create daskjobs"),
    (("suspend", "two"), "patch daskjobs"),
    (("resume", "two"), "patch daskjobs"),
    (("cancel", "two"), "patch daskjobs"),
    (("retry", "one"), "patch daskjobs"),
    (("cron", "suspend", "nightly"), "patch daskcronjobs"),
    (("cron", "resume", "nightly"), "patch daskcronjobs"),
    (("cron", "run-now", "nightly"), "patch daskcronjobs"),
    (("delete", "one"), "delete daskjobs"),
]


def test_edit_is_enough_for_each_command(roles: Server, person: Callable[[str], tuple[str, Run]]) -> None:
    namespace, run = person("edit")
    end(roles, namespace, "one")
    for arguments in (*READS, *(each for each, _ in CHANGES)):
        done = run(*arguments)
        assert (done.exit_code, "Forbidden" in done.stderr) == (0, False), (arguments, done.stderr)


def test_view_reads_and_says_which_right_a_change_takes(
    roles: Server, person: Callable[[str], tuple[str, Run]]
) -> None:
    namespace, run = person("view")
    end(roles, namespace, "one")
    roles.admin.create(PATH.format(namespace, "daskjobs"), {**JOB, "metadata": {"name": "two"}}).ok()
    for arguments in READS:
        assert run(*arguments).exit_code == 0, arguments
    # No pod, so no log; but nothing is forbidden.
    assert run("logs", "one").exit_code == 4
    roles.admin.delete(f"{PATH.format(namespace, 'daskjobs')}/two").ok()
    for arguments, right in CHANGES:
        if arguments[1] == "two":
            continue
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (3, ""), (arguments, done.output)
        assert f"you may not {right} in namespace {namespace}" in done.stderr


def test_the_dashboard_takes_the_right_to_forward_ports(
    roles: Server, person: Callable[[str], tuple[str, Run]]
) -> None:
    namespace, run = person("view")
    job = roles.admin.get(f"{PATH.format(namespace, 'daskjobs')}/one").ok()
    labels = {"daskjob.io/job-uid": job["metadata"]["uid"], "dask.org/component": "scheduler"}
    spec = {"containers": [{"name": "scheduler", "image": "example/dask:1"}], "nodeName": "nowhere"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one-1", "labels": labels}, "spec": spec}
    roles.admin.create(f"/api/v1/namespaces/{namespace}/pods", pod).ok()
    command = f"kubectl -n {namespace} port-forward pod/one-1 8787:8787"
    status = {"phase": "Running", "cluster": {"name": "one-1", "dashboard": command}}
    roles.admin.merge(f"{PATH.format(namespace, 'daskjobs')}/one/status", {"status": status}).ok()
    done = run("dashboard", "one")
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"you may not create pods/portforward in namespace {namespace}" in done.stderr


def test_doctor_says_what_each_may_do(roles: Server, person: Callable[[str], tuple[str, Run]]) -> None:
    namespace, run = person("edit")
    done = run("doctor")
    found = dict(line[7:].split(": ", 1) for line in done.stdout.splitlines() if line.startswith("ok"))
    assert found["user"].startswith(f"you are system:serviceaccount:{namespace}:default")
    assert "DaskJobs of daskjob.io/v1alpha1" in found["definitions"]
    assert "right to create daskjobs" in found
    assert found["quota"] == "none in this namespace"
    # Only an administrator may look into the operator's namespace.
    assert "?      operator: you may not list leases in namespace daskjob-system" in done.stdout
    assert done.exit_code == 0, done.stdout
    namespace, run = person("view")
    done = run("doctor")
    assert done.exit_code == 3
    words = "you may not create, so these do not work: submit; ask an administrator for the role edit"
    assert f"wrong  right to create daskjobs: {words} in namespace {namespace}\n" in done.stdout


def test_doctor_of_an_administrator(roles: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who leads, which namespaces are served, what quotas are used up, and what a job lacks that does not start."""
    namespace = make_namespace(roles)
    monkeypatch.setenv("KUBECONFIG", str(roles.kubeconfig))

    def doctor(*arguments: str) -> Result:
        return run("doctor", "--operator-namespace", SYSTEM, *arguments)

    done = doctor("-n", namespace)
    # The chart is installed, and nobody runs its pods.
    assert done.exit_code == 3
    assert f"wrong  operator: there is no Lease of an operator in namespace {SYSTEM}" in done.stdout
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM}/leases"
    [deployment] = [
        each["metadata"]["name"]
        for each in roles.admin.get(f"/apis/apps/v1/namespaces/{SYSTEM}/deployments").ok()["items"]
        if each["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
    ]
    # Longer than this test takes from one renewal on.
    spec = {"holderIdentity": "pod-1", "leaseDurationSeconds": 3600, "renewTime": "2020-01-01T00:00:00.000000Z"}
    roles.admin.create(leases, {"metadata": {"name": deployment}, "spec": spec}).ok()
    assert f"wrong  operator: nobody leads: Lease {deployment} has run out" in doctor("-n", namespace).stdout
    now = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    roles.admin.merge(f"{leases}/{deployment}", {"spec": {"renewTime": now}}).ok()
    done = doctor("-n", namespace)
    assert done.exit_code == 0, done.stdout
    assert "ok     operator: pod-1 leads\n" in done.stdout
    assert f"ok     namespace {namespace}: is served\n" in done.stdout
    assert "wrong  namespace kube-system: is excluded by the installation" in doctor("-n", "kube-system").stdout
    assert "wrong  namespace nowhere: does not exist" in doctor("-n", "nowhere").stdout
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}}
    roles.admin.create(f"/api/v1/namespaces/{namespace}/resourcequotas", quota).ok()
    full = {"status": {"hard": {"pods": "0"}, "used": {"pods": "0"}}}
    roles.admin.merge(f"/api/v1/namespaces/{namespace}/resourcequotas/few/status", full).ok()
    assert "wrong  quota: used up: pods (0 of 0, few)" in doctor("-n", namespace).stdout
    # Nobody runs it here.
    namespace = make_namespace(roles)
    done = doctor("-n", namespace, "--try", "--timeout", "2s")
    assert done.exit_code == 3
    assert "wrong  a job: did not end within 2 s: no operator has looked at it" in done.stdout
    assert roles.admin.get(PATH.format(namespace, "daskjobs")).ok()["items"] == []


#: Far deeper than a job may be: the policy judges it all the same.
DEEP = json.loads("[" * 900 + "]" * 900)
OURS, THEIRS = c.RESULTS_FINALIZER, "example.org/hold"
REFUSED = "the operator of DaskJobs may set and take off its own finalizer, not change "
#: By the words of the refusal, merge patches that its right to patch DaskJobs would allow. (Of a spec, the definition
#: keeps most fields as they are, whoever writes.)
EDITS = [
    ("spec", {"spec": {"suspend": True}}),
    ("spec", {"spec": {"priority": 1}}),
    ("spec", {"spec": {"ttlSecondsAfterFinished": 0}}),
    ("spec", {"spec": {"suspend": True}, "metadata": {"finalizers": [THEIRS, OURS]}}),
    ("metadata.annotations", {"metadata": {"annotations": {c.RERUN_ANNOTATION: "again"}}}),
    ("metadata.annotations", {"metadata": {"annotations": None}}),
    ("metadata.labels", {"metadata": {"labels": {"queue": "other"}, "finalizers": [THEIRS, OURS]}}),
    ("metadata.labels", {"metadata": {"labels": None}}),
    (
        "metadata.ownerReferences",
        {"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "u"}]}},
    ),
    ("metadata.finalizers of others", {"metadata": {"finalizers": None}}),
    ("metadata.finalizers of others", {"metadata": {"finalizers": [OURS]}}),
    ("metadata.finalizers of others", {"metadata": {"finalizers": [THEIRS, OURS, "example.org/more"]}}),
]


def operator_of(roles: Server) -> Client:
    """Once the policy on its own account is in force."""
    operator = token(roles, SYSTEM, OPERATOR)
    path = a_job(roles, make_namespace(roles))

    def words() -> str:
        return operator.merge(path, {"spec": {"priority": 1}}).message

    wait_for("the policy", words, lambda message: REFUSED in message)
    return operator


def a_job(server: Server, namespace: str) -> str:
    """The path of a job with labels, annotations, and a finalizer of another program."""
    metadata = {"name": "held", "labels": {"queue": "a"}, "annotations": {"note": "b"}, "finalizers": [THEIRS]}
    job = {
        **JOB,
        "metadata": metadata,
        "spec": {**JOB["spec"], "graph": {**JOB["spec"]["graph"], "args": [1.5, {"a": [None]}, DEEP]}},
    }
    server.admin.create(PATH.format(namespace, "daskjobs"), job).ok()
    return f"{PATH.format(namespace, 'daskjobs')}/held"


def not_changed(answer: Answer, field: str) -> None:
    assert answer.status == 403, answer
    assert f"{REFUSED}{field}" in answer.message


def test_the_operator_changes_nothing_of_a_job_but_its_finalizer(roles: Server) -> None:
    operator = operator_of(roles)
    path = a_job(roles, make_namespace(roles))
    before = roles.admin.get(path).ok()
    for field, change in EDITS:
        not_changed(operator.merge(path, change), field)
    applied = {"apiVersion": before["apiVersion"], "kind": "DaskJob", "metadata": {"name": "held"}}
    force, kind = f"{path}?fieldManager=any&force=true", "application/apply-patch+yaml"
    not_changed(operator.request("PATCH", force, {**applied, "spec": {"suspend": True}}, kind), "spec")
    pointers = [{"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1}]
    not_changed(operator.request("PATCH", path, pointers, "application/json-patch+json"), "spec")
    assert roles.admin.get(path).ok() == before
    # Whoever else may patch jobs, may patch them whole.
    roles.admin.merge(path, {"spec": {"suspend": True}, "metadata": {"labels": {"queue": "b"}}}).ok()


async def test_its_finalizer_comes_and_goes_also_while_the_job_is_deleted(roles: Server) -> None:
    operator_of(roles)
    namespace = make_namespace(roles)
    path = a_job(roles, namespace)
    async with kube_client(roles, SYSTEM, OPERATOR) as client:
        objects, uid = (
            Objects(client, Cache(DASK_JOBS, lambda _: None), now),
            roles.admin.get(path).ok()["metadata"]["uid"],
        )

        async def hold(on: bool) -> list[str]:
            await objects.set_finalizer(DASK_JOBS, namespace, "held", uid, OURS, on)
            return list(roles.admin.get(path).ok()["metadata"]["finalizers"])

        assert await hold(True) == [THEIRS, OURS]
        assert await hold(False) == [THEIRS]
        assert await hold(True) == [THEIRS, OURS]
        roles.admin.delete(path)
        assert await hold(False) == [THEIRS]
    roles.admin.merge(path, {"metadata": {"finalizers": None}}).ok()
    assert roles.admin.get(path).status == 404
