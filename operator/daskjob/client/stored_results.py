"""Results that a job's store has: checked against manifest and status, and copied. Nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from daskjob.client.job_end import status_of
from daskjob.client.store_reading import NO_OPTIONS, KeptFolder, StoredFileError, stores_of
from daskjob.results.stored_value import JSON, MANIFEST_NAME, NAMES, TYPES_NAME

#: The name of a file or a folder, as the runner writes it.
_NAME = re.compile(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class StoredCopy:
    """The files of a job's result. `options`: the user's own for the store's driver. Every method raises
    StoredFileError."""

    def __init__(self, job: Mapping[str, Any], options: Mapping[str, Any] = NO_OPTIONS) -> None:
        record = status_of(job).get("result") or {}
        where = {"what": "the result", "field": "status.result.location"}
        location = str(record.get("location") or "")
        self._folder = KeptFolder(job, location, stores_of(job, "result"), options, **where)
        self._manifest = self._read_manifest(str(record.get("sha256")))

    @property
    def form(self) -> str:
        """The format, as the manifest has it."""
        return str(self._manifest.get("format"))

    @property
    def type(self) -> str:
        """The type of the whole result, as the manifest has it."""
        return str(self._manifest.get("type"))

    def json_value(self) -> str | None:
        """The value as JSON text; None if its format is another one."""
        if self.form != JSON:
            return None
        found = {path: data for path, data in self.files() if path == NAMES[JSON]}
        return found[NAMES[JSON]].decode() if found else None

    def copy(self, folder: Path) -> int:
        """Copies all files, the manifest last, and returns how many bytes the others have. The folder may not have
        anything yet."""
        self._folder.copy(folder, self._all())
        return sum(file["size"] for file in self._manifest["files"])

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file's path and content, in the order of the paths."""
        for file in self._manifest["files"]:
            yield file["path"], self._folder.read_whole(file["path"], file["size"], file["sha256"])

    def _all(self) -> Iterator[tuple[str, bytes]]:
        yield from self.files()
        yield MANIFEST_NAME, self._data

    def _read_manifest(self, digest: str) -> dict[str, Any]:
        self._data = data = self._folder.read_first(MANIFEST_NAME)
        where = f"{self._folder.shown}/{MANIFEST_NAME}"
        if hashlib.sha256(data).hexdigest() != digest:
            raise StoredFileError(f"{where} is not what the job wrote: status.result.sha256 differs")
        try:
            manifest = json.loads(data)
            files = [(str(file["path"]), int(file["size"]), str(file["sha256"])) for file in manifest["files"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StoredFileError(f"{where} is no manifest") from None
        odd = next((path for path, *_ in files if not _is_plain(path)), None)
        if odd is not None:
            raise StoredFileError(
                f"the manifest names {odd[:80]!r}, which no runner writes or leads out of the result: it is not copied"
            )
        return dict(manifest)


def _is_plain(path: str) -> bool:
    """Whether it is a path as the runner writes them: on every file system, a name of its own below the result. Where
    case or a last dot does not count, another name would be that of the metadata, unchecked."""
    parts = PurePosixPath(path).parts
    top = parts[0] if parts else ""
    known = top in NAMES.values() or path == TYPES_NAME
    return known and all(map(_NAME.fullmatch, path.split("/")))
