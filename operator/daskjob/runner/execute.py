"""Turns the entry point into its value: calls it, awaits, computes and gathers."""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import inspect
from typing import Any, Callable, Coroutine, Mapping, Optional, Protocol

from dask.base import is_dask_collection
from distributed import Client, Future
from distributed import client as untyped_client

from daskjob.wire.jobfile import JobFile

futures_of: Any = untyped_client.futures_of


class Parts(Protocol):
    """A collection that tasks write into a store, each its part."""

    tasks: list[Any]

    def collect(self, answers: list[Any]) -> Any:
        """The value that stands for the whole, from the answers of the tasks."""
        ...


#: Makes tasks of a value that workers are to write themselves; None for any other.
Spread = Callable[[Any], Optional[Parts]]


def execute(
    target: Any, job: JobFile, client: Client, open_client: Callable[[], Any], spread: Spread = lambda value: None
) -> Any:
    """The value of the entry point: this calls it if it is callable, and awaits, computes and gathers what it returns;
    what `spread` takes is written instead.

    `client`: the connected client, already Dask's default. A coroutine function that has a parameter `client` gets one
    of its own loop instead, from `open_client`. A function that `dask.delayed` decorates is called like any other.
    Raises whatever user code or its tasks raise.
    """
    if callable(decorated := getattr(target, "_obj", None)) and type(target).__name__ == "DelayedLeaf":
        _check_call(decorated, list(job.args), dict(job.kwargs), job)
        target = target(*job.args, **job.kwargs)
        job = dataclasses.replace(job, args=[], kwargs={})
    if is_dask_collection(target) or not callable(target):
        if job.args or job.kwargs:
            raise TypeError(f"graph.args are given, but {job.entrypoint} is a {type(target).__name__}, not a function")
        return _drive(_settle(target, job, client, spread))
    if not _is_coroutine_function(target):
        value = _call(target, job, client)
        if _is_awaitable(value):
            return asyncio.run(_await_and_settle(value, job, client, spread))
        return _drive(_settle(value, job, client, spread))
    if not _wants_client(target, job):
        return asyncio.run(_await_and_settle(_call(target, job, client), job, client, spread))
    return asyncio.run(_with_own_client(target, job, open_client, spread))


async def _with_own_client(target: Any, job: JobFile, open_client: Callable[[], Any], spread: Spread) -> Any:
    client = await open_client()
    return await _settle(await _call(target, job, client), job, client, spread)


async def _await_and_settle(value: Any, job: JobFile, client: Client, spread: Spread) -> Any:
    return await _settle(await value, job, client, spread)


def _drive(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs a coroutine that never waits, without an event loop, because user code may start one of its own."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a client of this process's own loop was expected")


def _is_coroutine_function(target: Any) -> bool:
    plain = inspect.unwrap(target) if not isinstance(target, type) else target
    while hasattr(plain, "func"):
        plain = plain.func
    # Also an object whose __call__ is a coroutine function.
    return any(map(inspect.iscoroutinefunction, (plain, vars(type(plain)).get("__call__"))))


def _wants_client(target: Any, job: JobFile) -> bool:
    try:
        parameter = inspect.signature(target).parameters.get("client")
    except (TypeError, ValueError):
        return False
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return parameter is not None and parameter.kind in named and "client" not in job.kwargs


def _call(target: Any, job: JobFile, client: Any) -> Any:
    args, kwargs = list(job.args), dict(job.kwargs)
    if _wants_client(target, job):
        parameters = list(inspect.signature(target).parameters.values())
        place = next(index for index, each in enumerate(parameters) if each.name == "client")
        positional = parameters[place].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
        if positional and place <= len(args) and args:
            # `graph.args` are the other positional parameters, before and after `client`.
            args.insert(place, client)
        else:
            kwargs["client"] = client
    _check_call(target, args, kwargs, job)
    return target(*args, **kwargs)


def _check_call(target: Any, args: list[Any], kwargs: dict[str, Any], job: JobFile) -> None:
    """Raises TypeError if the arguments do not fit, before the function itself does without a word about the job. What
    is around a function may give it further arguments."""
    try:
        signature = inspect.signature(target, follow_wrapped=False)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        shown = f"{job.entrypoint.rpartition(':')[2]}{signature}"
        raise TypeError(
            f"{shown} does not take graph.args and graph.kwargs: {error}; it gets the connected client for a parameter "
            "named client"
        ) from None


async def _settle(value: Any, job: JobFile, client: Any, spread: Spread) -> Any:
    """The value with all collections computed and all futures gathered; with `graph.keys`, the values of these keys."""
    if job.keys is not None:
        return await _resolved(client.gather(_submit_graph(value, job.keys, client)))
    if type(value) is dict and any(type(each) is tuple and each and callable(each[0]) for each in value.values()):
        raise TypeError("the entry point gives a raw graph: name in graph.keys what to compute of it")
    parts = spread(value)
    if parts is not None:
        return parts.collect(await _computed(parts.tasks, client))
    return await _computed(value, client)


async def _computed(value: Any, client: Any) -> Any:
    value = await _by_owner(value, is_dask_collection, lambda owner, found: owner.compute(found), client)
    return await _by_owner(value, _is_future, lambda owner, found: owner.gather(found), client)


async def _by_owner(
    value: Any, wanted: Callable[[Any], bool], act: Callable[[Any, list[Any]], Any], client: Any
) -> Any:
    """The value with every wanted item replaced by what `act(owner, items)` gives for it, in one call for each client:
    no client knows the futures of another one, and what one computes in one call shares its tasks."""
    items: list[Any] = []
    _replace(value, wanted, items.append)
    groups: dict[int, tuple[Any, list[int]]] = {}
    for place, item in enumerate(items):
        owner = _owner(item, client)
        groups.setdefault(id(owner), (owner, []))[1].append(place)
    results = list(items)
    for owner, places in groups.values():
        answers = iter(await _resolved(act(owner, [items[place] for place in places])))
        for place in places:
            results[place] = next(answers)
    following = iter(results)
    return _replace(value, wanted, lambda _: next(following)) if items else value


def _owner(item: Any, client: Any) -> Any:
    """The client that made a future, or the futures in a collection: user code's own, or `client`."""
    if not _is_future(item) and not set(getattr(Client, "_instances", ())) - {client}:
        # To look for futures in a collection would build its graph.
        return client
    futures = [item] if _is_future(item) else futures_of(item)
    owner = next((each for each in (getattr(future, "client", None) for future in futures) if each is not None), client)
    if owner.status in ("closing", "closed"):
        raise RuntimeError(
            "the entry point returns futures of a client that is closed, as one is after its `with` block: its futures "
            "are cancelled. Gather them before, or leave the client open"
        )
    return owner


async def _resolved(value: Any) -> Any:
    return await value if _is_awaitable(value) else value


def _submit_graph(graph: Any, names: list[Any], client: Any) -> list[Any]:
    if not isinstance(graph, Mapping):
        raise TypeError(f"graph.keys are given, but the entry point gives a {type(graph).__name__}, not a dict")
    keys = [_key(name) for name in names]
    for key in keys:
        if key not in graph:
            close = difflib.get_close_matches(str(key), [str(each) for each in graph], 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise KeyError(f"graph.keys: {key!r} is not a key of the graph{hint}")
    futures: list[Any] = client.get(graph, keys, sync=False)
    return futures


def _key(name: Any) -> Any:
    return tuple(_key(part) for part in name) if isinstance(name, list) else name


def _is_awaitable(value: Any) -> bool:
    """Whether to await the value. Dask's collections and futures are awaitable only with an asynchronous client."""
    return inspect.isawaitable(value) and not is_dask_collection(value) and not _is_future(value)


def _is_future(value: Any) -> bool:
    return isinstance(value, Future)


def _replace(value: Any, wanted: Callable[[Any], bool], replacement: Callable[[Any], Any], depth: int = 0) -> Any:
    """A copy of nested lists, tuples, sets and dicts with every wanted item replaced, in order. Another thread may
    change them meanwhile."""
    if wanted(value):
        return replacement(value)
    kind = type(value)
    # The codec refuses deeper nesting later, with its path.
    if depth > 100:
        return value
    if kind is list:
        return [_replace(item, wanted, replacement, depth + 1) for item in list(value)]
    if isinstance(value, tuple):
        items = [_replace(item, wanted, replacement, depth + 1) for item in value]
        return kind(*items) if hasattr(value, "_fields") else tuple(items)
    if kind in (set, frozenset) and any(map(wanted, list(value))):
        return kind([_replace(item, wanted, replacement, depth + 1) for item in value])
    if isinstance(value, dict):
        return {key: _replace(item, wanted, replacement, depth + 1) for key, item in list(value.items())}
    return value
