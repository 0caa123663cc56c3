"""Light work on many small workers, heavy work on one large worker."""

import dask
from dask import delayed
from distributed import get_worker


def kind():
    """What the worker that runs this task offers to tasks."""
    return sorted(get_worker().state.total_resources)


def load(part):
    return list(range(part * 100, part * 100 + 100)), kind()


def train(parts):
    numbers = [number for part, _ in parts for number in part]
    return {"sum": sum(numbers), "loaded": parts[0][1], "trained": kind()}


def graph():
    with dask.annotate(resources={"default": 1}):
        parts = [delayed(load)(part) for part in range(6)]
    with dask.annotate(resources={"large": 1}):
        return delayed(train)(parts)
