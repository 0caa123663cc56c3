"""The client for code with an event loop: nothing blocks it."""

from __future__ import annotations

import builtins
import os
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, Unpack

from daskjob.futures.dask_job_client import DaskJobClient
from daskjob.futures.event_loops import elsewhere
from daskjob.futures.job_future import JobFuture, JobStatus
from daskjob.futures.job_options import JobOptions

P = ParamSpec("P")
T = TypeVar("T")


class AsyncDaskJobClient:
    """A `DaskJobClient` whose calls are awaited: `AsyncDaskJobClient(daskjob.connect())`. What they give are the same
    futures, which can be awaited in turn: `await (await client.submit(pow, 2, 3))`. Leaving it as a context waits for
    them, unless the task was cancelled. Each call has a thread of its own; giving it up leaves the job alone."""

    def __init__(self, client: DaskJobClient) -> None:
        self._client = client

    def with_options(self, **options: Unpack[JobOptions]) -> AsyncDaskJobClient:
        """See `DaskJobClient.with_options`."""
        return AsyncDaskJobClient(self._client.with_options(**options))

    async def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """See `DaskJobClient.submit`."""
        return await elsewhere(self._client.submit, fn, *args, **kwargs)

    async def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> builtins.list[T]:
        """The values, in order, when all are there: see `DaskJobClient.map`."""
        sizes: dict[str, Any] = {"chunksize": chunksize, "buffersize": buffersize}
        values = await elsewhere(self._client.map, fn, *iterables, **sizes)
        return await elsewhere(builtins.list, values)

    async def compute(self, *collections: Any, optimize_graph: bool = True) -> JobFuture[Any]:
        """See `DaskJobClient.compute`."""
        return await elsewhere(self._client.compute, *collections, optimize_graph=optimize_graph)

    async def run(self, manifest: Mapping[str, Any] | os.PathLike[str] | str) -> JobFuture[Any]:
        """See `DaskJobClient.run`."""
        return await elsewhere(self._client.run, manifest)

    async def attach(self, name: str, *, uid: str | None = None, allow_pickle: bool = False) -> JobFuture[Any]:
        """See `DaskJobClient.attach`."""
        return await elsewhere(self._client.attach, name, uid=uid, allow_pickle=allow_pickle)

    async def suspend(self, name: str) -> None:
        """See `DaskJobClient.suspend`."""
        await elsewhere(self._client.suspend, name)

    async def resume(self, name: str) -> None:
        """See `DaskJobClient.resume`."""
        await elsewhere(self._client.resume, name)

    async def list(self, *, selector: str | None = None, phase: str | None = None) -> builtins.list[JobStatus]:
        """See `DaskJobClient.list`."""
        return await elsewhere(self._client.list, selector=selector, phase=phase)

    async def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See `DaskJobClient.shutdown`."""
        await elsewhere(self._client.shutdown, wait, cancel_futures=cancel_futures)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A task that is cancelled does not want to wait.
        await self.shutdown(wait=kind is None or issubclass(kind, Exception))
