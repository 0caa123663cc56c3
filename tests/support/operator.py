"""The operator's processes, as the tests see them from outside."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .platform import Release


def processes(release: Release) -> dict[str, int]:
    """The pods of operator and Dask controller, and how often the container of each was started again."""
    pods = release.pods("operator") + release.pods("dask-controller")
    return {pod["metadata"]["name"]: pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods}


@contextmanager
def unharmed(release: Release) -> Iterator[None]:
    """Whatever happens meanwhile, they are the same processes afterwards."""
    before = processes(release)
    yield
    assert processes(release) == before, "the operator or the Dask controller was started again"
