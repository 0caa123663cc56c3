"""Results that go into a store."""

from __future__ import annotations

from typing import Any


def value(kind: str) -> Any:
    import numpy
    import pandas

    kinds = {
        "int": lambda: 42,
        "types": lambda: {"a": (1, 2), "b": {3}},
        "long": lambda: ["x" * 1000] * 1000,
        "frame": lambda: pandas.DataFrame({"n": range(30), "text": ["é" * 500] * 30}),
        "series": lambda: pandas.Series([1.5, 2.5], index=["a", "b"], name="s"),
        "array": lambda: numpy.arange(12.0).reshape(3, 4),
        "object": lambda: object,
        "mixed": lambda: pandas.DataFrame({"a": [1, "x", object()]}),
    }
    return kinds[kind]()


def frame(parts: int = 4) -> Any:
    import dask.dataframe
    import pandas

    whole = pandas.DataFrame({"n": range(40), "text": [None] * 20 + ["é"] * 20})
    return dask.dataframe.from_pandas(whole, npartitions=parts)


def series() -> Any:
    return frame().n


def array() -> Any:
    import dask.array

    return dask.array.arange(70, chunks=30).reshape(7, 10).rechunk((3, 4)) + 0.5


def unknown() -> Any:
    import dask.array

    numbers = dask.array.arange(10, chunks=5)
    return numbers[numbers > 3]


async def with_client(client: Any) -> Any:
    return client.persist(frame())


def fails() -> Any:

    return frame().map_partitions(lambda part: 1 / 0, meta=frame()._meta)
