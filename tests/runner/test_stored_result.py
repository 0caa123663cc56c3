"""Results in a folder: what is written, in which form, and what a report says of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

from .conftest import Outcome


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


@pytest.fixture
def keep(run: Callable[..., Outcome], root: Path) -> Callable[..., Outcome]:
    """Runs an entry point whose result goes into the folder."""

    def keep(entrypoint: str, *args: Any, form: str = "auto", **options: Any) -> Outcome:
        store = {"url": f"file://{root}", "options": {}, "format": form}
        return run(entrypoint, *args, store=store, **options)

    return keep


def record_of(outcome: Outcome) -> dict[str, Any]:
    assert outcome.status.get("outcome") == "Succeeded", outcome.output + json.dumps(outcome.status)
    record: dict[str, Any] = outcome.status["result"]
    # Of which Python it is, only a pickle says.
    python = ("python",) if record["format"] == "pickle" else ()
    short = {name: record[name] for name in ("type", "format", "location", "size", "sha256", *python)}
    assert {name: each for name, each in outcome.termination["result"].items() if name != "preview"} == short
    return record


def folder_of(outcome: Outcome, root: Path) -> Path:
    """The attempt's folder, in which all is as the manifest says and nothing else."""
    record, folder = record_of(outcome), root / "team/job/11111111-2222/1"
    assert record["location"] == f"file://{folder}"
    data = (folder / "manifest.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == record["sha256"]
    manifest = json.loads(data)
    found = {str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file()}
    assert found == {"manifest.json", *(file["path"] for file in manifest["files"])}
    for file in manifest["files"]:
        content = (folder / file["path"]).read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (file["size"], file["sha256"])
    assert record["size"] == sum(file["size"] for file in manifest["files"])
    assert (manifest["type"], manifest["format"]) == (record["type"], record["format"])
    return folder


@pytest.mark.parametrize(
    ("kind", "form", "type_name", "written"),
    [
        ("int", "auto", "int", "json"),
        ("types", "auto", "dict", "json"),
        ("long", "auto", "list", "json"),
        ("frame", "auto", "pandas.DataFrame", "parquet"),
        ("series", "auto", "pandas.Series", "parquet"),
        ("array", "auto", "numpy.ndarray:<f8", "zarr"),
        ("array", "json", "numpy.ndarray:<f8", "json"),
        ("frame", "json", "pandas.DataFrame", "json"),
        ("frame", "pickle", "pandas.DataFrame", "pickle"),
        ("object", "pickle", "type", "pickle"),
    ],
)
def test_forms(keep: Callable[..., Outcome], root: Path, kind: str, form: str, type_name: str, written: str) -> None:
    outcome = keep("stored:value", kind, form=form)
    record = record_of(outcome)
    assert (record["type"], record["format"]) == (type_name, written)
    folder_of(outcome, root)


def test_what_json_cannot_say_is_in_a_file_beside_it(keep: Callable[..., Outcome], root: Path) -> None:
    outcome = keep("stored:value", "types")
    folder = folder_of(outcome, root)
    assert json.loads((folder / "value.json").read_bytes()) == {"a": [1, 2], "b": [3]}
    assert json.loads((folder / "types.json").read_bytes()) == {"/a": "tuple", "/b": "set"}
    assert json.loads(outcome.status["result"]["preview"]) == {"a": [1, 2], "b": [3]}


def test_a_table_has_a_preview_of_twenty_rows_with_short_texts(keep: Callable[..., Outcome]) -> None:
    rows = json.loads(record_of(keep("stored:value", "frame"))["preview"])
    assert [row["n"] for row in rows] == list(range(20))
    assert {row["text"] for row in rows} == {"é" * 200 + "…"}


def test_workers_write_the_partitions_of_a_dataframe(keep: Callable[..., Outcome], root: Path) -> None:
    """All with one schema, also those in which a column has no value."""
    outcome = keep("stored:frame")
    folder = folder_of(outcome, root)
    assert sorted(each.name for each in (folder / "value.parquet").iterdir()) == [
        f"part-{number:06d}.parquet" for number in range(4)
    ]
    table = pandas.read_parquet(folder / "value.parquet")
    assert table.n.tolist() == list(range(40))
    assert table.text.tolist()[19:21] == [None, "é"] or pandas.isna(table.text.iloc[19])
    manifest = json.loads((folder / "manifest.json").read_bytes())
    assert (manifest["rows"], manifest["type"]) == (40, "pandas.DataFrame")
    assert json.loads(outcome.status["result"]["preview"])[0]["n"] == 0
    prefixes = {each["name"]: each["done"] for each in outcome.status["progress"]["prefixes"]}
    assert prefixes["write-parquet"] == 4


def test_workers_write_the_blocks_of_an_array(keep: Callable[..., Outcome], root: Path) -> None:
    import zarr

    outcome = keep("stored:array")
    folder = folder_of(outcome, root)
    found: Any = zarr.open_array(str(folder / "value.zarr"), mode="r")
    assert numpy.array_equal(found[:], numpy.arange(70).reshape(7, 10) + 0.5)
    assert json.loads(outcome.status["result"]["preview"]) == {"shape": [7, 10], "chunks": [3, 4], "dtype": "<f8"}


@pytest.mark.parametrize("entrypoint", ["series", "with_client"])
def test_other_collections(keep: Callable[..., Outcome], root: Path, entrypoint: str) -> None:
    folder = folder_of(keep(f"stored:{entrypoint}"), root)
    assert pandas.read_parquet(folder / "value.parquet").n.tolist() == list(range(40))


@pytest.mark.parametrize(
    ("entrypoint", "args", "form", "reason", "words"),
    [
        (
            "value",
            ["int"],
            "parquet",
            "ResultNotSerializable",
            "format is parquet, and the result is a int: return a pa",
        ),
        ("value", ["frame"], "zarr", "ResultNotSerializable", "return a NumPy or Dask array with dimensions"),
        ("value", ["object"], "auto", "ResultNotSerializable", "spec.result.format: pickle"),
        ("value", ["mixed"], "auto", "ResultNotSerializable", "Parquet cannot hold the result"),
        ("unknown", [], "auto", "ResultNotSerializable", "call compute_chunk_sizes() on it"),
        ("fails", [], "auto", "TaskFailed", "division by zero"),
    ],
)
def test_what_cannot_be_written(
    keep: Callable[..., Outcome], root: Path, entrypoint: str, args: list[str], form: str, reason: str, words: str
) -> None:
    """There is no manifest then."""
    failure = keep(f"stored:{entrypoint}", *args, form=form).failure
    assert failure["reason"] == reason
    assert words in failure["message"]
    assert not list(root.rglob("manifest.json"))
