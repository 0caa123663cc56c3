"""Reads from stores what jobs have kept there, with the driver and the credentials of this process.

Who may write a job's report, its own code, says where that is: the place counts only if it is the job's. What cannot be
had is told by one rule, whatever was kept there.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from daskjob.client.problems import ClientError
from daskjob.client.server_options import BUCKETS, chooses_server
from daskjob.results.opened_store import (
    DRIVER_MISSING,
    DRIVERS,
    FORBIDDEN,
    NO_CREDENTIALS,
    NOT_FOUND,
    OPTIONS,
    SCHEME,
    WRONG_CREDENTIALS,
    Store,
    StoreProblem,
    StoreSilent,
    clean_url,
    open_store,
    within,
)

#: Seconds within which a store has to answer, or to give the next part of a file; drivers themselves wait for minutes.
ANSWER_SECONDS = 45.0
#: Bytes of a part: what a slow line brings in that time, and what memory and requests allow. The next part is as large
#: as what these seconds bring.
LEAST_PART, MOST_PART, PART_SECONDS = 128 * 1024, 64 * 2**20, 4.0

NO_OPTIONS: Mapping[str, Any] = {}


class StoredFileError(ClientError):
    """What a store has cannot be had from it: the message says why, where it is, and what to do."""


class KeptFolder:
    """A folder that a job has named as the place of its result, or of its report. Every method raises StoredFileError.

    `what`: `the result`, for messages; `field`: of the job's status, which has the place; `stores`: those of the job's
    spec; `options`: the user's own, over those of the store.
    """

    def __init__(
        self,
        job: Mapping[str, Any],
        location: str,
        stores: Sequence[Mapping[str, Any]],
        options: Mapping[str, Any],
        *,
        what: str,
        field: str,
    ) -> None:
        #: The place without user, password and parameters, for messages.
        self.shown = clean_url(location)
        self._location, self._what = location, what
        own = options_for(job, location, stores)
        if own is None:
            raise StoredFileError(f"{field}, {self.shown[:200]!r}, is no place of this job: it is not opened")
        scheme = location.partition("://")[0]
        option = chooses_server(scheme, {name: value for name, value in own.items() if name not in options})
        if option is not None:
            raise StoredFileError(
                f"{what} is at {self.shown}, and is not opened: the option {option[:60]!r} of the job's store may "
                f"choose the server to which {scheme}:// sends the credentials of this process; if you trust who made "
                "the job, give the option yourself (storage options)"
            )
        if not stores and scheme not in BUCKETS:
            raise StoredFileError(
                f"{what} is at {self.shown}, and is not opened: only the job's code says which server that is, to "
                "which this process would send its credentials; if it is the installation's store, copy it from there"
            )
        try:
            self._store: Store = open_store(location, {**own, **options})
        except StoreProblem as problem:
            raise self._refused(problem) from None

    def read_first(self, path: str) -> bytes:
        """The content of a short file, whatever it is. A store that takes connections and never answers shows here."""
        try:
            return bytes(within(ANSWER_SECONDS, self.shown, lambda: self._store.read(path)))
        except StoreProblem as problem:
            raise self._refused(problem) from None

    def read_whole(self, path: str, size: int, digest: str) -> bytes:
        """The content of a file with that size and SHA-256. It may take as long as it comes: what ends it is a store
        that gives nothing more for `ANSWER_SECONDS`."""
        data = b"".join(self._parts(path, size))
        if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
            raise StoredFileError(f"{self.shown}/{path} is not what the job wrote: its size or digest differs")
        return data

    def _parts(self, path: str, size: int) -> Iterator[bytes]:
        """The file in parts. One that does not come in time is asked for again as the smallest one: the line may have
        become slow."""
        at, length = 0, LEAST_PART
        while at < size:
            # A byte more than the manifest says: whether the file ends there.
            wanted = min(length, size + 1 - at)
            began = time.monotonic()
            try:
                part = self._part(path, at, at + wanted)
            except StoreSilent:
                if length > LEAST_PART:
                    length = LEAST_PART
                    continue
                raise StoredFileError(
                    f"{self._what} is at {self.shown}, and the store has stopped: {at} of {size} bytes of {path} came, "
                    f"and nothing more for {ANSWER_SECONDS:g} s; try again, and if it stops again look at the store "
                    "and the network between"
                ) from None
            yield part
            at += len(part)
            if len(part) < wanted:
                return
            speed = len(part) / max(time.monotonic() - began, 0.001)
            length = int(min(MOST_PART, max(LEAST_PART, speed * PART_SECONDS)))

    def _part(self, path: str, begin: int, end: int) -> bytes:
        """Raises StoreSilent if it does not come in time."""
        try:
            return bytes(within(ANSWER_SECONDS, self.shown, lambda: self._store.read(path, begin, end)))
        except StoreSilent:
            raise
        except StoreProblem as problem:
            raise self._refused(problem) from None

    def copy(self, folder: Path, files: Iterable[tuple[str, bytes]]) -> int:
        """Writes files, by their paths, into a folder of this machine, which may not have anything yet. Returns how
        many bytes."""
        size = 0
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise StoredFileError(f"{folder} is there already and is not empty: give another folder")
            for path, data in files:
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
                size += len(data)
        except OSError as error:
            words = f"{type(error).__name__}: {error}"
            raise StoredFileError(f"{self._what} cannot be copied into {folder}: {words}") from None
        return size

    def _refused(self, problem: StoreProblem) -> StoredFileError:
        hint = _hint(problem, self._location.partition("://")[0])
        return StoredFileError(
            f"{self._what} is at {self.shown}, and cannot be had from here: {hint} ({problem.cause or problem.message})"
        )


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


def own_options(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The options of the store of a job's result."""
    return {name: each for store in stores_of(job, "result") for name, each in (store.get("options") or {}).items()}


def stores_of(job: Mapping[str, Any], *parts: str) -> list[Mapping[str, Any]]:
    """The stores that the spec names in these parts of it."""
    spec = job.get("spec") or {}
    return list(_named((spec.get(part) or {}).get("store") for part in parts))


def _named(stores: Iterable[Any]) -> Iterator[Mapping[str, Any]]:
    for store in stores:
        if store and store.get("url"):
            yield store


def _hint(problem: StoreProblem, scheme: str) -> str:
    """What whoever reads can do about it."""
    volume = scheme in ("file", "local")
    if problem.kind:
        return _HINTS[problem.kind]
    if problem.reason == DRIVER_MISSING:
        needs = "fsspec" if volume else f"fsspec {DRIVERS.get(scheme, f'and the driver of {scheme}://')}"
        return f"this Python lacks what opens it: pip install {needs}"
    if problem.reason == NOT_FOUND and volume:
        return "it is on a volume of the job's pods: mount the volume here at the same path, or read it in a job"
    if problem.reason == NOT_FOUND:
        return "it was deleted, or the store has another address from here: give that in storage options"
    if problem.reason == FORBIDDEN and volume:
        return "the user of this process may not read there"
    if problem.reason == FORBIDDEN:
        return "the credentials of this process do not let it read there: choose others, as the driver reads them"
    return (
        "the store cannot be reached from here: check the network, and its address, which may be another one from here "
        "(storage options, such as endpoint_url)"
    )


#: By `StoreProblem.kind`.
_HINTS = {
    SCHEME: "the fsspec of this Python does not know such URLs: install the package that brings them",
    OPTIONS: "the driver of this Python takes other options: correct yours, or install another version of it",
    NO_CREDENTIALS: "this process has no credentials for it: give it some, as the driver reads them (for s3:// "
    "AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; or storage options)",
    WRONG_CREDENTIALS: "the store does not accept the credentials of this process: correct them, or choose others "
    "(a profile; storage options)",
}
