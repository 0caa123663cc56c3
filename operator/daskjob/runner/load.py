"""Imports the entry point; the error names what exists instead."""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import re
import sys
from types import ModuleType
from typing import Any, Optional

from daskjob.results.opened_store import by_place
from daskjob.runner.surroundings import PACKAGES_VARIABLE
from daskjob.wire.jobfile import InvalidJob

#: What scripts import to have a cluster made for them.
CLUSTER_MAKERS = frozenset({"dask_kubernetes", "dask_gateway", "dask_jobqueue", "dask_cloudprovider", "dask_yarn"})


class ModuleMissing(Exception):
    """The module that the entry point names, or a module that it imports, does not exist."""


class EntrypointMissing(Exception):
    """The module exists and has no such attribute."""


def add_packages() -> None:
    """Puts the packages that were installed for the job before the image's own, for this process and its children. To
    be called before Dask is imported. The zipapp stays first."""
    folder = os.environ.get(PACKAGES_VARIABLE)
    if folder:
        sys.path.insert(1, folder)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))


def prepare_path(code_path: Optional[str]) -> str:
    """Puts the folder of user code first on `sys.path`: the job's code if it has any, else the working folder."""
    folder = code_path or os.getcwd()
    # The zipapp stays on the path, last, because the runner imports some of its modules later.
    own = sys.path.pop(0) if sys.path and sys.path[0] == sys.argv[0] else None
    sys.path.insert(0, folder)
    if own is not None:
        sys.path.append(own)
    return folder


def load(entrypoint: str, folder: str) -> Any:
    """The object at `package.module:attribute.path`. Raises ModuleMissing, EntrypointMissing, InvalidJob, or what the
    import raises."""
    module_name, colon, path = entrypoint.partition(":")
    if not colon or not all(part.isidentifier() for part in (*module_name.split("."), *path.split("."))):
        raise InvalidJob(f"graph.entrypoint: {entrypoint[:200]!r} is not of the form package.module:attribute")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise _missing_module(error, module_name, folder) from error
    found: Any = module
    walked = module_name
    for name in path.split("."):
        try:
            found = getattr(found, name)
        except AttributeError as error:
            if error.__traceback__ is not None and error.__traceback__.tb_next is not None:
                raise
            raise EntrypointMissing(_missing_attribute(found, name, walked)) from None
        walked += f".{name}" if ":" in walked else f":{name}"
    return found


def _missing_module(error: ModuleNotFoundError, wanted: str, folder: str) -> ModuleMissing:
    missing, unread, place = error.name or "", _unread_packages(), by_place("this image", "this Python")
    if wanted != missing and not wanted.startswith(f"{missing}."):
        return ModuleMissing(
            f"{error}: {wanted} imports it, and it is not installed in {place} nor among the job's files{unread}"
            f"{cluster_words(error)}"
        )
    if "." in missing:
        parent = sys.modules.get(missing.rpartition(".")[0])
        names = sorted(module.name for module in pkgutil.iter_modules(getattr(parent, "__path__", [])))
        missing_name, where = missing.rpartition(".")[2], f"the package {missing.rpartition('.')[0]}"
    else:
        names = sorted(module.name for module in pkgutil.iter_modules([folder]))
        missing_name, where = missing, folder
    hint = f"{_close(missing_name, names)}{unread}"
    return ModuleMissing(f"there is no module {missing!r}; {where} has: {_listing(names)}{hint}")


#: What `client.cluster.scale(4)` raises.
_NO_CLUSTER = tuple(f"'NoneType' object has no attribute '{name}'" for name in ("scale", "adapt"))


def cluster_words(error: BaseException) -> str:
    """`; ` and that a job has a cluster, for an error of code that looks for one elsewhere; empty for any other."""
    away = isinstance(error, OSError) and "trying to connect to" in str(error)
    wants = isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in CLUSTER_MAKERS
    if away or wants:
        return "; a job has a cluster of its own, which Client(), without an address, finds"
    # Of a client, `cluster` is what made its cluster, and here no client did.
    sizes = isinstance(error, AttributeError) and str(error) in _NO_CLUSTER
    return "; the size of a job's cluster is in spec.cluster.workers (replicas or adaptive)" if sizes else ""


def _unread_packages() -> str:
    """That packages were asked for in a way that the image's own start would have read, if it is so."""
    asked = [name for name in ("EXTRA_PIP_PACKAGES", "EXTRA_CONDA_PACKAGES") if os.environ.get(name)]
    if not asked:
        return ""
    return f"; {asked[0]} is read by the image's entry point, which no job runs: build an image with these packages"


def _missing_attribute(owner: Any, name: str, walked: str) -> str:
    kind = "module" if isinstance(owner, ModuleType) else type(owner).__name__
    names = sorted(
        each
        for each, value in getattr(owner, "__dict__", {}).items()
        if not each.startswith("_") and not isinstance(value, ModuleType)
    )
    return f"{kind} {walked!r} has no {name!r}; it has: {_listing(names)}{_close(name, names)}{_guarded(owner)}"


def _guarded(owner: Any) -> str:
    """That a part of a module does not run, if it has one for its run as a script."""
    try:
        with open(owner.__file__, encoding="utf-8") as file:
            guarded = re.search(r"""^if __name__ *== *["']__main__["']""", file.read(), re.MULTILINE)
    except (AttributeError, TypeError, OSError, ValueError):
        return ""
    words = (
        "a job imports the module, so what stands below if __name__ == '__main__' does not run: put it into a function"
    )
    return f"; {words}" if guarded else ""


def _listing(names: list[str]) -> str:
    more = f" and {len(names) - 15} more" if len(names) > 15 else ""
    return (", ".join(names[:15]) or "nothing") + more


def _close(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {close[0]!r}?" if close else ""
