"""Code that comes from elsewhere, on real pods: a private git repository whose branch moves, an image without git."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ..fetch.git_server import PASSWORD, USER
from ..support.jobs import apply, manifest
from ..support.kube import Kube
from ..support.settings import image
from ..support.waiting import wait_for

PROGRAMS = [Path(__file__).parents[1] / "fetch" / name for name in ("git_server.py", "wheels.py")]
MAIN = """\
import os
import urllib.request


def main(client):
    if os.environ["DASKJOB_ATTEMPT"] == "1":
        urllib.request.urlopen("http://git:8080/move/code").close()
        raise RuntimeError("the branch has moved")

    def found():
        import index_thing
        import value

        return value.VALUE + index_thing.VERSION

    return [found(), client.run_on_scheduler(found), *client.run(found).values()]
"""
PORTS = {"git": 8080, "index": 8081}
SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture
def git(kube: Kube) -> Kube:
    """A namespace with a git server, of which the path /private asks for the password in Secret `token`, and with a
    package index."""
    files = {"jobs/main.py": MAIN, "jobs/value.py": "VALUE = 'first'\n"}
    labels = {"app": "git"}
    server: dict[str, Any] = {
        "name": "git",
        "image": image("dask-new"),
        "command": ["python3", "/program/git_server.py"],
        "env": [{"name": "REPOSITORIES", "value": "/tmp/git"}, {"name": "FILES", "value": json.dumps(files)}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": SECURITY,
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
    }
    index = {**server, "name": "index", "command": ["python3", "/program/wheels.py"]}
    index["readinessProbe"] = {"tcpSocket": {"port": 8081}, "periodSeconds": 1}
    pod_security = {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}}
    volumes = [{"name": "program", "configMap": {"name": "git-server"}}]
    kube.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "git-server"},
            "data": {each.name: each.read_text() for each in PROGRAMS},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "git", "labels": labels},
            "spec": {"containers": [server, index], "securityContext": pod_security, "volumes": volumes},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "git"},
            "spec": {"selector": labels, "ports": [{"name": name, "port": port} for name, port in PORTS.items()]},
        },
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "token"},
            "type": "kubernetes.io/basic-auth",
            "stringData": {"username": USER, "password": PASSWORD},
        },
    )

    def ready() -> bool:
        conditions = (kube.get("pod", "git") or {}).get("status", {}).get("conditions") or ()
        return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)

    wait_for("the git server to be ready", ready, bool, 60)
    return kube


def test_all_attempts_and_all_pods_have_the_commit_that_the_first_attempt_found(git: Kube) -> None:
    source = {"url": "http://git:8080/private/code", "revision": "main", "subPath": "jobs"}
    body = manifest("from-git", "", cluster={"workers": {"replicas": 2}}, backoffLimit=1, backoff={"initialSeconds": 1})
    body["spec"]["graph"] = {
        "entrypoint": "main:main",
        "source": {"git": {**source, "secretRef": {"name": "token"}}},
        "pip": {"packages": ["index-thing"], "indexUrl": "http://git:8081/simple/"},
    }
    job = apply(git, body)
    status = job.end(120)
    assert status.get("result", {}).get("value") == '["first1.5","first1.5","first1.5","first1.5"]', status.get(
        "failure"
    )
    commits = [each["commit"] for each in status["attempts"]]
    assert len(commits) == 2
    assert commits[0] == commits[1]
    written = json.dumps([job.body(), *git.list("pods", f"daskjob.io/job={job.name}")])
    assert PASSWORD not in written
    job.is_clean()


def test_an_image_without_git_is_told_so(git: Kube) -> None:
    body = manifest("no-git", "", cluster={"image": image("dask-old")})
    body["spec"]["graph"] = {"entrypoint": "main:main", "source": {"git": {"url": "http://git:8080/code"}}}
    job = apply(git, body)
    failure = job.end(60)["failure"]
    assert (failure["reason"], failure["class"]) == ("GitMissing", "Application")
    assert "the image has no git" in failure["message"]
    job.is_clean()
