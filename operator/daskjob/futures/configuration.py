"""Options that stand in Dask's configuration, under `daskjob`: in variables (DASK_DASKJOB__IMAGE), or in YAML files."""

from __future__ import annotations

import ast
import importlib
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from daskjob.futures.job_options import JobOptions

PREFIX = "DASK_DASKJOB__"
#: What `connect` takes beside the options of jobs.
CONNECTION = ("namespace", "context", "kubeconfig", "backend", "storage_options")
#: No text of a configuration can say these.
NOT_HERE = ("by_value",)


def configured() -> dict[str, Any]:
    """The options that are configured, by their names in Python. Raises TypeError for one that there is not, and for a
    name of `env` that Dask would change.

    Dask is imported only if it has been already, or one of its files says something about `daskjob`.
    """
    changed = next((each for each in sorted(os.environ) if each.startswith(f"{PREFIX}ENV__")), None)
    if changed is not None:
        name = changed.removeprefix(f"{PREFIX}ENV__")
        raise TypeError(
            f"{changed}: Dask reads names in lower case, so pods would have {name.lower()} and not {name}: write "
            f"{PREFIX}ENV=\"{{'{name}': {os.environ[changed]!r}}}\""
        )
    if "dask.config" in sys.modules or any(_files()):
        # Of Dask, only its configuration: this package knows nothing else of it.
        try:
            config: Any = importlib.import_module("dask.config")
        except ImportError:
            found = _variables()
        else:
            found = config.get("daskjob", None) or {}
    else:
        found = _variables()
    if not isinstance(found, Mapping):
        raise TypeError(f"daskjob in Dask's configuration: options by name were expected, not {found!r}")
    options = {str(name).replace("-", "_"): value for name, value in found.items()}
    known = [*CONNECTION, *(each for each in JobOptions.__annotations__ if each not in NOT_HERE)]
    unknown = [each for each in options if each not in known]
    if unknown:
        raise TypeError(
            f"daskjob.{unknown[0]} in Dask's configuration (or {PREFIX}{unknown[0].upper()}): there is no such option; "
            f"there are {', '.join(known)}"
        )
    return options


def _variables() -> dict[str, Any]:
    """What Dask would read from the environment: `DASK_DASKJOB__LABELS__TEAM` is `labels: {team: …}`."""
    found: dict[str, Any] = {}
    for variable, text in sorted(os.environ.items()):
        if variable.startswith(PREFIX):
            *above, name = variable[len(PREFIX) :].lower().split("__")
            place = found
            for each in above:
                place = place.setdefault(each, {})
            try:
                place[name] = ast.literal_eval(text)
            except (SyntaxError, ValueError):
                place[name] = text
    return found


def _files() -> Iterator[Path]:
    """Dask's files that mention `daskjob`."""
    config = os.environ.get("DASK_CONFIG")
    root = os.environ.get("DASK_ROOT_CONFIG", "/etc/dask")
    for place in (root, os.path.join(sys.prefix, "etc", "dask"), "~/.config/dask", *([config] if config else [])):
        path = Path(place).expanduser()
        for file in [path] if path.is_file() else [*path.glob("*.yaml"), *path.glob("*.yml")]:
            try:
                if "daskjob" in file.read_text(errors="replace"):
                    yield file
            except OSError:
                continue
