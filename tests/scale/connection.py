"""Requests to the API server by the thousand: asynchronous, a bounded number at a time."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import yaml

Body = dict[str, Any]

MERGE = "application/merge-patch+json"
#: Asks for the metadata of objects alone.
METADATA = "application/json;as=PartialObjectMetadata{};g=meta.k8s.io;v=v1"
JOBS = "/apis/daskjob.io/v1alpha1"
#: Requests at a time.
PARALLEL = 32


class Refused(Exception):
    """The API server's answer to a request that it did not take."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"{status}: {words[:500]}")
        self.status = status


class Connection:
    """The API server, as the administrator of tests/cluster's kubeconfig."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session
        self._turns = asyncio.Semaphore(PARALLEL)

    async def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Body:
        """The answer. Raises Refused."""
        data = None if body is None else json.dumps(body).encode()
        return dict(json.loads(await self.send(method, path, data, kind)))

    async def send(self, method: str, path: str, data: bytes | None, kind: str = "application/json") -> bytes:
        """The same for what Python's JSON does not read or write. Raises Refused."""
        headers = {"Content-Type": kind}
        # aiohttp warns of a large body that is bytes.
        body = None if data is None else io.BytesIO(data)
        async with self._turns, self._session.request(method, path, data=body, headers=headers) as answer:
            text = await answer.read()
            if answer.status >= 400:
                raise Refused(answer.status, text.decode(errors="replace"))
            return text

    async def create(self, path: str, body: Any) -> Body:
        return await self.request("POST", path, body)

    async def patch(self, path: str, change: Body) -> Body:
        """A merge patch."""
        return await self.request("PATCH", path, change, MERGE)

    async def items(self, path: str, **query: str) -> list[Body]:
        async with self._session.get(path, params=query) as answer:
            answer.raise_for_status()
            return list((await answer.json())["items"] or ())

    async def count(self, path: str, **query: str) -> int:
        """How many objects there are; reads no more than their metadata."""
        accept = {"Accept": METADATA.format("List")}
        async with self._session.get(path, params=query, headers=accept) as answer:
            answer.raise_for_status()
            return len((await answer.json())["items"] or ())

    async def watch(self, path: str, metadata_only: bool = False, **query: str) -> AsyncIterator[tuple[str, Body]]:
        """Type and object of every change, without end. A stream that breaks off begins anew with all that there is."""
        accept = METADATA.format("") if metadata_only else "application/json"
        while True:
            try:
                async with self._session.get(
                    path, params={**query, "watch": "1", "timeoutSeconds": "3600"}, headers={"Accept": accept}
                ) as answer:
                    answer.raise_for_status()
                    rest = b""
                    async for chunk in answer.content.iter_any():
                        *lines, rest = (rest + chunk).split(b"\n")
                        for line in lines:
                            event = json.loads(line)
                            if event["type"] == "ERROR":
                                break
                            yield event["type"], event["object"]
            except aiohttp.ClientError:
                await asyncio.sleep(1)


@asynccontextmanager
async def connect(kubeconfig: str) -> AsyncIterator[Connection]:
    """With the first cluster and user of the kubeconfig, which has a token and a file for the authority."""
    config: Mapping[str, Any] = yaml.safe_load(await asyncio.to_thread(Path(kubeconfig).read_text))
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    trust = ssl.create_default_context(cafile=cluster["certificate-authority"])
    async with aiohttp.ClientSession(
        cluster["server"],
        connector=aiohttp.TCPConnector(limit=0, ssl=trust),
        headers={"Authorization": f"Bearer {user['token']}", "User-Agent": "daskjob-scale"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=20),
    ) as session:
        yield Connection(session)
