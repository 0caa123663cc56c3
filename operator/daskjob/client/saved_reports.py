"""What is kept of an attempt in a store (`spec.report`): its files copied, and logs read from there.

Who may write a job's report, its own code, says where that is: the place counts only if it is the job's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daskjob.client.job_end import status_of
from daskjob.client.problems import ClientError, NotFound
from daskjob.client.stored_results import is_whole, options_for, write_into
from daskjob.results.kept_report import MANIFEST, is_log_of
from daskjob.results.opened_store import StoreProblem, open_store

_PLAIN = re.compile(r"(logs/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class SavedReportError(ClientError):
    """What was kept cannot be had from here: the message says why, and where it is."""


class SavedReport:
    """Of one attempt, by its number; None: of the last. Raises NotFound if nothing is kept of it, and SavedReportError
    if it cannot be had, as do all methods."""

    def __init__(self, job: Mapping[str, Any], number: int | None = None) -> None:
        self.location = location_of(job, number)
        options = options_for(job, self.location, _stores(job))
        if options is None:
            raise SavedReportError(
                f"status.attempts[].report.location, {self.location[:200]!r}, is no place of this job"
            )
        try:
            self._store = open_store(self.location, options)
        except StoreProblem as problem:
            raise self._error(problem) from None
        self.files = self._read_manifest()

    def logs(self, component: str) -> Iterator[tuple[str, str]]:
        """Name and text of each log of that component."""
        for path in self.files:
            if is_log_of(component, path):
                yield path.rpartition("/")[2].removesuffix(".log"), self.read(path).decode(errors="replace")

    def copy(self, folder: Path) -> int:
        """Copies all files, the manifest last, and returns how many bytes. The folder may not have anything yet."""
        return write_into(folder, self._all(), SavedReportError)

    def _all(self) -> Iterator[tuple[str, bytes]]:
        for path in self.files:
            yield path, self.read(path)
        yield MANIFEST, self._bytes(MANIFEST)

    def read(self, path: str) -> bytes:
        """A file, as the runner wrote it."""
        data, (size, digest) = self._bytes(path), self.files[path]
        if not is_whole(data, size, digest):
            where = f"{self.location}/{path}"
            raise SavedReportError(f"{where} is not what the job wrote: its size or digest differs")
        return data

    def _read_manifest(self) -> dict[str, tuple[int, str]]:
        try:
            manifest = json.loads(self._bytes(MANIFEST))
            files = {str(file["path"]): (int(file["size"]), str(file["sha256"])) for file in manifest["files"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise SavedReportError(f"{self.location}/{MANIFEST} is no list of files") from None
        odd = next((path for path in files if not _PLAIN.fullmatch(path) or path == MANIFEST), None)
        if odd is not None:
            raise SavedReportError(f"{MANIFEST} names {odd[:80]!r}, which is none of its files: nothing is copied")
        return files

    def _bytes(self, path: str) -> bytes:
        try:
            return self._store.read(path)
        except StoreProblem as problem:
            raise self._error(problem) from None

    def _error(self, problem: StoreProblem) -> SavedReportError:
        hint = "this machine needs fsspec with its driver, and credentials"
        return SavedReportError(f"it is at {self.location}, and cannot be had from here ({hint}): {problem.message}")


def location_of(job: Mapping[str, Any], number: int | None = None) -> str:
    """Where the report of an attempt is, of the last unless one is chosen. Raises NotFound."""
    metadata, status = job["metadata"], status_of(job)
    chosen = number or int(status.get("attempt") or 0)
    attempt = next((each for each in status.get("attempts") or () if each.get("number") == chosen), None)
    report = (attempt or {}).get("report") or {}
    if report.get("location"):
        return str(report["location"])
    if attempt is None:
        words = f"there is no attempt {chosen}" if chosen else "no attempt has begun"
    elif report:
        words = f"that of attempt {chosen} was not saved: {report.get('message')}"
    elif not (job.get("spec") or {}).get("report"):
        words = "its manifest has no spec.report"
    else:
        words = f"attempt {chosen} has not ended yet"
    raise NotFound("report of job", metadata["name"], metadata.get("namespace", "default"), f": {words}")


def _stores(job: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    spec = job.get("spec") or {}
    found = ((spec.get(part) or {}).get("store") for part in ("report", "result"))
    return [each for each in found if each]
