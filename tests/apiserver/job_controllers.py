"""The operator's controller of jobs, in the test's process, under a service account of a real API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from kubernetes.aio import client as kubernetes_client

from daskjob.controller.controller import Controller
from daskjob.controllers.job.kind import JobKind
from daskjob.kube.client import KubeClient, Measure, unmeasured
from daskjob.manifests.context import Defaults

from .server import Server
from .test_policy import token

AnyController = Controller[Any, Any, Any, Any]


def now() -> datetime:
    return datetime.now(UTC)


@asynccontextmanager
async def kube_client(
    server: Server, namespace: str, account: str, measure: Measure = unmeasured
) -> AsyncIterator[KubeClient]:
    """A client with the rights of that account. `measure`: as of `KubeClient`."""
    configuration = kubernetes_client.Configuration(
        host=f"https://127.0.0.1:{server.port}",
        api_key={"BearerToken": token(server, namespace, account).token},
        api_key_prefix={"BearerToken": "Bearer"},
    )
    configuration.ssl_ca_cert = str(server.certificate)
    client = KubeClient(kubernetes_client.ApiClient(configuration), measure)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def job_controller(
    server: Server, namespace: str, account: str, defaults: Defaults
) -> AsyncIterator[AnyController]:
    """A controller that leads, with the rights of that account."""
    async with kube_client(server, namespace, account) as client:
        controller: AnyController = Controller(JobKind(client, now, b"program", defaults))
        await controller.kind.prepare()
        yield controller
