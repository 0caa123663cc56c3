"""What user code can reach from its pods: its own cluster, encrypted, and its own report, and nothing else. And what
becomes of jobs when the policies that see to that are not in force."""

from __future__ import annotations

import json

import pytest

from ..support.jobs import Job, apply, condition, manifest, result_of
from ..support.kube import Kube, KubectlFailed
from ..support.platform import Release
from ..support.sources import WAITS

POLICY = ("validatingadmissionpolicy", "daskjob-operator-report-writers")

TRAFFIC = """
    import asyncio
    from urllib.parse import urlsplit

    from distributed.core import connect


    def main(client):
        client.wait_for_workers(2)
        workers = client.scheduler_info()["workers"]
        addresses = [client.scheduler.address, *workers]

        async def plainly(address):
            place = urlsplit(address)
            try:
                comm = await connect(f"tcp://{place.hostname}:{place.port}", timeout=3)
                comm.abort()
            except Exception as error:
                return type(error).__name__
            return "connected"

        async def all_plainly():
            return [await plainly(address) for address in addresses]

        return {"schemes": sorted({urlsplit(each).scheme for each in addresses}), "plain": asyncio.run(all_plainly())}
"""

RIGHTS = """
    import json
    import os
    import socket
    import ssl
    import urllib.error
    import urllib.request

    FOLDER = "/var/run/secrets/daskjob"
    GROUP = "/apis/daskjob.io/v1alpha1"


    def tokens():
        folders = (FOLDER, "/var/run/secrets/kubernetes.io")
        return [folder.split("/")[-1] for folder in folders if os.path.exists(folder)]


    def ask(method, path, body=None):
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        context = ssl.create_default_context(cafile=f"{FOLDER}/ca.crt")
        context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        with open(f"{FOLDER}/token") as file:
            headers = {"Authorization": f"Bearer {file.read()}", "Content-Type": "application/merge-patch+json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"https://{host}:{port}{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=context, timeout=10) as response:
                return response.status
        except urllib.error.HTTPError as error:
            return error.code


    def main(client, namespace, other):
        mine = socket.gethostname().removesuffix("-runner")
        reports = f"{GROUP}/namespaces/{namespace}/daskjobreports"
        return {
            "runner": tokens(),
            "worker": client.submit(tokens).result(),
            "scheduler": client.run_on_scheduler(tokens),
            "mine": ask("PATCH", f"{reports}/{mine}/status", {"status": {"protocol": 1}}),
            "mine, its spec": ask("PATCH", f"{reports}/{mine}", {"spec": {"cancel": True}}),
            "another's": ask("PATCH", f"{reports}/{other}/status", {"status": {"outcome": "Failed"}}),
            "reports": ask("GET", reports),
            "jobs": ask("GET", f"{GROUP}/namespaces/{namespace}/daskjobs"),
            "pods": ask("GET", f"/api/v1/namespaces/{namespace}/pods"),
            "secrets": ask("GET", f"/api/v1/namespaces/{namespace}/secrets"),
            "accounts": ask("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts"),
            "a pod": ask("DELETE", f"/api/v1/namespaces/{namespace}/pods/{mine}-runner"),
        }
"""


#: Templates that take away by null what the operator sets.
NULLS = {"template": {"spec": {"automountServiceAccountToken": None, "restartPolicy": None}}}


def test_all_of_dasks_traffic_is_encrypted(kube: Kube) -> None:
    job = apply(kube, manifest("traffic", TRAFFIC, cluster={"workers": {"replicas": 2}}))
    result = result_of(job.end())
    assert result["schemes"] == ["tls"]
    assert len(result["plain"]) == 3
    assert "connected" not in result["plain"], result


def test_a_runner_can_write_its_own_report_and_do_nothing_else(kube: Kube) -> None:
    """Whatever the account `default` of its namespace may do."""
    kube.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "default-edit"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
            "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": kube.namespace}],
        }
    )
    # It runs: a sealed report could not be written to by anybody.
    other = apply(kube, manifest("other", "import time\n\n\ndef main():\n    time.sleep(300)\n"))
    status = other.reaches("it to run", lambda status: status.get("phase") == "Running", 60)
    pods = [pod["spec"] for component in ("scheduler", "worker", "runner") for pod in other.pods(component)]
    assert [spec["serviceAccountName"] for spec in pods] == ["daskjob-runner"] * 3
    names = {"namespace": kube.namespace, "other": status["attempts"][0]["name"]}
    components = {"cluster": {"scheduler": NULLS, "workers": NULLS}, "runner": NULLS}
    # A client-side `kubectl apply` would leave the nulls out.
    rights = manifest("rights", RIGHTS, graph={"kwargs": names}, **components)
    kube.kubectl("create", "-f", "-", stdin=json.dumps(rights))
    job = Job(kube, "rights")
    stored = kube.get("daskjobs.daskjob.io", "rights")
    assert stored is not None
    assert stored["spec"]["runner"]["template"] == NULLS["template"]
    result = result_of(job.end())
    assert [result.pop(name) for name in ("runner", "worker", "scheduler")] == [["daskjob"], [], []]
    assert {pod["spec"]["restartPolicy"] for pod in job.pods("runner")} == {"Never"}
    assert result.pop("mine") == 200
    assert set(result.values()) == {403}, result


def test_an_account_that_was_deleted_is_told_and_created_again(kube: Kube) -> None:
    """The Dask controller, whose pods are refused as well, creates them once the account is there."""
    source = "def main():\n    return 1\n"
    apply(kube, manifest("first", source)).end()
    kube.delete("serviceaccount", "daskjob-runner")
    second = apply(kube, manifest("second", source))
    status = second.end()
    assert result_of(status) == 1
    assert len(status["attempts"]) == 1
    events = [each["reason"] for each in kube.list("events") if each["involvedObject"]["name"] == "second"]
    assert "ServiceAccountNotFound" in events


def test_an_emptied_policy_is_told_and_a_forged_report_is_not_believed(release: Release, kube: Kube) -> None:
    job = apply(kube, manifest("victim", WAITS, [42]))
    status = job.reaches("it to run", lambda status: status.get("phase") == "Running", 60)
    policy = release.kube.get(*POLICY)
    assert policy is not None
    try:
        release.kube.patch(*POLICY, {"spec": {"validations": [{"expression": "true"}]}})
        told = job.reaches("its condition", lambda status: bool(condition(status, "ReportingDegraded")), 30)
        degraded = condition(told, "ReportingDegraded")
        assert (degraded["status"], degraded["reason"]) == ("True", "PolicyNotInForce")
        assert 'spec.validations[0].expression is "true"' in degraded["message"]
        forged = {"status": {"protocol": 1, "outcome": "Succeeded", "result": {"type": "int", "value": "666"}}}
        kube.patch("daskjobreports.daskjob.io", status["attempts"][-1]["name"], forged, subresource="status")
    finally:
        restored = {**policy, "metadata": {**policy["metadata"], "resourceVersion": None, "managedFields": None}}
        release.kube.kubectl("replace", "-f", "-", stdin=json.dumps(restored))
    # Although it is back: nobody can tell what was written meanwhile.
    job.let_go()
    status = job.end()
    assert result_of(status) == 42
    assert condition(status, "ReportingDegraded")["reason"] == "PolicyNotInForce"
    after = apply(kube, manifest("after", "def main():\n    return 1\n")).end()
    assert result_of(after) == 1
    assert not condition(after, "ReportingDegraded")


def test_a_stranger_can_make_nothing_that_looks_like_a_jobs(kube: Kube) -> None:
    """A pod by its labels, himself or by a Deployment; the scheduler, the kubelet and a drain do as ever."""
    rules = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "stranger"}}
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "stranger"}
    reference = {"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "stranger"}}
    kube.apply(role | {"kind": "Role"} | rules, role | {"kind": "RoleBinding", "subjects": [subject]} | reference)
    job = apply(kube, manifest("victim", WAITS, [42]))
    job.reaches("it to run", lambda status: status.get("phase") == "Running", 60)
    [runner] = job.pods("runner")
    labels = runner["metadata"]["labels"]
    spec = {"restartPolicy": "Never", "containers": [{"name": "runner", "image": "localhost/none:test"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "aaa", "labels": labels}, "spec": spec}
    template = {"metadata": {"labels": {**labels, "app": "a"}}, "spec": {"containers": spec["containers"]}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "aaa"},
        "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": template},
    }
    for body in (pod, deployment):
        with pytest.raises(KubectlFailed, match="is for objects that the operator of DaskJobs creates"):
            kube.kubectl("create", "--as=stranger", "-f", "-", stdin=json.dumps(body))
    worker = job.pods("worker")[0]["metadata"]["name"]
    with pytest.raises(KubectlFailed, match=r"label daskjob\.io/job"):
        kube.kubectl("label", "--as=stranger", "pod", worker, "daskjob.io/job-")
    kube.kubectl("label", "--as=stranger", "pod", worker, "note=x")
    kube.kubectl("delete", "--as=stranger", "pod", worker, "--wait=false")
    job.let_go()
    assert result_of(job.end()) == 42, "a worker that is deleted is an ordinary fault"
