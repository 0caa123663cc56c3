"""Pickles a function with its arguments, or a graph, for one job: a header in JSON, and the pickle.

`runner.payload` opens it. The versions are of this process; they are read without an import. A pickle that would not
fit is compressed; others are not, for an operator of before that opens them, too.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import inspect
import json
import platform
import secrets
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from daskjob.api.payload_secret import MOST_BYTES
from daskjob.futures.future_errors import NotPicklable, PayloadTooLarge
from daskjob.futures.job_options import JobOptions

#: Versions of the header, of a plain and of a compressed pickle, and packages whose versions are in it: those of
#: `runner.payload`.
FORMAT, COMPRESSED = 1, 2
#: So much room the header has in a payload; a longer pickle than this is not compressed.
HEADER_ROOM, MOST_COMPRESSED = 2_000, 64_000_000
PACKAGES = ("cloudpickle", "dask", "distributed")
#: So many of the largest parts are named; a part that cannot be pickled is looked for so deep.
LARGEST, DEPTH = 5, 4


@dataclass(frozen=True)
class Payload:
    """What a job gets: `data`, and its digest; `label`: what people see as the entry point, `module:name`."""

    data: bytes = field(repr=False)
    sha256: str
    label: str


def call(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], by_value: Iterable[ModuleType]) -> Payload:
    """A call. Raises NotPicklable, PayloadTooLarge, and TypeError for what no job can call."""
    check_function(function)
    _check_call(function, args, kwargs)
    parts = {"function": function, **{f"args[{number}]": each for number, each in enumerate(args)}}
    parts |= {f"kwargs[{name!r}]": each for name, each in kwargs.items()}
    content = {"function": function, "args": args, "kwargs": dict(kwargs)}
    return _sealed("call", content, parts, label_of(function), by_value)


def mapped(function: Any, columns: list[list[Any]], by_value: Iterable[ModuleType], chunksize: int = 1) -> Payload:
    """A task for each `chunksize` items, which gives their value, or the list of them if a task has several. `columns`:
    the values of each argument."""
    check_function(function)
    _check_call(function, tuple(each[0] for each in columns), {})
    parts = {"function": function, **{f"iterables[{number}]": each for number, each in enumerate(columns)}}
    content = {"function": function, "columns": columns}
    if chunksize > 1:
        starts = range(0, len(columns[0]), chunksize)
        chunks = [[column[start : start + chunksize] for start in starts] for column in columns]
        content = {"function": _of_chunks(function), "columns": chunks}
    return _sealed("map", content, parts, label_of(function), by_value)


def _of_chunks(function: Any) -> Any:
    """A function of lists of arguments that gives the list of values. Being local, it is pickled by value: the image
    has nothing of this package."""

    def of_chunk(*columns: Any) -> Any:
        return list(map(function, *columns))

    return of_chunk


def collections(values: Any, by_value: Iterable[ModuleType], optimize_graph: bool = True) -> Payload:
    """Dask collections to be computed: one, or a tuple of them; without `optimize_graph`, as they are."""
    many = values if isinstance(values, tuple) else (values,)
    parts = {f"collections[{number}]": each for number, each in enumerate(many)}
    label = f"dask:{_identifier(type(many[0]).__name__)}"
    if optimize_graph:
        return _sealed("value", {"value": values}, parts, label, by_value)
    content = {"function": _computing_as_they_are(values), "args": (), "kwargs": {}}
    return _sealed("call", content, parts, label, by_value)


def _computing_as_they_are(values: Any) -> Any:
    """A function of a client that computes them without optimization. Being local, it is pickled by value."""

    def computing(client: Any) -> Any:
        if isinstance(values, tuple):
            return tuple(client.compute([*values], optimize_graph=False))
        return client.compute(values, optimize_graph=False)

    return computing


def graph(dsk: Any, keys: Any, by_value: Iterable[ModuleType]) -> Payload:
    """A graph and its keys, as Dask hands them to a scheduler."""
    return _sealed("graph", {"graph": dsk, "keys": keys}, {"graph": dsk, "keys": keys}, "dask:graph", by_value)


def check_function(function: Any) -> None:
    """Raises TypeError for what no job can call."""
    if not callable(function):
        raise TypeError(f"a function was expected, not a {type(function).__name__}")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise TypeError(f"{getattr(function, '__name__', function)!r} is a generator: have it return a list")


def _check_call(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises TypeError for arguments that do not fit, as the job would when its cluster is there. A parameter `client`
    need not be given."""
    try:
        # What is around a function may give it further arguments.
        signature = inspect.signature(function, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind_partial(*args, **kwargs) if "client" in signature.parameters else signature.bind(*args, **kwargs)
    except TypeError as error:
        options = [name for name in kwargs if name in JobOptions.__annotations__ and name not in signature.parameters]
        hint = f"; options of the job go into with_options({options[0]}=...)" if options else ""
        name = getattr(function, "__name__", type(function).__name__)
        raise TypeError(f"{name}{signature} does not take these arguments: {error}{hint}") from None


def label_of(function: Any) -> str:
    """Module and name of a function, as an entry point is written."""
    while hasattr(function, "func"):
        function = function.func
    kind = function if hasattr(function, "__qualname__") else type(function)
    names = [_identifier(each) for each in str(kind.__qualname__).replace(".<locals>", "").split(".")]
    modules = [_identifier(each) for each in str(getattr(kind, "__module__", None) or "main").split(".")]
    return f"{'.'.join(modules)[-200:].lstrip('.')}:{'.'.join(names)[-200:].lstrip('.')}"


def versions() -> dict[str, str]:
    """Versions of Python and of `PACKAGES` here; empty for one that is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found


def _sealed(kind: str, content: Any, parts: Mapping[str, Any], label: str, by_value: Iterable[ModuleType]) -> Payload:
    try:
        import cloudpickle
    except ModuleNotFoundError:
        raise ModuleNotFoundError("jobs of functions need pip install 'daskjob[client]'", name="cloudpickle") from None
    modules = [each for each in by_value if each.__name__ not in cloudpickle.list_registry_pickle_by_value()]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        pickled = _Bounded(MOST_COMPRESSED)
        try:
            cloudpickle.dump(content, pickled, protocol=4)
        except Exception as error:
            path = next((found for name, part in parts.items() for found in _culprits(part, name, DEPTH)), "it")
            raise NotPicklable(path, f"{type(error).__name__}: {error}") from error
        format, body = _body(pickled)
        header = {
            "format": format,
            "kind": kind,
            "function": label,
            "versions": versions(),
            "sha256": hashlib.sha256(body).hexdigest(),
            # Two jobs have two Secrets, also if they call the same.
            "nonce": secrets.token_hex(8),
        }
        data = json.dumps(header).encode() + b"\n" + body
        size = len(data) if body else pickled.size
        if size > MOST_BYTES:
            sizes = {name: _size(part) for name, part in _with_inner_parts(parts).items()}
            largest = sorted(sizes.items(), key=lambda each: -each[1])[:LARGEST]
            raise PayloadTooLarge(size, MOST_BYTES, dict(largest))
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return Payload(data, hashlib.sha256(data).hexdigest(), label)


def _body(pickled: _Bounded) -> tuple[int, bytes]:
    """The header's version, and what follows the header; nothing if the pickle is too large to be tried."""
    if pickled.size <= MOST_BYTES - HEADER_ROOM:
        return FORMAT, bytes(pickled.kept)
    return COMPRESSED, zlib.compress(pickled.kept) if pickled.size <= MOST_COMPRESSED else b""


class _Bounded:
    """A file that keeps so many bytes, and of what is longer only the size."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.size = 0
        self.kept = bytearray()

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        self.size += count
        if self.size <= self._most:
            self.kept += data
        return count


def _size(value: Any) -> int:
    """Bytes of a value's pickle; 0 for what has none by itself."""
    import cloudpickle

    counted = _Bounded(0)
    try:
        cloudpickle.dump(value, counted, protocol=4)
    except Exception:
        return 0
    return counted.size


def _with_inner_parts(parts: Mapping[str, Any]) -> dict[str, Any]:
    """The parts; of a function, what it takes along from around it."""
    found: dict[str, Any] = {}
    for path, part in parts.items():
        found |= (_inner(part, path) if inspect.isfunction(part) else {}) or {path: part}
    return found


def _inner(value: Any, path: str) -> dict[str, Any]:
    """What a value consists of, as far as it can be looked into."""
    if isinstance(value, concurrent.futures.Future | concurrent.futures.Executor):
        # It says itself why it stays here.
        return {}
    if isinstance(value, Mapping):
        return {f"{path}[{key!r}]": each for key, each in list(value.items())[:1000]}
    if isinstance(value, list | tuple):
        return {f"{path}[{number}]": each for number, each in enumerate(value[:1000])}
    if inspect.isfunction(value):
        known = inspect.getclosurevars(value)
        return {f"{path}: {name}": each for name, each in {**known.nonlocals, **known.globals}.items()}
    if hasattr(value, "__dict__"):
        return {f"{path}.{name}": each for name, each in vars(value).items()}
    return {}


def _culprits(value: Any, path: str, depth: int) -> Iterator[str]:
    """What of a value cannot be pickled: the innermost part that is known."""
    if _size(value):
        return
    if depth:
        for name, each in _inner(value, path).items():
            found = next(_culprits(each, name, depth - 1), None)
            if found is not None:
                yield found
                return
    yield path


def _identifier(text: str) -> str:
    """The text as far as an entry point may have it: letters of ASCII, digits and underscores."""
    plain = "".join(each if each.isascii() and (each.isalnum() or each == "_") else "_" for each in text).strip("_")
    return plain if plain and not plain[0].isdigit() else f"_{plain}"
