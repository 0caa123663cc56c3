"""Work of many tests that is begun together, a few at a time: jobs take longer to start than to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

import pytest

from .kube import Kube

T = TypeVar("T")

#: Jobs at a time, on a machine with two cores.
AT_ONCE = 3


class Together(Generic[T]):
    """Each piece of work gets a namespace of its own, made by `make_namespace(title)`, until `close()`."""

    def __init__(self, make_namespace: Callable[[str], Kube], work: Mapping[str, Callable[[Kube], T]]) -> None:
        self._namespaces: dict[str, Kube] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE)

        def run(title: str) -> T:
            kube = self._namespaces[title] = make_namespace(title)
            return work[title](kube)

        self._futures: dict[str, Future[T]] = {title: self._pool.submit(run, title) for title in work}

    def result(self, title: str, request: pytest.FixtureRequest) -> T:
        """Waits for it. A test that fails then shows what happened in its namespace."""
        future = self._futures[title]
        future.exception()
        request.node.namespace = self._namespaces.get(title)
        return future.result()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)
        for kube in self._namespaces.values():
            kube.delete("namespace", kube.namespace)
