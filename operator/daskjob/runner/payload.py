"""Opens what the Python client pickled: after a look at its header, and in the job's own pods only.

A payload is one line of JSON, the header, and the pickle, which may be compressed. The header says with which versions
it was pickled, so a Python that would crash over the pickle does not open it. The client writes it
(`daskjob.futures.envelope`).
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import pickle
import platform
import zlib
from typing import Any, Dict, List, Mapping, Tuple

from daskjob.results import codec
from daskjob.results.opened_store import by_place
from daskjob.results.status_store import StatusStore
from daskjob.results.store import PICKLE, ResultStore
from daskjob.wire.jobfile import InvalidJob, JobFile

#: Versions of the header, of a plain and of a compressed pickle.
FORMAT, COMPRESSED = 1, 2
#: A longer first line is no header.
HEADER_BYTES = 16 * 1024
#: Packages whose versions the header has, beside `python`.
PACKAGES = ("cloudpickle", "dask", "distributed")


class VersionMismatch(Exception):
    """The payload was pickled with versions that this image cannot read."""


class Unreadable(Exception):
    """The pickle cannot be opened here; the cause says why."""


def opened(job: JobFile, path: str) -> Tuple[Any, JobFile]:
    """The object to execute, and the job with the arguments and keys of the payload. Raises InvalidJob,
    VersionMismatch and Unreadable."""
    given = next((name for name in ("args", "kwargs", "keys") if getattr(job, name)), None)
    if given is not None:
        raise InvalidJob(f"spec.graph.{given}: arguments and keys are in the payload: leave it out")
    header, body = split(path)
    own = versions()
    table = check(header, own)
    try:
        content = pickle.loads(body)
    except Exception as error:
        differing = [name for name in PACKAGES if str(header["versions"].get(name)) != own[name]]
        if differing and header["kind"] in ("value", "graph"):
            raise VersionMismatch(
                f"the payload cannot be opened in this image ({type(error).__name__}: {error}), whose "
                f"{' and '.join(differing)} differ: have the same versions at both sides. Versions: {table}"
            ) from error
        if not isinstance(error, ModuleNotFoundError):
            place = by_place("this image", "the job's process")
            raise Unreadable(
                f"the payload cannot be opened in {place}: {type(error).__name__}: {error}. Versions: {table}"
            ) from error
        lacks = by_place("this image does not have: add it to the image", "the job's processes do not find: install it")
        raise Unreadable(
            f"the payload needs the module {error.name!r}, which {lacks}, or "
            f"have the client pickle it by value (connect(by_value=[{(error.name or '').partition('.')[0]}]))"
        ) from error
    kind = header["kind"]
    if kind == "call":
        return content["function"], dataclasses.replace(job, args=list(content["args"]), kwargs=content["kwargs"])
    if kind == "map":
        return _Map(content["function"], content["columns"]), job
    if kind == "graph":
        return _Graph(content["graph"], content["keys"]), job
    return content["value"], job


def split(path: str) -> Tuple[Dict[str, Any], bytes]:
    """Header and pickle of a payload's file. Raises InvalidJob."""
    try:
        with open(path, "rb") as file:
            line, body = file.readline(HEADER_BYTES), file.read()
    except OSError as error:
        raise InvalidJob(f"spec.graph.source.payload cannot be read: {error}") from error
    try:
        header = json.loads(line)
        format, kind, digest = header["format"], header["kind"], header["sha256"]
    except (ValueError, KeyError, TypeError):
        raise InvalidJob("spec.graph.source.payload: it is none of the Python client's: it has no header") from None
    if format not in (FORMAT, COMPRESSED) or kind not in ("call", "value", "map", "graph"):
        raise InvalidJob(
            f"spec.graph.source.payload: a later client made it (format {format!r}, kind {kind!r}): bring client and "
            "operator to the same version"
        )
    try:
        if hashlib.sha256(body).hexdigest() == digest:
            return header, zlib.decompress(body) if format == COMPRESSED else body
    except zlib.error:
        pass
    raise InvalidJob("spec.graph.source.payload: its content is not what its header says: submit it again")


def versions() -> Dict[str, str]:
    """Versions of this process."""
    import importlib

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = str(importlib.import_module(name).__version__)
        except (ImportError, AttributeError):
            found[name] = ""
    return found


def check(header: Mapping[str, Any], own: Mapping[str, str]) -> str:
    """Both sides' versions, in words. Raises VersionMismatch: bytecode of another minor version of Python crashes, and
    another major version of cloudpickle writes another form."""
    theirs = {name: str((header.get("versions") or {}).get(name) or "") for name in own}
    rows = [f"{name} {theirs[name] or 'none'} at the client, {own[name] or 'none'} in this image" for name in own]
    table = "; ".join(rows)
    for name, parts in (("python", 2), ("cloudpickle", 1)):
        here, there = (each[name].split(".")[:parts] for each in (own, theirs))
        if here != there:
            wanted = ".".join(there) or "that of the client"
            remedy = f"use an image with {name} {wanted}, or submit from {name} {'.'.join(here)}"
            raise VersionMismatch(f"the payload was not opened: {name} differs: {remedy}. Versions: {table}")
    return table


class PickleStore:
    """Keeps as JSON in the status what comes back from there as it was, and the rest as a pickle. Only the client that
    submitted the job opens that."""

    def __init__(self, limit: int, always: bool = False) -> None:
        self._limit = limit
        self._always = always

    def put(self, value: Any) -> Dict[str, Any]:
        """The record; what cannot be pickled is kept as JSON can say it. Raises NotSerializable, and TooLarge if the
        value does not fit."""
        if self._always:
            return self._pickled(value, type(value).__name__)
        try:
            return StatusStore(self._limit, exact=True).put(value)
        except codec.TooLarge as refused:
            try:
                return self._pickled(value, refused.type)
            except (codec.NotSerializable, codec.TooLarge):
                raise refused from None
        except codec.NotSerializable as refused:
            try:
                return self._pickled(value, refused.type)
            except codec.NotSerializable as unpicklable:
                try:
                    return StatusStore(self._limit).put(value)
                except codec.NotSerializable:
                    raise unpicklable from None

    def _pickled(self, value: Any, kind: str) -> Dict[str, Any]:
        import cloudpickle

        try:
            data = cloudpickle.dumps(value, protocol=4)
        except Exception as error:
            message = (
                f"the result, a {kind}, has no JSON form and cannot be pickled: {error}: return what can be, such as "
            )
            message += "list(...) of a generator"
            raise codec.NotSerializable(message, kind) from error
        text = json.dumps(base64.b64encode(data).decode())
        if len(text) > self._limit:
            raise codec.TooLarge(
                f"the result, a {kind}, takes {len(text)} bytes as a pickle, and {self._limit} are allowed: return "
                "something smaller, or write it to storage and return its address",
                kind,
                len(text),
            )
        record = {"type": kind, "value": text, "types": {"": PICKLE}, "size": len(text)}
        return {**record, "sha256": codec.sha256(text.encode()), "python": platform.python_version()}


def store_for(target: Any, limit: int, kept: Any = None) -> ResultStore:
    """Where the result of an opened payload goes. What Dask itself asked for is always a pickle: it must come back as
    it was. `kept`: the job's store of files (`stored_result.StoredResult`); None: it has none."""
    always = isinstance(target, _Graph)
    if kept is None:
        return PickleStore(limit, always)
    kept.for_payload(always)
    found: ResultStore = kept
    return found


class _Map:
    """One task an item, in their order. `columns`: the values of each argument."""

    def __init__(self, function: Any, columns: List[List[Any]]) -> None:
        self._function = function
        self._columns = columns

    def __call__(self, client: Any) -> Any:
        # Workers get the user's function alone: they have nothing of this program.
        return client.map(self._function, *self._columns, pure=False)


class _Graph:
    """A raw graph and its keys, as Dask hands them to a scheduler: lists of keys may be nested."""

    def __init__(self, graph: Any, keys: Any) -> None:
        self._graph = graph
        self._keys = keys

    def __call__(self, client: Any) -> Any:
        return client.get(self._graph, self._keys)
