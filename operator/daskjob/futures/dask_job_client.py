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
from types import TracebackType
from typing import Any, Final, ParamSpec, TypeVar, Unpack

from daskjob.api.constants import Phase
from daskjob.client.job_end import status_of
from daskjob.client.problems import ClientError, InvalidJob
from daskjob.futures import envelope
from daskjob.futures.job_backend import Body, JobBackend
from daskjob.futures.job_future import JobFuture, JobStatus, read_status
from daskjob.futures.job_options import JobOptions, check_options, manifest_of

P = ParamSpec("P")
T = TypeVar("T")

_clients: weakref.WeakSet[DaskJobClient] = weakref.WeakSet()


class DaskJobClient(concurrent.futures.Executor):
    """Makes jobs of calls, of Dask's collections and of manifests. `daskjob.connect` makes one; threads may share it.

    Leaving it as a context waits for its futures, unless the program is interrupted; leaving the interpreter cancels
    nothing.
    """

    #: Dask's schedulers say whether their answers are awaited.
    asynchronous: Final = False

    def __init__(
        self, backend: JobBackend, options: JobOptions | None = None, parent: DaskJobClient | None = None
    ) -> None:
        """`parent`: whose shutdown is one of this client, too."""
        check_options(options or {})
        self._parent = parent
        self._backend = backend
        self._options: JobOptions = options or {}
        self._lock = threading.Lock()
        self._futures: weakref.WeakSet[JobFuture[Any]] = weakref.WeakSet()
        self._is_shut = False
        _clients.add(self)

    def __repr__(self) -> str:
        return f"<DaskJobClient of namespace {self.namespace}>"

    def __reduce__(self) -> Any:
        raise TypeError(
            "a DaskJobClient stays in its process; a function with a parameter `client` gets the job's own "
            "distributed.Client"
        )

    @property
    def namespace(self) -> str:
        """The namespace of the jobs."""
        return self._backend.namespace

    def with_options(self, **options: Unpack[JobOptions]) -> DaskJobClient:
        """A client of the same jobs, whose own have these options as well. They count as jobs of this client, too: its
        shutdown is one of both. Raises TypeError for an option that there is not."""
        return DaskJobClient(self._backend, {**self._options, **options}, self)

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
        The job is submitted at once. When its values are not there in time, or the waiting is interrupted, it is
        cancelled. If one item fails, there are no values: its exception is raised. `timeout`: seconds from now, for all
        values.

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
                left = None if deadline is None else max(0.0, deadline - time.monotonic())
                found = _value_or_end(future, left)
                yield from found if chunksize == 1 else itertools.chain.from_iterable(found)
                future = submitted() if buffersize is not None else None

        return values(first)

    def compute(self, *collections: Any, optimize_graph: bool = True) -> JobFuture[Any]:
        """One job that computes Dask's collections: the future of the value, or of a tuple of values. `optimize_graph`:
        as of `distributed.Client.compute`; False keeps what `dask.annotate` says of arrays."""
        if not collections:
            raise TypeError("compute: give at least one collection")
        values = collections[0] if len(collections) == 1 else collections
        return self._submit(envelope.collections(values, self._by_value, optimize_graph))

    def get(self, dsk: Any, keys: Any, **kwargs: Any) -> Any:
        """What Dask calls for `compute(scheduler=client)`: one job, whatever the number of tasks. Ctrl-C cancels it."""
        return _value_or_end(self._submit(envelope.graph(dsk, keys, self._by_value)), None)

    def run(self, manifest: Mapping[str, Any] | os.PathLike[str] | str) -> JobFuture[Any]:
        """The job of a manifest: a mapping, or the path of a YAML file. Raises InvalidJob."""
        content = manifest if isinstance(manifest, Mapping) else _read(manifest)
        if content.get("kind") != "DaskJob" or not isinstance(content.get("metadata"), Mapping):
            raise InvalidJob("manifest", ["a DaskJob with metadata was expected"])
        return self._begin(self._created(content), trusted=False)

    def attach(self, name: str, *, uid: str | None = None, allow_pickle: bool = False) -> JobFuture[Any]:
        """The future of a job that exists. `uid`: which one it has to be; `allow_pickle`: its maker is trusted like
        code that runs here. Raises JobNotFound."""
        if not isinstance(name, str):
            raise TypeError(f"attach takes the name of a job, such as future.name, and not a {type(name).__name__}")
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
        """The jobs of the namespace, by name. `selector`: of labels; `phase`: such as Running. Raises ValueError for a
        phase that there is not."""
        if phase is not None and phase not in list(Phase):
            raise ValueError(f"there is no phase {phase!r}; there are {', '.join(Phase)}")
        found = self._backend.jobs(selector)
        return [read_status(each) for each in found if phase in (None, status_of(each).get("phase") or "Pending")]

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No further job is submitted. `wait`: until those that were have ended; `cancel_futures`: asks for their end.
        Raises ClientError if one of them cannot be cancelled, when the others are."""
        with self._lock:
            self._is_shut = True
            futures = list(self._futures)
        pending = [each for each in futures if not each.done()]
        if cancel_futures:
            refusals = [each for each in map(_refusal_to_end, pending) if each is not None]
            if refusals:
                raise refusals[0]
        if wait:
            try:
                concurrent.futures.wait(pending)
            except KeyboardInterrupt as interrupt:
                names = ", ".join(each.name for each in pending if not each.done())
                interrupt.add_note(f"these jobs go on: {names}; attach(name) finds one again")
                raise
        self._backend.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # Who interrupts the program does not want to wait.
        self.shutdown(wait=kind is None or issubclass(kind, Exception))

    @property
    def _by_value(self) -> Iterable[Any]:
        return self._options.get("by_value") or ()

    def _submit(self, payload: envelope.Payload) -> JobFuture[Any]:
        manifest = manifest_of(self._options, payload.label, payload.sha256)
        return self._begin(self._created(manifest, payload.data), trusted=True)

    def _created(self, manifest: Mapping[str, Any], payload: bytes | None = None) -> Body:
        if any(each._is_shut for each in self._line()):
            raise RuntimeError("cannot schedule new futures after shutdown")
        return self._backend.create(manifest, payload)

    def _begin(self, job: Body, *, trusted: bool) -> JobFuture[Any]:
        future: JobFuture[Any] = JobFuture(self._backend, job, trusted=trusted)
        for each in self._line():
            with each._lock:
                each._futures.add(future)
        future.start()
        return future

    def _line(self) -> Iterator[DaskJobClient]:
        """This client, that whose options it has, and so on."""
        client: DaskJobClient | None = self
        while client is not None:
            yield client
            client = client._parent

    def _renew(self) -> None:
        """In a child process: neither threads nor connections of the parent are there."""
        self._lock = threading.Lock()
        for each in list(self._futures):
            each.renew_after_fork()


def _value_or_end(future: JobFuture[Any], timeout: float | None) -> Any:
    """The value for somebody who has no future of the job: who gives up waiting ends it."""
    try:
        return future.value(timeout)
    except BaseException as error:
        if not future.done():
            refusal = _refusal_to_end(future)
            error.add_note(
                f"job {future.namespace}/{future.name} is being cancelled"
                if refusal is None
                else f"job {future.namespace}/{future.name} cannot be cancelled, and goes on: {refusal}"
            )
        raise


def _refusal_to_end(future: JobFuture[Any]) -> ClientError | None:
    """Asks for the end of a future's job; why that cannot be had."""
    try:
        future.cancel()
    except ClientError as error:
        return error
    return None


def _check_sizes(chunksize: int, buffersize: int | None) -> None:
    """As the executors of the standard library have it."""
    if chunksize < 1:
        raise ValueError(f"chunksize must be at least 1, and is {chunksize}")
    if buffersize is not None and not isinstance(buffersize, int):
        raise TypeError(f"buffersize must be a whole number or None, and is a {type(buffersize).__name__}")
    if buffersize is not None and buffersize < 1:
        raise ValueError(f"buffersize must be at least 1, and is {buffersize}")


def _read(path: os.PathLike[str] | str) -> Mapping[str, Any]:
    import yaml

    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"run takes a manifest as a mapping, or the path of its file, not a {type(path).__name__}")
    if "\n" in str(path):
        raise InvalidJob("manifest", ["this is its text: give the path of its file, or yaml.safe_load of the text"])
    try:
        content = yaml.safe_load(Path(path).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidJob(str(path), [f"cannot be read: {error}"]) from None
    if not isinstance(content, Mapping):
        raise InvalidJob(str(path), ["one DaskJob was expected"])
    return content


def _renew_all() -> None:
    for each in list(_clients):
        each._renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
