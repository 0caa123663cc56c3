"""Hundreds of jobs, hostile objects and kept jobs: that all goes on. How fast is for run.py, by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from ..support.kube import Kube
from ..support.platform import Release
from . import at_once, hostile, kept
from .bench import Bench, bench
from .figures import Figure, value_of
from .hostile_objects import hostile_objects
from .nodes import imitated_nodes
from .processes import DASK_CONTROLLER, OPERATOR

JOBS, KEPT, LARGE, NEIGHBOURS = 200, 100, 20, 5


@pytest.fixture(scope="module")
def real_node(cluster: Kube, release: Release) -> Iterator[str]:
    """The node of the operator's pods, beside imitated ones for all others."""
    with imitated_nodes(cluster) as name:
        yield name
    release.install()


@pytest_asyncio.fixture
async def made(cluster: Kube, release: Release, real_node: str) -> AsyncIterator[Bench]:
    async with bench(cluster, release, real_node) as made:
        yield made


async def test_hundreds_of_jobs_at_once(made: Bench) -> None:
    async with made.namespace(at_once.NAMESPACE) as namespace:
        run = await at_once.at_once(made, namespace, JOBS, seconds=400)
    assert (run.succeeded, run.failed) == (JOBS, {})
    assert run.gone is not None, f"left: {run.left}"
    assert {name: each.restarts for name, each in run.usage.items()} == {OPERATOR: 0, DASK_CONTROLLER: 0}
    for name, each in run.usage.items():
        assert each.peak < made.memory_limit(name)


async def test_an_operator_that_starts_among_kept_jobs(made: Bench) -> None:
    figures = await kept.kept(made, KEPT, LARGE, idle_seconds=0)
    assert value_of(figures, "start → leads") is not None
    assert value_of(figures, "a new job's result after") is not None
    goes_on(made, figures, OPERATOR)


async def test_hostile_objects_cost_only_themselves(made: Bench) -> None:
    figures = await hostile.hostile(made, NEIGHBOURS, settle_seconds=0)
    assert value_of(figures, "taken by the API server") == len(list(hostile_objects()))
    assert value_of(figures, "neighbours that succeeded") == NEIGHBOURS
    assert value_of(figures, "ready after a restart among them") == 1
    assert value_of(figures, "neighbours that succeeded after the restart") == NEIGHBOURS
    goes_on(made, figures, OPERATOR, DASK_CONTROLLER)


def goes_on(made: Bench, figures: list[Figure], *names: str) -> None:
    """No process ended, and each kept well within what it may take."""
    assert value_of(figures, "restarts") == 0
    for name in names:
        peak = value_of(figures, f"{name}, memory at its peak")
        assert peak is not None
        assert peak < made.memory_limit(name)
