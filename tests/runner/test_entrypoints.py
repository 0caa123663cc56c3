"""Every kind of entry point, run by the built runner on a real scheduler and worker."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import CODE, PYTHON

SUM = sum(x * x for x in range(10))

KINDS = {
    "a Delayed": ("entries:one", [], {}, SUM),
    "a collection": ("entries:bag", [], {}, [x * x for x in range(10)]),
    "a list": ("entries:several", [], {}, [SUM, SUM]),
    "a nest": ("entries:nested", [], {}, {"sum": SUM, "list": [SUM, 1], "tuple": (SUM, "text"), "plain": {"a": None}}),
    "a raw graph": ("entries:raw", [], {"keys": ["z", ["y", 0]]}, [20, 16]),
    "a function that gives a raw graph": ("entries:returns_raw", [7], {"keys": ["n", "z"]}, [7, 20]),
    "a dict": ("entries:plain", [], {}, {"answer": 42}),
    "a number": ("entries:number", [], {}, 12345678901234567890),
    "a function that gives a Delayed": ("entries:returns_delayed", [10], {}, SUM),
    "a function that gives a value": ("entries:returns_value", [10], {"kwargs": {"factor": 2}}, 2 * SUM),
    "a function that gives nothing": ("entries:returns_nothing", [], {}, None),
    "client first": ("entries:with_client", [10], {}, SUM),
    "client last": ("entries:with_client_last", [10], {}, SUM),
    "client by keyword, futures nested": ("entries:with_client_keyword", [4], {}, [16, {"two": 4}, (9,)]),
    "dask.compute inside": ("entries:with_dask_compute", [10], {}, (SUM, SUM)),
    "Client() inside": ("entries:with_own_client", [5], {}, 25),
    "a coroutine function": ("entries:coroutine", [10], {}, SUM),
    "a coroutine function that computes": ("entries:coroutine_that_computes", [10], {}, SUM),
    "a coroutine function with a client": ("entries:coroutine_with_client", [10], {}, [SUM, 9, SUM]),
    "a function that gives a coroutine": ("entries:returns_coroutine", [10], {}, SUM),
    "a static method": ("entries:Jobs.method", [10], {}, SUM),
    "an object with a coroutine __call__": ("entries:instance", [6], {}, 36),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kind_of_entry_point(run, kind):
    entrypoint, args, options, expected = KINDS[kind]
    assert run(entrypoint, *args, **options).value == expected


def test_numpy_and_an_array_collection(run, tmp_path):
    if subprocess.run([PYTHON, "-c", "import numpy, dask.array"], capture_output=True).returncode:
        pytest.skip("no NumPy in that Python")
    (tmp_path / "arrays.py").write_text(
        "import dask.array as da\nimport numpy as np\n"
        "graph = {'mean': da.ones((4, 4), chunks=2).mean(), 'array': da.arange(3, chunks=1), 'scalar': np.int16(3)}\n"
    )
    outcome = run("arrays:graph", codePath=str(tmp_path))
    value = outcome.value
    types = outcome.status["result"]["types"]
    assert types == {"/mean": "numpy.float64", "/array": "numpy.ndarray:<i8", "/scalar": "numpy.int16"}
    assert value["mean"] == 1.0
    assert value["array"].tolist() == [0, 1, 2]


def test_what_is_reported_of_a_job_that_succeeds(run):
    outcome = run("entries:twice")
    assert outcome.value == sum(x * x for x in range(20))
    status = outcome.status
    assert status["stage"] == "Finished"
    times = status["timings"]
    order = ["runnerStarted", "connected", "firstWorker", "graphStarted", "graphFinished"]
    assert sorted(times, key=times.get) == sorted(order, key=lambda name: times[name])
    assert set(times) == set(order)
    assert times["runnerStarted"] < times["connected"] <= times["graphStarted"] < times["graphFinished"]
    assert status["workers"] == {"connected": 1, "threads": 2}
    prefixes = {prefix["name"]: prefix for prefix in status["progress"]["prefixes"]}
    # The first ones were forgotten long before the end.
    for name in ("first", "second"):
        assert prefixes[name] == {"name": name, "total": 20, "done": 20, "processing": 0, "erred": 0}


def test_few_patches(run):
    outcome = run("entries:one")
    assert outcome.status["seq"] <= max(3, outcome.seconds)


def test_output_reaches_the_log_and_code_comes_first_in_the_path(run):
    outcome = run("entries:writes")
    assert outcome.value == str(CODE)
    assert "to stdout, without a line end" in outcome.output
    assert "to stderr" in outcome.output


def test_without_code_path_the_working_folder_counts(run):
    assert run("here:value", codePath=None, files={"here.py": "value = 5\n"}).value == 5


def test_without_a_report_the_termination_message_has_the_result(start, dask_cluster):
    outcome = start("entries:one", cluster=dask_cluster, env={"DASKJOB_REPORT": "none"}).wait()
    assert (outcome.code, outcome.status) == (0, {})
    assert outcome.termination["outcome"] == "Succeeded"
    assert outcome.termination["result"]["value"] == "285"
    # User code does not wait for a report to be accepted.
    assert "going on without" not in outcome.output


def test_tasks_with_more_names_than_a_snapshot_tells_apart_are_all_counted(run, make_cluster, tmp_path):
    (tmp_path / "names.py").write_text(
        "from itertools import product\n"
        "def main(client):\n"
        "    names = [''.join(letters) for letters in product('abcdefghijk', repeat=3)][:1200]\n"
        "    return sum(client.gather([client.submit(len, name, key=name) for name in names]))\n"
    )
    outcome = run("names:main", codePath=str(tmp_path), cluster=make_cluster())
    assert outcome.value == 3600
    progress = outcome.status["progress"]
    assert (progress["total"], progress["done"]) == (1200, 1200)
    assert len(progress["prefixes"]) == 50
