"""What is kept of an attempt, read from its store: only below the job's folder, and only as the job wrote it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from daskjob.client.problems import NotFound
from daskjob.client.saved_reports import SavedReport, location_of
from daskjob.client.store_reading import StoredFileError

FILES = {
    "logs/runner.log": b"one\ntwo\n",
    "logs/worker-a.log": b"a\n",
    "logs/worker-b.log": b"b\n",
    "metrics.json": b"{}",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The second attempt's, as the runner writes it."""
    folder = tmp_path / "store/team/job/uid-1/2/report"
    write(folder, FILES)
    return folder


def write(folder: Path, files: dict[str, bytes]) -> None:
    listed = []
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
        listed.append({"path": path, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()})
    (folder / "report.json").write_text(json.dumps({"version": 1, "files": listed}))


def a_job(folder: Path, location: str | None = None, **spec: Any) -> dict[str, Any]:
    root = f"file://{folder.parents[4]}"
    attempts = [
        {"number": 1, "report": {"message": "the store was full"}},
        {"number": 2, "report": {"location": location or f"file://{folder}"}},
    ]
    metadata = {"namespace": "team", "name": "job", "uid": "uid-1"}
    spec = spec or {"report": {"store": {"url": root}}}
    return {"metadata": metadata, "spec": spec, "status": {"attempt": 2, "attempts": attempts}}


def test_a_copy_has_all_files(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    saved = SavedReport(a_job(folder))
    assert saved.copy(target) == sum(map(len, FILES.values())) + len((folder / "report.json").read_bytes())
    found = {str(each.relative_to(target)): each.read_bytes() for each in target.rglob("*") if each.is_file()}
    assert found.pop("report.json") == (folder / "report.json").read_bytes()
    assert found == FILES
    with pytest.raises(StoredFileError, match="not empty"):
        saved.copy(target)


def test_logs_by_component(folder: Path) -> None:
    saved = SavedReport(a_job(folder))
    assert dict(saved.logs("runner")) == {"runner": "one\ntwo\n"}
    assert dict(saved.logs("worker")) == {"worker-a": "a\n", "worker-b": "b\n"}
    assert dict(saved.logs("scheduler")) == {}


def test_the_store_of_the_result_is_one_of_the_jobs(folder: Path) -> None:
    root = f"file://{folder.parents[4]}"
    assert SavedReport(a_job(folder, report={}, result={"store": {"url": root}})).files.keys() == FILES.keys()


@pytest.mark.parametrize(
    "place",
    ["file:///etc", "s3://another/team/job/uid-1/2/report", "ROOT/team/job/uid-2/2/report", "ROOT/team/job/uid-1/../x"],
)
def test_a_place_that_is_not_the_jobs_is_not_opened(folder: Path, place: str) -> None:
    place = place.replace("ROOT", f"file://{folder.parents[4]}")
    with pytest.raises(StoredFileError, match="is no place of this job"):
        SavedReport(a_job(folder, place))


@pytest.mark.parametrize("path", ["../../x", "/etc/passwd", "logs/../x", ".hidden", "logs/a/b", "report.json", "a b"])
def test_a_name_that_leads_elsewhere_is_not_taken(folder: Path, path: str) -> None:
    listed = {"files": [{"path": path, "size": 1, "sha256": "0"}]}
    (folder / "report.json").write_text(json.dumps(listed))
    with pytest.raises(StoredFileError, match="none of its files"):
        SavedReport(a_job(folder))


@pytest.mark.parametrize("text", ["", "[]", '{"files": [{}]}', "[" * 100_000])
def test_a_list_that_is_none(folder: Path, text: str) -> None:
    (folder / "report.json").write_text(text)
    with pytest.raises(StoredFileError, match="no list of files"):
        SavedReport(a_job(folder))


def test_a_file_that_changed_is_not_taken(folder: Path) -> None:
    (folder / "logs/runner.log").write_bytes(b"other")
    with pytest.raises(StoredFileError, match="its size or digest differs"):
        SavedReport(a_job(folder)).read("logs/runner.log")


def test_where_it_cannot_be_had_from_here_it_is_named(folder: Path) -> None:
    job = a_job(folder)
    (folder / "report.json").unlink()
    with pytest.raises(StoredFileError) as refused:
        SavedReport(job)
    assert f"the report is at file://{folder}, and cannot be had from here" in str(refused.value)


def test_what_there_is_none_of_is_said(folder: Path) -> None:
    job = a_job(folder)
    assert location_of(job) == location_of(job, 2) == f"file://{folder}"
    for number, words in ((1, "was not saved: the store was full"), (3, "there is no attempt 3")):
        with pytest.raises(NotFound, match=words):
            location_of(job, number)
    job["status"]["attempts"][1].pop("report")
    with pytest.raises(NotFound, match="has not ended yet"):
        location_of(job)
    with pytest.raises(NotFound, match=r"no spec\.report"):
        location_of({**job, "spec": {}})
