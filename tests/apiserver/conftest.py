"""One API server with the project's CRDs and policy for most tests here, one with the chart for the others, and a
namespace for each test."""

from __future__ import annotations

import os
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .dask_clusters import CONTROLLER, OPERATOR, SYSTEM
from .roles import await_right
from .server import BINARIES, Server, await_definitions, running, with_definitions

CHART = Path(__file__).resolve().parents[2] / "charts" / "daskjob-operator"


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with with_definitions() as started:
        yield started


@pytest.fixture
def namespace(server: Server) -> str:
    """A new one; nobody removes it, it goes with the server."""
    return make_namespace(server)


def make_namespace(server: Server) -> str:
    """With the service account that every namespace has: the API server takes no pod without it."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    server.admin.create("/api/v1/namespaces", manifest).ok()
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    server.admin.create(f"/api/v1/namespaces/{name}/serviceaccounts", account).ok()
    return name


class Helm:
    """Helm with a server, its files kept apart from the user's."""

    def __init__(self, server: Server, home: Path) -> None:
        self.server = server
        folders = {f"HELM_{name}_HOME": str(home / name.lower()) for name in ("CACHE", "CONFIG", "DATA")}
        self.environment = os.environ | folders | {"KUBECONFIG": str(server.kubeconfig)}

    def __call__(self, *arguments: str) -> str:
        command = [str(BINARIES / "helm"), *arguments, "--namespace", SYSTEM]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """Not the one that other tests share: it has the definitions from elsewhere, and Helm would not take them."""
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def helm(own_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """With the chart installed, all values as they are; its definitions and rights are in force."""
    helm = Helm(own_server, tmp_path_factory.mktemp("helm"))
    helm("install", "daskjob", str(CHART), "--create-namespace")
    await_definitions(own_server)
    for name, group, plural in (
        (OPERATOR, "daskjob.io", "daskjobs"),
        (CONTROLLER, "kubernetes.dask.org", "daskclusters"),
    ):
        subject = {"kind": "ServiceAccount", "namespace": SYSTEM, "name": name}
        await_right(own_server, subject, {"apiGroups": [group], "resources": [plural], "verbs": ["list"]})
    return helm


@pytest.fixture(scope="module")
def installed(helm: Helm) -> Server:
    return helm.server
