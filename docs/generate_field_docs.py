"""Writes the `#:` comments of the fields in operator/daskjob/api from the descriptions in crds/.

With `--check`, writes nothing and fails if a comment is stale. A class that describes several places of the definitions
has the comments of the first one. Fields that no definition has keep what was written by hand.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import sys
import textwrap
import types
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from daskjob.api.cron_job import DaskCronJobSpec, DaskCronJobStatus
from daskjob.api.resource_json import fields_of
from daskjob.api.runner_report import RunnerReport
from daskjob.api.spec import DaskJobSpec
from daskjob.api.status import DaskJobStatus

ROOT = Path(__file__).resolve().parent.parent
#: What is described where: a definition's file, the part of it, the class of that part.
ROOTS: tuple[tuple[str, str, type], ...] = (
    ("daskjobs", "spec", DaskJobSpec),
    ("daskjobs", "status", DaskJobStatus),
    ("daskcronjobs", "spec", DaskCronJobSpec),
    ("daskcronjobs", "status", DaskCronJobStatus),
    ("daskjobreports", "status", RunnerReport),
)
WIDTH = 120
MARK = "#:"

#: By class and attribute, what the definitions say of it.
Descriptions = dict[tuple[type, str], str]


def schema_of(file: str, part: str) -> Mapping[str, Any]:
    """The schema of a definition's spec or status."""
    (version,) = yaml.safe_load((ROOT / "crds" / f"{file}.yaml").read_text())["spec"]["versions"]
    schema: Mapping[str, Any] = version["schema"]["openAPIV3Schema"]["properties"][part]
    return schema


def descriptions() -> Descriptions:
    """Of every field that a definition has."""
    found: Descriptions = {}
    for file, part, cls in ROOTS:
        for owner, name, text in _walk(cls, schema_of(file, part)):
            found.setdefault((owner, name), text)
    return found


def _walk(cls: type, schema: Mapping[str, Any]) -> Iterator[tuple[type, str, str]]:
    for name, json, hint in fields_of(cls):
        about = schema.get("properties", {}).get(json)
        if about is None:
            continue
        owner = next(each for each in cls.__mro__ if name in vars(each).get("__annotations__", {}))
        yield owner, name, about["description"]
        for part in _classes(hint):
            yield from _walk(part, about.get("items", about))


def _classes(hint: Any) -> Iterator[type]:
    """The dataclasses in a field's type."""
    if dataclasses.is_dataclass(hint):
        yield typing.cast(type, hint)
    elif typing.get_origin(hint) in (tuple, typing.Union, types.UnionType):
        for each in typing.get_args(hint):
            yield from _classes(each)


def documented(path: Path, texts: Mapping[tuple[str, str], str]) -> str:
    """The file's text with the comments of the fields, named by class and attribute, that `texts` has."""
    source = path.read_text()
    lines = source.splitlines()
    fields = [
        (each.lineno - 1, texts[node.name, each.target.id])
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ClassDef)
        for each in node.body
        if isinstance(each, ast.AnnAssign)
        and isinstance(each.target, ast.Name)
        and (node.name, each.target.id) in texts
    ]
    for line, text in sorted(fields, reverse=True):
        first = line
        while lines[first - 1].strip().startswith(MARK):
            first -= 1
        indent = f"    {MARK} "
        lines[first:line] = textwrap.wrap(
            text, WIDTH, initial_indent=indent, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
        )
    return "\n".join(lines) + "\n"


def files() -> dict[Path, str]:
    """Every file with such fields, and what it must hold."""
    texts: dict[Path, dict[tuple[str, str], str]] = defaultdict(dict)
    for (cls, name), text in descriptions().items():
        texts[Path(inspect.getfile(cls))][cls.__name__, name] = text
    return {path: documented(path, each) for path, each in sorted(texts.items())}


if __name__ == "__main__":
    from keep_current import keep_current

    sys.exit(keep_current(files()))
