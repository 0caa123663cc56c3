"""Copies of results from a store: what is not as the job wrote it is not taken, and nothing leads out of the folder."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from daskjob.client import store_reading
from daskjob.client.store_reading import StoredFileError
from daskjob.client.stored_results import StoredCopy

FILES = {"value.parquet/part-000000.parquet": b"one", "value.parquet/part-000001.parquet": b"two"}


class Stored:
    """A job whose result is in a folder, as the runner writes it."""

    def __init__(self, root: Path, files: dict[str, bytes], form: str = "parquet") -> None:
        self.folder = root / "team/job/uid-1/1"
        self.root = root
        self.manifest: dict[str, Any] = {"version": 1, "type": "pandas.DataFrame", "format": form, "files": []}
        for path, data in files.items():
            self.add(path, data)
        self.write()
        self.location = f"file://{self.folder}"
        self.spec: dict[str, Any] = {"result": {"store": {"url": f"file://{root}"}}}

    def add(self, path: str, data: bytes) -> None:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
        self.manifest["files"].append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})

    def write(self) -> None:
        text = json.dumps(self.manifest).encode()
        (self.folder / "manifest.json").write_bytes(text)
        self.digest = hashlib.sha256(text).hexdigest()

    @property
    def job(self) -> dict[str, Any]:
        result = {"type": "x", "format": "parquet", "location": self.location, "size": 6, "sha256": self.digest}
        metadata = {"namespace": "team", "name": "job", "uid": "uid-1"}
        return {"metadata": metadata, "spec": self.spec, "status": {"result": result}}


@pytest.fixture
def stored(tmp_path: Path) -> Stored:
    return Stored(tmp_path / "store", FILES)


def test_a_copy_has_all_files_and_the_manifest(stored: Stored, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    assert StoredCopy(stored.job).copy(target) == 6
    found = {str(each.relative_to(target)): each.read_bytes() for each in target.rglob("*") if each.is_file()}
    assert json.loads(found.pop("manifest.json")) == stored.manifest
    assert found == FILES


def test_a_value_of_json(tmp_path: Path) -> None:
    stored = Stored(tmp_path / "store", {"value.json": b"[1,2]", "types.json": b'{"": "tuple"}'}, "json")
    assert StoredCopy(stored.job).json_value() == "[1,2]"
    assert StoredCopy(Stored(tmp_path / "other", FILES).job).json_value() is None


def test_nothing_is_written_over(stored: Stored, tmp_path: Path) -> None:
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "mine").touch()
    with pytest.raises(StoredFileError, match="is not empty: give another folder"):
        StoredCopy(stored.job).copy(tmp_path / "copy")


def corrupt(stored: Stored) -> None:
    (stored.folder / "value.parquet/part-000001.parquet").write_bytes(b"tow")


def cut(stored: Stored) -> None:
    (stored.folder / "value.parquet/part-000001.parquet").write_bytes(b"")


def lost(stored: Stored) -> None:
    (stored.folder / "value.parquet/part-000001.parquet").unlink()


def other_manifest(stored: Stored) -> None:
    digest = stored.digest
    stored.manifest["files"].pop()
    stored.write()
    stored.digest = digest


def no_manifest(stored: Stored) -> None:
    (stored.folder / "manifest.json").unlink()


def not_json(stored: Stored) -> None:
    (stored.folder / "manifest.json").write_text("{")
    stored.digest = hashlib.sha256(b"{").hexdigest()


def leads_out(stored: Stored) -> None:
    stored.add("value.parquet/../../../../../outside", b"x")
    stored.write()


def absolute(stored: Stored) -> None:
    stored.manifest["files"].append({"path": str(stored.root / "x"), "size": 0, "sha256": ""})
    stored.write()


def unknown_file(stored: Stored) -> None:
    stored.add(".bashrc", b"x")
    stored.write()


def in_capitals(stored: Stored) -> None:
    stored.add("value.zarr/.ZARRAY", b"{}")
    stored.write()


def with_a_dot(stored: Stored) -> None:
    stored.add("value.zarr/.zarray.", b"{}")
    stored.write()


def elsewhere(stored: Stored) -> None:
    stored.location = "file:///etc"


def of_another_job(stored: Stored) -> None:
    stored.location = stored.location.replace("uid-1", "uid-2")


def a_step_up(stored: Stored) -> None:
    stored.location += "/../../uid-2/1"


def a_file_without_a_store(stored: Stored) -> None:
    stored.spec = {}


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (corrupt, "is not what the job wrote: its size or digest differs"),
        (cut, "is not what the job wrote"),
        (lost, "cannot be had from here"),
        (other_manifest, "status.result.sha256 differs"),
        (no_manifest, "cannot be had from here"),
        (not_json, "is no manifest"),
        (leads_out, "leads out of the result"),
        (absolute, "leads out of the result"),
        (unknown_file, "leads out of the result"),
        (in_capitals, "leads out of the result"),
        (with_a_dot, "leads out of the result"),
        (elsewhere, "is no place of this job"),
        (of_another_job, "is no place of this job"),
        (a_step_up, "is no place of this job"),
        (a_file_without_a_store, "is no place of this job"),
    ],
)
def test_what_is_not_taken(stored: Stored, tmp_path: Path, spoil: Any, words: str) -> None:
    spoil(stored)
    with pytest.raises(StoredFileError, match=words):
        StoredCopy(stored.job).copy(tmp_path / "copy")
    assert not (tmp_path / "copy" / "manifest.json").exists()


def test_the_installations_store(stored: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its URL is not in the job: a bucket counts if the place in it is named for the job."""
    monkeypatch.setattr(store_reading, "BUCKETS", {"nowhere"})
    stored.spec, stored.location = {}, "nowhere://bucket/team/job/uid-1/1"
    with pytest.raises(StoredFileError, match="fsspec knows no nowhere"):
        StoredCopy(stored.job)
