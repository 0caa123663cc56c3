"""What a job's end means in Python: its value, or the exception to raise."""

from __future__ import annotations

import base64
import builtins
import importlib
import json
import sys
from collections.abc import Mapping
from typing import Any

from daskjob.client.job_end import End, status_of
from daskjob.client.problems import JobDeleted
from daskjob.client.store_reading import NO_OPTIONS
from daskjob.futures.future_errors import (
    JobCancelled,
    JobFailed,
    RemoteError,
    RemoteTraceback,
    ResultGone,
    VersionMismatch,
)
from daskjob.futures.stored_outcome import StoredOutcome, check_python, is_stored, untrusted
from daskjob.results.codec import sha256
from daskjob.results.status_store import StatusStore
from daskjob.results.store import PICKLE

#: Reasons of failures by an exception of the user's code.
RAISED = ("TaskFailed", "EntrypointFailed")


def value_of(job: Mapping[str, Any], *, trusted: bool, storage_options: Mapping[str, Any] = NO_OPTIONS) -> Any:
    """The value of a job that succeeded; of one in a store, the StoredOutcome that reads it. `trusted`: this process
    submitted it, so its pickle may be opened; `storage_options`: with which the store is read. Raises ResultGone
    and UntrustedResult."""
    record = status_of(job).get("result") or {}
    where = _place(job)
    text = record.get("value")
    if is_stored(job):
        return StoredOutcome(job, where, trusted, storage_options)
    if not isinstance(text, str):
        raise ResultGone(f"{where} succeeded, and its status has no value: {record.get('type') or 'nothing'}")
    if sha256(text.encode()) != record.get("sha256"):
        raise ResultGone(f"{where}: the value in its status is not the one that its SHA-256 is of")
    if (record.get("types") or {}).get("") != PICKLE:
        return StatusStore().get(record)
    if not trusted:
        raise untrusted(where, record)
    check_python(where, record)
    try:
        import cloudpickle

        return cloudpickle.loads(base64.b64decode(json.loads(text)))
    except BaseException as error:
        # Also what leaves the program while it is imported: only the job's own code may end with that.
        words = f"{type(error).__name__}: {error}"
        raise ResultGone(
            f"{where} succeeded, and its result, a {record.get('type')}, cannot be opened here: {words}; have here "
            "what the job's image has, or return something plainer"
        ) from error


def exception_of(job: Mapping[str, Any], end: End, *, trusted: bool) -> BaseException:
    """What the future of a job that did not succeed raises. `trusted`: modules may be imported for it."""
    if end is End.DELETED:
        return JobDeleted(_place(job))
    if end is End.CANCELLED:
        return JobCancelled(f"{_place(job)} was cancelled")
    failure = status_of(job).get("failure") or {}
    if failure.get("reason") == "VersionMismatch":
        return VersionMismatch(job, failure)
    if failure.get("reason") not in RAISED or not failure.get("exceptionType"):
        return JobFailed(job, failure)
    found = _rebuilt(failure, trusted) or RemoteError(job, failure)
    if failure.get("traceback"):
        found.__cause__ = RemoteTraceback(str(failure["traceback"]))
    found.add_note(_note(job, failure))
    return found


def _rebuilt(failure: Mapping[str, Any], trusted: bool) -> Exception | None:
    """The exception itself, of its own class; None if it cannot be had without a pickle."""
    kind = _class_of(str(failure["exceptionType"]), trusted)
    if kind is None:
        return None
    try:
        arguments = json.loads(failure["exceptionArgs"])
        found = kind(*arguments)
        # A message may be cut; one that differs is of another exception.
        same = str(found)[:200] == str(failure.get("message") or "")[:200] or not str(found)
    except BaseException:
        return None
    return found if same and isinstance(found, Exception) else None


def _class_of(name: str, trusted: bool) -> type[Exception] | None:
    module_name, _, path = name.rpartition(".")
    places = [sys.modules.get(module_name)] if module_name else [builtins, sys.modules.get("__main__")]
    if module_name and places == [None] and trusted:
        try:
            places = [importlib.import_module(module_name)]
        except BaseException:
            # Some modules leave the program.
            return None
    for place in places:
        found = getattr(place, path, None)
        if isinstance(found, type) and issubclass(found, Exception):
            return found
    return None


def _place(job: Mapping[str, Any]) -> str:
    metadata = job["metadata"]
    return f"job {metadata.get('namespace', '')}/{metadata['name']}"


def _note(job: Mapping[str, Any], failure: Mapping[str, Any]) -> str:
    attempt = status_of(job).get("attempt")
    parts = [_place(job), f"attempt {attempt}" if attempt else "", f"task {failure.get('taskKey') or ''}"]
    return ", ".join(each for each in parts if each and each != "task ")
