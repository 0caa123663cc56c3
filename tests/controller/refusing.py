"""A client of the model that refuses what a test wants refused."""

from __future__ import annotations

from typing import Any

from daskjob.api.resource import Resource
from daskjob.errors import ApiError
from daskjob.kube.client import Body

from ..lifecycle.model import ModelClient, Server


class RefusingClient(ModelClient):
    """A model with refusals of one's own, and the requests that were made."""

    def __init__(self, server: Server, now: str) -> None:
        super().__init__(server, lambda: now)
        self.refusals: dict[tuple[str, str], ApiError] = {}
        self.requests: list[tuple[str, str]] = []

    def ask(self, verb: str, resource: Resource) -> None:
        self.requests.append((verb, resource.kind))
        if (verb, resource.kind) in self.refusals:
            raise self.refusals[verb, resource.kind]

    async def get(self, resource: Resource, *arguments: Any) -> Body | None:
        self.ask("get", resource)
        return await super().get(resource, *arguments)

    async def list(self, resource: Resource, *arguments: Any, **options: Any) -> list[Body]:
        self.ask("list", resource)
        return await super().list(resource, *arguments, **options)

    async def create(self, resource: Resource, body: Body) -> Body:
        self.ask("create", resource)
        return await super().create(resource, body)

    async def apply_status(self, resource: Resource, body: Body) -> Body:
        self.ask("status", resource)
        return await super().apply_status(resource, body)

    async def patch_owned(self, resource: Resource, *arguments: Any) -> bool:
        self.ask("patch", resource)
        return await super().patch_owned(resource, *arguments)

    async def delete(self, resource: Resource, *arguments: Any) -> bool:
        self.ask("delete", resource)
        return await super().delete(resource, *arguments)
