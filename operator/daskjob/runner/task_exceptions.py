"""Exceptions of tasks that Dask's client cannot take as they come.

Some were sent without their traceback, which the worker could not pickle, such as that of an endless recursion: the
worker sends the traceback's text instead, and the client takes that for an error of its own, so the future never fails,
and whoever waits for it waits for ever. Others end coroutines, which the client is made of, instead of passing through.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from distributed import client as untyped_client

_OF_COROUTINES = (StopIteration, GeneratorExit, asyncio.CancelledError)


class TaskRaised(RuntimeError):
    """Stands for an exception of a task that no coroutine may raise: its `__cause__`."""


def accept() -> None:
    """Makes the clients of this process take all exceptions of tasks."""
    module: Any = untyped_client
    clean = module.clean_exception

    @functools.wraps(clean)
    def clean_whatever(exception: Any, traceback: Any = None, **more: Any) -> Any:
        try:
            kind, error, frames = clean(exception, traceback, **more)
        except AssertionError:
            kind, error, frames = clean(exception, None, **more)
        if not isinstance(error, _OF_COROUTINES):
            return kind, error, frames
        stand_in = TaskRaised(f"a task raised {error!r}")
        stand_in.__cause__ = error.with_traceback(frames)
        return TaskRaised, stand_in, None

    module.clean_exception = clean_whatever
