"""The client: an executor of `concurrent.futures` whose calls are jobs, and a scheduler for Dask's collections."""

from __future__ import annotations

import concurrent.futures
import itertools
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar, Unpack

from daskjob.client.job_end import status_of
from daskjob.client.problems import InvalidJob
from daskjob.futures import envelope
from daskjob.futures.job_backend import Body, JobBackend
from daskjob.futures.job_future import JobFuture, JobStatus, read_status
from daskjob.futures.job_options import JobOptions, check_options, manifest_of

P = ParamSpec("P")
T = TypeVar("T")

_clients: weakref.WeakSet[DaskJobClient] = weakref.WeakSet()


class DaskJobClient(concurrent.futures.Executor):
    """Makes jobs of calls, of Dask's collections and of manifests. `daskjob.connect` makes one; threads may share it.

    Leaving it as a context waits for its futures; leaving the interpreter cancels nothing.
    """

    #: Dask's schedulers say whether their answers are awaited.
    asynchronous: Final = False

    def __init__(self, backend: JobBackend, options: JobOptions | None = None) -> None:
        check_options(options or {})
        self._backend = backend
        self._options: JobOptions = options or {}
        self._lock = threading.Lock()
        self._futures: weakref.WeakSet[JobFuture[Any]] = weakref.WeakSet()
        self._is_shut = False
        _clients.add(self)

    @property
    def namespace(self) -> str:
        """The namespace of the jobs."""
        return self._backend.namespace

    def with_options(self, **options: Unpack[JobOptions]) -> DaskJobClient:
        """A client of the same jobs, whose own have these options as well. Raises TypeError for one that there is
        not."""
        return DaskJobClient(self._backend, {**self._options, **options})

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """One job that calls the function, in its runner; with the connected `distributed.Client` as `client`, if it
        has such a parameter. What it returns is computed and gathered.

        Raises NotPicklable and PayloadTooLarge before anything is created, and ClientError.
        """
        return self._submit(envelope.call(fn, args, kwargs, self._by_value))

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """The values of the function in the order of the items: one job, in which each item is a task on the workers.
        The job is submitted at once. When its values are not there in time, it is cancelled. `timeout`: seconds from
        now, for all values.

        `chunksize`: so many items are one task, which saves time where the function takes only some milliseconds.
        `buffersize`: no more items are taken from the iterables than that before their values were asked for: one job
        for each `buffersize` items, the next one when the last one's values are all taken, so the iterables may be
        endless. Default None: all items, in one job.

        Raises ValueError for a number below 1, and for `buffersize` with the option `name`, which one job can have.
        """
        _check_sizes(chunksize, buffersize)
        if buffersize is not None and self._options.get("name"):
            raise ValueError("map with buffersize makes several jobs: give generate_name in place of name")
        items = zip(*iterables, strict=False)

        def submitted() -> JobFuture[Any] | None:
            """The job of the next items; None: there are no more."""
            columns = [list(each) for each in zip(*itertools.islice(items, buffersize), strict=True)]
            return self._submit(envelope.mapped(fn, columns, self._by_value, chunksize)) if columns else None

        first = submitted()
        deadline = None if timeout is None else time.monotonic() + timeout

        def values(future: JobFuture[Any] | None) -> Iterator[T]:
            while future is not None:
                try:
                    left = None if deadline is None else max(0.0, deadline - time.monotonic())
                    found = future.result(left)
                finally:
                    if not future.done():
                        future.cancel()
                yield from found if chunksize == 1 else itertools.chain.from_iterable(found)
                future = submitted() if buffersize is not None else None

        return values(first)

    def compute(self, *collections: Any) -> JobFuture[Any]:
        """One job that computes Dask's collections: the future of the value, or of a tuple of values."""
        if not collections:
            raise TypeError("compute: give at least one collection")
        values = collections[0] if len(collections) == 1 else collections
        return self._submit(envelope.collections(values, self._by_value))

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """What Dask calls for `compute(scheduler=client)`: one job, whatever the number of tasks. Ctrl-C cancels it."""
        future = self._submit(envelope.graph(dsk, keys, self._by_value))
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def run(self, manifest: Mapping[str, Any] | os.PathLike[str] | str) -> JobFuture[Any]:
        """The job of a manifest: a mapping, or the path of a YAML file. Raises InvalidJob."""
        content = manifest if isinstance(manifest, Mapping) else _read(Path(manifest))
        if content.get("kind") != "DaskJob" or not isinstance(content.get("metadata"), Mapping):
            raise InvalidJob("manifest", ["a DaskJob with metadata was expected"])
        return self._begin(self._backend.create(content), trusted=False)

    def attach(self, name: str, *, uid: str | None = None, allow_pickle: bool = False) -> JobFuture[Any]:
        """The future of a job that exists. `uid`: which one it has to be; `allow_pickle`: its maker is trusted like
        code that runs here. Raises JobNotFound."""
        job = self._backend.get(name)
        if uid is not None and job["metadata"]["uid"] != uid:
            # Its future says that the job is another one.
            job = {**job, "metadata": {**job["metadata"], "uid": uid}, "status": {}}
        return self._begin(job, trusted=allow_pickle)

    def suspend(self, name: str) -> None:
        """Removes the cluster of a job; nothing of it runs until `resume`. Raises JobNotFound, and WrongState if it has
        ended."""
        self._backend.suspend(self._backend.get(name), True)

    def resume(self, name: str) -> None:
        """Lets a suspended job go on, with a fresh attempt. Raises JobNotFound."""
        self._backend.suspend(self._backend.get(name), False)

    def list(self, *, selector: str | None = None, phase: str | None = None) -> list[JobStatus]:
        """The jobs of the namespace, by name. `selector`: of labels; `phase`: such as Running."""
        found = self._backend.jobs(selector)
        return [read_status(each) for each in found if phase in (None, status_of(each).get("phase") or "Pending")]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No further job is submitted. `wait`: until those that were have ended; `cancel_futures`: asks for their
        end."""
        with self._lock:
            self._is_shut = True
            pending = [each for each in self._futures if not each.done()]
        if cancel_futures:
            for each in pending:
                each.cancel()
        if wait:
            concurrent.futures.wait(pending)
        self._backend.close()

    @property
    def _by_value(self) -> Iterable[Any]:
        return self._options.get("by_value", ())

    def _submit(self, payload: envelope.Payload) -> JobFuture[Any]:
        manifest = manifest_of(self._options, payload.label, payload.sha256)
        with self._lock:
            if self._is_shut:
                raise RuntimeError("cannot schedule new futures after shutdown")
        return self._begin(self._backend.create(manifest, payload.data), trusted=True)

    def _begin(self, job: Body, *, trusted: bool) -> JobFuture[Any]:
        future: JobFuture[Any] = JobFuture(self._backend, job, trusted=trusted)
        with self._lock:
            self._futures.add(future)
        future.start()
        return future

    def _renew(self) -> None:
        """In a child process: neither threads nor connections of the parent are there."""
        self._lock = threading.Lock()
        for each in list(self._futures):
            each.renew_after_fork()


def _check_sizes(chunksize: int, buffersize: int | None) -> None:
    """As the executors of the standard library have it."""
    if chunksize < 1:
        raise ValueError(f"chunksize must be at least 1, and is {chunksize}")
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError(f"buffersize must be a whole number or None, and is a {type(buffersize).__name__}")
    if buffersize is not None and buffersize < 1:
        raise ValueError(f"buffersize must be at least 1, and is {buffersize}")


def _read(path: Path) -> Mapping[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InvalidJob(str(path), [f"cannot be read: {error}"]) from None
    if not isinstance(content, Mapping):
        raise InvalidJob(str(path), ["one DaskJob was expected"])
    return content


def _renew_all() -> None:
    for each in list(_clients):
        each._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
