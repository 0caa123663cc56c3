"""Results that a job's store has: checked against manifest and status, and copied. Nothing is unpickled.

Who may write a job's report, its own code, says where the result is: that place counts only if it is the job's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from daskjob.client.job_end import status_of
from daskjob.client.problems import ClientError
from daskjob.results.opened_store import (
    DRIVER_MISSING,
    DRIVERS,
    FORBIDDEN,
    NOT_FOUND,
    Store,
    StoreProblem,
    clean_url,
    open_store,
)
from daskjob.results.stored_value import JSON, MANIFEST_NAME, NAMES, TYPES_NAME


class StoredResultError(ClientError):
    """A result that cannot be had from its store: the message says why and what to do."""


class StoredCopy:
    """The files of a job's result. Every method raises StoredResultError."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        record = status_of(job).get("result") or {}
        self.location = str(record.get("location") or "")
        options = _check_place(job, self.location)
        try:
            self._store = open_store(self.location, options)
        except StoreProblem as problem:
            raise _error(problem, self.location) from None
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
        """Copies all files, the manifest last, and returns how many bytes. The folder may not have anything yet."""
        size = write_into(folder, self.files(), StoredResultError)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST_NAME).write_text(json.dumps(self._manifest, indent=1))
        return size

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Each file's path and content, in the order of the paths."""
        for file in self._manifest["files"]:
            path = file["path"]
            data = _read(self._store, path)
            if not is_whole(data, file["size"], file["sha256"]):
                raise StoredResultError(f"{self.location}/{path} is not what the job wrote: its size or digest differs")
            yield path, data

    def _read_manifest(self, digest: str) -> dict[str, Any]:
        data = _read(self._store, MANIFEST_NAME)
        if hashlib.sha256(data).hexdigest() != digest:
            where = f"{self.location}/{MANIFEST_NAME}"
            raise StoredResultError(f"{where} is not what the job wrote: status.result.sha256 differs")
        try:
            manifest = json.loads(data)
            files = [(str(file["path"]), int(file["size"]), str(file["sha256"])) for file in manifest["files"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise StoredResultError(f"{self.location}/{MANIFEST_NAME} is no manifest") from None
        odd = next((path for path, *_ in files if not _is_plain(path)), None)
        if odd is not None:
            raise StoredResultError(f"the manifest names {odd[:80]!r}, which leads out of the result: it is not copied")
        return dict(manifest)


def write_into(folder: Path, files: Iterable[tuple[str, bytes]], refusal: type[ClientError]) -> int:
    """Writes files, by their paths, into a folder, and returns how many bytes. Raises `refusal` if the folder has
    anything yet."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise refusal(f"{folder} is there already and is not empty: give another folder")
    size = 0
    for path, data in files:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        size += len(data)
    return size


def is_whole(data: bytes, size: int, digest: str) -> bool:
    """Whether a file is what its manifest says."""
    return len(data) == size and hashlib.sha256(data).hexdigest() == digest


def _is_plain(path: str) -> bool:
    parts = PurePosixPath(path).parts
    top = parts[0] if parts else ""
    known = top in NAMES.values() or path == TYPES_NAME
    return known and path.isprintable() and "\\" not in path and not {".", ".."} & set(path.split("/"))


def _check_place(job: Mapping[str, Any], location: str) -> Mapping[str, Any]:
    """The options for the place. Raises StoredResultError if it is not the job's."""
    store = ((job.get("spec") or {}).get("result") or {}).get("store") or {}
    options = options_for(job, location, [store] if store.get("url") else [])
    if options is None:
        raise StoredResultError(
            f"status.result.location, {location[:200]!r}, is no place of this job: it is not opened"
        )
    return options


def options_for(job: Mapping[str, Any], location: str, stores: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The options of a store for a place that the job's code has named; None: it is no place of the job. `stores`:
    those of the job's spec; without any, the installation's, which only its administrators know."""
    metadata = job["metadata"]
    own = f"/{metadata.get('namespace', 'default')}/{metadata['name']}/{metadata.get('uid', '')}/"
    if "/../" in f"{location}/":
        return None
    for store in stores:
        if location.startswith(f"{str(store.get('url')).rstrip('/')}{own}"):
            return dict(store.get("options") or {})
    known = not stores and own in location and ".." not in location
    return {} if known and not location.startswith(("file:", "local:")) else None


def _read(store: Store, name: str) -> bytes:
    try:
        return store.read(name)
    except StoreProblem as problem:
        raise _error(problem, store.url) from None


def _error(problem: StoreProblem, location: str) -> StoredResultError:
    where, scheme = clean_url(location), location.partition("://")[0]
    volume = scheme in ("file", "local")
    if problem.reason == DRIVER_MISSING:
        needs = "fsspec" if volume else f"fsspec {DRIVERS.get(scheme, f'and the driver of {scheme}://')}"
        hint = f"this Python lacks what opens it: pip install {needs}"
    elif problem.reason == NOT_FOUND and volume:
        hint = "it is on a volume of the job's pods: mount the volume here at the same path, or read it in a job"
    elif problem.reason == NOT_FOUND:
        hint = "it was deleted, or the store has another address from here"
    elif problem.reason == FORBIDDEN:
        hint = "give this process the store's credentials, as the driver reads them, with the right to read there"
    else:
        hint = "the store cannot be reached from here: check its address and the network"
    return StoredResultError(f"the result is at {where}, and cannot be had from here: {hint} ({problem.message})")
