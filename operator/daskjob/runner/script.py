"""Modules that open a client or compute while they are imported, as scripts do that nobody wrote for an import.

Whoever unpickles a function imports its module: the scheduler, to whom a client at the top of the module would then try
to connect from within the scheduler's own loop, and every worker, which would compute all of it once more, and wait for
futures that need this very worker. So the runner treats such a module as Python treats a script: as `__main__`, whose
functions and classes pickle by value.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
from types import FunctionType, ModuleType
from typing import Any, Callable, Iterator

from distributed import Client

_MAIN = "__main__"


@contextlib.contextmanager
def watched(entry: str, folder: str) -> Iterator[None]:
    """During the import of the entry point's module: marks the modules that open a client or submit tasks before their
    own import has ended. Later, marks a module that opens a client while it is imported. `folder`: that of user
    code."""
    owner: Any = Client
    #: Marked modules that may still define something.
    growing: dict[str, ModuleType] = {}
    importing = True

    def look() -> None:
        for module in _being_imported(entry, folder):
            growing[module.__name__] = module

    def mark() -> None:
        for name, module in list(growing.items()):
            if not _is_initializing(module):
                del growing[name]
            _mark(module)

    def opens() -> None:
        look()
        mark()

    def submits() -> None:
        if importing:
            look()
        mark()

    owner.__init__ = _after(opens, owner.__init__)
    if hasattr(owner, "_graph_to_futures"):
        owner._graph_to_futures = _after(submits, owner._graph_to_futures)
    try:
        yield
    finally:
        importing = False
    if entry in growing:
        # Pickle looks there for what has the module `__main__`.
        sys.modules[_MAIN] = growing[entry]


def _after(action: Callable[[], None], method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def method_after_action(*args: Any, **kwargs: Any) -> Any:
        action()
        return method(*args, **kwargs)

    return method_after_action


def _being_imported(entry: str, folder: str) -> list[ModuleType]:
    found = []
    for name, module in list(sys.modules.items()):
        if _is_initializing(module):
            file = getattr(module, "__file__", None) or ""
            if name == entry or os.path.abspath(file).startswith(os.path.join(os.path.abspath(folder), "")):
                found.append(module)
    return found


def _is_initializing(module: Any) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def _mark(module: ModuleType) -> None:
    """Makes `__main__` the module of all functions and classes that a module has defined so far."""
    name = module.__name__
    for each in gc.get_objects():
        # Not isinstance, which asks objects for a class that they may make up.
        if type(each) is FunctionType and each.__module__ == name:
            each.__module__ = _MAIN
        elif issubclass(type(each), type) and each.__dict__.get("__module__") == name:
            with contextlib.suppress(AttributeError, TypeError):
                each.__module__ = _MAIN
