"""Results of the Python client in a store: what jobs write, and what futures read, with jobs on this machine."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import Any

import dask
import dask.array
import dask.dataframe
import numpy
import pandas

import daskjob

from ..client.contract import PATIENCE, Point

FRAME = pandas.DataFrame({"n": range(10)})


def test_values_of_every_kind_come_back_from_a_store(tmp_path: Path) -> None:
    modules = [sys.modules[__name__], sys.modules[Point.__module__]]
    client = daskjob.connect(backend="local", store=f"file://{tmp_path}", by_value=modules)
    futures: list[daskjob.JobFuture[Any]] = [
        client.submit(lambda: (1, {"two"})),
        client.submit(Point, 3),
        client.compute(dask.dataframe.from_pandas(FRAME, npartitions=2), dask.array.ones((2, 3))),
        client.compute(dask.dataframe.from_pandas(FRAME, npartitions=2)),
    ]
    refs = [each.result_ref(PATIENCE) for each in futures]
    assert [each.format for each in refs] == ["json", "pickle", "pickle", "parquet"]
    pythons = [each.status().body["status"]["result"].get("python") for each in futures]
    assert pythons == [None, platform.python_version(), platform.python_version(), None]
    assert all(each.url.startswith(f"file://{tmp_path}/default/") for each in refs)
    assert (futures[0].result(), futures[1].result().x) == ((1, {"two"}), 3)
    both = futures[2].result()
    pandas.testing.assert_frame_equal(both[0], FRAME)
    numpy.testing.assert_array_equal(both[1], numpy.ones((2, 3)))
    pandas.testing.assert_frame_equal(futures[3].result(), FRAME)
    # What Dask itself asked for comes back as it was.
    computed = dask.compute({"sum": dask.array.ones((2, 3)).sum()}, scheduler=client)
    assert computed == ({"sum": numpy.float64(6)},)
    assert len(list(tmp_path.rglob("manifest.json"))) == 5
