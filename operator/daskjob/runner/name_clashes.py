"""Says why a process of Dask did not start where the last lines of its traceback do not: the first cause, and files of
the job's code that take the place of modules of Python or of the image.

Of a container that fails, the kubelet keeps the end of its log alone.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from types import TracebackType
from typing import Any, List, Optional, Type

#: Frames of the first cause that are printed.
FRAMES = 2


def explain_failures(code: str) -> None:
    """From now on, an exception that ends this process is followed by what led to it. `code`: the folder of the job's
    code, first on the path; empty: it is in the image."""
    before = sys.excepthook

    def explain(kind: Type[BaseException], error: BaseException, traceback: Optional[TracebackType]) -> Any:
        before(kind, error, traceback)
        if isinstance(error, Exception):
            print(explanation(error, code), end="", file=sys.stderr, flush=True)

    sys.excepthook = explain


def explanation(error: BaseException, code: str) -> str:
    """Lines for the end of a log; empty if the traceback says all."""
    first, passed = error, {id(error)}
    while first.__cause__ is not None and id(first.__cause__) not in passed:
        first = first.__cause__
        passed.add(id(first))
    lines: List[str] = []
    if first is not error:
        import traceback

        lines.append("daskjob: the cause:\n")
        lines += traceback.format_exception(type(first), first, first.__traceback__, limit=-FRAMES, chain=False)
    for name in taken_names(code):
        lines.append(f"daskjob: {name} of the job's code took the place of a module that is installed: rename it\n")
    return "".join(lines)


def taken_names(code: str) -> List[str]:
    """Files in the folder that were imported though Python or the image has a module of that name, relative to it."""
    if not code:
        return []
    others = [each for each in sys.path if not _is_in(each or os.curdir, code)]
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name == "__main__" or "." in name or not isinstance(file, str) or not _is_in(file, code):
            continue
        hidden = PathFinder.find_spec(name, others)
        # A folder without __init__.py hides nothing: any module comes before it.
        if hidden is not None and hidden.loader is not None and hidden.origin is not None:
            found.append(os.path.relpath(os.path.realpath(file), os.path.realpath(code)))
    return sorted(found)


def _is_in(path: str, folder: str) -> bool:
    return os.path.join(os.path.realpath(path), "").startswith(os.path.join(os.path.realpath(folder), ""))
