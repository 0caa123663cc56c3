"""Values of results in a store: every format comes back as it was, and nothing of strangers is run."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import importlib
import json
import pickle
import threading
from pathlib import Path
from typing import Any, ClassVar

import numpy
import pandas
import pytest

import daskjob
from daskjob.futures.job_future import JobFuture
from daskjob.futures.stored_outcome import read_stored
from daskjob.results import part_writer, stored_value
from daskjob.results.opened_store import open_store

PLACE = "job team/one"
TABLE = pandas.DataFrame({"n": [1, 2], "text": ["a", None]}, index=pandas.Index(["x", "y"], name="key"))


class Opened:
    """Calls this test when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("it was opened",)


class Kept:
    """A job whose result is in a folder, written as the runner writes it."""

    def __init__(self, root: Path, value: Any, form: str = "auto") -> None:
        self.root = root
        self.place = {"url": f"file://{root}", "options": {}, "folder": ["team", "one", "u1", "1"]}
        root.mkdir(exist_ok=True)
        self.put = part_writer.put_into(open_store, self.place)
        form = stored_value.form_of(value, form)
        self.manifest = stored_value.write_value(value, form, self.put, open_store, self.place)

    def replace(self, path: str, data: bytes) -> None:
        """Another content, which the manifest names."""
        other = [each for each in self.manifest["files"] if each["path"] != path]
        self.manifest["files"] = [*other, dict(self.put(path, data))]

    @property
    def job(self) -> dict[str, Any]:
        data = json.dumps(self.manifest).encode()
        self.put("manifest.json", data)
        location = f"file://{self.root}/team/one/u1/1"
        record = {key: self.manifest[key] for key in ("type", "format")}
        record |= {"location": location, "size": 7, "sha256": hashlib.sha256(data).hexdigest()}
        return {
            "metadata": {"name": "one", "namespace": "team", "uid": "u1"},
            "spec": {"result": {"store": {"url": f"file://{self.root}"}}},
            "status": {"attempt": 1, "result": record, "conditions": [{"type": "Complete", "status": "True"}]},
        }

    def value(self, trusted: bool = False) -> Any:
        return read_stored(self.job, PLACE, trusted)


@pytest.mark.parametrize(
    "value", [(1, b"two", {"three": float("inf")}), {"plain": [1, 2]}, None], ids=["typed", "plain", "nothing"]
)
def test_json(tmp_path: Path, value: Any) -> None:
    assert Kept(tmp_path, value).value() == value


def test_tables(tmp_path: Path) -> None:
    pandas.testing.assert_frame_equal(Kept(tmp_path / "frame", TABLE).value(), TABLE)
    for name in ("n", None):
        series = pandas.Series([1.5, 2.5], name=name)
        pandas.testing.assert_series_equal(Kept(tmp_path / f"series-{name}", series).value(), series)
    import pyarrow

    table = pyarrow.table({"a": [1, 2]})
    assert Kept(tmp_path / "arrow", table).value() == table


def test_partitions_become_one_table(tmp_path: Path) -> None:
    kept = Kept(tmp_path, TABLE)
    answer = part_writer.write_frame(TABLE, open_store, kept.place, "value.parquet/part-000001.parquet", 1, None)
    kept.manifest["files"] += answer["files"]
    pandas.testing.assert_frame_equal(kept.value(), pandas.concat([TABLE, TABLE]))


@pytest.mark.parametrize("dtype", ["<f8", ">i4", "|b1", "<c16", "<M8[s]"])
def test_arrays(tmp_path: Path, dtype: str) -> None:
    value = numpy.arange(12).reshape(3, 4).astype(dtype)
    found = Kept(tmp_path, value).value()
    # The third version of Zarr's format leaves the order of bytes to the reader.
    assert (found.shape, found.dtype) == ((3, 4), numpy.dtype(dtype).newbyteorder("="))
    numpy.testing.assert_array_equal(found, value)


def test_a_pickle_is_opened_for_whom_submitted_it_alone(tmp_path: Path) -> None:
    assert Kept(tmp_path, {1, 2}, "pickle").value(trusted=True) == {1, 2}
    with pytest.raises(daskjob.UntrustedResult, match=r"attach\(name, allow_pickle=True\)"):
        Kept(tmp_path, Opened(), "pickle").value()


def test_a_pickle_of_another_python_is_told_and_not_opened(tmp_path: Path) -> None:
    job = Kept(tmp_path, Opened(), "pickle").job
    job["status"]["result"]["python"] = "3.8.1"
    with pytest.raises(daskjob.ResultGone, match=r"is a pickle of Python 3\.8\.1, .*: ask for it from Python 3\.8, or"):
        read_stored(job, PLACE, trusted=True)


def test_a_status_that_calls_a_pickle_json_opens_none(tmp_path: Path) -> None:
    job = Kept(tmp_path, Opened(), "pickle").job
    job["status"]["result"]["format"] = "json"
    with pytest.raises(daskjob.UntrustedResult):
        read_stored(job, PLACE, trusted=False)


def test_a_pickle_with_another_digest_is_not_opened(tmp_path: Path) -> None:
    kept = Kept(tmp_path, {1, 2}, "pickle")
    job = kept.job
    kept.put("value.pickle", pickle.dumps(Opened()))
    with pytest.raises(daskjob.ResultGone, match="size or digest differs"):
        read_stored(job, PLACE, trusted=True)


def test_chunks_that_are_pickles_are_not_opened(tmp_path: Path) -> None:
    """Zarr's codec for objects unpickles what it reads."""
    kept = Kept(tmp_path, numpy.arange(3))
    (path,) = (each["path"] for each in kept.manifest["files"] if each["path"].endswith("zarr.json"))
    metadata = json.loads((tmp_path / "team/one/u1/1" / path).read_bytes())
    metadata["codecs"].append({"name": "numcodecs.pickle", "configuration": {"id": "pickle"}})
    kept.replace(path, json.dumps(metadata).encode())
    with pytest.raises(daskjob.ResultGone, match=r"numcodecs\.pickle"):
        kept.value()
    older = {"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "compressor": None, "order": "C"}
    older |= {"fill_value": 0, "filters": [{"id": "pickle"}]}
    kept.manifest["files"] = []
    kept.replace("value.zarr/.zarray", json.dumps(older).encode())
    kept.replace("value.zarr/0", pickle.dumps([numpy.array([Opened()], dtype=object), "|O", (1,)]))
    with pytest.raises(daskjob.ResultGone, match="packed with 'pickle'"):
        kept.value()


@pytest.mark.parametrize(
    ("value", "missing", "words"),
    [
        (TABLE, {"pyarrow", "pandas"}, "pip install pyarrow pandas"),
        (numpy.arange(3), {"zarr"}, "pip install zarr$"),
        ([1], {"fsspec.core"}, "pip install fsspec "),
    ],
)
def test_packages_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: Any, missing: set[str], words: str
) -> None:
    job, load = Kept(tmp_path, value).job, importlib.import_module

    def lacking(name: str, package: str | None = None) -> Any:
        if name in missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return load(name, package)

    monkeypatch.setattr(importlib, "import_module", lacking)
    with pytest.raises(daskjob.ResultGone, match=words):
        read_stored(job, PLACE, trusted=False)


def test_a_driver_that_is_missing_is_named(tmp_path: Path) -> None:
    job = Kept(tmp_path, [1]).job
    job["spec"]["result"]["store"]["url"] = "gs://bucket"
    job["status"]["result"]["location"] = "gs://bucket/team/one/u1/1"
    with pytest.raises(daskjob.ResultGone, match="pip install fsspec gcsfs"):
        read_stored(job, PLACE, trusted=False)


def test_a_volume_that_is_not_mounted_here(tmp_path: Path) -> None:
    kept = Kept(tmp_path, [1])
    job = kept.job
    (tmp_path / "team/one/u1/1/manifest.json").unlink()
    with pytest.raises(daskjob.ResultGone, match="mount the volume here at the same path, or read it in a job"):
        read_stored(job, PLACE, trusted=False)


class Backend:
    """Says nothing: the test tells the future what becomes of the job."""

    namespace = "team"
    storage_options: ClassVar[dict[str, Any]] = {}

    def follow(self, job: Any, listener: Any) -> None:
        listener(job)


def future_of(job: dict[str, Any]) -> JobFuture[Any]:
    future: JobFuture[Any] = JobFuture(Backend(), job)  # type: ignore[arg-type]
    future.start()
    return future


def test_a_future_reads_when_it_is_asked_and_once(tmp_path: Path) -> None:
    kept = Kept(tmp_path, [1, 2])
    job = kept.job
    job["status"]["result"]["preview"] = "[1,2]"
    folder = tmp_path / "team/one/u1/1"
    (folder / "value.json").rename(folder / "elsewhere")
    future = future_of(job)
    ref = future.result_ref()
    assert (future.done(), future.exception(), list(concurrent.futures.as_completed([future]))) == (
        True,
        None,
        [future],
    )
    assert (ref.url, ref.format, ref.type, ref.size, ref.preview) == (f"file://{folder}", "json", "list", 7, [1, 2])
    with pytest.raises(daskjob.ResultGone):
        future.result()
    (folder / "elsewhere").rename(folder / "value.json")
    first = future.result(30)
    assert first == [1, 2]
    (folder / "value.json").unlink()
    assert future.result() is first


def test_awaiting_it_does_not_hold_up_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, job = threading.Event(), Kept(tmp_path, [1]).job
    monkeypatch.setattr(
        "daskjob.futures.stored_outcome.read_stored", lambda *_: "read" if goes_on.wait(30) else "held up"
    )

    async def both() -> Any:
        asyncio.get_running_loop().call_soon(goes_on.set)
        return await future_of(job)

    assert asyncio.run(both()) == "read"


def test_no_more_time_than_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, job = threading.Event(), Kept(tmp_path, [1]).job
    monkeypatch.setattr("daskjob.futures.stored_outcome.read_stored", lambda *_: goes_on.wait(30))
    future = future_of(job)
    with pytest.raises(TimeoutError):
        future.result(0.01)
    goes_on.set()
    assert future.result() is True


def test_a_result_in_the_status_has_a_ref_too(tmp_path: Path) -> None:
    job = Kept(tmp_path, [1]).job
    job["status"]["result"] = {"type": "set", "value": '"gA=="', "types": {"": "pickle"}, "size": 6, "sha256": "0" * 64}
    ref = future_of(job).result_ref()
    assert (ref.url, ref.format, ref.type, ref.size, ref.preview) == ("", "pickle", "set", 6, None)
