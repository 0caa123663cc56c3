"""One API server with the project's CRDs and policy for all tests here, and a namespace for each test."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from .server import Server, with_definitions


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with with_definitions() as started:
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
