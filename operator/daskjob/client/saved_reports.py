"""What is kept of an attempt in a store (`spec.report`): its files copied, and logs read from there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daskjob.client.job_end import status_of
from daskjob.client.problems import NotFound
from daskjob.client.store_reading import NO_OPTIONS, KeptFolder, StoredFileError, stores_of
from daskjob.results.kept_report import MANIFEST, is_log_of

_PLAIN = re.compile(r"(logs/)?[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class SavedReport:
    """Of one attempt, by its number; None: of the last. `options`: the user's own for the store's driver. Raises
    NotFound if nothing is kept of it, and StoredFileError if it cannot be had, as do all methods."""

    def __init__(
        self, job: Mapping[str, Any], number: int | None = None, options: Mapping[str, Any] = NO_OPTIONS
    ) -> None:
        self.location = location_of(job, number)
        where = {"what": "the report", "field": "status.attempts[].report.location"}
        self._folder = KeptFolder(job, self.location, stores_of(job, "report", "result"), options, **where)
        self.files = self._read_manifest()

    def logs(self, component: str) -> Iterator[tuple[str, str]]:
        """Name and text of each log of that component."""
        for path in self.files:
            if is_log_of(component, path):
                yield path.rpartition("/")[2].removesuffix(".log"), self.read(path).decode(errors="replace")

    def copy(self, folder: Path) -> int:
        """Copies all files, the manifest last, and returns how many bytes. The folder may not have anything yet."""
        return self._folder.copy(folder, self._all())

    def _all(self) -> Iterator[tuple[str, bytes]]:
        for path in self.files:
            yield path, self.read(path)
        yield MANIFEST, self._folder.read_first(MANIFEST)

    def read(self, path: str) -> bytes:
        """A file, as the runner wrote it."""
        return self._folder.read_whole(path, *self.files[path])

    def _read_manifest(self) -> dict[str, tuple[int, str]]:
        try:
            manifest = json.loads(self._folder.read_first(MANIFEST))
            files = {str(file["path"]): (int(file["size"]), str(file["sha256"])) for file in manifest["files"]}
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StoredFileError(f"{self._folder.shown}/{MANIFEST} is no list of files") from None
        odd = next((path for path in files if not _PLAIN.fullmatch(path) or path == MANIFEST), None)
        if odd is not None:
            raise StoredFileError(f"{MANIFEST} names {odd[:80]!r}, which is none of its files: nothing is copied")
        return files


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
