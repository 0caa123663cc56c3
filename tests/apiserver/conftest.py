"""One API server with the project's CRDs and policy for all tests here, and a namespace for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from daskjob.schema import find_crds

from .server import Server, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """Started once, with crds/ applied as a user would: by kubectl."""
    with running() as started:
        applied = started.kubectl("apply", "--filename", str(Path(str(find_crds()))))
        assert applied.returncode == 0, applied.stderr
        established = started.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
        assert established.returncode == 0, established.stderr
        yield started


@pytest.fixture
def namespace(server: Server) -> str:
    """A new one; nobody removes it, it goes with the server."""
    return make_namespace(server)


def make_namespace(server: Server) -> str:
    name = f"test-{uuid.uuid4().hex[:12]}"
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    server.admin.create("/api/v1/namespaces", manifest).ok()
    return name
