"""`@daskjob.job`: a function that can also run as a job."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, overload

from daskjob.futures.dask_job_client import DaskJobClient
from daskjob.futures.job_future import JobFuture
from daskjob.futures.job_options import JobOptions, check_options

P = ParamSpec("P")
T = TypeVar("T")


class JobFunction(Generic[P, T]):
    """A function with options of its jobs. Called, it is the function itself, here."""

    def __init__(self, function: Callable[P, T], options: JobOptions, client: DaskJobClient | None = None) -> None:
        check_options(options)
        self._function = function
        self._options = options
        self._client = client
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._function(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> JobFunction[..., T]:
        """As a method of an object, which travels with the call."""
        bound = self._function if instance is None else types.MethodType(self._function, instance)
        return JobFunction(bound, self._options, self._client)

    def __reduce__(self) -> Any:
        # In a job, which has nothing of this package, another job's function is the plain one.
        return functools.partial, (self._function,)

    def local(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function itself, here."""
        return self._function(*args, **kwargs)

    def remote(self, *args: P.args, **kwargs: P.kwargs) -> JobFuture[T]:
        """One job that calls it: see `DaskJobClient.submit`."""
        return self._own_client().submit(self._function, *args, **kwargs)

    def map(
        self,
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """One job with a task an item: see `DaskJobClient.map`."""
        sizes: dict[str, Any] = {"timeout": timeout, "chunksize": chunksize, "buffersize": buffersize}
        return self._own_client().map(self._function, *iterables, **sizes)

    def with_options(self, **options: Unpack[JobOptions]) -> JobFunction[P, T]:
        """The same function with further options."""
        return JobFunction(self._function, {**self._options, **options}, self._client)

    def on(self, client: DaskJobClient) -> JobFunction[P, T]:
        """The same function, whose jobs are of this client."""
        return JobFunction(self._function, self._options, client)

    def _own_client(self) -> DaskJobClient:
        from daskjob.futures.connecting import default_client

        return (self._client or default_client()).with_options(**self._options)


@overload
def job(function: Callable[P, T], /) -> JobFunction[P, T]: ...
@overload
def job(
    *, client: DaskJobClient | None = None, **options: Unpack[JobOptions]
) -> Callable[[Callable[P, T]], JobFunction[P, T]]: ...
def job(function: Any = None, /, *, client: DaskJobClient | None = None, **options: Unpack[JobOptions]) -> Any:
    """Decorates a function or method, as `@job` or with options: `.remote(…)` is a job's future, `.map(…)` one job with
    a task an item, and a plain call the plain function. `client`: whose jobs they are; default the one that this
    process has connected last when a job is asked for, or that of `connect()` if there is none."""

    def decorate(function: Callable[P, T]) -> JobFunction[P, T]:
        return JobFunction(function, options, client)

    return decorate if function is None else decorate(function)
