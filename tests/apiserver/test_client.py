"""The client and its commands against a real API server: what it answers, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daskjob.api.resource import DASK_JOBS
from daskjob.client.credentials import Target
from daskjob.client.job_client import JobClient
from daskjob.client.job_end import End
from daskjob.client.problems import (
    AlreadyExists,
    ClientError,
    Forbidden,
    InvalidJob,
    JobDeleted,
    JobNotFound,
    NotFound,
    NotInstalled,
)
from daskjob.client.watching import Selection

from .roles import RBAC, bind
from .server import Server, running

PATH = "/apis/daskjob.io/v1alpha1/namespaces/{}/daskjobs"


def manifest(name: str, **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "daskjob.io/v1alpha1",
        "kind": "DaskJob",
        "metadata": {"name": name, **metadata},
        "spec": {"graph": {"entrypoint": "job:main"}, "cluster": {"image": "example/dask:1"}},
    }


def client_of(server: Server, namespace: str) -> JobClient:
    return JobClient(Target(kubeconfig=str(server.kubeconfig), namespace=namespace))


@pytest.fixture
def client(server: Server, namespace: str) -> JobClient:
    return client_of(server, namespace)


def end(server: Server, namespace: str, name: str, kind: str, reason: str) -> None:
    """What the operator would record at the end."""
    condition = {"type": kind, "status": "True", "reason": reason, "message": "words"}
    times = {"lastTransitionTime": "2026-11-26T12:00:00Z"}
    status = {"phase": "Failed", "observedGeneration": 1, "conditions": [condition | times]}
    server.admin.merge(f"{PATH.format(namespace)}/{name}/status", {"status": status}).ok()


@contextmanager
def soon(work: Callable[..., None], *arguments: Any) -> Iterator[None]:
    """Does this meanwhile, and is done with it afterwards: the connection that it uses is one for all tests."""
    timer = threading.Timer(0.5, work, arguments)
    timer.start()
    try:
        yield
    finally:
        timer.join()


def test_create_get_list_patch_delete(client: JobClient) -> None:
    made = client.create(manifest("one", labels={"team": "a"}))
    assert client.get("one")["metadata"]["uid"] == made["metadata"]["uid"]
    client.create({**manifest("x"), "metadata": {"generateName": "two-"}})
    names = [each["metadata"]["name"] for each in client.list_objects()]
    assert names[0] == "one"
    assert names[1].startswith("two-")
    assert client.names() == names
    assert [each["metadata"]["name"] for each in client.list_objects(labels="team=a")] == ["one"]
    assert client.cancel("one")["spec"]["cancel"] is True
    assert client.suspend("one")["spec"]["suspend"] is True
    client.delete("one", uid=made["metadata"]["uid"])
    client.wait_gone("one", made["metadata"]["uid"], timeout=30)
    with pytest.raises(JobNotFound):
        client.get("one")


def test_a_list_of_more_than_a_page(client: JobClient) -> None:
    for number in range(101):
        client.create(manifest(f"job-{number}"))
    assert len(client.list_objects()) == 101


def test_a_name_that_is_taken(client: JobClient) -> None:
    client.create(manifest("one"))
    with pytest.raises(AlreadyExists):
        client.create(manifest("one"))


def test_what_the_schema_refuses(client: JobClient) -> None:
    wrong = manifest("One")
    wrong["spec"]["backoffLimit"] = -1
    with pytest.raises(InvalidJob) as caught:
        client.create(wrong)
    assert any(each.startswith("spec.backoffLimit: ") for each in caught.value.problems)
    unknown = manifest("one")
    unknown["spec"]["bakoffLimit"] = 1
    with pytest.raises(InvalidJob, match=r"unknown field \"spec\.bakoffLimit\""):
        client.create(unknown)


def test_dry_run_creates_nothing(client: JobClient) -> None:
    assert client.dry("server").create(manifest("one"))["metadata"]["name"] == "one"
    assert client.list_objects() == []


def test_dry_changes_change_nothing(client: JobClient) -> None:
    """The API server checks them, as those that count."""
    created, dry = client.create(manifest("one")), client.dry("server")
    assert dry.suspend("one")["spec"]["suspend"] is True
    assert dry.delete("one") == created["metadata"]["uid"]
    with pytest.raises(InvalidJob, match=r"spec\.priority"):
        dry.patch("one", {"spec": {"priority": "high"}})
    assert client.get("one")["spec"] == created["spec"]


def test_no_such_namespace(server: Server) -> None:
    with pytest.raises(NotFound, match="there is no namespace nowhere"):
        client_of(server, "nowhere").create(manifest("one"))


def test_a_job_made_anew_is_another_one(client: JobClient) -> None:
    """Neither deleted nor changed by who meant the first."""
    first = client.create(manifest("one"))["metadata"]["uid"]
    client.delete("one", uid=first)
    second = client.create(manifest("one"))["metadata"]["uid"]
    assert client.wait(["one"], timeout=30, uids={"one": first})["one"][0] is End.DELETED
    replaced = "one was deleted, and another job has its name now"
    with pytest.raises(JobDeleted, match=replaced):
        client.delete("one", uid=first)
    with pytest.raises(JobDeleted, match=replaced):
        client.patch("one", {"metadata": {"uid": first}, "spec": {"cancel": True}})
    job = client.get("one")
    assert (job["metadata"]["uid"], job["spec"].get("cancel", False)) == (second, False)
    client.delete("one", uid=second)
    for change in (
        lambda: client.delete("one", uid=second),
        lambda: client.patch("one", {"metadata": {"uid": second}}),
    ):
        with pytest.raises(JobDeleted, match=r"one was deleted$"):
            change()


def test_watch_delivers_what_happens(server: Server, client: JobClient, namespace: str) -> None:
    client.create(manifest("one"))
    batches = client.watch(Selection(DASK_JOBS, namespace)).batches()
    found = [(each.type, each.object["metadata"]["name"]) for each in next(batches)]
    client.create(manifest("two"))
    end(server, namespace, "one", "Failed", "TaskFailed")
    client.delete("two")
    while len(found) < 4:
        found += [(each.type, each.object["metadata"]["name"]) for each in next(batches)]
    assert found == [("ADDED", "one"), ("ADDED", "two"), ("MODIFIED", "one"), ("DELETED", "two")]


def test_wait_ends_by_the_conditions(server: Server, client: JobClient, namespace: str) -> None:
    client.create(manifest("one"))
    with soon(end, server, namespace, "one", "Failed", "Cancelled"):
        assert client.wait(["one"], timeout=30)["one"][0] is End.CANCELLED
    job = client.retry("one")
    assert job["metadata"]["annotations"]["daskjob.io/rerun"]
    with pytest.raises(TimeoutError):
        client.wait(["one"], timeout=0.5)


@pytest.fixture
def limited(server: Server, namespace: str, tmp_path: Path) -> Callable[..., JobClient]:
    """A client of somebody who may do these with DaskJobs, and nothing else."""

    def connect(*verbs: str) -> JobClient:
        rules = [{"apiGroups": ["daskjob.io"], "resources": ["daskjobs"], "verbs": list(verbs)}]
        server.admin.create(f"{RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": "some"}, "rules": rules}).ok()
        subject = {"kind": "ServiceAccount", "name": "default", "namespace": namespace}
        bind(server, namespace, ("Role", "some"), subject, rules[0])
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/default/token"
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        token = server.admin.request("POST", path, request).ok()["status"]["token"]
        content = json.loads(server.kubeconfig.read_text())
        content["users"][0]["user"] = {"token": token}
        (tmp_path / "kubeconfig").write_text(json.dumps(content))
        return JobClient(Target(kubeconfig=str(tmp_path / "kubeconfig"), namespace=namespace))

    return connect


def test_what_is_forbidden(limited: Callable[..., JobClient]) -> None:
    client = limited("list")
    assert client.list_objects() == []
    calls: dict[str, Callable[[], Any]] = {
        "create": lambda: client.create(manifest("one")),
        "get": lambda: client.get("one"),
        "patch": lambda: client.patch("one", {"spec": {"suspend": True}}),
        "delete": lambda: client.delete("one"),
    }
    for verb, call in calls.items():
        with pytest.raises(Forbidden, match=f"you may not {verb} daskjobs in namespace test-") as caught:
            call()
        assert (caught.value.verb, caught.value.resource) == (verb, "daskjobs")
    with pytest.raises(Forbidden, match="you may not list daskjobs in all namespaces"):
        client.list_objects(all_namespaces=True)
    with pytest.raises(Forbidden, match="you may not list pods"):
        client.pods({"metadata": {"namespace": client.namespace, "uid": "x"}})


def test_wait_without_the_right_to_watch_or_to_list(
    server: Server, namespace: str, client: JobClient, limited: Callable[..., JobClient]
) -> None:
    client.create(manifest("one"))
    weak = limited("get")
    with soon(end, server, namespace, "one", "Complete", "Succeeded"):
        assert weak.wait(["one"], timeout=30)["one"][0] is End.SUCCEEDED


def test_a_cluster_without_daskjobs() -> None:
    with running() as bare:
        client = client_of(bare, "default")
        for call in (client.list_objects, lambda: client.get("one"), lambda: client.create(manifest("one"))):
            with pytest.raises(NotInstalled, match="this cluster has no daskjobs: the operator's definitions"):
                call()


def test_a_certificate_of_another_cluster(server: Server, namespace: str, tmp_path: Path) -> None:
    content = json.loads(server.kubeconfig.read_text())
    del content["clusters"][0]["cluster"]["certificate-authority"]
    (tmp_path / "kubeconfig").write_text(json.dumps(content))
    with pytest.raises(ClientError, match=r"does not prove who it is.*CERTIFICATE_VERIFY_FAILED"):
        JobClient(Target(kubeconfig=str(tmp_path / "kubeconfig"), namespace=namespace)).list_objects()


def daskjob(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": str(server.kubeconfig)}
    command = [sys.executable, "-m", "daskjob.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_the_command(server: Server, namespace: str, tmp_path: Path) -> None:
    """The table has the cells of kubectl's."""
    file = tmp_path / "job.json"
    file.write_text(json.dumps(manifest("one")))
    assert daskjob(server, "submit", str(file), "-n", namespace, "-o", "name").stdout == "daskjob.daskjob.io/one\n"
    end(server, namespace, "one", "Failed", "TaskFailed")
    ours = daskjob(server, "list", "-o", "wide", "-n", namespace).stdout
    theirs = server.kubectl("get", "daskjobs", "-o", "wide", "-n", namespace).stdout
    assert ours.splitlines()[0].split() == theirs.splitlines()[0].split()
    assert ours.split()[:12] == ["NAME", *ours.split()[1:10], "one", "Failed"]
    assert daskjob(server, "wait", "one", "-n", namespace).returncode == 1
    assert daskjob(server, "status", "two", "-n", namespace).returncode == 4


def test_a_mistake_that_the_server_finds_is_told_in_our_words(server: Server, namespace: str, tmp_path: Path) -> None:
    """What the schema refuses, and what its rules do: `submit` leaves both to the server."""
    wrong = manifest("one")
    wrong["spec"]["bakoffLimit"] = 1
    (tmp_path / "unknown.json").write_text(json.dumps(wrong))
    (tmp_path / "rule.json").write_text(json.dumps(manifest("One")))
    for file, words in (
        ("unknown", "unknown field: did you mean backoffLimit?"),
        ("rule", "metadata.name: use lower-case"),
    ):
        done = daskjob(server, "submit", str(tmp_path / f"{file}.json"), "-n", namespace)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert "strict decoding" not in done.stderr


def test_a_script_needs_no_manifest(server: Server, client: JobClient, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "my.py").write_text("import other\n\n\ndef graph(n):\n    return n\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    script = f"{tmp_path}/my.py:graph"
    done = daskjob(server, "submit", script, "-n", namespace, "--image", "a/b:1", "--workers", "2", "-o", "name", "7")
    name = done.stdout.strip().partition("/")[2]
    assert name.startswith("my-"), done.stderr
    spec = client.get(name)["spec"]
    assert sorted(spec["graph"]["source"]["files"]) == ["my.py", "other.py"]
    assert (spec["graph"]["args"], spec["cluster"]["workers"]["replicas"]) == ([7], 2)
